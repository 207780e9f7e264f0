//! Many small runs whose every option comes from the seed (CONSENSUS.md §7 item 4): first anything goes, then the network
//! heals and what is left must finish.
//!
//! Within f nothing may break, and after the healing every gateway of C must get to the end. A failing seed is made
//! smaller by leaving out what it does not need. Nothing here decides anything inside a run.

mod goals;
mod options;
mod partitions;
mod shrink;
mod situations;

pub use goals::Met;
pub use options::{SIZES, scenario, twins};
pub use partitions::Partitions;
pub use shrink::shrink;
pub use situations::Situation;

use crate::entities::Entity;
use crate::entities::actor::{ActorId, Role};
use crate::ledger::{Digest, Micros};
use crate::pbft::{Pending, Quorum, Replica};
use crate::sim::memo::Memo;
use crate::sim::scenario::{Scenario, ScenarioError};
use crate::sim::trace::{Effect, Kind, Trace};
use crate::sim::world::{KeyRing, World};
use situations::Situations;
use std::collections::{BTreeMap, BTreeSet};

/// Steps between two looks at whether everything is done.
const LOOK_EVERY: u64 = 64;
/// A run that needs more steps than this does not end by itself.
const MOST_STEPS: u64 = 4_000_000;

/// How a run failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// An invariant broke with at most f faulty gateways; the LI ones are failures of liveness.
    Broken { id: String, text: String },
    /// After the healing somebody of C did not finish; who waits for what.
    Stuck { pending: Vec<(ActorId, String)> },
}

impl Failure {
    /// The kind of failure, for comparison while shrinking.
    pub fn name(&self) -> &str {
        match self {
            Failure::Broken { id, .. } => id,
            Failure::Stuck { .. } => "stuck",
        }
    }

    /// Nothing wrong was done, but what was due was not.
    pub fn of_liveness(&self) -> bool {
        matches!(self, Failure::Stuck { .. }) || self.name().starts_with("LI-")
    }
}

/// What one run came to.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub steps: u64,
    pub effects: u64,
    /// Height of the longest chain in C.
    pub blocks: u64,
    /// Highest view of C.
    pub views: u64,
    pub failure: Option<Failure>,
    /// More than f were faulty, and what holds within f fell.
    pub void: bool,
    pub met: Met,
}

/// What is kept between runs: keys, and the memory of verifications.
#[derive(Default)]
pub struct Bench {
    ring: Option<KeyRing>,
    memo: Memo,
}

impl Bench {
    /// A world of the scenario, with keys of an earlier one if they fit.
    ///
    /// # Errors
    /// If the scenario's numbers make no network.
    pub fn world(&mut self, s: &Scenario) -> Result<World, ScenarioError> {
        let ring = match self.ring.take().filter(|ring| ring.fits(s)) {
            Some(ring) => ring,
            None => KeyRing::new(s).map_err(|sentence| ScenarioError { place: None, sentence })?,
        };
        let world = World::with_keys(s.clone(), Vec::new(), &ring);
        self.ring = Some(ring);
        world
    }

    /// Runs a scenario until it fails, is done, or ends.
    ///
    /// # Errors
    /// If the scenario's numbers make no network.
    pub fn run(&mut self, s: &Scenario) -> Result<Verdict, ScenarioError> {
        let mut world = self.world(s)?;
        Ok(play(&mut world, s, &mut self.memo, &mut |_| {}))
    }

    /// Runs it twice, the second time without the memory of verifications; both must be the same run (SI-15).
    ///
    /// # Errors
    /// If the scenario's numbers make no network.
    pub fn run_again(&mut self, s: &Scenario) -> Result<Verdict, ScenarioError> {
        let (mut first, mut second) = (Trace::new(), Trace::new());
        let mut world = self.world(s)?;
        let mut verdict = play(&mut world, s, &mut self.memo, &mut keep(&mut first));
        let mut world = self.world(s)?;
        play(&mut world, s, &mut Memo::off(), &mut keep(&mut second));
        let whole = u64::from(first.len()) == verdict.effects;
        if verdict.failure.is_none() && !(whole && first.digest() == second.digest()) {
            let text = format!("the run gave {}, and its replay {}", first.digest(), second.digest());
            verdict.failure = Some(Failure::Broken { id: "SI-15".into(), text });
        }
        Ok(verdict)
    }
}

/// Takes up effects for as long as they continue the trace.
fn keep(trace: &mut Trace) -> impl FnMut(&[Effect]) {
    move |effects| {
        let more = effects.iter().try_for_each(|effect| trace.push(effect.clone()));
        debug_assert_eq!(more, Ok(()), "the effects of a run follow one another");
    }
}

/// Plays a world of the scenario until it fails, is done, or ends; shows the effects of each step.
fn play(world: &mut World, s: &Scenario, memo: &mut Memo, see: &mut dyn FnMut(&[Effect])) -> Verdict {
    let mut watch = Watch::new(s);
    let mut situations = Situations::default();
    let mut out = Vec::new();
    let (mut steps, mut void) = (0, false);
    let failure = loop {
        out.clear();
        let more = world.step(memo, &mut out);
        steps += 1;
        see(&out);
        if let Some(broken) = out.iter().find_map(broken) {
            break Some(broken);
        }
        if out.iter().any(|effect| matches!(effect.kind, Kind::SafetyVoid { .. })) {
            void = true;
            break None;
        }
        out.iter().for_each(|effect| watch.effect(effect));
        situations.step(&out, world);
        let done = steps % LOOK_EVERY == 0 && watch.healed(world.now()) && watch.done(world);
        if done {
            break None;
        }
        if !more || steps > MOST_STEPS {
            let stuck = || Failure::Stuck { pending: world.pending() };
            break (watch.judged() && !watch.done(world)).then(stuck);
        }
    };
    let core: Vec<&Replica> = watch.core(world).collect();
    let (situations, classes) = situations.into_met();
    let behaviours = s.behaviour.iter().map(|b| (b.kind, s.gateways.n)).collect();
    let mut met = Met { situations, classes, behaviours, ..Met::default() };
    gateways(world).for_each(|(_, css)| met.coverage.merge(css.coverage()));
    Verdict {
        steps,
        effects: world.effects().into(),
        blocks: core.iter().map(|r| r.executed().0).max().unwrap_or(0),
        views: core.iter().map(|r| r.level().view.0).max().unwrap_or(0),
        failure,
        void,
        met,
    }
}

fn broken(effect: &Effect) -> Option<Failure> {
    match &effect.kind {
        Kind::InvariantBroken { id, text } => Some(Failure::Broken { id: id.clone(), text: text.clone() }),
        _ => None,
    }
}

fn gateways(world: &World) -> impl Iterator<Item = (ActorId, &crate::entities::Css)> {
    let n = world.scenario().gateways.n;
    (0..n).map(|i| ActorId::new(Role::Css, i)).filter_map(|actor| match world.entity(actor) {
        Some(Entity::Css(css)) => Some((actor, &**css)),
        _ => None,
    })
}

/// Who must finish, and when.
struct Watch {
    /// All ciphertexts are handed in, and the network has healed.
    from: Micros,
    f: u16,
    down: BTreeSet<ActorId>,
    faulty: BTreeSet<ActorId>,
}

impl Watch {
    fn new(s: &Scenario) -> Self {
        let last = s.workload.moments().into_iter().max().unwrap_or_default();
        let gst = s.network.gst.map_or(Micros(0), |gst| gst.micros());
        let f = Quorum::new(s.gateways.n).map_or(0, |quorum| quorum.f());
        Watch { from: last.max(gst), f, down: BTreeSet::new(), faulty: BTreeSet::new() }
    }

    fn effect(&mut self, effect: &Effect) {
        let Some(actor) = effect.actor else { return };
        match &effect.kind {
            Kind::Crashed | Kind::Paused => {
                self.down.insert(actor);
            }
            Kind::Resumed => {
                self.down.remove(&actor);
            }
            Kind::Recovered { amnesia, .. } => {
                self.down.remove(&actor);
                if *amnesia {
                    self.faulty.insert(actor);
                }
            }
            Kind::Behaves { behaviour: Some(_) } => {
                self.faulty.insert(actor);
            }
            _ => {}
        }
    }

    fn healed(&self, now: Micros) -> bool {
        now > self.from
    }

    /// With more than f dead or faulty nobody has to finish.
    fn judged(&self) -> bool {
        self.down.union(&self.faulty).count() <= usize::from(self.f)
    }

    /// Live gateways of C.
    fn core<'a>(&'a self, world: &'a World) -> impl Iterator<Item = &'a Replica> {
        let up = |actor: &ActorId| !self.down.contains(actor) && !self.faulty.contains(actor);
        gateways(world).filter(move |(actor, _)| up(actor)).filter_map(|(_, css)| css.replica())
    }

    /// Every live gateway of C has the same chain, and nobody of them waits for anything but company: up to f suspicious
    /// gateways may want another view (CONSENSUS.md §3.10), and votes of liars for views to come may be kept.
    fn done(&self, world: &World) -> bool {
        let mut heads: BTreeMap<Digest, u64> = BTreeMap::new();
        let (mut idle, mut leaving) = (true, 0);
        for replica in self.core(world) {
            *heads.entry(replica.chain().head_digest()).or_default() += 1;
            leaving += u16::from(replica.level().changing);
            let idles = |p: &Pending| matches!(p, Pending::ViewChange { .. } | Pending::Held { .. });
            idle &= replica.pool().is_empty()
                && replica.pending().iter().all(idles)
                && leaving < replica.config().quorum.weak();
        }
        idle && heads.len() <= 1
    }
}
