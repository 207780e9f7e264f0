//! Accuses a correct gateway (CONSENSUS.md §5.2): of an equivocation whose second half the accuser signed itself, and of a vote
//! that the accused was free to give. Evidence convicts by its content alone, and this content convicts nobody (EV-1).

use super::prelude::*;
use crate::pbft::evidence::Evidence;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "accuses an honest gateway",
    "The second signature is not the accused's, and the other vote was allowed: nobody believes the accuser.",
)
.fires(&["EV-1"]);

#[derive(Clone, Default)]
pub(super) struct EvidenceFraming {
    /// A vote that somebody else really gave.
    victim: Option<Signed>,
}

impl Behaviour for EvidenceFraming {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, input: &Input<'_>) -> Pass {
        if let Input::Deliver { packet: Packet::Pbft(message), .. } = input
            && let Message::Prepare(signed) = &**message
            && signed.statement.sender != cx.replica_id()
        {
            self.victim = Some(*signed);
        }
        Pass::On
    }

    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let votes = matches!(message.message().map(|m| &**m), Some(Message::Prepare(_) | Message::Commit(_)));
        let victim = self.victim.filter(|_| votes && message.strikes);
        out.push(message.output);
        let Some(victim) = victim else { return };
        let mut other = victim.statement;
        other.digest.0[0] ^= 1;
        let framed = cx.sign(other).map(|forged| Evidence::Equivocation(victim, forged));
        let accusations = framed.into_iter().chain([Evidence::PrimaryVote(victim)]);
        out.extend(accusations.map(|evidence| cx.to_others(Message::Evidence(Arc::new(evidence)))));
    }
}
