//! A gateway as judge (CLMMSC.md §11.3): a car publishes Z_i of its entry of a stored σ with a proof, and anybody opens
//! this one entry.
//!
//! The first gateway to find a proof good shows the complaint to all others; each judges it by itself, from its own chain.

use super::Css;
use crate::clmmsc::complaint;
use crate::clmmsc::{Check, SigmaId};
use crate::entities::actor::Role;
use crate::entities::fact::{ActorRule, FactKind};
use crate::entities::io::{Io, Output, cost};
use crate::entities::packet::Packet;
use crate::ledger::{Digest, Secs};
use crate::pbft::NodeId;
use std::sync::Arc;

impl Css {
    pub(super) fn on_complaint(&mut self, from: NodeId, about: SigmaId, proof: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let (sigma, who) = (Digest(about.0), setup.actor(from));
        let Some((height, bytes, time)) = self.stored(&sigma) else {
            let (what, reason) = ("complaint".to_owned(), "the ciphertext is not in this chain".to_owned());
            return io.ruled(FactKind::Refused { what, reason, sigma: Some(sigma), from: who }, ActorRule::En9);
        };
        // What stands in the chain was valid at the time of its block.
        let Ok(verified) = io.bench.verify(&bytes, time) else { return };
        io.bench.charge(cost::JUDGE);
        let complaint = match complaint::check(&setup.params, verified.head(), proof) {
            Ok(complaint) => complaint,
            Err(failure) => return io.refuse("complaint", failure, Some(sigma), who),
        };
        let rid = complaint.record.rid;
        if !self.judged.insert((about, rid)) {
            return;
        }
        let pinned = self.genesis.as_ref().map(|g| g.pinned(Role::Csc)).unwrap_or_default();
        let found = complaint::finding(&setup.params, &verified, &complaint, &pinned);
        let (check, sender, error) = match found {
            Ok(opened) => (Check::R10, Some(Digest(opened.sender_rid.0)), None),
            Err(failure) => (failure.check, None, Some(failure.error.name().to_owned())),
        };
        io.ruled(FactKind::Judged { sigma, rid: Digest(rid.0), height, sender, error }, check);
        let to: Arc<[NodeId]> =
            (0..setup.n).filter(|i| *i != self.me().index && NodeId(*i) != from).map(NodeId).collect();
        if who.is_none_or(|actor| actor.role != Role::Css) {
            io.out.push(Output::Fan { to, packet: Packet::Complaint { about, proof: proof.clone() } });
        }
    }

    /// A stored σ: height of its block, its bytes, the time of the block.
    fn stored(&self, sigma: &Digest) -> Option<(u64, Arc<[u8]>, Secs)> {
        let chain = self.replica.as_ref()?.chain();
        let height = chain.find(sigma)?.height;
        let block = chain.block(height)?;
        let tx = block.proposal.as_ref()?.txs.iter().find(|tx| tx.id == *sigma)?;
        Some((height.0, tx.shared_bytes(), block.header.time))
    }
}
