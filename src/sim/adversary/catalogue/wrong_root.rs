//! Signs a header whose Merkle root does not belong to the body (CONSENSUS.md §5.2): refused by PP-8.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "proposes a body that does not match its Merkle root",
    "Every backup recomputes the root, gets another one, and waits for the next primary.",
)
.fires(&["PP-8", "TM-1"]);

#[derive(Clone, Default)]
pub(super) struct WrongRoot;

impl Behaviour for WrongRoot {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if !message.strikes {
            return out.push(message.output);
        }
        let change = |honest: &Proposal| {
            let mut bad = Proposal::new(honest.header.clone(), honest.txs.clone());
            bad.header.tx_root.0[0] ^= 1;
            Some(bad)
        };
        swap(cx, message.output, change, out);
    }
}
