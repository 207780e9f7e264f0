//! §4.4 VIEW-CHANGE and NEW-VIEW.

use crate::support::*;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::Seq;
use voltcast::ledger::proposal::null_digest;
use voltcast::pbft::certificate::Prepared;
use voltcast::pbft::message::{Message, NewView, ViewChange};

pub use crate::support::scripts::*;

fn vcs(cfg: &Config, p: &[Prepared]) -> Vec<ViewChange> {
    (1..4).map(|s| view_change(cfg, s, 1, p.to_vec())).collect()
}

fn gives_new_view(nv: NewView, rule: Rule, reason: Reason) {
    let mut net = net();
    let before = net.replicas[2].digest();
    net.give(2, 1, Message::NewView(Arc::new(nv)));
    assert!(net.rejected(2, rule, &reason), "{:?}", net.traces);
    assert_eq!(net.replicas[2].digest(), before);
}

#[test]
pub fn s4_4_a_valid_new_view_is_entered() {
    let mut net = net();
    let d = Digest([4; 32]);
    let nv = new_view(&net.cfg, vcs(&net.cfg, &[prepared(&net.cfg, 2, d)]), &[(1, null_digest()), (2, d)]);
    net.give(2, 1, Message::NewView(Arc::new(nv.clone())));
    assert_eq!(net.replicas[2].level().view, View(1));
    assert_eq!(net.last(2, Rule::Nv7).unwrap().outcome, Outcome::Hold(Reason::BodyMissing));
    net.give(2, 1, Message::NewView(Arc::new(nv)));
    assert!(net.rejected(2, Rule::Nv2, &Reason::Duplicate));
}

#[test]
pub fn s4_4_vc1_refuses_view_0_and_repetitions() {
    let mut net = net();
    let give = |net: &mut Net, target| {
        let vc = view_change(&net.cfg, 2, target, vec![]);
        net.give(1, 2, Message::ViewChange(Arc::new(vc)));
    };
    give(&mut net, 0);
    assert!(net.rejected(1, Rule::Vc1, &Reason::StaleView));
    give(&mut net, 2);
    give(&mut net, 2);
    assert!(net.rejected(1, Rule::Vc1, &Reason::DuplicateVote));
    give(&mut net, 1);
    assert!(net.rejected(1, Rule::Vc1, &Reason::DuplicateVote), "never back");
}

#[test]
pub fn s4_4_vc2_vc3_vc4_refuse_unproven_content() {
    let cfg = config(4);
    let d = Digest([4; 32]);
    let mut unstable = view_change(&cfg, 2, 1, vec![]);
    unstable.stable.state_digest = d;
    let digest = ViewChange::content_digest(&unstable.stable, &[]);
    unstable.signed = statement(&cfg, Kind::ViewChange, 2, 1, 0, digest, Digest::ZERO);
    let twice = view_change(&cfg, 2, 1, vec![prepared(&cfg, 1, d), prepared(&cfg, 1, d)]);
    let at_genesis = view_change(&cfg, 2, 1, vec![prepared(&cfg, 0, d)]);
    let mut later = prepared(&cfg, 1, d);
    later.view = View(1);
    let forged = |change: fn(&mut Prepared)| {
        let mut cert = prepared(&cfg, 1, d);
        change(&mut cert);
        view_change(&cfg, 2, 1, vec![cert])
    };
    let bad = [
        (unstable, Rule::Vc2, Reason::BadCheckpointProof),
        (twice, Rule::Vc3, Reason::BadPreparedSet),
        (at_genesis, Rule::Vc3, Reason::BadPreparedSet),
        (view_change(&cfg, 2, 1, vec![later]), Rule::Vc3, Reason::BadPreparedSet),
        (forged(|c| c.prepares[0].1.0[0] ^= 1), Rule::Vc4, Reason::BadCertificate),
        (forged(|c| c.pp_sig.0[0] ^= 1), Rule::Vc4, Reason::BadCertificate),
        (forged(|c| c.prepares.truncate(1)), Rule::Vc4, Reason::BadCertificate),
        (forged(|c| c.prepares[1] = c.prepares[0]), Rule::Vc4, Reason::BadCertificate),
        (forged(|c| c.prepares[0].0 = ReplicaId(0)), Rule::Vc4, Reason::BadCertificate),
        (forged(|c| c.just = Digest([1; 32])), Rule::Vc4, Reason::BadCertificate),
    ];
    for (vc, rule, reason) in bad {
        let mut net = net();
        // Some of these have no encoding, so the evidence against them cannot travel either.
        net.filter = Box::new(|_, _, _| None);
        net.give(1, 2, Message::ViewChange(Arc::new(vc)));
        assert!(net.rejected(1, rule, &reason), "{rule:?} {:?}", net.traces);
    }
}

#[test]
pub fn s4_4_nv1_refuses_a_new_view_by_another_gateway() {
    let mut net = net();
    let mut nv = new_view(&net.cfg, vcs(&net.cfg, &[]), &[]);
    nv.signed = statement(&net.cfg, Kind::NewView, 3, 1, 0, nv.just(), Digest::ZERO);
    net.give(2, 3, Message::NewView(Arc::new(nv)));
    assert!(net.rejected(2, Rule::Nv1, &Reason::NotPrimary));
}

#[test]
pub fn s4_4_nv2_refuses_a_view_below_ours() {
    let mut net = Net::new(7);
    net.dead = vec![0, 1];
    net.request(2, &sigma(1));
    net.run_ms(20_000);
    let v_set = (1..6).map(|s| view_change(&net.cfg, s, 1, vec![])).collect();
    let nv = new_view(&net.cfg, v_set, &[]);
    net.give(2, 1, Message::NewView(Arc::new(nv)));
    assert!(net.rejected(2, Rule::Nv2, &Reason::StaleView));
}

#[test]
pub fn s4_4_nv3_nv4_demand_a_quorum_of_valid_view_changes() {
    let cfg = config(4);
    let short = vcs(&cfg, &[])[..2].to_vec();
    gives_new_view(new_view(&cfg, short, &[]), Rule::Nv3, Reason::ShortQuorum);
    let mut twice = vcs(&cfg, &[]);
    twice[1] = twice[0].clone();
    gives_new_view(new_view(&cfg, twice, &[]), Rule::Nv3, Reason::BadViewChangeSet);
    let mut other = vcs(&cfg, &[]);
    other[2] = view_change(&cfg, 3, 2, vec![]);
    gives_new_view(new_view(&cfg, other, &[]), Rule::Nv3, Reason::BadViewChangeSet);
    let mut forged = vcs(&cfg, &[]);
    forged[2].signed.sig.0[0] ^= 1;
    gives_new_view(new_view(&cfg, forged, &[]), Rule::Nv4, Reason::BadViewChangeSet);
    let mut bent = vcs(&cfg, &[]);
    bent[0].p = vec![Arc::new(prepared(&cfg, 1, Digest([4; 32])))];
    gives_new_view(new_view(&cfg, bent, &[(1, Digest([4; 32]))]), Rule::Nv4, Reason::BadViewChangeSet);
}

#[test]
pub fn s4_4_nv5_recomputes_the_selection() {
    let cfg = config(4);
    let d = Digest([4; 32]);
    let p = [prepared(&cfg, 2, d)];
    let null = null_digest();
    let wrong: [(&[(u64, Digest)], u64); 5] = [
        (&[], 1),
        (&[(1, null)], 2),
        (&[(1, d), (2, d)], 1),
        (&[(1, null), (2, null)], 2),
        (&[(1, null), (2, d), (3, null)], 3),
    ];
    for (o, seq) in wrong {
        gives_new_view(new_view(&cfg, vcs(&cfg, &p), o), Rule::Nv5, Reason::WrongSelection(Seq(seq)));
    }
}

#[test]
pub fn s4_4_nv6_demands_the_primarys_signature_on_each_carried_slot() {
    let cfg = config(4);
    let d = Digest([4; 32]);
    let mut nv = new_view(&cfg, vcs(&cfg, &[prepared(&cfg, 1, d)]), &[(1, d)]);
    nv.o[0].pp_sig.0[0] ^= 1;
    gives_new_view(nv, Rule::Nv6, Reason::BadSignature);
}

#[test]
pub fn st1_refuses_a_body_nobody_asked_for() {
    let mut net = net();
    let p = proposal(&net.cfg, 1, vec![sigma(1)]);
    net.give(1, 2, Message::Body(p));
    assert!(net.rejected(1, Rule::St1, &Reason::Unasked));
}

/// The primary of view 1 is dead, and one gateway went on to view 2 while its VIEW-CHANGE for view 1 was lost (swarm seed
/// 3859): those who ask for view 1 must not wait for it forever.
#[test]
pub fn s4_4_vc6_whoever_asks_for_a_later_view_has_left_the_earlier_ones() {
    let mut net = net();
    net.dead = vec![1];
    net.filter = Box::new(|_, _, _| None);
    for (sender, target) in [(3, 1), (0, 2)] {
        let vc = view_change(&net.cfg, sender, target, vec![]);
        net.give(2, sender, Message::ViewChange(Arc::new(vc)));
    }
    assert_eq!(net.replicas[2].level().view, View(1));
    assert!(net.fired(Rule::Vc6));
    net.run_ms(60_000);
    assert!(net.fired(Rule::Tm2) && net.replicas[2].level().view == View(2), "{:?}", net.replicas[2].level());
}

#[test]
pub fn s4_4_nobody_waits_for_the_slots_of_a_view_it_has_left() {
    let (mut net, p) = accepted();
    let open = |net: &Net| net.replicas[1].pending().iter().any(|why| matches!(why, Pending::Slot { .. }));
    assert!(open(&net) && net.replicas[1].accepted(Seq(1)) == Some(p.digest()));
    for sender in [2, 3] {
        let vc = view_change(&net.cfg, sender, 2, vec![]);
        net.give(1, sender, Message::ViewChange(Arc::new(vc)));
    }
    assert!(net.replicas[1].level().changing && !open(&net));
}
