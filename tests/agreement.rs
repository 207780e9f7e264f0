//! Agreement without the station (CONSENSUS.md §4.6, §4.9, §7 item 4): stub and real signatures, keys given before the
//! run, workloads, and a few seeds of the swarm.

#![cfg(not(target_arch = "wasm32"))]

use voltcast::entities::Entity;
use voltcast::entities::actor::{ActorId, Role};
use voltcast::ledger::Digest;
use voltcast::sim::export;
use voltcast::sim::memo::Memo;
use voltcast::sim::scenario::Scenario;
use voltcast::sim::state::{self, State};
use voltcast::sim::swarm::{self, Bench};
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::Kind;
use voltcast::sim::units::Dur;
use voltcast::sim::world::World;

const ROOT: BranchId = BranchId(0);

fn alone(crypto: &str, workload: &str) -> Result<Scenario, String> {
    let text = format!(
        "voltcast = 1\nname = \"alone\"\nend = \"20s\"\nbootstrap = \"given\"\n[gateways]\nn = 4\ncrypto = \"{crypto}\"\n\
         [entities]\ncsc = 0\ncp = 0\nev = 0\nareas = 1\n[station]\narea_cap_w = [15000]\n[workload]\n{workload}\n"
    );
    Scenario::from_toml(&text).map_err(|e| e.to_string())
}

fn end(mut run: Timelines, s: &Scenario) -> (State, Digest) {
    assert_eq!(run.run(ROOT, Until::End, u32::MAX), Stop::End);
    let trace = run.trace(ROOT);
    (state::state(&export::info(s, "alone"), trace, trace.len()), trace.digest())
}

#[test]
fn all_gateways_store_the_workload_with_stub_and_with_real_signatures() {
    for (crypto, workload) in [
        ("stub", "kind = \"steady\"\nevery = \"50ms\"\ncount = 12"),
        ("stub", "kind = \"burst\"\nevery = \"1s\"\ncount = 40"),
        ("stub", "kind = \"list\"\nat = [\"1s\", \"3s\", \"3s\"]"),
        ("real", "kind = \"list\"\nat = [\"1s\", \"3s\"]\nreceivers = [1, 3]"),
    ] {
        let s = alone(crypto, workload).unwrap();
        let (state, digest) = end(Timelines::open(s.clone(), vec![]).unwrap(), &s);
        assert_eq!(state.stub, crypto == "stub");
        assert!(state.violations.is_empty() && !state.safety_void, "{:?}", state.violations);
        let heads: std::collections::BTreeSet<_> = state.chains.values().map(|c| (c.height, c.head)).collect();
        assert_eq!(heads.len(), 1, "{heads:?}");
        assert!(heads.first().unwrap().0 >= 1);
        let (_, bare) = end(Timelines::open_without_memo(s.clone(), vec![]).unwrap(), &s);
        assert_eq!(digest, bare, "the memory of verifications changes nothing");
    }
}

#[test]
fn what_makes_no_sense_without_the_station_is_refused() {
    let steady = "kind = \"steady\"";
    let text = |s: Scenario| s.explain();
    let good = text(alone("stub", steady).unwrap());
    for (from, to, why) in [
        ("bootstrap = \"given\"", "bootstrap = \"live\"", "a workload without the station needs"),
        ("kind = \"steady\"", "kind = \"station\"", "`csc` is 0"),
        ("ev = 0", "ev = 1", "for runs without cars"),
        ("receivers = [1, 3]", "receivers = [3, 1]", "the fewest and the most receivers"),
        ("receivers = [\n    1,\n    3,\n]", "receivers = [3, 1]", "the fewest and the most receivers"),
    ] {
        if good.contains(from) {
            let error = Scenario::from_toml(&good.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(why), "{to}: {error}");
        }
    }
    assert!(good.contains("crypto = \"stub\"") && good.contains("bootstrap = \"given\""));
}

#[test]
fn a_few_seeds_of_the_swarm() {
    let (mut bench, mut blocks) = (Bench::default(), 0);
    for seed in 0..40 {
        let s = swarm::scenario(seed, None).unwrap();
        let verdict = bench.run(&s).unwrap();
        assert_eq!(verdict.failure, None, "voltcast seeds --from {seed} --count 1");
        blocks += verdict.blocks;
        assert_eq!(Scenario::from_toml(&s.explain()).unwrap(), s.resolved(), "seed {seed} has a text form");
    }
    assert!(blocks > 100, "{blocks} blocks");
}

/// Overload delays, it does not depose a correct primary (CONSENSUS.md §3.4), though to verify all that waits takes longer
/// than a backup's patience.
#[test]
fn a_burst_of_a_block_for_each_gateway_changes_no_view() {
    let mut s = alone("stub", "kind = \"burst\"\ncount = 1024").unwrap();
    s.gateways.n = 16;
    s.network.gst = Some(Dur::secs(1));
    let verdict = Bench::default().run(&s).unwrap();
    assert_eq!((verdict.failure, verdict.views), (None, 0));
    assert!((16..=32).contains(&verdict.blocks), "{} blocks", verdict.blocks);
}

/// 6,400 ciphertexts at once for as many gateways as there may be are all stored, and nothing is broken on the way. To verify
/// them takes a primary longer than the others' first patience, so views do change here. The trace would have more effects
/// than a run may keep; only the invariants look on. `cargo test --release --test agreement -- --ignored --nocapture`
fn burst_at_a_hundred(crypto: &str) {
    const COUNT: u64 = 6_400;
    let mut s = alone(crypto, &format!("kind = \"burst\"\nevery = \"1s\"\ncount = {COUNT}")).unwrap();
    (s.gateways.n, s.network.gst, s.entities.ttl, s.end) = (100, Some(Dur::secs(1)), 600, Dur::secs(300));
    let mut world = World::new(s.checked().unwrap(), vec![]).unwrap();
    let (mut memo, mut out, mut steps) = (Memo::new(), Vec::new(), 0_u64);
    let replica = |world: &World, i| match world.entity(ActorId::new(Role::Css, i)) {
        Some(Entity::Css(css)) => css.replica().map(|r| (r.chain().state().live(), r.executed().0, r.level().view.0)),
        _ => None,
    };
    let done = |world: &World| (0..100).all(|i| replica(world, i).is_some_and(|r| r.0 == COUNT));
    while world.step(&mut memo, &mut out) {
        steps += 1;
        for effect in out.drain(..) {
            assert!(!matches!(effect.kind, Kind::InvariantBroken { .. } | Kind::SafetyVoid { .. }), "{effect:?}");
        }
        if steps % 16_384 == 0 && done(&world) {
            break;
        }
    }
    let ends: std::collections::BTreeSet<_> = (0..100).map(|i| replica(&world, i)).collect();
    println!("{crypto}: {steps} events, {} effects, {} virtual µs, {ends:?}", world.effects(), world.now().0);
    assert!(ends.iter().all(|end| end.is_some_and(|(stored, ..)| stored == COUNT)), "{ends:?}");
}

#[test]
#[ignore = "minutes"]
fn a_burst_of_6400_at_a_hundred_gateways_is_stored() {
    burst_at_a_hundred("stub");
}

#[test]
#[ignore = "minutes"]
fn and_so_it_is_with_real_signatures() {
    burst_at_a_hundred("real");
}
