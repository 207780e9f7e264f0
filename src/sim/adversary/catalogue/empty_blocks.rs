//! Proposes blocks without ciphertexts (CONSENSUS.md §5.2): they would fill slots, and the chain, with nothing.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "proposes empty blocks",
    "An empty block is no proposal; the null block exists only to fill gaps after a view change.",
)
.fires(&["PP-7", "TM-1", "IP"]);

#[derive(Clone, Default)]
pub(super) struct EmptyBlocks;

impl Behaviour for EmptyBlocks {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if !message.strikes {
            return out.push(message.output);
        }
        let change = |honest: &Proposal| {
            Some(Proposal::build(honest.header.network_id, honest.header.seq, honest.header.time, Vec::new()))
        };
        swap(cx, message.output, change, out);
    }
}
