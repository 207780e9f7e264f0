//! Properties of the scene on random runs (PAGE.md §11): S1 a moment does not depend on the way to it, S3 nothing is drawn
//! without its effect, S4 rings show the engine's count, S5 what comes later does not change what was shown, S11 the film
//! never goes back.
#![cfg(not(target_arch = "wasm32"))]

use proptest::prelude::*;
use voltcast::entities::fact::FactKind;
use voltcast::scene::stage::StageState;
use voltcast::scene::view::Flights;
use voltcast::scene::warp::Warp;
use voltcast::sim::scenario::Scenario;
use voltcast::sim::timelines::{BranchId, Timelines, Until};
use voltcast::sim::trace::{Kind, Trace};

fn run(preset: &str, seed: u64, n: u16) -> Trace {
    let scenario = Scenario::preset(preset).unwrap().with_seed(seed).with_n(n).unwrap();
    let mut run = Timelines::open_headless(scenario, vec![]).unwrap();
    run.run(BranchId(0), Until::End, u32::MAX);
    run.trace(BranchId(0)).clone()
}

fn film(trace: &Trace, count: usize) -> (Warp, Flights) {
    let (mut warp, mut flights) = (Warp::default(), Flights::default());
    // In pieces, as they come from the engine.
    trace.effects()[..count].chunks(61).for_each(|chunk| {
        warp.extend(chunk);
        flights.extend(chunk);
    });
    (warp, flights)
}

/// What is to be seen at presentation time `p`: the folded stage and the messages on their way.
fn scene(trace: &Trace, warp: &Warp, flights: &Flights, p: u64) -> (StageState, Vec<(u32, u32, bool)>) {
    let count = warp.count_at(p, trace);
    let shown = flights.at(warp, p).filter(|s| s.flight.id < count);
    let shown = shown.map(|s| (s.flight.id, (s.part * 1e6) as u32, s.still)).collect();
    (StageState::fold(&trace.effects()[..count as usize]), shown)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_scene_is_a_function_of_trace_and_time(
        preset in prop::sample::select(vec!["day4", "one-liar", "dead-primary", "bad-ciphertext"]),
        seed in any::<u64>(),
        n in 4u16..9,
        moments in prop::collection::vec(0.0f64..1.0, 12),
        cut in 0.05f64..1.0,
    ) {
        let trace = run(preset, seed, n);
        let (warp, flights) = film(&trace, trace.effects().len());
        let at = |part: f64| (warp.length() as f64 * part) as u64;

        // S1: folding on from an earlier moment is folding from the start; the film read in one piece is the same film.
        let mut whole = (Warp::default(), Flights::default());
        whole.0.extend(trace.effects());
        whole.1.extend(trace.effects());
        let mut ordered = moments.clone();
        ordered.sort_by(f64::total_cmp);
        let (mut played, mut count) = (StageState::default(), 0);
        for part in ordered {
            let (stage, shown) = scene(&trace, &warp, &flights, at(part));
            let now = warp.count_at(at(part), &trace) as usize;
            prop_assert!(now >= count, "S11: {now} effects after {count}");
            trace.effects()[count..now].iter().for_each(|e| played.apply(e));
            count = now;
            prop_assert_eq!(&played, &stage);
            prop_assert_eq!(scene(&trace, &whole.0, &whole.1, at(part)), (stage, shown.clone()));
            // S3: what flies was sent, and is not there yet.
            for (id, ..) in shown {
                let sent = &trace.effects()[id as usize];
                let is_send = matches!(sent.kind, Kind::Sent { .. } | Kind::Duplicated { .. });
                prop_assert!(is_send);
                prop_assert!(sent.t.0 <= warp.virtual_at(at(part)));
            }
        }

        // S3, S4: lit seals are openings; a closed ring is one that the engine closed.
        let mut stage = StageState::default();
        for effect in trace.effects() {
            stage.apply(effect);
            let Kind::Fact(fact) = &effect.kind else { continue };
            let node = effect.actor.and_then(|a| stage.nodes.get(&a));
            match fact {
                FactKind::Opened { flow: 1, error: None, .. } => {
                    let lit = stage.envelope.as_ref().is_some_and(|e| e.opened.values().any(|cp| Some(*cp) == effect.actor));
                    prop_assert!(lit, "e{} lights no seal", effect.id.0);
                }
                FactKind::Prepared { view, seq, .. } if node.is_some_and(|n| n.slot == (*view, *seq)) => {
                    prop_assert!(node.is_some_and(|n| n.prepared));
                }
                _ => {}
            }
        }

        // S5: before its last knot, the film of a part of the run is the film of the whole run.
        let (some, _) = film(&trace, (trace.effects().len() as f64 * cut) as usize);
        for e in trace.effects().iter().filter(|e| e.t.0 < some.last_knot()) {
            prop_assert_eq!(some.presented_at(e.t.0), warp.presented_at(e.t.0));
            prop_assert_eq!(some.begins_at(e.t.0), warp.begins_at(e.t.0));
        }
    }
}
