//! Agreement and the simulator around it, ready to be timed (CONSENSUS.md §8): natively by `agreement.rs`, in a browser by
//! `web/`. Like the scheme's, an operation has a name `what/n`, does its preparation when it is made and checks its
//! outcome; it reads no clock.
//!
//! An *event* is what [`World::step`] takes from the queue: an arrival, the end of a computation, or a timer. All of an
//! event's work is done: the actor's step, its effects, their digest, every invariant; the trace is kept.

use crate::Operation;
use std::hint::black_box;
use voltcast::entities::Entity;
use voltcast::entities::actor::{ActorId, Role};
use voltcast::entities::stub::Crypto;
use voltcast::pbft::Replica;
use voltcast::scene::stage::StageState;
use voltcast::sim::memo::Memo;
use voltcast::sim::scenario::{FaultDo, Scenario};
use voltcast::sim::swarm::{self, Bench, Failure};
use voltcast::sim::timelines::{BranchId, Timelines, Until};
use voltcast::sim::trace::{EffectId, Trace};
use voltcast::sim::units::Dur;
use voltcast::sim::world::World;

/// Gateways alone on a faultless network.
const BASE: &str = "
voltcast = 1
name = \"load\"
bootstrap = \"given\"
[entities]
csc = 0
cp = 0
ev = 0
areas = 1
ttl = 600
[station]
area_cap_w = [15000]
[workload]
kind = \"steady\"
every = \"100ms\"
";

/// Every COMMIT of the first view is lost, and its primary dies when the slot has prepared everywhere.
const LOST: &str = "
[network]
latency = { const = \"50ms\" }
[[fault]]
at = \"300ms\"
do = { block = { packet = [\"pbft.commit\"], until = \"500ms\" } }
[[fault]]
at = \"370ms\"
do = { crash = \"css1\" }
";

/// Seeds of one run of `swarm`.
const SEEDS: u64 = 100;
/// Effects between two kept worlds: as far as a seek may have to go.
const WORLDS: u32 = 256;

/// Names of all operations, in the order of the specification's table.
pub const NAMES: [&str; 10] = [
    "events/4",
    "events/10",
    "events/31",
    "block/100",
    "view/100",
    "swarm/4",
    "long/4",
    "snapshot/31",
    "seek/10000",
    "fold/2047",
];

/// An operation with what it does in one go: so many events, seeds, or just one thing.
pub struct Load {
    pub run: Operation,
    pub times: u64,
}

/// The load of this name; `None` if there is none.
pub fn load(name: &str) -> Option<Load> {
    let (what, n) = name.rsplit_once('/')?;
    let n = n.parse().ok()?;
    match what {
        // About 10,000 messages of agreement each.
        "events" => Some(blocks(steady(n, (20_000 / u32::from(n * n)).max(4), Crypto::Stub)?)?.events()),
        "block" => Some(blocks(steady(n, 1, Crypto::Real)?)?.once()),
        "view" => Some(view_change(n)?.once()),
        "swarm" => seeds(n),
        "long" => long(n),
        "snapshot" => snapshot(n),
        "seek" => seek(n.into()),
        "fold" => fold(n.into()),
        _ => None,
    }
}

/// `n` gateways and `count` ciphertexts, one every 100 ms, each a block; `None` for numbers out of bounds.
fn steady(n: u16, count: u32, crypto: Crypto) -> Option<Scenario> {
    let mut s = Scenario::from_toml(BASE).ok()?;
    (s.gateways.n, s.gateways.crypto) = (n, crypto);
    s.workload.count = count;
    s.end = Dur::ms(100 * u64::from(count) + 3_000);
    s.checked().ok()
}

/// A run from some moment on to its end.
struct Rest {
    world: World,
    memo: Memo,
    /// Blocks that every live gateway must hold in the end, and the view they must all be in.
    goal: (u64, u64),
    events: u64,
}

impl Rest {
    /// The rest of a run from `world` on, once done to see that it reaches its goal.
    fn new(world: World, memo: Memo, goal: (u64, u64)) -> Rest {
        let mut rest = Rest { world, memo, goal, events: 0 };
        rest.events = rest.run();
        rest
    }

    /// Runs to the end with invariants, trace and digest; gives the number of events.
    fn run(&self) -> u64 {
        let (mut world, mut memo) = (self.world.clone(), self.memo.clone());
        let (mut out, mut trace) = (Vec::new(), Trace::new());
        let (first, mut events) = (world.effects(), 0);
        while world.step(&mut memo, &mut out) {
            events += 1;
            for mut effect in out.drain(..) {
                effect.id.0 -= first;
                assert!(trace.push(effect).is_ok());
            }
        }
        black_box(trace.digest());
        let reached = |r: &Replica| (r.executed().0, r.level().view.0) == self.goal;
        assert!(replicas(&world).filter(|r| reached(r)).count() >= live(&world));
        events
    }

    fn events(self) -> Load {
        Load { times: self.events, run: Box::new(move || assert!(black_box(self.run()) > 0)) }
    }

    fn once(self) -> Load {
        Load { times: 1, ..self.events() }
    }
}

fn replicas(world: &World) -> impl Iterator<Item = &Replica> {
    let gateways = (0..world.scenario().gateways.n).map(|i| ActorId::new(Role::Css, i));
    gateways.filter_map(|css| match world.entity(css) {
        Some(Entity::Css(css)) => css.replica(),
        _ => None,
    })
}

/// Gateways that no fault of the scenario takes down.
fn live(world: &World) -> usize {
    let down = world.scenario().fault.iter().filter(|fault| matches!(fault.action, FaultDo::Crash(_)));
    usize::from(world.scenario().gateways.n) - down.count()
}

/// From the first ciphertext on: everything that its block, and those after it, cost.
fn blocks(s: Scenario) -> Option<Rest> {
    let goal = (u64::from(s.workload.count), 0);
    let first = s.workload.moments().into_iter().min()?;
    let (mut world, mut memo) = (World::new(s, vec![]).ok()?, Memo::new());
    while world.next_time().is_some_and(|next| next < first) {
        world.step(&mut memo, &mut Vec::new());
    }
    Some(Rest::new(world, memo, goal))
}

/// Real signatures; timed is what follows the primary's death: timeouts, view change, and the slot's two rounds in the new
/// view.
fn view_change(n: u16) -> Option<Rest> {
    let mut s = Scenario::from_toml(&format!("{BASE}{LOST}")).ok()?;
    (s.gateways.n, s.gateways.resend, s.workload.count, s.end) = (n, Dur::secs(60), 1, Dur::secs(4));
    let dies = s.fault.last()?.at;
    let (mut world, mut memo) = (World::new(s.checked().ok()?, vec![]).ok()?, Memo::new());
    let (mut prepared, mut committed, mut out) = (0, 0, Vec::new());
    while world.next_time().is_some_and(|next| next < dies.micros()) {
        world.step(&mut memo, &mut out);
        for effect in out.drain(..) {
            prepared += u16::from(effect.kind.name() == "Prepared");
            committed += u16::from(effect.kind.name() == "Committed");
        }
    }
    assert_eq!((prepared, committed), (n, 0), "the primary dies between the two rounds");
    Some(Rest::new(world, memo, (1, 1)))
}

/// The search for failures as `voltcast seeds` does it, over its first seeds.
fn seeds(n: u16) -> Option<Load> {
    let scenarios = (0..SEEDS).map(|seed| swarm::scenario(seed, Some(n)).ok()).collect::<Option<Vec<_>>>()?;
    let run = move || {
        let mut bench = Bench::default();
        let broken = |failure| matches!(failure, Some(Failure::Broken { .. }));
        assert!(scenarios.iter().all(|s| bench.run(s).is_ok_and(|verdict| !broken(verdict.failure))));
    };
    Some(Load { run: Box::new(run), times: SEEDS })
}

/// One seed of 200 blocks without a fault.
fn long(n: u16) -> Option<Load> {
    let s = steady(n, 200, Crypto::Stub)?;
    let run = move || assert!(Bench::default().run(&s).is_ok_and(|verdict| verdict.blocks == 200));
    Some(Load { run: Box::new(run), times: 1 })
}

/// A clone of the world after a charging session, and its end.
fn snapshot(n: u16) -> Option<Load> {
    let mut run = Timelines::open_headless(Scenario::preset("thirty-one").ok()?.with_n(n).ok()?, vec![]).ok()?;
    run.run(BranchId(0), Until::End, u32::MAX);
    Some(Load { run: Box::new(move || drop(black_box(run.world(BranchId(0)).clone()))), times: 1 })
}

/// A run of at least so many effects, with kept worlds.
fn history(effects: u32) -> Option<Timelines> {
    let mut run = Timelines::open(steady(4, effects / 50, Crypto::Stub)?, vec![]).ok()?;
    run.run(BranchId(0), Until::Effects(effects), u32::MAX);
    (run.trace(BranchId(0)).len() >= effects).then_some(run)
}

/// The world of the moment that lies furthest from a kept one, and what everybody waits for then.
fn seek(effects: u32) -> Option<Load> {
    let run = std::cell::RefCell::new(history(effects)?);
    let furthest = EffectId(effects / WORLDS * WORLDS - 2);
    Some(Load { run: Box::new(move || drop(black_box(run.borrow_mut().waiting_at(BranchId(0), furthest)))), times: 1 })
}

/// The stage of a moment from the picture before it.
fn fold(effects: u32) -> Option<Load> {
    let run = history(effects)?;
    let work = move || {
        let effects = run.trace(BranchId(0)).effects().iter().take(effects as usize);
        drop(black_box(StageState::fold(effects)));
    };
    Some(Load { run: Box::new(work), times: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small sizes of what is timed at large ones; each checks its own outcome.
    #[test]
    fn every_load_works_at_small_sizes() {
        for name in ["events/4", "block/4", "view/4", "long/4", "snapshot/31", "seek/600", "fold/100"] {
            let made = load(name);
            assert!(made.is_some(), "{name}");
            made.into_iter().for_each(|load| (load.run)());
        }
        assert!(load("nothing/5").is_none());
    }
}
