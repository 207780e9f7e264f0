//! Votes in the name of its neighbour beside its own votes (CONSENSUS.md §5.2).
//!
//! It has only its own key, so the forged vote carries its own signature and is refused by ENV-3.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "votes in others' names",
    "The two sides of the signature's equation differ, so the vote is nobody's.",
)
.fires(&["ENV-3", "BadSignature"]);

#[derive(Clone, Default)]
pub(super) struct ForgedVote;

impl Behaviour for ForgedVote {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let forged = match &message.output {
            Output::Fan { to, packet: Packet::Pbft(vote) } if message.strikes => {
                forge(cx, vote).map(|vote| Output::Fan { to: to.clone(), packet: Packet::Pbft(Arc::new(vote)) })
            }
            _ => None,
        };
        out.push(message.output);
        out.extend(forged);
    }
}

fn forge(cx: &Cx<'_, '_>, message: &Message) -> Option<Message> {
    let (kind, signed) = message.signed()?;
    let sender = ReplicaId((signed.statement.sender.0 + 1) % cx.setup.n.max(1));
    let forged: Signed = cx.sign(Statement { sender, ..signed.statement })?;
    match kind {
        Kind::Prepare => Some(Message::Prepare(forged)),
        Kind::Commit => Some(Message::Commit(forged)),
        _ => None,
    }
}
