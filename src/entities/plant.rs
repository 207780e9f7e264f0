//! Physics of the station: battery, power at a plug, bill (WORLD.md §7.2, §7.5). Pure integers: W, µs, µJ, ppm.
//!
//! The world calls it for the plugs, piles and cars for what they read off. It must never round in favour of anybody
//! except where the specification says so.

use super::setup::Price;

/// µJ in one Wh.
pub const UJ_PER_WH: i64 = 3_600_000_000;
const MILLION: i128 = 1_000_000;
/// Energy times price over this is money: µJ per kWh times the thousandths of a minor unit.
const PRICE_UNIT: i128 = 3_600_000_000_000 * 1_000;

/// A car's battery; charged and discharged are what the plug metered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Battery {
    pub capacity_wh: u32,
    pub initial_uj: i64,
    pub charged_uj: i64,
    pub discharged_uj: i64,
    pub max_power_w: u32,
    /// Share of metered energy that is stored, and of stored energy that comes out again.
    pub eta_ppm: u32,
    /// The car lets energy flow back to the grid, down to [`MIN_PPM`].
    pub v2g: bool,
}

/// Charging efficiency of every battery.
pub const ETA_PPM: u32 = 920_000;
/// No car feeds back below this state of charge.
pub const MIN_PPM: u32 = 300_000;

impl Battery {
    pub fn new(capacity_wh: u32, soc_ppm: u32, max_power_w: u32) -> Self {
        let initial = i128::from(capacity_wh) * i128::from(UJ_PER_WH) * i128::from(soc_ppm) / MILLION;
        Battery {
            capacity_wh,
            initial_uj: initial as i64,
            charged_uj: 0,
            discharged_uj: 0,
            max_power_w,
            eta_ppm: ETA_PPM,
            v2g: false,
        }
    }

    /// The same battery of a car that feeds back if asked.
    pub fn feeding_back(self, v2g: bool) -> Self {
        Battery { v2g, ..self }
    }

    fn capacity_uj(&self) -> i128 {
        i128::from(self.capacity_wh) * i128::from(UJ_PER_WH)
    }

    /// initial + ⌊charged·η⌋ − ⌈discharged/η⌉, in µJ.
    pub fn stored_uj(&self) -> i64 {
        let eta = i128::from(self.eta_ppm.max(1));
        let gained = i128::from(self.charged_uj) * eta / MILLION;
        let lost = (i128::from(self.discharged_uj) * MILLION + eta - 1) / eta;
        (i128::from(self.initial_uj) + gained - lost) as i64
    }

    /// State of charge in millionths.
    pub fn soc_ppm(&self) -> u32 {
        (i128::from(self.stored_uj()) * MILLION / self.capacity_uj().max(1)).clamp(0, MILLION) as u32
    }

    /// The most it takes now: all below 80 %, half below 90 %, a quarter below 100 %.
    pub fn accept_w(&self) -> i32 {
        let max = self.max_power_w.min(i32::MAX as u32) as i32;
        match self.soc_ppm() {
            0..800_000 => max,
            800_000..900_000 => max / 2,
            900_000..1_000_000 => max / 4,
            _ => 0,
        }
    }

    /// The most it gives now: all above the floor, if the car allows it.
    pub fn discharge_w(&self) -> i32 {
        let max = self.max_power_w.min(i32::MAX as u32) as i32;
        if self.v2g && self.soc_ppm() > MIN_PPM { max } else { 0 }
    }

    /// The power that flows under a limit; a negative limit asks the car to feed back.
    pub fn power_w(&self, limit_w: i32) -> i32 {
        limit_w.clamp(-self.discharge_w(), self.accept_w())
    }

    /// Meters a time at constant power.
    pub fn flow(&mut self, power_w: i32, us: u64) {
        let uj = (i128::from(power_w) * i128::from(us)).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        if uj >= 0 {
            self.charged_uj += uj;
        } else {
            self.discharged_uj -= uj;
        }
    }

    /// First µs from now at which the accepted power changes if this power goes on.
    pub fn next_change_us(&self, power_w: i32) -> Option<u64> {
        if power_w <= 0 {
            return if power_w < 0 { self.empty_us(power_w) } else { None };
        }
        let next = [800_000, 900_000, 1_000_000].into_iter().find(|ppm| self.soc_ppm() < *ppm)?;
        // Smallest charged with ⌊charged·η/10^6⌋ ≥ what is missing, where stored·10^6/capacity reaches the threshold.
        let stored = (i128::from(next) * self.capacity_uj() + MILLION - 1) / MILLION;
        let lost = self.stored_uj() as i128 - (i128::from(self.charged_uj) * i128::from(self.eta_ppm) / MILLION);
        let eta = i128::from(self.eta_ppm.max(1));
        let charged = ((stored - lost) * MILLION + eta - 1) / eta;
        let missing = (charged - i128::from(self.charged_uj)).max(1);
        let power = i128::from(power_w);
        u64::try_from((missing + power - 1) / power).ok()
    }

    /// First µs from now at which the floor is reached if this (negative) power goes on.
    fn empty_us(&self, power_w: i32) -> Option<u64> {
        // The most that may be stored at the floor, and the least ⌈discharged·10^6/η⌉ that leads there.
        let floor = (i128::from(MIN_PPM + 1) * self.capacity_uj() + MILLION - 1) / MILLION - 1;
        let eta = i128::from(self.eta_ppm.max(1));
        let gained = i128::from(self.charged_uj) * eta / MILLION;
        let lost = i128::from(self.initial_uj) + gained - floor;
        let discharged = (lost - 1).max(0) * eta / MILLION + 1;
        let missing = (discharged - i128::from(self.discharged_uj)).max(1);
        let power = i128::from(power_w).abs();
        u64::try_from((missing + power - 1) / power).ok()
    }
}

/// Energy that flowed while one price was in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    pub price: Price,
    pub charged_uj: i64,
    pub discharged_uj: i64,
}

/// ⌊(Σ (E·price − D·feedIn) + K/2) / K⌋ in minor currency units, rounded once.
pub fn total(shares: &[Share]) -> i64 {
    let sum: i128 = shares
        .iter()
        .map(|s| {
            i128::from(s.charged_uj) * i128::from(s.price.price)
                - i128::from(s.discharged_uj) * i128::from(s.price.feed_in)
        })
        .sum();
    (sum + PRICE_UNIT / 2).div_euclid(PRICE_UNIT) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kilowatt_hour_costs_its_price() {
        let price = Price { start: 0, price: 31_500, feed_in: 8_000 };
        let share = |charged_uj, discharged_uj| Share { price, charged_uj, discharged_uj };
        assert_eq!(total(&[share(1000 * UJ_PER_WH, 0)]), 32, "31.5 cent, half up");
        assert_eq!(total(&[share(10_000 * UJ_PER_WH, 0)]), 315);
        assert_eq!(total(&[share(0, 1000 * UJ_PER_WH)]), -8);
        assert_eq!(total(&[]), 0);
    }

    #[test]
    fn power_falls_at_the_first_microsecond_of_each_threshold() {
        let mut battery = Battery::new(40_000, 790_000, 7_400);
        assert_eq!(battery.power_w(11_000), 7_400);
        for half in [7_400 / 2, 7_400 / 4, 0] {
            let power = battery.power_w(i32::MAX);
            let us = battery.next_change_us(power).unwrap();
            let mut before = battery;
            before.flow(power, us - 1);
            assert_eq!(before.power_w(i32::MAX), power);
            battery.flow(power, us);
            assert_eq!(battery.power_w(i32::MAX), half);
        }
        assert!(i128::from(battery.stored_uj()) <= battery.capacity_uj() + 7_400);
        assert_eq!(battery.next_change_us(0), None);
    }

    #[test]
    fn a_car_feeds_back_down_to_its_floor_and_only_if_it_allows_it() {
        let shy = Battery::new(40_000, 350_000, 7_400);
        assert_eq!(shy.power_w(-11_000), 0);
        let mut battery = shy.feeding_back(true);
        assert_eq!(battery.power_w(-11_000), -7_400);
        battery.flow(7_400, 1_234_567_890);
        let us = battery.next_change_us(-7_400).unwrap();
        let mut before = battery;
        before.flow(-7_400, us - 1);
        assert_eq!(before.power_w(-11_000), -7_400);
        battery.flow(-7_400, us);
        assert_eq!((battery.power_w(-11_000), battery.soc_ppm()), (0, MIN_PPM));
    }
}
