//! Coming back after a crash (CONSENSUS.md §3.11, §7 item 10).

use crate::support::*;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::{Micros, Seq};

fn quiet() -> Arc<Config> {
    Arc::new(config_with(4, 2, 4))
}

/// Three blocks; `torn` crashes before one of its outputs and comes back a little later. Clients ask again.
fn three_blocks(torn: u16, at: Option<u64>) -> Net {
    let mut net = Net::with(quiet());
    net.tear = at.map(|at| (torn, at));
    let home = if torn == 1 { 2 } else { 1 };
    for number in 0..3 {
        net.request(home, &sigma(number));
        net.run_ms(150);
    }
    for _ in 0..2 {
        if net.dead.contains(&torn) {
            remembers_what_it_said(&net, torn);
            net.restart(torn);
        }
        for who in 0..4 {
            (0..3).for_each(|number| net.request(who, &sigma(number)));
        }
        net.run_ms(20_000);
    }
    if net.dead.contains(&torn) {
        net.restart(torn);
        net.run_ms(1_000);
    }
    net
}

/// SI-14: every vote that left a gateway is in its store, unless a later view or a stable state has replaced it.
fn remembers_what_it_said(net: &Net, who: u16) {
    let durable = &net.durable[usize::from(who)];
    let low = durable.stable.as_ref().map_or(Seq(0), |proof| proof.seq);
    for ((_, kind, view, seq), (digest, _)) in net.said.iter().filter(|(key, _)| key.0 == who) {
        if (kind.is_vote() || *kind == Kind::Checkpoint) && Seq(*seq) > low {
            let (of, stored, _) = durable.votes[&(*kind, Seq(*seq))];
            assert!(of > View(*view) || (of, stored) == (View(*view), *digest), "{kind:?} {view} {seq}");
        }
    }
}

#[test]
pub fn a_crash_at_every_output_of_three_blocks_forgets_nothing() {
    for torn in 0..4 {
        let whole = three_blocks(torn, None);
        whole.assert_chain(3);
        let reference = whole.heads()[0];
        for at in 0..whole.outputs[usize::from(torn)] {
            let net = three_blocks(torn, Some(at));
            let heads = net.heads();
            assert_eq!(heads.len(), 4);
            assert!(heads.iter().all(|head| *head == heads[0]), "gateway {torn}, output {at}: {heads:?}");
            assert_eq!(net.conflicts, 0);
            let chain = net.replicas[3].chain();
            assert!((0..3).all(|number| chain.find(&sigma(number).id).is_some()), "gateway {torn}, output {at}");
            if torn != 0 {
                assert_eq!(heads[0], reference, "three others are a quorum: gateway {torn}, output {at}");
            }
        }
    }
}

#[test]
pub fn a_restart_gives_the_same_replica_as_far_as_it_had_persisted() {
    let mut net = Net::with(quiet());
    for number in 0..7 {
        net.request(1, &sigma(number));
        net.run_ms(150);
    }
    for who in 0..4 {
        let before = (net.replicas[usize::from(who)].heads(), net.replicas[usize::from(who)].level());
        net.crash(who);
        net.restart(who);
        let after = &net.replicas[usize::from(who)];
        assert_eq!((after.heads(), after.level()), before);
        assert!(after.certificate(Seq(1)).is_some() && after.pending().is_empty());
    }
    net.run_ms(1_000);
    net.request(2, &sigma(30));
    net.run_ms(1_000);
    net.assert_chain(8);
}

trait Heads {
    fn heads(&self) -> (Seq, Seq, Digest, Digest);
}

impl Heads for Replica {
    fn heads(&self) -> (Seq, Seq, Digest, Digest) {
        (self.executed(), self.low(), self.chain().head_digest(), self.chain().state_digest())
    }
}

#[test]
pub fn a_crash_between_two_views_keeps_the_promise_of_the_view_change() {
    let mut net = Net::with(quiet());
    net.dead = vec![0];
    net.request(1, &sigma(1));
    while !net.replicas[2].level().changing {
        net.run_ms(1);
    }
    let target = net.replicas[2].level();
    net.crash(2);
    net.restart(2);
    assert_eq!(net.replicas[2].level(), target, "it does not return to the view it left");
    net.run_ms(20_000);
    net.assert_chain(1);
}

#[test]
pub fn a_restart_from_a_snapshot_and_the_blocks_above_it() {
    let cfg = Config { retain: Some(1), ..config_with(4, 2, 4) };
    let mut net = Net::with(Arc::new(cfg));
    for number in 0..9 {
        net.request(1, &sigma(number));
        net.run_ms(150);
    }
    assert!(net.durable[2].blocks.len() <= 4, "old blocks are not kept");
    let before = net.replicas[2].heads();
    net.crash(2);
    net.restart(2);
    assert_eq!(net.replicas[2].heads(), before);
    net.request(1, &sigma(20));
    net.run_ms(2_000);
    net.assert_chain(10);
}

#[test]
pub fn without_its_store_a_gateway_fetches_everything_again() {
    let mut net = Net::with(quiet());
    for number in 0..3 {
        net.request(1, &sigma(number));
        net.run_ms(150);
    }
    net.crash(3);
    net.durable[3] = Durable::default();
    net.restart(3);
    net.run_ms(5_000);
    net.assert_chain(3);
    assert!(net.now > Micros(5_000_000));
}

#[test]
pub fn what_was_signed_below_the_stable_state_takes_no_room_after_a_restart() {
    let mut net = Net::with(quiet());
    for number in 0..5 {
        net.request(1, &sigma(number));
        net.run_ms(150);
    }
    let low = net.replicas[2].low();
    assert!(low > Seq(0));
    // The store may still hold votes that the stable state made useless: it was written first.
    let old = net.durable[2].votes.first_key_value().map(|(_, vote)| *vote).unwrap();
    net.durable[2].votes.insert((Kind::Commit, Seq(1)), old);
    net.crash(2);
    net.restart(2);
    assert_eq!(net.replicas[2].low(), low);
    assert!((1..=low.0).all(|seq| net.replicas[2].log().slot(Seq(seq)).is_none()), "slots at or below {low:?}");
}
