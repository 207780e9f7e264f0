//! Flips one bit of a ciphertext in its block and signs the block all the same (CONSENSUS.md §5.2).
//!
//! Root, size and digest of the block are right; the outer signature of σ is not, and every backup checks it (PP-10).

use super::prelude::*;
use crate::ledger::Sigma;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "flips a bit of a ciphertext in its block",
    "The ciphertext's own signature fails at every backup; nobody prepares the block.",
)
.fires(&["PP-10", "TM-1", "IP"]);

/// First byte of z, the scalar of the outer signature.
const Z: usize = 420;

#[derive(Clone, Default)]
pub(super) struct TamperedCiphertext;

impl Behaviour for TamperedCiphertext {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if !message.strikes {
            return out.push(message.output);
        }
        let change = |honest: &Proposal| {
            let mut txs = honest.txs.clone();
            txs[0] = tampered(cx, txs.first()?)?;
            Some(Proposal::build(honest.header.network_id, honest.header.seq, honest.header.time, txs))
        };
        swap(cx, message.output, change, out);
    }
}

/// The same ciphertext with one bit of its outer signature flipped.
pub(super) fn tampered(cx: &Cx<'_, '_>, sigma: &Sigma) -> Option<Arc<Sigma>> {
    let mut bytes = sigma.bytes().to_vec();
    *bytes.get_mut(Z)? ^= 1;
    Some(Arc::new(parse_sigma(&cx.setup.params, &bytes)?))
}
