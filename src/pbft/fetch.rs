//! Bodies missing after a view change are asked from those who signed for them (CONSENSUS.md §3.9, NV-7, ST-1).
//!
//! Every answer proves itself; one correct holder among the peers is enough. No other state is transferred yet.

use super::io::{Io, Record, Timer};
use super::message::{Fetch, Message};
use super::proposal;
use super::replica::Replica;
use super::rule::{About, Reason, Rule};
use super::types::{NodeId, ReplicaId};
use crate::ledger::{Digest, Micros, Proposal, Seq};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
struct Want {
    seq: Seq,
    peers: Vec<ReplicaId>,
    /// Index of the peer asked last.
    asked: usize,
}

/// Open requests for bodies, by digest.
#[derive(Clone, Debug, Default)]
pub struct Fetches {
    wants: BTreeMap<Digest, Want>,
    requests: u64,
}

impl Fetches {
    pub fn wanted(&self) -> impl Iterator<Item = (Digest, Seq)> {
        self.wants.iter().map(|(digest, want)| (*digest, want.seq))
    }

    /// A new view decides anew what is missing.
    pub fn forget(&mut self) {
        self.wants.clear();
    }
}

impl Replica {
    pub(super) fn want_body(
        &mut self,
        now: Micros,
        digest: Digest,
        seq: Seq,
        mut peers: Vec<ReplicaId>,
        io: &mut Io<'_>,
    ) {
        peers.retain(|peer| *peer != self.me);
        self.fetches.wants.insert(digest, Want { seq, peers, asked: 0 });
        self.ask(digest, io);
        self.set_fetch_timer(now, io);
    }

    fn ask(&mut self, digest: Digest, io: &mut Io<'_>) {
        let Some(want) = self.fetches.wants.get(&digest) else { return };
        let Some(peer) = want.peers.get(want.asked) else { return };
        self.fetches.requests += 1;
        let fetch = self.safety.fetch(self.fetches.requests, digest, want.seq);
        io.send(Self::node(*peer), Message::Fetch(fetch));
    }

    fn set_fetch_timer(&mut self, now: Micros, io: &mut Io<'_>) {
        self.set(Timer::Fetch, Micros(now.0.saturating_add(self.cfg.fetch_timeout.0)), now, io);
    }

    /// No answer in time: the next signer is asked.
    pub(super) fn on_fetch_timer(&mut self, now: Micros, io: &mut Io<'_>) {
        let digests: Vec<Digest> = self.fetches.wants.keys().copied().collect();
        for digest in &digests {
            if let Some(want) = self.fetches.wants.get_mut(digest) {
                want.asked = (want.asked + 1) % want.peers.len().max(1);
            }
            self.ask(*digest, io);
        }
        if !digests.is_empty() {
            self.set_fetch_timer(now, io);
        }
    }

    /// Answers with a body that was voted for or fetched.
    pub(super) fn on_fetch(&mut self, fetch: &Fetch, from: NodeId, io: &mut Io<'_>) {
        let body = self.log.slot(fetch.seq).and_then(|slot| slot.bodies.get(&fetch.want)).cloned();
        match body {
            Some(body) => io.send(from, Message::Body(body)),
            None => {
                let view = self.level().view;
                let about = About::Slot { view, seq: fetch.seq, digest: fetch.want };
                io.reject(Rule::St1, Reason::BodyMissing, about);
            }
        }
    }

    /// ST-1, PP-7, PP-8: a body that was asked for and is the one named.
    pub(super) fn on_body(&mut self, now: Micros, body: &Arc<Proposal>, io: &mut Io<'_>) {
        let (digest, view) = (body.digest(), self.level().view);
        let Some(seq) = self.fetches.wants.get(&digest).map(|want| want.seq) else {
            return io.reject(Rule::St1, Reason::Unasked, About::Slot { view, seq: body.header.seq, digest });
        };
        let about = About::Slot { view, seq, digest };
        if let Err((rule, reason)) = proposal::check_body(&self.cfg, body, seq, &digest) {
            return io.reject(rule, reason, about);
        }
        io.accept(Rule::St1, about);
        self.fetches.wants.remove(&digest);
        if self.fetches.wants.is_empty() {
            self.cancel(Timer::Fetch, io);
        }
        io.persist(Record::Body { seq, proposal: body.clone() });
        let slot = self.log.slot_mut(seq);
        slot.bodies.insert(digest, body.clone());
        let waits = slot.pp.is_some_and(|pp| pp.digest == digest);
        if waits && self.normal() {
            self.pool_from_proposal(now, body);
            self.vote(now, seq, io);
        }
        self.execute_ready(now, io);
    }
}
