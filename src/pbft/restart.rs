//! Coming back after a crash (CONSENSUS.md §3.11): what was persisted is taken up, nothing outward is repeated.
//!
//! The same votes are given again on demand, byte for byte; peers hear by STATUS that something is missing. The pool
//! fills again from clients and peers. Without its records a replica may contradict itself: that is amnesia, and counts as
//! Byzantine.

use super::durable::Durable;
use super::io::Io;
use super::log::Accepted;
use super::message::{Kind, Message};
use super::replica::Replica;
use super::types::View;
use crate::ledger::state::State;
use crate::ledger::{BlockHeader, Chain, Micros, Seq};
use std::sync::Arc;

impl Replica {
    pub(super) fn start(&mut self, now: Micros, durable: Option<Box<Durable>>, io: &mut Io<'_>) {
        if let Some(durable) = durable {
            self.safety.restore(&durable);
            self.load_chain(&durable);
            self.load_slots(now, &durable);
            self.refresh_busy();
            if self.executed() < self.low() {
                self.behind(now, self.low(), None);
            }
            self.begin_backfill(now);
            io.broadcast(Message::Status(self.status()));
            if let Some(vc) = self.vcs.get(&self.me) {
                io.broadcast(Message::ViewChange(vc.clone()));
            }
        }
        self.schedule_status(now, io);
    }

    /// Blocks are applied again, from genesis or from the state that took the place of older ones.
    fn load_chain(&mut self, durable: &Durable) {
        if let Some(proof) = &durable.stable {
            self.restore_stable(proof.clone());
        }
        let mut chain = Chain::new(self.cfg.policy.clone(), self.cfg.network_id, self.cfg.genesis_time);
        if let Some(snapshot) = &durable.snapshot {
            let state = Arc::new(State::restore(&snapshot.live));
            chain = Chain::at(self.cfg.policy.clone(), snapshot.header.clone(), state);
        }
        self.chain = Arc::new(chain);
        self.certs = Arc::new(durable.blocks.iter().map(|(seq, (_, cert))| (*seq, cert.clone())).collect());
        let base = self.chain.base();
        self.own_from_chain();
        for (seq, (block, cert)) in durable.blocks.range(Seq(base.0 + 1)..) {
            if seq.0 != self.executed().0 + 1 {
                break;
            }
            Arc::make_mut(&mut self.chain).append(block.proposal.as_ref());
            self.progress_view = self.progress_view.max(cert.view);
            self.own_from_chain();
        }
        let genesis = BlockHeader::genesis(self.cfg.network_id, self.cfg.genesis_time);
        for (seq, (block, _)) in durable.blocks.range(..=base).rev() {
            let below = durable.blocks.get(&Seq(seq.0 - 1)).map(|(block, _)| block.header.clone());
            let parent = if *seq == Seq(1) { Some(genesis.clone()) } else { below };
            let fits = parent.is_some_and(|parent| Arc::make_mut(&mut self.chain).prepend(block, parent).is_ok());
            if !fits {
                break;
            }
        }
    }

    /// Bodies, certificates, and the proposals of the current view that the own records prove.
    fn load_slots(&mut self, now: Micros, durable: &Durable) {
        let low = self.low();
        for ((seq, digest), body) in durable.bodies.iter().filter(|((seq, _), _)| *seq > low) {
            self.log.slot_mut(*seq).bodies.insert(*digest, body.clone());
        }
        for (seq, cert) in durable.prepared.iter().filter(|(seq, _)| **seq > low) {
            self.log.slot_mut(*seq).prepared = Some(cert.clone());
        }
        let (certs, executed) = (self.certs.clone(), self.executed());
        for (seq, cert) in certs.iter().filter(|(seq, _)| **seq > low && **seq <= executed) {
            self.log.slot_mut(*seq).committed = Some(cert.clone());
        }
        self.new_view = durable.new_view.clone();
        let level = self.level();
        if level.changing {
            let own = durable.own_view_change.iter().filter(|vc| vc.target() == level.view);
            self.vcs.extend(own.map(|vc| (self.me, vc.clone())));
            return;
        }
        let deadline = Micros(now.0.saturating_add(self.timeout().0));
        let accepted = |view: View, digest, just, sig| Accepted { view, digest, just, sig, deadline };
        if let Some(nv) = self.new_view.clone() {
            self.base = nv.o.last().map_or(nv.signed.statement.seq, |fixed| fixed.seq);
            for fixed in nv.o.iter().filter(|fixed| fixed.seq > low) {
                self.log.slot_mut(fixed.seq).pp = Some(accepted(level.view, fixed.digest, nv.just(), fixed.pp_sig));
            }
        }
        let votes: Vec<(Kind, Seq)> = self.safety.votes().map(|(kind, seq, ..)| (kind, seq)).collect();
        let mut last = self.base.max(low);
        for (kind, seq) in votes.into_iter().filter(|(kind, seq)| kind.is_vote() && *seq > low) {
            let Some(signed) = self.safety.again(kind, level.view, seq) else { continue };
            let st = &signed.statement;
            let slot = self.log.slot_mut(seq);
            match kind {
                Kind::PrePrepare => {
                    slot.pp = Some(accepted(level.view, st.digest, st.just, signed.sig));
                    last = last.max(seq);
                }
                Kind::Prepare => slot.prepares.record(self.me, st.digest, st.just, signed.sig),
                _ => slot.commits.record(self.me, st.digest, st.just, signed.sig),
            }
        }
        self.next_seq = Seq(last.0 + 1);
        self.live.entered_at = self.executed();
    }
}
