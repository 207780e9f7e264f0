//! A primary that holds each block back for six tenths of a time-out (CONSENSUS.md §5.2; Clement et al., NSDI 2009).
//!
//! It breaks no rule and is not deposed; what suffers is the time every command takes.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "sends each block just before the time-out",
    "No rule is broken and no view changes; every command takes longer.",
)
.fires(&[])
.omits();

#[derive(Clone, Default)]
pub(super) struct SlowPrimary {
    sent: u64,
    /// Blocks held back, by the timer that lets them go.
    waiting: BTreeMap<u64, Output>,
}

impl Behaviour for SlowPrimary {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let t0 = cx.replica().map(|replica| replica.config().t0.0);
        let (Some(t0), true) = (t0, message.strikes && proposal_of(&message.output).is_some()) else {
            return out.push(message.output);
        };
        self.sent += 1;
        self.waiting.insert(self.sent, message.output);
        cx.tick(t0 / 10 * 6, self.sent);
    }

    fn on_tick(&mut self, _cx: &mut Cx<'_, '_>, tick: u64, out: &mut Vec<Output>) {
        out.extend(self.waiting.remove(&tick));
    }
}
