//! Invariants of agreement (CONSENSUS.md §6), read from the trace as it grows.
//!
//! C is the set of gateways that never followed a Byzantine behaviour. Invariants marked G hold only while the number of
//! faulty gateways is at most f; beyond that a violation is expected and reported once as `SafetyVoid`.
//! Nothing here influences the run.

use super::Finding;
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, VoteKind};
use crate::ledger::Digest;
use crate::pbft::{self, Quorum, ReplicaId, View};
use crate::sim::adversary::BehaviourKind;
use crate::sim::trace::{Effect, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// Digits of a digest that are enough to tell two blocks apart.
const SHORT: usize = 8;

/// Signed kind of a consensus statement, for SI-5.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Signed {
    PrePrepare,
    Vote(VoteKind),
}

impl Signed {
    fn kind(self) -> pbft::Kind {
        match self {
            Signed::PrePrepare => pbft::Kind::PrePrepare,
            Signed::Vote(VoteKind::Prepare) => pbft::Kind::Prepare,
            Signed::Vote(VoteKind::Commit) => pbft::Kind::Commit,
        }
    }
}

/// SI-1, SI-2, SI-5, SI-7, SI-11 and SI-13 over the effects of all gateways.
#[derive(Clone, Debug)]
pub struct Agreement {
    quorum: Quorum,
    faulty: BTreeSet<ActorId>,
    /// Agreed digest per seq with the first gateway of C that executed it.
    executed: BTreeMap<u64, (Digest, ActorId)>,
    /// Header per height with the first gateway of C that appended it.
    headers: BTreeMap<u64, (Digest, ActorId)>,
    /// Digest prepared in C per (view, seq).
    prepared: BTreeMap<(u64, u64), (Digest, ActorId)>,
    signed: BTreeMap<(ActorId, Signed, u64, u64), Digest>,
    level: BTreeMap<ActorId, u64>,
    height: BTreeMap<ActorId, u64>,
}

impl Agreement {
    pub fn new(quorum: Quorum) -> Self {
        Agreement {
            quorum,
            faulty: BTreeSet::new(),
            executed: BTreeMap::new(),
            headers: BTreeMap::new(),
            prepared: BTreeMap::new(),
            signed: BTreeMap::new(),
            level: BTreeMap::new(),
            height: BTreeMap::new(),
        }
    }

    /// Gateways that ever followed a behaviour other than pure omission.
    pub fn faulty(&self) -> &BTreeSet<ActorId> {
        &self.faulty
    }

    /// Header at a height, with the first gateway of C that appended it.
    pub(super) fn header(&self, height: u64) -> Option<(Digest, ActorId)> {
        self.headers.get(&height).copied()
    }

    /// What a gateway of C signed: kind, view, slot and digest.
    pub(super) fn signed_by(&self, who: ActorId) -> impl Iterator<Item = (pbft::Kind, u64, u64, Digest)> {
        let first = (who, Signed::PrePrepare, 0, 0);
        let own = self.signed.range(first..).take_while(move |((of, ..), _)| *of == who);
        own.map(|((_, kind, view, seq), digest)| (kind.kind(), *view, *seq, *digest))
    }

    /// Looks at the next effect; most break nothing.
    pub fn observe(&mut self, effect: &Effect) -> Option<Finding> {
        let actor = effect.actor.filter(|a| a.role == Role::Css)?;
        match &effect.kind {
            Kind::Behaves { behaviour: Some(name) } if BehaviourKind::parse(name).is_none_or(|b| !b.about().omits) => {
                self.faulty.insert(actor);
                None
            }
            Kind::Recovered { amnesia: true, .. } => {
                self.faulty.insert(actor);
                None
            }
            Kind::Recovered { height, .. } => {
                self.height.insert(actor, *height);
                None
            }
            Kind::Fact(fact) if !self.faulty.contains(&actor) => self.fact(actor, fact),
            _ => None,
        }
    }

    fn fact(&mut self, who: ActorId, fact: &FactKind) -> Option<Finding> {
        use FactKind as F;
        match fact {
            F::Executed { seq, digest, .. } => self.in_order(who, *seq).or_else(|| {
                let (other, first) = Self::same(&mut self.executed, *seq, *digest, who)?;
                let (own, first) = (digest.short(SHORT), first.short(SHORT));
                self.gated("SI-1", format!("{who} executed {own} as block {seq}, and {other} executed {first}"))
            }),
            F::StateTransferred { height, .. } => {
                let at = self.height.entry(who).or_default();
                *at = (*at).max(*height);
                None
            }
            F::BlockAppended { height, header, .. } => {
                let (other, first) = Self::same(&mut self.headers, *height, *header, who)?;
                let (own, first) = (header.short(SHORT), first.short(SHORT));
                self.gated("SI-1", format!("{who} holds header {own} at height {height}, and {other} holds {first}"))
            }
            F::Prepared { view, seq, digest } => {
                let (other, first) = Self::same(&mut self.prepared, (*view, *seq), *digest, who)?;
                let (own, first, at) = (digest.short(SHORT), first.short(SHORT), format!("view {view}, slot {seq}"));
                self.gated("SI-2", format!("{who} prepared {own} at {at}, and {other} prepared {first}"))
            }
            F::PrePrepared { view, seq, digest, .. } if self.is_primary(who, *view) => {
                self.signs(who, Signed::PrePrepare, *view, *seq, *digest)
            }
            F::Voted { vote, view, seq, digest } => self.signs(who, Signed::Vote(*vote), *view, *seq, *digest),
            F::Evidence { culprit, class } => self.names_a_culprit(who, *culprit, class.id()),
            F::ViewChange { target, .. } => self.rises(who, *target, false),
            F::NewView { view, .. } => self.rises(who, *view, true),
            _ => None,
        }
    }

    fn is_primary(&self, who: ActorId, view: u64) -> bool {
        self.quorum.primary(View(view)) == ReplicaId(who.index)
    }

    /// A G invariant fell: a violation within f, beyond it the end of the theorem. What only a fork can break holds for as
    /// long as the liars are too few to fork (CONSENSUS.md §5.4).
    pub(super) fn gated(&self, id: &'static str, text: String) -> Option<Finding> {
        let forks = matches!(id, "SI-1" | "SI-2" | "SI-3" | "SI-4");
        // A quorum too small (a bug built in) must not excuse what it breaks.
        let enough = self.quorum.breaking().max(self.quorum.weak());
        let enough = if forks { enough } else { self.quorum.weak() };
        let within = self.faulty.len() < usize::from(enough);
        Some(if within { Finding::Broken { id, text } } else { Finding::Void { id, text } })
    }

    /// Records the first digest per key; against another digest later, it gives the first and who had it.
    fn same<K: Ord>(
        book: &mut BTreeMap<K, (Digest, ActorId)>,
        key: K,
        digest: Digest,
        who: ActorId,
    ) -> Option<(ActorId, Digest)> {
        let (first, by) = *book.entry(key).or_insert((digest, who));
        (first != digest).then_some((by, first))
    }

    /// SI-11: executed slots follow one another without gap or repetition.
    fn in_order(&mut self, who: ActorId, seq: u64) -> Option<Finding> {
        let before = self.height.insert(who, seq).unwrap_or(0);
        let text = || format!("{who} executed slot {seq} after slot {before}");
        (seq != before + 1).then(|| Finding::Broken { id: "SI-11", text: text() })
    }

    /// SI-5: one digest per gateway, kind, view and slot.
    fn signs(&mut self, who: ActorId, kind: Signed, view: u64, seq: u64, digest: Digest) -> Option<Finding> {
        let first = *self.signed.entry((who, kind, view, seq)).or_insert(digest);
        let text = || format!("{who} signed two digests as {kind:?} of view {view}, slot {seq}");
        (first != digest).then(|| Finding::Broken { id: "SI-5", text: text() })
    }

    /// SI-13: evidence never names a correct gateway.
    fn names_a_culprit(&self, who: ActorId, culprit: ActorId, class: &str) -> Option<Finding> {
        let text = || format!("{who} holds {class} evidence against the correct {culprit}");
        (!self.faulty.contains(&culprit)).then(|| Finding::Broken { id: "SI-13", text: text() })
    }

    /// SI-7: the level of a gateway only rises; it enters the view it changed to, or a later one.
    fn rises(&mut self, who: ActorId, view: u64, entered: bool) -> Option<Finding> {
        let before = self.level.insert(who, view);
        let fell = before.is_some_and(|b| if entered { view < b } else { view <= b });
        let text = || format!("{who} went from view {} to view {view}", before.unwrap_or(0));
        fell.then(|| Finding::Broken { id: "SI-7", text: text() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::invariants::told::{css, effect, id, lies};

    fn rules() -> Agreement {
        Agreement::new(Quorum::new(4).expect("four are enough"))
    }

    fn see(rules: &mut Agreement, who: u16, kind: Kind) -> Option<Finding> {
        rules.observe(&effect(css(who), kind))
    }

    fn executed(seq: u64, tag: u8) -> Kind {
        Kind::Fact(FactKind::Executed { seq, digest: Digest([tag; 32]), applied: 1, voids: 0 })
    }

    #[test]
    fn equal_chains_break_nothing() {
        let mut rules = rules();
        for who in 0..4 {
            for seq in 1..4 {
                assert_eq!(see(&mut rules, who, executed(seq, seq as u8)), None);
            }
        }
    }

    #[test]
    fn a_fork_among_correct_gateways_breaks_si_1() {
        let mut rules = rules();
        assert_eq!(see(&mut rules, 0, executed(1, 1)), None);
        assert_eq!(id(see(&mut rules, 1, executed(1, 2))), Some("SI-1"));
    }

    #[test]
    fn what_a_faulty_gateway_does_is_not_judged() {
        let mut rules = rules();
        assert_eq!(rules.observe(&lies(0)), None);
        assert_eq!(see(&mut rules, 0, executed(1, 1)), None);
        assert_eq!(see(&mut rules, 1, executed(1, 2)), None);
    }

    #[test]
    fn beyond_f_a_fork_is_void_and_not_a_bug() {
        let mut rules = rules();
        rules.observe(&lies(0));
        rules.observe(&lies(1));
        assert_eq!(see(&mut rules, 2, executed(1, 1)), None);
        assert_eq!(id(see(&mut rules, 3, executed(1, 2))), Some("void"));
    }

    /// n = 5: f = 1, but quorums of 4 share 3.
    #[test]
    fn beyond_f_a_fork_is_still_a_bug_where_the_liars_are_too_few_to_fork() {
        let mut rules = Agreement::new(Quorum::new(5).expect("five are enough"));
        rules.observe(&lies(0));
        rules.observe(&lies(1));
        assert_eq!(see(&mut rules, 2, executed(1, 1)), None);
        assert_eq!(id(see(&mut rules, 3, executed(1, 2))), Some("SI-1"));
        assert_eq!(id(rules.gated("SI-10", String::new())), Some("void"), "f lies beyond the rest");
    }

    #[test]
    fn prepared_twice_breaks_si_2() {
        let mut rules = rules();
        let prepared = |tag| Kind::Fact(FactKind::Prepared { view: 0, seq: 1, digest: Digest([tag; 32]) });
        assert_eq!(see(&mut rules, 1, prepared(1)), None);
        assert_eq!(see(&mut rules, 2, prepared(1)), None);
        assert_eq!(id(see(&mut rules, 3, prepared(2))), Some("SI-2"));
    }

    #[test]
    fn two_votes_for_one_slot_break_si_5() {
        let mut rules = rules();
        let vote = |tag| {
            let digest = Digest([tag; 32]);
            Kind::Fact(FactKind::Voted { vote: VoteKind::Prepare, view: 0, seq: 1, digest })
        };
        assert_eq!(see(&mut rules, 1, vote(1)), None);
        assert_eq!(see(&mut rules, 1, vote(1)), None);
        assert_eq!(id(see(&mut rules, 1, vote(2))), Some("SI-5"));
    }

    #[test]
    fn views_never_go_back_si_7() {
        let mut rules = rules();
        let change = |target| Kind::Fact(FactKind::ViewChange { target, reason: String::new() });
        let enter = |view| Kind::Fact(FactKind::NewView { view, carried: 0 });
        assert_eq!(see(&mut rules, 1, change(1)), None);
        assert_eq!(see(&mut rules, 1, enter(1)), None);
        assert_eq!(see(&mut rules, 1, enter(3)), None);
        assert_eq!(id(see(&mut rules, 1, change(2))), Some("SI-7"));
    }

    #[test]
    fn evidence_against_a_correct_gateway_breaks_si_13() {
        let mut rules = rules();
        let evidence = || {
            let (culprit, class) = (css(0), crate::pbft::Class::Equivocation);
            Kind::Fact(FactKind::Evidence { culprit, class })
        };
        assert_eq!(id(see(&mut rules, 1, evidence())), Some("SI-13"));
        rules.observe(&lies(0));
        assert_eq!(see(&mut rules, 1, evidence()), None);
    }

    #[test]
    fn a_gap_or_a_repetition_breaks_si_11() {
        let mut rules = rules();
        assert_eq!(see(&mut rules, 0, executed(1, 1)), None);
        assert_eq!(id(see(&mut rules, 0, executed(1, 1))), Some("SI-11"));
        assert_eq!(id(see(&mut rules, 0, executed(3, 3))), Some("SI-11"));
    }
}
