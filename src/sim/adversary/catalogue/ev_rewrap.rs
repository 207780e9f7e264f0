//! A car that changes an entry of a ciphertext after it was signed (CLMMSC.md §6, WORLD.md §10). Entries are leaves under the
//! signed root (V6).

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Ev],
    "changes an entry of a signed ciphertext",
    "The entries no longer hash to the signed root.",
)
.fires(&["Root"]);

#[derive(Clone, Default)]
pub(super) struct EvRewrap;

impl Behaviour for EvRewrap {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if let (Some(Packet::Direct(sigma)), Output::Send { to, .. }, true) =
            (message.packet(), &message.output, message.strikes)
        {
            let mut changed = sigma.to_vec();
            if let Some(last) = changed.last_mut() {
                *last ^= 1;
            }
            out.push(Output::Send { to: *to, packet: Packet::Direct(changed.into()) });
        }
        out.push(message.output);
    }
}
