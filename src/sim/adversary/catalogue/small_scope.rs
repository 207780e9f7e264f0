//! Changes its own messages by little and signs them again: view or slot one up or down, or an earlier digest (CONSENSUS.md §5.2;
//! Winter et al., *Randomized Testing of Byzantine Fault Tolerant Algorithms*, OOPSLA 2023).

use super::prelude::*;
use rand_core::Rng;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "changes view, slot or digest of its messages a little",
    "Each altered message is refused, kept for later, or one vote of one gateway.",
)
.fires(&["XP"]);

#[derive(Clone, Default)]
pub(super) struct SmallScope {
    last: Option<Digest>,
}

impl Behaviour for SmallScope {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let signed = message.message().and_then(|m| m.signed()).map(|(_, signed)| *signed);
        let (Some(signed), true) = (signed, message.strikes) else { return out.push(message.output) };
        let earlier = self.last.replace(signed.statement.digest).unwrap_or_default();
        let mut st = signed.statement;
        match cx.rng.next_u32() % 5 {
            0 => st.view.0 = st.view.0.saturating_add(1),
            1 => st.view.0 = st.view.0.saturating_sub(1),
            2 => st.seq.0 = st.seq.0.saturating_add(1),
            3 => st.seq.0 = st.seq.0.saturating_sub(1),
            _ => st.digest = earlier,
        }
        let Some(altered) = cx.sign(st) else { return };
        let mut output = message.output;
        if let Output::Send { packet: Packet::Pbft(m), .. } | Output::Fan { packet: Packet::Pbft(m), .. } = &mut output
        {
            *m = Arc::new(m.re_signed(altered));
        }
        out.push(output);
    }
}
