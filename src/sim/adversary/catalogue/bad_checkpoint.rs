//! Vouches for a state that it does not have, and for the right one after it (CONSENSUS.md §5.2).
//!
//! A checkpoint is stable with a quorum of equal ones, so one false voice makes none; two voices of one gateway are refused
//! and are evidence against it.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "vouches for a false state",
    "Its first checkpoint agrees with nobody's, its second contradicts it; the others' make the state stable.",
)
.fires(&["ConflictingVote", "EQ"]);

#[derive(Clone, Default)]
pub(super) struct BadCheckpoint;

impl Behaviour for BadCheckpoint {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if let (Some(Message::Checkpoint(signed)), true) = (message.message().map(|m| &**m), message.strikes) {
            let mut other = signed.statement;
            other.digest.0[0] ^= 1;
            out.extend(cx.sign(other).map(|signed| cx.to_others(Message::Checkpoint(signed))));
        }
        out.push(message.output);
    }
}
