//! A fleet drawn from the seed instead of listed (WORLD.md §9).

use super::{Car, Scenario};
use crate::sim::streams::{Label, Streams};
use crate::sim::units::{Dur, Ratio};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

/// A group of cars; each value is drawn uniformly from its range, both ends included, times in whole seconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    pub count: u16,
    pub arrive: [Dur; 2],
    /// From arrival to departure, time in the queue included.
    pub stay: [Dur; 2],
    pub capacity_wh: [u32; 2],
    pub soc: [u32; 2],
    pub target: [u32; 2],
    pub max_power_w: [u32; 2],
    /// How many cars let energy flow back.
    #[serde(default = "nobody")]
    pub v2g: Ratio,
}

fn nobody() -> Ratio {
    Ratio::ZERO
}

fn draw(rng: &mut ChaCha8Rng, [low, high]: [u32; 2]) -> u32 {
    let range = u64::from(high.saturating_sub(low)) + 1;
    low + ((u64::from(rng.next_u32()) * range) >> 32) as u32
}

fn seconds(rng: &mut ChaCha8Rng, [low, high]: [Dur; 2]) -> Dur {
    let whole = |d: Dur| (d.0 / 1_000_000) as u32;
    Dur::secs(draw(rng, [whole(low), whole(high)]).into())
}

impl Generate {
    /// The cars in the order in which they are drawn; piles come later.
    fn cars(&self, rng: &mut ChaCha8Rng) -> Vec<Car> {
        let car = |_| {
            let arrive = seconds(rng, self.arrive);
            let depart = Dur(arrive.0 + seconds(rng, self.stay).0);
            Car {
                arrive,
                depart,
                capacity_wh: draw(rng, self.capacity_wh),
                soc: draw(rng, self.soc),
                target: draw(rng, self.target),
                max_power_w: draw(rng, self.max_power_w),
                v2g: draw(rng, [1, self.v2g.den]) <= self.v2g.num,
                pile: 0,
                sleeps: false,
                again: Vec::new(),
            }
        };
        (0..self.count).map(car).collect()
    }
}

/// All generated cars of a scenario. They take the piles in turn, in the order in which they come.
pub(super) fn fleet(s: &Scenario) -> Vec<Car> {
    let mut rng = Streams::new(s.seed).get(Label::Workload, 0, 0);
    let mut cars: Vec<Car> = s.fleet.generate.iter().flat_map(|group| group.cars(&mut rng)).collect();
    let mut order: Vec<usize> = (0..cars.len()).collect();
    order.sort_by_key(|at| (cars[*at].arrive, *at));
    for (rank, at) in order.into_iter().enumerate() {
        cars[at].pile = (rank % usize::from(s.entities.cp.max(1))) as u16 + 1;
    }
    cars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_follows_from_the_seed_and_keeps_its_ranges() {
        let mut s = Scenario::preset("day4").unwrap();
        s.fleet.ev.clear();
        s.fleet.generate = vec![Generate {
            count: 40,
            arrive: [Dur::secs(2), Dur::minutes(10)],
            stay: [Dur::minutes(5), Dur::minutes(6)],
            capacity_wh: [40_000, 80_000],
            soc: [100_000, 500_000],
            target: [800_000, 800_000],
            max_power_w: [7_400, 22_000],
            v2g: Ratio { num: 1, den: 2 },
        }];
        let cars = fleet(&s);
        assert_eq!(cars, fleet(&s));
        assert_ne!(cars, fleet(&s.clone().with_seed(8)));
        for car in &cars {
            assert!((2..=600).contains(&(car.arrive.0 / 1_000_000)) && car.target == 800_000);
            assert!((300..=360).contains(&((car.depart.0 - car.arrive.0) / 1_000_000)));
            assert!((40_000..=80_000).contains(&car.capacity_wh) && (1..=4).contains(&car.pile));
        }
        let willing = cars.iter().filter(|car| car.v2g).count();
        assert!((10..=30).contains(&willing), "{willing}");
        assert!((1..=4).all(|pile| cars.iter().filter(|car| car.pile == pile).count() == 10));
    }
}
