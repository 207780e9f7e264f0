//! Sends each vote three times, and once more in the envelope of the other phase (CONSENSUS.md §5.2).
//!
//! Votes are counted by sender, never by message, and the phase is under the signature.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "sends each vote again and again",
    "The counter stays where it is: one sender, one vote.",
)
.fires(&["DuplicateVote", "ENV-1", "Malformed"]);

#[derive(Clone, Default)]
pub(super) struct DoubleVote;

impl Behaviour for DoubleVote {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let vote = message.message().filter(|_| message.strikes).cloned();
        let to = match &message.output {
            Output::Fan { to, .. } => to.clone(),
            _ => Arc::from([]),
        };
        let relabelled = vote.as_deref().and_then(|vote| match vote {
            Message::Prepare(signed) => Some(Message::Commit(*signed)),
            Message::Commit(signed) => Some(Message::Prepare(*signed)),
            _ => None,
        });
        if let Some(relabelled) = relabelled {
            out.extend([message.output.clone(), message.output.clone()]);
            out.push(Output::Fan { to, packet: Packet::Pbft(Arc::new(relabelled)) });
        }
        out.push(message.output);
    }
}
