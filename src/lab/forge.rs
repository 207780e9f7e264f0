//! A sender that cheats: it follows the scheme (CLMMSC.md §5) but for the one thing a case or an attack is about.

use super::people::{CREATED, People, TTL, scalar};
use crate::clmmsc::hash::{h32, h64, hs, label};
use crate::clmmsc::params::SUITE;
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::signcrypt::{entry_keys, kem};
use crate::clmmsc::verify::{context, leaf_hash, node_hash};
use crate::clmmsc::wire::{CONTEXT, MAGIC, SIGNED, TAG, VERSION};
use crate::clmmsc::{Class, Error, Flow, KeyPair, PublicRecord, Record, Role, aead, group, merkle};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

/// Plaintext bytes of a forged entry.
const L: usize = 64;

/// A record that somebody shows, beside the secret they sign with; the two need not belong together.
#[derive(Clone, Copy)]
pub struct Hand {
    pub record: Record,
    pub secret: Scalar,
}

impl Hand {
    /// An honest one.
    pub fn of(pair: &KeyPair) -> Hand {
        Hand { record: *pair.record(), secret: *pair.sk() }
    }
}

/// What the sender does differently; `default()` is an honest σ of flow 1 that says "go".
#[derive(Default)]
pub struct Trick {
    pub flow: Option<Flow>,
    /// At most 12 bytes.
    pub message: Option<&'static str>,
    /// The outer record and its secret.
    pub ticket: Option<Hand>,
    /// The record in the capsule and the secret that makes α.
    pub sender: Option<Hand>,
    /// T as it stands in the header, its logarithm unknown: the outer key is then the ticket's alone.
    pub shown_t: Option<[u8; 32]>,
    /// f inside the entry.
    pub f: Option<[u8; 32]>,
    /// Length field inside the entry.
    pub len: Option<u32>,
    /// A non-zero byte in the padding.
    pub padding: bool,
    /// A flipped bit in the entry's ciphertext, under the signed root.
    pub entry: bool,
    /// The capsule is closed under another key.
    pub capsule: bool,
    /// α over another root.
    pub alpha: bool,
    /// Entries in the wrong order, under a root over that order.
    pub order: bool,
}

impl Trick {
    /// The entry for one receiver.
    fn entry(&self, ctx: &[u8; 32], t: &Scalar, ks: &[u8; 16], to: &PublicRecord) -> Vec<u8> {
        let (tag, ke) = entry_keys(&kem(ctx, &to.rid, &group::enc(&(t * to.pk))));
        let message = self.message.unwrap_or("go");
        let mut plain = ks.to_vec();
        plain.extend(self.f.unwrap_or(to.record.f()));
        plain.extend(self.len.unwrap_or(message.len() as u32).to_le_bytes());
        plain.extend(message.bytes());
        plain.resize(L, 0);
        if self.padding {
            plain[L - 1] = 1;
        }
        let mut entry = tag.to_vec();
        entry.extend(aead::seal(&ke, &plain));
        if self.entry {
            entry[TAG] ^= 1;
        }
        entry
    }
}

impl People {
    /// A σ for the named receivers.
    pub fn forge(&mut self, receivers: &[&str], trick: &Trick) -> Result<Vec<u8>, Error> {
        let to: Result<Vec<PublicRecord>, Error> =
            receivers.iter().map(|to| Ok(self.pair(to)?.public().clone())).collect();
        self.forge_to(&to?, trick)
    }

    /// A σ for receivers as they are published.
    pub fn forge_to(&mut self, receivers: &[PublicRecord], trick: &Trick) -> Result<Vec<u8>, Error> {
        let flow = trick.flow.unwrap_or(Flow::COMMAND);
        self.person("csc", Class::Id, Role::Csc)?;
        let name = format!("tk{}", self.uids);
        self.person(&name, Class::Ticket, Role::Csc)?;
        let ticket = trick.ticket.unwrap_or(Hand::of(self.pair(&name)?));
        let sender = trick.sender.unwrap_or(Hand::of(self.pair("csc")?));
        let mut out = MAGIC.to_vec();
        out.extend([VERSION, SUITE, flow.code(), 0]);
        out.extend(self.epoch().to_le_bytes());
        out.extend(CREATED.to_le_bytes());
        out.extend(TTL.to_le_bytes());
        out.extend((receivers.len() as u32).to_le_bytes());
        out.extend((L as u32).to_le_bytes());
        let t = group::scal(&scalar(&mut self.rng))?;
        let (ks, other): ([u8; 16], [u8; 16]) = (self.bytes(), self.bytes());
        let rand: [u8; 32] = self.bytes();
        out.extend(trick.shown_t.unwrap_or(group::enc(&RistrettoPoint::mul_base(&t))));
        out.extend(ticket.record.0);
        let ctx = context(&self.params, &out[..CONTEXT]);

        let mut entries: Vec<Vec<u8>> = receivers.iter().map(|to| trick.entry(&ctx, &t, &ks, to)).collect();
        entries.sort();
        if trick.order {
            entries.reverse();
        }
        let leaves: Vec<[u8; 32]> = entries.iter().enumerate().map(|(j, e)| leaf_hash(&ctx, j as u32, e)).collect();
        let root = merkle::root(&leaves, &node_hash).ok_or(Error::Root)?;
        out.extend(root);

        let im = h64(label::IM, &[&ctx, if trick.alpha { &[0; 32] } else { &root }]);
        let inside = [&sender.record.0[..], &self.sign(Name::Inner, &sender, &im, &rand)].concat();
        let under = if trick.capsule { other } else { ks };
        out.extend(aead::seal(&h32(label::CAP, &[&under, &ctx]), &inside));

        let om = h64(label::OM, &[&self.params.id, &out[..SIGNED]]);
        let known = if trick.shown_t.is_some() { Scalar::ZERO } else { t };
        let outer = Hand { record: ticket.record, secret: ticket.secret + hs(label::BIND, &[&ctx]) * known };
        out.extend(self.sign(Name::Outer, &outer, &om, &rand));
        entries.iter().for_each(|entry| out.extend(entry));
        Ok(out)
    }

    /// Signs with any secret in the name of any record.
    pub fn sign(&self, name: Name, hand: &Hand, m: &schnorr::Message, rand: &[u8; 32]) -> schnorr::Signature {
        schnorr::sign_with(name, &hand.record.rid(&self.params), &hand.secret, &self.kf, m, rand)
    }
}
