//! Votes for the proposal and for another digest, to everybody, in another order to each half (CONSENSUS.md §5.2).
//!
//! A vote counts once per sender: who hears the false one first has lost the liar's vote and needs a quorum without it.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "votes twice, for two blocks",
    "The second vote of one sender for one slot is refused; the pair of signatures convicts it.",
)
.fires(&["ConflictingVote", "EQ", "XP"]);

#[derive(Clone, Default)]
pub(super) struct EquivocatingVotes;

impl Behaviour for EquivocatingVotes {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let Some(vote) = message.message().filter(|_| message.strikes).cloned() else {
            return out.push(message.output);
        };
        let (Message::Prepare(signed) | Message::Commit(signed)) = &*vote else { return out.push(message.output) };
        let mut other = signed.statement;
        other.digest.0[0] ^= 1;
        let Some(other) = cx.sign(other) else { return };
        let other =
            if other.statement.kind == Kind::Prepare { Message::Prepare(other) } else { Message::Commit(other) };
        let (first, second) = (Packet::Pbft(vote), Packet::Pbft(Arc::new(other)));
        let to = cx.others();
        let (low, high) = to.split_at(to.len() / 2);
        for (half, packet) in [(low, &second), (low, &first), (high, &first), (high, &second)] {
            out.push(Output::Fan { to: half.into(), packet: packet.clone() });
        }
    }
}
