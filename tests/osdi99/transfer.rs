//! STATUS, FETCH, answers, and floods of them (CONSENSUS.md §3.9).

use crate::support::*;
use crate::view_changes::commit_sig;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::VoidReason;
use voltcast::ledger::{Micros, Seq};
use voltcast::pbft::certificate::{CommitCertificate, Snapshot};
use voltcast::pbft::message::{Fetch, Message, Publish, Status, Want};

fn short() -> Arc<Config> {
    Arc::new(config_with(4, 2, 4))
}

fn status(cfg: &Config, sender: u16, view: u64, executed: u64, low: u64) -> Message {
    let has = [vec![0], vec![0], vec![0]];
    let digest = Status::content_digest(false, Seq(low), &has);
    let signed = statement(cfg, Kind::Status, sender, view, executed, digest, Digest::ZERO);
    Message::Status(Status { signed, changing: false, low: Seq(low), has })
}

fn fetch(cfg: &Config, sender: u16, want: Want) -> Message {
    let signed = statement(cfg, Kind::Fetch, sender, 0, 1, Fetch::content_digest(want), Digest::ZERO);
    Message::Fetch(Fetch { signed, want })
}

fn blocks(net: &mut Net, numbers: core::ops::Range<u32>) {
    for number in numbers {
        net.request(1, &sigma(number));
        net.run_ms(100);
    }
}

#[test]
pub fn lost_votes_are_sent_again_on_status() {
    for lost in ["PRE-PREPARE", "PREPARE", "COMMIT"] {
        let mut net = Net::with(short());
        let name = lost;
        net.filter = Box::new(move |_, to, m| (to != 2 && to != 3 || m.name() != name).then(|| m.clone()));
        net.request(1, &sigma(1));
        net.run_ms(100);
        net.filter = Box::new(|_, _, m| Some(m.clone()));
        net.run_ms(1_500);
        net.assert_chain(1);
        assert!(net.replicas.iter().all(|r| r.level().view == View(0)), "{lost}: no view change was needed");
        assert!(net.count("STATUS") > 0);
    }
}

#[test]
pub fn a_lost_new_view_is_sent_again_on_status() {
    let mut net = Net::with(short());
    net.dead = vec![0];
    net.filter = Box::new(|_, to, m| (to != 3 || m.name() != "NEW-VIEW").then(|| m.clone()));
    net.request(1, &sigma(1));
    net.run_ms(4_000);
    net.filter = Box::new(|_, _, m| Some(m.clone()));
    net.run_ms(10_000);
    net.assert_chain(1);
}

#[test]
pub fn st2_nobody_is_answered_faster_than_can_be_of_use() {
    let mut net = Net::with(short());
    blocks(&mut net, 0..3);
    let before = net.sent.values().sum::<u64>();
    for _ in 0..100 {
        let (a, b) = (status(&net.cfg, 2, 0, 0, 0), fetch(&net.cfg, 2, Want::Blocks { from: Seq(1), to: Seq(3) }));
        net.give(1, 2, a);
        assert!(net.last(1, Rule::St2).is_some());
        net.give(1, 2, b);
    }
    assert!(net.rejected(1, Rule::St2, &Reason::RateLimited));
    let sent = net.sent.values().sum::<u64>() - before;
    assert!(sent <= 64 + 1, "one burst and one answer: {sent}");
    net.run_ms(200);
    let again = fetch(&net.cfg, 2, Want::Snapshot);
    net.give(1, 2, again);
    assert_eq!(net.last(1, Rule::St2).unwrap().outcome, Outcome::Accept);
}

#[test]
pub fn st1_what_is_not_held_is_not_answered_and_what_was_not_asked_is_not_taken() {
    let mut net = Net::with(short());
    blocks(&mut net, 0..2);
    for want in [
        Want::Body { seq: Seq(9), digest: Digest([1; 32]) },
        Want::NewView(View(1)),
        Want::Blocks { from: Seq(9), to: Seq(9) },
    ] {
        let ask = fetch(&net.cfg, 2, want);
        net.give(1, 2, ask);
        assert!(net.rejected(1, Rule::St1, &Reason::BodyMissing));
    }
    let source = &net.replicas[0];
    let block = source.chain().block(Seq(2)).unwrap().clone();
    let cert = source.certificate(Seq(2)).unwrap().clone();
    let (proof, header) = ((**source.checkpoints().stable()).clone(), source.chain().head().clone());
    let live = source.chain().state().nullifiers();
    let snapshot = Message::Snapshot(Arc::new(Snapshot { proof, header, live }));
    for msg in [Message::Blocks(vec![Publish { block, cert }]), snapshot] {
        net.give(1, 2, msg);
        assert!(net.rejected(1, Rule::St1, &Reason::Unasked));
    }
}

/// Gateway 3 slept through 9 blocks; `lie` bends the first answer of that name to it.
fn catching_up(retain: Option<u64>, name: &'static str, lie: fn(&Message) -> Message) -> Net {
    let mut net = Net::with(Arc::new(Config { retain, ..config_with(4, 2, 4) }));
    net.dead = vec![3];
    blocks(&mut net, 0..9);
    net.dead = vec![];
    let fresh = std::cell::Cell::new(true);
    net.filter = Box::new(move |_, to, m| {
        let bend = to == 3 && m.name() == name && fresh.replace(false);
        Some(if bend { Arc::new(lie(m)) } else { m.clone() })
    });
    net.request(3, &sigma(20));
    net.run_ms(8_000);
    net.assert_chain(10);
    net
}

#[test]
pub fn x2_blocks_without_their_certificate_or_with_other_ciphertexts_are_refused_and_others_asked() {
    let net = catching_up(None, "BLOCKS", |msg| {
        let Message::Blocks(mut blocks) = msg.clone() else { panic!() };
        Arc::make_mut(&mut blocks[0].cert).commits[0].1.0[0] ^= 1;
        Message::Blocks(blocks)
    });
    assert!(net.traces.iter().any(|t| t.rule == Rule::X2 && t.outcome == Outcome::Reject(Reason::BadCertificate)));
    let net = catching_up(None, "BLOCKS", |msg| {
        let Message::Blocks(mut blocks) = msg.clone() else { panic!() };
        let block = Arc::make_mut(&mut blocks[0].block);
        block.proposal = block.proposal.as_ref().map(|p| Arc::new(Proposal::new(p.header.clone(), vec![sigma(77)])));
        Message::Blocks(blocks)
    });
    assert!(net.traces.iter().any(|t| t.who == 3 && t.outcome == Outcome::Reject(Reason::BadRoot)));
}

#[test]
pub fn st1_a_snapshot_with_another_nullifier_is_refused_and_another_peer_asked() {
    let net = catching_up(Some(1), "SNAPSHOT", |msg| {
        let Message::Snapshot(snapshot) = msg else { panic!() };
        let mut bent = (**snapshot).clone();
        bent.live[0].1[0].0[0] ^= 1;
        Message::Snapshot(Arc::new(bent))
    });
    assert!(net.traces.iter().any(|t| t.rule == Rule::St1 && t.outcome == Outcome::Reject(Reason::BadSnapshot)));
    let state = net.replicas[3].chain().state();
    assert!((0..9).all(|number| state.taken(&sigma(number).nullifier).is_some()), "the proven nullifiers");
}

#[test]
pub fn a_claim_to_be_far_ahead_is_given_up_when_nobody_can_show_it() {
    let mut net = Net::with(short());
    let msg = status(&net.cfg, 2, 0, u64::MAX, 0);
    net.give(1, 2, msg);
    net.run_ms(20_000);
    assert!(net.replicas[1].pending().is_empty(), "{:?}", net.replicas[1].pending());
    assert!(net.count("FETCH") <= 8);
}

#[test]
pub fn idle_gateways_gossip_with_one_peer_after_the_other() {
    let cfg = Config { status_every: Micros(1_000_000), ..config_with(4, 2, 4) };
    let mut net = Net::with(Arc::new(cfg));
    net.dead = vec![3];
    blocks(&mut net, 0..3);
    net.run_ms(1_000);
    net.dead = vec![];
    net.run_ms(6_000);
    net.assert_chain(3);
    assert!(net.count("STATUS") >= 12);
}

#[test]
pub fn x3_a_ciphertext_ordered_twice_is_void_the_second_time() {
    let mut net = Net::with(short());
    net.dead = vec![0, 2, 3];
    let claim = status(&net.cfg, 2, 0, 2, 0);
    net.give(1, 2, claim);
    net.run_ms(200);
    let ordered = [1, 2].map(|seq| proposal(&net.cfg, seq, vec![sigma(1)]));
    let blocks = ordered.map(|p| {
        let commits = (0..3).map(|who| commit_sig(&net.cfg, who, p.header.seq.0, p.digest())).collect();
        let (seq, digest, just) = (p.header.seq, p.digest(), Digest::ZERO);
        let cert = Arc::new(CommitCertificate { view: View(0), seq, digest, just, commits });
        Publish { block: Arc::new(net.follower.chain().preview(Some(&p))), cert }
    });
    net.give(1, 2, Message::Blocks(blocks.to_vec()));
    assert_eq!(net.replicas[1].executed(), Seq(2));
    assert_eq!(net.last(1, Rule::X3).unwrap().about, About::Sigma(sigma(1).id));
    assert_eq!(net.replicas[1].chain().block(Seq(2)).unwrap().voids, vec![(0, VoidReason::Duplicate)]);
}

#[test]
pub fn floods_of_any_kind_leave_bounded_memory() {
    let mut net = Net::with(short());
    let cfg = net.cfg.clone();
    for round in 0..3_000u64 {
        let digest = Digest([round as u8; 32]);
        let p = proposal(&cfg, 5 + round % 4, vec![sigma(round as u32)]);
        let far = |kind| statement(&cfg, kind, 2, 1 + round % 7, 1 + round, digest, digest);
        for msg in [
            Message::Prepare(far(Kind::Prepare)),
            Message::Commit(far(Kind::Commit)),
            Message::Checkpoint(statement(&cfg, Kind::Checkpoint, 2, 0, 2 * round, digest, Digest::ZERO)),
            vote(&cfg, Kind::Commit, 2, round % 12, digest),
            pre_prepare(&cfg, 0, &p),
            status(&cfg, 2, round, round, 2 * round),
            fetch(&cfg, 2, Want::Body { seq: Seq(round), digest }),
        ] {
            net.give(1, 2, msg);
        }
    }
    let r = &net.replicas[1];
    assert!(r.log().held() <= 4 * (2 * 4 + 2), "{}", r.log().held());
    assert!(r.log().slots.len() <= 4 && r.checkpoints().kept() <= 8);
    assert!(r.level().view == View(0) && r.low() == Seq(0));
}

#[test]
pub fn held_proposals_are_bounded_in_bytes() {
    let mut cfg = config_with(4, 2, 4);
    cfg.policy.batch_bytes = 256;
    cfg.pipeline = 1;
    let mut net = Net::with(Arc::new(cfg));
    let cfg = net.cfg.clone();
    for seq in 5..9 {
        let p = proposal(&cfg, seq, (0..8).map(|i| sigma(100 * seq as u32 + i)).collect());
        net.give(1, 0, pre_prepare(&cfg, 0, &p));
    }
    assert_eq!(net.replicas[1].log().held(), 2, "128 bytes each, 256 allowed");
    assert!(net.rejected(1, Rule::Pp4, &Reason::AboveWindow));
}
