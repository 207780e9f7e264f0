//! Signs a header whose Merkle root does not belong to the body (CONSENSUS.md §5.2 `wrong_root`): refused by PP-8.

use super::{Cx, swap};
use crate::entities::Output;
use crate::ledger::Proposal;

pub(super) fn act(cx: &mut Cx<'_>, output: Output, out: &mut Vec<Output>) {
    let change = |honest: &Proposal| {
        let mut bad = Proposal { header: honest.header.clone(), txs: honest.txs.clone() };
        bad.header.tx_root.0[0] ^= 1;
        Some(bad)
    };
    swap(cx, output, change, out);
}
