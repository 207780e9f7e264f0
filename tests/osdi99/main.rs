//! The rules of OSDI'99 as this replica has them: each test is named after the section and the rule of CONSENSUS.md §2.7.

#[path = "../support/mod.rs"]
mod support;

mod chain;
mod checkpoints;
mod evidence;
mod forensics;
mod pool;
mod proposals;
mod requests;
mod restart;
mod runs;
mod safety;
mod transfer;
mod view_changes;
mod votes;

use std::collections::BTreeSet;
use std::sync::Arc;
use support::*;
use voltcast::ledger::{Digest, Proposal};
use voltcast::pbft::*;

fn net() -> Net {
    Net::new(4)
}

/// A network whose replica 1 has accepted the proposal of one ciphertext for slot 1, and nothing else.
fn accepted() -> (Net, Arc<Proposal>) {
    let mut net = net();
    let p = proposal(&net.cfg, 1, vec![sigma(1)]);
    net.give(1, 0, pre_prepare(&net.cfg, 0, &p));
    (net, p)
}

fn give_vote(net: &mut Net, kind: Kind, sender: u16, seq: u64, digest: Digest) {
    let msg = vote(&net.cfg, kind, sender, seq, digest);
    net.give(1, sender, msg);
}

/// Everything of this suite that makes a replica decide.
const ALL: &[fn()] = &[
    chain::x2_a_follower_takes_only_certified_blocks_with_their_own_ciphertexts,
    chain::an_inclusion_proof_convinces_and_a_bent_one_does_not,
    chain::a_light_follower_takes_a_header_from_f_plus_1_gateways_and_convicts_who_seals_two,
    chain::a_stored_proof_needs_seal_inclusion_and_void_list_of_one_block,
    chain::absence_is_proven_by_all_leaves_and_only_for_what_is_absent,
    checkpoints::s4_3_cp1_refuses_what_is_no_checkpoint_or_below_the_window,
    checkpoints::s4_3_cp2_counts_one_checkpoint_per_gateway_and_keeps_only_the_highest_far_one,
    checkpoints::s4_3_cp3_cp4_a_quorum_makes_a_state_stable_and_the_log_forgets,
    checkpoints::s4_3_a_checkpoint_stable_at_its_execution_does_not_let_the_block_be_proposed_again,
    checkpoints::s4_3_cp3_without_a_quorum_the_window_fills_and_nobody_goes_on,
    checkpoints::s4_3_cp4_a_state_that_is_not_the_stable_one_is_given_up_and_fetched,
    checkpoints::s4_3_cp5_f_plus_1_beyond_the_own_state_mean_that_it_is_behind,
    checkpoints::s4_3_a_stable_proof_is_kept_aside_while_the_own_state_is_about_to_come,
    checkpoints::s4_3_a_gateway_far_behind_gets_a_snapshot_then_the_older_blocks_from_those_who_keep_them,
    checkpoints::vc2_a_view_change_rests_on_a_proven_checkpoint_and_carries_only_what_lies_above,
    checkpoints::s4_3_equal_runs_with_checkpoints_end_in_equal_digests,
    evidence::eq_two_votes_or_proposals_for_one_slot,
    evidence::xp_a_prepare_for_one_digest_and_a_commit_for_another,
    evidence::pv_the_primary_prepares,
    evidence::ip_a_proposal_that_fails_for_everybody,
    evidence::what_is_refused_for_local_reasons_is_no_evidence,
    evidence::iv_a_view_change_or_new_view_that_refutes_itself,
    evidence::a_spoiled_pre_prepare_in_a_new_view_accuses_nobody,
    evidence::hp_a_commit_and_a_view_change_that_hides_it_in_either_order,
    evidence::eq_two_view_changes_for_one_view,
    evidence::eq_two_new_views_meet_through_a_vote_under_the_other_one,
    evidence::oj_a_vote_against_the_new_view_it_names,
    evidence::a_carried_block_does_not_convict_the_primary_that_had_to_carry_it,
    evidence::equal_content_under_different_signature_bytes_is_no_equivocation,
    evidence::evidence_framing_is_refused_by_ev1,
    evidence::evidence_of_another_network_convicts_nobody,
    evidence::ev1_takes_each_culprit_and_class_once_and_passes_nothing_on,
    evidence::an_honest_run_with_a_view_change_accuses_nobody,
    forensics::two_certificates_of_one_view_convict_their_common_signers_of_eq,
    forensics::commits_without_prepares_convict_all_who_gave_them_of_cw,
    forensics::votes_under_a_new_view_that_nobody_sent_are_uj,
    forensics::votes_against_the_new_view_they_name_are_oj,
    forensics::votes_under_an_invalid_new_view_are_oj_and_its_signer_is_iv,
    forensics::who_committed_and_hid_it_in_a_valid_new_view_is_hp_and_who_believed_it_is_not_named,
    forensics::who_prepared_one_block_and_committed_another_in_one_view_is_xp,
    forensics::forged_signatures_name_nobody,
    pool::each_contributor_has_its_places_whatever_another_stuffs_into_its_queue,
    pool::a_copy_deep_in_a_flooded_queue_does_not_hold_a_ciphertext_back,
    pool::rq4_limits_each_contributor_to_its_share_of_the_pool,
    pool::s3_4_only_what_is_active_goes_to_the_primary_or_is_relayed,
    pool::s3_4_who_left_its_view_alone_relays_what_it_is_given,
    pool::s4_1_what_is_known_or_finds_no_room_costs_no_verification,
    pool::tm4_rotation_hands_the_lead_on_after_its_blocks,
    proposals::s4_2_pp1_refuses_a_proposal_by_a_backup,
    proposals::s4_2_pp2_holds_a_newer_view_and_refuses_an_older_one,
    proposals::pp3_refuses_another_justification,
    proposals::s4_2_pp4_keeps_to_the_window,
    proposals::s4_2_pp5_rejects_second_digest,
    proposals::s4_4_pp6_refuses_to_propose_anew_for_a_carried_slot,
    proposals::s4_2_pp7_refuses_bad_headers,
    proposals::pp8_refuses_a_wrong_merkle_root,
    proposals::s4_6_pp9_refuses_a_time_far_from_ours,
    proposals::s4_6_pp10_names_the_invalid_ciphertext,
    proposals::pp11_refuses_a_ticket_used_twice_in_a_block_in_flight_or_stored,
    requests::s4_1_rq1_refuses_what_does_not_verify,
    requests::s4_1_rq2_refuses_what_is_stored_and_tells_double_use_apart,
    requests::s4_1_rq3_refuses_what_already_waits,
    requests::rq4_refuses_when_the_pool_is_full,
    requests::s4_1_ds1_refuses_a_forged_data_set,
    requests::ds2_refuses_a_data_set_larger_than_a_block_and_env1_other_items,
    requests::s4_1_ds3_drops_the_bad_item_and_keeps_the_rest,
    requests::s4_2_env1_refuses_a_prepare_played_again_as_commit,
    requests::s4_2_env3_refuses_a_signature_over_another_kind_view_slot_or_sender,
    requests::s4_2_env2_refuses_strangers_and_other_networks,
    runs::s4_4_a_prepared_block_survives_the_view_change,
    runs::s4_4_a_block_committed_at_one_gateway_only_survives,
    runs::s4_4_equivocation_ends_in_a_view_change_and_one_block,
    runs::s4_4_a_fetched_body_with_other_ciphertexts_is_refused_and_the_next_signer_asked,
    runs::s4_4_a_slot_nobody_prepared_becomes_null_and_its_ciphertext_comes_again,
    runs::s4_4_tm1_a_dead_primary_is_relayed_around_and_replaced,
    runs::s4_5_2_tm2_two_dead_primaries_in_a_row_and_longer_patience,
    runs::s4_5_2_vc5_f_plus_1_others_pull_a_gateway_along_and_f_do_not,
    runs::void_ciphertexts_are_reported_x3,
    safety::sf1_to_sf9_refuse_to_sign,
    safety::records_precede_what_they_protect,
    transfer::lost_votes_are_sent_again_on_status,
    transfer::a_lost_new_view_is_sent_again_on_status,
    transfer::st2_nobody_is_answered_faster_than_can_be_of_use,
    transfer::st1_what_is_not_held_is_not_answered_and_what_was_not_asked_is_not_taken,
    transfer::x2_blocks_without_their_certificate_or_with_other_ciphertexts_are_refused_and_others_asked,
    transfer::st1_a_snapshot_with_another_nullifier_is_refused_and_another_peer_asked,
    transfer::a_claim_to_be_far_ahead_is_given_up_when_nobody_can_show_it,
    transfer::idle_gateways_gossip_with_one_peer_after_the_other,
    transfer::x3_a_ciphertext_ordered_twice_is_void_the_second_time,
    transfer::floods_of_any_kind_leave_bounded_memory,
    transfer::held_proposals_are_bounded_in_bytes,
    view_changes::s4_4_a_valid_new_view_is_entered,
    view_changes::s4_4_vc1_refuses_view_0_and_repetitions,
    view_changes::s4_4_vc2_vc3_vc4_refuse_unproven_content,
    view_changes::s4_4_nv1_refuses_a_new_view_by_another_gateway,
    view_changes::s4_4_nv2_refuses_a_view_below_ours,
    view_changes::s4_4_nv3_nv4_demand_a_quorum_of_valid_view_changes,
    view_changes::s4_4_nv5_recomputes_the_selection,
    view_changes::s4_4_nv6_demands_the_primarys_signature_on_each_carried_slot,
    view_changes::s4_4_vc6_whoever_asks_for_a_later_view_has_left_the_earlier_ones,
    view_changes::s4_4_nobody_waits_for_the_slots_of_a_view_it_has_left,
    view_changes::st1_refuses_a_body_nobody_asked_for,
    votes::s4_2_pr1_refuses_a_prepare_by_the_primary,
    votes::s4_2_pr2_cm1_hold_votes_of_newer_views,
    votes::held_votes_are_bounded_and_only_the_newest_view_of_a_sender_is_kept,
    votes::pr3_cm2_refuse_another_justification,
    votes::s4_2_pr4_cm3_keep_to_the_window,
    votes::s4_2_pr5_cm4_count_one_vote_per_gateway,
    votes::s4_2_pd1_needs_matching_prepares_of_distinct_backups,
    votes::s4_2_votes_before_the_proposal_count_in_every_order,
    votes::s4_2_cl1_needs_q_commits_and_prepared,
    votes::s4_2_x1_executes_without_gaps,
];

/// CONSENSUS.md §2.7: every rule decides something somewhere in this suite, and every reason is given.
#[test]
fn every_rule_decides_and_every_reason_is_given() {
    ALL.iter().for_each(|test| test());
    let covered = covered();
    assert_eq!(covered.untried(), [], "rules that never decided");
    let given: BTreeSet<&str> = covered.refused().map(|(_, reason)| reason).collect();
    let silent: Vec<&str> = Reason::NAMES.iter().copied().filter(|name| !given.contains(name)).collect();
    assert_eq!(silent, [""; 0], "reasons that were never given");
}
