//! A primary that sends its blocks to all backups but the last (CONSENSUS.md §5.2).
//!
//! The others are a quorum; the one left out follows by certificate.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "leaves one backup out",
    "The others decide without it; it follows by their certificate.",
)
.fires(&[])
.omits();

#[derive(Clone, Default)]
pub(super) struct SelectivePrimary;

impl Behaviour for SelectivePrimary {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let proposes = matches!(message.message().map(|m| &**m), Some(Message::PrePrepare(..)));
        let left_out = cx.others().last().copied().filter(|_| proposes && message.strikes);
        match (message.output, left_out) {
            (Output::Fan { to, packet }, Some(victim)) => {
                let to = to.iter().copied().filter(|to| *to != victim).collect();
                out.push(Output::Fan { to, packet });
            }
            // Nor does it get it when it asks.
            (Output::Send { to, .. }, Some(victim)) if to == victim => {}
            (output, _) => out.push(output),
        }
    }
}
