//! How many voices decide (CONSENSUS.md §2.1): the intersection quorum, for every n and not only for n = 3f+1.
//!
//! This is the only file that may do arithmetic on n and f.

use super::types::{ReplicaId, View};
use crate::mutants::mutant;

/// Sizes of quorums among `n` replicas of which at most `f` are faulty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quorum {
    n: u16,
    f: u16,
}

/// Why a number of replicas is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QuorumError {
    #[error("agreement needs at least 4 gateways")]
    TooFew,
    #[error("at most 128 gateways are supported")]
    TooMany,
}

impl Quorum {
    /// Largest supported n: the bits of a [`ReplicaSet`].
    pub const MAX: u16 = 128;

    /// # Errors
    /// Fewer than 4 or more than 128 replicas.
    pub fn new(n: u16) -> Result<Self, QuorumError> {
        match n {
            0..=3 if !mutant!("small-n") => Err(QuorumError::TooFew),
            0..=Self::MAX => Ok(Quorum { n, f: n.saturating_sub(1) / 3 }),
            _ => Err(QuorumError::TooMany),
        }
    }

    pub fn n(self) -> u16 {
        self.n
    }

    /// Tolerated number of faulty replicas, ⌊(n−1)/3⌋.
    pub fn f(self) -> u16 {
        self.f
    }

    /// q = ⌈(n+f+1)/2⌉: two strong quorums share a correct replica.
    pub fn strong(self) -> u16 {
        if mutant!("quorum-2f1") { self.f + self.f + 1 } else { (self.n + self.f + 2) / 2 }
    }

    /// f+1: at least one of them is correct.
    pub fn weak(self) -> u16 {
        self.f + 1
    }

    /// PREPAREs that, with the pre-prepare, make a strong quorum: q − 1.
    pub fn prepares(self) -> u16 {
        if mutant!("prepare-2f1") { self.strong() } else { self.strong() - 1 }
    }

    /// The least number of liars that can fork: the overlap of two strong quorums.
    pub fn breaking(self) -> u16 {
        self.strong() + self.strong() - self.n
    }

    /// The replica that leads a view.
    pub fn primary(self, view: View) -> ReplicaId {
        ReplicaId((view.0 % u64::from(self.n)) as u16)
    }

    /// All replicas in order.
    pub fn all(self) -> impl Iterator<Item = ReplicaId> {
        (0..self.n).map(ReplicaId)
    }
}

/// A set of replicas as a bit map.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ReplicaSet(pub u128);

impl ReplicaSet {
    /// Adds a replica; `false` if it was already in the set or cannot be in any.
    pub fn insert(&mut self, who: ReplicaId) -> bool {
        let Some(bit) = 1u128.checked_shl(u32::from(who.0)) else { return false };
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }

    pub fn contains(self, who: ReplicaId) -> bool {
        1u128.checked_shl(u32::from(who.0)).is_some_and(|bit| self.0 & bit != 0)
    }

    pub fn count(self) -> u16 {
        self.0.count_ones() as u16
    }

    pub fn iter(self) -> impl Iterator<Item = ReplicaId> {
        (0..Quorum::MAX).map(ReplicaId).filter(move |r| self.contains(*r))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_table() {
        let rows = [(4, 1, 3), (5, 1, 4), (6, 1, 4), (7, 2, 5), (8, 2, 6), (9, 2, 6), (10, 3, 7), (13, 4, 9)];
        for (n, f, q) in rows.into_iter().chain([(31, 10, 21), (100, 33, 67)]) {
            let quorum = Quorum::new(n).unwrap();
            assert_eq!((quorum.f(), quorum.strong()), (f, q), "n = {n}");
        }
    }

    #[test]
    fn facts_q1_to_q5_hold_for_all_n() {
        for n in 4..=128 {
            let quorum = Quorum::new(n).unwrap();
            let (f, q) = (quorum.f(), quorum.strong());
            assert!(q + q - n > f, "Q1 at {n}");
            assert!(q <= n - f, "Q2 at {n}");
            assert!(q - f > f, "Q3 at {n}");
            let literal = f + f + 1;
            assert_eq!(literal + literal < n + f + 1, n != 3 * f + 1, "Q4 at {n}");
            assert_eq!(quorum.breaking(), if n == 3 * f + 2 { f + 2 } else { f + 1 }, "Q5 at {n}");
        }
    }

    #[test]
    fn n_is_bounded() {
        assert_eq!(Quorum::new(3), Err(QuorumError::TooFew));
        assert_eq!(Quorum::new(129), Err(QuorumError::TooMany));
    }

    #[test]
    fn a_set_counts_each_replica_once() {
        let mut set = ReplicaSet::default();
        assert!(set.insert(ReplicaId(127)) && set.insert(ReplicaId(0)));
        assert!(!set.insert(ReplicaId(127)) && !set.insert(ReplicaId(128)));
        assert_eq!(set.count(), 2);
        assert_eq!(set.iter().collect::<Vec<_>>(), [ReplicaId(0), ReplicaId(127)]);
    }
}
