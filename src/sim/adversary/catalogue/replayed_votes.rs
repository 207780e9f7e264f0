//! Sends old votes again with each new one, and its new vote as one of another network (CONSENSUS.md §5.2).
//!
//! Network, kind, sender, view and slot are under every signature, so a vote says what it said, once.

use super::prelude::*;

/// Old votes that it keeps.
const KEPT: usize = 8;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "sends old votes again, and votes of another network",
    "An old vote is a duplicate or of a view that is gone; one of another network is nobody's.",
)
.fires(&["ENV-2", "OtherNetwork", "DuplicateVote"]);

#[derive(Clone, Default)]
pub(super) struct ReplayedVotes {
    old: Vec<Arc<Message>>,
}

impl Behaviour for ReplayedVotes {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let vote = message.message().filter(|_| message.strikes).cloned();
        out.push(message.output);
        let Some((vote, (_, signed))) = vote.as_ref().and_then(|vote| Some((vote, vote.signed()?))) else { return };
        if !signed.statement.kind.is_vote() {
            return;
        }
        out.extend(self.old.iter().map(|old| cx.to_others((**old).clone())));
        let mut foreign = signed.statement;
        foreign.network_id.0[0] ^= 1;
        out.extend(cx.sign(foreign).map(|foreign| cx.to_others(Message::Prepare(foreign))));
        if self.old.len() < KEPT {
            self.old.push(vote.clone());
        }
    }
}
