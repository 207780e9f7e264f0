//! SI-8, SI-9 and LI-3 (CONSENSUS.md §6): what a gateway keeps stays within its bounds, a stable state is the state of the
//! chain, and whoever lags behind it gets there.
//!
//! Looked at where a gateway keeps it, when it says that it counted a vote, made a stable state durable or appended a
//! block, and whenever one of its timers fires.

use super::{Agreement, Finding, Healing, Liveness, Sight};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::FactKind;
use crate::entities::{Entity, Setup};
use crate::ledger::{Digest, Micros, Seq};
use crate::pbft::Replica;
use crate::sim::trace::{Effect, Kind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The name under which a gateway persists a stable state.
const STABLE: &str = "stable proof";

/// A stable slot, the step in which it rose, and what it was before. A step in which it rises twice shows only where it
/// ends, so a vote in that step is judged by where it began.
#[derive(Clone, Copy, Default, Debug)]
struct Low {
    step: u64,
    before: u64,
    now: u64,
}

/// SI-8, SI-9 and LI-3 over all gateways of C.
#[derive(Clone, Default, Debug)]
pub struct Keep {
    healing: Option<Healing>,
    /// Stable slot of each gateway.
    low: BTreeMap<ActorId, Low>,
    /// Digest of the stable state after a slot.
    stable: BTreeMap<u64, Digest>,
    /// Digest of the own state after a slot at which there is a checkpoint, by who executed it.
    own: BTreeMap<u64, BTreeMap<ActorId, Digest>>,
    /// Stable slots that all must have reached at a moment, in order.
    due: VecDeque<(Micros, u64)>,
    /// Since when a gateway that was down or overloaded is itself again; none while it is down.
    up: BTreeMap<ActorId, Option<Micros>>,
    /// Since when something has been under way at a gateway, and whether more waited when it was last seen.
    at_work: BTreeMap<ActorId, (Micros, bool)>,
    /// No longer slowed, but what reached them while they were still waits.
    behind: BTreeSet<ActorId>,
}

/// µs within which all must have reached a stable state: 4·status_every + 8·Δ.
fn bound(setup: &Setup, delta: u64) -> u64 {
    4 * setup.agreement.status_every.0 + 8 * delta
}

fn replica<'a>(who: ActorId, sight: &Sight<'a>) -> Option<&'a Replica> {
    match (sight.entity)(who)? {
        Entity::Css(css) => css.replica(),
        _ => None,
    }
}

impl Keep {
    /// Of a network that heals, if it does.
    pub fn new(healing: Option<Healing>) -> Self {
        Keep { healing, ..Keep::default() }
    }

    /// Looks at the next effect.
    pub fn observe(
        &mut self,
        effect: &Effect,
        agreement: &Agreement,
        liveness: &Liveness,
        f: u16,
        sight: &Sight<'_>,
    ) -> Option<Finding> {
        let lags = self.lags(effect.t, agreement, liveness, f, sight);
        let who = effect.actor.filter(|a| a.role == Role::Css && !agreement.faulty().contains(a));
        let Some(who) = who else { return lags };
        self.awake(effect.t, who, &effect.kind, sight.idle);
        let found = match &effect.kind {
            Kind::Fact(FactKind::VoteCounted { seq, .. }) => {
                self.counts(who, effect.step, *seq, sight.setup.agreement.window)
            }
            Kind::TimerFired { .. } => replica(who, sight).and_then(|r| within(who, r, sight.setup)),
            Kind::Persisted { what } if what == STABLE => {
                let proof = replica(who, sight)?.checkpoints().stable();
                let risen = self.advances(who, effect.step, proof.seq.0);
                self.promise(effect.t, proof.seq.0, sight.setup);
                risen.or_else(|| self.is_stable(proof.seq.0, proof.state_digest, agreement))
            }
            Kind::Fact(FactKind::BlockAppended { height, .. }) => {
                let here = height % sight.setup.agreement.checkpoint.max(1) == 0;
                let chain = replica(who, sight).filter(|_| here)?.chain();
                let state = chain.header(Seq(*height))?.state_digest();
                self.executes(who, *height, state, agreement)
            }
            _ => None,
        };
        lags.or(found)
    }

    /// Keeps account of who is up. A gateway that was slowed is when nothing waits for it any more; one that has been at work without a break for longer than a message may take is
    /// overloaded: what is sent to it does not reach it within Δ, as LI-3 presupposes.
    fn awake(&mut self, now: Micros, who: ActorId, kind: &Kind, idle: &dyn Fn(ActorId) -> bool) {
        match kind {
            Kind::Crashed | Kind::Paused | Kind::Slowed { times: 2.. } => {
                self.behind.remove(&who);
                self.up.insert(who, None);
            }
            Kind::Slowed { .. } => {
                self.behind.insert(who);
            }
            Kind::Resumed | Kind::Recovered { .. } => {
                self.up.insert(who, Some(now));
            }
            _ => {
                let (since, waited) = self.at_work.get(&who).copied().unwrap_or((now, false));
                let input = matches!(kind, Kind::Delivered { .. } | Kind::TimerFired { .. });
                // Before an input there may have been a break, but not if it waited.
                let delta = self.healing.map_or(u64::MAX, |healing| healing.delta);
                let long = (waited || !input) && now.0 - since.0 > delta;
                if long && self.up.get(&who) != Some(&None) {
                    self.up.insert(who, Some(now));
                }
                let waits = !idle(who);
                let since = if input && !waits { now } else { since };
                self.at_work.insert(who, (since, waits));
                if !waits && self.behind.remove(&who) {
                    self.up.insert(who, Some(now));
                }
            }
        }
    }

    /// SI-8: no vote counts outside (low, high].
    fn counts(&self, who: ActorId, step: u64, seq: u64, window: u64) -> Option<Finding> {
        let low = self.low.get(&who).copied().unwrap_or_default();
        let least = if low.step == step { low.before } else { low.now };
        let outside = seq <= least || seq > low.now.saturating_add(window);
        let text = || format!("{who} counted a vote for slot {seq}, with slot {least} stable");
        outside.then(|| Finding::broken("SI-8", text()))
    }

    /// SI-8: the stable slot only rises.
    fn advances(&mut self, who: ActorId, step: u64, now: u64) -> Option<Finding> {
        let low = self.low.entry(who).or_default();
        if low.step != step {
            (low.step, low.before) = (step, low.now);
        }
        let last = core::mem::replace(&mut low.now, now);
        let text = || format!("{who} went from the stable slot {last} back to {now}");
        (now < last).then(|| Finding::broken("SI-8", text()))
    }

    /// SI-9: the state that q call stable is the one that all of C had there.
    fn is_stable(&mut self, seq: u64, state: Digest, agreement: &Agreement) -> Option<Finding> {
        let first = *self.stable.entry(seq).or_insert(state);
        let other = self.own.get(&seq).and_then(|own| own.iter().find(|(_, had)| **had != state));
        let text = match other {
            Some((who, _)) => format!("the stable state after slot {seq} is not that of {who}"),
            None if first != state => format!("two states after slot {seq} are stable"),
            None => return None,
        };
        agreement.gated("SI-9", text)
    }

    fn executes(&mut self, who: ActorId, seq: u64, state: Digest, agreement: &Agreement) -> Option<Finding> {
        self.own.entry(seq).or_default().insert(who, state);
        let other = self.stable.get(&seq).is_some_and(|stable| *stable != state);
        let text = || format!("the state of {who} after slot {seq} is not the stable one");
        if other { agreement.gated("SI-9", text()) } else { None }
    }

    fn promise(&mut self, now: Micros, seq: u64, setup: &Setup) {
        let Some(healing) = self.healing.filter(|_| setup.agreement.status_every.0 > 0) else { return };
        if self.due.back().is_none_or(|(_, last)| seq > *last) {
            let due = now.0.max(healing.gst.0) + bound(setup, healing.delta);
            self.due.push_back((Micros(due), seq));
        }
    }

    /// LI-3: each live gateway of C has reached what was stable long enough ago.
    fn lags(
        &mut self,
        now: Micros,
        agreement: &Agreement,
        liveness: &Liveness,
        f: u16,
        sight: &Sight<'_>,
    ) -> Option<Finding> {
        let (due, seq) = self.due.front().copied().filter(|(due, _)| now > *due)?;
        self.due.pop_front();
        let unwell = liveness.unwell(agreement);
        if unwell.len() > usize::from(f) {
            return None;
        }
        let all = (0..sight.setup.n).map(|index| ActorId::new(Role::Css, index));
        let mut behind = all.filter(|who| replica(*who, sight).is_some_and(|r| r.executed().0 < seq));
        let long = bound(sight.setup, self.healing.map_or(0, |healing| healing.delta));
        let who = behind.find(|who| self.judged(*who, due, long, &unwell))?;
        Some(Finding::broken("LI-3", format!("{who} has not reached slot {seq}, which is stable")))
    }

    /// Whether a gateway is of C and has been up for as long as it takes.
    fn judged(&self, who: ActorId, due: Micros, long: u64, unwell: &BTreeSet<ActorId>) -> bool {
        let up = self.up.get(&who).is_none_or(|up| up.is_some_and(|since| since.0 + long <= due.0));
        up && !unwell.contains(&who)
    }
}

/// SI-8: log, hold buffers (in messages, and in bytes of one sender) and pool.
fn within(who: ActorId, replica: &Replica, setup: &Setup) -> Option<Finding> {
    let (log, a) = (replica.log(), &setup.agreement);
    let held = u64::from(setup.n) * (2 * a.window + 2);
    let bounds = [
        ("slots", log.slots.len() as u64, a.window),
        ("held messages", log.held() as u64, held),
        ("held bytes of one sender", log.held_bytes(), a.pipeline.saturating_mul(replica.config().policy.batch_bytes)),
        ("ciphertexts", replica.pool().len() as u64, a.pool_max),
    ];
    let over = bounds.into_iter().find(|(_, have, most)| have > most);
    over.map(|(what, have, most)| Finding::broken("SI-8", format!("{who} keeps {have} {what}, {most} are the most")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pbft::Quorum;
    use crate::sim::invariants::told::{css, id};
    use crate::sim::world::World;

    const A: Digest = Digest([1; 32]);
    const B: Digest = Digest([2; 32]);

    fn agreement() -> Agreement {
        Agreement::new(Quorum::new(4).expect("four are enough"))
    }

    #[test]
    fn a_vote_outside_the_window_or_a_window_that_falls_breaks_si_8() {
        let mut keep = Keep::default();
        assert_eq!(keep.counts(css(0), 1, 1, 8), None);
        assert_eq!(id(keep.counts(css(0), 1, 9, 8)), Some("SI-8"));
        assert_eq!(keep.advances(css(0), 2, 4), None);
        assert_eq!(keep.counts(css(0), 2, 4, 8), None, "in the step in which the window moves");
        assert_eq!(keep.counts(css(0), 3, 12, 8), None);
        assert_eq!(id(keep.counts(css(0), 3, 4, 8)), Some("SI-8"));
        assert_eq!(keep.counts(css(1), 3, 4, 8), None, "its own window is another");
        assert_eq!(keep.advances(css(0), 4, 4), None, "said twice");
        assert_eq!(id(keep.advances(css(0), 5, 2)), Some("SI-8"));
    }

    #[test]
    fn more_than_the_bounds_breaks_si_8() {
        let world = world();
        let sees = |pool_max| {
            let mut setup = world.setup().clone();
            setup.agreement.pool_max = pool_max;
            let Some(Entity::Css(gateway)) = world.entity(css(1)) else { panic!("a gateway") };
            gateway.replica().and_then(|replica| within(css(1), replica, &setup))
        };
        let Some(Entity::Css(gateway)) = world.entity(css(1)) else { panic!("a gateway") };
        let waiting = gateway.replica().map_or(0, |replica| replica.pool().len() as u64);
        assert!(waiting > 0, "something waits");
        assert_eq!(sees(waiting), None);
        assert_eq!(id(sees(waiting - 1)), Some("SI-8"));
    }

    /// A gateway that holds a vote, if one ever does in a run of this seed.
    fn holding(seed: u64) -> Option<(Setup, ActorId, Replica)> {
        let mut world = World::new(crate::sim::swarm::scenario(seed, Some(4)).unwrap(), vec![]).unwrap();
        let (mut memo, mut out) = (crate::sim::memo::Memo::off(), Vec::new());
        while world.step(&mut memo, &mut out) {
            for who in (0..4).map(css) {
                let Some(Entity::Css(gateway)) = world.entity(who) else { continue };
                if let Some(replica) = gateway.replica().filter(|r| r.log().held_bytes() > 0) {
                    return Some((world.setup().clone(), who, replica.clone()));
                }
            }
        }
        None
    }

    #[test]
    fn more_held_bytes_than_a_pipeline_of_blocks_breaks_si_8() {
        let (mut setup, who, replica) = (0..100).find_map(holding).expect("in some seed a vote comes too early");
        assert_eq!(within(who, &replica, &setup), None);
        setup.agreement.pipeline = 0;
        let found = within(who, &replica, &setup);
        assert!(matches!(&found, Some(Finding::Broken { id: "SI-8", text }) if text.contains("bytes")), "{found:?}");
    }

    #[test]
    fn a_stable_state_that_one_of_c_did_not_have_breaks_si_9_in_either_order() {
        for (own, expected) in [(A, None), (B, Some("SI-9"))] {
            let (mut keep, agreement) = (Keep::default(), agreement());
            assert_eq!(keep.executes(css(0), 4, own, &agreement), None);
            assert_eq!(id(keep.is_stable(4, A, &agreement)), expected);
            let mut keep = Keep::default();
            assert_eq!(keep.is_stable(4, A, &agreement), None);
            assert_eq!(id(keep.executes(css(0), 4, own, &agreement)), expected);
            let mut keep = Keep::default();
            assert_eq!(keep.is_stable(4, A, &agreement), None);
            assert_eq!(id(keep.is_stable(4, own, &agreement)), expected);
        }
    }

    /// A world with something in its pools.
    fn world() -> World {
        let mut s = crate::sim::swarm::scenario(1, Some(4)).unwrap();
        (s.fault, s.behaviour) = (vec![], vec![]);
        let mut world = World::new(s, vec![]).unwrap();
        let (mut memo, mut out) = (crate::sim::memo::Memo::off(), Vec::new());
        let waits = |world: &World| match world.entity(css(1)) {
            Some(Entity::Css(gateway)) => gateway.replica().is_some_and(|replica| !replica.pool().is_empty()),
            _ => false,
        };
        while !waits(&world) {
            assert!(world.step(&mut memo, &mut out), "the end, and nothing has waited");
        }
        world
    }

    #[test]
    fn a_gateway_that_is_overloaded_is_not_judged_by_li_3() {
        let mut keep = Keep::new(Some(Healing { gst: Micros(0), delta: 50 }));
        let mut see = |t: u64, waits: bool, output: bool| {
            let input = Kind::TimerFired { timer: "status".into() };
            let kind = if output { Kind::Persisted { what: "body".into() } } else { input };
            keep.awake(Micros(t), css(1), &kind, &|_| !waits);
            keep.judged(css(1), Micros(1_000), 100, &BTreeSet::new())
        };
        assert!(see(1, false, false) && see(51, false, true), "Δ is enough");
        assert!(see(600, false, false) && see(610, false, true), "a long break is no work");
        assert!(see(700, false, false) && see(899, true, true), "long work, but over in time");
        assert!(!see(930, true, false), "it has been at work since 700");
        assert!(!see(940, true, true));
        assert!(!see(950, false, false) && !see(960, false, true), "too short since then");
    }

    #[test]
    fn who_does_not_reach_what_is_stable_in_time_breaks_li_3() {
        let (world, agreement) = (world(), agreement());
        let (nothing, setup) = (|_: _| None, world.setup());
        let entity = |who| world.entity(who);
        let sight = Sight { setup, genesis: None, gateways: &[], entity: &entity, packet: &nothing, idle: &|_| true };
        let healing = Healing { gst: Micros(1_000_000), delta: 50_000 };
        let due = Micros(1_000_000 + bound(setup, healing.delta));
        for (seq, down, expected) in [(0, 0, None), (900, 0, Some("LI-3")), (900, 4, None), (900, 1, Some("LI-3"))] {
            let (mut keep, liveness) = (Keep::new(Some(healing)), Liveness::new(None));
            keep.up.extend((0..down).map(|who| (css(who), Some(Micros(1_000_001)))));
            keep.promise(Micros(10), seq, setup);
            assert_eq!(keep.lags(due, &agreement, &liveness, 1, &sight), None, "not over yet");
            let late = Micros(due.0 + 1);
            assert_eq!(id(keep.lags(late, &agreement, &liveness, 1, &sight)), expected, "slot {seq}, {down} came back");
            assert_eq!(keep.lags(late, &agreement, &liveness, 1, &sight), None, "said once");
        }
    }
}
