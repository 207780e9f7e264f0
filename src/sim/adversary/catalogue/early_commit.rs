//! Commits as soon as it prepares, without a certificate (CONSENSUS.md §5.2).
//!
//! One COMMIT more or less does not make a quorum of honest ones; the early one is a lie about what its sender holds.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "commits before the slot is prepared",
    "Its commit counts once and cannot suffice; the real one is a duplicate.",
)
.fires(&["DuplicateVote"]);

#[derive(Clone, Default)]
pub(super) struct EarlyCommit;

impl Behaviour for EarlyCommit {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let commit = match message.message().filter(|_| message.strikes).map(|vote| &**vote) {
            Some(Message::Prepare(signed)) => cx.sign(Statement { kind: Kind::Commit, ..signed.statement }),
            _ => None,
        };
        out.push(message.output);
        out.extend(commit.map(|signed| cx.to_others(Message::Commit(signed))));
    }
}
