//! Each built-in scenario ends as WORLD.md §9 says, and counts of messages are exact.

#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, BTreeSet};
use voltcast::entities::actor::{ActorId, Role};
use voltcast::entities::fact::FactKind;
use voltcast::ledger::Digest;
use voltcast::pbft::Class;
use voltcast::sim::audit;
use voltcast::sim::export;
use voltcast::sim::forensics::Charge;
use voltcast::sim::scenario::{Scenario, TariffPeriod};
use voltcast::sim::state::{self, Conviction, State};
use voltcast::sim::summary;
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::{Kind, PacketTag, Trace};
use voltcast::sim::units::Dur;

fn play(scenario: Scenario) -> (Timelines, State) {
    let info = export::info(&scenario, "test");
    let mut run = Timelines::open_headless(scenario, vec![]).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
    let trace = run.trace(BranchId(0));
    let state = state::state(&info, trace, trace.len());
    assert_eq!(state.violations, []);
    assert!(!state.safety_void);
    (run, state)
}

fn preset(id: &str) -> (Timelines, State) {
    play(Scenario::preset(id).unwrap())
}

fn facts(trace: &Trace) -> impl Iterator<Item = (ActorId, &FactKind, Option<&'static str>)> {
    trace.effects().iter().filter_map(|e| match (&e.kind, e.actor) {
        (Kind::Fact(fact), Some(actor)) => Some((actor, fact, e.rule.map(|rule| rule.id()))),
        _ => None,
    })
}

fn opened(state: &State) -> BTreeSet<String> {
    assert!(state.opened.iter().all(|o| o.ok));
    state.opened.iter().map(|o| o.cp.to_string()).collect()
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// Height and head that all gateways but these share.
fn agreed(state: &State, but: &[&str]) -> (u64, Digest) {
    let heads: BTreeSet<(u64, Digest)> = state
        .chains
        .iter()
        .filter(|(css, _)| !but.contains(&css.as_str()))
        .map(|(_, chain)| (chain.height, chain.head))
        .collect();
    assert_eq!(heads.len(), 1, "{heads:?}");
    heads.into_iter().next().unwrap()
}

fn sent(trace: &Trace) -> BTreeMap<PacketTag, u64> {
    let mut counts = BTreeMap::new();
    for effect in trace.effects() {
        if let Kind::Sent { packet, .. } = &effect.kind {
            *counts.entry(packet.tag).or_default() += 1;
        }
    }
    counts
}

#[test]
fn day4_three_piles_open_and_bill() {
    let (run, state) = preset("day4");
    let trace = run.trace(BranchId(0));
    assert_eq!(agreed(&state, &[]).0, 1);
    assert_eq!(opened(&state), names(&["cp1", "cp2", "cp3"]));
    assert_eq!(state.not_a_receiver, [ActorId::new(Role::Cp, 3)]);
    assert_eq!(state.refused, [], "nothing is refused");
    assert!(state.views.values().all(|view| *view == 0));
    let last: Vec<_> = state.bills.iter().filter(|bill| bill.last).collect();
    assert_eq!(last.len(), 3);
    assert!(last.iter().all(|bill| bill.total > 0 && bill.heights == [Some(1)]));
    let flow1: Vec<u32> = facts(trace)
        .filter_map(|(_, fact, _)| match fact {
            FactKind::Signcrypted { flow: 1, n, .. } => Some(*n),
            _ => None,
        })
        .collect();
    assert_eq!(flow1, [3], "one σ for three receivers");
    assert_eq!(sent(trace)[&PacketTag::DataSet], 2);
    let planned = facts(trace).find_map(|(_, fact, _)| match fact {
        FactKind::Planned { lines } => Some(lines.clone()),
        _ => None,
    });
    assert!(planned.unwrap().iter().any(|line| line.periods >= 2));
    let mut keys =
        trace.effects().iter().filter(|e| matches!(e.kind, Kind::Fact(FactKind::KeyAccepted { class: 1, .. })));
    assert!(keys.next_back().unwrap().t.0 <= 300_000, "keys by 0.3 s");
}

#[test]
fn one_liar_cannot_split_the_chain() {
    let (run, state) = preset("one-liar");
    let trace = run.trace(BranchId(0));
    assert_eq!(agreed(&state, &[]).0, 1);
    assert!(state.views.values().all(|view| *view == 1));
    assert_eq!(opened(&state), names(&["cp1", "cp2", "cp3"]));
    let honest = |actor: ActorId| actor != ActorId::new(Role::Css, 0);
    let mut proposed: BTreeSet<Digest> = BTreeSet::new();
    let mut prepared: BTreeMap<Digest, BTreeSet<ActorId>> = BTreeMap::new();
    let mut committed: BTreeSet<(u64, Digest)> = BTreeSet::new();
    let mut fetched = false;
    for (actor, fact, _) in facts(trace).filter(|(actor, _, _)| honest(*actor)) {
        match fact {
            FactKind::PrePrepared { view: 0, digest, .. } => {
                proposed.insert(*digest);
            }
            FactKind::Prepared { view: 0, digest, .. } => {
                prepared.entry(*digest).or_default().insert(actor);
            }
            FactKind::Committed { view, digest, .. } => {
                committed.insert((*view, *digest));
            }
            FactKind::BodyFetched { .. } => fetched |= actor == ActorId::new(Role::Css, 1),
            _ => {}
        }
    }
    assert_eq!(proposed.len(), 2, "two blocks for one slot");
    assert_eq!(prepared.len(), 1, "only B prepared");
    let (b, holders) = prepared.into_iter().next().unwrap();
    assert_eq!(holders, BTreeSet::from([ActorId::new(Role::Css, 2), ActorId::new(Role::Css, 3)]));
    assert_eq!(committed, BTreeSet::from([(1, b)]), "B and nothing else, in view 1");
    assert!(fetched, "the new primary fetches the body of B");
    let eq = Conviction { culprit: ActorId::new(Role::Css, 0), class: Charge::Proven(Class::Equivocation) };
    assert_eq!(state.evidence, [eq], "the two proposals meet in the view changes");
}

#[test]
fn two_liars_of_four_fork_the_chain_and_what_they_signed_names_them() {
    let scenario = Scenario::preset("two-liars").unwrap();
    let mut run = Timelines::open(scenario.clone(), vec![]).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End, "the run goes on to its end");
    let trace = run.trace(BranchId(0));
    let state = state::state(&export::info(&scenario, "two-liars"), trace, trace.len());
    assert!(state.safety_void && state.violations.is_empty());
    let [one, other] = ["css3", "css4"].map(|who| &state.chains[who]);
    assert!(one.height >= 1 && other.height >= 1 && one.head != other.head);
    let culprits: BTreeSet<String> = state.evidence.iter().map(|line| line.culprit.to_string()).collect();
    assert_eq!(culprits, names(&["css1", "css2"]));
}

#[test]
fn a_dead_primary_is_replaced() {
    let (_, state) = preset("dead-primary");
    assert_eq!(agreed(&state, &["css1"]).0, 1);
    assert_eq!(state.chains["css1"].height, 0);
    assert!(state.views.iter().all(|(css, view)| *view == u64::from(css != "css1")));
    assert_eq!(opened(&state), names(&["cp1", "cp2", "cp3"]));
}

#[test]
fn a_flipped_bit_is_refused_everywhere_and_stores_nothing() {
    let (run, state) = preset("bad-ciphertext");
    assert_eq!(agreed(&state, &[]), (0, Digest::ZERO));
    assert!(state.opened.is_empty() && state.bills.is_empty());
    let at: BTreeSet<String> = state.refused.iter().map(|r| r.actor.to_string()).collect();
    assert_eq!(at, names(&["css1", "css2", "css3", "css4"]), "retries reach every gateway");
    assert!(state.refused.iter().all(|r| r.check == "V5" && r.error == "Signature"));
    let trace = run.trace(BranchId(0));
    let routes = sent(trace)[&PacketTag::Route];
    let flipped =
        trace.effects().iter().filter(|e| matches!(e.kind, Kind::Corrupted { byte: 420, bit: 0, .. })).count();
    assert_eq!(flipped as u64, routes);
    assert!(routes > 2, "the KGC tries again");
}

#[test]
fn thirty_one_gateways_agree() {
    let (run, state) = preset("thirty-one");
    assert_eq!(agreed(&state, &[]).0, 1);
    assert_eq!(opened(&state).len(), 6);
    let counts = sent(run.trace(BranchId(0)));
    let votes = [PacketTag::PrePrepare, PacketTag::Prepare, PacketTag::Commit].map(|tag| counts[&tag]);
    assert_eq!(votes.iter().sum::<u64>(), 1_860);
}

/// (n−1) + (n−1)² + n(n−1) = 2n(n−1) per block; DATASET is counted apart: one per gateway that got σ and does not lead.
#[test]
fn message_counts_are_exact() {
    for n in [4, 5, 6, 7, 10, 31] {
        let (run, state) = play(Scenario::preset("day4").unwrap().with_n(n).unwrap());
        assert_eq!(agreed(&state, &[]).0, 1, "n = {n}");
        let counts = sent(run.trace(BranchId(0)));
        let n = u64::from(n);
        assert_eq!(counts[&PacketTag::PrePrepare], n - 1);
        assert_eq!(counts[&PacketTag::Prepare], (n - 1) * (n - 1));
        assert_eq!(counts[&PacketTag::Commit], n * (n - 1));
        assert_eq!(counts[&PacketTag::DataSet], 2);
        for tag in [PacketTag::ViewChange, PacketTag::NewView, PacketTag::Fetch, PacketTag::Body] {
            assert_eq!(counts.get(&tag), None);
        }
    }
}

/// Every behaviour, alone at CSS 1 or CSS 4, is noticed by its rule and leaves one chain.
#[test]
fn each_behaviour_is_noticed_by_its_rule() {
    let cases = [
        ("silent", "css1", "TM-1"),
        ("forged_vote", "css4", "ENV-3"),
        ("tampered_ciphertext", "css1", "PP-10"),
        ("wrong_root", "css1", "PP-8"),
        ("equivocating_primary", "css1", "TM-1"),
    ];
    let day4 = include_str!("../src/sim/presets/day4.toml");
    for (kind, node, rule) in cases {
        // Silence from the first request on would leave the network without genesis.
        let when = if kind == "silent" { "when = { kinds = [\"pbft\"] }\n" } else { "" };
        let text = format!("{day4}\n[[behaviour]]\nnode = \"{node}\"\nkind = \"{kind}\"\n{when}");
        let (run, state) = play(Scenario::from_toml(&text).unwrap());
        assert_eq!(agreed(&state, &[node]).0, 1, "{kind}");
        assert_eq!(opened(&state).len(), 3, "{kind}");
        let seen: BTreeSet<_> = facts(run.trace(BranchId(0)))
            .filter(|(actor, _, _)| actor.to_string() != node)
            .filter_map(|(_, _, rule)| rule)
            .collect();
        assert!(seen.contains(rule), "{kind}: {rule} did not fire, but {seen:?}");
        let view = state.views["css3"];
        assert_eq!(view, u64::from(node == "css1"), "{kind}: only a bad primary is replaced");
    }
}

#[test]
fn a_price_that_changes_while_power_flows_is_billed_to_the_microjoule() {
    let mut scenario = Scenario::preset("day4").unwrap();
    let of = |start, price| TariffPeriod { start, price, feed_in: 8_000 };
    scenario.station.tariff.periods = vec![of(0, 31_500), of(400, 52_300), of(900, 17_900)];
    let (_, state) = play(scenario);
    assert_eq!(state.bills.iter().filter(|bill| bill.last && bill.total > 0).count(), 3);
}

#[test]
fn cars_that_come_later_are_planned_within_what_is_left() {
    let mut scenario = Scenario::preset("day4").unwrap();
    for (at, car) in (0..).zip(&mut scenario.fleet.ev) {
        car.arrive = Dur::secs(2 + 60 * at);
    }
    let (_, state) = play(scenario);
    assert_eq!(opened(&state), names(&["cp1", "cp2", "cp3"]));
}

/// Every σ of a command, with when it was made and when a gateway stored it.
fn commands(trace: &Trace) -> BTreeMap<Digest, (u64, Option<u64>)> {
    let mut all: BTreeMap<Digest, (u64, Option<u64>)> = BTreeMap::new();
    for effect in trace.effects() {
        match &effect.kind {
            Kind::Fact(FactKind::Signcrypted { sigma, flow: 1, .. }) => {
                all.insert(*sigma, (effect.t.0, None));
            }
            Kind::Fact(FactKind::BlockAppended { sigmas, .. }) => {
                for sigma in sigmas {
                    if let Some((_, stored @ None)) = all.get_mut(sigma) {
                        *stored = Some(effect.t.0);
                    }
                }
            }
            _ => {}
        }
    }
    all
}

/// Every command was on the chain while it lived; gives their number.
fn stored_in_time(scenario: &Scenario, trace: &Trace) -> usize {
    let all = commands(trace);
    let life = u64::from(scenario.entities.ttl) * 1_000_000;
    for (sigma, (made, stored)) in &all {
        assert!(stored.is_some_and(|at| at <= made + life), "σ {sigma} of {made} µs");
    }
    all.len()
}

fn delivered(cars: &[summary::Wanted]) -> i64 {
    let sum = |of: fn(&summary::Wanted) -> i64| cars.iter().map(of).sum::<i64>();
    sum(|car| car.got_uj) * 100 / sum(|car| car.wanted_uj)
}

#[test]
fn a_morning_charges_everybody_across_the_hours() {
    let scenario = Scenario::preset("morning").unwrap();
    let (run, state) = preset("morning");
    let trace = run.trace(BranchId(0));
    assert_eq!(state.refused, [], "nothing is refused");
    assert_eq!(state.bills.iter().filter(|bill| bill.last).count(), 20);
    assert!(stored_in_time(&scenario, trace) >= 30);
    assert!(delivered(&summary::wanted(&scenario, trace)) >= 95);
    // Tickets, lists and commands of every hour in which somebody charges.
    let hours = |wanted: &dyn Fn(&FactKind) -> bool| -> BTreeSet<u64> {
        let of = trace.effects().iter().filter(|e| matches!(&e.kind, Kind::Fact(fact) if wanted(fact)));
        of.map(|e| e.t.0 / 3_600_000_000).collect()
    };
    assert_eq!(hours(&|f| matches!(f, FactKind::ListSent { .. })), BTreeSet::from([0, 1, 2, 3, 4, 5]));
    assert_eq!(hours(&|f| matches!(f, FactKind::KeyAccepted { class: 2, .. })).len(), 5);
    assert!(hours(&|f| matches!(f, FactKind::Signcrypted { flow: 1, .. })).len() >= 5);
    let mut charged: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for effect in trace.effects() {
        if let Kind::Fact(FactKind::Metered { transaction, power_w: 1.., .. }) = &effect.kind {
            charged.entry(*transaction).or_default().insert(effect.t.0 / 3_600_000_000);
        }
    }
    assert!(charged.values().filter(|hours| hours.len() > 1).count() >= 10, "cars charge across the ends of epochs");
}

#[test]
fn an_evening_serves_the_queue_and_says_why_somebody_left_short() {
    let scenario = Scenario::preset("evening-peak").unwrap();
    let (run, state) = preset("evening-peak");
    let trace = run.trace(BranchId(0));
    assert_eq!(state.refused, []);
    stored_in_time(&scenario, trace);
    let cars = summary::wanted(&scenario, trace);
    assert_eq!(cars.len(), 100);
    assert!(delivered(&cars) >= 85, "{} %", delivered(&cars));
    assert!(cars.iter().all(|car| car.got_uj * 100 >= car.wanted_uj * 98 || car.reason.is_some()));
    let resolved = scenario.resolved();
    let waited = trace.effects().iter().filter(|e| {
        let car = e.actor.and_then(|ev| resolved.fleet.ev.get(usize::from(ev.index)));
        matches!(e.kind, Kind::Fact(FactKind::PluggedIn { .. })) && car.is_some_and(|car| e.t.0 > car.arrive.0)
    });
    assert!(waited.count() >= 20, "cars queue for piles");
    let centres: BTreeSet<ActorId> =
        facts(trace).filter(|(_, f, _)| matches!(f, FactKind::Planned { .. })).map(|(csc, ..)| csc).collect();
    assert_eq!(centres.len(), 3);
}

#[test]
fn a_hundred_gateways_need_19_800_messages_for_a_block() {
    let (run, state) = preset("hundred");
    let (blocks, _) = agreed(&state, &[]);
    assert!(blocks >= 2);
    let counts = sent(run.trace(BranchId(0)));
    let votes = [PacketTag::PrePrepare, PacketTag::Prepare, PacketTag::Commit].map(|tag| counts[&tag]);
    assert_eq!(votes.iter().sum::<u64>(), 19_800 * blocks);
    assert_eq!(state.bills.iter().filter(|bill| bill.last && bill.total > 0).count(), 40);
}

/// Power through each area after every change, as its piles report it: (time, area, W).
fn area_power(scenario: &Scenario, trace: &Trace) -> Vec<(u64, u16, i64)> {
    let mut piles: BTreeMap<u16, i32> = BTreeMap::new();
    let mut all = Vec::new();
    for effect in trace.effects() {
        let Some(cp) = effect.actor.filter(|actor| actor.role == Role::Cp) else { continue };
        if let Kind::Fact(FactKind::Dispatched { power_w, .. } | FactKind::Metered { power_w, .. }) = &effect.kind {
            piles.insert(cp.index, *power_w);
            let area = scenario.area_of(cp.index);
            let mine = piles.iter().filter(|(pile, _)| scenario.area_of(**pile) == area);
            all.push((effect.t.0, area, mine.map(|(_, w)| i64::from(*w)).sum()));
        }
    }
    all
}

const MIN: u64 = 60_000_000;

#[test]
fn a_shortage_is_met_within_ten_seconds_and_billed_by_two_tariffs() {
    let scenario = Scenario::preset("curtailment").unwrap();
    let (run, state) = preset("curtailment");
    let trace = run.trace(BranchId(0));
    assert_eq!(state.refused, []);
    stored_in_time(&scenario, trace);
    let power = area_power(&scenario, trace);
    let cut = |t: &u64| (90 * MIN + 10_000_000..120 * MIN).contains(t);
    assert!(power.iter().filter(|(t, ..)| cut(t)).all(|(_, _, w)| *w <= 18_000), "below the limit within 10 s");
    let before = |area: u16| power.iter().rfind(|(t, a, _)| *t < 90 * MIN && *a == area).map_or(0, |(.., w)| *w);
    assert!((0..3).any(|area| before(area) > 18_000), "without the limit more would flow");
    // Flow 2 to three gateways, flow 3 to the piles in use, and feeding back while it lasts.
    let of = |flow: u8, kind: u8| {
        facts(trace).filter(move |(_, f, _)| **f == FactKind::Commanded { flow, kind }).map(|(who, ..)| who)
    };
    assert_eq!(of(2, 3).count(), 3);
    assert!(of(3, 4).count() >= 3 && of(3, 2).collect::<BTreeSet<_>>().len() == 20);
    let fed = |e: &voltcast::sim::trace::Effect| match &e.kind {
        Kind::Fact(FactKind::Dispatched { power_w, .. }) => *power_w < 0,
        _ => false,
    };
    let fed: Vec<u64> = trace.effects().iter().filter(|e| fed(e)).map(|e| e.t.0).collect();
    assert!(!fed.is_empty() && fed.iter().all(|t| (90 * MIN..120 * MIN).contains(t)), "{fed:?}");
    // A bill by two tariffs: its car had commands before and after eight.
    let found = audit::audit(run.world(BranchId(0)), trace);
    assert!(found.holds(), "{}", audit::text(&found));
    let by = |line: &audit::Line, tariff: &str| {
        line.orders.iter().any(|order| order.plain.as_ref().is_some_and(|plain| plain.ends_with(tariff)))
    };
    assert!(found.lines.iter().filter(|line| by(line, "tariff 1") && by(line, "tariff 2")).count() >= 3);
}

/// A CSC that orders ten times what the caps allow: gateways and piles alone keep every area at its cap (PI-2 is watched).
#[test]
fn areas_stay_at_their_caps_under_a_csc_that_orders_too_much() {
    let day4 = include_str!("../src/sim/presets/day4.toml");
    let text = format!("{day4}\n[[behaviour]]\nnode = \"csc1\"\nkind = \"csc_over_cap\"\n");
    let mut scenario = Scenario::from_toml(&text).unwrap();
    scenario.fleet.ev[1].max_power_w = 22_000;
    let (run, state) = play(scenario.clone());
    let trace = run.trace(BranchId(0));
    let ordered = facts(trace).find_map(|(_, fact, _)| match fact {
        FactKind::Planned { lines } => Some(lines.iter().map(|line| line.limit_w).sum::<i32>()),
        _ => None,
    });
    assert!(ordered.unwrap() > 35_000, "{ordered:?}");
    assert_eq!(opened(&state), names(&["cp1", "cp2", "cp3"]));
    let power = area_power(&scenario, trace);
    for (area, cap) in [(0, 15_000), (1, 20_000)] {
        let most = power.iter().filter(|(_, a, _)| *a == area).map(|(.., w)| *w).max().unwrap();
        assert!(most <= cap && most > cap * 3 / 4, "area {area}: {most} W");
    }
}

/// Every command of flow 7, and the service a pile gives by itself (WORLD.md §7.1, §7.4).
#[test]
fn piles_obey_orders_that_are_for_them_alone() {
    let day4 = include_str!("../src/sim/presets/day4.toml");
    let orders = r#"
[[order]]
at = "1s"
do = { default_tariff = { tariff = { id = 5, currency = "EUR", periods = [[0, 20000, 5000]] }, valid_from = "1s" } }
[[order]]
at = "1.2s"
do = { default_limit = { pile = 4, limit_w = 2000 } }
[[order]]
at = "5min"
do = { stop = { pile = 1 } }
[[order]]
at = "5min"
do = { availability = { pile = 2, operative = false } }
[[order]]
at = "8min"
do = { availability = { pile = 2, operative = true } }
"#;
    let (run, state) = play(Scenario::from_toml(&format!("{day4}\n{orders}")).unwrap());
    let trace = run.trace(BranchId(0));
    let last = |cp: &str| {
        let of = trace.effects().iter().rfind(|e| {
            e.actor.is_some_and(|a| a.to_string() == cp)
                && matches!(e.kind, Kind::Fact(FactKind::Billed { last: true, .. }))
        });
        of.map(|e| e.t.0)
    };
    assert!((5 * MIN..6 * MIN).contains(&last("cp1").unwrap()), "the stopped transaction is settled at once");
    let power = |cp: &str, from: u64, to: u64| -> Vec<i32> {
        let of = trace.effects().iter().filter(|e| e.actor.is_some_and(|a| a.to_string() == cp));
        let in_time = of.filter(|e| (from * MIN..to * MIN).contains(&e.t.0));
        in_time
            .filter_map(|e| match &e.kind {
                Kind::Fact(FactKind::Dispatched { power_w, .. }) => Some(*power_w),
                _ => None,
            })
            .collect()
    };
    assert_eq!(power("cp2", 5, 8), [0], "out of service");
    assert!(power("cp2", 8, 9).first().is_some_and(|w| *w > 0), "and back");
    // The full fourth car has no command: its pile serves it at the default limit and tariff.
    assert_eq!(power("cp4", 0, 1), [2_000]);
    let own = state.bills.iter().find(|bill| bill.cp.to_string() == "cp4").unwrap();
    assert!(own.last && own.energy_wh > 1_000 && own.total > 0);
    let found = audit::audit(run.world(BranchId(0)), trace);
    assert!(found.holds(), "{}", audit::text(&found));
}
