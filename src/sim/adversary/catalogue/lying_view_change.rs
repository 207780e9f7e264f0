//! Hides what it had prepared when it leaves a view (CONSENSUS.md §5.2), so that the next view might drop a decided block.
//!
//! Any quorum of VIEW-CHANGEs holds an honest one that tells of every decided block.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "hides what it had prepared",
    "The VIEW-CHANGEs of the others tell of the block, and it is carried over.",
)
.fires(&["HP", "EQ"]);

#[derive(Clone, Default)]
pub(super) struct LyingViewChange;

impl Behaviour for LyingViewChange {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let lie = match message.message().filter(|_| message.strikes).map(|m| &**m) {
            Some(Message::ViewChange(vc)) => cx.view_change(vc.target(), vc.stable.clone(), Vec::new()),
            _ => None,
        };
        match lie {
            Some(lie) => out.push(cx.to_others(Message::ViewChange(Arc::new(lie)))),
            None => out.push(message.output),
        }
    }
}
