//! Who charges when: least laxity first under the caps of area and feeder (WORLD.md §7.3, rule EN-4). Pure integers.

use super::command::{MAX_PERIODS, Period, Profile};
use super::plant::{ETA_PPM, UJ_PER_WH};

/// Length of a slot in seconds.
pub const SLOT: u32 = 300;
/// Longest plan: eight hours.
const MAX_SLOTS: u32 = 96;
/// Plans are in steps of this many W, except for the last rest.
const STEP_W: u64 = 100;

/// What the scheduler knows of one car. Energy at the plug in µJ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    /// Order between equal laxities.
    pub rid: [u8; 32],
    pub area: u16,
    pub need_uj: i64,
    pub max_power_w: u32,
    /// Seconds from the plan's begin; eight hours if unknown.
    pub leaves_in: u64,
}

/// Energy that must pass the plug to raise the state of charge to its target.
pub fn need_uj(soc_ppm: u32, target_ppm: u32, capacity_wh: u32) -> i64 {
    let missing = i128::from(target_ppm.saturating_sub(soc_ppm));
    let stored = missing * i128::from(capacity_wh) * i128::from(UJ_PER_WH) / 1_000_000;
    ((stored * 1_000_000 + i128::from(ETA_PPM) - 1) / i128::from(ETA_PPM)) as i64
}

/// An order that other cars have, and the area it draws from.
pub type Standing<'a> = (u16, &'a Profile);

/// Periods per wish from unix second `start` on, in the order of the wishes; those without need get none. What `standing`
/// orders may draw is left to them.
pub fn plan(start: u64, wishes: &[Wish], areas: &[u64], feeder_w: u64, standing: &[Standing<'_>]) -> Vec<Vec<Period>> {
    let mut need: Vec<i128> = wishes.iter().map(|w| i128::from(w.need_uj)).collect();
    let mut slots: Vec<Vec<u64>> = vec![Vec::new(); wishes.len()];
    let slot_us = i128::from(SLOT) * 1_000_000;
    let latest = wishes.iter().map(|w| w.leaves_in / u64::from(SLOT)).max().unwrap_or(0);
    for k in 0..MAX_SLOTS.min(latest as u32) {
        if need.iter().all(|n| *n <= 0) {
            break;
        }
        let begin = u64::from(k * SLOT);
        let mut order: Vec<(i128, [u8; 32], usize)> = Vec::new();
        for (i, wish) in wishes.iter().enumerate() {
            let left = wish.leaves_in.saturating_sub(begin) / u64::from(SLOT);
            if need[i] > 0 && left > 0 && wish.max_power_w > 0 {
                let per_slot = i128::from(wish.max_power_w) * slot_us;
                order.push((i128::from(left) - (need[i] + per_slot - 1) / per_slot, wish.rid, i));
            }
        }
        order.sort_unstable();
        let (mut area_left, mut feeder_left) = (areas.to_vec(), feeder_w);
        for (area, profile) in standing {
            let w =
                u64::from(profile.most_between(start + begin, start + begin + u64::from(SLOT)).max(0).unsigned_abs());
            feeder_left = feeder_left.saturating_sub(w);
            if let Some(left) = area_left.get_mut(usize::from(*area)) {
                *left = left.saturating_sub(w);
            }
        }
        let mut given = vec![0; wishes.len()];
        for (_, _, i) in order {
            let wish = &wishes[i];
            let room = area_left.get(usize::from(wish.area)).copied().unwrap_or(0).min(feeder_left);
            let rest = u64::try_from((need[i] + slot_us - 1) / slot_us).unwrap_or(u64::MAX);
            let most = u64::from(wish.max_power_w).min(room);
            let w = if rest <= most { rest } else { most / STEP_W * STEP_W };
            given[i] = w;
            need[i] -= i128::from(w) * slot_us;
            feeder_left -= w;
            if let Some(left) = area_left.get_mut(usize::from(wish.area)) {
                *left -= w;
            }
        }
        slots.iter_mut().zip(given).for_each(|(all, w)| all.push(w));
    }
    wishes.iter().zip(slots).map(|(wish, slots)| if wish.need_uj > 0 { merge(&slots) } else { Vec::new() }).collect()
}

/// Equal neighbours become one period, the end is a limit of 0, and too many late ones merge to their minimum.
fn merge(slots: &[u64]) -> Vec<Period> {
    let mut periods: Vec<Period> = Vec::new();
    for (k, w) in slots.iter().chain([&0]).enumerate() {
        let limit_w = (*w).min(i32::MAX as u64) as i32;
        if periods.last().is_none_or(|last| last.limit_w != limit_w) {
            periods.push(Period { start: k as u32 * SLOT, limit_w });
        }
    }
    while periods.len() > MAX_PERIODS {
        let end = periods.len() - 2;
        periods[end - 1].limit_w = periods[end - 1].limit_w.min(periods[end].limit_w);
        periods.remove(end);
    }
    periods
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(rid: u8, area: u16, need_wh: i64, max_power_w: u32, leaves_in: u64) -> Wish {
        Wish { rid: [rid; 32], area, need_uj: need_wh * UJ_PER_WH, max_power_w, leaves_in }
    }

    #[test]
    fn caps_hold_in_every_slot_and_all_needs_are_met_when_there_is_time() {
        let wishes =
            [wish(1, 0, 6_500, 11_000, 7_200), wish(2, 0, 4_300, 7_400, 7_200), wish(3, 1, 8_300, 22_000, 7_200)];
        let plans = plan(0, &wishes, &[15_000, 20_000], 30_000, &[]);
        let at = |i: usize, t: u32| plans[i].iter().rev().find(|p| p.start <= t).map_or(0, |p| p.limit_w);
        for t in (0..7_200).step_by(SLOT as usize) {
            assert!(at(0, t) + at(1, t) <= 15_000);
            assert!(at(2, t) <= 20_000 && at(0, t) + at(1, t) + at(2, t) <= 30_000);
        }
        for (i, wish) in wishes.iter().enumerate() {
            let uj: i64 = (0..7_200).step_by(SLOT as usize).map(|t| i64::from(at(i, t)) * 300_000_000).sum();
            assert!((wish.need_uj..wish.need_uj + 300_000_000).contains(&uj));
            assert_eq!(plans[i].last().unwrap().limit_w, 0);
        }
    }

    #[test]
    fn the_car_in_a_hurry_goes_first() {
        let wishes = [wish(1, 0, 1_000, 10_000, 28_800), wish(2, 0, 1_000, 10_000, 600)];
        let plans = plan(0, &wishes, &[10_000], 10_000, &[]);
        assert!(plans[1][0].limit_w > plans[0][0].limit_w);
        assert!(plan(0, &[wish(1, 0, 0, 10_000, 600)], &[10_000], 10_000, &[])[0].is_empty());
    }

    #[test]
    fn what_stands_is_left_to_others_in_every_second() {
        let tariff = crate::entities::setup::TariffTable { id: 1, currency: *b"EUR", periods: vec![] };
        let periods = vec![Period { start: 0, limit_w: 4_000 }, Period { start: 350, limit_w: 9_000 }];
        let (start, duration) = (1_000, 700);
        let other = Profile { transaction: 1, profile: 1, start, duration, energy_wh: 0, cost: 0, periods, tariff };
        let wishes = [wish(1, 0, 9_000, 11_000, 28_800)];
        let plans = plan(1_100, &wishes, &[11_000], 20_000, &[(0, &other)]);
        let mine = |t: u64| plans[0].iter().rev().find(|p| 1_100 + u64::from(p.start) <= t).map_or(0, |p| p.limit_w);
        for t in 1_100..3_000 {
            assert!(mine(t) + other.limit_at(t) <= 11_000, "second {t}");
        }
        assert_eq!([1_100, 1_400, 1_700, 2_000].map(mine), [2_000, 2_000, 11_000, 11_000]);
    }
}
