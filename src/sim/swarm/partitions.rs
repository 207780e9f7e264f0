//! Every way to split a small network between the bodies of twins (CONSENSUS.md §5.3): for each choice of who lives twice,
//! for each view from 0 on, and for each other gateway, that it hears the first body, the second, or both. After the named
//! views everybody hears everybody, so that what is left must finish.

use super::options::{gateway, quick};
use crate::sim::adversary::{BehaviourKind, Split};
use crate::sim::intervention::Behave;
use crate::sim::network::Latency;
use crate::sim::scenario::{Scenario, ScenarioError};
use crate::sim::units::Dur;

/// An enumeration is at most so long (CONSENSUS.md §5.3).
const MOST: u64 = 100_000;
const LETTERS: [char; 3] = ['a', 'b', 'x'];
/// Sets of gateways are drawn from the bits of one word.
const MOST_GATEWAYS: u16 = 16;

/// All scenarios of so many twins among so many gateways.
#[derive(Clone, Debug)]
pub struct Partitions {
    n: u16,
    /// Who lives twice: the sets, bit by gateway.
    sets: Vec<u32>,
    views: u32,
    /// Scenarios of one set.
    each: u64,
}

impl Partitions {
    /// With as many views as the bound allows; `None` if not even one fits it.
    pub fn new(n: u16, twins: u16) -> Option<Self> {
        if !(1..=MOST_GATEWAYS).contains(&n) || !(1..=n).contains(&twins) {
            return None;
        }
        let sets: Vec<u32> = (0..1 << n).filter(|set: &u32| set.count_ones() == u32::from(twins)).collect();
        let per_view = 3u64.checked_pow(u32::from(twins) * u32::from(n - 1))?;
        let fits = |views: &u32| {
            let each = per_view.checked_pow(*views).filter(|each| each.saturating_mul(sets.len() as u64) <= MOST);
            each.map(|each| (*views, each))
        };
        let (views, each) = (1..=16).map_while(|views| fits(&views)).last()?;
        Some(Partitions { n, sets, views, each })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.each * self.sets.len() as u64
    }

    /// For how many views the split is named.
    pub fn views(&self) -> u32 {
        self.views
    }

    /// The scenario of a number, counted from 0; its name says who hears which body in which view.
    ///
    /// # Errors
    /// If `n` is out of bounds, or the number is.
    pub fn scenario(&self, number: u64) -> Result<Scenario, ScenarioError> {
        let set = usize::try_from(number / self.each).ok().and_then(|at| self.sets.get(at)).copied();
        let beyond = || ScenarioError { place: None, sentence: format!("there are {} scenarios", self.count()) };
        let (set, mut rest) = (set.ok_or_else(beyond)?, number % self.each);
        let mut s = quick(String::new(), number, self.n)?;
        s.workload.count = 2;
        s.workload.every = Dur::ms(40);
        s.network.latency = Latency::Uniform(Dur::ms(5), Dur::ms(45));
        let mut name = String::from("twins");
        for twin in (0..self.n).filter(|twin| set >> twin & 1 == 1) {
            let hears: Vec<Split> = (0..self.views).filter_map(|_| Split::parse(&self.word(twin, &mut rest))).collect();
            let node = gateway(u64::from(twin));
            let words: Vec<String> = hears.iter().map(Split::to_string).collect();
            name.push_str(&format!(" {node} {}", words.join(" ")));
            s.behaviour.push(Behave { hears, ..Behave::always(node, BehaviourKind::Twins) });
        }
        s.name = name;
        s.checked()
    }

    /// Takes a digit of three for each gateway but the twin itself.
    fn word(&self, twin: u16, rest: &mut u64) -> String {
        let letter = |peer: u16| {
            if peer == twin {
                return '-';
            }
            let digit = *rest % 3;
            *rest /= 3;
            LETTERS[digit as usize]
        };
        (0..self.n).map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::swarm::Bench;
    use std::collections::BTreeSet;

    #[test]
    fn every_split_comes_once_and_the_count_is_exact() {
        let all = Partitions::new(4, 1).unwrap();
        assert_eq!((all.count(), all.views()), (4 * 27 * 27 * 27, 3));
        let stretch = (0..729).chain(all.count() - 729..all.count());
        let names: BTreeSet<String> = stretch.map(|number| all.scenario(number).unwrap().name).collect();
        assert_eq!(names.len(), 2 * 729);
        assert!(names.contains("twins css1 -aaa -aaa -aaa") && names.contains("twins css4 xxx- xxx- xxx-"));
        assert!(all.scenario(all.count()).is_err());
        assert_eq!(Partitions::new(4, 2).map(|two| (two.count(), two.views())), Some((6 * 729, 1)));
        assert!(
            Partitions::new(7, 2).is_none() && Partitions::new(4, 0).is_none() && Partitions::new(200, 1).is_none()
        );
    }

    #[test]
    fn two_twins_among_four_break_agreement_and_one_does_not() {
        let two = Partitions::new(4, 2).unwrap();
        let one = Partitions::new(4, 1).unwrap();
        let mut bench = Bench::default();
        let void = (0..729).find(|number| bench.run(&two.scenario(*number).unwrap()).unwrap().void);
        assert!(void.is_some(), "no split of css1 and css2 breaks agreement");
        for number in (0..one.count()).step_by(1_009) {
            let verdict = bench.run(&one.scenario(number).unwrap()).unwrap();
            assert!(verdict.failure.is_none() && !verdict.void, "scenario {number}: {:?}", verdict.failure);
        }
    }
}
