//! Proposes block A to some backups and block B to the others, then keeps silent about the slot (CONSENSUS.md §5.2).
//!
//! B holds the same σ one second later. It goes to q − 1 backups, enough to prepare and too few to commit, so whatever
//! the next primary does it has to carry B over or lose a block that somebody prepared.

use super::{Cx, proposal_of};
use crate::entities::Output;
use crate::ledger::{Proposal, Secs};
use crate::pbft::Quorum;
use crate::sim::trace::PacketInfo;
use std::collections::BTreeSet;

pub(super) fn act(
    struck: &mut BTreeSet<(u64, u64)>,
    cx: &mut Cx<'_>,
    output: Output,
    info: &PacketInfo,
    strikes: bool,
    out: &mut Vec<Output>,
) {
    let silenced = info.slot.is_some_and(|slot| struck.contains(&slot));
    let Some((to, signed, proposal)) = proposal_of(&output).filter(|_| strikes) else {
        if !silenced {
            out.push(output);
        }
        return;
    };
    let mut other = Proposal { header: proposal.header.clone(), txs: proposal.txs.clone() };
    other.header.time = Secs(other.header.time.0 + 1);
    let quorum = Quorum::new(cx.setup.n).map_or(0, |q| usize::from(q.strong()));
    let Some(packet_b) = cx.pre_prepare(signed, other) else { return };
    let Output::Fan { packet: packet_a, .. } = &output else { return };
    let split = to.len().saturating_sub(quorum.saturating_sub(1));
    struck.extend(info.slot);
    out.push(Output::Fan { to: to[..split].into(), packet: packet_a.clone() });
    out.push(Output::Fan { to: to[split..].into(), packet: packet_b });
}
