//! FETCH and what comes of it: how a replica gets what it missed (CONSENSUS.md §3.9). What it gives to others is `answer`.
//!
//! Every answer proves itself, so one correct holder among the peers is enough and nobody need be believed. Nothing is
//! taken that was not asked for.

use super::certificate::{Snapshot, StableProof};
use super::io::{Io, Record};
use super::message::{Message, Publish, Want};
use super::proposal;
use super::replica::Replica;
use super::rule::{About, Reason, Rule};
use super::types::ReplicaId;
use crate::ledger::codec::Writer;
use crate::ledger::proposal::null_digest;
use crate::ledger::state::State;
use crate::ledger::{BlockHeader, Chain, Digest, Micros, Proposal, Seq};
use crate::mutants::mutant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most blocks in one answer, and most messages in the answer to one STATUS.
pub(super) const BURST: usize = 64;

/// One open question.
#[derive(Clone, Debug)]
struct Open {
    /// Whom to ask, in turn.
    peers: Vec<ReplicaId>,
    /// How often somebody was asked.
    asked: usize,
    /// When the next peer is asked.
    due: Micros,
}

/// The state is behind `target`.
#[derive(Clone, Debug)]
struct Sync {
    target: Seq,
    /// The own state is no use: only a snapshot helps.
    snapshot: bool,
    open: Open,
}

/// Open questions and answers given.
#[derive(Clone, Debug, Default)]
pub struct Transfer {
    wants: BTreeMap<Want, Open>,
    sync: Option<Sync>,
    /// Blocks below a snapshot that was installed.
    backfill: Option<Open>,
    requests: u64,
    /// When an asker last got an answer of a kind: FETCH by its want (bodies by slot), STATUS as 0.
    answered: BTreeMap<(ReplicaId, u8, Seq), Micros>,
}

impl Transfer {
    /// ST-2: whether an answer of this kind may go out now; one that may is noted.
    pub(super) fn may_answer(&mut self, now: Micros, pause: u64, who: ReplicaId, kind: u8, seq: Seq) -> bool {
        self.answered.retain(|_, at| at.0.saturating_add(pause) > now.0);
        let free = !self.answered.contains_key(&(who, kind, seq));
        if free {
            self.answered.insert((who, kind, seq), now);
        }
        free
    }

    /// Bodies that are missing.
    pub fn bodies(&self) -> impl Iterator<Item = Want> {
        self.wants.keys().copied().filter(|want| matches!(want, Want::Body { .. }))
    }

    /// The height that catching up aims at.
    pub fn target(&self) -> Option<Seq> {
        self.sync.as_ref().map(|sync| sync.target)
    }

    /// Something that this replica cannot go on without is asked for.
    pub(super) fn busy(&self) -> bool {
        !self.wants.is_empty() || self.sync.is_some()
    }

    /// When the next peer must be asked.
    pub(super) fn due(&self) -> Option<Micros> {
        let sync = self.sync.as_ref().map(|sync| &sync.open);
        self.wants.values().chain(sync).chain(&self.backfill).map(|open| open.due).min()
    }

    /// A new view decides anew which bodies are missing.
    pub(super) fn leave_view(&mut self) {
        self.wants.retain(|want, _| !matches!(want, Want::Body { .. }));
    }

    /// What is stable is not wanted slot by slot.
    pub(super) fn forget(&mut self, low: Seq) {
        self.wants.retain(|want, _| !matches!(want, Want::Body { seq, .. } if *seq <= low));
        self.wants.remove(&Want::Stable);
    }

    pub(super) fn write_digest_of(&self, w: &mut Writer) {
        let sync = self.sync.as_ref().map(|sync| {
            w.u64(sync.target.0).u8(u8::from(sync.snapshot));
            &sync.open
        });
        for want in self.wants.keys() {
            want.write(w);
        }
        for open in self.wants.values().chain(sync).chain(&self.backfill) {
            w.u64(open.asked as u64).u64(open.due.0);
            open.peers.iter().for_each(|peer| {
                w.u16(peer.0);
            });
        }
        for ((who, kind, seq), at) in &self.answered {
            w.u16(who.0).u8(*kind).u64(seq.0).u64(at.0);
        }
        w.u64(self.requests);
    }
}

impl Replica {
    // ---- asking

    /// All others, beginning with a hint or the next in order.
    pub(super) fn peers_from(&self, first: Option<ReplicaId>) -> Vec<ReplicaId> {
        let n = self.cfg.quorum.n();
        let start = first.filter(|who| *who != self.me).map_or((self.me.0 + 1) % n, |who| who.0);
        (0..n).map(|i| ReplicaId((start + i) % n)).filter(|who| *who != self.me).collect()
    }

    fn later(&self, now: Micros) -> Micros {
        Micros(now.0.saturating_add(self.cfg.fetch_timeout.0))
    }

    /// Asks for something of which `peers` may have a copy, until it comes.
    pub(super) fn want(&mut self, now: Micros, want: Want, mut peers: Vec<ReplicaId>, io: &mut Io<'_>) {
        peers.retain(|peer| *peer != self.me);
        if self.xfer.wants.contains_key(&want) || peers.is_empty() {
            return;
        }
        let mut open = Open { peers, asked: 0, due: now };
        self.ask(now, want, &mut open, io);
        self.xfer.wants.insert(want, open);
    }

    fn ask(&mut self, now: Micros, want: Want, open: &mut Open, io: &mut Io<'_>) {
        let Some(peer) = open.peers.get(open.asked % open.peers.len().max(1)).copied() else { return };
        open.asked += 1;
        open.due = self.later(now);
        self.xfer.requests += 1;
        let fetch = self.safety.fetch(self.xfer.requests, want);
        io.send(Self::node(peer), Message::Fetch(fetch));
    }

    /// The state is behind: blocks are fetched, at once or, if they are likely to come by themselves, in a while.
    pub(super) fn behind(&mut self, now: Micros, target: Seq, hint: Option<ReplicaId>) {
        if target <= self.executed() {
            return;
        }
        let near = target <= self.window().high && self.executed() >= self.low();
        let due = if near { self.later(now) } else { now };
        match &mut self.xfer.sync {
            Some(sync) => {
                sync.target = sync.target.max(target);
                sync.open.due = sync.open.due.min(due);
            }
            None => {
                let open = Open { peers: self.peers_from(hint), asked: 0, due };
                self.xfer.sync = Some(Sync { target, snapshot: false, open });
            }
        }
    }

    /// The own state is wrong: only a proven one helps.
    pub(super) fn behind_snapshot(&mut self, now: Micros, target: Seq, io: &mut Io<'_>) {
        let mut open = Open { peers: self.peers_from(None), asked: 0, due: now };
        self.ask(now, Want::Snapshot, &mut open, io);
        self.xfer.sync = Some(Sync { target, snapshot: true, open });
    }

    /// No answer in time: the next peer is asked. What nobody had in two rounds is given up, unless we cannot go on
    /// without it.
    pub(super) fn on_fetch_timer(&mut self, now: Micros, io: &mut Io<'_>) {
        if self.ckpt.due().is_some_and(|due| due <= now) {
            self.adopt_aside(now, io);
        }
        let due: Vec<Want> = self.xfer.wants.iter().filter(|(_, open)| open.due <= now).map(|(w, _)| *w).collect();
        for want in due {
            let Some(mut open) = self.xfer.wants.remove(&want) else { continue };
            let vital = matches!(want, Want::Body { .. });
            if vital || open.asked < 2 * open.peers.len() {
                self.ask(now, want, &mut open, io);
                self.xfer.wants.insert(want, open);
            }
        }
        if self.xfer.sync.as_ref().is_some_and(|sync| sync.open.due <= now) {
            self.ask_sync(now, io);
        }
        if self.xfer.backfill.as_ref().is_some_and(|open| open.due <= now) {
            self.ask_backfill(now, io);
        }
    }

    fn ask_sync(&mut self, now: Micros, io: &mut Io<'_>) {
        let Some(mut sync) = self.xfer.sync.take() else { return };
        let executed = self.executed();
        let vital = executed < self.low() || sync.snapshot;
        let done = executed >= sync.target || sync.open.asked >= 2 * sync.open.peers.len();
        if done && !vital {
            return;
        }
        let blocks = Want::Blocks { from: Seq(executed.0 + 1), to: sync.target };
        self.ask(now, if sync.snapshot { Want::Snapshot } else { blocks }, &mut sync.open, io);
        self.xfer.sync = Some(sync);
    }

    /// Blocks came by themselves before they were fetched.
    pub(super) fn end_sync(&mut self) {
        let reached = |sync: &Sync| !sync.snapshot && sync.target <= self.chain.height();
        if self.xfer.sync.as_ref().is_some_and(reached) && self.executed() >= self.low() {
            self.xfer.sync = None;
        }
    }

    /// A chain that begins above genesis is completed in quiet moments, if old blocks are kept at all.
    pub(super) fn begin_backfill(&mut self, now: Micros) {
        if self.cfg.retain.is_none() && self.chain.base() > Seq(0) {
            self.xfer.backfill = Some(Open { peers: self.peers_from(None), asked: 0, due: self.later(now) });
        }
    }

    fn ask_backfill(&mut self, now: Micros, io: &mut Io<'_>) {
        let Some(mut open) = self.xfer.backfill.take() else { return };
        let to = self.chain.base();
        if to == Seq(0) || open.asked >= 2 * open.peers.len() {
            return;
        }
        let from = Seq(to.0.saturating_sub(BURST as u64 - 1).max(1));
        self.ask(now, Want::Blocks { from, to }, &mut open, io);
        self.xfer.backfill = Some(open);
    }

    // ---- what comes

    /// ST-1, PP-7, PP-8: a body that was asked for and is the one named.
    pub(super) fn on_body(&mut self, now: Micros, body: &Arc<Proposal>, io: &mut Io<'_>) {
        let (digest, seq, view) = (body.digest(), body.header.seq, self.level().view);
        let about = About::Slot { view, seq, digest };
        if !self.xfer.wants.contains_key(&Want::Body { seq, digest }) {
            return io.reject(Rule::St1, Reason::Unasked, about);
        }
        if let Err((rule, reason)) = proposal::check_body(&self.cfg, body, seq, &digest)
            && !mutant!("body-root")
        {
            return io.reject(rule, reason, about);
        }
        io.accept(Rule::St1, about);
        self.xfer.wants.remove(&Want::Body { seq, digest });
        io.persist(Record::Body { seq, proposal: body.clone() });
        let slot = self.log.slot_mut(seq);
        slot.bodies.insert(digest, body.clone());
        let waits = slot.pp.is_some_and(|pp| pp.digest == digest);
        self.refresh_busy();
        if waits && self.normal() {
            self.pool_from_proposal(now, body);
            self.vote(now, seq, io);
        }
        self.execute_ready(now, io);
    }

    /// ST-1, X-2: blocks in order, each with the certificate of its slot. Headers are computed, not believed.
    pub(super) fn on_blocks(&mut self, now: Micros, blocks: &[Publish], io: &mut Io<'_>) {
        let first = blocks.first().map_or(Seq(0), |b| b.cert.seq);
        if self.xfer.backfill.is_some() && first <= self.chain.base() {
            return self.on_older_blocks(now, blocks, io);
        }
        let about = About::State { seq: first, digest: blocks.first().map_or(Digest::ZERO, |b| b.cert.digest) };
        if self.xfer.sync.as_ref().is_none_or(|sync| sync.snapshot) {
            return io.reject(Rule::St1, Reason::Unasked, about);
        }
        let before = self.executed();
        for Publish { block, cert } in blocks {
            if cert.seq <= self.executed() {
                continue;
            }
            let slot = About::Slot { view: cert.view, seq: cert.seq, digest: cert.digest };
            let body = block.proposal.as_ref();
            let checked = match body {
                Some(body) => proposal::check_body(&self.cfg, body, cert.seq, &cert.digest),
                None if cert.digest == null_digest() => Ok(()),
                None => Err((Rule::X2, Reason::BodyMissing)),
            };
            if let Err((rule, reason)) = checked {
                io.reject(rule, reason, slot);
                break;
            }
            if cert.seq.0 != self.executed().0 + 1 || !cert.valid(&self.cfg, io.verify) {
                io.reject(Rule::X2, Reason::BadCertificate, slot);
                break;
            }
            io.accept(Rule::X2, slot);
            if self.window().contains(cert.seq) {
                let kept = self.log.slot_mut(cert.seq);
                kept.committed = Some(cert.clone());
                kept.bodies.extend(body.map(|body| (cert.digest, body.clone())));
            }
            self.execute(now, cert.clone(), body, io);
        }
        if self.executed() > before {
            self.settle(now, io);
        }
    }

    /// Catching up made progress: it goes on, or ends with the votes that had to wait for it.
    pub(super) fn settle(&mut self, now: Micros, io: &mut Io<'_>) {
        if let Some(sync) = &mut self.xfer.sync {
            sync.open.asked %= sync.open.peers.len().max(1);
            if sync.target > self.chain.height() {
                return self.ask_sync(now, io);
            }
            self.xfer.sync = None;
        }
        if self.executed() < self.low() {
            return;
        }
        let open: Vec<Seq> = self.log.open(self.low()).map(|(seq, ..)| seq).collect();
        for seq in open {
            self.vote(now, seq, io);
            self.check_committed(now, seq, io);
        }
        self.execute_ready(now, io);
        self.replay_held(now, io);
        self.try_propose(now, io);
    }

    /// ST-1: a state that q vouch for, recomputed from its header and nullifiers.
    pub(super) fn on_snapshot(&mut self, now: Micros, snapshot: &Arc<Snapshot>, io: &mut Io<'_>) {
        let (seq, digest) = (snapshot.proof.seq, snapshot.proof.state_digest);
        let about = About::State { seq, digest };
        if self.xfer.sync.is_none() || seq <= self.executed() {
            return io.reject(Rule::St1, Reason::Unasked, about);
        }
        let Some(state) = snapshot.state(&self.cfg, io.verify) else {
            return io.reject(Rule::St1, Reason::BadSnapshot, about);
        };
        io.persist(Record::Snapshot(snapshot.clone()));
        io.accept(Rule::St1, about);
        self.reset_chain(snapshot.header.clone(), Arc::new(state));
        self.own_from_chain();
        self.safety.set_diverged(false);
        if let Some(sync) = &mut self.xfer.sync {
            sync.snapshot = false;
        }
        self.advance(now, Arc::new(snapshot.proof.clone()), io);
        self.begin_backfill(now);
        self.after_execution(now);
        self.settle(now, io);
    }

    /// Begins the chain anew at a state.
    pub(super) fn reset_chain(&mut self, header: BlockHeader, state: Arc<State>) {
        self.chain = Arc::new(Chain::at(self.cfg.policy.clone(), header, state));
        self.certs = Arc::default();
    }

    /// Blocks below an installed state, along the parent links from the newest down.
    fn on_older_blocks(&mut self, now: Micros, blocks: &[Publish], io: &mut Io<'_>) {
        let before = self.chain.base();
        let genesis = BlockHeader::genesis(self.cfg.network_id, self.cfg.genesis_time);
        for (at, Publish { block, cert }) in blocks.iter().enumerate().rev() {
            let parent = match at.checked_sub(1).and_then(|below| blocks.get(below)) {
                Some(below) => below.block.header.clone(),
                None if block.header.height == Seq(1) => genesis.clone(),
                None => break,
            };
            let slot = About::Slot { view: cert.view, seq: block.header.height, digest: block.header.proposal };
            let fits = cert.digest == block.header.proposal && cert.seq == block.header.height;
            if !fits || Arc::make_mut(&mut self.chain).prepend(block, parent).is_err() {
                io.reject(Rule::St1, Reason::BadHeader, slot);
                break;
            }
            if cert.valid(&self.cfg, io.verify) {
                Arc::make_mut(&mut self.certs).insert(cert.seq, cert.clone());
            }
            io.persist(Record::Block { block: block.clone(), cert: cert.clone() });
        }
        if self.chain.base() < before
            && let Some(open) = &mut self.xfer.backfill
        {
            open.asked = 0;
            open.due = now;
            io.accept(Rule::St1, About::State { seq: self.chain.base(), digest: self.chain.head_digest() });
        }
    }

    /// ST-1: a proof of a stable state. It says nothing but the truth, asked for or not; but only asked for it is checked.
    pub(super) fn on_stable(&mut self, now: Micros, proof: &Arc<StableProof>, io: &mut Io<'_>) {
        let about = About::State { seq: proof.seq, digest: proof.state_digest };
        if proof.seq <= self.low() {
            return io.reject(Rule::St1, Reason::BelowWindow, about);
        }
        if !proof.valid(&self.cfg, io.verify) {
            return io.reject(Rule::St1, Reason::BadCertificate, about);
        }
        // The proof, not yet the state.
        io.accept(Rule::St1, About::View(self.level().view));
        self.adopt(now, proof.clone(), io);
    }
}
