//! Flips one bit of a ciphertext in its block and signs the block all the same (CONSENSUS.md §5.2).
//!
//! Root, size and digest of the block are right; the outer signature of σ is not, and every backup checks it (PP-10).

use super::{Cx, swap};
use crate::entities::Output;
use crate::entities::packet::parse_sigma;
use crate::ledger::Proposal;
use std::sync::Arc;

/// First byte of z, the scalar of the outer signature.
const Z: usize = 420;

pub(super) fn act(cx: &mut Cx<'_>, output: Output, out: &mut Vec<Output>) {
    let params = &cx.setup.params;
    let change = |honest: &Proposal| {
        let mut txs = honest.txs.clone();
        let mut bytes = txs.first()?.bytes().to_vec();
        *bytes.get_mut(Z)? ^= 1;
        txs[0] = Arc::new(parse_sigma(params, &bytes)?);
        Some(Proposal::build(honest.header.network_id, honest.header.seq, honest.header.time, txs))
    };
    swap(cx, output, change, out);
}
