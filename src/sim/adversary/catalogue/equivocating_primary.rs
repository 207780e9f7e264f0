//! Proposes block A to some backups and block B to the others, then keeps silent about the slot (CONSENSUS.md §5.2).
//!
//! B holds the same σ one second later. It goes to q − 1 backups, enough to prepare and too few to commit, so whatever
//! the next primary does it has to carry B over or lose a block that somebody prepared.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "proposes two different blocks",
    "Two signed pre-prepares for one slot; neither block can be committed in this view.",
)
.fires(&["TM-1", "EQ"]);

#[derive(Clone, Default)]
pub(super) struct EquivocatingPrimary {
    /// Slots (view, seq) in which it has struck.
    struck: BTreeSet<(u64, u64)>,
}

impl Behaviour for EquivocatingPrimary {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let silenced = message.info.slot.is_some_and(|slot| self.struck.contains(&slot));
        let Some((to, signed, proposal)) = proposal_of(&message.output).filter(|_| message.strikes) else {
            if !silenced {
                out.push(message.output);
            }
            return;
        };
        let mut other = Proposal::new(proposal.header.clone(), proposal.txs.clone());
        other.header.time = Secs(other.header.time.0 + 1);
        let quorum = Quorum::new(cx.setup.n).map_or(0, |q| usize::from(q.strong()));
        let Some(packet_b) = cx.pre_prepare(signed, other) else { return };
        let Output::Fan { packet: packet_a, .. } = &message.output else { return };
        let split = to.len().saturating_sub(quorum.saturating_sub(1));
        self.struck.extend(message.info.slot);
        out.push(Output::Fan { to: to[..split].into(), packet: packet_a.clone() });
        out.push(Output::Fan { to: to[split..].into(), packet: packet_b });
    }
}
