//! One gateway's part in agreement as a function from inputs to outputs (CONSENSUS.md §3.2).
//!
//! Here: state, dispatch, the checks every signed message passes, timers. The rest of the replica is in `request`,
//! `normal`, `view_change` and `fetch`. It must never sign by itself (that is `safety`) nor read a clock.

use super::accuse::Faults;
use super::certificate::{CommitCertificate, InclusionProof, StableProof};
use super::config::Config;
use super::fetch::Fetches;
use super::io::{Input, Io, Output, Timer};
use super::log::{Held, Log};
use super::message::{DataSet, Envelope, Fetch, Kind, Message, NewView, Signed, ViewChange};
use super::new_view::{self, SLOT_MAX};
use super::pool::Pool;
use super::rule::{About, Reason, Rule};
use super::safety::{Level, Refusal, Safety, Window};
use super::types::{NodeId, ReplicaId, Signer, View};
use crate::ledger::codec::Writer;
use crate::ledger::hash::c32;
use crate::ledger::{Chain, Digest, Micros, Seq, Sigma};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A gateway of the consortium chain. Cloning it is cheap enough for snapshots of a run.
#[derive(Clone)]
pub struct Replica {
    pub(super) cfg: Arc<Config>,
    pub(super) me: ReplicaId,
    pub(super) safety: Safety,
    pub(super) log: Log,
    pub(super) pool: Pool,
    pub(super) chain: Arc<Chain>,
    /// Next slot to propose; meaningful at the primary only.
    pub(super) next_seq: Seq,
    /// Highest slot fixed by the NEW-VIEW of the current view.
    pub(super) base: Seq,
    /// Highest view among the certificates of executed slots.
    pub(super) progress_view: View,
    /// Highest VIEW-CHANGE per sender.
    pub(super) vcs: BTreeMap<ReplicaId, Arc<ViewChange>>,
    /// The view whose NEW-VIEW timer was started (VC-6, once per view).
    pub(super) awaited: View,
    pub(super) new_view: Option<Arc<NewView>>,
    pub(super) fetches: Fetches,
    pub(super) data_sets: u64,
    pub(super) faults: Faults,
    timers: BTreeMap<Timer, Micros>,
}

/// What a replica waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pending {
    /// It left its view; `have` of `need` gateways want the next one.
    ViewChange { target: View, have: u16, need: u16 },
    /// An accepted proposal has not been executed.
    Slot { seq: Seq, digest: Digest, prepares: u16, commits: u16 },
    /// The ciphertexts of a carried slot are being fetched.
    Body { seq: Seq, digest: Digest },
    /// Ciphertexts wait for a block.
    Pool { count: u64 },
    /// Votes are kept for a later view.
    Held { count: u64 },
}

/// A rule that failed.
pub(super) type Failure = (Rule, Reason);

/// What the statement of a message says.
pub(super) fn about(signed: &Signed) -> About {
    let st = &signed.statement;
    About::Message { kind: st.kind, from: st.sender, view: st.view, seq: st.seq, digest: st.digest }
}

impl Replica {
    /// A gateway at genesis.
    pub fn new(cfg: Arc<Config>, me: ReplicaId, signer: Arc<dyn Signer>) -> Self {
        let chain = Arc::new(Chain::new(cfg.policy.clone(), cfg.network_id, cfg.genesis_time));
        Replica {
            safety: Safety::new(cfg.clone(), me, signer),
            me,
            log: Log::default(),
            pool: Pool::default(),
            chain,
            next_seq: Seq(1),
            base: Seq(0),
            progress_view: View(0),
            vcs: BTreeMap::new(),
            awaited: View(0),
            new_view: None,
            fetches: Fetches::default(),
            data_sets: 0,
            faults: Faults::default(),
            timers: BTreeMap::new(),
            cfg,
        }
    }

    /// Reacts to one input at local time `now`; appends outputs in the order in which they must be carried out.
    pub fn step(&mut self, now: Micros, input: Input, io: &mut Io<'_>) {
        match input {
            Input::Start => {}
            Input::Deliver(envelope) => self.deliver(now, envelope, io),
            Input::Timer(timer) => {
                self.timers.remove(&timer);
                match timer {
                    Timer::Batch => self.on_batch(now, io),
                    Timer::Relay => self.on_relay(now, io),
                    Timer::Progress => self.on_progress(now, io),
                    Timer::NewView => self.on_new_view_timer(now, io),
                    Timer::Fetch => self.on_fetch_timer(now, io),
                }
            }
        }
        self.rearm(now, io);
    }

    fn deliver(&mut self, now: Micros, envelope: Envelope, io: &mut Io<'_>) {
        let msg = envelope.msg.clone();
        if let Some((kind, signed)) = msg.signed()
            && let Err((rule, reason)) = self.check_envelope(kind, signed, &msg, io)
        {
            return io.reject(rule, reason, about(signed));
        }
        let from = envelope.from;
        match &*msg {
            Message::Ciphertext(sigma) => self.on_ciphertext(now, sigma, io),
            Message::DataSet(set) => self.on_data_set(now, set, io),
            Message::PrePrepare(signed, _) | Message::Prepare(signed) | Message::Commit(signed) => {
                let st = &signed.statement;
                let held = Held { sender: st.sender, view: st.view, seq: st.seq, arrived: now, envelope };
                self.on_vote(now, held, io);
            }
            Message::ViewChange(vc) => self.on_view_change(now, vc, from, io),
            Message::NewView(nv) => self.on_new_view(now, nv, io),
            Message::Fetch(fetch) => self.on_fetch(fetch, from, io),
            Message::Body(proposal) => self.on_body(now, proposal, io),
            Message::Evidence(evidence) => self.on_evidence(evidence, io),
            // For followers; a gateway has the chain from its own log.
            Message::Seal(_) | Message::Publish(_) => {}
        }
    }

    /// ENV-1 to ENV-3, in this order (DS-1 is ENV-3 of a data set).
    fn check_envelope(&self, kind: Kind, signed: &Signed, msg: &Message, io: &mut Io<'_>) -> Result<(), Failure> {
        let st = &signed.statement;
        let binds = match msg {
            Message::DataSet(m) => st.digest == DataSet::content_digest(&m.items),
            Message::Fetch(m) => st.digest == Fetch::content_digest(&m.want, m.seq),
            Message::ViewChange(m) => new_view::view_change_binds(m),
            Message::NewView(m) => new_view::new_view_binds(m),
            _ => true,
        };
        if kind != st.kind || !binds {
            return Err((Rule::Env1, Reason::Malformed));
        }
        if st.network_id != self.cfg.network_id {
            return Err((Rule::Env2, Reason::OtherNetwork));
        }
        if st.sender.0 >= self.cfg.quorum.n() {
            return Err((Rule::Env2, Reason::UnknownSender));
        }
        if !io.verify.statement(st.sender, st, &signed.sig) {
            let rule = if kind == Kind::DataSet { Rule::Ds1 } else { Rule::Env3 };
            return Err((rule, Reason::BadSignature));
        }
        Ok(())
    }

    // ---- where we stand

    pub fn me(&self) -> ReplicaId {
        self.me
    }

    pub fn config(&self) -> &Arc<Config> {
        &self.cfg
    }

    /// View, or target while changing.
    pub fn level(&self) -> Level {
        self.safety.level()
    }

    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    pub fn executed(&self) -> Seq {
        self.chain.height()
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub(super) fn normal(&self) -> bool {
        !self.level().changing
    }

    /// Leads the current view.
    pub fn is_primary(&self) -> bool {
        self.normal() && self.primary() == self.me
    }

    pub(super) fn primary(&self) -> ReplicaId {
        self.cfg.quorum.primary(self.level().view)
    }

    /// Without checkpoints the low mark stays at genesis; the high one moves with execution and the NEW-VIEW.
    pub(super) fn window(&self) -> Window {
        let high = self.executed().max(self.base).0.saturating_add(self.cfg.l).min(SLOT_MAX);
        Window { low: Seq(0), high: Seq(high) }
    }

    /// The certificate by which the slot of a block was decided here.
    pub fn certificate(&self, height: Seq) -> Option<&Arc<CommitCertificate>> {
        self.log.slot(height)?.committed.as_ref()
    }

    /// The NEW-VIEW by which the current view was entered; none in view 0.
    pub fn entered_by(&self) -> Option<&Arc<NewView>> {
        self.new_view.as_ref()
    }

    /// The highest VIEW-CHANGE accepted of each gateway.
    pub fn view_changes(&self) -> impl Iterator<Item = &Arc<ViewChange>> {
        self.vcs.values()
    }

    /// Proof for third parties that σ is ordered.
    pub fn inclusion(&self, sigma: &Digest) -> Option<InclusionProof> {
        let found = self.chain.find(sigma)?;
        let proposal = self.chain.block(found.height)?.proposal.as_ref()?;
        let tx = proposal.txs.get(usize::try_from(found.index).ok()?)?;
        Some(InclusionProof {
            header: proposal.header.clone(),
            path: self.chain.path(sigma)?,
            sigma: *sigma,
            bytes_hash: Sigma::bytes_hash(tx.bytes()),
            cert: (**self.certificate(found.height)?).clone(),
        })
    }

    pub(super) fn stable(&self) -> StableProof {
        StableProof::genesis(&self.cfg)
    }

    pub(super) fn refused(&self, refusal: Refusal, io: &mut Io<'_>) {
        io.reject(refusal.0, Reason::Refused(refusal.number()), About::View(self.level().view));
    }

    // ---- timers

    /// OSDI'99 §4.5.2: doubles with every view without progress, up to a cap.
    pub(super) fn timeout(&self) -> Micros {
        let attempts = self.level().view.0.saturating_sub(self.progress_view.0);
        let doublings = attempts.saturating_sub(1).min(u64::from(self.cfg.backoff_cap.min(32)));
        Micros(self.cfg.t0.0.saturating_mul(1 << doublings))
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.timers.contains_key(&timer)
    }

    /// Sets a timer to fire at `at`; says so only if that changes anything.
    pub(super) fn set(&mut self, timer: Timer, at: Micros, now: Micros, io: &mut Io<'_>) {
        if self.timers.insert(timer, at) != Some(at) {
            io.out.push(Output::SetTimer { timer, after: Micros(at.0.saturating_sub(now.0)) });
        }
    }

    pub(super) fn cancel(&mut self, timer: Timer, io: &mut Io<'_>) {
        if self.timers.remove(&timer).is_some() {
            io.out.push(Output::CancelTimer(timer));
        }
    }

    /// Progress and Relay follow from the obligations of the moment; the other timers are set where they belong.
    fn rearm(&mut self, now: Micros, io: &mut Io<'_>) {
        let (deadline, relay) = (self.earliest_deadline(), self.earliest_relay());
        for (timer, at) in [(Timer::Progress, deadline), (Timer::Relay, relay)] {
            match at {
                Some(at) => self.set(timer, at, now, io),
                None => self.cancel(timer, io),
            }
        }
    }

    /// The primary of the current view has no deadlines: if it cannot proceed, those of its backups pass.
    pub(super) fn earliest_deadline(&self) -> Option<Micros> {
        if !self.normal() || self.is_primary() {
            return None;
        }
        let items = self.pool.active().filter_map(|item| item.deadline);
        items.chain(self.log.open(self.executed()).map(|(_, _, pp)| pp.deadline)).min()
    }

    pub(super) fn earliest_relay(&self) -> Option<Micros> {
        let waiting = self.pool.active().filter(|item| !item.relayed);
        let at = waiting.map(|item| Micros(item.clock.0.saturating_add(self.cfg.relay_after.0))).min();
        at.filter(|_| self.normal())
    }

    // ---- for tests, the page and snapshots

    /// Why am I waiting?
    pub fn pending(&self) -> Vec<Pending> {
        let mut all = Vec::new();
        let level = self.level();
        if level.changing {
            let need = self.cfg.quorum.strong();
            all.push(Pending::ViewChange { target: level.view, have: self.wanting(level.view), need });
        }
        for (seq, slot, pp) in self.log.open(self.executed()) {
            let have = |votes: &super::log::Votes| votes.supporters(&pp.digest, &pp.just).count();
            let (prepares, commits) = (have(&slot.prepares), have(&slot.commits));
            all.push(Pending::Slot { seq, digest: pp.digest, prepares, commits });
        }
        all.extend(self.fetches.wanted().map(|(digest, seq)| Pending::Body { seq, digest }));
        if !self.pool.is_empty() {
            all.push(Pending::Pool { count: self.pool.len() as u64 });
        }
        if self.log.held() > 0 {
            all.push(Pending::Held { count: self.log.held() as u64 });
        }
        all
    }

    /// Digest of everything that decides what the replica does next, up to signatures and to evidence, which informs only.
    pub fn digest(&self) -> Digest {
        let mut w = Writer::new();
        let level = self.level();
        w.u16(self.me.0).u64(level.view.0).u8(u8::from(level.changing)).digest(&self.safety.just());
        w.digest(&self.chain.state_digest()).u64(self.next_seq.0).u64(self.base.0).u64(self.progress_view.0);
        for (kind, seq, view, digest) in self.safety.votes() {
            w.u8(kind.code()).u64(seq.0).u64(view.0).digest(&digest);
        }
        for (seq, slot) in &self.log.slots {
            w.u64(seq.0);
            slot.write_digest_of(&mut w, self.cfg.quorum);
        }
        for item in self.pool.iter() {
            w.digest(&item.sigma.id).u8(u8::from(item.sent)).u8(u8::from(item.relayed)).u64(item.clock.0);
            w.u64(item.deadline.map_or(0, |d| d.0));
        }
        for (who, vc) in &self.vcs {
            w.u16(who.0).u64(vc.target().0).digest(&vc.signed.statement.digest);
        }
        for (digest, seq) in self.fetches.wanted() {
            w.digest(&digest).u64(seq.0);
        }
        for (timer, at) in &self.timers {
            w.u8(*timer as u8).u64(at.0);
        }
        w.u64(self.log.held() as u64).u64(self.data_sets).u64(self.awaited.0);
        c32("replica", &[&w.0])
    }

    /// The address of another gateway.
    pub(super) fn node(who: ReplicaId) -> NodeId {
        NodeId::from(who)
    }
}
