//! Whole runs with faults.

use crate::support::*;
use crate::view_changes::*;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::proposal::null_digest;
use voltcast::ledger::{Seq, VoidReason};
use voltcast::pbft::certificate::CommitCertificate;
use voltcast::pbft::message::{Message, Publish};

/// COMMITs of view 0 are lost, then the primary dies: the block is prepared everywhere, committed nowhere.
pub fn prepared_then_primary_dies() -> Net {
    let mut net = net();
    net.filter = Box::new(|_, _, m| match &**m {
        Message::Commit(s) if s.statement.view == View(0) => None,
        _ => Some(m.clone()),
    });
    net.request(1, &sigma(1));
    net.run_ms(500);
    assert!(net.replicas.iter().all(|r| r.executed() == Seq(0)));
    net.dead = vec![0];
    net.run_ms(10_000);
    net
}

/// `just` of view 1, from a certificate of that view.
pub fn carried_just(net: &Net) -> Digest {
    net.replicas[2].certificate(Seq(1)).unwrap().just
}

#[test]
pub fn s4_4_a_prepared_block_survives_the_view_change() {
    let net = prepared_then_primary_dies();
    net.assert_chain(1);
    let cert = net.replicas[1].certificate(Seq(1)).unwrap();
    assert_eq!(cert.view, View(1));
    let proposal = proposal(&net.cfg, 1, vec![sigma(1)]).digest();
    assert_eq!(cert.digest, proposal, "the very proposal of the dead primary");
    assert!(cert.valid(&net.cfg, &mut StubVerifier));
    assert_eq!(net.last(2, Rule::Nv6).unwrap().about, About::Entered { view: View(1), carried: 1 });
    assert_eq!(net.count("FETCH"), 0, "everybody had the body");
}

#[test]
pub fn s4_4_a_block_committed_at_one_gateway_only_survives() {
    let mut net = net();
    net.filter = Box::new(|_, to, m| match &**m {
        Message::Commit(s) if s.statement.view == View(0) && to != 3 => None,
        // Without this the others would simply fetch it.
        Message::Blocks(_) => None,
        _ => Some(m.clone()),
    });
    net.request(1, &sigma(1));
    net.run_ms(500);
    assert_eq!(net.heads().iter().map(|h| h.0.0).collect::<Vec<_>>(), [0, 0, 0, 1]);
    net.dead = vec![0];
    net.run_ms(10_000);
    net.assert_chain(1);
    assert!(net.traces.iter().any(|t| t.who == 3 && t.rule == Rule::X4 && t.outcome == Outcome::Accept));
}

/// CSS 1 proposes to gateways 2 and 3 another order of the same two ciphertexts than to gateway 1.
fn equivocating(net: &mut Net) {
    let cfg = net.cfg.clone();
    net.filter = Box::new(move |from, to, m| match &**m {
        Message::PrePrepare(_, p) if from == 0 && to != 1 => {
            let txs = p.txs.iter().rev().cloned().collect();
            Some(Arc::new(pre_prepare(&cfg, 0, &proposal(&cfg, p.header.seq.0, txs))))
        }
        _ => Some(m.clone()),
    });
    net.request(0, &sigma(1));
    net.request(0, &sigma(2));
}

#[test]
pub fn s4_4_equivocation_ends_in_a_view_change_and_one_block() {
    let mut net = net();
    equivocating(&mut net);
    net.run_ms(1_000);
    assert!(net.replicas.iter().all(|r| r.executed() == Seq(0)), "no quorum for either");
    net.run_ms(20_000);
    let heights = net.heads();
    assert!(heights[1..].iter().all(|h| *h == heights[1] && h.0 >= Seq(1)), "{heights:?}");
    assert_eq!(net.conflicts, 0);
    assert!(net.replicas[1..].iter().all(|r| r.level().view >= View(1)));
    let block = net.replicas[1].chain().block(Seq(1)).unwrap().proposal.clone().unwrap();
    assert_eq!(block.txs[0].id, sigma(2).id, "what gateways 2 and 3 had prepared was carried over");
    let held = net.traces.iter().find(|t| t.who == 1 && t.rule == Rule::Nv7).expect("gateway 1 lacked the body");
    assert_eq!(held.outcome, Outcome::Hold(Reason::BodyMissing));
    assert_eq!(net.last(1, Rule::St1).unwrap().outcome, Outcome::Accept);
    let named: Vec<_> = net.evidence.iter().map(|(_, evidence)| (evidence.accused(), evidence.class())).collect();
    assert!(named.len() >= 3, "the two proposals met in the view changes");
    assert!(named.iter().all(|name| *name == (ReplicaId(0), Class::Equivocation)), "{named:?}");
}

#[test]
pub fn s4_4_a_fetched_body_with_other_ciphertexts_is_refused_and_the_next_signer_asked() {
    let mut net = net();
    equivocating(&mut net);
    let bend = std::mem::replace(&mut net.filter, Box::new(|_, _, m| Some(m.clone())));
    let cheat = std::cell::Cell::new(true);
    net.filter = Box::new(move |from, to, m| match &**m {
        Message::Body(p) if to == 1 && cheat.replace(false) => {
            let header = p.header.clone();
            Some(Arc::new(Message::Body(Arc::new(Proposal::new(header, vec![sigma(7), sigma(8)])))))
        }
        _ => bend(from, to, m),
    });
    net.run_ms(20_000);
    assert!(net.traces.iter().any(|t| t.who == 1 && t.outcome == Outcome::Reject(Reason::BadRoot)));
    assert!(net.replicas[1].executed() >= Seq(1));
    assert!(net.count("FETCH") >= 2);
}

#[test]
pub fn s4_4_a_slot_nobody_prepared_becomes_null_and_its_ciphertext_comes_again() {
    let mut net = net();
    net.filter = Box::new(|_, _, m| match &**m {
        Message::PrePrepare(s, _) if s.statement.view == View(0) && s.statement.seq == Seq(1) => None,
        Message::Commit(s) if s.statement.view == View(0) => None,
        _ => Some(m.clone()),
    });
    net.request(0, &sigma(1));
    net.run_ms(50);
    net.request(0, &sigma(2));
    net.run_ms(20_000);
    net.assert_chain(3);
    let chain = net.replicas[3].chain();
    assert_eq!(chain.header(Seq(1)).unwrap().proposal, null_digest());
    assert_eq!(chain.find(&sigma(2).id).unwrap().height, Seq(2));
    assert_eq!(chain.find(&sigma(1).id).unwrap().height, Seq(3));
}

#[test]
pub fn s4_4_tm1_a_dead_primary_is_relayed_around_and_replaced() {
    let mut net = net();
    net.dead = vec![0];
    net.request(3, &sigma(1));
    net.run_ms(999);
    assert_eq!(net.count("DATASET"), 1, "to the primary");
    net.run_ms(200);
    assert_eq!(net.count("DATASET"), 1 + 3 + 2, "relayed to all, who each tell the primary");
    assert!(!net.fired(Rule::Tm1));
    net.run_ms(9_000);
    assert!(net.fired(Rule::Tm1) && net.fired(Rule::Vc6) && net.fired(Rule::Tm3));
    net.assert_chain(1);
    assert!(net.replicas[1..].iter().all(|r| r.pending().is_empty()));
}

#[test]
pub fn s4_5_2_tm2_two_dead_primaries_in_a_row_and_longer_patience() {
    let mut net = Net::new(7);
    net.dead = vec![0, 1];
    net.request(2, &sigma(1));
    net.run_ms(20_000);
    net.assert_chain(1);
    assert!(net.fired(Rule::Tm2));
    assert!(net.replicas[2..].iter().all(|r| r.level().view == View(2)));
}

#[test]
pub fn s4_5_2_vc5_f_plus_1_others_pull_a_gateway_along_and_f_do_not() {
    let mut net = net();
    let vc = |net: &Net, sender, target| Message::ViewChange(Arc::new(view_change(&net.cfg, sender, target, vec![])));
    let (a, b) = (vc(&net, 2, 3), vc(&net, 3, 2));
    net.give(1, 2, a);
    assert_eq!(net.replicas[1].level().view, View(0), "one may be a liar");
    net.give(1, 3, b);
    assert!(net.fired(Rule::Vc5));
    assert_eq!(net.replicas[1].level().view, View(2), "the smallest of their targets");
}

#[test]
pub fn void_ciphertexts_are_reported_x3() {
    let mut net = net();
    let txs = vec![sigma(1)];
    for (seq, p) in [(1, proposal(&net.cfg, 1, txs.clone())), (2, proposal(&net.cfg, 2, txs))] {
        // Slot 2 comes as a carried slot would: certified without PP-11.
        let commits = (0..3).map(|w| commit_sig(&net.cfg, w, seq, p.digest())).collect();
        let cert = CommitCertificate { view: View(0), seq: Seq(seq), digest: p.digest(), just: Digest::ZERO, commits };
        let block = Arc::new(net.follower.chain().preview(Some(&p)));
        let mut out = vec![];
        let publish = Publish { block, cert: Arc::new(cert) };
        net.follower.on_publish(&publish, &mut Io { verify: &mut StubVerifier, out: &mut out });
        assert!(out.iter().any(|o| matches!(o, Output::Execute { .. })));
    }
    assert_eq!(net.follower.chain().block(Seq(2)).unwrap().voids, vec![(0, VoidReason::Duplicate)]);
}
