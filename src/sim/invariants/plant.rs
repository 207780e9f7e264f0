//! Invariants of the plant, PI-1 to PI-7 (WORLD.md §7.6): meters, caps, limits, bills, and who may order power.
//!
//! The station keeps its own meter of every plug, opens every obeyed σ anew with the car's key, and works out every bill
//! from these two alone. What a pile says is compared, never used. Actors that lied, crashed or were paused are not
//! judged any more: nobody then answers for their plug.

use super::stay::{Account, Order, Reading, Stay};
use super::{Finding, Sight};
use crate::clmmsc::open::{self, Pinned, Receiver};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::{KeyPair, RecordId, SigmaId};
use crate::entities::actor::{ActorId, Role};
use crate::entities::command::{Command, Profile};
use crate::entities::fact::FactKind;
use crate::entities::plant::Battery;
use crate::entities::{Entity, Packet, Setup};
use crate::ledger::{Digest, Micros};
use crate::sim::trace::{Effect, ItemId, Kind, PacketTag};
use std::collections::{BTreeMap, BTreeSet};

/// Schedules are in whole seconds: a pile has the second in which its limit changes to follow.
pub(super) const FOLLOW: u64 = 1_000_000;

/// What a pile does with the packet that arrived last.
#[derive(Clone, Debug)]
struct Desk {
    from: ActorId,
    at: Micros,
    opened: Option<Opened>,
}

/// What a pile says it opened, with what really is in it.
#[derive(Clone, Debug)]
struct Opened {
    /// Index of the car it is for.
    car: u16,
    sigma: Digest,
    sender: RecordId,
    /// `None` if it is no command.
    profile: Option<Profile>,
    authenticated: bool,
}

/// Power through an area, or through the feeder.
#[derive(Clone, Copy, Default, Debug)]
struct Load {
    power_w: i64,
    since: Micros,
    net_uj: i128,
    /// Above its cap from here on, and whether that was reported.
    over: Option<(Micros, bool)>,
}

impl Load {
    fn net_at(&self, now: Micros) -> i128 {
        self.net_uj + i128::from(self.power_w) * i128::from(now.0 - self.since.0)
    }

    fn change(&mut self, now: Micros, by_w: i64, cap_w: u32) {
        self.net_uj = self.net_at(now);
        self.since = now;
        self.power_w += by_w;
        let above = self.power_w > i64::from(cap_w);
        self.over = if above { self.over.or(Some((now, false))) } else { None };
    }
}

/// PI-1 to PI-7 over all plugs.
#[derive(Clone, Default, Debug)]
pub struct Station {
    stays: BTreeMap<u16, Stay>,
    /// Car at each plug that is in use.
    plugs: BTreeMap<u16, u16>,
    /// By area; the feeder is `None`.
    loads: BTreeMap<Option<u16>, Load>,
    desks: BTreeMap<u16, Desk>,
    /// Copies of a σ that reached a pile.
    carried: BTreeMap<(u16, Digest), Vec<(ItemId, Micros)>>,
    /// (σ, car) obeyed.
    obeyed: BTreeSet<(Digest, u16)>,
    /// Car of each (pile, transaction), and those that were settled.
    transactions: BTreeMap<(u16, u64), u16>,
    settled: BTreeSet<(u16, u64)>,
    /// Lied, crashed or were paused at some time.
    excused: BTreeSet<ActorId>,
}

fn cp(pile: u16) -> ActorId {
    ActorId::new(Role::Cp, pile)
}

fn ev(car: u16) -> ActorId {
    ActorId::new(Role::Ev, car)
}

impl Station {
    // ---- what the world tells

    /// A car is plugged in; `battery` is as it arrives.
    pub fn arrives(&mut self, now: Micros, pile: u16, car: u16, battery: Battery) {
        self.plugs.insert(pile, car);
        self.stays.insert(car, Stay::new(pile, now, battery));
    }

    /// From now on this power flows.
    pub fn flows(&mut self, now: Micros, pile: u16, power_w: i32, setup: &Setup) -> Vec<Finding> {
        let mut found = self.overloads(now, setup);
        let judged = !self.excused.contains(&cp(pile));
        let Some(stay) = self.plugs.get(&pile).and_then(|car| self.stays.get_mut(car)) else { return found };
        found.extend(stay.settle(now, setup, judged));
        let before = stay.power_w;
        stay.power_w = power_w;
        found.extend(stay.check_power(now, setup, judged));
        let by_w = i64::from(power_w) - i64::from(before);
        let area = setup.area_of(pile);
        for (key, cap_w) in [(Some(area), cap(setup, Some(area))), (None, cap(setup, None))] {
            self.loads.entry(key).or_default().change(now, by_w, cap_w);
        }
        found
    }

    /// The meter of a plug, as both sides read it now.
    pub fn reads(&mut self, now: Micros, pile: u16, battery: &Battery, setup: &Setup) -> Vec<Finding> {
        let mut found = self.overloads(now, setup);
        let judged = !self.excused.contains(&cp(pile));
        let Some(stay) = self.plugs.get(&pile).and_then(|car| self.stays.get_mut(car)) else { return found };
        found.extend(stay.settle(now, setup, judged));
        let mine = stay.meter(now);
        stay.readings.push(mine);
        let plug = (i128::from(battery.charged_uj), i128::from(battery.discharged_uj));
        if plug != (mine.charged_uj, mine.discharged_uj) {
            let text = format!("the meter of {} shows {} µJ, {} µJ flowed", cp(pile), plug.0 - plug.1, mine.net());
            found.push(Finding::broken("PI-1", text));
        }
        found.extend(self.sums(now, setup.area_of(pile), setup));
        found
    }

    /// The plug is free again.
    pub fn leaves(&mut self, pile: u16) {
        self.plugs.remove(&pile);
    }

    /// PI-1: an area, and the feeder, carried what its plugs carried.
    fn sums(&self, now: Micros, area: u16, setup: &Setup) -> Option<Finding> {
        let within = |key: Option<u16>, stay: &Stay| key.is_none_or(|area| setup.area_of(stay.pile) == area);
        let differs = |key: &Option<u16>| {
            let plugs: i128 = self.stays.values().filter(|s| within(*key, s)).map(|s| s.meter(now).net()).sum();
            self.loads.get(key).map_or(0, |load| load.net_at(now)) != plugs
        };
        let key = [Some(area), None].into_iter().find(differs)?;
        Some(Finding::broken("PI-1", format!("{} carried another energy than its plugs", name(key))))
    }

    /// PI-2: Σ power ≤ cap at every instant, but for the second in which limits change.
    fn overloads(&mut self, now: Micros, setup: &Setup) -> Vec<Finding> {
        let honest = !self.excused.iter().any(|a| a.role == Role::Csc);
        let mut found = Vec::new();
        for (key, load) in &mut self.loads {
            let Some((since, told)) = load.over.as_mut() else { continue };
            let here = |a: &&ActorId| a.role == Role::Cp && key.is_none_or(|area| setup.area_of(a.index) == area);
            if *told || now.0 <= since.0.saturating_add(FOLLOW) || !honest || self.excused.iter().any(|a| here(&a)) {
                continue;
            }
            *told = true;
            let (power, cap) = (load.power_w, cap(setup, *key));
            found.push(Finding::broken("PI-2", format!("{} carries {power} W, its cap is {cap} W", name(*key))));
        }
        found
    }

    // ---- what the trace tells

    pub fn observe(&mut self, effect: &Effect, sight: &Sight<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.loads.values().any(|load| load.over.is_some()) {
            found = self.overloads(effect.t, sight.setup);
        }
        let Some(actor) = effect.actor else { return found };
        match &effect.kind {
            Kind::Behaves { behaviour: Some(_) } | Kind::Crashed | Kind::Paused => {
                self.excused.insert(actor);
            }
            Kind::Delivered { from, packet } if actor.role == Role::Cp => {
                self.desks.insert(actor.index, Desk { from: *from, at: effect.t, opened: None });
                if let (PacketTag::Area, Some(sigma)) = (packet.tag, packet.sigma) {
                    self.carried.entry((actor.index, sigma)).or_default().push((packet.item, effect.t));
                }
            }
            Kind::Fact(fact) if !self.excused.contains(&actor) => {
                let judged = match (actor.role, fact) {
                    (Role::Cp, _) => self.at_pile(actor.index, fact, sight),
                    (Role::Ev, FactKind::Departed { .. }) => self.departed(actor.index, sight),
                    _ => Ok(()),
                };
                found.extend(judged.err());
            }
            _ => {}
        }
        found
    }

    fn at_pile(&mut self, pile: u16, fact: &FactKind, sight: &Sight<'_>) -> Result<(), Finding> {
        match fact {
            FactKind::Opened { flow: 5, error: None, .. } => self.in_session(pile),
            FactKind::Opened { sigma, flow: 1, error: None } => self.opened(pile, *sigma, sight)?,
            FactKind::Authenticated { sigma, sender } => self.authenticated(pile, *sigma, sender, sight),
            FactKind::Commanded { flow: 1, .. } => self.commanded(pile)?,
            FactKind::Dispatched { transaction, power_w, .. } => self.dispatched(pile, *transaction, *power_w)?,
            FactKind::Metered { transaction, energy_uj, power_w } => {
                self.metered(pile, *transaction, (*energy_uj).into(), *power_w, sight)?;
            }
            FactKind::Billed { transaction, energy_uj, total, currency, tariff, last, .. } => {
                let bill = Account { energy_uj: *energy_uj, total: *total, currency, tariff: *tariff };
                self.billed(pile, *transaction, &bill, *last, sight.setup)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The pile holds a session key of the car that sent it.
    fn in_session(&mut self, pile: u16) {
        let Some(car) = self.desks.get(&pile).map(|desk| desk.from).filter(|from| from.role == Role::Ev) else {
            return;
        };
        if let Some(stay) = self.stays.get_mut(&car.index).filter(|stay| stay.pile == pile) {
            stay.session = true;
        }
    }

    fn opened(&mut self, pile: u16, sigma: Digest, sight: &Sight<'_>) -> Result<(), Finding> {
        let car = self.served(pile, sight);
        let inside = car.and_then(|car| Some((car.index, self.unseal(pile, sigma, car, sight)?)));
        let Some((desk, (car, (sender, profile)))) = self.desks.get_mut(&pile).zip(inside) else {
            let text = format!("{} opened what the key of its car does not open", cp(pile));
            return Err(Finding::broken("PI-6", text));
        };
        desk.opened = Some(Opened { car, sigma, sender, profile, authenticated: false });
        Ok(())
    }

    /// The sender named is the one in σ, and a CSC.
    fn authenticated(&mut self, pile: u16, sigma: Digest, sender: &Digest, sight: &Sight<'_>) {
        let by = sight.genesis.and_then(|genesis| genesis.owner(&sender.0));
        let opened = self.desks.get_mut(&pile).and_then(|desk| desk.opened.as_mut());
        if let Some(opened) = opened.filter(|opened| opened.sigma == sigma && opened.sender.0 == sender.0) {
            opened.authenticated = by.is_some_and(|by| by.role == Role::Csc);
        }
    }

    /// The car for which the pile works: the one it hears, or one that lent it a key and sleeps.
    fn served(&self, pile: u16, sight: &Sight<'_>) -> Option<ActorId> {
        let from = self.desks.get(&pile)?.from;
        if from.role == Role::Ev {
            return Some(from);
        }
        let here = self.stays.iter().filter(|(_, stay)| stay.pile == pile && stay.session);
        let lent = |car: &ActorId| match (sight.entity)(*car) {
            Some(Entity::Ev(ev)) => ev.enrolment.session().is_some(),
            _ => false,
        };
        here.map(|(car, _)| ActorId::new(Role::Ev, *car)).find(lent)
    }

    /// Sender and command in the entry of a car, opened anew with the car's own keys from the bytes that reached the pile.
    fn unseal(&self, pile: u16, sigma: Digest, car: ActorId, sight: &Sight<'_>) -> Option<(RecordId, Option<Profile>)> {
        let Some(Entity::Ev(of)) = (sight.entity)(car) else { return None };
        let keys: Vec<&KeyPair> = of.enrolment.key().into_iter().chain(of.enrolment.session()).collect();
        let params = &sight.setup.params;
        let open_with = |verified: &VerifiedSigma, key: &KeyPair| {
            let who = Receiver {
                record: key.record(),
                pinned: Pinned::Any,
                since: 0,
                nullifiers: &|_: &RecordId| None::<SigmaId>,
                opened: &|_, _| false,
            };
            open::open(params, verified, &who, &open::decapsulate(verified.head(), key)).ok()
        };
        let copies = self.carried.get(&(pile, sigma))?;
        copies.iter().find_map(|(item, at)| {
            let Some(Packet::Area(bytes)) = (sight.packet)(*item) else { return None };
            let verified = VerifiedSigma::verify(params, bytes, sight.setup.unix(*at).0).ok()?;
            let opened = keys.iter().find_map(|key| open_with(&verified, key))?;
            let profile = match Command::decode(verified.header().flow, &opened.message) {
                Ok(Command::Profile(profile)) => Some(profile),
                _ => None,
            };
            Some((opened.sender_rid, profile))
        })
    }

    /// PI-6: only what was opened and authenticated for this car in its session, and only once.
    fn commanded(&mut self, pile: u16) -> Result<(), Finding> {
        let broken = |why: &str| Err(Finding::broken("PI-6", format!("{} obeys {why}", cp(pile))));
        let Some(desk) = self.desks.get_mut(&pile) else { return broken("without a packet") };
        let Some(opened) = desk.opened.take() else { return broken("a command that it did not open") };
        if !opened.authenticated {
            return broken("a command whose sender it did not authenticate");
        }
        let Some(profile) = opened.profile else { return broken("what is no command") };
        let (car, since) = (opened.car, desk.at);
        let Some(stay) = self.stays.get_mut(&car).filter(|stay| stay.pile == pile && stay.session) else {
            return broken("a command for a car without a session here");
        };
        if !self.obeyed.insert((opened.sigma, car)) {
            return broken("a command for the second time");
        }
        self.transactions.insert((pile, profile.transaction), car);
        stay.orders.push(Order { since, profile });
        Ok(())
    }

    /// The stay that a transaction belongs to.
    fn stay(&mut self, pile: u16, transaction: u64) -> Result<(u16, &mut Stay), Finding> {
        let car = self.transactions.get(&(pile, transaction)).copied();
        let stay = car.and_then(|car| Some((car, self.stays.get_mut(&car)?)));
        let text = || format!("{} acts on transaction {transaction} without a command", cp(pile));
        stay.ok_or_else(|| Finding::broken("PI-6", text()))
    }

    /// PI-1: the power a pile reports is one that it read.
    fn dispatched(&mut self, pile: u16, transaction: u64, power_w: i32) -> Result<(), Finding> {
        let (_, stay) = self.stay(pile, transaction)?;
        let text = || format!("{} reports {power_w} W, which its meter never showed", cp(pile));
        if stay.reach(|reading| reading.power_w == power_w) { Ok(()) } else { Err(Finding::broken("PI-1", text())) }
    }

    /// PI-1: what a pile and its car have read is what flowed.
    fn metered(
        &mut self,
        pile: u16,
        number: u64,
        energy: i128,
        power_w: i32,
        sight: &Sight<'_>,
    ) -> Result<(), Finding> {
        let (car, stay) = self.stay(pile, number)?;
        if !stay.reach(|reading| (reading.net(), reading.power_w) == (energy, power_w)) {
            let text = format!("{} reports {energy} µJ at {power_w} W, which its meter never showed", cp(pile));
            return Err(Finding::broken("PI-1", text));
        }
        let given =
            |shown| shown == (0, 0) || stay.readings.iter().rev().any(|r| (r.charged_uj, r.discharged_uj) == shown);
        let known = shown(car, sight).is_none_or(given);
        if known || self.excused.contains(&ev(car)) {
            return Ok(());
        }
        Err(Finding::broken("PI-1", format!("{} shows energy that its plug never metered", ev(car))))
    }

    /// PI-4 and PI-5.
    fn billed(&mut self, pile: u16, number: u64, bill: &Account<'_>, last: bool, setup: &Setup) -> Result<(), Finding> {
        if self.settled.contains(&(pile, number)) {
            let text = format!("{} bills transaction {number} again after its last bill", cp(pile));
            return Err(Finding::broken("PI-5", text));
        }
        if last {
            self.settled.insert((pile, number));
        }
        let (_, stay) = self.stay(pile, number)?;
        stay.check_bill(bill, last, setup)
            .map_err(|text| Finding::broken("PI-4", format!("{}, transaction {number}: {text}", cp(pile))))?;
        if last {
            let (paid, metered) =
                (stay.settled_uj(number, bill.energy_uj), stay.readings.last().map_or(0, Reading::net));
            if paid > metered {
                let text = format!("{} bills {paid} µJ in all, {metered} µJ flowed", cp(pile));
                return Err(Finding::broken("PI-5", text));
            }
        }
        Ok(())
    }

    /// PI-1: a car leaves with the energy that its plug metered.
    fn departed(&self, car: u16, sight: &Sight<'_>) -> Result<(), Finding> {
        let last = self.stays.get(&car).and_then(|stay| stay.readings.last());
        let Some((last, shown)) = last.zip(shown(car, sight)) else { return Ok(()) };
        if shown == (last.charged_uj, last.discharged_uj) {
            return Ok(());
        }
        Err(Finding::broken("PI-1", format!("{} leaves with another energy than its plug metered", ev(car))))
    }
}

/// Energy charged and discharged that a car has read, µJ.
fn shown(car: u16, sight: &Sight<'_>) -> Option<(i128, i128)> {
    let Some(Entity::Ev(of)) = (sight.entity)(ev(car)) else { return None };
    Some((of.battery().charged_uj.into(), of.battery().discharged_uj.into()))
}

fn cap(setup: &Setup, key: Option<u16>) -> u32 {
    match key {
        Some(area) => setup.area_cap_w.get(usize::from(area)).copied().unwrap_or(0),
        None => setup.feeder_cap_w,
    }
}

fn name(key: Option<u16>) -> String {
    key.map_or("the feeder".to_owned(), |area| format!("area {}", area + 1))
}

#[cfg(test)]
mod tests;
