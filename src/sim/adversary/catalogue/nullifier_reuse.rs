//! Puts one ciphertext into its block twice (CONSENSUS.md §5.2): one ticket, two uses. Refused by PP-11 where it is seen; what
//! slips through across views is voided when it executes.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "stores one ciphertext twice in a block",
    "The ticket of the second entry is taken by the first; nobody prepares the block.",
)
.fires(&["NullifierReused(1)", "TM-1", "IP"]);

#[derive(Clone, Default)]
pub(super) struct NullifierReuse;

impl Behaviour for NullifierReuse {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if !message.strikes {
            return out.push(message.output);
        }
        let change = |honest: &Proposal| {
            let mut txs = honest.txs.clone();
            txs.push(txs.first()?.clone());
            Some(Proposal::build(honest.header.network_id, honest.header.seq, honest.header.time, txs))
        };
        swap(cx, message.output, change, out);
    }
}
