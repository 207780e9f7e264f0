//! §4.1 requests and data sets; §4.2 what every message passes.

use crate::support::*;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::{Seq, Sigma};
use voltcast::pbft::message::{DataSet, Message};

#[test]
pub fn s4_1_rq1_refuses_what_does_not_verify() {
    let mut net = net();
    net.request(1, &sigma_with(1, 1, false));
    assert!(net.rejected(1, Rule::Rq1, &Reason::BadCiphertext(VerifyError("Signature".into()))));
    assert!(net.replicas[1].pool().is_empty());
}

#[test]
pub fn s4_1_rq2_refuses_what_is_stored_and_tells_double_use_apart() {
    let mut net = net();
    net.request(0, &sigma(1));
    net.run_ms(100);
    net.request(1, &sigma(1));
    assert!(net.rejected(1, Rule::Rq2, &Reason::AlreadyStored));
    net.request(1, &sigma_with(2, 1, true));
    assert!(net.rejected(1, Rule::Rq2, &Reason::DoubleUse));
}

#[test]
pub fn s4_1_rq3_refuses_what_already_waits() {
    let mut net = net();
    net.request(1, &sigma(1));
    net.request(1, &sigma(1));
    assert!(net.rejected(1, Rule::Rq3, &Reason::Duplicate));
    assert_eq!(net.replicas[1].pool().len(), 1);
}

#[test]
pub fn rq4_refuses_when_the_pool_is_full() {
    let mut cfg = (*config(4)).clone();
    cfg.pool_max = 2;
    let mut net = Net::with(Arc::new(cfg));
    (1..=3).for_each(|i| net.request(1, &sigma(i)));
    assert!(net.rejected(1, Rule::Rq4, &Reason::PoolFull));
}

#[test]
pub fn s4_1_ds1_refuses_a_forged_data_set() {
    let mut net = net();
    let items = vec![sigma(1)];
    let digest = DataSet::content_digest(&items);
    let mut signed = statement(&net.cfg, Kind::DataSet, 2, 0, 1, digest, Digest::ZERO);
    signed.sig.0[0] ^= 1;
    net.give(0, 2, Message::DataSet(DataSet { signed, items }));
    assert!(net.rejected(0, Rule::Ds1, &Reason::BadSignature));
}

#[test]
pub fn ds2_refuses_a_data_set_larger_than_a_block_and_env1_other_items() {
    let mut net = net();
    let items: Vec<Arc<Sigma>> = (0..65).map(sigma).collect();
    let set = |items: Vec<Arc<Sigma>>, digest| {
        let signed = statement(&net.cfg, Kind::DataSet, 2, 0, 1, digest, Digest::ZERO);
        Message::DataSet(DataSet { signed, items })
    };
    let digest = DataSet::content_digest(&items);
    let (large, swapped) = (set(items, digest), set(vec![sigma(1)], digest));
    net.give(0, 2, large);
    assert!(net.rejected(0, Rule::Ds2, &Reason::TooLarge));
    net.give(0, 2, swapped);
    assert!(net.rejected(0, Rule::Env1, &Reason::Malformed));
}

#[test]
pub fn s4_1_ds3_drops_the_bad_item_and_keeps_the_rest() {
    let mut net = net();
    let items = vec![sigma(1), sigma_with(2, 2, false), sigma(3)];
    let digest = DataSet::content_digest(&items);
    let signed = statement(&net.cfg, Kind::DataSet, 2, 0, 1, digest, Digest::ZERO);
    net.give(0, 2, Message::DataSet(DataSet { signed, items }));
    assert_eq!(net.replicas[0].pool().len(), 2);
    let set = About::DataSet { from: ReplicaId(2), number: 1, count: 2 };
    assert_eq!(net.last(0, Rule::Ds3).unwrap().about, set);
}

#[test]
pub fn s4_2_env1_refuses_a_prepare_played_again_as_commit() {
    let (mut net, p) = accepted();
    let signed = statement(&net.cfg, Kind::Prepare, 2, 0, 1, p.digest(), Digest::ZERO);
    net.give(1, 2, Message::Commit(signed));
    assert!(net.rejected(1, Rule::Env1, &Reason::Malformed));
}

#[test]
pub fn s4_2_env3_refuses_a_signature_over_another_kind_view_slot_or_sender() {
    let (mut net, p) = accepted();
    let signed = statement(&net.cfg, Kind::Prepare, 2, 0, 1, p.digest(), Digest::ZERO);
    type Change = fn(&mut Statement);
    let changes: [Change; 4] =
        [|s| s.kind = Kind::Commit, |s| s.view = View(4), |s| s.seq = Seq(2), |s| s.sender = ReplicaId(3)];
    for change in changes {
        let mut moved = signed;
        change(&mut moved.statement);
        let before = net.replicas[1].digest();
        let msg = if moved.statement.kind == Kind::Commit { Message::Commit(moved) } else { Message::Prepare(moved) };
        net.give(1, 2, msg);
        assert!(net.rejected(1, Rule::Env3, &Reason::BadSignature));
        assert_eq!(net.replicas[1].digest(), before, "a refused message leaves no trace");
        net.traces.clear();
    }
}

#[test]
pub fn s4_2_env2_refuses_strangers_and_other_networks() {
    let (mut net, p) = accepted();
    give_vote(&mut net, Kind::Prepare, 4, 1, p.digest());
    assert!(net.rejected(1, Rule::Env2, &Reason::UnknownSender));
    let other = config(5);
    net.give(1, 2, vote(&other, Kind::Prepare, 2, 1, p.digest()));
    assert!(net.rejected(1, Rule::Env2, &Reason::OtherNetwork));
}
