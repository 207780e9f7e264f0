//! Who charges when: least laxity first under the caps of area and feeder (WORLD.md §7.3, rule EN-4). Pure integers.

use super::command::{AreaLimit, MAX_PERIODS, Period, Profile};
use super::plant::{ETA_PPM, MIN_PPM, UJ_PER_WH};
use std::collections::{BTreeMap, BTreeSet};

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
    /// What the car may be asked to feed back; 0 without its consent.
    pub spare_uj: i64,
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

/// Energy that may pass the plug backwards before the floor is reached.
pub fn spare_uj(soc_ppm: u32, capacity_wh: u32) -> i64 {
    let above = i128::from(soc_ppm.saturating_sub(MIN_PPM));
    let stored = above * i128::from(capacity_wh) * i128::from(UJ_PER_WH) / 1_000_000;
    (stored * i128::from(ETA_PPM) / 1_000_000) as i64
}

/// An order that other cars have, and the area it draws from.
pub type Standing<'a> = (u16, &'a Profile);

/// What may be drawn: by area and by the feeder in W, and by an area under a limit in a stretch of unix seconds.
#[derive(Clone, Debug, Default)]
pub struct Caps {
    pub areas: Vec<u64>,
    pub feeder_w: u64,
    pub limits: Vec<(u16, AreaLimit)>,
}

impl Caps {
    /// Left in each area in the seconds from `from` to before `to`, and the areas that are under a limit then.
    fn within(&self, from: u64, to: u64) -> (Vec<u64>, BTreeSet<u16>) {
        let (mut left, mut limited) = (self.areas.clone(), BTreeSet::new());
        for (area, limit) in self.limits.iter().filter(|(_, limit)| limit.from < to && from < limit.to) {
            if let Some(left) = left.get_mut(usize::from(*area)) {
                *left = u64::from(limit.limit_w).min(*left);
                limited.insert(*area);
            }
        }
        (left, limited)
    }
}

/// Slots of one plan in the making. Energies in µJ, by wish.
struct Planning<'a> {
    start: u64,
    wishes: &'a [Wish],
    caps: &'a Caps,
    standing: &'a [Standing<'a>],
    need: Vec<i128>,
    spare: Vec<i128>,
}

/// Slots of laxity from which on a willing car may be asked to feed back.
const PATIENT: i128 = 2;
const SLOT_US: i128 = SLOT as i128 * 1_000_000;

impl Planning<'_> {
    /// Slots a car could lose and still be ready, and the car's number: least first. Only cars that stay for this slot.
    fn order(&self, begin: u64) -> Vec<(i128, [u8; 32], usize)> {
        let mut order = Vec::new();
        for (i, wish) in self.wishes.iter().enumerate() {
            let left = wish.leaves_in.saturating_sub(begin) / u64::from(SLOT);
            if left > 0 && wish.max_power_w > 0 {
                let per_slot = i128::from(wish.max_power_w) * SLOT_US;
                order.push((i128::from(left) - (self.need[i] + per_slot - 1) / per_slot, wish.rid, i));
            }
        }
        order.sort_unstable();
        order
    }

    /// Power of each wish in the slot that begins then, in W; negative: fed back.
    fn slot(&mut self, begin: u64) -> Vec<i64> {
        let (from, to) = (self.start + begin, self.start + begin + u64::from(SLOT));
        let (mut area_left, limited) = self.caps.within(from, to);
        let mut feeder_left = self.caps.feeder_w;
        for (area, profile) in self.standing {
            let w = u64::from(profile.most_between(from, to).max(0).unsigned_abs());
            feeder_left = feeder_left.saturating_sub(w);
            if let Some(left) = area_left.get_mut(usize::from(*area)) {
                *left = left.saturating_sub(w);
            }
        }
        let order = self.order(begin);
        let mut given = vec![0; self.wishes.len()];
        let mut lacking: BTreeMap<u16, u64> = BTreeMap::new();
        for (laxity, _, i) in order.iter().filter(|(_, _, i)| self.need[*i] > 0) {
            let wish = &self.wishes[*i];
            let room = area_left.get(usize::from(wish.area)).copied().unwrap_or(0).min(feeder_left);
            let rest = u64::try_from((self.need[*i] + SLOT_US - 1) / SLOT_US).unwrap_or(u64::MAX);
            let most = u64::from(wish.max_power_w).min(room);
            let w = if rest <= most { rest } else { most / STEP_W * STEP_W };
            // Who could give has no claim on what others give.
            if self.spare[*i] == 0 || *laxity < PATIENT {
                *lacking.entry(wish.area).or_default() += u64::from(wish.max_power_w).min(rest) - w;
            }
            feeder_left -= w;
            if let Some(left) = area_left.get_mut(usize::from(wish.area)) {
                *left -= w;
            }
            given[*i] = w.cast_signed();
        }
        for (i, w) in given.iter().enumerate() {
            self.need[i] -= i128::from(*w) * SLOT_US;
        }
        lacking.retain(|area, _| limited.contains(area));
        self.feed_back(&order, lacking, &mut given);
        given
    }

    /// Under an area limit, cars that allow it and have two slots to spare give up to half of what the others lack.
    fn feed_back(&mut self, order: &[(i128, [u8; 32], usize)], lacking: BTreeMap<u16, u64>, given: &mut [i64]) {
        for (area, lacks) in lacking {
            let mut left = lacks / 2;
            for (laxity, _, i) in order.iter().rev() {
                let wish = &self.wishes[*i];
                let most = u64::try_from(self.spare[*i] / SLOT_US).unwrap_or(0).min(wish.max_power_w.into());
                let w = left.min(most) / STEP_W * STEP_W;
                if wish.area != area || given[*i] != 0 || *laxity < PATIENT || w == 0 {
                    continue;
                }
                let uj = i128::from(w) * SLOT_US;
                left -= w;
                given[*i] = -w.cast_signed();
                self.spare[*i] -= uj;
                // What was lost on the way out and will be on the way back in comes on top.
                let eta = i128::from(ETA_PPM);
                self.need[*i] += uj * 1_000_000 / eta * 1_000_000 / eta;
            }
        }
    }
}

/// Periods per wish from unix second `start` on, in the order of the wishes; those that get nothing have none. What
/// `standing` orders may draw is left to them.
pub fn plan(start: u64, wishes: &[Wish], caps: &Caps, standing: &[Standing<'_>]) -> Vec<Vec<Period>> {
    let of = |energy: fn(&Wish) -> i64| wishes.iter().map(|w| i128::from(energy(w))).collect();
    let (need, spare) = (of(|w| w.need_uj), of(|w| w.spare_uj));
    let mut planning = Planning { start, wishes, caps, standing, need, spare };
    let mut slots: Vec<Vec<i64>> = vec![Vec::new(); wishes.len()];
    let latest = wishes.iter().map(|w| w.leaves_in / u64::from(SLOT)).max().unwrap_or(0);
    for k in 0..MAX_SLOTS.min(latest as u32) {
        if planning.need.iter().all(|n| *n <= 0) {
            break;
        }
        slots.iter_mut().zip(planning.slot(u64::from(k * SLOT))).for_each(|(all, w)| all.push(w));
    }
    let asked = |slots: &Vec<i64>, wish: &Wish| wish.need_uj > 0 || slots.iter().any(|w| *w != 0);
    wishes.iter().zip(slots).map(|(wish, s)| if asked(&s, wish) { merge(&s) } else { Vec::new() }).collect()
}

/// Equal neighbours become one period, the end is a limit of 0, and too many late ones merge to their minimum.
fn merge(slots: &[i64]) -> Vec<Period> {
    let mut periods: Vec<Period> = Vec::new();
    for (k, w) in slots.iter().chain([&0]).enumerate() {
        let limit_w = (*w).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        if periods.last().is_none_or(|last| last.limit_w != limit_w) {
            periods.push(Period { start: k as u32 * SLOT, limit_w });
        }
    }
    while periods.len() > MAX_PERIODS {
        let end = periods.len() - 2;
        let (a, b) = (periods[end - 1].limit_w, periods[end].limit_w);
        // Never more than planned in either direction.
        periods[end - 1].limit_w = if a < 0 || b < 0 { a.max(b).min(0) } else { a.min(b) };
        periods.remove(end);
    }
    periods
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(rid: u8, area: u16, need_wh: i64, max_power_w: u32, leaves_in: u64) -> Wish {
        Wish { rid: [rid; 32], area, need_uj: need_wh * UJ_PER_WH, spare_uj: 0, max_power_w, leaves_in }
    }

    fn caps(areas: &[u64], feeder_w: u64) -> Caps {
        Caps { areas: areas.to_vec(), feeder_w, limits: vec![] }
    }

    #[test]
    fn caps_hold_in_every_slot_and_all_needs_are_met_when_there_is_time() {
        let wishes =
            [wish(1, 0, 6_500, 11_000, 7_200), wish(2, 0, 4_300, 7_400, 7_200), wish(3, 1, 8_300, 22_000, 7_200)];
        let plans = plan(0, &wishes, &caps(&[15_000, 20_000], 30_000), &[]);
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
        let plans = plan(0, &wishes, &caps(&[10_000], 10_000), &[]);
        assert!(plans[1][0].limit_w > plans[0][0].limit_w);
        assert!(plan(0, &[wish(1, 0, 0, 10_000, 600)], &caps(&[10_000], 10_000), &[])[0].is_empty());
    }

    #[test]
    fn what_stands_is_left_to_others_in_every_second() {
        let tariff = crate::entities::setup::TariffTable { id: 1, currency: *b"EUR", periods: vec![] };
        let periods = vec![Period { start: 0, limit_w: 4_000 }, Period { start: 350, limit_w: 9_000 }];
        let (start, duration) = (1_000, 700);
        let other = Profile { transaction: 1, profile: 1, start, duration, energy_wh: 0, cost: 0, periods, tariff };
        let wishes = [wish(1, 0, 9_000, 11_000, 28_800)];
        let plans = plan(1_100, &wishes, &caps(&[11_000], 20_000), &[(0, &other)]);
        let mine = |t: u64| plans[0].iter().rev().find(|p| 1_100 + u64::from(p.start) <= t).map_or(0, |p| p.limit_w);
        for t in 1_100..3_000 {
            assert!(mine(t) + other.limit_at(t) <= 11_000, "second {t}");
        }
        assert_eq!([1_100, 1_400, 1_700, 2_000].map(mine), [2_000, 2_000, 11_000, 11_000]);
    }
    #[test]
    fn under_a_limit_a_willing_car_feeds_back_half_of_what_lacks_and_is_charged_again() {
        let willing = Wish { spare_uj: 20_000 * UJ_PER_WH, ..wish(1, 0, 100, 11_000, 28_800) };
        let wishes = [willing, wish(2, 0, 9_000, 11_000, 7_200), wish(3, 0, 9_000, 11_000, 7_200)];
        let limit = AreaLimit { limit_w: 4_000, from: 600, to: 1_200 };
        let under = Caps { limits: vec![(0, limit)], ..caps(&[20_000], 20_000) };
        let plans = plan(0, &wishes, &under, &[]);
        let at = |i: usize, t: u32| plans[i].iter().rev().find(|p| p.start <= t).map_or(0, |p| p.limit_w);
        let drawn = |t: u32| (0..3).map(|i| at(i, t).max(0)).sum::<i32>();
        assert_eq!([300, 600, 900].map(drawn), [20_000, 4_000, 4_000]);
        assert!(at(0, 600) < 0 && at(0, 600) >= -9_000, "{plans:?}");
        assert!((0..28_800).step_by(300).any(|t| at(0, t) > 0), "what was fed back is charged again");
        let net: i64 = (0..28_800).step_by(300).map(|t| i64::from(at(0, t)) * 300_000_000).sum();
        assert!(net >= willing.need_uj);
        let shy = plan(0, &[Wish { spare_uj: 0, ..willing }, wishes[1], wishes[2]], &under, &[]);
        assert!(shy.iter().flatten().all(|p| p.limit_w >= 0));
    }
}
