//! The three phases and execution (CONSENSUS.md §3.5, §3.6; OSDI'99 §4.2).
//!
//! A vote counts once, for the digest and justification it names. A refused message must leave no trace in the log.

use super::certificate::{CommitCertificate, Prepared};
use super::io::{Io, Output, Record};
use super::log::{Accepted, Held, HoldLimit};
use super::message::{Kind, Message, Publish, Signed};
use super::proposal;
use super::replica::{Failure, Replica, about};
use super::rule::{About, Reason, Rule};
use super::types::ReplicaId;
use crate::ledger::proposal::null_digest;
use crate::ledger::{Digest, Micros, Proposal, Seq};
use crate::mutants::mutant;
use std::sync::Arc;

/// The ids under which the rules common to prepare and commit are reported.
struct VoteRules {
    view: Rule,
    just: Rule,
    window: Rule,
    first: Rule,
}

const PREPARE: VoteRules = VoteRules { view: Rule::Pr2, just: Rule::Pr3, window: Rule::Pr4, first: Rule::Pr5 };
const COMMIT: VoteRules = VoteRules { view: Rule::Cm1, just: Rule::Cm2, window: Rule::Cm3, first: Rule::Cm4 };
const PROPOSE: VoteRules = VoteRules { view: Rule::Pp2, just: Rule::Pp3, window: Rule::Pp4, first: Rule::Pp5 };

fn rules(kind: Kind) -> VoteRules {
    match kind {
        Kind::Prepare => PREPARE,
        Kind::Commit => COMMIT,
        _ => PROPOSE,
    }
}

/// What to do with a vote that is not for now.
enum NotNow {
    Reject(Rule, Reason),
    Hold(Rule, Reason),
}

impl Replica {
    /// A statement of kind 1 to 3 that passed ENV, fresh or released from the hold buffer.
    pub(super) fn on_vote(&mut self, now: Micros, vote: Held, io: &mut Io<'_>) {
        let msg = vote.envelope.msg.clone();
        let Some((kind, signed)) = msg.signed() else { return };
        self.examine_vote(signed, io);
        match self.check_when(kind, signed) {
            Ok(()) => {}
            Err(NotNow::Reject(rule, reason)) => return io.reject(rule, reason, about(signed)),
            Err(NotNow::Hold(rule, reason)) => return self.hold(rule, reason, vote, signed, io),
        }
        match &*msg {
            Message::PrePrepare(signed, proposal) => {
                if let Err((rule, reason)) = self.check_slot(signed) {
                    return io.reject(rule, reason, about(signed));
                }
                if self.executed() < self.low() {
                    return self.hold(Rule::Pp12, Reason::NotCaughtUp, vote, signed, io);
                }
                self.on_pre_prepare(now, vote.arrived, signed, proposal, io);
            }
            _ => self.on_prepare_or_commit(now, signed, io),
        }
    }

    /// PP-1…PP-4, PR-1…PR-4 and CM-1…CM-3: right sender, current view, same justification, inside the window.
    fn check_when(&self, kind: Kind, signed: &Signed) -> Result<(), NotNow> {
        let st = &signed.statement;
        let rules = rules(kind);
        let leads = self.cfg.quorum.primary(st.view) == st.sender;
        if kind == Kind::PrePrepare && !leads && !mutant!("any-primary") {
            return Err(NotNow::Reject(Rule::Pp1, Reason::NotPrimary));
        }
        if kind == Kind::Prepare && leads {
            return Err(NotNow::Reject(Rule::Pr1, Reason::PrimaryPrepared));
        }
        let level = self.level();
        if st.view < level.view {
            return Err(NotNow::Reject(rules.view, Reason::StaleView));
        }
        if st.view > level.view || level.changing {
            return Err(NotNow::Hold(rules.view, Reason::NewerView));
        }
        if st.just != self.safety.just() {
            return Err(NotNow::Reject(rules.just, Reason::OtherJustification));
        }
        let window = self.window();
        if st.seq <= window.low {
            return Err(NotNow::Reject(rules.window, Reason::BelowWindow));
        }
        if st.seq > window.high && !mutant!("no-window") {
            let near = st.seq.0 <= window.high.0.saturating_add(self.cfg.l);
            let verdict = if near { NotNow::Hold } else { NotNow::Reject };
            return Err(verdict(rules.window, Reason::AboveWindow));
        }
        Ok(())
    }

    fn hold(&mut self, rule: Rule, reason: Reason, vote: Held, signed: &Signed, io: &mut Io<'_>) {
        let items = usize::try_from(self.cfg.l.saturating_mul(2).saturating_add(2)).unwrap_or(usize::MAX);
        let limit = HoldLimit { items, bytes: self.cfg.pipeline.saturating_mul(self.cfg.policy.batch_bytes) };
        let (level, what) = (self.level(), about(signed));
        if self.log.hold(vote, level.view, limit) {
            io.hold(rule, reason, what);
        } else {
            io.reject(rule, reason, what);
        }
    }

    /// Held votes that have become current go through the same handler.
    pub(super) fn replay_held(&mut self, now: Micros, io: &mut Io<'_>) {
        if self.normal() && self.log.held() > 0 {
            for vote in self.log.release(self.level().view, self.window().high) {
                self.on_vote(now, vote, io);
            }
        }
    }

    /// OSDI'99 §4.2: a backup accepts the primary's order for a slot and says so.
    fn on_pre_prepare(
        &mut self,
        now: Micros,
        arrived: Micros,
        signed: &Signed,
        proposal: &Arc<Proposal>,
        io: &mut Io<'_>,
    ) {
        let st = signed.statement;
        if mutant!("early-effect") {
            self.pool_from_proposal(now, proposal);
        }
        if let Err((rule, reason)) = self.check_proposal(arrived, signed, proposal, io) {
            self.examine_proposal(signed, proposal, rule, io);
            return io.reject(rule, reason, about(signed));
        }
        let count = proposal.header.count;
        io.accept(Rule::Pp11, About::Proposal { view: st.view, seq: st.seq, digest: st.digest, count });
        self.pool_from_proposal(now, proposal);
        let deadline = Micros(now.0.saturating_add(self.timeout().0));
        let slot = self.log.slot_mut(st.seq);
        slot.pp = Some(Accepted { view: st.view, digest: st.digest, just: st.just, sig: signed.sig, deadline });
        slot.bodies.insert(st.digest, proposal.clone());
        self.refresh_busy();
        io.persist(Record::Body { seq: st.seq, proposal: proposal.clone() });
        self.vote(now, st.seq, io);
    }

    /// PP-5 and PP-6: the slot is free for a fresh proposal.
    fn check_slot(&self, signed: &Signed) -> Result<(), Failure> {
        let st = &signed.statement;
        if let Some(pp) = self.log.slot(st.seq).and_then(|slot| slot.pp) {
            // A carried slot is fixed; that is PP-6, and says more.
            if st.seq > self.base {
                let same = pp.digest == st.digest;
                return Err((Rule::Pp5, if same { Reason::DuplicateVote } else { Reason::ConflictingProposal }));
            }
        }
        if st.seq <= self.base {
            return Err((Rule::Pp6, Reason::SlotFixedByNewView));
        }
        Ok(())
    }

    /// PP-7 to PP-11.
    fn check_proposal(&self, arrived: Micros, signed: &Signed, p: &Proposal, io: &mut Io<'_>) -> Result<(), Failure> {
        let st = &signed.statement;
        proposal::check_body(&self.cfg, p, st.seq, &st.digest)?;
        proposal::check_time(&self.cfg, p, self.cfg.unix(arrived))?;
        proposal::check_ciphertexts(p, io.verify)?;
        proposal::check_nullifiers(p, |n| self.busy.contains(n) || self.chain.by_nullifier(n).is_some())
    }

    /// Votes for the accepted proposal of a slot; at the primary its pre-prepare is the vote.
    pub(super) fn vote(&mut self, now: Micros, seq: Seq, io: &mut Io<'_>) {
        let Some(slot) = self.log.slot(seq).filter(|slot| slot.complete()) else { return };
        let Some(pp) = slot.pp.filter(|_| self.executed() >= self.low()) else { return };
        let voted = slot.prepares.of(self.me).is_some();
        if !self.is_primary() && !voted {
            match self.safety.prepare(seq, pp.digest, self.window(), io) {
                Ok(signed) => {
                    self.record(&signed, io);
                    io.broadcast(Message::Prepare(signed));
                }
                Err(refusal) => return self.refused(refusal, io),
            }
        }
        self.check_prepared(now, seq, io);
    }

    fn on_prepare_or_commit(&mut self, now: Micros, signed: &Signed, io: &mut Io<'_>) {
        let st = &signed.statement;
        if mutant!("drop-early") && self.log.slot(st.seq).is_none_or(|slot| slot.pp.is_none()) {
            return;
        }
        let slot = self.log.slot_mut(st.seq);
        let votes = if st.kind == Kind::Prepare { &slot.prepares } else { &slot.commits };
        if let Some(first) = votes.of(st.sender) {
            let same = first == (st.digest, st.just);
            let reason = if same { Reason::DuplicateVote } else { Reason::ConflictingVote };
            return io.reject(rules(st.kind).first, reason, about(signed));
        }
        self.record(signed, io);
        if st.kind == Kind::Prepare {
            self.check_prepared(now, st.seq, io);
        } else {
            self.check_committed(now, st.seq, io);
        }
    }

    /// Counts a vote, own or received, and reports how many agree with it now.
    fn record(&mut self, signed: &Signed, io: &mut Io<'_>) {
        let st = &signed.statement;
        let quorum = self.cfg.quorum;
        let slot = self.log.slot_mut(st.seq);
        let (votes, need) = if st.kind == Kind::Prepare {
            (&mut slot.prepares, quorum.prepares())
        } else {
            (&mut slot.commits, quorum.strong())
        };
        votes.record(st.sender, st.digest, st.just, signed.sig);
        let have = votes.supporters(&st.digest, &st.just).count();
        let (kind, view, seq, digest, from) = (st.kind, st.view, st.seq, st.digest, st.sender);
        io.accept(rules(kind).first, About::Vote { kind, view, seq, digest, from, have, need });
    }

    /// OSDI'99 §4.2, prepared: pre-prepare, body, and q−1 matching prepares by backups.
    pub(super) fn check_prepared(&mut self, now: Micros, seq: Seq, io: &mut Io<'_>) {
        let need = self.cfg.quorum.prepares();
        let Some(slot) = self.log.slot(seq) else { return };
        let Some(pp) = slot.pp else { return };
        let done = slot.prepared.as_ref().is_some_and(|cert| cert.view >= pp.view);
        if done || !slot.complete() || self.executed() < self.low() {
            return;
        }
        let Some(prepares) = slot.prepares.certificate(&pp.digest, &pp.just, need) else { return };
        let (view, digest, just, pp_sig) = (pp.view, pp.digest, pp.just, pp.sig);
        let cert = Arc::new(Prepared { view, seq, digest, just, pp_sig, prepares });
        io.note(Rule::Pd1, About::Slot { view, seq, digest });
        self.log.slot_mut(seq).prepared = Some(cert.clone());
        match self.safety.commit(&cert, self.window(), io) {
            Ok(signed) => {
                self.record(&signed, io);
                io.broadcast(Message::Commit(signed));
                self.check_committed(now, seq, io);
            }
            Err(refusal) => self.refused(refusal, io),
        }
    }

    /// OSDI'99 §4.2, committed-local: prepared here and q matching commits.
    pub(super) fn check_committed(&mut self, now: Micros, seq: Seq, io: &mut Io<'_>) {
        let Some(slot) = self.log.slot(seq) else { return };
        let Some(prepared) = slot.prepared.as_ref().filter(|c| !self.level().changing && c.view == self.level().view)
        else {
            return;
        };
        let (view, digest, just) = (prepared.view, prepared.digest, prepared.just);
        if slot.committed.as_ref().is_some_and(|cert| (cert.view, cert.digest) == (view, digest)) {
            return;
        }
        let Some(commits) = slot.commits.certificate(&digest, &just, self.cfg.quorum.strong()) else { return };
        io.note(Rule::Cl1, About::Slot { view, seq, digest });
        let cert = Arc::new(CommitCertificate { view, seq, digest, just, commits });
        if seq <= self.executed() {
            return self.check_executed(seq, &cert, io);
        }
        self.log.slot_mut(seq).committed = Some(cert);
        self.execute_ready(now, io);
    }

    /// what a later view decides for an executed slot is what was executed.
    fn check_executed(&mut self, seq: Seq, cert: &Arc<CommitCertificate>, io: &mut Io<'_>) {
        let had = self.chain.header(seq).map(|h| h.proposal).unwrap_or_default();
        let about = About::Slot { view: cert.view, seq, digest: cert.digest };
        if had == cert.digest {
            self.log.slot_mut(seq).committed = Some(cert.clone());
            Arc::make_mut(&mut self.certs).insert(seq, cert.clone());
            return io.accept(Rule::X4, about);
        }
        io.reject(Rule::X4, Reason::BadCertificate, about);
        io.out.push(Output::Conflict { seq, had, got: cert.digest });
    }

    /// Executes decided slots without gaps.
    pub(super) fn execute_ready(&mut self, now: Micros, io: &mut Io<'_>) {
        let before = self.executed();
        loop {
            let mut next = Seq(self.executed().0 + 1);
            if mutant!("gap") {
                let decided = self.log.slots.range(next..).find(|(_, slot)| slot.committed.is_some());
                next = decided.map_or(next, |(seq, _)| *seq);
            }
            let Some(slot) = self.log.slot(next) else { break };
            let Some(cert) = slot.committed.clone() else { break };
            let body = slot.bodies.get(&cert.digest).cloned();
            if body.is_none() && cert.digest != null_digest() {
                io.hold(Rule::X1, Reason::BodyMissing, About::Slot { view: cert.view, seq: next, digest: cert.digest });
                break;
            }
            self.execute(now, cert, body.as_ref(), io);
        }
        let executed = self.executed();
        if executed == before {
            let later = self.log.slots.range(Seq(executed.0 + 2)..).find_map(|(_, slot)| slot.committed.as_ref());
            if let Some(cert) = later {
                let about = About::Slot { view: cert.view, seq: cert.seq, digest: cert.digest };
                io.hold(Rule::X1, Reason::OutOfOrder, about);
            }
            return;
        }
        self.replay_held(now, io);
        self.try_propose(now, io);
        self.rotate(now, io);
    }

    /// What was executed waits no more: said before anything else can happen, for a checkpoint that becomes stable lets
    /// the primary propose at once.
    pub(super) fn after_execution(&mut self, now: Micros) {
        self.refresh_busy();
        self.pool.drop_executed(self.chain.state());
        if mutant!("global-timer") {
            self.pool.enter_view(now);
        }
        self.activate(now);
        self.end_sync();
    }

    /// OSDI'99 §4.2: the block joins the chain; followers hear of it.
    pub(super) fn execute(
        &mut self,
        now: Micros,
        cert: Arc<CommitCertificate>,
        body: Option<&Arc<Proposal>>,
        io: &mut Io<'_>,
    ) {
        let seq = cert.seq;
        Arc::make_mut(&mut self.certs).insert(seq, cert.clone());
        let block = Arc::make_mut(&mut self.chain).append(body);
        let digest = cert.digest;
        let slot = About::Slot { view: cert.view, seq, digest };
        for (index, _) in &block.voids {
            if let Some(sigma) = body.and_then(|p| p.txs.get(usize::try_from(*index).ok()?)) {
                io.note(Rule::X3, About::Sigma(sigma.id));
            }
        }
        io.accept(Rule::X1, slot);
        io.persist(Record::Block { block: block.clone(), cert: cert.clone() });
        io.out.push(Output::Execute { seq, digest, block: block.clone(), cert: cert.clone() });
        self.progress(&cert, io);
        match self.safety.seal(seq, self.chain.head_digest()) {
            Ok(signed) => io.out.push(Output::Publish(Arc::new(Message::Seal(signed)))),
            Err(refusal) => self.refused(refusal, io),
        }
        if self.cfg.quorum.primary(cert.view) == self.me {
            io.out.push(Output::Publish(Arc::new(Message::Publish(Publish { block, cert }))));
        }
        self.after_execution(now);
        self.take_checkpoint(now, io);
    }

    /// TM-3: a slot executed from a certificate of the current view resets the back-off.
    fn progress(&mut self, cert: &CommitCertificate, io: &mut Io<'_>) {
        if cert.view > self.progress_view {
            self.progress_view = cert.view;
            if cert.view == self.level().view {
                io.note(Rule::Tm3, About::View(cert.view));
            }
        }
    }

    /// Digest of the proposal accepted for a slot in the current view, for tests and the page.
    pub fn accepted(&self, seq: Seq) -> Option<Digest> {
        self.log.slot(seq)?.pp.map(|pp| pp.digest)
    }

    /// Who has prepared the accepted proposal of a slot.
    pub fn prepared_by(&self, seq: Seq) -> Vec<ReplicaId> {
        let slot = self.log.slot(seq);
        let set = slot.and_then(|s| s.pp.map(|pp| s.prepares.supporters(&pp.digest, &pp.just)));
        set.unwrap_or_default().iter().collect()
    }
}
