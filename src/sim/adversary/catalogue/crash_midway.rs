//! A primary that dies after its proposal has reached one backup (CONSENSUS.md §5.2).
//!
//! What one backup holds is not prepared anywhere, so the next view may drop the slot; the ciphertexts are in the pools and
//! come again.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "dies after its block has reached one backup",
    "The half-sent block is dropped, as nobody could prepare it, and its ciphertexts come again.",
)
.fires(&["TM-1"])
.omits();

#[derive(Clone, Default)]
pub(super) struct CrashMidway {
    dead: bool,
}

impl Behaviour for CrashMidway {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if self.dead {
            return;
        }
        match proposal_of(&message.output).filter(|_| message.strikes) {
            Some((to, ..)) => {
                self.dead = true;
                let Output::Fan { packet, .. } = &message.output else { return };
                out.push(Output::Fan { to: to[..1.min(to.len())].into(), packet: packet.clone() });
            }
            None => out.push(message.output),
        }
    }
}
