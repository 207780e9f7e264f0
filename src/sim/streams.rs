//! Named random streams: every draw in a run comes from one of these (CONSENSUS.md §4.2).
//!
//! A stream is a function of the seed, its label and two numbers, never of how many other streams exist or in which
//! order they are asked for: one more gateway leaves the keys and the luck of all others as they were.
//! Nothing here may read a source of randomness from outside.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use sha2::{Digest as _, Sha512};

/// What a stream is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Label {
    /// Long-term secrets of an actor.
    Keys,
    /// Nonces and challenges of an actor, in its order of use.
    Crypto,
    /// Fate of the messages on a directed link.
    Net,
    /// Free choices of a Byzantine behaviour.
    Adversary,
    /// The cars of a generated fleet; receivers and homes of a workload's ciphertexts.
    Workload,
    /// Options of a run that a seed decides altogether.
    Swarm,
}

impl Label {
    fn text(self) -> &'static str {
        match self {
            Label::Keys => "keys",
            Label::Crypto => "crypto",
            Label::Net => "net",
            Label::Adversary => "adversary",
            Label::Workload => "workload",
            Label::Swarm => "swarm",
        }
    }
}

/// All streams of one seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    pub const fn new(seed: u64) -> Self {
        Streams { seed }
    }

    /// The stream `label(a, b)` from its beginning; actors are numbered by [`crate::entities::actor::ActorId::code`].
    pub fn get(&self, label: Label, a: u32, b: u32) -> ChaCha8Rng {
        let hash = Sha512::new()
            .chain_update(b"voltcast/rng/1")
            .chain_update(self.seed.to_le_bytes())
            .chain_update(label.text())
            .chain_update(a.to_le_bytes())
            .chain_update(b.to_le_bytes())
            .finalize();
        let mut seed = [0; 32];
        seed.copy_from_slice(&hash[..32]);
        ChaCha8Rng::from_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng;

    fn first(streams: Streams, label: Label, a: u32, b: u32) -> u64 {
        streams.get(label, a, b).next_u64()
    }

    #[test]
    fn streams_differ_by_every_argument_and_repeat_by_all() {
        let s = Streams::new(7);
        let base = first(s, Label::Keys, 1, 2);
        assert_eq!(base, first(Streams::new(7), Label::Keys, 1, 2));
        assert_ne!(base, first(Streams::new(8), Label::Keys, 1, 2));
        assert_ne!(base, first(s, Label::Crypto, 1, 2));
        assert_ne!(base, first(s, Label::Keys, 2, 2));
        assert_ne!(base, first(s, Label::Keys, 1, 3));
    }
}
