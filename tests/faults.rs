//! No single fault or interference, wherever it comes, and no odd station breaks an invariant: the actors withstand it, and
//! the invariants raise no false alarm. `STRIDE=1` tries every moment and more stations.

#![cfg(not(target_arch = "wasm32"))]

use voltcast::entities::fact::FactKind;
use voltcast::sim::intervention::Intervention;
use voltcast::sim::scenario::{Scenario, TariffPeriod};
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::Kind;
use voltcast::sim::units::Dur;

const ROOT: BranchId = BranchId(0);

fn stride() -> usize {
    std::env::var("STRIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(13)
}

/// Runs the scenario with each of these texts as its one intervention; those that are not possible are skipped.
fn withstand(scenario: &Scenario, texts: impl Fn(u32, &Kind) -> Vec<String>) {
    let mut run = Timelines::open(scenario.clone(), vec![]).unwrap();
    assert_eq!(run.run(ROOT, Until::End, u32::MAX), Stop::End);
    let effects = run.trace(ROOT).effects().iter().zip(0..);
    let all: Vec<String> = effects.flat_map(|(effect, at)| texts(at, &effect.kind)).collect();
    let mut tried = 0;
    for text in all.iter().step_by(stride()) {
        let Ok(branch) = run.fork(ROOT, Intervention::parse(text).unwrap()) else { continue };
        assert_eq!(run.run(branch, Until::End, u32::MAX), Stop::End, "{text}");
        run.discard(branch);
        tried += 1;
    }
    assert!(tried > all.len() / stride() / 2, "{tried} of {}", all.len());
}

fn prices(all: &[(u32, u32)]) -> Vec<TariffPeriod> {
    all.iter().map(|(start, price)| TariffPeriod { start: *start, price: *price, feed_in: 8_000 }).collect()
}

/// Two prices, and cars that come one after the other: what the plant has to get right.
fn busy() -> Scenario {
    let mut scenario = Scenario::preset("day4").unwrap();
    scenario.station.tariff.periods = prices(&[(0, 31_500), (400, 52_300)]);
    for (at, car) in (0..).zip(&mut scenario.fleet.ev) {
        car.arrive = Dur::ms(2_000 + 700 * at);
    }
    scenario
}

/// A station with other caps, prices, hours and up to three CSCs.
fn odd(seed: u32) -> Scenario {
    let id = ["day4", "one-liar", "dead-primary", "thirty-one"][seed as usize % 4];
    let mut scenario = Scenario::preset(id).unwrap().with_seed(seed.into());
    scenario.entities.csc = 1 + (seed % 3) as u16;
    scenario.station.feeder_cap_w = 9_000 + 1_000 * (seed % 20);
    scenario.station.tariff.periods = prices(&[(0, 31_500), (10 + 37 * seed, 52_300)]);
    for (k, car) in (0..).zip(&mut scenario.fleet.ev) {
        car.arrive = Dur::ms(u64::from(2_000 + k * 7_919 * (seed + 1) % 900_000));
        car.soc += (seed * 31 + k * 17) % 90 * 1_000;
        car.target = 1_000_000;
        car.depart = Dur::minutes(u64::from(20 + (seed * 13 + k * 29) % 30));
    }
    scenario
}

#[test]
fn caps_limits_meters_and_bills_hold_at_odd_stations() {
    for seed in 0..(150 / stride()) as u32 {
        let mut run = Timelines::open_headless(odd(seed), vec![]).unwrap();
        assert_eq!(run.run(ROOT, Until::End, u32::MAX), Stop::End, "station {seed}");
        let last = |kind: &Kind| matches!(kind, Kind::Fact(FactKind::Billed { last: true, total, .. }) if *total > 0);
        let bills = run.trace(ROOT).effects().iter().filter(|e| last(&e.kind)).count();
        assert!(bills >= 1, "station {seed}: {bills} bills");
    }
}

#[test]
fn any_message_may_be_lost_doubled_late_or_altered() {
    withstand(&busy(), |at, kind| {
        let Kind::Sent { .. } = kind else { return vec![] };
        let (byte, bit) = (at % 97, at % 8);
        let flip = format!("e{at}~flip~e{at}~{byte}~{bit}");
        let of = |what: &str| format!("e{at}~{what}~e{at}");
        vec![of("drop"), of("duplicate"), of("deliver"), format!("{}~90s", of("delay")), flip]
    });
}

#[test]
fn any_actor_may_stop_or_lie_at_any_moment() {
    withstand(&busy(), |at, _| {
        let whom = ["kgc1", "csc1", "css1", "css2", "cp1", "cp2", "cp3", "ev1", "ev2", "ev3"][at as usize % 10];
        let lie = ["equivocating_primary", "forged_vote", "silent", "tampered_ciphertext", "wrong_root"];
        let lie = lie[at as usize / 10 % 5];
        vec![format!("e{at}~crash~{whom}"), format!("e{at}~pause~{whom}"), format!("e{at}~behave~css1~{lie}")]
    });
}
