//! A scenario from a seed: sizes, workload, network, faults and liars, at most f of them.

use crate::entities::actor::{ActorId, Role};
use crate::entities::stub::Crypto;
use crate::sim::adversary::{BehaviourKind, Split, Trigger};
use crate::sim::intervention::{Behave, Skew, Slow, Torn};
use crate::sim::network::{Latency, RuleArgs};
use crate::sim::scenario::{Bootstrap, Fault, FaultDo, Scenario, ScenarioError, WorkloadKind};
use crate::sim::streams::{Label, Streams};
use crate::sim::units::{Dur, Many, Pattern, Ratio, Shift};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// The sizes of CONSENSUS.md §7 item 4.
pub const SIZES: [u16; 8] = [4, 5, 6, 7, 8, 9, 10, 13];
/// Everything but the numbers drawn below.
const BASE: &str = include_str!("base.toml");
/// The unlucky part lasts until here at most.
const STORM_MS: u64 = 3_000;
/// Views in which twins keep others in cells.
const CELL_VIEWS: u32 = 4;
/// Clocks are wrong by less than half of what a proposal's time may be off.
const MOST_SKEW_MS: u64 = 2_000;

/// Draws from the seed.
struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        (u64::from(self.0.next_u32()) * bound) >> 32
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn moment(&mut self) -> Dur {
        Dur::ms(self.below(STORM_MS))
    }
}

/// All options of a seed; `n` replaces the drawn number of gateways.
///
/// # Errors
/// If `n` is out of bounds.
pub fn scenario(seed: u64, n: Option<u16>) -> Result<Scenario, ScenarioError> {
    let mut dice = Dice(Streams::new(seed).get(Label::Swarm, 0, 0));
    let mut s = Scenario::from_toml(BASE)?;
    let drawn = dice.pick(&SIZES);
    s.name = format!("swarm {seed}");
    s.seed = seed;
    s.gateways.n = n.unwrap_or(drawn);
    s.gateways.crypto = Crypto::Stub;
    s.bootstrap = Bootstrap::Given;
    sizes(&mut s, &mut dice);
    workload(&mut s, &mut dice);
    network(&mut s, &mut dice);
    people(&mut s, &mut dice);
    rarities(&mut s, &mut Dice(Streams::new(seed).get(Label::Swarm, 2, 0)));
    s.checked()
}

/// A scenario of twins (CONSENSUS.md §5.3): `liars` gateways, the first primaries more often, live twice under one key, and
/// the seed decides who hears which body in which view: the others fall into two cells, the same for all twins, or each twin
/// splits them its own way. The network is quick and loses nothing.
///
/// # Errors
/// If `n` is out of bounds or has fewer gateways than `liars`.
pub fn twins(seed: u64, n: u16, liars: u16) -> Result<Scenario, ScenarioError> {
    let mut dice = Dice(Streams::new(seed).get(Label::Swarm, 1, 0));
    let mut s = quick(format!("twins {seed}"), seed, n)?;
    s.gateways.batch_max = dice.pick(&[1, 4]);
    s.gateways.batch_delay = Dur::ms(dice.pick(&[0, 20]));
    s.workload.count = dice.between(2, 6) as u32;
    s.workload.every = Dur::ms(dice.between(20, 400));
    s.network.latency = Latency::Uniform(Dur::ms(5), Dur::ms(dice.pick(&[6, 20, 45])));
    let mut left: Vec<u64> = (0..u64::from(n)).collect();
    for _ in 0..liars.min(n) {
        let at = if dice.one_in(2) { 0 } else { dice.below(left.len() as u64) as usize };
        let node = gateway(left.remove(at));
        s.behaviour.push(Behave::always(node, BehaviourKind::Twins));
    }
    if dice.one_in(2) {
        let hears: Vec<Split> = (0..CELL_VIEWS).filter_map(|_| Split::parse(&cells(&left, n, &mut dice))).collect();
        s.behaviour.iter_mut().for_each(|twin| twin.hears.clone_from(&hears));
    }
    s.checked()
}

/// Every twin hears the others (`left`) in two cells, one in nine of them in both; twins hear each other in both.
fn cells(left: &[u64], n: u16, dice: &mut Dice) -> String {
    let letter = |at: u16| match left.contains(&u64::from(at)) {
        true => dice.pick(&['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b', 'x']),
        false => 'x',
    };
    (0..n).map(letter).collect()
}

/// The network of twins: quick, loses nothing, stub signatures.
pub(super) fn quick(name: String, seed: u64, n: u16) -> Result<Scenario, ScenarioError> {
    let mut s = Scenario::from_toml(BASE)?;
    s.name = name;
    s.seed = seed;
    s.gateways.n = n;
    s.gateways.crypto = Crypto::Stub;
    s.bootstrap = Bootstrap::Given;
    s.gateways.pipeline = 2;
    s.gateways.t0 = Dur::ms(600);
    s.gateways.status_every = Dur::ms(500);
    s.cost.css = 0;
    s.workload.kind = WorkloadKind::Steady;
    s.network.gst = Some(Dur::ms(0));
    Ok(s)
}

fn sizes(s: &mut Scenario, dice: &mut Dice) {
    let g = &mut s.gateways;
    g.pipeline = dice.between(1, 4) as u16;
    g.batch_max = dice.pick(&[1, 2, 4, 64]);
    g.batch_delay = Dur::ms(dice.pick(&[0, 5, 20, 60]));
    g.checkpoint = dice.pick(&[2, 4, 16]);
    g.status_every = Dur::ms(dice.pick(&[300, 1_000]));
    g.t0 = Dur::ms(dice.pick(&[300, 600, 1_200, 2_400]));
    s.cost.css = dice.pick(&[0, 1, 1, 4]);
}

fn workload(s: &mut Scenario, dice: &mut Dice) {
    let w = &mut s.workload;
    w.kind = dice.pick(&[WorkloadKind::Steady, WorkloadKind::Burst, WorkloadKind::List]);
    w.count = dice.between(1, 24) as u32;
    w.every = Dur::ms(dice.between(1, 150));
    if w.kind == WorkloadKind::List {
        w.at = (0..w.count).map(|_| dice.moment()).collect();
    }
}

fn network(s: &mut Scenario, dice: &mut Dice) {
    let net = &mut s.network;
    let low = dice.between(1, 20);
    net.latency = match dice.below(4) {
        0 => Latency::Const(Dur::ms(low)),
        1 => Latency::Exponential(Dur::ms(low)),
        2 => Latency::LongTail(Dur::ms(low)),
        _ => Latency::Uniform(Dur::ms(low), Dur::ms(low + dice.between(0, 60))),
    };
    let percent = |num| Ratio { num, den: 100 };
    net.loss = percent(dice.pick(&[0, 0, 1, 5, 20]));
    net.duplicate = percent(dice.pick(&[0, 0, 5, 30]));
    net.reorder = percent(dice.pick(&[0, 0, 10, 50]));
    net.gst = Some(Dur::ms(STORM_MS));
    net.delta = Dur::ms(50);
}

pub(super) fn gateway(index: u64) -> ActorId {
    ActorId::new(Role::Css, index as u16)
}

/// Some of the gateways, at least one.
fn some(n: u64, dice: &mut Dice) -> Many<Pattern> {
    let mut all: Vec<Pattern> = (0..n).filter(|_| dice.one_in(2)).map(|index| Pattern::one(gateway(index))).collect();
    if all.is_empty() {
        all.push(Pattern::one(gateway(dice.below(n))));
    }
    Many(all)
}

/// Liars and the dead, together at most f; and what befalls everybody until the network heals.
fn people(s: &mut Scenario, dice: &mut Dice) {
    let n = u64::from(s.gateways.n);
    let f = crate::pbft::Quorum::new(s.gateways.n).map_or(0, |q| u64::from(q.f()));
    let mut left: Vec<u64> = (0..n).collect();
    let bad = dice.between(0, f);
    for _ in 0..bad {
        // The first primaries are the interesting ones.
        let at = if dice.one_in(2) { 0 } else { dice.below(left.len() as u64) as usize };
        let node = gateway(left.remove(at));
        if dice.one_in(4) {
            s.fault.push(Fault { at: dice.moment(), action: FaultDo::Crash(node) });
        } else {
            let kinds: Vec<BehaviourKind> =
                BehaviourKind::ALL.into_iter().filter(|kind| kind.fits(Role::Css)).collect();
            let kind = dice.pick(&kinds);
            s.behaviour.push(Behave { when: trigger(dice), ..Behave::always(node, kind) });
        }
    }
    for _ in 0..dice.below(4) {
        storm(s, n, dice);
    }
}

/// What few runs have: a short memory for old blocks, a lead that changes by appointment, a crash in the middle of a step.
fn rarities(s: &mut Scenario, dice: &mut Dice) {
    if dice.one_in(2) {
        s.gateways.retain = dice.between(1, 6) as u32;
    }
    if dice.one_in(4) {
        s.gateways.rotate_every = dice.pick(&[1, 2, 4, 8]);
    }
    if dice.one_in(4) {
        let node = gateway(dice.below(s.gateways.n.into()));
        let at = dice.moment();
        let torn = Torn { node, k: dice.below(6) as u32 };
        let back = Dur(at.0 + Dur::ms(dice.between(50, 2_000)).0);
        s.fault.push(Fault { at, action: FaultDo::TornStep(torn) });
        s.fault.push(Fault { at: back.min(Dur::ms(STORM_MS)), action: FaultDo::Restart(node) });
    }
}

fn trigger(dice: &mut Dice) -> Trigger {
    match dice.below(6) {
        0 | 1 => Trigger::Always,
        2 => Trigger::Chance(Ratio { num: dice.between(1, 9) as u32, den: 10 }),
        3 => Trigger::First(dice.between(1, 8) as u32),
        4 => Trigger::Views((0..3).filter(|_| dice.one_in(2)).collect()),
        _ => {
            let from = dice.moment();
            Trigger::Time(from, Dur(from.0 + Dur::ms(dice.between(50, 2_000)).0))
        }
    }
}

/// One stretch of bad luck; it ends with the storm at the latest.
fn storm(s: &mut Scenario, n: u64, dice: &mut Dice) {
    let at = dice.moment();
    let until = Dur((at.0 + Dur::ms(dice.between(50, 2_000)).0).min(Dur::ms(STORM_MS).0));
    let rule = RuleArgs { from: some(n, dice), to: some(n, dice), until: Some(until), ..RuleArgs::default() };
    let flap = dice.one_in(4).then(|| Dur::ms(dice.between(5, 200)));
    let rule = RuleArgs { flap, both: dice.one_in(3), ..rule };
    let action = match dice.below(9) {
        0 => {
            let node = gateway(dice.below(n));
            s.fault.push(Fault { at: until, action: FaultDo::Resume(node) });
            FaultDo::Pause(node)
        }
        1 => FaultDo::Block(rule),
        7 | 8 => {
            let node = gateway(dice.below(n));
            s.fault.push(Fault { at: until, action: FaultDo::Restart(node) });
            FaultDo::Crash(node)
        }
        5 => {
            let node = gateway(dice.below(n));
            s.fault.push(Fault { at: until, action: FaultDo::Slow(Slow { node, times: 1 }) });
            FaultDo::Slow(Slow { node, times: dice.between(2, 60) as u32 })
        }
        6 => {
            let (node, most) = (gateway(dice.below(n)), MOST_SKEW_MS as i64);
            let by = Shift((dice.below(2 * MOST_SKEW_MS) as i64 - most) * 1_000);
            FaultDo::Skew(Skew { node, by })
        }
        2 => FaultDo::Delay(RuleArgs { by: Some(Dur::ms(dice.between(10, 500))), ..rule }),
        3 => FaultDo::Loss(RuleArgs { ratio: Some(Ratio { num: dice.between(1, 9) as u32, den: 10 }), ..rule }),
        _ => FaultDo::Corrupt(rule),
    };
    s.fault.push(Fault { at, action });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pbft::Quorum;
    use crate::sim::swarm::Bench;

    /// The detection control of CONSENSUS.md §7 item 5, and its other side.
    #[test]
    fn as_many_twins_as_can_break_agreement_do_so_and_f_do_not() {
        let mut bench = Bench::default();
        for n in [4, 5, 6, 7] {
            let quorum = Quorum::new(n).unwrap();
            let mut run = |seed, liars| bench.run(&twins(seed, n, liars).unwrap()).unwrap();
            assert!(
                (0..1_000).any(|seed| run(seed, quorum.breaking()).void),
                "{n} gateways, {} twins",
                quorum.breaking()
            );
            for seed in 0..40 {
                let verdict = run(seed, quorum.f());
                assert!(verdict.failure.is_none() && !verdict.void, "{n} gateways, seed {seed}: {:?}", verdict.failure);
            }
        }
    }
}
