//! Forgets everything it has signed right after its first vote to commit, and starts again from nothing (CONSENSUS.md §5.2,
//! §3.11): a restart without the durable store. It may then vote otherwise for the same slot, like a liar.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "forgets what it has signed and starts anew",
    "It has lost its memory and counts as one of the f liars; the others hold what it forgot.",
)
.fires(&["DuplicateVote"]);

#[derive(Clone, Default)]
pub(super) struct Amnesia {
    /// It has just voted.
    forgets: bool,
    forgot: bool,
}

impl Behaviour for Amnesia {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let commit = matches!(message.message().map(|m| &**m), Some(Message::Commit(_)));
        self.forgets |= commit && message.strikes && !self.forgot;
        out.push(message.output);
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        if let (true, Entity::Css(css)) = (core::mem::take(&mut self.forgets), &mut *cx.entity) {
            css.forget();
            self.forgot = true;
        }
    }
}
