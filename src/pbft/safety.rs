//! The only owner of the signer: may I sign this? (CONSENSUS.md §3.3, rules SF-1 to SF-9.)
//!
//! Nothing else in the replica can make a signature. Records of what is signed are persisted before the signature is
//! handed out.

use super::certificate::{Prepared, StableProof};
use super::config::Config;
use super::durable::Durable;
use super::io::{Io, Record};
use super::message::{DataSet, Fetch, Fixed, Kind, NewView, Signed, Statement, Status, ViewChange, Want};
use super::new_view;
use super::rule::Rule;
use super::types::{Just, ReplicaId, Signer, View};
use crate::ledger::{Digest, Seq, Sigma};
use crate::mutants::mutant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a replica stands: `view` is the target while `changing`. One number orders everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Level {
    pub view: View,
    pub changing: bool,
}

/// Slots that may be voted on, `low` < seq ≤ `high`, once `low` itself is executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    pub low: Seq,
    pub high: Seq,
    pub executed: Seq,
}

impl Window {
    pub fn contains(self, seq: Seq) -> bool {
        self.low < seq && seq <= self.high
    }
}

/// The rule by which a signature was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal(pub Rule);

impl Refusal {
    /// The n of SF-n.
    pub fn number(self) -> u8 {
        self.0.id().rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

/// Level, justification and vote book, with the key.
#[derive(Clone)]
pub struct Safety {
    cfg: Arc<Config>,
    me: ReplicaId,
    signer: Arc<dyn Signer>,
    level: Level,
    just: Just,
    /// Latest vote per kind and slot above the low mark; own CHECKPOINTs too.
    votes: BTreeMap<(Kind, Seq), (View, Digest, Just)>,
    /// Headers vouched for above the low mark.
    sealed: BTreeMap<Seq, Digest>,
    /// The own NEW-VIEW of the highest view opened.
    opened: Option<Arc<NewView>>,
    /// The own state contradicts a stable one: nothing about it may be signed.
    diverged: bool,
}

fn allow(condition: bool, rule: Rule) -> Result<(), Refusal> {
    if condition { Ok(()) } else { Err(Refusal(rule)) }
}

impl Safety {
    pub fn new(cfg: Arc<Config>, me: ReplicaId, signer: Arc<dyn Signer>) -> Self {
        let level = Level { view: View(0), changing: false };
        Safety {
            cfg,
            me,
            signer,
            level,
            just: Digest::ZERO,
            votes: BTreeMap::new(),
            sealed: BTreeMap::new(),
            opened: None,
            diverged: false,
        }
    }

    /// Takes up what was persisted before a crash (SF-2, SF-4, SF-6 hold over crashes).
    pub fn restore(&mut self, durable: &Durable) {
        self.votes = durable.votes.clone();
        if let Some(nv) = &durable.new_view {
            self.level = Level { view: nv.view(), changing: false };
            self.just = nv.just();
            self.opened = Some(nv.clone()).filter(|nv| nv.signed.statement.sender == self.me);
        }
        if let Some(vc) = durable.own_view_change.as_ref().filter(|vc| vc.target() > self.level.view) {
            self.level = Level { view: vc.target(), changing: true };
        }
    }

    /// The low mark has moved: what was voted at or below it is settled.
    pub fn advance(&mut self, low: Seq) {
        self.votes.retain(|(_, seq), _| *seq > low);
        self.sealed = self.sealed.split_off(&Seq(low.0 + 1));
    }

    /// Whether the own state was found to contradict a stable one.
    pub fn set_diverged(&mut self, diverged: bool) {
        self.diverged = diverged;
    }

    pub fn diverged(&self) -> bool {
        self.diverged
    }

    /// The bytes of a vote already given, if it was.
    pub fn again(&self, kind: Kind, view: View, seq: Seq) -> Option<Signed> {
        let (of, digest, just) = self.votes.get(&(kind, seq))?;
        (*of == view).then(|| self.sign(kind, view, seq, *digest, *just))
    }

    pub fn level(&self) -> Level {
        self.level
    }

    /// Content digest of the NEW-VIEW by which the current view was entered.
    pub fn just(&self) -> Just {
        self.just
    }

    /// Every vote given: kind, slot, view, digest.
    pub fn votes(&self) -> impl Iterator<Item = (Kind, Seq, View, Digest)> {
        self.votes.iter().map(|((kind, seq), (view, digest, _))| (*kind, *seq, *view, *digest))
    }

    fn sign(&self, kind: Kind, view: View, seq: Seq, digest: Digest, just: Just) -> Signed {
        let statement = Statement { network_id: self.cfg.network_id, kind, sender: self.me, view, seq, digest, just };
        Signed { statement, sig: self.signer.sign(&statement) }
    }

    /// SF-2, then the record, then the signature.
    fn vote(&mut self, kind: Kind, at: (View, Seq, Digest, Just), io: &mut Io<'_>) -> Result<Signed, Refusal> {
        let (view, seq, digest, just) = at;
        let at_vote = (view, digest, just);
        let clash = [Kind::PrePrepare, Kind::Prepare, Kind::Commit]
            .iter()
            .filter_map(|k| self.votes.get(&(*k, seq)))
            .any(|(v, d, _)| *v == view && *d != digest);
        allow(!clash, Rule::Sf2)?;
        if self.votes.insert((kind, seq), at_vote) != Some(at_vote) && !mutant!("amnesia") {
            io.persist(Record::Vote { kind, view, seq, digest, just });
        }
        Ok(self.sign(kind, view, seq, digest, just))
    }

    fn current(&self, seq: Seq, window: Window) -> Result<View, Refusal> {
        allow(!self.level.changing, Rule::Sf1)?;
        allow(window.contains(seq), Rule::Sf5)?;
        allow(window.executed >= window.low && !self.diverged, Rule::Sf9)?;
        Ok(self.level.view)
    }

    /// OSDI'99 §4.2: the primary gives a slot its proposal.
    pub fn pre_prepare(
        &mut self,
        seq: Seq,
        digest: Digest,
        window: Window,
        io: &mut Io<'_>,
    ) -> Result<Signed, Refusal> {
        let view = self.current(seq, window)?;
        allow(self.cfg.quorum.primary(view) == self.me, Rule::Sf3)?;
        self.vote(Kind::PrePrepare, (view, seq, digest, self.just), io)
    }

    /// OSDI'99 §4.2: a backup agrees to the order.
    pub fn prepare(&mut self, seq: Seq, digest: Digest, window: Window, io: &mut Io<'_>) -> Result<Signed, Refusal> {
        let view = self.current(seq, window)?;
        allow(self.cfg.quorum.primary(view) != self.me, Rule::Sf3)?;
        self.vote(Kind::Prepare, (view, seq, digest, self.just), io)
    }

    /// OSDI'99 §4.2: says that the slot prepared here; the certificate is persisted first.
    pub fn commit(&mut self, cert: &Arc<Prepared>, window: Window, io: &mut Io<'_>) -> Result<Signed, Refusal> {
        let view = self.current(cert.seq, window)?;
        allow(cert.view == view && cert.just == self.just, Rule::Sf1)?;
        allow(cert.prepares.len() == usize::from(self.cfg.quorum.prepares()), Rule::Sf4)?;
        if !mutant!("late-persist") {
            io.persist(Record::Prepared(cert.clone()));
        }
        self.vote(Kind::Commit, (view, cert.seq, cert.digest, cert.just), io)
    }

    /// OSDI'99 §4.4: leaves the view for good; what was prepared is frozen into the message.
    pub fn view_change(
        &mut self,
        target: View,
        stable: StableProof,
        p: Vec<Arc<Prepared>>,
        io: &mut Io<'_>,
    ) -> Result<Arc<ViewChange>, Refusal> {
        allow(target > self.level.view, Rule::Sf6)?;
        let digest = ViewChange::content_digest(&stable, &p);
        let signed = self.sign(Kind::ViewChange, target, stable.seq, digest, Digest::ZERO);
        let vc = Arc::new(ViewChange { signed, stable, p });
        self.level = Level { view: target, changing: true };
        io.persist(Record::OwnViewChange(vc.clone()));
        Ok(vc)
    }

    /// OSDI'99 §4.4: opens the view changed to. Its pre-prepares are votes and go into the vote book.
    pub fn new_view(&mut self, v_set: Vec<Arc<ViewChange>>, io: &mut Io<'_>) -> Result<Arc<NewView>, Refusal> {
        let view = self.level.view;
        allow(self.level.changing && self.cfg.quorum.primary(view) == self.me, Rule::Sf7)?;
        allow(self.opened.as_ref().is_none_or(|nv| nv.view() < view), Rule::Sf7)?;
        let plan = new_view::select(&v_set);
        let slots = || plan.slots.iter().map(|(seq, digest)| (*seq, digest));
        let content = NewView::content_digest(view, &v_set, slots());
        let mut o = Vec::with_capacity(plan.slots.len());
        for (seq, digest) in slots() {
            let signed = self.vote(Kind::PrePrepare, (view, seq, *digest, content), io)?;
            o.push(Fixed { seq, digest: *digest, pp_sig: signed.sig });
        }
        let signed = self.sign(Kind::NewView, view, plan.min_s, content, Digest::ZERO);
        let nv = Arc::new(NewView { signed, v_set, o });
        allow(new_view::validate(&self.cfg, &nv, io.verify).is_ok(), Rule::Sf7)?;
        io.persist(Record::NewView(nv.clone()));
        self.opened = Some(nv.clone());
        Ok(nv)
    }

    /// Enters the view of an accepted NEW-VIEW.
    pub fn enter(&mut self, nv: &Arc<NewView>, io: &mut Io<'_>) {
        self.level = Level { view: nv.view(), changing: false };
        self.just = nv.just();
        if self.opened.as_ref().is_none_or(|own| own.view() != nv.view()) {
            io.persist(Record::NewView(nv.clone()));
        }
    }

    /// Collected ciphertexts for the primary, or for all.
    pub fn data_set(&self, number: u64, items: Vec<Arc<Sigma>>) -> DataSet {
        let digest = DataSet::content_digest(&items);
        DataSet { signed: self.sign(Kind::DataSet, self.level.view, Seq(number), digest, Digest::ZERO), items }
    }

    /// Asks a peer for something that proves itself.
    pub fn fetch(&self, number: u64, want: Want) -> Fetch {
        let digest = Fetch::content_digest(want);
        Fetch { signed: self.sign(Kind::Fetch, View(0), Seq(number), digest, Digest::ZERO), want }
    }

    /// Says how far one is.
    pub fn status(&self, executed: Seq, low: Seq, has: [Vec<u8>; 3]) -> Status {
        let Level { view, changing } = self.level;
        let digest = Status::content_digest(changing, low, &has);
        Status { signed: self.sign(Kind::Status, view, executed, digest, Digest::ZERO), changing, low, has }
    }

    /// OSDI'99 §4.3: vouches for the state after a slot, once and for all.
    pub fn checkpoint(&mut self, seq: Seq, state: Digest, io: &mut Io<'_>) -> Result<Signed, Refusal> {
        allow(!self.diverged, Rule::Sf8)?;
        let vote = (View(0), state, Digest::ZERO);
        let first = self.votes.get(&(Kind::Checkpoint, seq)).copied();
        allow(first.is_none_or(|given| given == vote), Rule::Sf8)?;
        if first.is_none() {
            self.votes.insert((Kind::Checkpoint, seq), vote);
            io.persist(Record::Vote { kind: Kind::Checkpoint, view: View(0), seq, digest: state, just: Digest::ZERO });
        }
        Ok(self.sign(Kind::Checkpoint, View(0), seq, state, Digest::ZERO))
    }

    /// Vouches towards followers for the header executed at a height.
    pub fn seal(&mut self, height: Seq, header: Digest) -> Result<Signed, Refusal> {
        allow(!self.diverged, Rule::Sf8)?;
        allow(*self.sealed.entry(height).or_insert(header) == header, Rule::Sf8)?;
        Ok(self.sign(Kind::Seal, View(0), height, header, Digest::ZERO))
    }
}
