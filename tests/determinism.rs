//! A run is a value: the same digest twice, in slices, after going back, and with or without the memory of
//! verifications (CONSENSUS.md §4.10). Golden digests pin it across machines; `UPDATE_GOLDEN=1` rewrites them.

#![cfg(not(target_arch = "wasm32"))]

use voltcast::ledger::{Digest, Micros};
use voltcast::sim::intervention::Intervention;
use voltcast::sim::scenario::Scenario;
use voltcast::sim::swarm;
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::EffectId;

const ROOT: BranchId = BranchId(0);
const GOLDEN: &str = "tests/golden_digests.txt";

fn scenario(id: &str, seed: Option<u64>, n: Option<u16>) -> Scenario {
    let mut scenario = Scenario::preset(id).unwrap();
    if let Some(seed) = seed {
        scenario = scenario.with_seed(seed);
    }
    match n {
        Some(n) => scenario.with_n(n).unwrap(),
        None => scenario,
    }
}

fn whole(scenario: Scenario, interventions: Vec<Intervention>) -> Timelines {
    let mut run = Timelines::open(scenario, interventions).unwrap();
    // A seed of the swarm may break a rule on its way; its digest counts all the same.
    while let Stop::Violation { .. } = run.run(ROOT, Until::End, u32::MAX) {}
    assert_eq!(run.run(ROOT, Until::End, u32::MAX), Stop::End);
    run
}

fn digest(scenario: Scenario) -> Digest {
    whole(scenario, vec![]).trace(ROOT).digest()
}

#[test]
fn twice_and_in_slices() {
    let base = digest(scenario("one-liar", None, None));
    assert_eq!(base, digest(scenario("one-liar", None, None)));
    assert_ne!(base, digest(scenario("one-liar", Some(12), None)));
    for slice in [1, 7, 100] {
        let mut run = Timelines::open(scenario("one-liar", None, None), vec![]).unwrap();
        while run.run(ROOT, Until::End, slice) == Stop::More {}
        assert_eq!(run.trace(ROOT).digest(), base, "slices of {slice}");
    }
    let mut run = Timelines::open(scenario("one-liar", None, None), vec![]).unwrap();
    for ms in (0..5_000).step_by(13) {
        run.run(ROOT, Until::Time(Micros(ms * 1_000)), u32::MAX);
    }
    for count in (900..1_000).step_by(3) {
        run.run(ROOT, Until::Effects(count), u32::MAX);
    }
    run.run(ROOT, Until::End, u32::MAX);
    assert_eq!(run.trace(ROOT).digest(), base);
}

#[test]
fn the_memory_of_verifications_changes_nothing() {
    for id in ["one-liar", "bad-ciphertext"] {
        let mut run = Timelines::open_without_memo(scenario(id, None, None), vec![]).unwrap();
        assert_eq!(run.run(ROOT, Until::End, u32::MAX), Stop::End);
        assert_eq!(run.trace(ROOT).digest(), digest(scenario(id, None, None)));
    }
}

#[test]
fn headless_is_the_same_run() {
    let mut run = Timelines::open_headless(scenario("day4", None, None), vec![]).unwrap();
    run.run(ROOT, Until::End, u32::MAX);
    assert_eq!(run.trace(ROOT).digest(), digest(scenario("day4", None, None)));
}

/// A fork equals the run that was opened with the same interventions, wherever it is made, also from a fork.
#[test]
fn a_fork_is_what_its_link_would_give() {
    let mut run = whole(scenario("day4", None, None), vec![]);
    let base = run.trace(ROOT).digest();
    let len = run.trace(ROOT).len();
    let mut forks = Vec::new();
    for at in [0, 1, 255, 256, 300, 511, 600, len - 1] {
        for text in ["pause~css2", "crash~css1", "behave~css1~silent"] {
            let what = Intervention::parse(&format!("e{at}~{text}")).unwrap();
            forks.push((run.fork(ROOT, what.clone()).unwrap(), vec![what]));
        }
    }
    let first = forks[9].0;
    run.run(first, Until::End, u32::MAX);
    let later = run.trace(first).len() - 40;
    let what = Intervention::parse(&format!("e{later}~crash~css3")).unwrap();
    let second = run.fork(first, what.clone()).unwrap();
    forks.push((second, vec![forks[9].1[0].clone(), what]));
    let timed = Intervention::parse("2600ms~pause~css3").unwrap();
    forks.push((run.fork(ROOT, timed.clone()).unwrap(), vec![timed]));
    for (branch, interventions) in &forks {
        assert!(matches!(run.run(*branch, Until::End, u32::MAX), Stop::End));
        let alone = whole(scenario("day4", None, None), interventions.clone());
        assert_eq!(run.trace(*branch).digest(), alone.trace(ROOT).digest(), "{interventions:?}");
        let at = run.branches().iter().find(|b| b.id == *branch).unwrap().at;
        let parent = run.branches().iter().find(|b| b.id == *branch).unwrap().parent.unwrap();
        assert_eq!(run.trace(*branch).digest_at(at.0 + 1), run.trace(parent).digest_at(at.0 + 1));
    }
    assert_eq!(run.trace(ROOT).digest(), base, "the old future is still there");
    run.discard(first);
    assert!(!run.contains(first));
    assert_eq!(run.run(second, Until::End, u32::MAX), Stop::End);
}

#[test]
fn what_is_not_possible_is_refused_and_forks_nothing() {
    let mut run = whole(scenario("day4", None, None), vec![]);
    let flight =
        run.trace(ROOT).effects().iter().find(|e| e.kind.name() == "Sent" && e.t.0 > 2_000_000).map(|e| e.id).unwrap();
    for text in [
        "e99999999~crash~css1".to_owned(),
        "e10~resume~css1".to_owned(),
        "e10~calm~css1".to_owned(),
        "e10~crash~css5".to_owned(),
        "e10~complain~ev1".to_owned(),
        format!("e10~drop~e{}", flight.0),
    ] {
        assert!(run.fork(ROOT, Intervention::parse(&text).unwrap()).is_err(), "{text}");
    }
    assert_eq!(run.branches().len(), 1);
    let EffectId(at) = flight;
    for text in ["drop", "duplicate", "deliver"] {
        let branch = run.fork(ROOT, Intervention::parse(&format!("e{at}~{text}~e{at}")).unwrap()).unwrap();
        assert_eq!(run.run(branch, Until::End, u32::MAX), Stop::End);
        assert_ne!(run.trace(branch).digest(), run.trace(ROOT).digest());
    }
    for text in [format!("e{at}~flip~e{at}~3~0"), format!("e{at}~delay~e{at}~20ms")] {
        let branch = run.fork(ROOT, Intervention::parse(&text).unwrap()).unwrap();
        assert_eq!(run.run(branch, Until::End, u32::MAX), Stop::End);
    }
}

#[test]
fn golden_digests() {
    let text = std::fs::read_to_string(GOLDEN).unwrap();
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut out = String::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [id, seed, n, golden @ ..] = fields.as_slice() else { panic!("{line}") };
        if *id == "#" {
            out += &format!("{line}\n");
            continue;
        }
        let (number, size) = (seed.parse().unwrap(), n.parse().unwrap());
        let made = match *id {
            "swarm" => swarm::scenario(number, Some(size)).unwrap(),
            _ => scenario(id, Some(number), Some(size)),
        };
        let found = digest(made);
        assert!(update || golden == [found.to_string()], "{line}: now {found}");
        out += &format!("{id} {seed} {n} {found}\n");
    }
    if update {
        std::fs::write(GOLDEN, out).unwrap();
    }
}
