//! Honest post to attack, and how it is verified and read with whatever an attacker holds.

use crate::clmmsc::open::{EntryKey, Opened, Pinned, Receiver, open};
use crate::clmmsc::signcrypt::{entry_keys, kem};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::wire::TAG;
use crate::clmmsc::{Error, Failure, Flow, Params, PublicRecord, Record, aead, group};
use crate::lab::people::People;
use curve25519_dalek::ristretto::RistrettoPoint;
use std::collections::BTreeSet;

impl People {
    /// An honest σ of the flow's usual sender.
    pub fn send(&mut self, flow: Flow, to: &[(PublicRecord, &str)]) -> Result<Vec<u8>, Error> {
        let to: Vec<(PublicRecord, &[u8])> = to.iter().map(|(to, text)| (to.clone(), text.as_bytes())).collect();
        Ok(self.post_to(flow, &to, 64, 0)?.made.bytes)
    }

    /// A receiver with a person's record, empty caches and these senders pinned, not plugged in, does `what`.
    pub fn receiving<T>(&self, name: &str, pinned: &[&str], what: impl FnOnce(&Receiver<'_>) -> T) -> Result<T, Error> {
        let set: Result<BTreeSet<_>, Error> = pinned.iter().map(|name| Ok(self.pair(name)?.public().rid)).collect();
        let (record, set) = (self.record(name)?, set?);
        Ok(what(&Receiver {
            record: &record,
            pinned: Pinned::Set(&set),
            since: 0,
            nullifiers: &|_| None,
            opened: &|_, _| false,
        }))
    }

    /// R1–R10 for a person's record under some k; the CSC is pinned.
    pub fn open_under(
        &self,
        sigma: &VerifiedSigma,
        name: &str,
        k: &EntryKey,
    ) -> Result<Result<Opened, Failure>, Error> {
        self.receiving(name, &["csc"], |who| open(&self.params, sigma, who, k))
    }

    /// The same under the person's own k.
    pub fn open(&self, sigma: &VerifiedSigma, name: &str) -> Result<Result<Opened, Failure>, Error> {
        self.open_under(sigma, name, &self.k(sigma, name)?)
    }
}

/// Opens as the holder of `record` with any key; every sender is believed in whose signature fits.
pub(super) fn read(params: &Params, sigma: &VerifiedSigma, record: &Record, k: &EntryKey) -> Result<Opened, Failure> {
    open(params, sigma, &receiver(record), k)
}

/// The holder of `record`, who remembers nothing and believes every sender.
pub(super) fn receiver(record: &Record) -> Receiver<'_> {
    Receiver { record, pinned: Pinned::Any, since: 0, nullifiers: &|_| None, opened: &|_, _| false }
}

/// How many entries decrypt under the entry's cipher key that follows from `k`, wherever they stand.
pub(super) fn decrypts(sigma: &VerifiedSigma, k: &EntryKey) -> usize {
    let (_, ke) = entry_keys(k.as_bytes());
    (0..sigma.header().n).filter(|j| aead::open(&ke, &sigma.entry(*j)[TAG..]).is_some()).count()
}

/// The entry key of a record, from what somebody takes for its Z.
pub(super) fn key_from(params: &Params, sigma: &VerifiedSigma, record: &Record, z: &RistrettoPoint) -> EntryKey {
    EntryKey::from_bytes(kem(sigma.head().context(), &record.rid(params), &group::enc(z)))
}

/// A message as evidence.
pub(super) fn text(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

/// The beginning of an id, for evidence.
pub(super) fn short(id: impl std::fmt::Display) -> String {
    id.to_string().chars().take(16).chain(['…']).collect()
}
