//! Honest post to attack, and how it is verified and read with whatever an attacker holds.

use crate::clmmsc::open::{EntryKey, Opened, Pinned, Receiver, open};
use crate::clmmsc::signcrypt::{Envelope, Item, kem, signcrypt};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::{Class, Error, Failure, Flow, Params, PublicRecord, Record, Ticket, group};
use crate::lab::people::{CREATED, NOW, People, TTL};
use curve25519_dalek::ristretto::RistrettoPoint;
use std::sync::Arc;

impl People {
    /// An honest σ of the flow's usual sender.
    pub fn send(&mut self, flow: Flow, to: &[(PublicRecord, &str)]) -> Result<Vec<u8>, Error> {
        let sender = self.sender(flow)?;
        let name = format!("tk{}", self.uids);
        self.person(&name, Class::Ticket, flow.sender())?;
        let ticket = Ticket::new(self.pair(&name)?.clone())?;
        let rand = self.bytes();
        let env = Envelope { flow, created: CREATED, ttl: TTL, floor: 64, pad_to: 0 };
        let items: Vec<Item<'_>> = to.iter().map(|(to, text)| Item { to, message: text.as_bytes() }).collect();
        Ok(signcrypt(&self.params, &env, self.pair(&sender)?, ticket, &items, &rand)?.bytes)
    }

    /// What a gateway says.
    pub fn gateway(&self, bytes: &[u8]) -> Result<VerifiedSigma, Failure> {
        VerifiedSigma::verify(&self.params, &Arc::from(bytes), NOW)
    }
}

/// Opens as the holder of `record` with any key; every sender is believed in whose signature fits.
pub(super) fn read(params: &Params, sigma: &VerifiedSigma, record: &Record, k: &EntryKey) -> Result<Opened, Failure> {
    let nothing_opened = |_: &_, _: &_| false;
    let who = Receiver { record, pinned: Pinned::Any, since: 0, nullifiers: &|_| None, opened: &nothing_opened };
    open(params, sigma, &who, k)
}

/// The entry key of a record, from what somebody takes for its Z.
pub(super) fn key_from(params: &Params, sigma: &VerifiedSigma, record: &Record, z: &RistrettoPoint) -> EntryKey {
    EntryKey::from_bytes(kem(sigma.head().context(), &record.rid(params), &group::enc(z)))
}

/// A message as evidence.
pub(super) fn text(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}
