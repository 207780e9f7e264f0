//! Proposes a ciphertext that is on the chain already (CONSENSUS.md §5.2); refused by PP-11.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "proposes a ciphertext that is on the chain already",
    "The ciphertext is on the chain already, and its ticket with it; nobody prepares the block.",
)
.fires(&["NullifierReused(1)", "TM-1"]);

#[derive(Clone, Default)]
pub(super) struct StoredAgain;

impl Behaviour for StoredAgain {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if !message.strikes {
            return out.push(message.output);
        }
        let first = cx.replica().and_then(|replica| replica.chain().block(Seq(1)).cloned());
        let change = |honest: &Proposal| {
            let mut txs = honest.txs.clone();
            txs.push(first.as_ref()?.proposal.as_ref()?.txs.first()?.clone());
            Some(Proposal::build(honest.header.network_id, honest.header.seq, honest.header.time, txs))
        };
        swap(cx, message.output, change, out);
    }
}
