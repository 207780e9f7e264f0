//! §4.3 checkpoints, and what the low mark forgets.

use crate::support::*;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::{Micros, Seq};
use voltcast::pbft::certificate::StableProof;
use voltcast::pbft::message::Message;

/// K = 2, L = 4.
fn short() -> Net {
    Net::with(Arc::new(config_with(4, 2, 4)))
}

fn checkpoint(cfg: &Config, sender: u16, seq: u64, digest: Digest) -> Message {
    Message::Checkpoint(statement(cfg, Kind::Checkpoint, sender, 0, seq, digest, Digest::ZERO))
}

fn give_checkpoint(net: &mut Net, sender: u16, seq: u64, digest: Digest) {
    let msg = checkpoint(&net.cfg, sender, seq, digest);
    net.give(1, sender, msg);
}

fn proof(cfg: &Config, seq: u64, digest: Digest) -> StableProof {
    let sig = |who| statement(cfg, Kind::Checkpoint, who, 0, seq, digest, Digest::ZERO).sig;
    StableProof { seq: Seq(seq), state_digest: digest, sigs: [0, 2, 3].map(|who| (ReplicaId(who), sig(who))).to_vec() }
}

fn blocks(net: &mut Net, numbers: core::ops::Range<u32>) {
    for number in numbers {
        net.request(0, &sigma(number));
        net.run_ms(100);
    }
}

#[test]
pub fn s4_3_cp1_refuses_what_is_no_checkpoint_or_below_the_window() {
    let mut net = short();
    give_checkpoint(&mut net, 2, 3, Digest([1; 32]));
    assert!(net.rejected(1, Rule::Cp1, &Reason::NotCheckpoint));
    give_checkpoint(&mut net, 2, 0, Digest([1; 32]));
    assert!(net.rejected(1, Rule::Cp1, &Reason::BelowWindow));
    blocks(&mut net, 0..2);
    give_checkpoint(&mut net, 2, 2, Digest([1; 32]));
    assert!(net.rejected(1, Rule::Cp1, &Reason::BelowWindow));
}

/// A liar's signature over a view would spoil the proof of everybody who counts it.
#[test]
pub fn s4_3_env1_refuses_a_checkpoint_that_names_a_view_or_a_new_view() {
    let mut net = short();
    for (view, just) in [(1, Digest::ZERO), (0, Digest([1; 32]))] {
        let msg = Message::Checkpoint(statement(&net.cfg, Kind::Checkpoint, 2, view, 2, Digest([1; 32]), just));
        net.give(1, 2, msg);
        assert!(net.rejected(1, Rule::Env1, &Reason::Malformed), "view {view}");
    }
}

#[test]
pub fn s4_3_cp2_counts_one_checkpoint_per_gateway_and_keeps_only_the_highest_far_one() {
    let mut net = short();
    for seq in [2, 100] {
        give_checkpoint(&mut net, 2, seq, Digest([1; 32]));
        give_checkpoint(&mut net, 2, seq, Digest([1; 32]));
        assert!(net.rejected(1, Rule::Cp2, &Reason::DuplicateVote));
        give_checkpoint(&mut net, 2, seq, Digest([2; 32]));
        assert!(net.rejected(1, Rule::Cp2, &Reason::ConflictingVote));
    }
    for seq in 0..10_000 {
        give_checkpoint(&mut net, 3, 2 * seq, Digest([1; 32]));
        give_checkpoint(&mut net, 3, 20_000 - 2 * seq, Digest([3; 32]));
    }
    assert!(net.replicas[1].checkpoints().kept() <= 8, "books of the window and one far one of each");
}

#[test]
pub fn s4_3_cp3_cp4_a_quorum_makes_a_state_stable_and_the_log_forgets() {
    let mut net = short();
    blocks(&mut net, 0..7);
    net.assert_chain(7);
    assert!(net.fired(Rule::Cp3) && net.fired(Rule::Cp4));
    for r in &net.replicas {
        assert_eq!(r.low(), Seq(6));
        assert!(r.log().slots.keys().all(|seq| *seq > Seq(6)));
        assert!(r.certificate(Seq(1)).is_some(), "the chain keeps its certificates");
        assert!(r.checkpoints().kept() <= 2 && r.pending().is_empty());
    }
}

/// The primary executes the last block before a checkpoint whose proof it already has (swarm seed 53).
#[test]
pub fn s4_3_a_checkpoint_stable_at_its_execution_does_not_let_the_block_be_proposed_again() {
    let mut net = short();
    blocks(&mut net, 0..1);
    net.filter = Box::new(|_, to, m| (to != 0 || m.name() != "COMMIT").then(|| m.clone()));
    net.request(0, &sigma(1));
    net.run_ms(100);
    assert_eq!((net.replicas[0].executed(), net.replicas[1].executed()), (Seq(1), Seq(2)));
    let digest = net.replicas[0].accepted(Seq(2)).unwrap();
    for who in [1, 2] {
        let commit = vote(&net.cfg, Kind::Commit, who, 2, digest);
        net.give(0, who, commit);
    }
    assert_eq!((net.replicas[0].executed(), net.replicas[0].low()), (Seq(2), Seq(2)));
    assert_eq!(net.replicas[0].accepted(Seq(3)), None);
    assert!(net.replicas[0].pending().is_empty());
}

#[test]
pub fn s4_3_cp3_without_a_quorum_the_window_fills_and_nobody_goes_on() {
    let mut net = short();
    net.filter = Box::new(|_, _, m| (m.name() != "CHECKPOINT").then(|| m.clone()));
    blocks(&mut net, 0..8);
    assert!(net.replicas.iter().all(|r| r.executed() == Seq(4) && r.low() == Seq(0)));
    assert!(net.replicas[0].pending().iter().any(|p| p.to_string().contains("the window is full")));
    net.filter = Box::new(|_, _, m| Some(m.clone()));
    net.run_ms(5_000);
    let heads = net.heads();
    assert!(heads.iter().all(|h| *h == heads[0] && h.0 >= Seq(5)), "said again on STATUS: {heads:?}");
}

#[test]
pub fn s4_3_cp4_a_state_that_is_not_the_stable_one_is_given_up_and_fetched() {
    let mut net = short();
    net.filter = Box::new(|_, _, m| (m.name() != "CHECKPOINT").then(|| m.clone()));
    blocks(&mut net, 0..2);
    [0, 2, 3].into_iter().for_each(|who| give_checkpoint(&mut net, who, 2, Digest([7; 32])));
    assert!(net.rejected(1, Rule::Cp4, &Reason::Diverged));
    let r = &net.replicas[1];
    assert_eq!((r.executed(), r.low()), (Seq(0), Seq(2)), "back to the state before, and behind");
    assert!(r.pending().iter().any(|p| matches!(p, Pending::Diverged { stable: Seq(2) })));
    assert_eq!(net.count("FETCH"), 1, "a snapshot is asked for at once");
    net.request(0, &sigma(7));
    net.run_ms(100);
    let voted = |t: &Traced| t.who == 1 && matches!(t.about, About::Vote { seq: Seq(3), from: ReplicaId(1), .. });
    assert!(!net.traces.iter().any(voted), "no vote on a state it does not have");
    assert_eq!(net.last(1, Rule::Pp12).unwrap().outcome, Outcome::Hold(Reason::NotCaughtUp));
}

#[test]
pub fn s4_3_cp5_f_plus_1_beyond_the_own_state_mean_that_it_is_behind() {
    let mut net = short();
    net.dead = vec![3];
    blocks(&mut net, 0..7);
    net.dead = vec![];
    let digest = net.replicas[0].chain().state_digest();
    for who in [0, 1] {
        let msg = checkpoint(&net.cfg, who, 100, digest);
        assert!(net.replicas[3].executed() == Seq(0) && !net.traces.iter().any(|t| t.who == 3 && t.rule == Rule::Cp5));
        net.give(3, who, msg);
    }
    assert_eq!(net.last(3, Rule::Cp5).unwrap().about, About::State { seq: Seq(100), digest });
    net.run_ms(2_000);
    assert_eq!(net.replicas[3].executed(), Seq(7));
    assert_eq!(net.replicas[3].low(), Seq(6), "the proof came in answer to its STATUS");
    assert!(net.traces.iter().any(|t| t.who == 3 && t.rule == Rule::X2 && t.outcome == Outcome::Accept));
}

#[test]
pub fn s4_3_a_stable_proof_is_kept_aside_while_the_own_state_is_about_to_come() {
    let mut net = short();
    let cfg = net.cfg.clone();
    net.give(1, 0, Message::Stable(Arc::new(proof(&cfg, 2, Digest([7; 32])))));
    assert_eq!(net.last(1, Rule::St1).unwrap().outcome, Outcome::Accept);
    assert_eq!(net.replicas[1].low(), Seq(0));
    assert_eq!(net.count("FETCH"), 0, "a moment of grace");
    net.run_ms(200);
    assert_eq!(net.replicas[1].low(), Seq(2));
    assert!(net.count("FETCH") > 0);
    let mut forged = proof(&cfg, 4, Digest([7; 32]));
    forged.sigs.pop();
    net.give(1, 0, Message::Stable(Arc::new(forged)));
    assert!(net.rejected(1, Rule::St1, &Reason::BadCertificate));
    net.give(1, 0, Message::Stable(Arc::new(proof(&cfg, 2, Digest([7; 32])))));
    assert!(net.rejected(1, Rule::St1, &Reason::BelowWindow));
}

#[test]
pub fn s4_3_a_gateway_far_behind_gets_a_snapshot_then_the_older_blocks_from_those_who_keep_them() {
    for retain in [None, Some(1)] {
        let mut net = Net::with(Arc::new(Config { retain, ..config_with(4, 2, 4) }));
        net.dead = vec![3];
        blocks(&mut net, 0..9);
        net.dead = vec![];
        net.request(3, &sigma(20));
        net.run_ms(5_000);
        net.assert_chain(10);
        let base = net.replicas[3].chain().base();
        if retain.is_some() {
            assert!(base >= Seq(8), "blocks are dropped with the low mark: {base:?}");
            assert!(net.count("SNAPSHOT") > 0);
            assert_eq!(net.replicas[0].chain().find(&sigma(0).id), None);
        } else {
            assert_eq!(base, Seq(0));
        }
        assert!(net.replicas.iter().all(|r| r.pending().is_empty()));
        assert_eq!(net.replicas[3].chain().verify(base.0..=10), Ok(()));
    }
}

#[test]
pub fn vc2_a_view_change_rests_on_a_proven_checkpoint_and_carries_only_what_lies_above() {
    let mut net = short();
    blocks(&mut net, 0..7);
    net.dead = vec![0];
    net.request(2, &sigma(50));
    net.run_ms(10_000);
    net.assert_chain(8);
    let nv = net.replicas[2].entered_by().unwrap();
    assert_eq!(nv.signed.statement.seq, Seq(6), "min_s");
    assert!(nv.v_set.iter().all(|vc| vc.stable.seq == Seq(6) && vc.stable.sigs.len() == 3));
    assert_eq!(nv.o.iter().map(|fixed| fixed.seq).collect::<Vec<_>>(), [Seq(7)]);
}

#[test]
pub fn s4_3_equal_runs_with_checkpoints_end_in_equal_digests() {
    let digests = || {
        let mut net = short();
        blocks(&mut net, 0..5);
        net.replicas.iter().map(|r| r.digest()).collect::<Vec<_>>()
    };
    assert_eq!(digests(), digests());
    assert_eq!(short().now, Micros(0));
}
