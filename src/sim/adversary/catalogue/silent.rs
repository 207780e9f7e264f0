//! Sends nothing, from its trigger on (CONSENSUS.md §5.2). A silent primary is a view change (TM-1), a silent backup costs
//! nothing as long as a quorum remains.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[],
    "sends nothing",
    "The others wait for it, then elect the next primary and store the command without it.",
)
.fires(&["TM-1", "NV-6"])
.omits();

#[derive(Clone, Default)]
pub(super) struct Silent;

impl Behaviour for Silent {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if !message.strikes {
            out.push(message.output);
        }
    }
}
