//! Asks for the next view and for far ones with every vote (CONSENSUS.md §5.2). Fewer than f + 1 such requests move nobody,
//! and only the highest of each sender is kept.

use super::prelude::*;
use crate::pbft::certificate::StableProof;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "asks for new views all the time",
    "One of the two gateways needed to suspect the primary; nobody follows.",
)
.fires(&["VC-1"]);

#[derive(Clone, Default)]
pub(super) struct SpuriousViewChange;

impl Behaviour for SpuriousViewChange {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let vote = message.message().filter(|_| message.strikes).cloned();
        out.push(message.output);
        let (Some(Message::Prepare(signed)), Some(replica)) = (vote.as_deref(), cx.replica()) else { return };
        let (view, stable) = (signed.statement.view.0, StableProof::genesis(replica.config()));
        for target in [view + 1, view + 1_000, view + 2] {
            let vc = cx.view_change(View(target), stable.clone(), Vec::new());
            out.extend(vc.map(|vc| cx.to_others(Message::ViewChange(Arc::new(vc)))));
        }
    }
}
