//! A sender that cheats: it knows the scheme (CLMMSC.md §5, §6) and follows it but for the one thing a case or an attack is
//! about. [`Draft`] puts a σ together part by part, [`Trick`] names the usual faults.

use super::people::{CREATED, People, TTL, scalar};
use crate::clmmsc::hash::{h32, h64, hs, label};
use crate::clmmsc::params::SUITE;
use crate::clmmsc::schnorr::{self, Message, Name, Signature};
use crate::clmmsc::signcrypt::{entry_keys, kem};
use crate::clmmsc::verify::{context, leaf_hash, node_hash};
use crate::clmmsc::wire::{CONTEXT, MAGIC, SIGNED, TAG, VERSION};
use crate::clmmsc::{Class, Error, Flow, KeyPair, Params, PublicRecord, Record, Role, aead, group, merkle};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

/// Plaintext bytes of a forged entry.
const L: u32 = 64;

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

/// What an entry says: kS ‖ f ‖ length ‖ message, and zeros up to L.
pub fn plain(ks: &[u8; 16], f: &[u8; 32], message: &[u8], l: u32) -> Vec<u8> {
    let mut out = ks.to_vec();
    out.extend(f);
    out.extend((message.len() as u32).to_le_bytes());
    out.extend(message);
    out.resize(l as usize, 0);
    out
}

/// Fixed fields, T and ticket of a σ; entries, capsule and signature are to come.
pub struct Draft {
    pub head: Vec<u8>,
    pub ctx: [u8; 32],
    pub t: Scalar,
}

impl Draft {
    /// `n` receivers, L = `l`, T = t·P, made at [`CREATED`].
    #[cfg(feature = "attack-lab")]
    pub fn new(params: &Params, flow: Flow, (n, l): (u32, u32), t: Scalar, ticket: &Record) -> Draft {
        let big_t = group::enc(&RistrettoPoint::mul_base(&t));
        Draft::with_t(params, flow, (n, l), (t, &big_t), ticket)
    }

    /// The same with any 32 bytes for T.
    pub fn with_t(
        params: &Params,
        flow: Flow,
        (n, l): (u32, u32),
        (t, big_t): (Scalar, &[u8; 32]),
        ticket: &Record,
    ) -> Draft {
        let mut head = MAGIC.to_vec();
        head.extend([VERSION, SUITE, flow.code(), 0]);
        head.extend(params.epoch(CREATED).to_le_bytes());
        head.extend(CREATED.to_le_bytes());
        head.extend(TTL.to_le_bytes());
        head.extend(n.to_le_bytes());
        head.extend(l.to_le_bytes());
        head.extend(big_t);
        head.extend(ticket.0);
        let ctx = context(params, &head[..CONTEXT]);
        Draft { head, ctx, t }
    }

    /// k of a receiver.
    pub fn k(&self, to: &PublicRecord) -> [u8; 32] {
        kem(&self.ctx, &to.rid, &group::enc(&(self.t * to.pk)))
    }

    /// The entry of a receiver with this plaintext.
    pub fn entry(&self, to: &PublicRecord, plain: &[u8]) -> Vec<u8> {
        let (tag, ke) = entry_keys(&self.k(to));
        let mut entry = tag.to_vec();
        entry.extend(aead::seal(&ke, plain));
        entry
    }

    /// Merkle root over entries in the order given.
    pub fn root(&self, entries: &[Vec<u8>]) -> Result<[u8; 32], Error> {
        let leaves: Vec<_> = entries.iter().enumerate().map(|(j, e)| leaf_hash(&self.ctx, j as u32, e)).collect();
        merkle::root(&leaves, &node_hash).ok_or(Error::Root)
    }

    /// What α signs.
    pub fn inner(&self, root: &[u8; 32]) -> Message {
        h64(label::IM, &[&self.ctx, root])
    }

    /// A sender's record and α, sealed under kS.
    pub fn capsule(&self, ks: &[u8; 16], sender: &Record, alpha: &Signature) -> Vec<u8> {
        aead::seal(&h32(label::CAP, &[ks, &self.ctx]), &[&sender.0[..], alpha].concat())
    }

    /// The ticket with the outer signing key sk' + b·t.
    pub fn outer(&self, ticket: &Hand) -> Hand {
        Hand { record: ticket.record, secret: ticket.secret + hs(label::BIND, &[&self.ctx]) * self.t }
    }

    /// Signs with `outer` and puts everything together.
    #[cfg(feature = "attack-lab")]
    pub fn finish(
        self,
        people: &People,
        outer: &Hand,
        inside: ([u8; 32], &[u8]),
        entries: &[Vec<u8>],
        rand32: &[u8; 32],
    ) -> Vec<u8> {
        self.finish_as(people, (Name::Outer, outer), inside, entries, rand32)
    }

    /// The same with a signature under any name.
    fn finish_as(
        self,
        people: &People,
        (name, outer): (Name, &Hand),
        (root, capsule): ([u8; 32], &[u8]),
        entries: &[Vec<u8>],
        rand32: &[u8; 32],
    ) -> Vec<u8> {
        let mut out = self.head;
        out.extend(root);
        out.extend(capsule);
        let om = h64(label::OM, &[&people.params.id, &out[..SIGNED]]);
        out.extend(people.sign(name, outer, &om, rand32));
        entries.iter().for_each(|entry| out.extend(entry));
        out
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
    /// The name that α is made under.
    pub inner: Option<Name>,
    /// The name that the outer signature is made under.
    pub outer: Option<Name>,
    /// T as it stands in the header, and what the sender takes for its logarithm.
    pub shown_t: Option<([u8; 32], Scalar)>,
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
    fn entry(&self, draft: &Draft, ks: &[u8; 16], to: &PublicRecord) -> Vec<u8> {
        let message = self.message.unwrap_or("go");
        let mut inside = plain(ks, &self.f.unwrap_or(to.record.f()), message.as_bytes(), L);
        if let Some(len) = self.len {
            inside[48..52].copy_from_slice(&len.to_le_bytes());
        }
        if self.padding {
            inside[L as usize - 1] = 1;
        }
        let mut entry = draft.entry(to, &inside);
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
        let name = self.ticket(Role::Csc)?;
        let ticket = trick.ticket.unwrap_or(Hand::of(self.pair(&name)?));
        let sender = trick.sender.unwrap_or(Hand::of(self.pair("csc")?));
        let t = group::scal(&scalar(&mut self.rng))?;
        let (ks, other): ([u8; 16], [u8; 16]) = (self.bytes(), self.bytes());
        let rand: [u8; 32] = self.bytes();
        let (big_t, believed) = trick.shown_t.unwrap_or((group::enc(&RistrettoPoint::mul_base(&t)), t));
        let mut draft = Draft::with_t(&self.params, flow, (receivers.len() as u32, L), (t, &big_t), &ticket.record);

        let mut entries: Vec<Vec<u8>> = receivers.iter().map(|to| trick.entry(&draft, &ks, to)).collect();
        entries.sort();
        if trick.order {
            entries.reverse();
        }
        let root = draft.root(&entries)?;
        let im = draft.inner(if trick.alpha { &[0; 32] } else { &root });
        let alpha = self.sign(trick.inner.unwrap_or(Name::Inner), &sender, &im, &rand);
        let capsule = draft.capsule(if trick.capsule { &other } else { &ks }, &sender.record, &alpha);
        draft.t = believed;
        let (name, outer) = (trick.outer.unwrap_or(Name::Outer), draft.outer(&ticket));
        Ok(draft.finish_as(self, (name, &outer), (root, &capsule), &entries, &rand))
    }

    /// Signs with any secret in the name of any record.
    pub fn sign(&self, name: Name, hand: &Hand, m: &Message, rand: &[u8; 32]) -> Signature {
        schnorr::sign_with(name, &hand.record.rid(&self.params), &hand.secret, &self.kf, m, rand)
    }
}
