//! Votes in the name of its neighbour beside its own votes (CONSENSUS.md §5.2 `forged_vote`).
//!
//! It has only its own key, so the forged vote carries its own signature and is refused by ENV-3.

use super::Cx;
use crate::entities::{Output, Packet};
use crate::pbft::{Kind, Message, ReplicaId, Signed, Statement};
use std::sync::Arc;

pub(super) fn act(cx: &mut Cx<'_>, output: Output, out: &mut Vec<Output>) {
    let forged = match &output {
        Output::Fan { to, packet: Packet::Pbft(message) } => {
            forge(cx, message).map(|message| Output::Fan { to: to.clone(), packet: Packet::Pbft(Arc::new(message)) })
        }
        _ => None,
    };
    out.push(output);
    out.extend(forged);
}

fn forge(cx: &Cx<'_>, message: &Message) -> Option<Message> {
    let (kind, signed) = message.signed()?;
    let sender = ReplicaId((signed.statement.sender.0 + 1) % cx.setup.n.max(1));
    let forged: Signed = cx.sign(Statement { sender, ..signed.statement })?;
    match kind {
        Kind::Prepare => Some(Message::Prepare(forged)),
        Kind::Commit => Some(Message::Commit(forged)),
        _ => None,
    }
}
