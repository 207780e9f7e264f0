//! The command m_i of flow 1: a charging profile with its tariff, the paper's control and billing information
//! (WORLD.md §7.1). Strict; whoever cannot read a command does nothing.

use super::setup::{Price, TariffTable};

/// Most schedule periods and prices in a command.
pub const MAX_PERIODS: usize = 24;
const MAX_PRICES: usize = 8;
const HEAD: usize = 52;

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

fn ascend(starts: impl Iterator<Item = u32> + Clone, before: u32) -> bool {
    let mut after = starts.clone();
    after.next() == Some(0) && starts.clone().zip(after).all(|(a, b)| a < b) && starts.clone().all(|s| s < before)
}

impl Profile {
    pub fn encode(&self) -> Vec<u8> {
        let feeds = self.periods.iter().any(|p| p.limit_w < 0);
        let mut out = vec![1, 1, u8::from(feeds), 0];
        out.extend(self.transaction.to_le_bytes());
        out.extend(self.profile.to_le_bytes());
        out.extend(self.start.to_le_bytes());
        out.extend(self.duration.to_le_bytes());
        out.push(1);
        out.extend(self.tariff.currency);
        out.extend(self.tariff.id.to_le_bytes());
        out.extend(self.energy_wh.to_le_bytes());
        out.extend(self.cost.to_le_bytes());
        out.extend([self.periods.len() as u8, self.tariff.periods.len() as u8, 0, 0]);
        for p in &self.periods {
            out.extend(p.start.to_le_bytes());
            out.extend(p.limit_w.to_le_bytes());
        }
        for p in &self.tariff.periods {
            out.extend(p.start.to_le_bytes());
            out.extend(p.price.to_le_bytes());
            out.extend(p.feed_in.to_le_bytes());
        }
        out
    }

    /// `None` for anything that [`Profile::encode`] would not have written.
    pub fn decode(bytes: &[u8]) -> Option<Profile> {
        if bytes.len() < HEAD {
            return None;
        }
        let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let (p, q) = (usize::from(*bytes.get(48)?), usize::from(*bytes.get(49)?));
        let fixed = bytes[..2] == [1, 1] && bytes[2] <= 1 && bytes[3] == 0 && bytes[28] == 1 && bytes[50..52] == [0, 0];
        let sized = (1..=MAX_PERIODS).contains(&p) && (1..=MAX_PRICES).contains(&q);
        if !fixed || !sized || bytes.len() != HEAD + 8 * p + 12 * q {
            return None;
        }
        let periods: Vec<Period> = (0..p)
            .map(|i| Some(Period { start: u32_at(HEAD + 8 * i)?, limit_w: u32_at(HEAD + 8 * i + 4)? as i32 }))
            .collect::<Option<_>>()?;
        let at = HEAD + 8 * p;
        let prices: Vec<Price> = (0..q)
            .map(|i| {
                let at = at + 12 * i;
                Some(Price { start: u32_at(at)?, price: u32_at(at + 4)?, feed_in: u32_at(at + 8)? })
            })
            .collect::<Option<_>>()?;
        let duration = u32_at(24)?;
        let ordered =
            ascend(periods.iter().map(|p| p.start), duration) && ascend(prices.iter().map(|p| p.start), duration);
        let feeds = periods.iter().any(|p| p.limit_w < 0);
        if !ordered || (feeds && bytes[2] == 0) {
            return None;
        }
        let tariff = TariffTable { id: u32_at(32)?, currency: bytes.get(29..32)?.try_into().ok()?, periods: prices };
        Some(Profile {
            transaction: u64_at(4)?,
            profile: u32_at(12)?,
            start: u64_at(16)?,
            duration,
            energy_wh: u32_at(36)?,
            cost: u64_at(40)? as i64,
            periods,
            tariff,
        })
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
    fn a_command_round_trips_and_every_flipped_length_is_refused() {
        let bytes = profile().encode();
        assert_eq!(bytes.len(), 52 + 16 + 12);
        assert_eq!(Profile::decode(&bytes), Some(profile()));
        assert_eq!(Profile::decode(&bytes[..bytes.len() - 1]), None);
        for at in [0, 1, 3, 28, 48, 49, 50] {
            let mut bad = bytes.clone();
            bad[at] ^= 4;
            assert_eq!(Profile::decode(&bad), None, "{at}");
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
    }
}
