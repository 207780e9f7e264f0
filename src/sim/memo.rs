//! Memory of verifications: the same signature or σ is checked once per process, not once per gateway (CONSENSUS.md
//! §4.6).
//!
//! A cache of pure functions. It changes how long a run takes and nothing else: virtual costs are charged all the same,
//! and every digest with it equals the one without (test).

use crate::clmmsc::Failure;
use crate::clmmsc::verify::VerifiedSigma;
use crate::entities::Memory;
use crate::ledger::Secs;
use sha2::{Digest as _, Sha512};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries per generation; the older generation is dropped when the newer one is full.
const GENERATION: usize = 32_768;

/// A map that forgets what was not asked for lately.
#[derive(Clone, Debug)]
struct Generations<K, V> {
    new: BTreeMap<K, V>,
    old: BTreeMap<K, V>,
}

impl<K: Ord + Clone, V: Clone> Generations<K, V> {
    const fn empty() -> Self {
        Generations { new: BTreeMap::new(), old: BTreeMap::new() }
    }

    fn get_or(&mut self, key: K, compute: impl FnOnce() -> V) -> V {
        if let Some(value) = self.new.get(&key) {
            return value.clone();
        }
        let value = self.old.remove(&key).unwrap_or_else(compute);
        if self.new.len() >= GENERATION {
            self.old = core::mem::take(&mut self.new);
        }
        self.new.insert(key, value.clone());
        value
    }
}

/// The memory of one engine; branches share it.
#[derive(Clone, Debug)]
pub struct Memo {
    on: bool,
    votes: Generations<[u8; 32], bool>,
    sigmas: Generations<([u8; 32], u64), Result<VerifiedSigma, Failure>>,
}

impl Default for Memo {
    fn default() -> Self {
        Memo::new()
    }
}

impl Memo {
    pub const fn new() -> Self {
        Memo { on: true, votes: Generations::empty(), sigmas: Generations::empty() }
    }

    /// Remembers nothing: every check is done anew.
    pub const fn off() -> Self {
        Memo { on: false, votes: Generations::empty(), sigmas: Generations::empty() }
    }
}

impl Memory for Memo {
    fn vote(&mut self, key: &[u8; 32], check: &mut dyn FnMut() -> bool) -> bool {
        if self.on { self.votes.get_or(*key, check) } else { check() }
    }

    fn sigma(
        &mut self,
        bytes: &Arc<[u8]>,
        at: Secs,
        check: &mut dyn FnMut() -> Result<VerifiedSigma, Failure>,
    ) -> Result<VerifiedSigma, Failure> {
        if !self.on {
            return check();
        }
        let mut key = [0; 32];
        key.copy_from_slice(&Sha512::digest(bytes)[..32]);
        self.sigmas.get_or((key, at.0), check)
    }
}
