//! Noticing faults while agreeing, and telling the others (CONSENSUS.md §3.13): EQ, XP, PV, IP, IV and HP.
//!
//! Evidence informs people. It changes no quorum, refuses no vote and moves no timer.

use super::evidence::{Class, Evidence, crosses, exclusive, hides};
use super::io::{Io, Output};
use super::message::{Kind, Message, NewView, Signed, Statement, ViewChange};
use super::replica::Replica;
use super::rule::{About, Reason, Rule};
use super::types::{Just, ReplicaId, Sig, View};
use crate::ledger::{Digest, Proposal, Seq};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The faults proven to this replica, one proof per culprit and class.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    known: BTreeMap<(ReplicaId, Class), Arc<Evidence>>,
    /// Who was last shown the NEW-VIEW of which view, having voted under another one.
    confronted: BTreeMap<ReplicaId, View>,
}

impl Faults {
    /// Every proof, by culprit and class.
    pub fn known(&self) -> impl Iterator<Item = (&(ReplicaId, Class), &Arc<Evidence>)> {
        self.known.iter()
    }
}

impl Replica {
    /// Faults proven so far.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Tells everybody, once per culprit and class.
    pub(super) fn accuse(&mut self, evidence: Evidence, io: &mut Io<'_>) {
        let (culprit, class) = (evidence.accused(), evidence.class());
        if self.faults.known.contains_key(&(culprit, class)) {
            return;
        }
        io.note(Rule::Ev1, About::Fault { culprit, class });
        let evidence = Arc::new(evidence);
        io.broadcast(Message::Evidence(evidence.clone()));
        self.convict(evidence, io);
    }

    fn convict(&mut self, evidence: Arc<Evidence>, io: &mut Io<'_>) {
        self.faults.known.insert((evidence.accused(), evidence.class()), evidence.clone());
        io.out.push(Output::Evidence(evidence));
    }

    /// EV-1: another gateway's accusation counts only if it proves itself.
    pub(super) fn on_evidence(&mut self, evidence: &Arc<Evidence>, io: &mut Io<'_>) {
        let (culprit, class) = (evidence.accused(), evidence.class());
        let about = About::Fault { culprit, class };
        if self.faults.known.contains_key(&(culprit, class)) {
            return io.reject(Rule::Ev1, Reason::Duplicate, about);
        }
        if evidence.verify(&self.cfg, io.verify).is_err() {
            return io.reject(Rule::Ev1, Reason::BadEvidence, about);
        }
        io.accept(Rule::Ev1, about);
        self.convict(evidence.clone(), io);
    }

    /// The view by which the vote books are kept: the last one entered.
    fn entered(&self) -> View {
        self.new_view.as_ref().map_or(View(0), |nv| nv.view())
    }

    /// Digest, justification and signature of what `who` signed as `kind` for a slot of the view last entered, as far as
    /// the log has it.
    fn said_by(&self, who: ReplicaId, kind: Kind, seq: Seq) -> Option<(Digest, Just, Sig)> {
        let slot = self.log.slot(seq)?;
        match kind {
            Kind::PrePrepare => {
                let view = self.entered();
                let pp = slot.pp.filter(|pp| pp.view == view && self.cfg.quorum.primary(view) == who)?;
                Some((pp.digest, pp.just, pp.sig))
            }
            Kind::Prepare => slot.prepares.first_of(who),
            _ => slot.commits.first_of(who),
        }
    }

    /// The same, as it was signed.
    fn signed_by(&self, who: ReplicaId, kind: Kind, seq: Seq) -> Option<Signed> {
        let (digest, just, sig) = self.said_by(who, kind, seq)?;
        let view = self.entered();
        let statement = Statement { network_id: self.cfg.network_id, kind, sender: who, view, seq, digest, just };
        Some(Signed { statement, sig })
    }

    /// EQ, XP, PV and HP by a vote whose signature is valid, whether or not it will count.
    pub(super) fn examine_vote(&mut self, vote: &Signed, io: &mut Io<'_>) {
        let st = &vote.statement;
        if st.kind == Kind::Prepare && self.cfg.quorum.primary(st.view) == st.sender {
            return self.accuse(Evidence::PrimaryVote(*vote), io);
        }
        if st.view == self.entered() {
            for kind in [Kind::PrePrepare, Kind::Prepare, Kind::Commit] {
                // Mostly it is the same story again.
                let other = |(digest, just, _): &(Digest, Just, Sig)| (*digest, *just) != (st.digest, st.just);
                let earlier = self.said_by(st.sender, kind, st.seq).filter(other);
                let Some(earlier) = earlier.and_then(|_| self.signed_by(st.sender, kind, st.seq)) else { continue };
                if exclusive(&earlier.statement, st) {
                    self.accuse(Evidence::Equivocation(earlier, *vote), io);
                }
                for (vote, commit) in [(earlier, *vote), (*vote, earlier)] {
                    if crosses(&vote.statement, &commit.statement) {
                        self.accuse(Evidence::CrossPhase { vote, commit }, io);
                    }
                }
            }
            self.confront(st, io);
        }
        if let Some(vc) = self.vcs.get(&st.sender).filter(|vc| hides(st, vc)) {
            let view_change = vc.clone();
            self.accuse(Evidence::HiddenPrepared { commit: *vote, view_change }, io);
        }
    }

    /// A vote under another NEW-VIEW for our view: its sender is shown ours, so that one of us can prove that the primary
    /// signed two.
    fn confront(&mut self, st: &Statement, io: &mut Io<'_>) {
        if !self.normal() || st.just == self.safety.just() {
            return;
        }
        let Some(nv) = self.new_view.clone() else { return };
        if self.faults.confronted.insert(st.sender, st.view) != Some(st.view) {
            io.send(st.sender, Message::NewView(nv));
        }
    }

    /// IP: the proposal fails for everybody, and its slot was free.
    pub(super) fn examine_proposal(&mut self, signed: &Signed, proposal: &Arc<Proposal>, rule: Rule, io: &mut Io<'_>) {
        if matches!(rule, Rule::Pp7 | Rule::Pp10 | Rule::Pp11) {
            let under = self.new_view.clone();
            let evidence = Evidence::InvalidProposal { signed: *signed, proposal: proposal.clone(), under };
            // The same rules also refuse for local reasons: a ticket spent in our chain is no fault that others can see.
            if evidence.verify(&self.cfg, io.verify).is_ok() {
                self.accuse(evidence, io);
            }
        }
    }

    /// EQ and XP by the certificates of a valid VIEW-CHANGE: two gateways to whom a liar told different stories meet here.
    pub(super) fn examine_certificates(&mut self, vc: &ViewChange, io: &mut Io<'_>) {
        let (view, cfg) = (self.entered(), self.cfg.clone());
        for cert in vc.p.iter().filter(|cert| cert.view == view) {
            cert.statements(&cfg).for_each(|signed| self.examine_vote(&signed, io));
        }
    }

    /// EQ and HP by a VIEW-CHANGE whose signature is valid.
    pub(super) fn examine_view_change(&mut self, vc: &Arc<ViewChange>, io: &mut Io<'_>) {
        let earlier = self.vcs.get(&vc.sender()).map(|old| old.signed);
        if let Some(earlier) = earlier.filter(|old| exclusive(&old.statement, &vc.signed.statement)) {
            self.accuse(Evidence::Equivocation(earlier, vc.signed), io);
        }
        let slots: Vec<Seq> = self.log.slots.keys().copied().collect();
        let hidden = slots.into_iter().find_map(|seq| {
            self.signed_by(vc.sender(), Kind::Commit, seq).filter(|commit| hides(&commit.statement, vc))
        });
        if let Some(commit) = hidden {
            self.accuse(Evidence::HiddenPrepared { commit, view_change: vc.clone() }, io);
        }
    }

    /// EQ by a second NEW-VIEW for the view last entered.
    pub(super) fn examine_new_view(&mut self, nv: &Arc<NewView>, io: &mut Io<'_>) {
        let earlier = self.new_view.as_ref().map(|old| old.signed);
        if let Some(earlier) = earlier.filter(|old| exclusive(&old.statement, &nv.signed.statement)) {
            self.accuse(Evidence::Equivocation(earlier, nv.signed), io);
        }
    }
}
