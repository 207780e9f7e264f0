//! One car's stay at a plug as the invariants of the plant know it: a meter, the orders in force and what they cost
//! (WORLD.md §7.2, §7.4, §7.5). It shares no arithmetic with `entities::plant`, which it checks.

use super::Finding;
use super::plant::FOLLOW;
use crate::entities::Setup;
use crate::entities::command::{Profile, StationLimit};
use crate::entities::plant::{Battery, MIN_PPM};
use crate::entities::setup::Price;
use crate::ledger::Micros;
use std::collections::BTreeMap;

const MILLION: i128 = 1_000_000;
/// µJ per kWh times thousandths of a minor unit: K of WORLD.md §7.5.
const K: i128 = 3_600_000_000_000_000;

/// Meter of a plug at one moment, and the power from then on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reading {
    pub at: Micros,
    pub charged_uj: i128,
    pub discharged_uj: i128,
    pub power_w: i32,
}

impl Reading {
    pub fn net(&self) -> i128 {
        self.charged_uj - self.discharged_uj
    }
}

/// A command, from the moment its pile took it.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub since: Micros,
    pub profile: Profile,
}

/// What a pile bills.
pub(super) struct Account<'a> {
    pub energy_uj: i64,
    pub total: i64,
    pub currency: &'a str,
    pub tariff: u32,
}

/// Energy of a stay in µJ, and what it costs in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Owed {
    pub charged_uj: i128,
    pub discharged_uj: i128,
    pub owed: i128,
}

/// Constant power.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Micros,
    to: Micros,
    power_w: i32,
}

#[derive(Clone, Debug)]
pub(super) struct Stay {
    pub pile: u16,
    /// As it arrived.
    battery: Battery,
    pub power_w: i32,
    since: Micros,
    stretches: Vec<Stretch>,
    charged_uj: i128,
    discharged_uj: i128,
    pub readings: Vec<Reading>,
    /// Index of the reading that the pile has reported last.
    reached: usize,
    /// The pile has opened a session key of this car.
    pub session: bool,
    pub orders: Vec<Order>,
    /// Limits of the pile itself, from the moment it took each.
    pub ceilings: Vec<(Micros, StationLimit)>,
    /// Energy in the last bill of each transaction.
    billed: BTreeMap<u64, i128>,
}

impl Stay {
    pub fn new(pile: u16, now: Micros, battery: Battery) -> Self {
        Stay {
            pile,
            battery,
            power_w: 0,
            since: now,
            stretches: Vec::new(),
            charged_uj: battery.charged_uj.into(),
            discharged_uj: battery.discharged_uj.into(),
            readings: Vec::new(),
            reached: 0,
            session: false,
            orders: Vec::new(),
            ceilings: Vec::new(),
            billed: BTreeMap::new(),
        }
    }

    /// The meter if power goes on until then.
    pub fn meter(&self, at: Micros) -> Reading {
        let uj = i128::from(self.power_w) * i128::from(at.0 - self.since.0);
        let (charged_uj, discharged_uj) = (self.charged_uj + uj.max(0), self.discharged_uj - uj.min(0));
        Reading { at, charged_uj, discharged_uj, power_w: self.power_w }
    }

    /// Ends a stretch of constant power. PI-3 and PI-7 over it; limits only if the pile is `judged`.
    pub fn settle(&mut self, now: Micros, setup: &Setup, judged: bool) -> Vec<Finding> {
        let mut found = Vec::new();
        if now == self.since {
            return found;
        }
        let before = self.meter(Micros(now.0 - 1));
        let after = self.meter(now);
        let stretch = Stretch { from: self.since, to: now, power_w: self.power_w };
        (self.charged_uj, self.discharged_uj, self.since) = (after.charged_uj, after.discharged_uj, now);
        if self.power_w == 0 {
            return found;
        }
        self.stretches.push(stretch);
        let slack = i128::from(self.power_w).abs();
        if !(-slack..=self.capacity_uj() + slack).contains(&self.stored_uj(&after)) {
            found.push(Finding::broken("PI-7", format!("a battery holds {} µJ", self.stored_uj(&after))));
        }
        let points = self.changes(stretch, setup).into_iter().chain([stretch.from]);
        let late = points.into_iter().find_map(|at| self.beyond(at, setup));
        found.extend(late.filter(|_| judged));
        found.extend(self.accepts(&before));
        found
    }

    /// PI-3 right after a change of power.
    pub fn check_power(&self, now: Micros, setup: &Setup, judged: bool) -> Vec<Finding> {
        let power = i128::from(self.power_w);
        let mut found = Vec::new();
        if power.abs() > i128::from(setup.rating_w) {
            found.push(self.exceeds("its rating", setup.rating_w.into()));
        }
        found.extend(self.beyond(now, setup).filter(|_| judged));
        found.extend(self.accepts(&self.meter(now)));
        found
    }

    fn exceeds(&self, what: &str, bound: i128) -> Finding {
        let text = format!("CP {} delivers {} W, {what} is {bound} W", self.pile + 1, self.power_w);
        Finding::broken("PI-3", text)
    }

    /// PI-3: more than was ordered flows, in either direction.
    fn beyond(&self, at: Micros, setup: &Setup) -> Option<Finding> {
        let (least, most) = self.allowed(at, setup);
        let power = i128::from(self.power_w);
        if power > most {
            return Some(self.exceeds("its limit", most));
        }
        (power < least.min(0)).then(|| self.exceeds("its limit", least))
    }

    /// PI-3: what the battery accepts, and gives if its car allows that.
    fn accepts(&self, at: &Reading) -> Option<Finding> {
        let max = i128::from(self.battery.max_power_w);
        let soc = self.stored_uj(at) * MILLION / self.capacity_uj().max(1);
        let accept = match soc {
            ..800_000 => max,
            800_000..900_000 => max / 2,
            900_000..1_000_000 => max / 4,
            _ => 0,
        };
        let power = i128::from(self.power_w);
        let gives = if self.battery.v2g && soc > i128::from(MIN_PPM) { max } else { 0 };
        (!(-gives..=accept).contains(&power)).then(|| self.exceeds("its battery's share", accept))
    }

    fn capacity_uj(&self) -> i128 {
        i128::from(self.battery.capacity_wh) * 3_600_000_000
    }

    /// initial + ⌊charged·η⌋ − ⌈discharged/η⌉.
    fn stored_uj(&self, at: &Reading) -> i128 {
        let eta = i128::from(self.battery.eta_ppm);
        let gained = (at.charged_uj * eta).div_euclid(MILLION);
        let lost = -(-at.discharged_uj * MILLION).div_euclid(eta);
        i128::from(self.battery.initial_uj) + gained - lost
    }

    /// Moments of a stretch, each a second after the limit changed, from which on the new one must be obeyed.
    fn changes(&self, stretch: Stretch, setup: &Setup) -> Vec<Micros> {
        let unix = |second: u64| second.saturating_sub(setup.genesis_time).saturating_mul(1_000_000);
        let of = |order: &Order| {
            let (start, periods) = (order.profile.start, &order.profile.periods);
            let starts = periods.iter().map(|p| p.start).chain([order.profile.duration]);
            let at: Vec<u64> = starts.map(|s| unix(start + u64::from(s))).chain([order.since.0]).collect();
            at
        };
        let of_ceiling =
            |(since, c): &(Micros, StationLimit)| [since.0, unix(c.start), unix(c.start + u64::from(c.duration))];
        let ceilings = self.ceilings.iter().flat_map(of_ceiling);
        let obeyed =
            self.orders.iter().flat_map(of).chain(ceilings).filter(|at| *at >= stretch.from.0).map(|at| at + FOLLOW);
        obeyed.filter(|at| *at < stretch.to.0).map(Micros).collect()
    }

    fn order_at(&self, at: Micros) -> Option<&Order> {
        self.orders.iter().rev().find(|order| order.since <= at)
    }

    /// The lowest and the highest limit in force now and a second ago. Without an order nothing may flow.
    fn allowed(&self, at: Micros, setup: &Setup) -> (i128, i128) {
        let limit = |at: Micros| {
            let unix = setup.unix(at).0;
            let ordered = self.order_at(at).map_or(0, |order| order.profile.limit_at(unix));
            let newest = self.ceilings.iter().rev().find(|(since, _)| *since <= at).map(|(_, ceiling)| ceiling);
            let ceiling = newest.filter(|c| (c.start..c.start + u64::from(c.duration)).contains(&unix));
            let most = ceiling.map_or(i64::MAX, |ceiling| ceiling.limit_w.into());
            i128::from(i64::from(ordered).min(most))
        };
        let (now, before) = (limit(at), limit(Micros(at.0.saturating_sub(FOLLOW))));
        (now.min(before), now.max(before).min(setup.rating_w.into()))
    }

    // ---- what the pile says

    /// Whether a reading that the pile has not passed yet is like this; the pile has then reached the first such.
    pub fn reach(&mut self, like: impl Fn(&Reading) -> bool) -> bool {
        let found = self.readings.iter().skip(self.reached).position(like);
        self.reached += found.unwrap_or(0);
        found.is_some()
    }

    /// Energy in all last bills once this transaction has had its own, µJ.
    pub fn settled_uj(&mut self, transaction: u64, energy_uj: i64) -> i128 {
        self.billed.insert(transaction, energy_uj.into());
        self.billed.values().sum()
    }

    /// PI-4: the bill follows from metered energy and the tariffs of the orders.
    ///
    /// # Errors
    /// What differs.
    pub fn check_bill(&self, bill: &Account<'_>, last: bool, setup: &Setup) -> Result<(), String> {
        let reading = if last { self.readings.last() } else { self.readings.get(self.reached) };
        let energy = reading.map_or(0, Reading::net);
        if i128::from(bill.energy_uj) != energy {
            return Err(format!("{} µJ billed, {energy} µJ metered", bill.energy_uj));
        }
        let total = self.owed(reading.map_or(self.since, |r| r.at), setup);
        if i128::from(bill.total) != total {
            return Err(format!("{} billed, {total} owed", bill.total));
        }
        let Some(tariff) = self.orders.last().map(|order| &order.profile.tariff) else {
            return Err("billed without a command".to_owned());
        };
        let same = bill.currency.as_bytes() == tariff.currency.as_slice() && bill.tariff == tariff.id;
        if same { Ok(()) } else { Err(format!("billed by tariff {} in {}", bill.tariff, bill.currency)) }
    }

    /// All that was read so far.
    pub fn account(&self, setup: &Setup) -> Owed {
        self.readings.last().map_or(Owed::default(), |last| Owed {
            charged_uj: last.charged_uj,
            discharged_uj: last.discharged_uj,
            owed: self.owed(last.at, setup),
        })
    }

    /// ⌊(Σ (E·price − D·feedIn) + K/2) / K⌋ of what flowed until then.
    fn owed(&self, until: Micros, setup: &Setup) -> i128 {
        let mut sum = 0;
        for stretch in &self.stretches {
            let (mut at, to) = (stretch.from, stretch.to.min(until));
            while at < to {
                let (price, next) = self.price(at, setup);
                let end = next.map_or(to, |next| next.min(to));
                let uj = i128::from(stretch.power_w) * i128::from(end.0 - at.0);
                sum += uj.max(0) * i128::from(price.price) + uj.min(0) * i128::from(price.feed_in);
                at = end;
            }
        }
        (sum + K / 2).div_euclid(K)
    }

    /// The price in force, and when another may be. Before the schedule's begin its first price holds.
    fn price(&self, at: Micros, setup: &Setup) -> (Price, Option<Micros>) {
        let later = self.orders.iter().map(|order| order.since).find(|since| *since > at);
        let Some(order) = self.order_at(at) else { return (Price { start: 0, price: 0, feed_in: 0 }, later) };
        let begin = order.profile.start.saturating_sub(setup.genesis_time);
        let start = |p: &Price| Micros((begin + u64::from(p.start)).saturating_mul(1_000_000));
        let periods = &order.profile.tariff.periods;
        let now = periods.iter().rev().find(|p| start(p) <= at).or(periods.first());
        let next = periods.iter().map(start).find(|start| *start > at);
        let price = now.copied().unwrap_or(Price { start: 0, price: 0, feed_in: 0 });
        (price, next.into_iter().chain(later).min())
    }
}
