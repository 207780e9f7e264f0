//! Who broke the theorem (CONSENSUS.md §3.13, §3.14 item 9, §5.4): from every message that ever entered a link, also a lost
//! one, the gateways that provably did what no correct gateway does.
//!
//! It sees more than any gateway: statements alone and inside certificates, and what was *never* said. That adds two
//! classes to those of [`crate::pbft::evidence`]: UJ and CW. Whatever happened, it must not name a correct gateway; after
//! two conflicting commits it names at least the overlap of two quorums.

use crate::ledger::{Digest, Seq};
use crate::pbft::certificate::CommitCertificate;
use crate::pbft::evidence::{crosses, exclusive, hides};
use crate::pbft::message::{NewView, ViewChange};
use crate::pbft::{
    Class, Config, Evidence, Kind, Message, ReplicaId, ReplicaSet, Signed, Statement, Verifier, View, new_view,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a gateway is charged with; written as its short name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Charge {
    /// What evidence proves to anybody.
    Proven(Class),
    /// UJ: a vote that rests on a NEW-VIEW nobody ever sent.
    Unjustified,
    /// CW: a COMMIT though no quorum had prepared.
    CommittedUnprepared,
}

impl Charge {
    /// The short name of CONSENSUS.md §3.13.
    pub fn id(self) -> &'static str {
        match self {
            Charge::Proven(class) => class.id(),
            Charge::Unjustified => "UJ",
            Charge::CommittedUnprepared => "CW",
        }
    }

    /// What the culprit did, to follow its name in a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Charge::Proven(class) => class.text(),
            Charge::Unjustified => "voted under a new view that nobody ever sent",
            Charge::CommittedUnprepared => "committed what no quorum had prepared",
        }
    }

    fn parse(id: &str) -> Option<Self> {
        let proven = Class::ALL.into_iter().map(Charge::Proven);
        proven.chain([Charge::Unjustified, Charge::CommittedUnprepared]).find(|charge| charge.id() == id)
    }
}

impl Serialize for Charge {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Charge {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let id = String::deserialize(d)?;
        Charge::parse(&id).ok_or_else(|| de::Error::custom("no such charge"))
    }
}

/// What convicts a gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Convinces anybody who has genesis.
    Evidence(Evidence),
    /// UJ: a vote that rests on a NEW-VIEW nobody ever sent.
    Unjustified(Signed),
    /// CW: a COMMIT though no quorum had prepared.
    CommittedUnprepared(Signed),
}

impl Finding {
    pub fn charge(&self) -> Charge {
        match self {
            Finding::Evidence(evidence) => Charge::Proven(evidence.class()),
            Finding::Unjustified(_) => Charge::Unjustified,
            Finding::CommittedUnprepared(_) => Charge::CommittedUnprepared,
        }
    }

    /// The signed statements that convict.
    pub fn statements(&self) -> Vec<Signed> {
        match self {
            Finding::Evidence(evidence) => evidence.statements().into_iter().copied().collect(),
            Finding::Unjustified(signed) | Finding::CommittedUnprepared(signed) => vec![*signed],
        }
    }
}

/// The first finding of each charge, per culprit.
pub type Culprits = BTreeMap<ReplicaId, BTreeMap<Charge, Finding>>;

/// Place of a vote: view, slot, digest, justification.
type Place = (View, Seq, Digest, Digest);

fn place(st: &Statement) -> Place {
    (st.view, st.seq, st.digest, st.just)
}

/// Everything signed in a run, each statement once.
#[derive(Clone, Debug, Default)]
pub struct Forensics {
    /// By sender, kind, view and slot.
    said: BTreeMap<(ReplicaId, Kind, View, Seq), Vec<Signed>>,
    view_changes: BTreeMap<(ReplicaId, Digest), Arc<ViewChange>>,
    /// By the digest that votes name.
    new_views: BTreeMap<Digest, Arc<NewView>>,
    proposals: Vec<Evidence>,
    commits: BTreeMap<Seq, Vec<CommitCertificate>>,
}

impl Forensics {
    /// Reads all messages of a run. Signatures that do not verify prove nothing and are left out.
    pub fn of<'a>(cfg: &Config, messages: impl Iterator<Item = &'a Message>, verify: &mut dyn Verifier) -> Self {
        let mut all = Forensics::default();
        for message in messages {
            all.hear(cfg, message, verify);
        }
        all
    }

    fn hear(&mut self, cfg: &Config, message: &Message, verify: &mut dyn Verifier) {
        if let Some((_, signed)) = message.signed() {
            self.note(cfg, signed, verify);
        }
        match message {
            Message::PrePrepare(signed, proposal) if signed.statement.digest == proposal.digest() => {
                let (signed, proposal) = (*signed, proposal.clone());
                self.proposals.push(Evidence::InvalidProposal { signed, proposal, under: None });
            }
            Message::ViewChange(vc) => self.view_change(cfg, vc, verify),
            Message::NewView(nv) => self.new_view(cfg, nv, verify),
            Message::Publish(publish) => self.certificate(cfg, &publish.cert, verify),
            Message::Evidence(evidence) => {
                evidence.statements().into_iter().for_each(|signed| self.note(cfg, signed, verify))
            }
            _ => {}
        }
    }

    fn note(&mut self, cfg: &Config, signed: &Signed, verify: &mut dyn Verifier) {
        let st = &signed.statement;
        let same = self.said.entry((st.sender, st.kind, st.view, st.seq)).or_default();
        if !same.iter().any(|old| old.statement == *st) && new_view::signed_here(cfg, signed, verify) {
            same.push(*signed);
        }
    }

    fn view_change(&mut self, cfg: &Config, vc: &Arc<ViewChange>, verify: &mut dyn Verifier) {
        let key = (vc.sender(), vc.signed.statement.digest);
        let sound = new_view::view_change_binds(vc, verify) && new_view::signed_here(cfg, &vc.signed, verify);
        if !sound || self.view_changes.contains_key(&key) {
            return;
        }
        self.view_changes.insert(key, vc.clone());
        self.note(cfg, &vc.signed, verify);
        for cert in &vc.p {
            cert.statements(cfg).for_each(|signed| self.note(cfg, &signed, verify));
        }
    }

    fn new_view(&mut self, cfg: &Config, nv: &Arc<NewView>, verify: &mut dyn Verifier) {
        // Its own signature is not asked for: a vote names the content, whoever brought it.
        let just = verify.new_view_content(nv);
        self.new_views.entry(just).or_insert_with(|| nv.clone());
        nv.v_set.iter().for_each(|vc| self.view_change(cfg, vc, verify));
        for fixed in &nv.o {
            let (kind, sender, view) = (Kind::PrePrepare, cfg.quorum.primary(nv.view()), nv.view());
            let (network_id, seq, digest) = (cfg.network_id, fixed.seq, fixed.digest);
            let statement = Statement { network_id, kind, sender, view, seq, digest, just };
            self.note(cfg, &Signed { statement, sig: fixed.pp_sig }, verify);
        }
    }

    fn certificate(&mut self, cfg: &Config, cert: &CommitCertificate, verify: &mut dyn Verifier) {
        cert.statements(cfg).for_each(|signed| self.note(cfg, &signed, verify));
        let known = self.commits.entry(cert.seq).or_default();
        if !known.iter().any(|old| old.digest == cert.digest) && cert.valid(cfg, verify) {
            known.push(cert.clone());
        }
    }

    /// The first two published certificates for one slot that disagree.
    pub fn conflict(&self) -> Option<(&CommitCertificate, &CommitCertificate)> {
        self.commits.values().find_map(|certs| Some((certs.first()?, certs.get(1)?)))
    }

    /// Everybody convicted, with one finding per class.
    pub fn culprits(&self, cfg: &Config, verify: &mut dyn Verifier) -> Culprits {
        let mut found = Culprits::new();
        self.one_place(&mut found);
        self.across_kinds(cfg, &mut found);
        self.contents(cfg, verify, &mut found);
        self.justifications(cfg, verify, &mut found);
        self.unprepared(cfg, &mut found);
        found
    }

    /// EQ: one place, two contents.
    fn one_place(&self, found: &mut Culprits) {
        let mut first: BTreeMap<(ReplicaId, Kind, View, Option<Seq>), Signed> = BTreeMap::new();
        for ((who, kind, view, seq), said) in &self.said {
            let keyed = !matches!(kind, Kind::ViewChange | Kind::NewView);
            for signed in said {
                let earlier = *first.entry((*who, *kind, *view, keyed.then_some(*seq))).or_insert(*signed);
                if exclusive(&earlier.statement, &signed.statement) {
                    convict(found, *who, Finding::Evidence(Evidence::Equivocation(earlier, *signed)));
                }
            }
        }
    }

    /// XP, PV and HP.
    fn across_kinds(&self, cfg: &Config, found: &mut Culprits) {
        for ((who, kind, view, seq), said) in &self.said {
            if *kind == Kind::Prepare && cfg.quorum.primary(*view) == *who {
                said.iter().for_each(|s| convict(found, *who, Finding::Evidence(Evidence::PrimaryVote(*s))));
            }
            for commit in said.iter().filter(|_| *kind == Kind::Commit) {
                for earlier in [Kind::PrePrepare, Kind::Prepare] {
                    let votes = self.said.get(&(*who, earlier, *view, *seq)).into_iter().flatten();
                    for vote in votes.filter(|vote| crosses(&vote.statement, &commit.statement)) {
                        let (vote, commit) = (*vote, *commit);
                        convict(found, *who, Finding::Evidence(Evidence::CrossPhase { vote, commit }));
                    }
                }
                let later = self.view_changes.range((*who, Digest::ZERO)..).take_while(|((by, _), _)| by == who);
                for (_, vc) in later.filter(|(_, vc)| hides(&commit.statement, vc)) {
                    let evidence = Evidence::HiddenPrepared { commit: *commit, view_change: vc.clone() };
                    convict(found, *who, Finding::Evidence(evidence));
                }
            }
        }
    }

    /// IP and IV: what refutes itself.
    fn contents(&self, cfg: &Config, verify: &mut dyn Verifier, found: &mut Culprits) {
        let proposals = self.proposals.iter().map(|evidence| match evidence {
            Evidence::InvalidProposal { signed, proposal, .. } => Evidence::InvalidProposal {
                signed: *signed,
                proposal: proposal.clone(),
                under: self.new_views.get(&signed.statement.just).cloned(),
            },
            other => other.clone(),
        });
        let changes = self.view_changes.values().cloned().map(Evidence::InvalidViewChange);
        let views = self.new_views.values().cloned().map(Evidence::InvalidNewView);
        for evidence in proposals.chain(changes).chain(views) {
            if let Ok(who) = evidence.verify(cfg, verify) {
                convict(found, who, Finding::Evidence(evidence));
            }
        }
    }

    /// OJ and UJ: votes against the NEW-VIEW they name, and votes that name none.
    fn justifications(&self, cfg: &Config, verify: &mut dyn Verifier, found: &mut Culprits) {
        let votes = self.said.iter().filter(|((_, kind, ..), _)| kind.is_vote());
        // All votes for one place are judged alike.
        let mut judged: BTreeMap<Place, bool> = BTreeMap::new();
        for ((who, _, view, _), said) in votes {
            for vote in said {
                let just = &vote.statement.just;
                match self.new_views.get(just) {
                    Some(new_view) => {
                        let evidence = Evidence::OtherJustification { vote: *vote, new_view: new_view.clone() };
                        let forbidden = judged.entry(place(&vote.statement));
                        if *forbidden.or_insert_with(|| evidence.verify(cfg, verify).is_ok()) {
                            convict(found, *who, Finding::Evidence(evidence));
                        }
                    }
                    None if *view == View(0) && *just == Digest::ZERO => {}
                    None => convict(found, *who, Finding::Unjustified(*vote)),
                }
            }
        }
    }

    /// CW. The signer's own PREPARE is granted: it may have died before sending it.
    fn unprepared(&self, cfg: &Config, found: &mut Culprits) {
        let mut proposed: BTreeSet<Place> = BTreeSet::new();
        let mut prepared: BTreeMap<Place, ReplicaSet> = BTreeMap::new();
        for signed in self.said.values().flatten() {
            let st = &signed.statement;
            let place = place(st);
            let leads = cfg.quorum.primary(st.view) == st.sender;
            match st.kind {
                Kind::PrePrepare if leads => {
                    proposed.insert(place);
                }
                Kind::Prepare if !leads => {
                    prepared.entry(place).or_default().insert(st.sender);
                }
                _ => {}
            }
        }
        for commit in self.said.values().flatten().filter(|s| s.statement.kind == Kind::Commit) {
            let st = &commit.statement;
            let place = place(st);
            let mut backups = prepared.get(&place).copied().unwrap_or_default();
            if cfg.quorum.primary(st.view) != st.sender {
                backups.insert(st.sender);
            }
            if !proposed.contains(&place) || backups.count() < cfg.quorum.prepares() {
                convict(found, st.sender, Finding::CommittedUnprepared(*commit));
            }
        }
    }
}

fn convict(found: &mut Culprits, who: ReplicaId, finding: Finding) {
    found.entry(who).or_default().entry(finding.charge()).or_insert(finding);
}
