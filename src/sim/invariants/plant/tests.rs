//! Each invariant of the plant is shown a history that keeps it and one that breaks it.

use super::*;
use crate::entities::command::{Period, Profile};
use crate::entities::setup::{Price, TariffTable};
use crate::sim::memo::Memo;
use crate::sim::scenario::Scenario;
use crate::sim::trace::{DropReason, EffectId, PacketInfo};
use crate::sim::world::World;

mod opened;

const S: u64 = 1_000_000;
const WH: i64 = 3_600_000_000;

/// Four piles: 1 and 2 under a cap of 15 kW, 3 and 4 under one of 20 kW, all under 30 kW, none above 22 kW.
struct Plant {
    station: Station,
    setup: Setup,
    meters: BTreeMap<u16, (Micros, Battery)>,
    found: Vec<Finding>,
}

fn effect(t: Micros, actor: ActorId, kind: Kind) -> Effect {
    Effect { id: EffectId(0), step: 0, t, actor: Some(actor), kind, cause: None, needs: vec![], rule: None }
}

fn battery() -> Battery {
    Battery::new(60_000, 500_000, 22_000)
}

impl Plant {
    fn new() -> Self {
        let setup = World::new(Scenario::preset("day4").unwrap(), vec![]).unwrap().setup().clone();
        Plant { station: Station::default(), setup, meters: BTreeMap::new(), found: vec![] }
    }

    fn see(&mut self, t: Micros, actor: ActorId, kind: Kind) {
        let (gateways, entity, packet) = ([], |_| None, |_| None);
        let sight = Sight {
            setup: &self.setup,
            genesis: None,
            gateways: &gateways,
            entity: &entity,
            packet: &packet,
            idle: &|_| true,
        };
        let found = self.station.observe(&effect(t, actor, kind), &sight);
        self.found.extend(found);
    }

    fn fact(&mut self, t: u64, pile: u16, fact: FactKind) {
        self.see(Micros(t), cp(pile), Kind::Fact(fact));
    }

    /// Car i stands at pile i.
    fn arrive(&mut self, pile: u16, battery: Battery) {
        self.station.arrives(Micros(0), pile, pile, battery);
        self.meters.insert(pile, (Micros(0), battery));
    }

    /// The pile obeys this command, which is in the chain.
    fn order(&mut self, t: u64, pile: u16, number: u32, periods: &[(u32, i32)], prices: &[(u32, u32)]) {
        self.obey(t, pile, number, periods, prices);
        self.station.in_chain(&[Digest([number as u8; 32])]);
    }

    /// The pile has opened and authenticated this command and obeys it.
    fn obey(&mut self, t: u64, pile: u16, number: u32, periods: &[(u32, i32)], prices: &[(u32, u32)]) {
        let profile = Profile {
            transaction: 1_000 + u64::from(pile),
            profile: number,
            start: self.setup.genesis_time,
            duration: 7_200,
            energy_wh: 0,
            cost: 0,
            periods: periods.iter().map(|(start, limit_w)| Period { start: *start, limit_w: *limit_w }).collect(),
            tariff: TariffTable {
                id: 1,
                currency: *b"EUR",
                periods: prices
                    .iter()
                    .map(|(start, price)| Price { start: *start, price: *price, feed_in: 0 })
                    .collect(),
            },
        };
        let sigma = Digest([number as u8; 32]);
        let (sender, command) = (RecordId([9; 32]), Some(Command::Profile(profile)));
        let opened = Opened { car: Some(pile), flow: 1, sigma, sender, command, authenticated: true };
        let desk = Desk { from: ev(pile), at: Micros(t), opened: Some(opened) };
        self.station.desks.insert(pile, desk);
        self.station.stays.get_mut(&pile).unwrap().session = true;
        self.fact(t, pile, FactKind::Commanded { flow: 1, kind: 1 });
    }

    fn flow(&mut self, t: u64, pile: u16, power_w: i32) {
        let (since, battery) = self.meters.get_mut(&pile).unwrap();
        battery.flow(self.station.stays[&pile].power_w, t - since.0);
        *since = Micros(t);
        let found = self.station.flows(Micros(t), pile, power_w, &self.setup);
        self.found.extend(found);
        self.read(t, pile, 0);
    }

    /// Both sides read the meter, which is wrong by so many µJ.
    fn read(&mut self, t: u64, pile: u16, wrong: i64) {
        let (since, battery) = self.meters.get_mut(&pile).unwrap();
        battery.flow(self.station.stays[&pile].power_w, t - since.0);
        *since = Micros(t);
        let shown = Battery { charged_uj: battery.charged_uj + wrong, ..*battery };
        let found = self.station.reads(Micros(t), pile, &shown, &self.setup);
        self.found.extend(found);
    }

    fn metered(&mut self, t: u64, pile: u16, energy_uj: i64, power_w: i32) {
        let transaction = 1_000 + u64::from(pile);
        self.fact(t, pile, FactKind::Metered { transaction, energy_uj, power_w });
    }

    fn billed(&mut self, t: u64, pile: u16, energy_uj: i64, total: i64, last: bool) {
        let (transaction, currency) = (1_000 + u64::from(pile), "EUR".to_owned());
        self.fact(
            t,
            pile,
            FactKind::Billed { transaction, energy_uj, total, currency, tariff: 1, heights: vec![], last },
        );
    }

    fn broken(&self) -> Vec<&'static str> {
        let id = |finding: &Finding| match finding {
            Finding::Broken { id, .. } => *id,
            Finding::Void { .. } => "void",
        };
        self.found.iter().map(id).collect()
    }
}

/// One car charges 10 kWh in an hour at 31.5 ct and is billed.
fn hour() -> Plant {
    let mut plant = Plant::new();
    plant.arrive(0, battery());
    plant.order(0, 0, 1, &[(0, 10_000), (3_600, 0)], &[(0, 31_500)]);
    plant.flow(0, 0, 10_000);
    plant.fact(10, 0, FactKind::Dispatched { transaction: 1_000, limit_w: 10_000, power_w: 10_000 });
    plant.read(600 * S, 0, 0);
    plant.metered(600 * S + 10, 0, 10_000 * WH / 6, 10_000);
    plant.billed(600 * S + 10, 0, 10_000 * WH / 6, 53, false);
    plant.flow(3_600 * S, 0, 0);
    plant
}

#[test]
fn an_honest_hour_breaks_nothing() {
    let mut plant = hour();
    plant.metered(3_600 * S + 10, 0, 10_000 * WH, 0);
    plant.billed(3_600 * S + 10, 0, 10_000 * WH, 315, false);
    plant.billed(3_700 * S, 0, 10_000 * WH, 315, true);
    assert_eq!(plant.found, []);
}

#[test]
fn a_meter_off_by_one_microjoule_breaks_pi_1() {
    let mut plant = hour();
    plant.read(3_601 * S, 0, 1);
    assert_eq!(plant.broken(), ["PI-1"]);
}

#[test]
fn a_pile_that_reports_what_its_meter_never_showed_breaks_pi_1() {
    for (energy, power) in [(10_000 * WH - 1, 0), (10_000 * WH, 1)] {
        let mut plant = hour();
        plant.metered(3_600 * S + 10, 0, energy, power);
        assert_eq!(plant.broken(), ["PI-1"]);
    }
    let mut plant = hour();
    plant.fact(3_600 * S + 10, 0, FactKind::Dispatched { transaction: 1_000, limit_w: 0, power_w: 9_999 });
    assert_eq!(plant.broken(), ["PI-1"]);
}

#[test]
fn an_area_that_carries_more_than_its_plugs_breaks_pi_1() {
    let mut plant = hour();
    plant.station.loads.get_mut(&Some(0)).unwrap().net_uj += 1;
    plant.read(3_700 * S, 0, 0);
    assert_eq!(plant.broken(), ["PI-1"]);
}

fn two(a: i32, b: i32) -> Plant {
    let mut plant = Plant::new();
    for (pile, limit) in [(0, a), (1, b)] {
        plant.arrive(pile, battery());
        plant.order(0, pile, 1 + u32::from(pile), &[(0, limit)], &[(0, 1)]);
        plant.flow(10, pile, limit);
    }
    plant
}

#[test]
fn an_area_above_its_cap_breaks_pi_2_once() {
    let mut plant = two(7_500, 7_500);
    plant.read(600 * S, 0, 0);
    assert_eq!(plant.broken(), [""; 0]);
    let mut plant = two(7_500, 7_501);
    plant.read(600 * S, 0, 0);
    plant.read(601 * S, 0, 0);
    assert_eq!(plant.broken(), ["PI-2"]);
}

#[test]
fn the_feeder_above_its_cap_breaks_pi_2() {
    let mut plant = two(14_000, 500);
    plant.arrive(2, battery());
    plant.order(10, 2, 3, &[(0, 15_501)], &[(0, 1)]);
    plant.flow(10, 2, 15_501);
    plant.see(Micros(5 * S), cp(3), Kind::Resumed);
    assert_eq!(plant.broken(), ["PI-2"], "any effect shows that time has passed");
}

#[test]
fn limits_may_change_one_after_the_other_within_a_second() {
    let mut plant = two(7_500, 7_500);
    plant.order(60 * S, 0, 3, &[(0, 11_000)], &[(0, 1)]);
    plant.order(60 * S, 1, 4, &[(0, 4_000)], &[(0, 1)]);
    plant.flow(60 * S, 0, 11_000);
    plant.flow(60 * S + 3_000, 1, 4_000);
    plant.read(600 * S, 0, 0);
    assert_eq!(plant.broken(), [""; 0]);
}

#[test]
fn an_area_is_kept_by_its_gateway_and_piles_whatever_a_csc_orders() {
    let lies = || Kind::Behaves { behaviour: Some("overbooking".into()) };
    let packet = PacketInfo { item: ItemId(0), tag: PacketTag::Grant, size: 13, sigma: None, slot: None };
    let lost = Kind::Dropped { to: cp(1), packet, why: DropReason::Loss };
    let (csc, css) = (ActorId::new(Role::Csc, 0), |index| ActorId::new(Role::Css, index));
    let cases = [
        (csc, lies(), vec!["PI-2"]),
        (css(3), lies(), vec!["PI-2"]),
        (css(1), Kind::Crashed, vec![]),
        (css(1), lost, vec![]),
        (cp(1), Kind::Crashed, vec![]),
    ];
    for (who, what, broken) in cases {
        let mut plant = two(7_500, 7_501);
        plant.see(Micros(20), who, what.clone());
        plant.read(20 * S, 0, 0);
        assert_eq!(plant.broken(), broken, "{who} {what:?}");
    }
}

#[test]
fn a_feeder_below_the_sum_of_its_areas_needs_honest_csc() {
    for (liar, broken) in [(false, vec!["PI-2"]), (true, vec![])] {
        let mut plant = Plant::new();
        for (pile, watts) in [(0, 14_000), (2, 17_000)] {
            plant.arrive(pile, battery());
            plant.order(0, pile, 1, &[(0, watts)], &[(0, 1)]);
            plant.flow(10, pile, watts);
        }
        if liar {
            plant.see(Micros(20), ActorId::new(Role::Csc, 0), Kind::Behaves { behaviour: Some("overbooking".into()) });
        }
        plant.read(20 * S, 0, 0);
        assert_eq!(plant.broken(), broken);
    }
}

#[test]
fn ten_seconds_into_a_limit_an_area_above_it_breaks_pi_2_once() {
    let mut plant = two(7_000, 7_000);
    let from = plant.setup.genesis_time;
    let limit = AreaLimit { limit_w: 13_999, from, to: from + 60 };
    plant.station.limits.push(Curtailed { area: 0, since: Micros(0), limit, told: false });
    for (at, broken) in [(9, 0), (11, 1), (30, 1)] {
        plant.read(at * S, 0, 0);
        assert_eq!(plant.broken(), vec!["PI-2"; broken], "{at} s");
    }
}

#[test]
fn what_was_obeyed_and_neither_stored_nor_reported_breaks_pi_8() {
    let (kgc, css) = (ActorId::new(Role::Kgc, 0), ActorId::new(Role::Css, 2));
    let sigma = Digest([1; 32]);
    let reported = FactKind::Expired { sigma };
    let (header, parent) = (Digest::ZERO, Digest::ZERO);
    let stored = FactKind::BlockAppended { height: 1, header, parent: Box::new(parent), count: 1, sigmas: vec![sigma] };
    for (news, broken) in [(None, vec!["PI-8"]), (Some((kgc, reported)), vec![]), (Some((css, stored)), vec![])] {
        let mut plant = Plant::new();
        plant.arrive(0, battery());
        plant.obey(0, 0, 1, &[(0, 0)], &[(0, 1)]);
        if let Some((who, fact)) = news {
            plant.see(Micros(100 * S), who, Kind::Fact(fact));
        }
        plant.see(Micros(149 * S), css, Kind::Resumed);
        assert_eq!(plant.broken(), [""; 0]);
        plant.see(Micros(151 * S), css, Kind::Resumed);
        assert_eq!(plant.broken(), broken);
    }
}

#[test]
fn power_above_rating_limit_or_battery_breaks_pi_3() {
    let mut plant = Plant::new();
    plant.arrive(2, Battery::new(60_000, 500_000, 30_000));
    plant.order(0, 2, 1, &[(0, 30_000)], &[(0, 1)]);
    plant.flow(0, 2, 20_000);
    assert_eq!(plant.broken(), [""; 0]);
    plant.setup.rating_w = 19_999;
    plant.flow(0, 2, 20_000);
    assert_eq!(plant.broken(), ["PI-3", "PI-3"], "above the rating, and so above the limit");

    let mut plant = Plant::new();
    plant.arrive(0, battery());
    plant.order(0, 0, 1, &[(0, 8_000)], &[(0, 1)]);
    plant.flow(0, 0, 8_001);
    assert_eq!(plant.broken(), ["PI-3"]);

    for (soc, accepted) in [(799_999, 10_000), (800_000, 5_000), (900_000, 2_500), (1_000_000, 0)] {
        for (more, broken) in [(0, 0), (1, 1)] {
            let mut plant = Plant::new();
            plant.arrive(0, Battery::new(60_000, soc, 10_000));
            plant.order(0, 0, 1, &[(0, 15_000)], &[(0, 1)]);
            plant.flow(0, 0, accepted + more);
            assert_eq!(plant.broken(), vec!["PI-3"; broken], "{soc}");
        }
    }
}

#[test]
fn power_without_a_command_and_feeding_back_break_pi_3() {
    let mut plant = Plant::new();
    plant.arrive(0, battery());
    plant.flow(0, 0, 1);
    assert_eq!(plant.broken(), ["PI-3"]);
    let mut plant = two(7_500, 0);
    plant.flow(20, 1, -1);
    assert_eq!(plant.broken(), ["PI-3", "PI-3"], "neither ordered nor allowed by the car");
    let mut plant = Plant::new();
    plant.arrive(0, battery().feeding_back(true));
    plant.order(0, 0, 1, &[(0, -5_000)], &[(0, 1)]);
    plant.flow(10, 0, -5_000);
    assert_eq!(plant.broken(), [""; 0]);
    plant.flow(20, 0, -5_001);
    assert_eq!(plant.broken(), ["PI-3"], "more than ordered");
}

#[test]
fn a_pile_has_a_second_to_follow_its_schedule() {
    for (late, broken) in [(15, 0), (S, 0), (S + 1, 1)] {
        let mut plant = Plant::new();
        plant.arrive(0, battery());
        plant.order(0, 0, 1, &[(0, 8_000), (300, 4_000), (600, 8_000)], &[(0, 1)]);
        plant.flow(0, 0, 8_000);
        plant.flow(300 * S + late, 0, 4_000);
        plant.flow(600 * S, 0, 8_000);
        assert_eq!(plant.broken(), vec!["PI-3"; broken], "{late}");
    }
    let mut plant = Plant::new();
    plant.arrive(0, battery());
    plant.order(0, 0, 1, &[(0, 8_000), (300, 4_000), (600, 8_000)], &[(0, 1)]);
    plant.flow(0, 0, 8_000);
    plant.flow(900 * S, 0, 8_000);
    assert_eq!(plant.broken(), ["PI-3"], "a limit that was never obeyed");
}

#[test]
fn a_bill_with_another_energy_total_or_tariff_breaks_pi_4() {
    for (energy, total) in [(10_000 * WH, 314), (10_000 * WH, 316), (10_000 * WH - 1, 315)] {
        let mut plant = hour();
        plant.billed(3_700 * S, 0, energy, total, true);
        assert_eq!(plant.broken(), ["PI-4"], "{energy} {total}");
    }
    for (currency, tariff) in [("USD", 1), ("EUR", 2)] {
        let mut plant = hour();
        let (transaction, energy_uj, currency) = (1_000, 10_000 * WH, currency.to_owned());
        let bill =
            FactKind::Billed { transaction, energy_uj, total: 315, currency, tariff, heights: vec![], last: true };
        plant.fact(3_700 * S, 0, bill);
        assert_eq!(plant.broken(), ["PI-4"]);
    }
}

#[test]
fn each_price_counts_for_what_flowed_while_it_was_in_force() {
    // 9 kW: 0.75 kWh at 20 ct, then 1.5 kWh at 40 ct, then by the second order 3 kWh at 10 ct and 1 kWh at 90 ct.
    for (total, broken) in [(195, 0), (194, 1), (196, 1)] {
        let mut plant = Plant::new();
        plant.arrive(0, battery());
        plant.order(0, 0, 1, &[(0, 9_000)], &[(0, 20_000), (300, 40_000)]);
        plant.flow(0, 0, 9_000);
        plant.order(900 * S, 0, 2, &[(0, 9_000)], &[(0, 10_000), (2_100, 90_000)]);
        plant.flow(2_500 * S, 0, 0);
        plant.billed(2_600 * S, 0, 6_250 * WH, total, true);
        assert_eq!(plant.broken(), vec!["PI-4"; broken], "{total}");
    }
}

#[test]
fn a_bill_after_the_last_one_breaks_pi_5() {
    let mut plant = hour();
    plant.billed(3_700 * S, 0, 10_000 * WH, 315, true);
    plant.billed(3_700 * S, 0, 10_000 * WH, 315, true);
    assert_eq!(plant.broken(), ["PI-5"]);
}

#[test]
fn energy_in_two_bills_breaks_pi_5() {
    let mut plant = hour();
    plant.billed(3_700 * S, 0, 10_000 * WH, 315, true);
    plant.station.transactions.insert((0, 7), 0);
    let (transaction, energy_uj, currency) = (7, 10_000 * WH, "EUR".to_owned());
    let bill =
        FactKind::Billed { transaction, energy_uj, total: 315, currency, tariff: 1, heights: vec![], last: true };
    plant.fact(3_700 * S, 0, bill);
    assert_eq!(plant.broken(), ["PI-5"]);
}

#[test]
fn dispatch_meter_and_bill_without_a_command_break_pi_6() {
    let facts = [
        FactKind::Dispatched { transaction: 7, limit_w: 1, power_w: 1 },
        FactKind::Metered { transaction: 7, energy_uj: 1, power_w: 1 },
        FactKind::Commanded { flow: 1, kind: 1 },
    ];
    for fact in facts {
        let mut plant = hour();
        plant.fact(3_700 * S, 0, fact);
        assert_eq!(plant.broken(), ["PI-6"]);
    }
}

#[test]
fn obeying_what_is_no_command_breaks_pi_6() {
    let mut plant = hour();
    let (sigma, sender) = (Digest::ZERO, RecordId([9; 32]));
    let opened = Opened { car: Some(0), flow: 1, sigma, sender, command: None, authenticated: true };
    plant.station.desks.get_mut(&0).unwrap().opened = Some(opened);
    plant.fact(3_700 * S, 0, FactKind::Commanded { flow: 1, kind: 1 });
    assert_eq!(plant.broken(), ["PI-6"]);
}

#[test]
fn a_battery_beyond_full_breaks_pi_7() {
    let mut plant = Plant::new();
    plant.arrive(0, Battery::new(60_000, 990_000, 20_000));
    plant.order(0, 0, 1, &[(0, 5_000)], &[(0, 1)]);
    plant.flow(0, 0, 5_000);
    plant.flow(600 * S, 0, 0);
    assert!(plant.broken().contains(&"PI-7"), "{:?}", plant.found);
    let mut plant = Plant::new();
    plant.arrive(0, Battery::new(60_000, 0, 20_000));
    plant.flow(0, 0, -10);
    plant.flow(S, 0, 0);
    assert!(plant.broken().contains(&"PI-7"), "{:?}", plant.found);
}

#[test]
fn a_car_that_leaves_with_another_energy_breaks_pi_1() {
    let mut world = World::new(Scenario::preset("day4").unwrap(), vec![]).unwrap();
    while world.step(&mut Memo::new(), &mut Vec::new()) {}
    let (entity, packet) = (|actor| world.entity(actor), |item| world.packet(item));
    let sight =
        Sight { setup: world.setup(), genesis: None, gateways: &[], entity: &entity, packet: &packet, idle: &|_| true };
    let (charged, _) = shown(0, &sight).unwrap();
    for (more, broken) in [(0, false), (1, true)] {
        let mut station = Station::default();
        station.arrives(Micros(0), 0, 0, battery());
        let at = Micros(0);
        let reading = Reading { at, charged_uj: charged + more, discharged_uj: 0, power_w: 0 };
        station.stays.get_mut(&0).unwrap().readings.push(reading);
        let departed = Kind::Fact(FactKind::Departed { cp: cp(0) });
        let found = station.observe(&effect(Micros(1), ev(0), departed), &sight);
        assert_eq!(matches!(found[..], [Finding::Broken { id: "PI-1", .. }]), broken);
    }

    let mut plant = hour();
    let metered = FactKind::Metered { transaction: 1_000, energy_uj: 10_000 * WH, power_w: 0 };
    let found = plant.station.observe(&effect(Micros(3_600 * S + 10), cp(0), Kind::Fact(metered)), &sight);
    assert!(matches!(found[..], [Finding::Broken { id: "PI-1", .. }]), "the car read another meter: {found:?}");
}
