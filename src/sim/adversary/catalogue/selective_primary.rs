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
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        match proposal_of(&message.output).filter(|_| message.strikes) {
            Some((to, ..)) => {
                let Output::Fan { packet, .. } = &message.output else { return };
                let most = to.len().saturating_sub(1);
                out.push(Output::Fan { to: to[..most].into(), packet: packet.clone() });
            }
            None => out.push(message.output),
        }
    }
}
