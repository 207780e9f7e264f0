//! Invariants of the plant, PI-1 to PI-8 (WORLD.md §7.6): meters, caps, limits, bills, and who may order power.
//!
//! The station keeps its own meter of every plug, opens every obeyed σ anew with the car's key, and works out every bill
//! from these two alone. What a pile says is compared, never used. Actors that lied, crashed or were paused are not
//! judged any more: nobody then answers for their plug. The cap of an area is kept by its gateway and its piles alone,
//! whatever a CSC orders, as long as what they say to each other arrives.

pub use super::stay::Owed;
use super::stay::{Account, Order, Reading, Stay};
use super::{Finding, Sight};
use crate::clmmsc::RecordId;
use crate::entities::actor::{ActorId, Role};
use crate::entities::command::{AreaLimit, Command, DefaultTariff, StationLimit};
use crate::entities::cp::own_profile;
use crate::entities::fact::FactKind;
use crate::entities::plant::Battery;
use crate::entities::{Entity, Setup};
use crate::ledger::{Digest, Micros};
use crate::pbft::Quorum;
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
    /// Index of the car it is for; `None`: for the pile itself.
    car: Option<u16>,
    flow: u8,
    sigma: Digest,
    sender: RecordId,
    /// `None` if it is no command.
    command: Option<Command>,
    authenticated: bool,
}

/// What a pile was told about cars without a command.
#[derive(Clone, Default, Debug)]
struct Defaults {
    limit_w: u32,
    tariff: Option<DefaultTariff>,
}

/// A limit that an area's gateway has taken, and whether it was reported as broken.
#[derive(Clone, Copy, Debug)]
struct Curtailed {
    area: u16,
    since: Micros,
    limit: AreaLimit,
    told: bool,
}

/// An area is below a limit this long after it began.
const CURTAIL: u64 = 10_000_000;
/// A σ that was acted on is stored or reported so long after its life.
const SETTLED: u64 = 30_000_000;

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
    /// Earlier stays of cars that came again.
    past: Vec<(u16, Stay)>,
    /// Car at each plug that is in use.
    plugs: BTreeMap<u16, u16>,
    /// By area; the feeder is `None`.
    loads: BTreeMap<Option<u16>, Load>,
    desks: BTreeMap<u16, Desk>,
    /// Copies of a σ that reached a pile.
    carried: BTreeMap<(u16, Digest), Vec<(ItemId, Micros)>>,
    /// (σ, car) obeyed, or (σ, pile) if it was for the pile itself.
    obeyed: BTreeSet<(Digest, ActorId)>,
    /// Car of each (pile, transaction), and those that were settled.
    transactions: BTreeMap<(u16, u64), u16>,
    settled: BTreeSet<(u16, u64)>,
    /// Lied, crashed or were paused at some time.
    excused: BTreeSet<ActorId>,
    /// Areas in which a question for power or a grant was lost, late or altered.
    unheard: BTreeSet<u16>,
    limits: Vec<Curtailed>,
    ceilings: BTreeMap<u16, (Micros, StationLimit)>,
    defaults: BTreeMap<u16, Defaults>,
    /// σ acted on that no chain has yet.
    unstored: BTreeMap<Digest, Micros>,
    stored: BTreeSet<Digest>,
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
        let mut stay = Stay::new(pile, now, battery);
        stay.ceilings.extend(self.ceilings.get(&pile));
        let earlier = self.stays.insert(car, stay);
        self.past.extend(earlier.map(|stay| (car, stay)));
    }

    /// All stays there were, each with its car; those of one car in order.
    fn all(&self) -> impl Iterator<Item = (u16, &Stay)> {
        let past = self.past.iter().map(|(car, stay)| (*car, stay));
        past.chain(self.stays.iter().map(|(car, stay)| (*car, stay)))
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
            let plugs: i128 = self.all().filter(|(_, s)| within(*key, s)).map(|(_, s)| s.meter(now).net()).sum();
            self.loads.get(key).map_or(0, |load| load.net_at(now)) != plugs
        };
        let key = [Some(area), None].into_iter().find(differs)?;
        Some(Finding::broken("PI-1", format!("{} carried another energy than its plugs", name(key))))
    }

    /// PI-2: Σ power ≤ cap at every instant, but for the second in which limits change.
    fn overloads(&mut self, now: Micros, setup: &Setup) -> Vec<Finding> {
        let keys: Vec<Option<u16>> = self.loads.keys().copied().collect();
        let judged: BTreeSet<Option<u16>> = keys.into_iter().filter(|key| self.kept(*key, setup)).collect();
        let mut found = Vec::new();
        for (key, load) in &mut self.loads {
            let Some((since, told)) = load.over.as_mut() else { continue };
            if *told || now.0 <= since.0.saturating_add(FOLLOW) || !judged.contains(key) {
                continue;
            }
            *told = true;
            let (power, cap) = (load.power_w, cap(setup, *key));
            found.push(Finding::broken("PI-2", format!("{} carries {power} W, its cap is {cap} W", name(*key))));
        }
        for cut in &mut self.limits {
            let begin = cut.since.max(setup.micros(cut.limit.from)).0.saturating_add(CURTAIL);
            let power = self.loads.get(&Some(cut.area)).map_or(0, |load| load.power_w);
            let over = power > i64::from(cut.limit.limit_w) && (begin..setup.micros(cut.limit.to).0).contains(&now.0);
            if over && !cut.told && judged.contains(&Some(cut.area)) {
                cut.told = true;
                let (area, limit) = (name(Some(cut.area)), cut.limit.limit_w);
                found.push(Finding::broken("PI-2", format!("{area} carries {power} W, limited to {limit} W")));
            }
        }
        found
    }

    /// Whether those who keep a cap do so: gateway and piles of an area; for a feeder that carries less than its areas may
    /// draw, the CSCs as well.
    fn kept(&self, key: Option<u16>, setup: &Setup) -> bool {
        let areas: u64 = setup.area_cap_w.iter().map(|cap| u64::from(*cap)).sum();
        let feeder = key.is_none() && areas > u64::from(setup.feeder_cap_w);
        let within = |area: u16| key.is_none_or(|key| key == area);
        let keeps = |actor: &ActorId| match actor.role {
            Role::Cp => within(setup.area_of(actor.index)),
            Role::Css => (0..setup.areas).any(|area| within(area) && setup.gateway_of(area) == actor.index),
            Role::Csc => feeder,
            _ => false,
        };
        !self.excused.iter().any(keeps) && !self.unheard.iter().any(|area| within(*area))
    }

    /// PI-8: what was acted on is stored, or reported as expired.
    fn overdue(&mut self, now: Micros, setup: &Setup) -> Option<Finding> {
        let life = u64::from(setup.ttl) * 1_000_000 + SETTLED;
        let late = self.unstored.iter().find(|(_, since)| since.0.saturating_add(life) < now.0)?;
        let (sigma, text) = (*late.0, format!("σ {} was obeyed and is not in the chain", late.0.short(8)));
        self.unstored.remove(&sigma);
        let liars = self.excused.iter().filter(|a| a.role == Role::Css).count();
        let others = self.excused.iter().any(|a| matches!(a.role, Role::Kgc | Role::Csc));
        let f = Quorum::new(setup.n).map_or(0, |quorum| quorum.f());
        (liars <= usize::from(f) && !others).then(|| Finding::broken("PI-8", text))
    }

    fn in_chain(&mut self, sigmas: &[Digest]) {
        for sigma in sigmas {
            self.unstored.remove(sigma);
            self.stored.insert(*sigma);
        }
    }

    /// The energy of a car's stay, counted from 0, and what is owed for it, by the station's own meter and the orders that it opened itself.
    pub fn account(&self, car: u16, stay: usize, setup: &Setup) -> Option<Owed> {
        self.all().filter(|(owner, _)| *owner == car).nth(stay).map(|(_, stay)| stay.account(setup))
    }

    // ---- what the trace tells

    pub fn observe(&mut self, effect: &Effect, sight: &Sight<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.loads.values().any(|load| load.over.is_some()) || !self.limits.is_empty() {
            found = self.overloads(effect.t, sight.setup);
        }
        found.extend(self.overdue(effect.t, sight.setup));
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
            Kind::Dropped { to, packet, .. }
            | Kind::Delayed { to, packet, .. }
            | Kind::Duplicated { to, packet }
            | Kind::Corrupted { to, packet, .. }
                if matches!(packet.tag, PacketTag::Draw | PacketTag::Grant) =>
            {
                let pile = [actor, *to].into_iter().find(|a| a.role == Role::Cp);
                self.unheard.extend(pile.map(|pile| sight.setup.area_of(pile.index)));
            }
            Kind::Fact(FactKind::BlockAppended { sigmas, .. }) => self.in_chain(sigmas),
            Kind::Fact(FactKind::Expired { sigma }) => {
                self.unstored.remove(sigma);
            }
            Kind::Fact(FactKind::Commanded { flow: 2, kind: 3 }) => self.curtails(actor, effect.t, sight),
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
            FactKind::Opened { sigma, flow: flow @ (1 | 3 | 7), error: None } => {
                self.opened(pile, *sigma, *flow, sight)?;
            }
            FactKind::Authenticated { sigma, sender } => self.authenticated(pile, *sigma, sender, sight),
            FactKind::Commanded { .. } => self.commanded(pile)?,
            FactKind::Started { transaction, at } => self.started(pile, *transaction, *at, sight.setup)?,
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

    /// What an area's gateway now keeps its piles below.
    fn curtails(&mut self, css: ActorId, now: Micros, sight: &Sight<'_>) {
        let Some(Entity::Css(gateway)) = (sight.entity)(css) else { return };
        let area = (0..sight.setup.areas).find(|area| sight.setup.gateway_of(*area) == css.index);
        let limit = gateway.area_limit(sight.setup.unix(now).0);
        let cut = area.zip(limit).map(|(area, limit)| Curtailed { area, since: now, limit, told: false });
        self.limits.extend(cut);
    }

    /// PI-6: only what was opened and authenticated, for a car in its session or for the pile, and only once.
    fn commanded(&mut self, pile: u16) -> Result<(), Finding> {
        let broken = |why: &str| Err(Finding::broken("PI-6", format!("{} obeys {why}", cp(pile))));
        let Some(desk) = self.desks.get_mut(&pile) else { return broken("without a packet") };
        let Some(opened) = desk.opened.take() else { return broken("a command that it did not open") };
        let since = desk.at;
        if !opened.authenticated {
            return broken("a command whose sender it did not authenticate");
        }
        let Some(command) = opened.command else { return broken("what is no command") };
        if !self.obeyed.insert((opened.sigma, opened.car.map_or(cp(pile), ev))) {
            return broken("a command for the second time");
        }
        if !self.stored.contains(&opened.sigma) {
            self.unstored.insert(opened.sigma, since);
        }
        match (opened.car, command) {
            (Some(car), Command::Profile(profile)) => {
                let Some(stay) = self.stays.get_mut(&car).filter(|stay| stay.pile == pile && stay.session) else {
                    return broken("a command for a car without a session here");
                };
                self.transactions.insert((pile, profile.transaction), car);
                stay.orders.push(Order { since, profile });
            }
            (None, Command::StationLimit(limit)) => {
                self.ceilings.insert(pile, (since, limit));
                let stay = self.plugs.get(&pile).and_then(|car| self.stays.get_mut(car));
                if let Some(stay) = stay {
                    stay.ceilings.push((since, limit));
                }
            }
            (None, Command::DefaultTariff(tariff)) => self.defaults.entry(pile).or_default().tariff = Some(tariff),
            (None, Command::DefaultLimit { limit_w }) => self.defaults.entry(pile).or_default().limit_w = limit_w,
            (None, Command::Availability { .. } | Command::Stop { .. }) => {}
            _ => return broken("a command that is not for it"),
        }
        Ok(())
    }

    /// A pile serves a car without a command only at the limit and the tariff that it was told.
    fn started(&mut self, pile: u16, transaction: u64, since: Micros, setup: &Setup) -> Result<(), Finding> {
        let defaults = self.defaults.get(&pile).cloned().unwrap_or_default();
        let stay = self.plugs.get(&pile).and_then(|car| Some((*car, self.stays.get_mut(car)?)));
        let (Some(tariff), Some((car, stay))) = (defaults.tariff, stay) else {
            let text = format!("{} serves a car without a command and without a tariff", cp(pile));
            return Err(Finding::broken("PI-6", text));
        };
        let profile = own_profile(transaction, setup.unix(since).0, defaults.limit_w, &tariff);
        stay.orders.push(Order { since, profile });
        self.transactions.insert((pile, transaction), car);
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
    of.present().map(|(battery, _)| (battery.charged_uj.into(), battery.discharged_uj.into()))
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

mod desk;

#[cfg(test)]
mod tests;
