//! One gateway's part in agreement as a function from inputs to outputs (CONSENSUS.md §3.2).
//!
//! Here: state, dispatch, the checks every signed message passes, restart. The rest of the replica is in `request`,
//! `normal`, `view_change`, `checkpoint`, `state_transfer` and `liveness`. It must never sign by itself (that is `safety`)
//! nor read a clock.

use super::accuse::Faults;
use super::certificate::{CommitCertificate, InclusionProof};
use super::checkpoint::Checkpoints;
use super::config::Config;
use super::io::{Input, Io, Timer};
use super::liveness::Liveness;
use super::log::{Held, Log};
use super::message::{DataSet, Envelope, Fetch, Kind, Message, NewView, Signed, Statement, Status, ViewChange, Want};
use super::new_view;
use super::pool::Pool;
use super::rule::{About, Reason, Rule};
use super::safety::{Level, Refusal, Safety, Window};
use super::state_transfer::Transfer;
use super::types::{NodeId, ReplicaId, Signer, View};
use crate::ledger::codec::Writer;
use crate::ledger::hash::c32;
use crate::ledger::{Chain, Digest, Micros, Seq, Sigma};
use crate::mutants::mutant;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
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
    /// By which each block of the chain was decided.
    pub(super) certs: Arc<BTreeMap<Seq, Arc<CommitCertificate>>>,
    pub(super) ckpt: Checkpoints,
    pub(super) xfer: Transfer,
    pub(super) live: Liveness,
    /// Tickets in slots accepted in this view and not yet executed; follows from the log.
    pub(super) busy: BTreeSet<Digest>,
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
    pub(super) data_sets: u64,
    pub(super) faults: Faults,
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
    /// The state is behind; blocks or a snapshot are being fetched.
    State { executed: Seq, target: Seq },
    /// The own state contradicts a stable one and was given up.
    Diverged { stable: Seq },
    /// Slots above the window need a stable checkpoint first.
    Checkpoint { low: Seq, executed: Seq },
    /// Ciphertexts wait for a block.
    Pool { count: u64 },
    /// Votes are kept for a later view.
    Held { count: u64 },
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pending::ViewChange { target, have, need } => {
                write!(f, "it has left its view and waits for view {}: {have} of {need} gateways want it", target.0)
            }
            Pending::Slot { seq, prepares, commits, .. } => {
                write!(f, "slot {} is not decided: {prepares} prepares and {commits} commits so far", seq.0)
            }
            Pending::Body { seq, .. } => write!(f, "the ciphertexts of slot {} are missing and asked for", seq.0),
            Pending::State { executed, target } => {
                write!(f, "it has executed {} blocks and fetches what leads to {}", executed.0, target.0)
            }
            Pending::Diverged { stable } => {
                write!(f, "its state was not the stable one at {} and is fetched", stable.0)
            }
            Pending::Checkpoint { low, executed } => {
                write!(f, "it has executed {}, but only {} is stable, and the window is full", executed.0, low.0)
            }
            Pending::Pool { count } => write!(f, "{count} ciphertexts wait for a block"),
            Pending::Held { count } => write!(f, "{count} votes are kept for a later view or slot"),
        }
    }
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
            certs: Arc::default(),
            ckpt: Checkpoints::new(&cfg),
            xfer: Transfer::default(),
            live: Liveness::default(),
            busy: BTreeSet::new(),
            data_sets: 0,
            faults: Faults::default(),
            cfg,
        }
    }

    /// Reacts to one input at local time `now`; appends outputs in the order in which they must be carried out.
    pub fn step(&mut self, now: Micros, input: Input, io: &mut Io<'_>) {
        match input {
            Input::Start(durable) => self.start(now, durable, io),
            Input::Deliver(envelope) => self.deliver(now, envelope, io),
            Input::Timer(timer) => {
                self.live.timers.remove(&timer);
                match timer {
                    Timer::Batch => self.on_batch(now, io),
                    Timer::Relay => self.on_relay(now, io),
                    Timer::Progress => self.on_progress(now, io),
                    Timer::NewView => self.on_new_view_timer(now, io),
                    Timer::Fetch => self.on_fetch_timer(now, io),
                    Timer::Resend => self.on_resend(io),
                    Timer::Status => self.on_status_timer(now, io),
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
                let held =
                    Held { sender: st.sender, kind: st.kind, view: st.view, seq: st.seq, arrived: now, envelope };
                self.on_vote(now, held, io);
            }
            Message::ViewChange(vc) => self.on_view_change(now, vc, from, io),
            Message::NewView(nv) => self.on_new_view(now, nv, io),
            Message::Checkpoint(signed) => self.on_checkpoint(now, signed, io),
            Message::Status(status) => self.on_status(now, status, from, io),
            Message::Fetch(fetch) => self.on_fetch(now, fetch, from, io),
            Message::Body(proposal) => self.on_body(now, proposal, io),
            Message::Evidence(evidence) => self.on_evidence(evidence, io),
            Message::Blocks(blocks) => self.on_blocks(now, blocks, io),
            Message::Snapshot(snapshot) => self.on_snapshot(now, snapshot, io),
            Message::Stable(proof) => self.on_stable(now, proof, io),
            // For followers; a gateway has the chain from its own log.
            Message::Seal(_) | Message::Publish(_) => {}
        }
    }

    /// ENV-1 to ENV-3, in this order (DS-1 is ENV-3 of a data set).
    fn check_envelope(&self, kind: Kind, signed: &Signed, msg: &Message, io: &mut Io<'_>) -> Result<(), Failure> {
        let st = &signed.statement;
        let binds = match msg {
            Message::DataSet(m) => st.digest == DataSet::content_digest(&m.items),
            Message::Fetch(m) => st.digest == Fetch::content_digest(m.want),
            Message::Status(m) => st.digest == Status::content_digest(m.changing, m.low, &m.has),
            Message::ViewChange(m) => new_view::view_change_binds(m, io.verify),
            Message::NewView(m) => new_view::new_view_binds(m, io.verify),
            _ => true,
        };
        if kind != st.kind || !binds || !st.unused_are_zero() {
            return Err((Rule::Env1, Reason::Malformed));
        }
        if st.network_id != self.cfg.network_id {
            return Err((Rule::Env2, Reason::OtherNetwork));
        }
        if st.sender.0 >= self.cfg.quorum.n() {
            return Err((Rule::Env2, Reason::UnknownSender));
        }
        if !self.signature_holds(signed, io) {
            let rule = if kind == Kind::DataSet { Rule::Ds1 } else { Rule::Env3 };
            return Err((rule, Reason::BadSignature));
        }
        Ok(())
    }

    fn signature_holds(&self, signed: &Signed, io: &mut Io<'_>) -> bool {
        let st = &signed.statement;
        if mutant!("no-kind") && st.kind == Kind::Commit {
            let prepare = Statement { kind: Kind::Prepare, ..*st };
            return [*st, prepare].iter().any(|st| io.verify.statement(st.sender, st, &signed.sig));
        }
        if mutant!("sender") {
            let by = |sender| Statement { sender, ..*st };
            return self.cfg.quorum.all().any(|who| io.verify.statement(who, &by(who), &signed.sig));
        }
        io.verify.statement(st.sender, st, &signed.sig)
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

    /// Views since the last one that made progress here.
    pub fn attempts(&self) -> u64 {
        self.level().view.0.saturating_sub(self.progress_view.0)
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

    /// The vote book: latest statement per kind and slot above the low mark.
    pub fn votes(&self) -> impl Iterator<Item = (Kind, Seq, View, Digest)> {
        self.safety.votes()
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

    /// The stable checkpoint.
    pub fn low(&self) -> Seq {
        self.ckpt.stable().seq
    }

    pub(super) fn window(&self) -> Window {
        let low = self.low();
        Window { low, high: Seq(low.0.saturating_add(self.cfg.l)), executed: self.executed() }
    }

    pub fn checkpoints(&self) -> &Checkpoints {
        &self.ckpt
    }

    /// The certificate by which the slot of a block was decided here.
    pub fn certificate(&self, height: Seq) -> Option<&Arc<CommitCertificate>> {
        self.certs.get(&height).or_else(|| self.log.slot(height)?.committed.as_ref())
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

    pub(super) fn refused(&self, refusal: Refusal, io: &mut Io<'_>) {
        io.reject(refusal.0, Reason::Refused(refusal.number()), About::View(self.level().view));
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
        // Whoever has left a view no longer waits for its slots: the next view decides them.
        for (seq, slot, pp) in self.log.open(self.executed()).filter(|_| !level.changing) {
            let have = |votes: &super::log::Votes| votes.supporters(&pp.digest, &pp.just).count();
            let (prepares, commits) = (have(&slot.prepares), have(&slot.commits));
            all.push(Pending::Slot { seq, digest: pp.digest, prepares, commits });
        }
        all.extend(self.xfer.bodies().filter_map(|want| match want {
            Want::Body { seq, digest } => Some(Pending::Body { seq, digest }),
            _ => None,
        }));
        let (executed, window) = (self.executed(), self.window());
        all.extend(self.xfer.target().map(|target| Pending::State { executed, target }));
        if self.safety.diverged() {
            all.push(Pending::Diverged { stable: window.low });
        }
        if executed >= window.high {
            all.push(Pending::Checkpoint { low: window.low, executed });
        }
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
        self.pool.write_digest_of(&mut w);
        for (who, vc) in &self.vcs {
            w.u16(who.0).u64(vc.target().0).digest(&vc.signed.statement.digest);
        }
        self.ckpt.write_digest_of(&mut w, self.cfg.quorum);
        self.xfer.write_digest_of(&mut w);
        self.live.write_digest_of(&mut w);
        self.log.write_held(&mut w);
        w.u8(u8::from(self.safety.diverged())).u64(self.data_sets).u64(self.awaited.0);
        c32("replica", &[&w.0])
    }

    /// The address of another gateway.
    pub(super) fn node(who: ReplicaId) -> NodeId {
        NodeId::from(who)
    }
}
