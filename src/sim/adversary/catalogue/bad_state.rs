//! Answers whoever asks for a block's ciphertexts with others (CONSENSUS.md §5.2). An answer proves itself against the digest
//! that was asked for, so a wrong one is an answer to nobody's question and the next holder is asked.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "answers with false blocks",
    "The answer does not match what was asked for; the next holder is asked.",
)
.fires(&["ST-1"]);

#[derive(Clone, Default)]
pub(super) struct BadState;

impl Behaviour for BadState {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let mut output = message.output;
        if let (true, Output::Send { packet: Packet::Pbft(answer), .. }) = (message.strikes, &mut output)
            && let Message::Body(body) = &**answer
        {
            let mut other = Proposal { header: body.header.clone(), txs: body.txs.clone() };
            other.header.time.0 += 1;
            *answer = Arc::new(Message::Body(Arc::new(other)));
        }
        out.push(output);
    }
}
