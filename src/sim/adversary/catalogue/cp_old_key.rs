//! A pile that sends session frames again (CLMMSC.md §9, WORLD.md §10). Every frame has its number under the session key, and a
//! number counts once (F1).

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Cp],
    "sends old session frames again",
    "The car has had that frame; it is refused without an answer.",
)
.fires(&["F1"]);

#[derive(Clone, Default)]
pub(super) struct CpOldKey {
    old: Option<Output>,
}

impl Behaviour for CpOldKey {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let frame = matches!(message.packet(), Some(Packet::Frame(_)));
        if frame && message.strikes {
            out.extend(self.old.clone());
            self.old.get_or_insert(message.output.clone());
        }
        out.push(message.output);
    }
}
