//! A pile's copy of the chain: which block holds what it acts on (WORLD.md §4, §7.5). Nothing that it does waits for it.

use super::Cp;
use super::transaction::Order;
use crate::clmmsc::verify::VerifiedSigma;
use crate::entities::actor::ActorId;
use crate::entities::copy::ChainCopy;
use crate::entities::io::Io;
use crate::entities::unstored::UNSEEN;
use crate::ledger::{Chain, Digest, Micros};
use crate::pbft;

impl Cp {
    /// What it keeps of the chain, once genesis is made.
    pub fn copy(&self) -> Option<&ChainCopy> {
        self.copy.as_ref()
    }

    /// The chain as the pile has it, once genesis is made.
    pub fn chain(&self) -> Option<&Chain> {
        self.copy.as_ref().map(ChainCopy::chain)
    }

    pub(super) fn on_publish(&mut self, now: Micros, from: Option<ActorId>, msg: &pbft::Message, io: &mut Io<'_, '_>) {
        let Some(copy) = self.copy.as_mut() else { return };
        if copy.hear(from, msg, io) {
            self.unstored.settle(now, copy.chain(), io);
        }
    }

    /// It acts on σ now; a bill is to name the block that holds it.
    pub(super) fn acts_on(&mut self, now: Micros, verified: &VerifiedSigma, io: &mut Io<'_, '_>) {
        let (sigma, header) = (Digest(verified.id().0), verified.header());
        if self.chain().is_some_and(|chain| chain.find(&sigma).is_none()) {
            let wait = UNSEEN * self.enrolment.setup.agreement.t0.0;
            let expires = header.created.saturating_add(header.ttl.into());
            self.unstored.expect(now, sigma, vec![], wait, expires, io);
        }
    }

    /// A block that it should know by now was not published to it, or not to anybody.
    pub(super) fn look_again(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        self.unstored.due(now, self.enrolment.setup.unix(now).0, u64::MAX, io);
        if let Some(copy) = self.copy.as_mut() {
            copy.miss(io);
        }
    }

    /// Block of each σ obeyed, once the chain's copy here knows it.
    pub(super) fn heights(&self) -> Vec<Option<u64>> {
        let transaction = self.bay.as_ref().and_then(|bay| bay.transaction.as_ref());
        let orders = transaction.iter().flat_map(|t| t.older.iter().chain([&t.newest]));
        let find = |order: &Order| Some(self.chain()?.find(&Digest(order.sigma.0))?.height.0);
        orders.map(find).collect()
    }
}
