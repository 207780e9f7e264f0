//! SI-12 (CONSENSUS.md §6): what those outside the gateways take for the chain is the agreed chain.
//!
//! KGC, CSCs and piles keep a copy of published blocks, and of headers that f+1 gateways sealed. A copy may be ahead of all
//! gateways of C that are known to have appended a block, so a header is compared in whichever order the two come.

use super::{Agreement, Finding, Sight};
use crate::entities::ChainCopy;
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::FactKind;
use crate::ledger::{Digest, Seq};
use crate::sim::trace::{Effect, Kind};
use std::collections::BTreeMap;

/// Digits of a digest that are enough to tell two blocks apart.
const SHORT: usize = 8;

/// SI-12 over all actors that follow the chain.
#[derive(Clone, Default, Debug)]
pub struct Follow {
    /// Height and settled height of each copy when it was last looked at.
    seen: BTreeMap<ActorId, (u64, u64)>,
    /// Headers taken at a height that no gateway of C has appended yet, and by whom.
    ahead: BTreeMap<u64, Vec<(Digest, ActorId)>>,
}

impl Follow {
    /// Looks at the next effect; only what arrives makes a copy grow, and only a block of C judges one that was ahead.
    pub fn observe(&mut self, effect: &Effect, agreement: &Agreement, sight: &Sight<'_>) -> Option<Finding> {
        let who = effect.actor?;
        match &effect.kind {
            Kind::Fact(FactKind::BlockAppended { height, .. }) if who.role == Role::Css => {
                let (agreed, _) = agreement.header(*height)?;
                let early = self.ahead.remove(height)?;
                let (other, taken) = early.into_iter().find(|(taken, _)| *taken != agreed).map(|(d, who)| (who, d))?;
                differs(agreement, other, *height, taken, agreed)
            }
            Kind::Delivered { .. } | Kind::TimerSet { .. } => {
                let copy = (sight.entity)(who)?.copy()?;
                self.grows(who, copy, agreement)
            }
            _ => None,
        }
    }

    /// Compares what a copy has taken since it was last looked at.
    fn grows(&mut self, who: ActorId, copy: &ChainCopy, agreement: &Agreement) -> Option<Finding> {
        let (height, sealed) = (copy.chain().height().0, copy.sealed());
        let settled = sealed.map_or(0, |(height, _)| height.0);
        let (had, had_settled) = self.seen.insert(who, (height, settled)).unwrap_or_default();
        let blocks = (had + 1..=height).filter_map(|at| Some((at, copy.chain().header(Seq(at))?.digest())));
        let seal = sealed.filter(|_| settled > had_settled).map(|(height, digest)| (height.0, digest));
        let taken: Vec<(u64, Digest)> = blocks.chain(seal).collect();
        taken.into_iter().find_map(|(at, digest)| self.takes(who, at, digest, agreement))
    }

    fn takes(&mut self, who: ActorId, height: u64, digest: Digest, agreement: &Agreement) -> Option<Finding> {
        match agreement.header(height) {
            Some((agreed, _)) if agreed != digest => differs(agreement, who, height, digest, agreed),
            Some(_) => None,
            None => {
                self.ahead.entry(height).or_default().push((digest, who));
                None
            }
        }
    }
}

fn differs(agreement: &Agreement, who: ActorId, height: u64, taken: Digest, agreed: Digest) -> Option<Finding> {
    let (taken, agreed) = (taken.short(SHORT), agreed.short(SHORT));
    agreement.gated("SI-12", format!("{who} took header {taken} at height {height}, and gateways appended {agreed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Micros;
    use crate::pbft::Quorum;
    use crate::sim::invariants::told::{css, effect, id, lies};
    use crate::sim::memo::Memo;
    use crate::sim::scenario::Scenario;
    use crate::sim::world::World;

    fn appends(agreement: &mut Agreement, follow: &mut Follow, header: Digest, sight: &Sight<'_>) -> Option<Finding> {
        let block =
            FactKind::BlockAppended { height: 1, header, parent: Box::new(Digest::ZERO), count: 1, sigmas: vec![] };
        let effect = effect(css(1), Kind::Fact(block));
        assert_eq!(agreement.observe(&effect), None);
        follow.observe(&effect, agreement, sight)
    }

    #[test]
    fn a_copy_of_another_chain_breaks_si_12_in_either_order() {
        let mut world = World::new(Scenario::preset("one-liar").unwrap(), vec![]).unwrap();
        let (mut memo, mut out) = (Memo::new(), Vec::new());
        while world.now() < Micros(10_000_000) && world.step(&mut memo, &mut out) {}
        let followers = [ActorId::new(Role::Kgc, 0), ActorId::new(Role::Csc, 0), ActorId::new(Role::Cp, 0)];
        let (entity, packet) = (|actor| world.entity(actor), |_: _| None);
        let sight = Sight {
            setup: world.setup(),
            genesis: None,
            gateways: &[],
            entity: &entity,
            packet: &packet,
            idle: &|_| true,
        };
        let copy = |who| world.entity(who).and_then(|e| e.copy()).expect("a follower");
        let mine = copy(followers[0]).chain().header(Seq(1)).expect("a block").digest();
        for (agreed, expected) in [(mine, None), (Digest([9; 32]), Some("SI-12"))] {
            for who in followers {
                let rules = || (Agreement::new(Quorum::new(4).unwrap()), Follow::default());
                let (mut agreement, mut follow) = rules();
                assert_eq!(appends(&mut agreement, &mut follow, agreed, &sight), None);
                assert_eq!(id(follow.grows(who, copy(who), &agreement)), expected, "{who} after the gateways");
                assert_eq!(follow.grows(who, copy(who), &agreement), None, "said once");
                let (mut agreement, mut follow) = rules();
                assert_eq!(follow.grows(who, copy(who), &agreement), None, "nobody to compare with");
                assert_eq!(id(appends(&mut agreement, &mut follow, agreed, &sight)), expected, "{who} before them");
            }
        }
    }

    #[test]
    fn a_sealed_header_that_is_not_the_agreed_one_breaks_si_12() {
        let (a, b, kgc) = (Digest([1; 32]), Digest([2; 32]), ActorId::new(Role::Kgc, 0));
        let mut agreement = Agreement::new(Quorum::new(4).unwrap());
        for liars in 0..3 {
            let mut follow = Follow::default();
            follow.takes(kgc, 1, a, &agreement);
            assert_eq!(follow.ahead.len(), 1);
            let other = differs(&agreement, kgc, 1, a, b);
            assert_eq!(id(other), Some(if liars < 2 { "SI-12" } else { "void" }), "{liars} liars");
            agreement.observe(&lies(liars));
        }
    }
}
