//! Requests, data sets and proposals (CONSENSUS.md §3.4, §3.5; paper §4.3: the primary collects the data set of each
//! secondary and builds the block).
//!
//! The pool is served oldest first. A correct primary must never leave out what it could include.

use super::io::{Io, Record, Timer};
use super::log::Accepted;
use super::message::{DataSet, Message};
use super::replica::Replica;
use super::rule::{About, Reason, Rule};
use super::types::VerifyError;
use crate::ledger::proposal::null_digest;
use crate::ledger::{Digest, Micros, Proposal, Secs, Seq, Sigma};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Replica {
    /// OSDI'99 §4.1: a request arrives; a request is a ciphertext.
    pub(super) fn on_ciphertext(&mut self, now: Micros, sigma: &Arc<Sigma>, io: &mut Io<'_>) {
        match self.check_request(now, sigma, io) {
            Ok(()) => {
                io.accept(Rule::Rq4, About::Sigma(sigma.id));
                self.pool_insert(now, sigma, false, io);
            }
            Err((rule, reason)) => io.reject(rule, reason, About::Sigma(sigma.id)),
        }
    }

    /// RQ-1 to RQ-4.
    fn check_request(&self, now: Micros, sigma: &Sigma, io: &mut Io<'_>) -> Result<(), (Rule, Reason)> {
        io.verify.ciphertext(sigma, self.cfg.unix(now)).map_err(|e| (Rule::Rq1, Reason::BadCiphertext(e)))?;
        match self.chain.by_nullifier(&sigma.nullifier) {
            Some(taken) if taken.sigma == sigma.id => return Err((Rule::Rq2, Reason::AlreadyStored)),
            Some(_) => return Err((Rule::Rq2, Reason::DoubleUse)),
            None => {}
        }
        if self.pool.contains(&sigma.id) {
            return Err((Rule::Rq3, Reason::Duplicate));
        }
        if sigma.bytes().len() as u64 > self.cfg.policy.batch_bytes {
            return Err((Rule::Rq4, Reason::TooLarge));
        }
        if self.pool.len() as u64 >= self.cfg.pool_max {
            return Err((Rule::Rq4, Reason::PoolFull));
        }
        Ok(())
    }

    /// Paper §4.3: the verified ciphertexts another gateway collected. A bad one is dropped, the rest kept.
    pub(super) fn on_data_set(&mut self, now: Micros, set: &DataSet, io: &mut Io<'_>) {
        let st = &set.signed.statement;
        let bytes: u64 = set.items.iter().map(|s| s.bytes().len() as u64).sum();
        let about = |count| About::DataSet { from: st.sender, number: st.seq.0, count };
        let total = set.items.len() as u32;
        if u64::from(total) > self.cfg.policy.batch_max || bytes > self.cfg.policy.batch_bytes {
            return io.reject(Rule::Ds2, Reason::TooLarge, about(total));
        }
        let relayed = !self.is_primary();
        let mut taken = 0;
        for sigma in &set.items {
            let item = About::Item { sigma: sigma.id, from: st.sender };
            match self.check_request(now, sigma, io) {
                Ok(()) => {
                    io.accept(Rule::Rq4, item);
                    self.pool_insert(now, sigma, relayed, io);
                    taken += 1;
                }
                Err((rule, reason)) => io.reject(rule, reason, item),
            }
        }
        io.accept(Rule::Ds3, about(taken));
    }

    fn pool_insert(&mut self, now: Micros, sigma: &Arc<Sigma>, relayed: bool, io: &mut Io<'_>) {
        self.pool.insert(sigma.clone(), relayed, now);
        self.activate(now);
        self.schedule_batch(now, io);
        if self.unsent() as u64 >= self.cfg.policy.batch_max {
            self.cancel(Timer::Batch, io);
            self.on_batch(now, io);
        }
    }

    /// Ciphertexts of an accepted proposal are known to all gateways.
    pub(super) fn pool_from_proposal(&mut self, now: Micros, proposal: &Proposal) {
        for sigma in &proposal.txs {
            let room = (self.pool.len() as u64) < self.cfg.pool_max;
            if room && self.chain.by_nullifier(&sigma.nullifier).is_none() {
                self.pool.insert(sigma.clone(), true, now);
            }
        }
        self.activate(now);
    }

    /// Gives the oldest items their deadlines, unless they expire about then.
    pub(super) fn activate(&mut self, now: Micros) {
        let timeout = self.timeout();
        let slack = timeout.0.saturating_add(self.cfg.relay_after.0) / 1_000_000 + self.cfg.drift;
        let worth = Secs(self.cfg.unix(now).0.saturating_add(slack));
        self.pool.activate(self.cfg.active_max(), Micros(now.0.saturating_add(timeout.0)), worth);
    }

    /// Items for the next batch: eligible ones at the primary, unsent ones at a backup.
    fn unsent(&self) -> usize {
        let busy = self.in_flight();
        let primary = self.is_primary();
        self.pool.iter().filter(|i| (primary || !i.sent) && !busy.contains(&i.sigma.nullifier)).count()
    }

    pub(super) fn schedule_batch(&mut self, now: Micros, io: &mut Io<'_>) {
        // A primary with a full pipeline proposes again when a slot executes.
        let able = self.normal() && (!self.is_primary() || self.may_propose());
        if able && !self.is_set(Timer::Batch) && self.unsent() > 0 {
            self.set(Timer::Batch, Micros(now.0.saturating_add(self.cfg.batch_delay.0)), now, io);
        }
    }

    /// Tickets in slots accepted in this view and not yet executed.
    pub(super) fn in_flight(&self) -> BTreeSet<Digest> {
        let open = self.log.open(self.executed()).filter_map(|(_, slot, _)| slot.body());
        open.flat_map(|body| &body.txs).map(|sigma| sigma.nullifier).collect()
    }

    pub(super) fn drop_expired(&mut self, now: Micros, io: &mut Io<'_>) {
        for sigma in self.pool.drop_expired(self.cfg.unix(now)) {
            let expired = Reason::BadCiphertext(VerifyError("Expired".into()));
            io.reject(Rule::Rq1, expired, About::Sigma(sigma.id));
        }
        self.activate(now);
    }

    pub(super) fn on_batch(&mut self, now: Micros, io: &mut Io<'_>) {
        self.drop_expired(now, io);
        if self.is_primary() {
            self.try_propose(now, io);
        } else if self.normal() {
            let busy = self.in_flight();
            let items = self.take_set(|i| !i.sent && !busy.contains(&i.sigma.nullifier), |i| i.sent = true);
            if !items.is_empty() {
                let set = self.next_data_set(items);
                io.send(Self::node(self.primary()), set);
            }
            self.schedule_batch(now, io);
        }
    }

    /// What waits too long goes to all gateways, so that each of them watches the primary.
    pub(super) fn on_relay(&mut self, now: Micros, io: &mut Io<'_>) {
        self.drop_expired(now, io);
        if !self.normal() {
            return;
        }
        let patience = self.cfg.relay_after.0;
        let old = |i: &super::pool::Item| !i.relayed && i.clock.0.saturating_add(patience) <= now.0;
        let items = self.take_set(old, |i| {
            i.relayed = true;
            i.sent = true;
        });
        if !items.is_empty() {
            let set = self.next_data_set(items);
            io.broadcast(set);
        }
    }

    /// Oldest items that fit one data set, marked.
    fn take_set(
        &mut self,
        wanted: impl Fn(&super::pool::Item) -> bool,
        mark: impl Fn(&mut super::pool::Item),
    ) -> Vec<Arc<Sigma>> {
        let (most, room) = (self.cfg.policy.batch_max, self.cfg.policy.batch_bytes);
        let (mut items, mut bytes) = (Vec::new(), 0);
        for item in self.pool.iter_mut().filter(|i| wanted(i)) {
            let more = bytes + item.sigma.bytes().len() as u64;
            if items.len() as u64 >= most || more > room {
                break;
            }
            bytes = more;
            mark(item);
            items.push(item.sigma.clone());
        }
        items
    }

    fn next_data_set(&mut self, items: Vec<Arc<Sigma>>) -> Message {
        self.data_sets += 1;
        Message::DataSet(self.safety.data_set(self.data_sets, items))
    }

    /// OSDI'99 §4.2: the primary gives the next slots their proposals.
    pub(super) fn try_propose(&mut self, now: Micros, io: &mut Io<'_>) {
        while self.is_primary() && self.may_propose() {
            let time = self.cfg.unix(now).max(self.chain.head().time);
            let txs = self.pick(time, io);
            if txs.is_empty() {
                return;
            }
            if !self.propose(now, time, txs, io) {
                return;
            }
        }
        self.schedule_batch(now, io);
    }

    /// Room in the pipeline and all bodies below the next slot.
    fn may_propose(&self) -> bool {
        let executed = self.executed();
        let last = self.window().high.0.min(executed.0.saturating_add(self.cfg.pipeline));
        let null = null_digest();
        self.next_seq.0 <= last
            && (executed.0 + 1..self.next_seq.0).all(|s| {
                let slot = self.log.slot(Seq(s));
                slot.is_some_and(|x| x.body().is_some() || x.pp.is_some_and(|pp| pp.digest == null))
            })
    }

    /// The oldest eligible ciphertexts that fit a block.
    fn pick(&self, time: Secs, io: &mut Io<'_>) -> Vec<Arc<Sigma>> {
        let mut used = self.in_flight();
        let (mut txs, mut bytes) = (Vec::new(), 0);
        for item in self.pool.iter() {
            let more = bytes + item.sigma.bytes().len() as u64;
            if txs.len() as u64 >= self.cfg.policy.batch_max || more > self.cfg.policy.batch_bytes {
                break;
            }
            let fresh = !used.contains(&item.sigma.nullifier);
            if fresh && io.verify.ciphertext(&item.sigma, time).is_ok() {
                used.insert(item.sigma.nullifier);
                bytes = more;
                txs.push(item.sigma.clone());
            }
        }
        txs
    }

    fn propose(&mut self, now: Micros, time: Secs, txs: Vec<Arc<Sigma>>, io: &mut Io<'_>) -> bool {
        let seq = self.next_seq;
        let proposal = Arc::new(Proposal::build(self.cfg.network_id, seq, time, txs));
        let digest = proposal.digest();
        io.persist(Record::Body { seq, proposal: proposal.clone() });
        let signed = match self.safety.pre_prepare(seq, digest, self.window(), io) {
            Ok(signed) => signed,
            Err(refusal) => {
                self.refused(refusal, io);
                return false;
            }
        };
        let st = signed.statement;
        let deadline = Micros(now.0.saturating_add(self.timeout().0));
        let slot = self.log.slot_mut(seq);
        slot.pp = Some(Accepted { view: st.view, digest, just: st.just, sig: signed.sig, deadline });
        slot.bodies.insert(digest, proposal.clone());
        self.next_seq = Seq(seq.0 + 1);
        io.broadcast(Message::PrePrepare(signed, proposal));
        self.check_prepared(now, seq, io);
        true
    }
}
