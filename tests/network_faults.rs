//! Faults of the network and of clocks as scenarios and interventions ask for them (CONSENSUS.md §4.3, §4.4).

#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;
use voltcast::entities::Entity;
use voltcast::entities::actor::ActorId;
use voltcast::entities::fact::FactKind;
use voltcast::ledger::Chain;
use voltcast::sim::intervention::Intervention;
use voltcast::sim::network::RuleArgs;
use voltcast::sim::scenario::{Fault, FaultDo, Scenario};
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::{DropReason, Effect, Kind, PacketTag};
use voltcast::sim::units::{Dur, Many, PacketName, Ratio};

/// `day4`, cut short, with more text at its end.
fn day(more: &str) -> Scenario {
    let day4 = Scenario::preset("day4").unwrap();
    let text = format!("{}\n{more}", day4.explain());
    let mut scenario = Scenario::from_toml(&text).unwrap_or_else(|e| panic!("{more}: {e}"));
    scenario.end = Dur::secs(8);
    scenario
}

/// `day4` with a changed network.
fn network(keys: &str) -> Scenario {
    let text = Scenario::preset("day4").unwrap().explain().replace("[network]", &format!("[network]\n{keys}"));
    let mut scenario = Scenario::from_toml(&text).unwrap_or_else(|e| panic!("{keys}: {e}"));
    scenario.end = Dur::secs(8);
    scenario
}

fn play(scenario: Scenario, interventions: &[&str]) -> Vec<Effect> {
    let interventions = interventions.iter().map(|text| Intervention::parse(text).unwrap()).collect();
    let mut run = Timelines::open_headless(scenario, interventions).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
    let effects = run.trace(BranchId(0)).effects().to_vec();
    assert!(effects.iter().all(|e| !matches!(e.kind, Kind::InvariantBroken { .. } | Kind::SafetyVoid { .. })));
    effects
}

fn count(effects: &[Effect], test: impl Fn(&Effect) -> bool) -> usize {
    effects.iter().filter(|e| test(e)).count()
}

fn blocks(effects: &[Effect]) -> usize {
    count(effects, |e| matches!(e.kind, Kind::Fact(FactKind::BlockAppended { .. })))
}

/// When the first gateway executed the first block.
fn first_block(effects: &[Effect]) -> u64 {
    effects.iter().find(|e| matches!(e.kind, Kind::Fact(FactKind::BlockAppended { .. }))).map_or(u64::MAX, |e| e.t.0)
}

#[test]
fn held_messages_wait_until_they_are_released() {
    let hold = "[[fault]]\nat = \"0s\"\ndo = { hold = { packet = \"pbft.pre-prepare\" } }\n";
    assert_eq!(blocks(&play(day(hold), &[])), 0);
    let release = "[[fault]]\nat = \"3s\"\ndo = { release = { from = \"css1\" } }\n";
    let effects = play(day(&format!("{hold}{release}")), &[]);
    assert_eq!(blocks(&effects), 4, "after the release everybody has the block");
    assert!(first_block(&effects) > 3_000_000);
    let by_hand = play(day(hold), &[r#"{"at": "3s", "do": {"release": {}}}"#]);
    assert_eq!(blocks(&by_hand), 4);
}

#[test]
fn a_slow_actor_and_a_slow_link_delay_the_block_and_nothing_else() {
    let usual = first_block(&play(day(""), &[]));
    let slow = play(day("[[fault]]\nat = \"1s\"\ndo = { slow = { node = \"css1\", times = 50 } }\n"), &[]);
    assert!(count(&slow, |e| e.kind == Kind::Slowed { times: 50 }) == 1);
    assert!(first_block(&slow) > usual + 10_000, "{} against {usual}", first_block(&slow));
    let link =
        play(day(""), &[r#"{"at": "1s", "do": {"link": {"delay": {"from": "css1", "both": true, "by": "40ms"}}}}"#]);
    assert!(first_block(&link) > usual + 30_000);
    assert_eq!((blocks(&slow), blocks(&link)), (4, 4));
}

#[test]
fn a_clock_far_ahead_makes_blocks_that_nobody_prepares() {
    let effects = play(day(""), &["1s~skew~css1~20s"]);
    assert_eq!(count(&effects, |e| e.kind == Kind::ClockSet { ahead_us: 20_000_000 }), 1);
    assert!(count(&effects, |e| e.rule.is_some_and(|rule| rule.id() == "PP-9")) > 0);
    assert!(blocks(&effects) >= 3, "the next primary's clock is right");
    let little = play(day(""), &["1s~skew~css1~-1.5s", "1s~skew~css3~1s"]);
    assert_eq!(count(&little, |e| e.rule.is_some_and(|rule| rule.id() == "PP-9")), 0, "within `drift`");
    assert_eq!(blocks(&little), 4);
}

#[test]
fn a_full_link_loses_its_oldest_message() {
    // Genesis needs every packet, so only one message at a time fits from the start.
    let effects = play(network("in_flight = 1"), &[]);
    let crowded = |e: &Effect| matches!(e.kind, Kind::Dropped { why: DropReason::Crowded, .. });
    assert!(count(&effects, crowded) > 0);
    assert_eq!(count(&play(network("in_flight = 1000"), &[]), crowded), 0);
}

#[test]
fn little_bandwidth_is_slow_and_enough_is_not_noticed() {
    let usual = first_block(&play(day(""), &[]));
    assert!(first_block(&play(network("bandwidth = 20"), &[])) > usual);
    assert!(first_block(&play(network("bandwidth = 10000000"), &[])) < usual + 1_000);
}

#[test]
fn a_flapping_partition_delays_agreement_and_gst_ends_it() {
    let flap = |until: &str| {
        format!(
            "[[fault]]\nat = \"2s\"\ndo = {{ block = {{ from = \"css1\", to = \"css*\", both = true, flap = \"{until}\" }} }}\n"
        )
    };
    assert!(blocks(&play(day(&flap("900ms")), &[])) >= 3);
    let stuck = "[[fault]]\nat = \"2s\"\ndo = { block = { from = \"css*\", to = \"css*\" } }\n";
    assert_eq!(blocks(&play(day(stuck), &[])), 0);
    let mut gst = day(stuck);
    gst.network.gst = Some(Dur::secs(3));
    let effects = play(gst, &[]);
    assert_eq!(blocks(&effects), 4, "after GST everybody decides");
    assert!(first_block(&effects) > 3_000_000);
}

#[test]
fn loss_duplication_and_reordering_break_nothing() {
    let mut scenario = day("");
    scenario.network.duplicate = Ratio { num: 30, den: 100 };
    scenario.network.reorder = Ratio { num: 50, den: 100 };
    let effects = play(scenario, &[]);
    assert!(count(&effects, |e| matches!(e.kind, Kind::Duplicated { .. })) > 20);
    assert_eq!(blocks(&effects), 4);
    let lossy = "[[fault]]\nat = \"1s\"\ndo = { loss = { from = \"css*\", ratio = \"20/100\" } }\n";
    let lost = |e: &Effect| matches!(e.kind, Kind::Dropped { why: DropReason::Loss, .. });
    assert!(count(&play(day(lossy), &[]), lost) > 0);
}

#[test]
fn an_answer_that_comes_twice_or_damaged_is_no_refusal() {
    let refused = |e: &Effect| matches!(e.kind, Kind::Fact(FactKind::KeyRefused { .. }));
    let mut twice = day("");
    twice.network.duplicate = Ratio { num: 1, den: 1 };
    let damaged = day(
        "[[fault]]\nat = \"0s\"\ndo = { corrupt = { to = \"css*\", packet = \"answer\", byte = 60, bit = 3, until = \"80ms\" } }\n",
    );
    for scenario in [twice, damaged] {
        let effects = play(scenario, &[]);
        assert_eq!(count(&effects, refused), 0);
        assert_eq!(blocks(&effects), 4);
    }
}

#[test]
fn keys_out_of_bounds_are_named() {
    let day4 = Scenario::preset("day4").unwrap().explain();
    for (from, to, part) in [
        ("[network]", "[network]\nbandwidth = 0", "`bandwidth` is 0"),
        ("[network]", "[network]\nin_flight = 0", "`in_flight` is 0"),
        ("[network]", "[network]\ngst = \"30h\"", "`gst` is 30h"),
        ("[network]", "[network]\nband = 1", "unknown field `band`"),
    ] {
        let error = Scenario::from_toml(&day4.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    for (fault, part) in [
        ("slow = { node = \"css1\", times = 0 }", "from 1 to 1000"),
        ("slow = { node = \"css9\", times = 2 }", "no css9"),
        ("skew = { node = \"css1\", by = \"2h\" }", "at most 1h"),
        ("release = { until = \"2s\" }", "only"),
        ("block = { flap = \"0s\" }", "at least 1ms"),
    ] {
        let text = format!("{day4}\n[[fault]]\nat = \"1s\"\ndo = {{ {fault} }}\n");
        let error = Scenario::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let explained = network("bandwidth = 20\nin_flight = 7").explain();
    assert!(explained.contains("bandwidth = 20") && explained.contains("in_flight = 7"));
}

/// The first block is published to nobody. The KGC asks for it as soon as gateways have sealed it, a pile when the next comes.
#[test]
fn a_follower_asks_for_the_block_that_it_missed() {
    let mut scenario = Scenario::preset("day4").unwrap();
    for (car, at) in scenario.fleet.ev.iter_mut().zip([2_000, 4_000, 6_000, 6_050]) {
        car.arrive = Dur::ms(at);
    }
    scenario.end = Dur::secs(9);
    let packet = Many(vec![PacketName::parse("pbft.publish").unwrap()]);
    let rule = RuleArgs { packet, until: Some(Dur::ms(4_000)), ..RuleArgs::default() };
    scenario.fault.push(Fault { at: Dur(0), action: FaultDo::Block(rule) });
    let mut run = Timelines::open_headless(scenario.checked().unwrap(), vec![]).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
    let (effects, world) = (run.trace(BranchId(0)).effects(), run.world(BranchId(0)));
    let asks = |who: ActorId| {
        let ask = |e: &&Effect| {
            e.actor == Some(who) && matches!(&e.kind, Kind::Sent { packet, .. } if packet.tag == PacketTag::Ask)
        };
        effects.iter().find(ask).map(|e| e.t.0)
    };
    let actor = |text: &str| ActorId::parse(text).unwrap();
    assert!(asks(actor("kgc1")).unwrap() < 4_000_000, "before any other block is published");
    assert!(asks(actor("cp4")).unwrap() > 4_000_000);
    for who in ["kgc1", "csc1", "cp1", "cp2", "cp3", "cp4"] {
        let chain = chain(world.entity(actor(who)));
        assert_eq!(chain.unwrap().height().0, 3, "{who} has them all");
    }
}

/// A follower's copy of the chain.
fn chain(entity: Option<&Entity>) -> Option<&Chain> {
    match entity {
        Some(Entity::Kgc(kgc)) => kgc.chain(),
        Some(Entity::Csc(csc)) => csc.chain(),
        Some(Entity::Cp(cp)) => cp.chain(),
        _ => None,
    }
}

/// The whole of `day4` with faults of links from the start on.
fn faulty(faults: &[&str]) -> Timelines {
    let text: String = faults.iter().map(|fault| format!("[[fault]]\nat = \"0s\"\ndo = {{ {fault} }}\n")).collect();
    let scenario = Scenario { end: Dur::minutes(55), ..day(&text) };
    let mut run = Timelines::open_headless(scenario, vec![]).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
    assert!(run.trace(BranchId(0)).effects().iter().all(|e| !matches!(e.kind, Kind::InvariantBroken { .. })));
    run
}

/// The block of a whole day is published to nobody, and there is no other: whoever waits for a σ asks for it. What answers is
/// proven by its certificate, and so every bill names the block of its order.
#[test]
fn who_waits_for_a_ciphertext_asks_for_the_last_block_too() {
    let run = faulty(&["block = { packet = \"pbft.publish\" }"]);
    let (effects, world) = (run.trace(BranchId(0)).effects(), run.world(BranchId(0)));
    let asks = |e: &&Effect| matches!(&e.kind, Kind::Sent { packet, .. } if packet.tag == PacketTag::Ask);
    let askers: BTreeSet<String> = effects.iter().filter(asks).filter_map(|e| Some(e.actor?.to_string())).collect();
    // The fourth car is full: its pile acts on nothing and waits for nothing.
    assert_eq!(askers.into_iter().collect::<Vec<_>>(), ["cp1", "cp2", "cp3", "csc1", "kgc1"]);
    for who in ["kgc1", "csc1", "cp1", "cp2", "cp3"] {
        let chain = chain(world.entity(ActorId::parse(who).unwrap())).unwrap();
        assert_eq!(chain.height().0, 1, "{who}");
        assert!(chain.verify(0..=1).is_ok(), "{who}");
    }
    let named = |e: &Effect| match &e.kind {
        Kind::Fact(FactKind::Billed { last: true, heights, .. }) => Some(heights.clone()),
        _ => None,
    };
    assert_eq!(effects.iter().filter_map(named).collect::<Vec<_>>(), vec![vec![Some(1)]; 3]);
}

/// A lie about a block is no answer: the certificate does not fit, and the next gateway is asked.
#[test]
fn an_altered_answer_is_refused_and_another_gateway_asked() {
    let run = faulty(&[
        "block = { packet = \"pbft.publish\", to = \"cp1\" }",
        "corrupt = { packet = \"pbft.blocks\", from = \"css1\", to = \"cp1\", byte = 300, bit = 0 }",
    ]);
    let effects = run.trace(BranchId(0)).effects();
    let cp1 = ActorId::parse("cp1").unwrap();
    let asked = |e: &Effect| match &e.kind {
        Kind::Sent { packet, to, .. } if packet.tag == PacketTag::Ask && e.actor == Some(cp1) => Some(to.to_string()),
        _ => None,
    };
    assert_eq!(effects.iter().filter_map(asked).collect::<Vec<_>>(), ["css1", "css2"]);
    let altered = |e: &Effect| matches!(e.kind, Kind::Corrupted { .. });
    assert_eq!(count(effects, altered), 1);
    assert_eq!(chain(run.world(BranchId(0)).entity(cp1)).unwrap().height().0, 1);
}

/// The first Submit, or the routing list beside it, is lost: the CSC sends both again, the same bytes, and nothing is done
/// twice.
#[test]
fn a_lost_order_is_sent_again() {
    for (packet, until, gives_up) in
        [("submit", 4_000, false), ("direct", 4_000, false), ("submit", 6_000, true), ("direct", 6_000, true)]
    {
        let fault = format!("block = {{ packet = \"{packet}\", from = \"csc1\", until = \"{until}ms\" }}");
        let run = faulty(&[&fault]);
        let effects = run.trace(BranchId(0)).effects();
        let sent = |e: &Effect| matches!(&e.kind, Kind::Sent { packet: p, .. } if p.tag == PacketTag::Submit);
        assert!(count(effects, sent) > 1, "{packet}");
        let opened = |e: &Effect| matches!(&e.kind, Kind::Fact(FactKind::Opened { flow: 1, error: None, .. }));
        assert_eq!((count(effects, opened), blocks(effects)), (3, 4), "{packet} until {until}");
        let late = |e: &Effect| matches!(&e.kind, Kind::Fact(FactKind::Refused { what, .. }) if what == "routing");
        assert_eq!(count(effects, late), usize::from(gives_up), "{packet} until {until}");
        let refused = |e: &Effect| matches!(&e.kind, Kind::Fact(FactKind::Opened { error: Some(_), .. }));
        assert_eq!(count(effects, refused), 0, "{packet} until {until}");
        let bills = |e: &Effect| matches!(&e.kind, Kind::Fact(FactKind::Billed { last: true, .. }));
        assert_eq!(count(effects, bills), 3);
    }
}

/// What never reaches the KGC is given up when it has died, and the CSC says so.
#[test]
fn an_order_that_never_arrives_is_given_up() {
    let run = faulty(&["block = { packet = \"submit\" }"]);
    let effects = run.trace(BranchId(0)).effects();
    let given_up = |e: &Effect| matches!(&e.kind, Kind::Fact(FactKind::Expired { .. }));
    let when: Vec<u64> = effects.iter().filter(|e| given_up(e)).map(|e| e.t.0 / 1_000_000).collect();
    assert_eq!(when.len(), 1);
    assert!((122..=126).contains(&when[0]), "{when:?}");
    assert_eq!(blocks(effects), 0);
}

#[test]
fn who_has_crashed_is_not_resumed_and_who_lives_is_not_restarted() {
    let fault = |at: &str, what: &str| format!("[[fault]]\nat = \"{at}\"\ndo = {{ {what} = \"css4\" }}\n");
    let effects = play(day(&(fault("1s", "pause") + &fault("1100ms", "crash") + &fault("1200ms", "resume"))), &[]);
    assert_eq!(count(&effects, |e| matches!(e.kind, Kind::Paused | Kind::Crashed)), 2);
    assert_eq!(count(&effects, |e| matches!(e.kind, Kind::Resumed)), 0);
    let effects = play(day(&fault("1s", "restart")), &[]);
    assert_eq!(count(&effects, |e| matches!(e.kind, Kind::Recovered { .. })), 0);
}
