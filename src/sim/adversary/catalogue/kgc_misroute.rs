//! A KGC that passes no command on (WORLD.md §10). Nothing false can be said that way, and nothing happens either: the
//! CSC's and the piles' `pending` says what they wait for.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Kgc],
    "passes no command on",
    "No gateway ever hears of the command: no block, no charging, and everybody can see who waits for whom.",
)
.fires(&[])
.stops()
.omits();

#[derive(Clone, Default)]
pub(super) struct KgcMisroute;

impl Behaviour for KgcMisroute {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if !(message.strikes && matches!(message.packet(), Some(Packet::Route(_)))) {
            out.push(message.output);
        }
    }
}
