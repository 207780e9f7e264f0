//! Answers whoever lacks something with something else (CONSENSUS.md §5.2): another body, blocks under another header, a
//! snapshot of another state. An answer proves itself against what was asked for, or against a quorum's signatures, so a
//! false one is refused and the next holder is asked.

use super::prelude::*;
use crate::pbft::certificate::Snapshot;
use crate::pbft::message::Publish;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "answers with false blocks",
    "The answer does not match what was asked for; the next holder is asked.",
)
.fires(&["Unasked"]);

#[derive(Clone, Default)]
pub(super) struct BadState;

impl Behaviour for BadState {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let mut output = message.output;
        if let (true, Output::Send { packet: Packet::Pbft(answer), .. }) = (message.strikes, &mut output)
            && let Some(other) = falsified(answer)
        {
            *answer = Arc::new(other);
        }
        out.push(output);
    }
}

fn falsified(answer: &Message) -> Option<Message> {
    match answer {
        Message::Body(body) => {
            let mut other = Proposal::new(body.header.clone(), body.txs.clone());
            other.header.time.0 += 1;
            Some(Message::Body(Arc::new(other)))
        }
        Message::Blocks(blocks) => {
            let other = blocks.iter().map(|publish| {
                let mut block = (*publish.block).clone();
                block.header.time.0 += 1;
                if let Some(proposal) = &block.proposal {
                    let mut other = Proposal::new(proposal.header.clone(), proposal.txs.clone());
                    other.header.time.0 += 1;
                    block.proposal = Some(Arc::new(other));
                }
                Publish { block: Arc::new(block), cert: publish.cert.clone() }
            });
            Some(Message::Blocks(other.collect()))
        }
        Message::Snapshot(snapshot) => {
            let mut header = snapshot.header.clone();
            header.parent.0[0] ^= 1;
            Some(Message::Snapshot(Arc::new(Snapshot { header, ..(**snapshot).clone() })))
        }
        _ => None,
    }
}
