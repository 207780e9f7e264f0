//! The station of a scenario and its cars: caps, ratings, prices, stays (WORLD.md §7, §9).

use super::Generate;
use crate::ledger::Micros;
use crate::sim::units::Dur;
use serde::{Deserialize, Serialize};

/// One price of the tariff from `start` seconds after the order's begin, per kWh in 1/1000 of the minor currency unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "(u32, u32, u32)", into = "(u32, u32, u32)")]
pub struct TariffPeriod {
    pub start: u32,
    pub price: u32,
    pub feed_in: u32,
}

impl From<(u32, u32, u32)> for TariffPeriod {
    fn from((start, price, feed_in): (u32, u32, u32)) -> Self {
        TariffPeriod { start, price, feed_in }
    }
}

impl From<TariffPeriod> for (u32, u32, u32) {
    fn from(p: TariffPeriod) -> Self {
        (p.start, p.price, p.feed_in)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    pub id: u32,
    /// Three capital letters.
    pub currency: String,
    pub periods: Vec<TariffPeriod>,
}

impl Default for Tariff {
    fn default() -> Self {
        Tariff {
            id: 1,
            currency: "EUR".into(),
            periods: vec![TariffPeriod { start: 0, price: 31_500, feed_in: 8_000 }],
        }
    }
}

/// Limits and prices of the charging station; power in W.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Station {
    pub feeder_cap_w: u32,
    /// One cap per area.
    pub area_cap_w: Vec<u32>,
    /// Rating of every pile.
    pub rating_w: u32,
    pub tariff: Tariff,
    /// Time between two meter readings of a car that charges.
    pub meter_every: Dur,
}

impl Default for Station {
    fn default() -> Self {
        Station {
            feeder_cap_w: 30_000,
            area_cap_w: vec![15_000, 20_000],
            rating_w: 22_000,
            tariff: Tariff::default(),
            meter_every: Dur::minutes(10),
        }
    }
}

/// One car; state of charge in millionths of the capacity.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Car {
    pub capacity_wh: u32,
    pub soc: u32,
    pub target: u32,
    pub max_power_w: u32,
    /// Virtual time at which it is plugged in, and unplugged.
    pub arrive: Dur,
    pub depart: Dur,
    /// Number of the pile, from 1.
    pub pile: u16,
    /// The car sleeps while it charges: it lends its pile the key of a session record, and is not asked again.
    #[serde(default)]
    pub sleeps: bool,
    /// The car lets energy flow back to the grid when the CSC orders so.
    #[serde(default)]
    pub v2g: bool,
    /// Where it comes again later, in order.
    #[serde(default)]
    pub again: Vec<Stay>,
}

/// One stay of a car at a pile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stay {
    pub soc: u32,
    pub target: u32,
    pub arrive: Dur,
    pub depart: Dur,
    /// Number of the pile, from 1.
    pub pile: u16,
}

impl Car {
    /// All its stays, in order; never empty.
    pub fn stays(&self) -> impl Iterator<Item = Stay> {
        let Car { soc, target, arrive, depart, pile, .. } = *self;
        [Stay { soc, target, arrive, depart, pile }].into_iter().chain(self.again.iter().copied())
    }

    /// Number and stay of the moment, from 0; `None` while it is elsewhere.
    pub fn stay_at(&self, now: Micros) -> Option<(u16, Stay)> {
        (0..).zip(self.stays()).find(|(_, stay)| (stay.arrive.micros()..stay.depart.micros()).contains(&now))
    }

    /// When it leaves for good.
    pub fn leaves(&self) -> Dur {
        self.again.last().map_or(self.depart, |stay| stay.depart)
    }
}

/// The cars; car k of the list is `ev(k+1)`, and generated ones follow.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fleet {
    pub ev: Vec<Car>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub generate: Vec<Generate>,
}
