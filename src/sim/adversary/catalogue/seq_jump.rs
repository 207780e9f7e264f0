//! A primary that leaves a gap: its block goes into the slot after the next, and copies far beyond the window
//! (CONSENSUS.md §5.2). A run of slots that can never execute would exhaust the numbers.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "leaves a gap and jumps beyond the window",
    "What lies beyond the window is refused; the gap is filled with a null block by the next view.",
)
.fires(&["PP-4", "AboveWindow", "TM-1"]);

#[derive(Clone, Default)]
pub(super) struct SeqJump;

impl Behaviour for SeqJump {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let Some((to, signed, proposal)) = proposal_of(&message.output).filter(|_| message.strikes) else {
            return out.push(message.output);
        };
        let seq = signed.statement.seq.0;
        for seq in [seq + 1, seq + 100_000, u64::MAX] {
            let header = &proposal.header;
            let moved = Proposal::build(header.network_id, Seq(seq), header.time, proposal.txs.clone());
            let original = Signed { statement: Statement { seq: Seq(seq), ..signed.statement }, sig: signed.sig };
            let packet = cx.pre_prepare(&original, moved);
            out.extend(packet.map(|packet| Output::Fan { to: to.clone(), packet }));
        }
    }
}
