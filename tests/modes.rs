//! Sleeping cars, padded commands (CLMMSC.md §11.1, §11.2) and a late key of the CSC in a whole run.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;
use voltcast::entities::actor::{ActorId, Role};
use voltcast::entities::fact::FactKind;
use voltcast::sim::export;
use voltcast::sim::network::RuleArgs;
use voltcast::sim::scenario::{Fault, FaultDo, Scenario};
use voltcast::sim::state::{self, State};
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::{Kind, PacketTag, Trace};
use voltcast::sim::units::{Dur, Many, PacketName, Pattern};

fn play(scenario: Scenario) -> (Timelines, State) {
    let info = export::info(&scenario, "test");
    let mut run = Timelines::open_headless(scenario, vec![]).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
    let trace = run.trace(BranchId(0));
    let state = state::state(&info, trace, trace.len());
    assert_eq!(state.violations, []);
    (run, state)
}

fn facts(trace: &Trace) -> impl Iterator<Item = (ActorId, &FactKind)> {
    trace.effects().iter().filter_map(|e| match (&e.kind, e.actor) {
        (Kind::Fact(fact), Some(actor)) => Some((actor, fact)),
        _ => None,
    })
}

/// Number of entries of the one command of a run.
fn entries(trace: &Trace) -> u32 {
    let sizes: Vec<u32> = trace
        .effects()
        .iter()
        .filter_map(|e| match &e.kind {
            Kind::Sent { packet, .. } if packet.tag == PacketTag::Area => Some(packet.size),
            _ => None,
        })
        .collect();
    let sizes: BTreeSet<u32> = sizes.into_iter().collect();
    assert_eq!(sizes.len(), 1);
    // Kind byte and header, then entries of 32 + 192 bytes.
    (sizes.first().unwrap() - 1 - 452) / (32 + 192)
}

#[test]
fn a_sleeping_car_is_not_asked_and_is_charged_all_the_same() {
    let mut scenario = Scenario::preset("day4").unwrap();
    scenario.fleet.ev[1].sleeps = true;
    let (run, state) = play(scenario);
    let (run_awake, awake) = play(Scenario::preset("day4").unwrap());
    let sleeper = ActorId::new(Role::Ev, 1);
    let released = |run: &Timelines| {
        let all = facts(run.trace(BranchId(0)));
        all.filter(|(who, fact)| *who == sleeper && matches!(fact, FactKind::KeyReleased { .. })).count()
    };
    assert_eq!((released(&run), released(&run_awake)), (0, 1));
    let bills = |state: &State| {
        let mut all: Vec<_> = state.bills.iter().map(|b| (b.cp, b.ev, b.energy_wh, b.last)).collect();
        all.sort();
        all
    };
    assert_eq!(bills(&state).len(), 3);
    assert_eq!(
        bills(&state).iter().map(|b| (b.0, b.1)).collect::<Vec<_>>(),
        bills(&awake).iter().map(|b| (b.0, b.1)).collect::<Vec<_>>()
    );
    let opened = state.opened.iter().any(|o| o.ok && o.ev == Some(sleeper));
    assert!(opened, "its pile opens with what it lent: {:?}", state.opened);
}

#[test]
fn padding_hides_the_number_of_cars_and_disturbs_nobody() {
    // Five cars at five piles: five entries, padded to six.
    let mut scenario = Scenario::preset("day4").unwrap();
    scenario.entities.cp = 5;
    scenario.entities.ev = 5;
    let mut fifth = scenario.fleet.ev[2].clone();
    fifth.pile = 5;
    scenario.fleet.ev.push(fifth);
    scenario.fleet.ev[3].soc = 500_000;
    scenario.station.area_cap_w = vec![40_000, 40_000];
    scenario.station.feeder_cap_w = 80_000;
    let (run, plain) = play(scenario.clone());
    assert_eq!((entries(run.trace(BranchId(0))), plain.opened.len()), (5, 5));
    scenario.entities.pad = true;
    let (run, padded) = play(scenario);
    assert_eq!((entries(run.trace(BranchId(0))), padded.opened.len()), (6, 5));
    assert!(padded.opened.iter().all(|o| o.ok));
}

/// The list of cars comes once an hour: a CSC whose key is still on its way keeps it until it can be opened.
#[test]
fn a_list_that_overtakes_the_key_is_opened_when_the_key_comes() {
    let mut scenario = Scenario::preset("day4").unwrap();
    let rule = RuleArgs {
        to: Many(vec![Pattern::parse("csc1").unwrap()]),
        packet: Many(vec![PacketName::parse("answer").unwrap()]),
        until: Some(Dur::ms(400)),
        by: Some(Dur::ms(1_000)),
        ..RuleArgs::default()
    };
    scenario.fault.push(Fault { at: Dur(0), action: FaultDo::Delay(rule) });
    let (run, state) = play(scenario);
    let csc = ActorId::new(Role::Csc, 0);
    let at = |test: &dyn Fn(&Kind) -> bool| {
        let mut all = run.trace(BranchId(0)).effects().iter();
        all.find(|e| e.actor == Some(csc) && test(&e.kind)).map(|e| e.t)
    };
    let listed = at(&|kind| matches!(kind, Kind::Delivered { packet, .. } if packet.tag == PacketTag::List));
    let keyed = at(&|kind| matches!(kind, Kind::Fact(FactKind::KeyAccepted { class: 1, .. })));
    assert!(listed.is_some() && listed < keyed, "{listed:?} {keyed:?}");
    assert_eq!(state.opened.len(), 3, "its cars are known and planned: {:?}", state.refused);
}
