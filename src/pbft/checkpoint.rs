//! CHECKPOINTs, stability and the low mark (CONSENSUS.md §3.7, OSDI'99 §4.3).
//!
//! The low mark moves only by a proof of q; f+1 matching CHECKPOINTs only tell that we lag. What is forgotten here is
//! settled by a quorum, so no later view can need it.

use super::certificate::{Snapshot, StableProof};
use super::config::Config;
use super::evidence::Evidence;
use super::io::{Io, Record};
use super::log::Votes;
use super::message::{Kind, Message, Signed, Statement};
use super::quorum::{Quorum, ReplicaSet};
use super::replica::{Replica, about};
use super::rule::{About, Reason, Rule};
use super::types::{ReplicaId, Sig};
use crate::ledger::codec::Writer;
use crate::ledger::{BlockHeader, Digest, Micros, Seq, State};
use crate::mutants::mutant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The own state at a checkpoint.
#[derive(Clone, Debug)]
struct Own {
    digest: Digest,
    header: BlockHeader,
    state: Arc<State>,
}

/// Who vouches for which state.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    stable: Arc<StableProof>,
    /// First CHECKPOINT per sender, for the heights that the window can reach.
    books: BTreeMap<Seq, Votes>,
    /// The highest one of each sender beyond that.
    far: BTreeMap<ReplicaId, (Seq, Digest, Sig)>,
    /// At the low mark and above.
    own: BTreeMap<Seq, Own>,
    /// A proof of a state that is about to be reached, and until when that is worth waiting for.
    aside: Option<(Arc<StableProof>, Micros)>,
}

impl Checkpoints {
    pub fn new(cfg: &Config) -> Self {
        Checkpoints {
            stable: Arc::new(StableProof::genesis(cfg)),
            books: BTreeMap::new(),
            far: BTreeMap::new(),
            own: BTreeMap::new(),
            aside: None,
        }
    }

    /// Proof of the low mark.
    pub fn stable(&self) -> &Arc<StableProof> {
        &self.stable
    }

    /// CHECKPOINTs kept, for tests of bounds.
    pub fn kept(&self) -> usize {
        self.books.len() + self.far.len() + self.own.len()
    }

    /// What `who` said about the state after `seq`, with its signature.
    fn first(&self, who: ReplicaId, seq: Seq) -> Option<(Digest, Sig)> {
        let near = self.books.get(&seq).and_then(|votes| votes.first_of(who)).map(|(digest, _, sig)| (digest, sig));
        near.or_else(|| self.far.get(&who).filter(|far| far.0 == seq).map(|far| (far.1, far.2)))
    }

    /// Who vouches for exactly this.
    fn supporters(&self, seq: Seq, digest: &Digest) -> ReplicaSet {
        let mut set = self.books.get(&seq).map(|v| v.supporters(digest, &Digest::ZERO)).unwrap_or_default();
        for (who, _) in self.far.iter().filter(|(_, far)| (far.0, &far.1) == (seq, digest)) {
            set.insert(*who);
        }
        set
    }

    fn record(&mut self, signed: &Signed, far: bool) {
        let st = &signed.statement;
        if far {
            self.far.insert(st.sender, (st.seq, st.digest, signed.sig));
        } else {
            self.books.entry(st.seq).or_default().record(st.sender, st.digest, st.just, signed.sig);
        }
    }

    fn proof(&self, seq: Seq, digest: Digest, need: u16) -> Option<StableProof> {
        let sig = |who: ReplicaId| {
            let far = self.far.get(&who).filter(|far| (far.0, far.1) == (seq, digest)).map(|far| far.2);
            Some((who, far.or_else(|| self.books.get(&seq)?.first_of(who).map(|vote| vote.2))?))
        };
        let set = self.supporters(seq, &digest);
        let sigs = || set.iter().filter_map(sig).take(usize::from(need)).collect();
        (set.count() >= need).then(|| StableProof { seq, state_digest: digest, sigs: sigs() })
    }

    /// Forgets what is at or below the new low mark; what the window now reaches moves into the books.
    fn advance(&mut self, proof: Arc<StableProof>, edge: Seq) {
        let low = proof.seq;
        self.books = self.books.split_off(&Seq(low.0 + 1));
        self.own = self.own.split_off(&low);
        self.stable = proof;
        let near: Vec<ReplicaId> = self.far.iter().filter(|(_, far)| far.0 <= edge).map(|(who, _)| *who).collect();
        for who in near {
            if let Some((seq, digest, sig)) = self.far.remove(&who).filter(|far| far.0 > low) {
                self.books.entry(seq).or_default().record(who, digest, Digest::ZERO, sig);
            }
        }
        self.aside = self.aside.take().filter(|(aside, _)| aside.seq > low);
    }

    /// When waiting for the own state to reach a proven one ends.
    pub(super) fn due(&self) -> Option<Micros> {
        self.aside.as_ref().map(|(_, until)| *until)
    }

    /// The stable state as others can take it over; `None` while the own state is not that far.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let own = self.own.get(&self.stable.seq).filter(|own| own.digest == self.stable.state_digest)?;
        let (proof, header) = ((*self.stable).clone(), own.header.clone());
        Some(Snapshot { proof, header, live: own.state.nullifiers() })
    }

    /// Writes what decides about later steps, signatures apart.
    pub(super) fn write_digest_of(&self, w: &mut Writer, quorum: Quorum) {
        w.u64(self.stable.seq.0).digest(&self.stable.state_digest);
        for (seq, votes) in &self.books {
            w.u64(seq.0);
            votes.write_digest_of(w, quorum);
        }
        for (who, (seq, digest, _)) in &self.far {
            w.u16(who.0).u64(seq.0).digest(digest);
        }
        for (seq, own) in &self.own {
            w.u64(seq.0).digest(&own.digest);
        }
        if let Some((proof, until)) = &self.aside {
            w.u64(proof.seq.0).digest(&proof.state_digest).u64(until.0);
        }
    }
}

impl Replica {
    /// OSDI'99 §4.3: after every K-th block each replica vouches for its state.
    pub(super) fn take_checkpoint(&mut self, now: Micros, io: &mut Io<'_>) {
        let seq = self.executed();
        if !seq.0.is_multiple_of(self.cfg.k) || seq < self.low() {
            return;
        }
        let digest = self.chain.state_digest();
        self.own_from_chain();
        if seq == self.low() {
            return self.check_diverged(io);
        }
        match self.safety.checkpoint(seq, digest, io) {
            Ok(signed) => {
                self.ckpt.record(&signed, seq > self.edge());
                io.broadcast(Message::Checkpoint(signed));
                self.check_stable(now, seq, digest, io);
            }
            Err(refusal) => self.refused(refusal, io),
        }
        if self.ckpt.aside.as_ref().is_some_and(|(proof, _)| proof.seq <= seq) {
            self.adopt_aside(now, io);
        }
    }

    /// The own CHECKPOINTs above a height, for a peer that lacks them.
    pub(super) fn own_checkpoints(&self, above: Seq) -> Vec<Signed> {
        let seqs = self.ckpt.own.keys().filter(|seq| **seq > above);
        seqs.filter_map(|seq| self.safety.again(Kind::Checkpoint, super::types::View(0), *seq)).collect()
    }

    /// Heights whose CHECKPOINTs are all kept.
    fn edge(&self) -> Seq {
        Seq(self.window().high.0.saturating_add(self.cfg.l))
    }

    /// CP-1 and CP-2.
    pub(super) fn on_checkpoint(&mut self, now: Micros, signed: &Signed, io: &mut Io<'_>) {
        let st = &signed.statement;
        let what = about(signed);
        if !st.seq.0.is_multiple_of(self.cfg.k) {
            return io.reject(Rule::Cp1, Reason::NotCheckpoint, what);
        }
        if st.seq <= self.low() {
            return io.reject(Rule::Cp1, Reason::BelowWindow, what);
        }
        if let Some((first, sig)) = self.ckpt.first(st.sender, st.seq) {
            let same = first == st.digest;
            if !same {
                let statement = Statement { digest: first, ..*st };
                self.accuse(Evidence::Equivocation(Signed { statement, sig }, *signed), io);
            }
            return io.reject(Rule::Cp2, if same { Reason::DuplicateVote } else { Reason::ConflictingVote }, what);
        }
        let far = st.seq > self.edge();
        if far && self.ckpt.far.get(&st.sender).is_some_and(|kept| kept.0 > st.seq) {
            return io.reject(Rule::Cp2, Reason::DuplicateVote, what);
        }
        self.ckpt.record(signed, far);
        let (have, need) = (self.ckpt.supporters(st.seq, &st.digest).count(), self.cfg.quorum.strong());
        let (kind, view, seq, digest, from) = (st.kind, st.view, st.seq, st.digest, st.sender);
        io.accept(Rule::Cp2, About::Vote { kind, view, seq, digest, from, have, need });
        self.check_stable(now, seq, digest, io);
    }

    /// CP-3: q vouch for one state. CP-5: f+1 do, and we are not there yet.
    fn check_stable(&mut self, now: Micros, seq: Seq, digest: Digest, io: &mut Io<'_>) {
        let quorum = self.cfg.quorum;
        if let Some(proof) = self.ckpt.proof(seq, digest, quorum.strong()) {
            if seq > self.low() && self.ckpt.aside.as_ref().is_none_or(|(aside, _)| aside.seq < seq) {
                io.note(Rule::Cp3, About::State { seq, digest });
                self.adopt(now, Arc::new(proof), io);
            }
        } else if seq > self.executed() && self.ckpt.supporters(seq, &digest).count() == quorum.weak() {
            io.note(Rule::Cp5, About::State { seq, digest });
            self.behind(now, seq, None);
        }
    }

    /// Takes up a valid proof: at once, or, if the own state will be there in a moment, then.
    pub(super) fn adopt(&mut self, now: Micros, proof: Arc<StableProof>, io: &mut Io<'_>) {
        let (executed, window) = (self.executed(), self.window());
        if proof.seq <= window.low {
            return;
        }
        let soon = executed < proof.seq && proof.seq <= window.high && executed >= window.low && self.normal();
        if !soon {
            self.advance(now, proof, io);
            return self.window_moved(now, io);
        }
        let newer = self.ckpt.aside.as_ref().is_none_or(|(aside, _)| aside.seq < proof.seq);
        if newer {
            self.ckpt.aside = Some((proof, Micros(now.0.saturating_add(self.cfg.fetch_timeout.0))));
        }
    }

    /// Whether the state a proof is kept aside for has come, or the wait for it is over.
    pub(super) fn adopt_aside(&mut self, now: Micros, io: &mut Io<'_>) {
        if let Some((proof, _)) = self.ckpt.aside.take() {
            self.advance(now, proof, io);
            self.window_moved(now, io);
        }
    }

    /// What lay above the window may now lie in it.
    fn window_moved(&mut self, now: Micros, io: &mut Io<'_>) {
        self.replay_held(now, io);
        self.try_propose(now, io);
    }

    /// The low mark moves to a proven state; everything at or below it is forgotten.
    pub(super) fn advance(&mut self, now: Micros, proof: Arc<StableProof>, io: &mut Io<'_>) {
        let seq = proof.seq;
        if seq <= self.low() {
            return;
        }
        io.persist(Record::Stable(proof.clone()));
        let edge = Seq(seq.0.saturating_add(self.cfg.l.saturating_mul(2)));
        let previous = self.ckpt.own.first_key_value().map(|(_, own)| own.clone());
        self.ckpt.advance(proof, edge);
        self.safety.advance(seq);
        self.log.forget(seq);
        self.xfer.forget(seq);
        self.next_seq = self.next_seq.max(Seq(seq.0 + 1));
        if self.executed() < seq {
            self.behind(now, seq, None);
        } else if !self.check_own(io) {
            self.fall_back(now, previous, io);
        } else {
            self.prune(io);
        }
        self.refresh_busy();
    }

    /// CP-4: the own state at the low mark is the one that q vouch for.
    fn check_own(&mut self, io: &mut Io<'_>) -> bool {
        let (seq, digest) = (self.ckpt.stable.seq, self.ckpt.stable.state_digest);
        let same = mutant!("skip-diverge") || self.ckpt.own.get(&seq).is_none_or(|own| own.digest == digest);
        if same {
            io.accept(Rule::Cp4, About::State { seq, digest });
        } else {
            io.reject(Rule::Cp4, Reason::Diverged, About::State { seq, digest });
            self.safety.set_diverged(true);
        }
        same
    }

    /// The low mark was reached by catching up.
    fn check_diverged(&mut self, io: &mut Io<'_>) {
        if self.check_own(io) {
            self.prune(io);
        }
    }

    /// A state that contradicts a stable one is given up for the last one that did not; the stable one is fetched.
    fn fall_back(&mut self, now: Micros, previous: Option<Own>, io: &mut Io<'_>) {
        let (header, state) = match previous {
            Some(own) if own.header.height < self.low() => (own.header, own.state),
            _ => (BlockHeader::genesis(self.cfg.network_id, self.cfg.genesis_time), Arc::default()),
        };
        self.ckpt.own.clear();
        self.reset_chain(header, state);
        self.behind_snapshot(now, self.low(), io);
    }

    /// Old blocks go, if the configuration says so; the state they led to is persisted in their place.
    fn prune(&mut self, io: &mut Io<'_>) {
        let Some(retain) = self.cfg.retain else { return };
        let upto = Seq(self.executed().0.saturating_sub(retain)).min(self.low());
        if upto > self.chain.base()
            && let Some(snapshot) = self.ckpt.snapshot()
        {
            io.persist(Record::Snapshot(Arc::new(snapshot)));
            Arc::make_mut(&mut self.chain).forget(upto);
            let certs = Arc::make_mut(&mut self.certs);
            *certs = certs.split_off(&Seq(upto.0 + 1));
        }
    }

    /// Takes up the low mark of before a crash.
    pub(super) fn restore_stable(&mut self, proof: Arc<StableProof>) {
        let edge = Seq(proof.seq.0.saturating_add(self.cfg.l.saturating_mul(2)));
        self.ckpt.advance(proof, edge);
    }

    /// Remembers the state at the head, if it is one to vouch for.
    pub(super) fn own_from_chain(&mut self) {
        if !self.executed().0.is_multiple_of(self.cfg.k) || self.executed() < self.low() {
            return;
        }
        let own = Own {
            digest: self.chain.state_digest(),
            header: self.chain.head().clone(),
            state: self.chain.shared_state(),
        };
        self.ckpt.own.insert(self.executed(), own);
    }
}
