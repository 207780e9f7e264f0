//! The thirty-four classic bugs of PBFT implementations (CONSENSUS.md §7): one test each, numbered as in the table there.
//!
//! `cargo xtask canaries` builds most of these bugs in, one at a time, and expects these tests or the rule tests of
//! `tests/osdi99` to notice.

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod voting;
mod waiting;

use std::sync::Arc;
use support::*;
use voltcast::ledger::{Digest, Proposal};
use voltcast::pbft::*;

/// A digest that is no proposal's.
const OTHER: Digest = Digest([9; 32]);

/// A network whose replica 1 has accepted the proposal of one ciphertext for slot 1, and nothing else.
fn accepted() -> (Net, Arc<Proposal>) {
    let mut net = Net::new(4);
    let p = proposal(&net.cfg, 1, vec![sigma(1)]);
    net.give(1, 0, pre_prepare(&net.cfg, 0, &p));
    (net, p)
}

fn give_vote(net: &mut Net, kind: Kind, sender: u16, seq: u64, digest: Digest) {
    let msg = vote(&net.cfg, kind, sender, seq, digest);
    net.give(1, sender, msg);
}
