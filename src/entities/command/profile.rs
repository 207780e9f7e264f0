//! The command of flow 1: a charging profile with its tariff, the paper's control and billing information (WORLD.md §7.1).

use super::{NoCommand, Price, TariffTable, allow, ascend, end, read_currency, read_prices, write_prices};
use crate::ledger::codec::{Reader, Writer};

/// Most schedule periods in a command.
pub const MAX_PERIODS: usize = 24;
/// chargingRateUnit W.
const WATT: u8 = 1;

/// A limit from `start` seconds after the schedule's begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    pub start: u32,
    pub limit_w: i32,
}

/// SetChargingProfile with tariff. Energy in Wh, money in minor units, times in seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    pub transaction: u64,
    pub profile: u32,
    /// Unix.
    pub start: u64,
    pub duration: u32,
    pub energy_wh: u32,
    pub cost: i64,
    pub periods: Vec<Period>,
    pub tariff: TariffTable,
}

impl Profile {
    /// Some period orders the car to feed back.
    pub(super) fn feeds_back(&self) -> bool {
        self.periods.iter().any(|p| p.limit_w < 0)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        let tariff = &self.tariff;
        w.u64(self.transaction).u32(self.profile).u64(self.start).u32(self.duration).u8(WATT);
        w.raw(&tariff.currency).u32(tariff.id).u32(self.energy_wh).u64(self.cost.cast_unsigned());
        w.u8(self.periods.len() as u8).u8(tariff.periods.len() as u8).u16(0);
        for p in &self.periods {
            w.u32(p.start).u32(p.limit_w.cast_unsigned());
        }
        write_prices(w, &tariff.periods);
    }

    /// What follows version, kind and flags.
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, NoCommand> {
        let (transaction, profile, start, duration) = (r.u64()?, r.u32()?, r.u64()?, r.u32()?);
        end(start, duration)?;
        allow(r.u8()? == WATT)?;
        let (currency, id, energy_wh, cost) = (read_currency(r)?, r.u32()?, r.u32()?, r.u64()?.cast_signed());
        let (p, q, zero) = (r.u8()?, r.u8()?, r.u16()?);
        allow(zero == 0 && (1..=MAX_PERIODS).contains(&p.into()))?;
        let period = |_| Ok(Period { start: r.u32()?, limit_w: r.u32()?.cast_signed() });
        let periods: Vec<Period> = (0..p).map(period).collect::<Result<_, NoCommand>>()?;
        let prices = read_prices(r, q)?;
        let starts = || periods.iter().map(|p| p.start);
        allow(ascend(starts()) && starts().chain(prices.iter().map(|p| p.start)).all(|start| start < duration))?;
        let tariff = TariffTable { id, currency, periods: prices };
        Ok(Profile { transaction, profile, start, duration, energy_wh, cost, periods, tariff })
    }

    /// The limit in force at a unix second: 0 before the start and after the last period.
    pub fn limit_at(&self, unix: u64) -> i32 {
        let Some(since) = unix.checked_sub(self.start).filter(|s| *s < u64::from(self.duration)) else { return 0 };
        self.periods.iter().rev().find(|p| u64::from(p.start) <= since).map_or(0, |p| p.limit_w)
    }

    /// The highest limit in force in the unix seconds from `from` to before `to`.
    pub fn most_between(&self, from: u64, to: u64) -> i32 {
        let starts = self.periods.iter().map(|p| self.start + u64::from(p.start)).chain([from]);
        starts.filter(|at| (from..to).contains(at)).map(|at| self.limit_at(at)).max().unwrap_or(0)
    }

    /// Energy of the limits in the unix seconds from `from` to before `to`, in µJ (negative: fed back).
    pub fn energy_between(&self, from: u64, to: u64) -> i64 {
        let (mut at, mut uj) = (from.max(self.start), 0i128);
        while at < to {
            let end = self.next_change(at).map_or(to, |next| next.min(to));
            uj += i128::from(self.limit_at(at)) * i128::from(end - at) * 1_000_000;
            at = end;
        }
        uj.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// Whether two orders ask for the same from a unix second on, and at the same tariff.
    pub fn same_from(&self, other: &Profile, unix: u64) -> bool {
        let starts = |p: &Profile| {
            let ends = p.periods.iter().map(|period| period.start).chain([p.duration]);
            ends.map(|s| p.start + u64::from(s)).collect::<Vec<_>>()
        };
        let mut points = starts(self).into_iter().chain(starts(other)).filter(|at| *at > unix).chain([unix]);
        self.tariff.id == other.tariff.id && points.all(|at| self.limit_at(at) == other.limit_at(at))
    }

    /// The next unix second after this one at which limit or price changes.
    pub fn next_change(&self, unix: u64) -> Option<u64> {
        let starts = self.periods.iter().map(|p| p.start).chain(self.tariff.periods.iter().map(|p| p.start));
        starts.chain([self.duration]).map(|s| self.start + u64::from(s)).filter(|at| *at > unix).min()
    }

    /// The price in force at a unix second; the first one before the start, the last one after the end.
    pub fn price_at(&self, unix: u64) -> Price {
        let since = unix.saturating_sub(self.start);
        let found = self.tariff.periods.iter().rev().find(|p| u64::from(p.start) <= since);
        found.or(self.tariff.periods.first()).copied().unwrap_or(Price { start: 0, price: 0, feed_in: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let periods = vec![Price { start: 0, price: 31_500, feed_in: 8_000 }];
        Profile {
            transaction: 7,
            profile: 1,
            start: 1_000,
            duration: 900,
            energy_wh: 6_000,
            cost: 189,
            periods: vec![Period { start: 0, limit_w: 11_000 }, Period { start: 300, limit_w: 4_000 }],
            tariff: TariffTable { id: 1, currency: *b"EUR", periods },
        }
    }

    #[test]
    fn limits_follow_the_periods() {
        let p = profile();
        assert_eq!(
            [999, 1_000, 1_299, 1_300, 1_899, 1_900].map(|t| p.limit_at(t)),
            [0, 11_000, 11_000, 4_000, 4_000, 0]
        );
        assert_eq!(p.next_change(1_000), Some(1_300));
        assert_eq!(p.next_change(1_300), Some(1_900));
        assert_eq!(p.next_change(1_900), None);
        assert_eq!(p.energy_between(900, 1_400), (300 * 11_000 + 100 * 4_000) * 1_000_000);
        assert_eq!(p.energy_between(1_850, 9_999), 50 * 4_000 * 1_000_000);
    }

    #[test]
    fn orders_are_compared_by_what_they_still_ask_for() {
        let old = profile();
        let later =
            Profile { start: 1_300, duration: 600, periods: vec![Period { start: 0, limit_w: 4_000 }], ..old.clone() };
        assert!(later.same_from(&old, 1_300) && !later.same_from(&old, 1_299));
        let shorter = Profile { duration: 599, ..later.clone() };
        assert!(!shorter.same_from(&old, 1_300));
        let mut dearer = later;
        dearer.tariff.id = 2;
        assert!(!dearer.same_from(&old, 1_300));
    }
}
