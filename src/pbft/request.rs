//! Requests, data sets and proposals (CONSENSUS.md §3.4, §3.5; paper §4.3: the primary collects the data set of each
//! secondary and builds the block).
//!
//! The primary serves all contributors in turn, so a correct one never leaves out what it could include for long.

use super::io::{Io, Record, Timer};
use super::log::Accepted;
use super::message::{DataSet, Message};
use super::pool::Item;
use super::replica::Replica;
use super::rule::{About, Reason, Rule};
use super::types::{ReplicaId, VerifyError};
use crate::ledger::{Micros, Proposal, Secs, Seq, Sigma};
use std::sync::Arc;

impl Replica {
    /// OSDI'99 §4.1: a request arrives; a request is a ciphertext.
    pub(super) fn on_ciphertext(&mut self, now: Micros, sigma: &Arc<Sigma>, io: &mut Io<'_>) {
        match self.check_request(now, sigma, self.me, io) {
            Ok(()) => {
                io.accept(Rule::Rq4, About::Sigma(sigma.id));
                self.pool_insert(now, sigma, self.me, false, io);
            }
            Err((rule, reason)) => io.reject(rule, reason, About::Sigma(sigma.id)),
        }
    }

    /// RQ-1 to RQ-4; the costly RQ-1 not for what waits already or finds no room, so that a flood under overload does not
    /// keep a gateway from agreeing. What is in the pool already counts as brought by this contributor too, as far as its
    /// share goes.
    fn check_request(
        &mut self,
        now: Micros,
        sigma: &Sigma,
        from: ReplicaId,
        io: &mut Io<'_>,
    ) -> Result<(), (Rule, Reason)> {
        let room = self.pool.share(from) < self.cfg.share_max();
        let waits = self.pool.contains(&sigma.id);
        if !waits && sigma.bytes().len() as u64 > self.cfg.policy.batch_bytes {
            return Err((Rule::Rq4, Reason::TooLarge));
        }
        if !waits && (!room || self.pool.len() as u64 >= self.cfg.pool_max) {
            return Err((Rule::Rq4, Reason::PoolFull));
        }
        if !self.pool.holds(sigma) {
            let verdict = io.verify.ciphertext(sigma, self.cfg.unix(now));
            verdict.map_err(|e| (Rule::Rq1, Reason::BadCiphertext(e)))?;
        }
        if let Some(taken) = self.chain.by_nullifier(&sigma.nullifier) {
            let other = taken.by.is_some_and(|(id, _)| id != sigma.id);
            return Err((Rule::Rq2, if other { Reason::DoubleUse } else { Reason::AlreadyStored }));
        }
        if waits && room {
            self.pool.offer(&sigma.id, from);
        }
        if waits { Err((Rule::Rq3, Reason::Duplicate)) } else { Ok(()) }
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
            match self.check_request(now, sigma, st.sender, io) {
                Ok(()) => {
                    io.accept(Rule::Rq4, item);
                    self.pool_insert(now, sigma, st.sender, relayed, io);
                    taken += 1;
                }
                Err((rule, reason)) => io.reject(rule, reason, item),
            }
        }
        io.accept(Rule::Ds3, about(taken));
    }

    fn pool_insert(&mut self, now: Micros, sigma: &Arc<Sigma>, from: ReplicaId, relayed: bool, io: &mut Io<'_>) {
        self.pool.insert(sigma.clone(), from, relayed, now);
        self.activate(now);
        self.schedule_batch(now, io);
        let full = self.cfg.policy.batch_max;
        if self.pool.len() as u64 >= full && self.unsent().count() as u64 >= full {
            self.cancel(Timer::Batch, io);
            self.on_batch(now, io);
        }
    }

    /// Ciphertexts of an accepted proposal are known to all gateways.
    pub(super) fn pool_from_proposal(&mut self, now: Micros, proposal: &Proposal) {
        let primary = self.primary();
        for sigma in &proposal.txs {
            let room = (self.pool.len() as u64) < self.cfg.pool_max && self.pool.share(primary) < self.cfg.share_max();
            if room && self.chain.by_nullifier(&sigma.nullifier).is_none() {
                self.pool.insert(sigma.clone(), primary, true, now);
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

    /// Items for the next batch: eligible ones at the primary, unsent active ones at a backup. What is not yet active waits
    /// where it is, or every new primary would have to verify the pools of all before it can agree on anything.
    fn unsent(&self) -> impl Iterator<Item = &Item> {
        let primary = self.is_primary();
        self.pool.iter().filter(move |i| (primary || i.active && !i.sent) && !self.busy.contains(&i.sigma.nullifier))
    }

    pub(super) fn schedule_batch(&mut self, now: Micros, io: &mut Io<'_>) {
        // A primary with a full pipeline proposes again when a slot executes.
        let able = self.normal() && (!self.is_primary() || self.may_propose());
        if able && !self.is_set(Timer::Batch) && self.unsent().next().is_some() {
            self.set(Timer::Batch, Micros(now.0.saturating_add(self.cfg.batch_delay.0)), now, io);
        }
    }

    /// Tickets in slots accepted in this view and not yet executed.
    pub(super) fn refresh_busy(&mut self) {
        let open = self.log.open(self.executed()).filter_map(|(_, slot, _)| slot.body());
        self.busy = open.flat_map(|body| &body.txs).map(|sigma| sigma.nullifier).collect();
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
            let busy = self.busy.clone();
            let items = self.take_set(|i| i.active && !i.sent && !busy.contains(&i.sigma.nullifier), |i| i.sent = true);
            if !items.is_empty() {
                let set = self.next_data_set(items);
                io.send(Self::node(self.primary()), set);
            }
            self.schedule_batch(now, io);
        }
    }

    /// What is active and waits too long goes to all gateways, so that each of them watches the primary. What is not yet
    /// active waits its turn: under overload, all of it sent to all would keep everybody from agreeing. Who is between views
    /// relays as well: it may be so alone and for ever, and others are served meanwhile.
    pub(super) fn on_relay(&mut self, now: Micros, io: &mut Io<'_>) {
        self.drop_expired(now, io);
        let patience = self.cfg.relay_after.0;
        let old = |i: &Item| i.active && !i.relayed && i.clock.0.saturating_add(patience) <= now.0;
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
    fn take_set(&mut self, wanted: impl Fn(&Item) -> bool, mark: impl Fn(&mut Item)) -> Vec<Arc<Sigma>> {
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
            let txs = self.pick(self.next_seq, time, io);
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
        executed >= self.low()
            && self.next_seq.0 <= last
            && (executed.0 + 1..self.next_seq.0).all(|s| {
                let slot = self.log.slot(Seq(s));
                slot.is_some_and(|x| x.complete())
            })
    }

    /// Fair by construction: one place per visit, the contributors in turn, each one's oldest first. So a full block has
    /// at least `quota` places for everybody, whatever others stuff into their queues.
    fn pick(&self, seq: Seq, time: Secs, io: &mut Io<'_>) -> Vec<Arc<Sigma>> {
        let n = self.cfg.quorum.n();
        let first = (seq.0 % u64::from(n)) as u16;
        let mut used = self.busy.clone();
        let mut cursors = vec![0; usize::from(n)];
        let (mut txs, mut bytes) = (Vec::new(), 0);
        loop {
            let before = txs.len();
            for who in (0..n).map(|i| (first + i) % n) {
                let cursor = &mut cursors[usize::from(who)];
                while let Some(item) = self.pool.next_of(ReplicaId(who), cursor) {
                    let sigma = &item.sigma;
                    if used.contains(&sigma.nullifier) || io.verify.ciphertext(sigma, time).is_err() {
                        continue;
                    }
                    let more = bytes + sigma.bytes().len() as u64;
                    if more > self.cfg.policy.batch_bytes {
                        *cursor = u64::MAX; // the turn of this one comes first in another block
                        break;
                    }
                    used.insert(sigma.nullifier);
                    bytes = more;
                    txs.push(sigma.clone());
                    break;
                }
                if txs.len() as u64 >= self.cfg.policy.batch_max {
                    return txs;
                }
            }
            if txs.len() == before {
                return txs;
            }
        }
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
        self.refresh_busy();
        self.next_seq = Seq(seq.0 + 1);
        io.broadcast(Message::PrePrepare(signed, proposal));
        self.check_prepared(now, seq, io);
        true
    }
}
