//! The rules of OSDI'99 as this replica has them: each test is named after the section and the rule of CONSENSUS.md §2.7.

#[path = "../support/mod.rs"]
mod support;

mod chain;
mod checkpoints;
mod evidence;
mod forensics;
mod proposals;
mod requests;
mod runs;
mod safety;
mod view_changes;
mod votes;

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
