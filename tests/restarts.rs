//! Actors that crash and come back in a whole run (CONSENSUS.md §3.11, §4.4): the durable store of a gateway, torn steps,
//! lost memory.

#![cfg(not(target_arch = "wasm32"))]

use voltcast::entities::actor::ActorId;
use voltcast::sim::export;
use voltcast::sim::intervention::Intervention;
use voltcast::sim::scenario::{Fault, FaultDo, Scenario};
use voltcast::sim::state::{self, State};
use voltcast::sim::swarm;
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::Kind;
use voltcast::sim::units::Dur;

fn play(scenario: &Scenario, interventions: &[&str]) -> (Timelines, State) {
    let info = export::info(scenario, "test");
    let list = interventions.iter().map(|text| Intervention::parse(text).unwrap()).collect();
    let mut run = Timelines::open_headless(scenario.clone(), list).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End, "{interventions:?}");
    let trace = run.trace(BranchId(0));
    let state = state::state(&info, trace, trace.len());
    assert_eq!(state.violations, [], "{interventions:?}");
    (run, state)
}

/// Height and head at each gateway, if they are all the same.
fn head(state: &State) -> (u64, String) {
    let mut heads: Vec<_> = state.chains.values().map(|chain| (chain.height, chain.head.to_string())).collect();
    heads.dedup();
    assert_eq!(heads.len(), 1, "{heads:?}");
    heads.remove(0)
}

fn day4() -> Scenario {
    Scenario::preset("day4").unwrap()
}

/// Moment of the first block's pre-prepare at its primary, in effects.
fn first_proposal() -> u32 {
    let (run, _) = play(&day4(), &[]);
    let effects = run.trace(BranchId(0)).effects();
    let at = effects.iter().find(|e| e.kind.name() == "PrePrepared").unwrap();
    at.id.0
}

#[test]
fn a_gateway_that_crashes_during_agreement_comes_back_and_catches_up() {
    let (_, whole) = play(&day4(), &[]);
    let at = first_proposal();
    for css in ["css3", "css4"] {
        let (run, state) = play(&day4(), &[&format!("e{at}~crash~{css}"), &format!("60s~restart~{css}")]);
        assert_eq!(head(&state), head(&whole), "{css}");
        let back = |e: &voltcast::sim::trace::Effect| matches!(e.kind, Kind::Recovered { amnesia: false, .. });
        assert!(run.trace(BranchId(0)).effects().iter().any(back));
    }
}

#[test]
fn who_was_down_when_all_began_begins_when_it_comes_back() {
    let mut given = swarm::scenario(1, Some(4)).unwrap();
    (given.fault, given.behaviour) = (vec![], vec![]);
    for (scenario, down) in [(&given, "css3"), (&given, "css1"), (&day4(), "css3"), (&day4(), "kgc1")] {
        let (_, whole) = play(scenario, &[]);
        let (mut late, who) = (scenario.clone(), ActorId::parse(down).unwrap());
        late.fault.push(Fault { at: Dur(0), action: FaultDo::Crash(who) });
        late.fault.push(Fault { at: Dur::ms(500), action: FaultDo::Restart(who) });
        let (_, state) = play(&late, &[]);
        assert_eq!(state.chains.len(), 4, "{down}");
        assert!(head(&whole).0 > 0 && head(&state).0 > 0, "{down}");
    }
}

#[test]
fn a_step_torn_after_any_output_contradicts_nothing() {
    let at = first_proposal();
    for css in ["css1", "css2"] {
        for k in 0..8 {
            let torn = format!("e{}~torn_step~{css}~{k}", at - 1);
            let (_, state) = play(&day4(), &[&torn, &format!("60s~restart~{css}")]);
            assert_eq!(head(&state).0, 1, "{torn}");
        }
    }
}

#[test]
fn a_gateway_without_its_memory_counts_as_faulty_and_splits_nothing() {
    let at = first_proposal();
    let mut gossip = day4();
    gossip.gateways.status_every = Dur::secs(60);
    let (run, state) = play(&gossip, &[&format!("e{}~crash~css4", at + 20), "90s~restart~css4~amnesia"]);
    assert_eq!(head(&state).0, 1);
    let back = |e: &voltcast::sim::trace::Effect| {
        matches!(e.kind, Kind::Recovered { amnesia: true, height: 0 }) && e.actor == ActorId::parse("css4")
    };
    assert!(run.trace(BranchId(0)).effects().iter().any(back));
}

#[test]
fn other_actors_come_back_with_their_timers() {
    let (_, whole) = play(&day4(), &[]);
    for actor in ["kgc1", "csc1", "cp1", "ev1", "css2"] {
        for at in ["100ms", "3s"] {
            let (_, state) = play(&day4(), &[&format!("{at}~crash~{actor}"), &format!("10s~restart~{actor}")]);
            assert_eq!(state.chains.len(), whole.chains.len(), "{actor}");
        }
    }
    let (_, early) = play(&day4(), &["100ms~crash~css2", "10s~restart~css2"]);
    assert_eq!(head(&early).0, 1, "genesis waits for the gateway's key, which comes after its restart");
}
