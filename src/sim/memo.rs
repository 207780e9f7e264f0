//! Memory of verifications: the same signature or σ is checked once per process, not once per gateway (CONSENSUS.md
//! §4.6).
//!
//! A cache of pure functions. It changes how long a run takes and nothing else: virtual costs are charged all the same,
//! and every digest with it equals the one without (test).

use crate::clmmsc::Failure;
use crate::clmmsc::verify::VerifiedSigma;
use crate::entities::Memory;
use crate::entities::io::Vote;
use crate::ledger::{Digest, Secs};
use crate::pbft::Message;
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

/// Signatures by a part of themselves: one place each, and the newer takes it. A look-up compares the whole vote, so a
/// signature made to share a place costs its maker's victims a verification and nothing else.
#[derive(Clone, Debug, Default)]
struct Votes {
    places: Vec<Option<(Vote, bool)>>,
}

/// Places of [`Votes`]; a power of two.
const PLACES: usize = 1 << 14;

impl Votes {
    fn get_or(&mut self, vote: &Vote, check: &mut dyn FnMut() -> bool) -> bool {
        if self.places.is_empty() {
            self.places = vec![None; PLACES];
        }
        let part = vote.sig.0[32..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        let place = &mut self.places[part as usize % PLACES];
        match place {
            Some((known, valid)) if known == vote => *valid,
            _ => {
                let valid = check();
                *place = Some((*vote, valid));
                valid
            }
        }
    }
}

/// Digests of messages that many share, by address: one place each. What is kept here cannot be changed in place nor its
/// address be given to another, as it is shared.
#[derive(Clone, Debug, Default)]
struct Contents {
    places: Vec<Option<(Message, Digest)>>,
}

/// Places of [`Contents`]; a power of two.
const SHARED: usize = 1 << 10;

impl Contents {
    fn get_or(&mut self, of: &Message, hash: &mut dyn FnMut() -> Digest) -> Digest {
        let address = |message: &Message| match message {
            Message::ViewChange(vc) => Arc::as_ptr(vc).addr(),
            Message::NewView(nv) => Arc::as_ptr(nv).addr(),
            _ => 0,
        };
        let wanted = address(of);
        if wanted == 0 {
            return hash();
        }
        if self.places.is_empty() {
            self.places = vec![None; SHARED];
        }
        // Neighbouring allocations differ in their low bits, large ones only above them.
        let place = &mut self.places[(wanted >> 4 ^ wanted >> 14) % SHARED];
        match place {
            Some((kept, digest)) if address(kept) == wanted => *digest,
            _ => {
                let digest = hash();
                *place = Some((of.clone(), digest));
                digest
            }
        }
    }
}

/// The memory of one engine; branches share it.
#[derive(Clone, Debug)]
pub struct Memo {
    on: bool,
    votes: Votes,
    contents: Contents,
    stubs: Generations<Digest, bool>,
    sigmas: Generations<(Digest, u64), Result<VerifiedSigma, Failure>>,
}

impl Default for Memo {
    fn default() -> Self {
        Memo::new()
    }
}

impl Memo {
    pub const fn new() -> Self {
        let votes = Votes { places: Vec::new() };
        let contents = Contents { places: Vec::new() };
        Memo { on: true, votes, contents, stubs: Generations::empty(), sigmas: Generations::empty() }
    }

    /// Remembers nothing: every check is done anew.
    pub const fn off() -> Self {
        let mut memo = Memo::new();
        memo.on = false;
        memo
    }
}

impl Memory for Memo {
    fn vote(&mut self, vote: &Vote, check: &mut dyn FnMut() -> bool) -> bool {
        if self.on { self.votes.get_or(vote, check) } else { check() }
    }

    fn sigma(
        &mut self,
        leaf: &Digest,
        at: Secs,
        check: &mut dyn FnMut() -> Result<VerifiedSigma, Failure>,
    ) -> Result<VerifiedSigma, Failure> {
        if self.on { self.sigmas.get_or((*leaf, at.0), check) } else { check() }
    }

    fn stub(&mut self, leaf: &Digest, check: &mut dyn FnMut() -> bool) -> bool {
        if self.on { self.stubs.get_or(*leaf, check) } else { check() }
    }

    fn content(&mut self, of: &Message, hash: &mut dyn FnMut() -> Digest) -> Digest {
        if self.on { self.contents.get_or(of, hash) } else { hash() }
    }
}
