//! The network between an actor and the others is the enemy: it sends each packet again two seconds later (Dolev and Yao, *On the
//! Security of Public Key Protocols*, 1983; WORLD.md §10). The actor itself stays honest.

use super::prelude::*;

/// µs until a packet is heard again.
const LATER: u64 = 2_000_000;

pub(super) const ABOUT: Description = Description::of(
    &[],
    "is behind a network that sends everything again",
    "What was said once counts once; the second time it is a duplicate.",
)
.fires(&["DuplicateVote"])
.omits();

#[derive(Clone, Default)]
pub(super) struct EveReplay {
    heard: u64,
    waiting: BTreeMap<u64, Output>,
}

impl Behaviour for EveReplay {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if message.strikes && !matches!(message.packet(), Some(Packet::Letter(_))) {
            self.heard += 1;
            self.waiting.insert(self.heard, message.output.clone());
            cx.tick(LATER, self.heard);
        }
        out.push(message.output);
    }

    fn on_tick(&mut self, _cx: &mut Cx<'_, '_>, tick: u64, out: &mut Vec<Output>) {
        out.extend(self.waiting.remove(&tick));
    }
}
