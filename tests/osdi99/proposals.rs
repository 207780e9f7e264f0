//! §4.2 pre-prepares.

use crate::runs::*;
use crate::support::*;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::proposal::null_digest;
use voltcast::ledger::{Secs, Seq};
use voltcast::pbft::message::Message;

fn refused_proposal(sender: u16, p: &Arc<Proposal>, rule: Rule, reason: Reason) {
    let mut net = net();
    let before = net.replicas[1].digest();
    net.give(1, sender, pre_prepare(&net.cfg, sender, p));
    assert!(net.rejected(1, rule, &reason), "{:?}", net.traces);
    assert_eq!(net.count("PREPARE"), 0);
    assert_eq!(net.replicas[1].digest(), before, "a refused proposal leaves no trace");
}

#[test]
pub fn s4_2_pp1_refuses_a_proposal_by_a_backup() {
    refused_proposal(2, &proposal(&config(4), 1, vec![sigma(1)]), Rule::Pp1, Reason::NotPrimary);
}

#[test]
pub fn s4_2_pp2_holds_a_newer_view_and_refuses_an_older_one() {
    let mut net = net();
    let p = proposal(&net.cfg, 1, vec![sigma(1)]);
    let newer = statement(&net.cfg, Kind::PrePrepare, 1, 1, 1, p.digest(), Digest([5; 32]));
    net.give(2, 1, Message::PrePrepare(newer, p.clone()));
    assert_eq!(net.last(2, Rule::Pp2).unwrap().outcome, Outcome::Hold(Reason::NewerView));
    assert_eq!(net.replicas[2].accepted(Seq(1)), None, "what is held never touches a slot");

    let mut net = Net::new(4);
    net.dead = vec![0];
    net.request(1, &sigma(1));
    net.run_ms(5_000);
    net.give(1, 0, pre_prepare(&net.cfg, 0, &p));
    assert!(net.rejected(1, Rule::Pp2, &Reason::StaleView));
}

#[test]
pub fn pp3_refuses_another_justification() {
    let mut net = net();
    let p = proposal(&net.cfg, 1, vec![sigma(1)]);
    let signed = statement(&net.cfg, Kind::PrePrepare, 0, 0, 1, p.digest(), Digest([5; 32]));
    net.give(1, 0, Message::PrePrepare(signed, p));
    assert!(net.rejected(1, Rule::Pp3, &Reason::OtherJustification));
}

#[test]
pub fn s4_2_pp4_keeps_to_the_window() {
    for (seq, outcome) in [
        (0, Outcome::Reject(Reason::BelowWindow)),
        (32, Outcome::Accept),
        (33, Outcome::Hold(Reason::AboveWindow)),
        (64, Outcome::Hold(Reason::AboveWindow)),
        (65, Outcome::Reject(Reason::AboveWindow)),
        (u64::MAX, Outcome::Reject(Reason::AboveWindow)),
    ] {
        let mut net = net();
        net.give(1, 0, pre_prepare(&net.cfg, 0, &proposal(&net.cfg, seq, vec![sigma(1)])));
        let rule = if outcome == Outcome::Accept { Rule::Pp11 } else { Rule::Pp4 };
        assert_eq!(net.last(1, rule).map(|t| &t.outcome), Some(&outcome), "slot {seq}");
    }
}

#[test]
pub fn s4_2_pp5_rejects_second_digest() {
    let (mut net, p) = accepted();
    net.give(1, 0, pre_prepare(&net.cfg, 0, &proposal(&net.cfg, 1, vec![sigma(2)])));
    assert!(net.rejected(1, Rule::Pp5, &Reason::ConflictingProposal));
    assert_eq!(net.replicas[1].accepted(Seq(1)), Some(p.digest()));
    net.give(1, 0, pre_prepare(&net.cfg, 0, &p));
    assert!(net.rejected(1, Rule::Pp5, &Reason::DuplicateVote));
    assert_eq!(net.count("PREPARE"), 3, "one prepare to each other gateway");
}

#[test]
pub fn s4_4_pp6_refuses_to_propose_anew_for_a_carried_slot() {
    let mut net = prepared_then_primary_dies();
    let nv_just = carried_just(&net);
    let p = proposal(&net.cfg, 1, vec![sigma(9)]);
    let signed = statement(&net.cfg, Kind::PrePrepare, 1, 1, 1, p.digest(), nv_just);
    net.give(2, 1, Message::PrePrepare(signed, p));
    assert!(net.rejected(2, Rule::Pp6, &Reason::SlotFixedByNewView));
}

#[test]
pub fn s4_2_pp7_refuses_bad_headers() {
    let cfg = config(4);
    refused_proposal(0, &proposal(&cfg, 1, vec![]), Rule::Pp7, Reason::EmptyProposal);
    let change = |f: fn(&mut Proposal)| {
        let mut p = (*proposal(&cfg, 1, vec![sigma(1)])).clone();
        f(&mut p);
        Arc::new(p)
    };
    refused_proposal(0, &change(|p| p.header.version = 2), Rule::Pp7, Reason::BadHeader);
    refused_proposal(0, &change(|p| p.header.network_id = Digest([3; 32])), Rule::Pp7, Reason::BadHeader);
    refused_proposal(0, &proposal(&cfg, 1, (0..65).map(sigma).collect()), Rule::Pp7, Reason::BadHeader);

    let mut net = net();
    let p = proposal(&net.cfg, 1, vec![sigma(1)]);
    let signed = statement(&net.cfg, Kind::PrePrepare, 0, 0, 1, Digest([8; 32]), Digest::ZERO);
    net.give(1, 0, Message::PrePrepare(signed, p.clone()));
    assert!(net.rejected(1, Rule::Pp7, &Reason::DigestMismatch));
    let null = statement(&net.cfg, Kind::PrePrepare, 0, 0, 1, null_digest(), Digest::ZERO);
    net.give(1, 0, Message::PrePrepare(null, p));
    assert!(net.rejected(1, Rule::Pp7, &Reason::EmptyProposal));
}

#[test]
pub fn pp8_refuses_a_wrong_merkle_root() {
    let mut p = (*proposal(&config(4), 1, vec![sigma(1), sigma(2)])).clone();
    p.header.tx_root = Digest([1; 32]);
    refused_proposal(0, &Arc::new(p.clone()), Rule::Pp8, Reason::BadRoot);
    let mut swapped = (*proposal(&config(4), 1, vec![sigma(1), sigma(2)])).clone();
    swapped.txs.swap(0, 1);
    refused_proposal(0, &Arc::new(swapped), Rule::Pp8, Reason::BadRoot);
}

#[test]
pub fn s4_6_pp9_refuses_a_time_far_from_ours() {
    for (time, ok) in [(START.0 - 6, false), (START.0 - 5, true), (START.0 + 5, true), (START.0 + 6, false)] {
        let cfg = config(4);
        let p = Arc::new(Proposal::build(cfg.network_id, Seq(1), Secs(time), vec![sigma(1)]));
        if ok {
            let mut net = net();
            net.give(1, 0, pre_prepare(&cfg, 0, &p));
            assert_eq!(net.replicas[1].accepted(Seq(1)), Some(p.digest()));
        } else {
            refused_proposal(0, &p, Rule::Pp9, Reason::BadTime);
        }
    }
}

#[test]
pub fn s4_6_pp10_names_the_invalid_ciphertext() {
    let p = proposal(&config(4), 1, vec![sigma(1), sigma_with(2, 2, false)]);
    refused_proposal(0, &p, Rule::Pp10, Reason::InvalidCiphertext(1, VerifyError("Signature".into())));
}

#[test]
pub fn pp11_refuses_a_ticket_used_twice_in_a_block_in_flight_or_stored() {
    let twice = proposal(&config(4), 1, vec![sigma(1), sigma_with(2, 1, true)]);
    refused_proposal(0, &twice, Rule::Pp11, Reason::NullifierReused(1));
    let (mut net, _) = accepted();
    net.give(1, 0, pre_prepare(&net.cfg, 0, &proposal(&net.cfg, 2, vec![sigma_with(2, 1, true)])));
    assert!(net.rejected(1, Rule::Pp11, &Reason::NullifierReused(0)));
    let mut net = Net::new(4);
    net.request(0, &sigma(1));
    net.run_ms(100);
    net.give(1, 0, pre_prepare(&net.cfg, 0, &proposal(&net.cfg, 2, vec![sigma(1)])));
    assert!(net.rejected(1, Rule::Pp11, &Reason::NullifierReused(0)));
}
