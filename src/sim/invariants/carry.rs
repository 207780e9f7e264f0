//! SI-3, SI-4 and SI-14 (CONSENSUS.md §6): what a commit rests on, what a new view must carry over, and that nothing is
//! said before it is durable.
//!
//! SI-3 and SI-4 are the two steps of the argument why a committed slot survives (§3.14-2, §3.14-3), looked at live.

use super::{Agreement, Finding, Sight};
use crate::entities::Entity;
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, VoteKind};
use crate::ledger::Digest;
use crate::pbft;
use crate::sim::trace::{Effect, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// What an accepted NEW-VIEW fixes.
#[derive(Clone, Debug)]
pub struct Fixed {
    pub min_s: u64,
    pub slots: BTreeMap<u64, Digest>,
}

/// SI-3, SI-4 and SI-14 over all gateways of C.
#[derive(Clone, Default, Debug)]
pub struct Carry {
    /// Who ever held a Prepared certificate, by (slot, view, digest).
    prepared: BTreeMap<(u64, u64, Digest), BTreeSet<ActorId>>,
    /// Views and digests committed in C, by slot.
    committed: BTreeMap<u64, BTreeSet<(u64, Digest)>>,
    /// What each view that somebody of C entered began with.
    opened: BTreeMap<u64, Fixed>,
    /// Votes given by each gateway, and votes it made durable.
    said: BTreeMap<ActorId, BTreeSet<(VoteKind, u64, u64)>>,
    durable: BTreeMap<ActorId, u64>,
    /// Back from a crash with their records, and silent since.
    back: BTreeSet<ActorId>,
}

/// The name under which a gateway persists a vote.
const VOTE: &str = "vote";

impl Carry {
    /// Looks at the next effect; `strong` is q.
    pub fn observe(
        &mut self,
        effect: &Effect,
        agreement: &Agreement,
        strong: u16,
        sight: &Sight<'_>,
    ) -> Option<Finding> {
        let who = effect.actor.filter(|a| a.role == Role::Css && !agreement.faulty().contains(a))?;
        match &effect.kind {
            Kind::Recovered { amnesia: false, .. } => {
                self.back.insert(who);
                None
            }
            Kind::Sent { .. } if self.back.remove(&who) => {
                let Some(Entity::Css(css)) = (sight.entity)(who) else { return None };
                let replica = css.replica()?;
                let book: BTreeMap<_, _> = replica.votes().map(|(k, seq, view, d)| ((k, seq.0), (view.0, d))).collect();
                remembers(who, replica.low().0, &book, agreement)
            }
            Kind::Persisted { what } if what == VOTE => {
                *self.durable.entry(who).or_default() += 1;
                None
            }
            Kind::Fact(FactKind::Voted { vote, view, seq, .. }) => self.speaks(who, (*vote, *view, *seq)),
            Kind::Fact(FactKind::Prepared { view, seq, digest }) => {
                self.prepared.entry((*seq, *view, *digest)).or_default().insert(who);
                None
            }
            Kind::Fact(FactKind::Committed { view, seq, digest }) => {
                self.commits(who, (*view, *seq, *digest), agreement, strong)
            }
            Kind::Fact(FactKind::NewView { view, .. }) => {
                let Some(Entity::Css(css)) = (sight.entity)(who) else { return None };
                let nv = css.replica()?.entered_by().filter(|nv| nv.view().0 == *view)?;
                let slots = nv.o.iter().map(|fixed| (fixed.seq.0, fixed.digest)).collect();
                let fixed = Fixed { min_s: nv.signed.statement.seq.0, slots };
                self.opens(who, *view, fixed, agreement)
            }
            _ => None,
        }
    }

    /// SI-14: a vote that is said was made durable before.
    fn speaks(&mut self, who: ActorId, vote: (VoteKind, u64, u64)) -> Option<Finding> {
        let said = self.said.entry(who).or_default();
        said.insert(vote);
        let durable = self.durable.get(&who).copied().unwrap_or(0);
        let early = said.len() as u64 > durable;
        let text = || format!("{who} said {:?} of view {}, slot {} before it was durable", vote.0, vote.1, vote.2);
        early.then(|| Finding::broken("SI-14", text()))
    }

    /// SI-3: enough of C have held a Prepared certificate for what one of C commits.
    fn commits(
        &mut self,
        who: ActorId,
        (view, seq, digest): (u64, u64, Digest),
        agreement: &Agreement,
        strong: u16,
    ) -> Option<Finding> {
        self.committed.entry(seq).or_default().insert((view, digest));
        let holders = self.prepared.get(&(seq, view, digest));
        let have = holders.map_or(0, |set| set.iter().filter(|a| !agreement.faulty().contains(a)).count());
        let need = usize::from(strong).saturating_sub(agreement.faulty().len());
        if have < need {
            let text = format!("{who} committed slot {seq} of view {view}, which only {have} of {need} had prepared");
            return agreement.gated("SI-3", text);
        }
        let later = self.opened.range(view + 1..);
        let lost = later.into_iter().find(|(_, fixed)| fixed.loses(seq, digest)).map(|(u, _)| *u)?;
        agreement.gated("SI-4", format!("{who} committed slot {seq} of view {view}, which view {lost} did not carry"))
    }

    /// SI-4: a view that somebody of C enters carries what was committed before it.
    fn opens(&mut self, who: ActorId, view: u64, fixed: Fixed, agreement: &Agreement) -> Option<Finding> {
        let mut before = self.committed.iter().flat_map(|(seq, all)| all.iter().map(move |(v, d)| (*seq, *v, *d)));
        let lost = before.find(|(seq, v, digest)| *v < view && fixed.loses(*seq, *digest));
        self.opened.entry(view).or_insert(fixed);
        let (seq, v, _) = lost?;
        agreement.gated("SI-4", format!("{who} entered view {view}, which lost slot {seq} committed in view {v}"))
    }
}

/// SI-14: after a restart the vote book answers for every statement that was signed above the stable slot. It keeps the
/// latest view of each kind and slot.
fn remembers(
    who: ActorId,
    low: u64,
    book: &BTreeMap<(pbft::Kind, u64), (u64, Digest)>,
    agreement: &Agreement,
) -> Option<Finding> {
    let kept = |(kind, view, seq, digest): &(pbft::Kind, u64, u64, Digest)| {
        book.get(&(*kind, *seq)).is_some_and(|(of, had)| of > view || (of == view && had == digest))
    };
    let mut above = agreement.signed_by(who).filter(|(_, _, seq, _)| *seq > low);
    let (kind, view, seq, _) = above.find(|vote| !kept(vote))?;
    let text = format!("{who} came back without its {kind:?} of view {view}, slot {seq}");
    Some(Finding::broken("SI-14", text))
}

impl Fixed {
    /// The slot is above the stable state and not fixed to this digest.
    fn loses(&self, seq: u64, digest: Digest) -> bool {
        self.min_s < seq && self.slots.get(&seq) != Some(&digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pbft::Quorum;
    use crate::sim::invariants::told::{css, effect, id, lies};

    const A: Digest = Digest([1; 32]);
    const B: Digest = Digest([2; 32]);

    fn rules(liars: u16) -> (Carry, Agreement) {
        let mut agreement = Agreement::new(Quorum::new(4).expect("four are enough"));
        for who in 0..liars {
            agreement.observe(&lies(who));
        }
        (Carry::default(), agreement)
    }

    fn prepare(carry: &mut Carry, who: u16, seq: u64, digest: Digest) {
        carry.prepared.entry((seq, 0, digest)).or_default().insert(css(who));
    }

    #[test]
    fn a_commit_that_too_few_prepared_breaks_si_3() {
        let (mut carry, agreement) = rules(0);
        (0..3).for_each(|who| prepare(&mut carry, who, 1, A));
        assert_eq!(carry.commits(css(0), (0, 1, A), &agreement, 3), None);
        assert_eq!(id(carry.commits(css(0), (0, 1, B), &agreement, 3)), Some("SI-3"));
        (0..2).for_each(|who| prepare(&mut carry, who, 2, A));
        assert_eq!(id(carry.commits(css(0), (0, 2, A), &agreement, 3)), Some("SI-3"));
        // With one known liar among those who may have prepared, two of C are enough.
        let (mut carry, agreement) = rules(1);
        (1..3).for_each(|who| prepare(&mut carry, who, 1, A));
        assert_eq!(carry.commits(css(1), (0, 1, A), &agreement, 3), None);
    }

    #[test]
    fn a_view_that_loses_a_commit_breaks_si_4_in_either_order() {
        let fixed = |min_s, slots: &[(u64, Digest)]| Fixed { min_s, slots: slots.iter().copied().collect() };
        for (fixed, lost) in
            [(fixed(0, &[(1, A)]), false), (fixed(1, &[]), false), (fixed(0, &[(1, B)]), true), (fixed(0, &[]), true)]
        {
            let expected = lost.then_some("SI-4");
            let (mut carry, agreement) = rules(0);
            (0..3).for_each(|who| prepare(&mut carry, who, 1, A));
            assert_eq!(carry.commits(css(0), (0, 1, A), &agreement, 3), None);
            assert_eq!(id(carry.opens(css(1), 2, fixed.clone(), &agreement)), expected);
            let (mut carry, agreement) = rules(0);
            (0..3).for_each(|who| prepare(&mut carry, who, 1, A));
            assert_eq!(id(carry.opens(css(1), 2, fixed, &agreement)), None);
            assert_eq!(id(carry.commits(css(0), (0, 1, A), &agreement, 3)), expected);
        }
        let (mut carry, agreement) = rules(2);
        (0..4).for_each(|who| prepare(&mut carry, who, 1, A));
        carry.commits(css(2), (0, 1, A), &agreement, 3);
        assert_eq!(id(carry.opens(css(3), 2, fixed(0, &[]), &agreement)), Some("void"));
    }

    #[test]
    fn a_vote_forgotten_by_a_crash_breaks_si_14() {
        let (_, mut agreement) = rules(0);
        for (view, digest) in [(0, A), (2, B)] {
            let fact = FactKind::Voted { vote: VoteKind::Commit, view, seq: 3, digest };
            agreement.observe(&effect(css(1), Kind::Fact(fact)));
        }
        let back = |who, low, book: &[(pbft::Kind, u64, Digest)]| {
            let book = book.iter().map(|(kind, view, digest)| ((*kind, 3), (*view, *digest))).collect();
            id(remembers(css(who), low, &book, &agreement))
        };
        use pbft::Kind::{Commit, Prepare};
        assert_eq!(back(1, 0, &[(Commit, 2, B)]), None, "the latest view speaks for those before it");
        assert_eq!(back(1, 0, &[(Commit, 4, A)]), None);
        assert_eq!(back(1, 0, &[]), Some("SI-14"), "everything");
        assert_eq!(back(1, 0, &[(Commit, 0, A)]), Some("SI-14"), "the later of the two");
        assert_eq!(back(1, 0, &[(Commit, 2, A)]), Some("SI-14"), "another digest");
        assert_eq!(back(1, 0, &[(Prepare, 2, B)]), Some("SI-14"), "another kind");
        assert_eq!(back(1, 3, &[]), None, "it is stable");
        assert_eq!(back(2, 0, &[]), None, "of another gateway");
    }

    #[test]
    fn a_vote_before_its_record_breaks_si_14() {
        let mut carry = Carry::default();
        let vote = |seq| (VoteKind::Prepare, 0, seq);
        *carry.durable.entry(css(1)).or_default() += 1;
        assert_eq!(carry.speaks(css(1), vote(1)), None);
        assert_eq!(carry.speaks(css(1), vote(1)), None, "said again");
        assert_eq!(id(carry.speaks(css(1), vote(2))), Some("SI-14"));
        assert_eq!(id(carry.speaks(css(2), vote(1))), Some("SI-14"), "of another gateway");
    }
}
