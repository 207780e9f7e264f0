//! Ciphertexts that somebody waits for on the chain (CONSENSUS.md §4.1, WORLD.md §4): the KGC for those that it routed, a CSC
//! for those that it ordered by, a pile for those that it acts on.
//!
//! Whoever waits looks again ever more rarely, until a block has the σ or it has died; what "again" means, its owner decides.

use super::io::{Io, TimerId};
use super::packet::Packet;
use crate::ledger::{Chain, Digest, Micros};
use std::collections::BTreeMap;

/// A σ is in a block that everybody knows after so many times t0 if no view changes; a follower then asks for what it missed.
pub const UNSEEN: u64 = 4;

/// From the last look before a σ dies to the one that gives it up: enough for an answer.
const LAST: u64 = 2_000_000;

#[derive(Clone, Debug)]
struct Waiting {
    /// What to send again, always the same bytes.
    packets: Vec<Packet>,
    at: Micros,
    wait: u64,
    /// Unix seconds.
    expires: u64,
}

#[derive(Clone, Default, Debug)]
pub struct Unstored(BTreeMap<Digest, Waiting>);

/// What has waited long enough.
#[derive(Default, Debug)]
pub struct Due {
    pub again: Vec<Packet>,
    pub dead: Vec<Digest>,
}

impl Unstored {
    pub fn has(&self, sigma: &Digest) -> bool {
        self.0.contains_key(sigma)
    }

    pub fn names(&self) -> impl Iterator<Item = &Digest> {
        self.0.keys()
    }

    /// Waits for σ, which lives until `expires` (unix seconds); the first look comes after `wait` µs.
    pub fn expect(
        &mut self,
        now: Micros,
        sigma: Digest,
        packets: Vec<Packet>,
        wait: u64,
        expires: u64,
        io: &mut Io<'_, '_>,
    ) {
        self.0.insert(sigma, Waiting { packets, at: now, wait, expires });
        self.watch(now, io);
    }

    fn watch(&self, now: Micros, io: &mut Io<'_, '_>) {
        match self.0.values().map(|waiting| waiting.at.0 + waiting.wait).min() {
            Some(next) => io.timer(TimerId::Stored, Micros(next.saturating_sub(now.0))),
            None => io.cancel(TimerId::Stored),
        }
    }

    /// [`TimerId::Stored`]: each wait doubles, up to `most` µs, but the last look comes when σ dies.
    pub fn due(&mut self, now: Micros, unix: u64, most: u64, io: &mut Io<'_, '_>) -> Due {
        let mut due = Due::default();
        self.0.retain(|sigma, waiting| {
            let late = waiting.at.0 + waiting.wait <= now.0;
            if late && waiting.expires < unix {
                due.dead.push(*sigma);
                return false;
            }
            if late {
                due.again.extend(waiting.packets.iter().cloned());
                let left = waiting.expires.saturating_sub(unix).saturating_mul(1_000_000);
                (waiting.at, waiting.wait) = (now, (waiting.wait * 2).min(most).min(left).max(LAST));
            }
            true
        });
        self.watch(now, io);
        due
    }

    /// Forgets what the chain has.
    pub fn settle(&mut self, now: Micros, chain: &Chain, io: &mut Io<'_, '_>) {
        let before = self.0.len();
        self.0.retain(|sigma, _| chain.find(sigma).is_none());
        if self.0.len() < before {
            self.watch(now, io);
        }
    }
}
