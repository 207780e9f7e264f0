//! A gateway as judge (CLMMSC.md §11.3, §11.4): a car publishes Z_i of its entry of a stored σ with a proof, and anybody
//! opens this one entry; the KGC names the owner of a ticket with the owner's own request, and anybody checks it.
//!
//! The first gateway to find a proof good shows the complaint to all others; each judges it by itself, from its own chain.

use super::Css;
use crate::clmmsc::complaint;
use crate::clmmsc::ticket_opening::{self, Claim};
use crate::clmmsc::{Check, Error, Failure, SigmaId};
use crate::entities::actor::{ActorId, Role};
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
            Ok(opened) => (Check::R10, Some(Box::new(Digest(opened.sender_rid.0))), None),
            Err(failure) => (failure.check, None, Some(failure.error.name().to_owned())),
        };
        io.ruled(FactKind::Judged { sigma, rid: Box::new(Digest(rid.0)), height, sender, error }, check);
        let to: Arc<[NodeId]> =
            (0..setup.n).filter(|i| *i != self.me().index && NodeId(*i) != from).map(NodeId).collect();
        if who.is_none_or(|actor| actor.role != Role::Css) {
            io.out.push(Output::Fan { to, packet: Packet::Complaint { about, proof: proof.clone() } });
        }
    }

    /// A claim holds if the owner, known by its pinned record, signed a request for exactly this ticket.
    pub(super) fn on_claim(&mut self, claim: &Claim, io: &mut Io<'_, '_>) {
        let params = &self.enrolment.setup.params;
        let nullifier = Digest(claim.ticket.rid(params).0);
        let mut refuse = |reason: &str| {
            let (what, reason) = ("claim".to_owned(), reason.to_owned());
            io.ruled(FactKind::Refused { what, reason, sigma: None, from: None }, ActorRule::En9);
        };
        let taken = self.replica.as_ref().and_then(|r| r.chain().by_nullifier(&nullifier));
        let Some((sigma, _)) = taken.and_then(|taken| taken.by) else {
            return refuse("no ciphertext of this chain has this ticket");
        };
        let Some(owner) = ActorId::from_uid(claim.uid) else { return refuse("the claim names no user") };
        io.bench.charge(cost::VERIFY);
        let unknown = Failure { check: Check::T1, error: Error::Unpinned };
        let own = self.genesis.as_ref().and_then(|g| g.record(owner)).ok_or(unknown);
        let judged = own.and_then(|own| ticket_opening::check(params, claim, &own.record));
        let error = judged.err().map(|failure| failure.error.name().to_owned());
        io.ruled(FactKind::ClaimJudged { sigma, owner, error }, Check::T1);
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
