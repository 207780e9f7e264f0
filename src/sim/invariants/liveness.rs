//! LI-1, LI-2 and LI-4 (CONSENSUS.md §6): after the network has healed, what is known is served in time, the view stops
//! rising under a correct primary, and timers stay within their bounds.
//!
//! Judged only while the crashed and the faulty together are at most f; LI-4 always.

use super::{Agreement, Finding, Sight};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, Rule};
use crate::entities::{Entity, Setup};
use crate::ledger::{Digest, Micros};
use crate::pbft::{self, Replica};
use crate::sim::trace::{Effect, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// What a healed network promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Healing {
    pub gst: Micros,
    /// Longest delay from then on, µs.
    pub delta: u64,
}

/// A ciphertext that a live gateway of C holds valid.
#[derive(Clone, Debug)]
struct Known {
    /// When somebody first did; it was made no later.
    first: Micros,
    holders: BTreeSet<ActorId>,
    /// From the healing on: served by then.
    deadline: Option<Micros>,
}

/// LI-1, LI-2 and LI-4 over all gateways of C.
#[derive(Clone, Default, Debug)]
pub struct Liveness {
    healing: Option<Healing>,
    down: BTreeSet<ActorId>,
    /// Who follows a behaviour, be it only of keeping silent: its view may rise.
    behaving: BTreeSet<ActorId>,
    known: BTreeMap<Digest, Known>,
    /// Earliest deadline of all.
    next: Option<Micros>,
    executed: BTreeSet<Digest>,
    /// Highest view, when the first of C entered it, who did, and since when q of them are in it and up.
    view: u64,
    opened: Micros,
    entered: BTreeSet<ActorId>,
    since: Option<Micros>,
    /// Who of C has left it, by the highest target.
    left: BTreeMap<ActorId, u64>,
    /// Somebody of C left it because its primary had led its share (TM-4): it was due to end.
    rotated: bool,
    /// Somebody of C left it though its primary had had it long enough.
    impatient: bool,
}

/// µs a correct primary needs to serve what is active: T_need of CONSENSUS.md §3.10.
fn need(setup: &Setup, delta: u64) -> u64 {
    let a = &setup.agreement;
    delta + (8_u64.div_ceil(a.pipeline.max(1)) + 1) * (3 * delta + a.batch_delay.0)
}

/// µs that `timeout()` gives at so many attempts.
fn patience(setup: &Setup, attempts: u64) -> u64 {
    let a = &setup.agreement;
    let doublings = attempts.saturating_sub(1).min(u64::from(a.backoff_cap.min(32)));
    a.t0.0.saturating_mul(1 << doublings)
}

/// B of CONSENSUS.md §3.10, with the doublings that are still missing until a primary has time enough. What was lost
/// before the healing is told again within one more patience, hence the second term T(a0).
fn bound(setup: &Setup, n_f: u64, delta: u64, attempts: u64) -> u64 {
    let enough = 2 * need(setup, delta) + setup.agreement.relay_after.0;
    let cap = u64::from(setup.agreement.backoff_cap);
    let missing = (0..=cap).find(|more| patience(setup, attempts + more) >= enough).unwrap_or(cap);
    let views = (attempts + 1..=attempts + missing + n_f + 2).map(|a| 2 * patience(setup, a) + 6 * delta);
    let first = setup.agreement.relay_after.0 + delta + 2 * patience(setup, attempts);
    first.saturating_add(views.sum::<u64>()).saturating_add(need(setup, delta))
}

fn replica<'a>(who: ActorId, sight: &Sight<'a>) -> Option<&'a Replica> {
    match (sight.entity)(who)? {
        Entity::Css(css) => css.replica(),
        _ => None,
    }
}

impl Liveness {
    /// Of a network that heals, if it does.
    pub fn new(healing: Option<Healing>) -> Self {
        Liveness { healing, ..Liveness::default() }
    }

    /// Looks at the next effect.
    pub fn observe(
        &mut self,
        effect: &Effect,
        agreement: &Agreement,
        (strong, f): (u16, u16),
        sight: &Sight<'_>,
    ) -> Option<Finding> {
        let late = self.too_late(effect.t, agreement, f, sight);
        let who = effect.actor.filter(|a| a.role == Role::Css);
        let Some(who) = who else { return late };
        let correct = !agreement.faulty().contains(&who);
        match &effect.kind {
            Kind::Crashed | Kind::Paused => {
                self.down.insert(who);
                self.known.values_mut().for_each(|known| {
                    known.holders.remove(&who);
                });
                self.known.retain(|_, known| !known.holders.is_empty());
                self.count(effect.t, strong);
                late
            }
            Kind::Resumed | Kind::Recovered { .. } => {
                self.down.remove(&who);
                self.count(effect.t, strong);
                late
            }
            Kind::Behaves { behaviour: Some(_) } => {
                self.behaving.insert(who);
                late
            }
            Kind::Behaves { behaviour: None } => {
                self.behaving.remove(&who);
                late
            }
            Kind::TimerSet { timer, after_us } if correct => late.or_else(|| timer_bound(who, timer, *after_us, sight)),
            Kind::Fact(fact) if correct => late.or_else(|| self.fact(effect, who, fact, agreement, (strong, f), sight)),
            _ => late,
        }
    }

    /// The crashed, the faulty and those who only omit.
    pub(super) fn unwell(&self, agreement: &Agreement) -> BTreeSet<ActorId> {
        self.down.iter().chain(&self.behaving).chain(agreement.faulty()).copied().collect()
    }

    fn fact(
        &mut self,
        effect: &Effect,
        who: ActorId,
        fact: &FactKind,
        agreement: &Agreement,
        (strong, f): (u16, u16),
        sight: &Sight<'_>,
    ) -> Option<Finding> {
        let now = effect.t;
        match fact {
            FactKind::Verified { sigma, error: None } => {
                self.learns(now, who, *sigma, f, sight);
                None
            }
            FactKind::BlockAppended { sigmas, .. } => {
                for sigma in sigmas {
                    self.known.remove(sigma);
                    self.executed.insert(*sigma);
                }
                None
            }
            FactKind::NewView { view, .. } => {
                self.enters(now, who, *view, strong);
                None
            }
            FactKind::ViewChange { target, .. } => {
                self.rotated |= *target > self.view && effect.rule == Some(Rule::Agreement(pbft::Rule::Tm4));
                self.leaves(now, who, *target, agreement, (strong, f), sight)
            }
            _ => None,
        }
    }

    fn learns(&mut self, now: Micros, who: ActorId, sigma: Digest, f: u16, sight: &Sight<'_>) {
        if self.executed.contains(&sigma) {
            return;
        }
        let known = self.known.entry(sigma).or_insert(Known { first: now, holders: BTreeSet::new(), deadline: None });
        known.holders.insert(who);
        if let Some(healing) = self.healing.filter(|h| now >= h.gst && known.deadline.is_none()) {
            let attempts = attempts(sight);
            let deadline = Micros(now.0 + bound(sight.setup, f.into(), healing.delta, attempts));
            known.deadline = Some(deadline);
            self.next = Some(self.next.map_or(deadline, |next| next.min(deadline)));
        }
    }

    /// LI-1: gives what is known at the healing its deadline, and finds what missed it.
    fn too_late(&mut self, now: Micros, agreement: &Agreement, f: u16, sight: &Sight<'_>) -> Option<Finding> {
        let healing = self.healing.filter(|h| now >= h.gst)?;
        if self.known.values().next().is_some() && self.next.is_none() {
            let deadline = Micros(healing.gst.0 + bound(sight.setup, f.into(), healing.delta, attempts(sight)));
            self.known.values_mut().for_each(|known| known.deadline = known.deadline.or(Some(deadline)));
            self.next = Some(deadline);
        }
        if self.next.is_none_or(|next| now <= next) {
            return None;
        }
        let over = self.known.iter().find(|(_, k)| k.deadline.is_some_and(|d| d < now));
        let late = over.filter(|(_, k)| now.0 < k.first.0 + life(sight.setup));
        let text = late.map(|(sigma, k)| {
            let who = k.holders.first().map_or_else(String::new, ActorId::to_string);
            format!("σ {} is known to {who} and not stored in time", sigma.short(8))
        });
        self.known.retain(|_, k| k.deadline.is_none_or(|d| d >= now));
        self.next = self.known.values().filter_map(|k| k.deadline).min();
        let judged = self.unwell(agreement).len() <= usize::from(f);
        text.filter(|_| judged).map(|text| Finding::broken("LI-1", text))
    }

    fn enters(&mut self, now: Micros, who: ActorId, view: u64, strong: u16) {
        if view > self.view {
            self.view = view;
            self.opened = now;
            self.entered.clear();
            self.since = None;
            self.left.clear();
            self.rotated = false;
            self.impatient = false;
        }
        if view == self.view {
            self.entered.insert(who);
            self.count(now, strong);
        }
    }

    /// A primary has its view only while q of C are in it and up: with fewer nothing is decided.
    fn count(&mut self, now: Micros, strong: u16) {
        let there = |who: &&ActorId| !self.down.contains(who) && !self.left.contains_key(who);
        let enough = self.entered.iter().filter(there).count() >= usize::from(strong);
        self.since = if enough { self.since.or(Some(now)) } else { None };
    }

    /// LI-2: f+1 of C leave a view whose correct primary has had it for T_need. What was sent to it in this view before the
    /// healing may be lost; it is told again in the next view, so such a view is judged from one more patience on.
    fn leaves(
        &mut self,
        now: Micros,
        who: ActorId,
        target: u64,
        agreement: &Agreement,
        (strong, f): (u16, u16),
        sight: &Sight<'_>,
    ) -> Option<Finding> {
        let healing = self.healing?;
        if target <= self.view {
            return None;
        }
        let need = need(sight.setup, healing.delta);
        let primary = ActorId::new(Role::Css, (self.view % u64::from(sight.setup.n.max(1))) as u16);
        let again = if self.opened < healing.gst { patience(sight.setup, attempts(sight)) } else { 0 };
        let steady = self.since.is_some_and(|since| now.0 > since.0.max(healing.gst.0 + again) + need);
        self.impatient |= steady;
        self.left.insert(who, target);
        self.count(now, strong);
        let advised = sight.setup.agreement.t0.0 >= 2 * need + sight.setup.agreement.relay_after.0;
        let unwell = self.unwell(agreement);
        let judged = unwell.len() <= usize::from(f) && !unwell.contains(&primary);
        let rises = self.left.len() == usize::from(f) + 1 && self.impatient && advised && judged && !self.rotated;
        let text = || format!("{} of C left view {} of the correct {primary}", self.left.len(), self.view);
        rises.then(|| Finding::broken("LI-2", text()))
    }
}

/// µs for which a ciphertext is judged: less than its life, for nobody proposes what is about to expire.
fn life(setup: &Setup) -> u64 {
    u64::from(setup.ttl).saturating_mul(1_000_000) / 2
}

/// Largest number of views without progress among the gateways.
fn attempts(sight: &Sight<'_>) -> u64 {
    let all = (0..sight.setup.n).filter_map(|i| replica(ActorId::new(Role::Css, i), sight));
    all.map(Replica::attempts).max().unwrap_or(0)
}

/// LI-4: no time-out is longer than the cap allows.
fn timer_bound(who: ActorId, timer: &str, after_us: u64, sight: &Sight<'_>) -> Option<Finding> {
    let a = &sight.setup.agreement;
    let most = a.t0.0.saturating_mul(1 << a.backoff_cap.min(32));
    let bounded = matches!(timer, "progress" | "new-view");
    let text = || format!("{who} is patient for {after_us} µs, the cap is {most}");
    (bounded && after_us > most).then(|| Finding::broken("LI-4", text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pbft::Quorum;
    use crate::sim::invariants::told::{css, effect, id};
    use crate::sim::world::World;

    const SIGMA: Digest = Digest([7; 32]);

    /// Watches a network that has healed; each call is one more effect.
    struct Bench {
        world: World,
        rules: Liveness,
        agreement: Agreement,
    }

    impl Bench {
        fn new() -> Self {
            let mut s = crate::sim::swarm::scenario(1, Some(4)).unwrap();
            s.gateways.t0 = crate::sim::units::Dur::secs(5);
            s.network.gst = Some(crate::sim::units::Dur::secs(1));
            let healing = Healing { gst: Micros(1_000_000), delta: 50_000 };
            let world = World::new(s, vec![]).unwrap();
            Bench {
                world,
                rules: Liveness::new(Some(healing)),
                agreement: Agreement::new(Quorum::new(4).expect("four are enough")),
            }
        }

        fn see(&mut self, t: u64, who: u16, kind: Kind) -> Option<&'static str> {
            self.see_by(t, who, kind, None)
        }

        fn see_by(&mut self, t: u64, who: u16, kind: Kind, rule: Option<pbft::Rule>) -> Option<&'static str> {
            let rule = rule.map(Rule::Agreement);
            let effect = Effect { t: Micros(t), rule, ..effect(css(who), kind) };
            self.agreement.observe(&effect);
            let (nobody, nothing) = (|_| None, |_| None);
            let (setup, gateways) = (self.world.setup(), &[][..]);
            let sight = Sight { setup, genesis: None, gateways, entity: &nobody, packet: &nothing, idle: &|_| true };
            id(self.rules.observe(&effect, &self.agreement, (3, 1), &sight))
        }

        fn bound(&self) -> u64 {
            bound(self.world.setup(), 1, 50_000, 0)
        }
    }

    fn holds() -> Kind {
        Kind::Fact(FactKind::Verified { sigma: SIGMA, error: None })
    }

    #[test]
    fn what_is_known_and_not_served_in_time_breaks_li_1() {
        for (stored, crashes, expected) in [(false, 0, Some("LI-1")), (true, 0, None), (false, 2, None)] {
            let mut bench = Bench::new();
            assert_eq!(bench.see(2_000_000, 3, holds()), None);
            for who in 0..crashes {
                assert_eq!(bench.see(2_100_000, who, Kind::Crashed), None);
            }
            if stored {
                let (height, header, parent) = (1, SIGMA, SIGMA);
                let block =
                    FactKind::BlockAppended { height, header, parent: Box::new(parent), count: 1, sigmas: vec![SIGMA] };
                assert_eq!(bench.see(2_200_000, 3, Kind::Fact(block)), None);
            }
            let late = 2_000_000 + bench.bound();
            assert_eq!(bench.see(late, 3, Kind::Resumed), None, "not over yet");
            assert_eq!(bench.see(late + 1, 3, Kind::Resumed), expected);
            assert_eq!(bench.see(late + 2, 3, Kind::Resumed), None, "said once");
        }
        let mut bench = Bench::new();
        assert_eq!(bench.see(10, 3, holds()), None);
        assert_eq!(bench.see(20, 3, Kind::Crashed), None, "nobody knows it any more");
        assert_eq!(bench.see(900_000_000, 2, Kind::Resumed), None);
    }

    #[test]
    fn a_view_left_under_a_correct_primary_breaks_li_2() {
        let enter = || Kind::Fact(FactKind::NewView { view: 1, carried: 0 });
        let leave = || Kind::Fact(FactKind::ViewChange { target: 2, reason: String::new() });
        let mut bench = Bench::new();
        (0..3).for_each(|who| assert_eq!(bench.see(1_500_000, who, enter()), None));
        let steady = 1_500_001 + need(bench.world.setup(), 50_000);
        assert_eq!(bench.see(steady, 0, leave()), None, "one alone moves nothing");
        assert_eq!(bench.see(steady, 2, leave()), Some("LI-2"));
        let mut bench = Bench::new();
        (0..3).for_each(|who| assert_eq!(bench.see(1_500_000, who, enter()), None));
        assert_eq!(bench.see(1_500_001, 0, leave()), None);
        assert_eq!(bench.see(1_500_002, 2, leave()), None, "it had the view too short");
        for (late, expected) in [(0, None), (1, Some("LI-2"))] {
            let mut bench = Bench::new();
            assert_eq!(bench.see(900_000, 3, enter()), None, "before the healing, and what it sent may be lost");
            (0..2).for_each(|who| assert_eq!(bench.see(1_500_000, who, enter()), None));
            let told = 1_000_000 + patience(bench.world.setup(), 0) + need(bench.world.setup(), 50_000) + late;
            assert_eq!(bench.see(told, 0, leave()), None);
            assert_eq!(bench.see(told, 2, leave()), expected, "one patience after the healing it is told again");
        }
        let mut bench = Bench::new();
        (0..3).for_each(|who| assert_eq!(bench.see(1_500_000, who, enter()), None));
        assert_eq!(bench.see(1_500_001, 1, Kind::Crashed), None);
        assert_eq!(bench.see(steady, 0, leave()), None);
        assert_eq!(bench.see(steady, 2, leave()), None, "its primary is dead");
        let mut bench = Bench::new();
        (0..3).for_each(|who| assert_eq!(bench.see(1_500_000, who, enter()), None));
        assert_eq!(bench.see(1_500_001, 1, Kind::Behaves { behaviour: Some("crash_midway".into()) }), None);
        assert_eq!(bench.see(steady, 0, leave()), None);
        assert_eq!(bench.see(steady, 2, leave()), None, "its primary keeps silent");
        let mut bench = Bench::new();
        (0..3).for_each(|who| assert_eq!(bench.see(1_500_000, who, enter()), None));
        assert_eq!(bench.see_by(steady, 0, leave(), Some(pbft::Rule::Tm4)), None);
        assert_eq!(bench.see(steady, 2, leave()), None, "its primary has led its share");
    }

    #[test]
    fn a_view_in_which_too_few_are_up_is_not_had_li_2() {
        let enter = || Kind::Fact(FactKind::NewView { view: 1, carried: 0 });
        let leave = || Kind::Fact(FactKind::ViewChange { target: 2, reason: String::new() });
        let need = need(Bench::new().world.setup(), 50_000);
        for (entered, back, expected) in
            [(3, 1_900_000, None), (3, 1_600_000, Some("LI-2")), (4, 1_900_000, Some("LI-2"))]
        {
            let mut bench = Bench::new();
            (0..entered).for_each(|who| assert_eq!(bench.see(1_500_000, who, enter()), None));
            assert_eq!(bench.see(1_550_000, 0, Kind::Crashed), None);
            assert_eq!(bench.see(back, 0, Kind::Recovered { height: 0, amnesia: false }), None);
            assert_eq!(bench.see(1_600_001 + need, 0, leave()), None, "one alone moves nothing");
            assert_eq!(bench.see(1_600_002 + need, 2, leave()), expected, "{entered} were in it, one back at {back}");
        }
    }

    #[test]
    fn a_timer_beyond_the_cap_breaks_li_4() {
        let mut bench = Bench::new();
        let most = bench.world.setup().agreement.t0.0 << bench.world.setup().agreement.backoff_cap;
        let set = |timer: &'static str, after_us| Kind::TimerSet { timer: timer.into(), after_us };
        assert_eq!(bench.see(1, 0, set("progress", most)), None);
        assert_eq!(bench.see(2, 0, set("relay", most + 1)), None);
        assert_eq!(bench.see(3, 0, set("progress", most + 1)), Some("LI-4"));
        assert_eq!(bench.see(4, 1, set("new-view", most + 1)), Some("LI-4"));
    }
}
