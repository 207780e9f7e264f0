//! Every bill of an honest run is traced to its orders, blocks and meter; one that differs anywhere is found, and said how
//! (WORLD.md §4, §7.5).

#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;
use voltcast::entities::fact::FactKind;
use voltcast::sim::audit::{self, Audit};
use voltcast::sim::scenario::{Scenario, Stay};
use voltcast::sim::summary;
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::{Kind, Trace};
use voltcast::sim::units::Dur;

type Change = fn(&mut FactKind);

const ROOT: BranchId = BranchId(0);

fn play(scenario: Scenario) -> Timelines {
    let mut run = Timelines::open_headless(scenario, vec![]).unwrap();
    assert_eq!(run.run(ROOT, Until::End, u32::MAX), Stop::End);
    run
}

fn audited(run: &Timelines) -> Audit {
    audit::audit(run.world(ROOT), run.trace(ROOT))
}

/// The audit of a run whose last bills say something else than they did.
fn tampered(run: &Timelines, change: impl Fn(&mut FactKind)) -> Audit {
    let mut trace = Trace::new();
    for effect in run.trace(ROOT).effects() {
        let mut effect = effect.clone();
        if let Kind::Fact(fact @ FactKind::Billed { last: true, .. }) = &mut effect.kind {
            change(fact);
        }
        trace.push(effect).unwrap();
    }
    audit::audit(run.world(ROOT), &trace)
}

#[test]
fn the_bills_of_a_morning_are_traced_to_blocks_plaintext_and_meter() {
    let run = play(Scenario::preset("morning").unwrap());
    let found = audited(&run);
    assert!(found.holds(), "{}", audit::text(&found));
    assert_eq!(found.lines.len(), 20);
    for line in &found.lines {
        assert!(line.orders.iter().all(|order| order.height.is_some() && order.plain.is_some()));
        assert!(line.orders.iter().all(|order| order.slice.is_some()), "{}: every entry has its slice", line.ev);
        // Receipts go with the next upload: an order after the last one has none.
        let without = line.orders.iter().filter(|order| !order.receipt).count();
        assert!(without <= 1 && line.orders.len() > without, "{}: {without} without a receipt", line.ev);
        assert!(line.uploads >= 4, "{} of {}", line.uploads, line.ev);
        assert!(line.told_wh.is_some_and(|wh| wh > 0));
    }
    let text = audit::text(&found);
    assert!(
        text.ends_with("audit: 20 bills, each traced to its orders, blocks and meter; nothing differs\n"),
        "{text}"
    );
}

#[test]
fn the_bills_of_a_hundred_gateways_are_traced_on_a_certified_chain() {
    let run = play(Scenario::preset("hundred").unwrap());
    let found = audited(&run);
    assert!(found.holds(), "{}", audit::text(&found));
    assert_eq!(found.lines.len(), 40);
    let heights: BTreeSet<u64> = found.lines.iter().flat_map(|l| &l.orders).filter_map(|order| order.height).collect();
    let book = found.book.unwrap();
    assert!(book.blocks >= *heights.last().unwrap());
    assert_eq!((book.certified, book.quorum), (book.blocks, 67), "every block has its certificate");
}

#[test]
fn a_bill_that_differs_anywhere_is_found() {
    let run = play(Scenario::preset("day4").unwrap());
    assert!(audited(&run).holds());
    let cases: [(&str, Change); 4] = [
        ("energy in µJ by the plug", |fact| {
            if let FactKind::Billed { energy_uj, .. } = fact {
                *energy_uj += 1;
            }
        }),
        ("money in minor units", |fact| {
            if let FactKind::Billed { total, .. } = fact {
                *total += 1;
            }
        }),
        ("orders transaction", |fact| {
            if let FactKind::Billed { transaction, .. } = fact {
                *transaction += 1_000;
            }
        }),
        ("names other blocks", |fact| {
            if let FactKind::Billed { heights, .. } = fact {
                *heights = vec![Some(7)];
            }
        }),
    ];
    for (problem, change) in cases {
        let found = tampered(&run, change);
        assert!(!found.holds(), "{problem}");
        for line in &found.lines {
            assert!(line.problems.iter().any(|p| p.contains(problem)), "{problem}: {:?}", line.problems);
        }
    }
}

#[test]
fn a_bill_without_a_block_is_found() {
    // From here on no consensus message passes: piles act on delivery, and no block ever holds what they obeyed.
    let day4 = include_str!("../src/sim/presets/day4.toml");
    let text = format!("{day4}\n[[fault]]\nat = \"1s\"\ndo = {{ block = {{ from = \"css*\", to = \"css*\" }} }}\n");
    let run = play(Scenario::from_toml(&text).unwrap());
    let found = audited(&run);
    assert_eq!(found.lines.len(), 3);
    assert!(found.lines.iter().all(|line| line.problems.iter().any(|p| p.contains("is not in the chain"))));
}

#[test]
fn a_pile_that_bills_more_than_it_metered_is_found() {
    let day4 = include_str!("../src/sim/presets/day4.toml");
    let text = format!("{day4}\n[[behaviour]]\nnode = \"cp1\"\nkind = \"cp_false_meter\"\n");
    let run = play(Scenario::from_toml(&text).unwrap());
    let found = audited(&run);
    let liars: Vec<_> = found.lines.iter().filter(|line| !line.problems.is_empty()).collect();
    assert_eq!(liars.len(), 1);
    assert_eq!(liars[0].cp.to_string(), "cp1");
    for by in ["by the plug", "by the car", "money"] {
        assert!(liars[0].problems.iter().any(|problem| problem.contains(by)), "{by}: {:?}", liars[0].problems);
    }
}

fn stay(arrive: u64, depart: u64, pile: u16) -> Stay {
    Stay { soc: 400_000, target: 480_000, arrive: Dur::minutes(arrive), depart: Dur::minutes(depart), pile }
}

/// `day4`, but car 1 leaves after twenty minutes, comes again so, and car 4 leaves its pile at a given minute.
fn day4_again(again: Vec<Stay>, pile4_free: u64) -> Timelines {
    let mut scenario = Scenario::preset("day4").unwrap();
    scenario.fleet.ev[0].depart = Dur::minutes(20);
    scenario.fleet.ev[0].again = again;
    scenario.fleet.ev[3].depart = Dur::minutes(pile4_free);
    let run = play(scenario.checked().unwrap());
    let broken: Vec<_> =
        run.trace(ROOT).effects().iter().filter(|e| matches!(e.kind, Kind::InvariantBroken { .. })).collect();
    assert!(broken.is_empty(), "{broken:?}");
    run
}

/// The piles at which a car was billed, after the whole audit has held.
fn billed(run: &Timelines, ev: &str) -> Vec<String> {
    let found = audited(run);
    assert!(found.holds(), "{}", audit::text(&found));
    let mine: Vec<_> = found.lines.iter().filter(|line| line.ev.to_string() == ev).collect();
    let transactions: BTreeSet<u64> = mine.iter().map(|line| line.transaction).collect();
    assert_eq!(transactions.len(), mine.len(), "a transaction for each stay");
    assert!(mine.iter().all(|line| line.billed_uj > 0 && line.uploads == 0), "{}", audit::text(&found));
    mine.iter().map(|line| line.cp.to_string()).collect()
}

#[test]
fn a_car_that_comes_again_has_another_transaction_and_another_bill() {
    let run = day4_again(vec![stay(25, 50, 4)], 20);
    assert_eq!(billed(&run, "ev1"), ["cp1", "cp4"]);
    // What it wanted is the sum of its stays; the second asks 8 % of 60 kWh beside the 10 % of the first.
    let scenario = run.world(ROOT).scenario();
    let wanted = summary::wanted(scenario, run.trace(ROOT)).swap_remove(0);
    let need = |soc, target| voltcast::entities::schedule::need_uj(soc, target, 60_000);
    assert_eq!(wanted.wanted_uj, need(700_000, 800_000) + need(400_000, 480_000));
}

#[test]
fn a_car_may_come_again_to_the_same_pile() {
    let run = day4_again(vec![stay(21, 30, 1), stay(32, 50, 1)], 50);
    assert_eq!(billed(&run, "ev1"), ["cp1", "cp1", "cp1"]);
}

#[test]
fn a_later_stay_waits_for_its_pile_too() {
    let run = day4_again(vec![stay(25, 50, 4)], 30);
    assert_eq!(billed(&run, "ev1"), ["cp1", "cp4"]);
    let begun = |e: &&voltcast::sim::trace::Effect| {
        e.actor.is_some_and(|a| a.to_string() == "ev1") && matches!(e.kind, Kind::Fact(FactKind::PluggedIn { .. }))
    };
    let times: Vec<u64> = run.trace(ROOT).effects().iter().filter(begun).map(|e| e.t.0 / 60_000_000).collect();
    assert_eq!(times, [0, 31], "a minute after the pile became free");
}

#[test]
fn a_stay_that_never_gets_its_pile_leaves_the_others_in_order() {
    let run = day4_again(vec![stay(22, 26, 4), stay(30, 50, 1)], 50);
    assert_eq!(billed(&run, "ev1"), ["cp1", "cp1"]);
}
