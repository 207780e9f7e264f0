//! A σ made by hand from pieces of one's own and pieces of others, tied together as §5 says or more loosely.

use crate::clmmsc::open::inner_digest;
use crate::clmmsc::schnorr::{self, Message, Name, Signature};
use crate::clmmsc::verify::context;
use crate::clmmsc::weak::unbound;
use crate::clmmsc::wire::{CONTEXT, ENTRY_EXTRA, HEADER, SIGNED};
use crate::clmmsc::{Class, Error, Flow, Params, Record, Role, group};
use crate::lab::forge::{Draft, Hand, plain};
use crate::lab::people::{People, scalar};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use std::sync::Arc;

/// The cars of an experiment, and what the company tells them.
pub(super) const CARS: [&str; 3] = ["ev0", "ev1", "ev2"];
pub(super) const ORDERS: [&[u8]; 3] = [b"stop charging", b"charge 7 kW", b"charge 11 kW"];
/// Plaintext bytes that hold any of these messages.
pub(super) const L: u32 = 96;

/// How the parts of a σ are tied to each other.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ties {
    /// As §5 says.
    Scheme,
    /// Entries know nothing of the ticket, the outer key is the ticket's alone.
    EncryptThenSign,
    /// α leaves out the root.
    AlphaOverContext,
    /// α leaves out everything.
    AlphaOverNothing,
    /// Neither α nor the outer signature covers the root.
    RootUnsigned,
}

impl Ties {
    /// What α signs.
    pub fn inner(self) -> fn(&[u8; 32], &[u8; 32]) -> Message {
        match self {
            Ties::Scheme | Ties::EncryptThenSign => inner_digest,
            Ties::AlphaOverContext | Ties::RootUnsigned => unbound::over_context,
            Ties::AlphaOverNothing => unbound::over_nothing,
        }
    }
}

/// What the builder of a σ has: t, kS, a ticket by its name.
#[derive(Clone, Copy)]
pub(super) struct Build<'a> {
    pub t: Scalar,
    /// Another T than t·P.
    pub copied: Option<[u8; 32]>,
    pub ks: [u8; 16],
    pub ticket: &'a str,
    pub ties: Ties,
}

impl Build<'_> {
    pub fn draft(&self, people: &People) -> Result<Draft, Error> {
        let (ticket, size) = (people.record(self.ticket)?, (CARS.len() as u32, L));
        let big_t = self.copied.unwrap_or_else(|| group::enc(&RistrettoPoint::mul_base(&self.t)));
        let mut draft = Draft::with_t(&people.params, Flow::COMMAND, size, (self.t, &big_t), &ticket);
        if self.ties == Ties::EncryptThenSign {
            draft.ctx = unbound::context(&people.params, &draft.head);
        }
        Ok(draft)
    }

    /// Entries for [`CARS`] in the order of their tags.
    pub fn entries(&self, people: &People, draft: &Draft, messages: &[&[u8]; 3]) -> Result<Vec<Vec<u8>>, Error> {
        let each = CARS.iter().zip(messages).map(|(name, message)| {
            let to = people.pair(name)?.public();
            Ok(draft.entry(to, &plain(&self.ks, &to.record.f(), message, L)))
        });
        let mut list = each.collect::<Result<Vec<_>, Error>>()?;
        list.sort();
        Ok(list)
    }

    /// α of a sender over these entries.
    pub fn alpha(
        &self,
        people: &mut People,
        draft: &Draft,
        sender: &str,
        entries: &[Vec<u8>],
    ) -> Result<Signature, Error> {
        let (rand, root) = (people.bytes(), draft.root(entries)?);
        Ok(schnorr::sign(Name::Inner, people.pair(sender)?, &self.ties.inner()(&draft.ctx, &root), &rand))
    }

    /// Seals record and α, signs and joins; entries and α may come from anywhere.
    pub fn finish(
        &self,
        people: &mut People,
        draft: Draft,
        (sender, alpha): (&Record, &Signature),
        entries: &[Vec<u8>],
    ) -> Result<Arc<[u8]>, Error> {
        let capsule = draft.capsule(&self.ks, sender, alpha);
        self.finish_sealed(people, draft, &capsule, entries)
    }

    /// The same around a capsule that is already sealed.
    pub fn finish_sealed(
        &self,
        people: &mut People,
        draft: Draft,
        capsule: &[u8],
        entries: &[Vec<u8>],
    ) -> Result<Arc<[u8]>, Error> {
        let rand = people.bytes();
        let ticket = Hand::of(people.pair(self.ticket)?);
        let outer = if self.ties == Ties::EncryptThenSign { ticket } else { draft.outer(&ticket) };
        let root = draft.root(entries)?;
        let mut bytes = draft.finish(people, &outer, (root, capsule), entries, &rand);
        if self.ties == Ties::RootUnsigned {
            let signed = people.sign(Name::Outer, &outer, &unbound::without_root(&people.params, &bytes), &rand);
            bytes[SIGNED..HEADER].copy_from_slice(&signed);
        }
        Ok(bytes.into())
    }
}

/// A σ of the CSC and all that its sender knows; a receiver knows kS, the record and α of it.
pub(super) struct Victim {
    pub bytes: Arc<[u8]>,
    pub t: Scalar,
    pub ks: [u8; 16],
    pub sender: Record,
    pub alpha: Signature,
    pub ticket: String,
}

impl Victim {
    /// [`ORDERS`] to [`CARS`].
    pub fn new(people: &mut People, ties: Ties) -> Result<Victim, Error> {
        CARS.iter().try_for_each(|name| people.person(name, Class::Id, Role::Ev))?;
        people.person("csc", Class::Id, Role::Csc)?;
        let (ticket, t, ks) = (people.ticket(Role::Csc)?, group::scal(&scalar(&mut people.rng))?, people.bytes());
        let build = Build { t, copied: None, ks, ticket: &ticket, ties };
        let draft = build.draft(people)?;
        let list = build.entries(people, &draft, &ORDERS)?;
        let (sender, alpha) = (people.record("csc")?, build.alpha(people, &draft, "csc", &list)?);
        let bytes = build.finish(people, draft, (&sender, &alpha), &list)?;
        Ok(Victim { bytes, t, ks, sender, alpha, ticket })
    }

    pub fn entries(&self) -> Vec<Vec<u8>> {
        entries(&self.bytes)
    }
}

/// Other entries in a σ whose root nobody signed, under the root that fits them.
pub(super) fn reroot(params: &Params, bytes: &[u8], entries: &[Vec<u8>]) -> Result<Arc<[u8]>, Error> {
    let ctx = context(params, &bytes[..CONTEXT]);
    let draft = Draft { head: bytes[..CONTEXT].to_vec(), ctx, t: Scalar::ZERO };
    let root = draft.root(entries)?;
    Ok([&draft.head[..], &root, &bytes[CONTEXT + 32..HEADER], &entries.concat()].concat().into())
}

/// The entries of a σ of size [`L`].
pub(super) fn entries(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes[HEADER..].chunks(ENTRY_EXTRA + L as usize).map(<[u8]>::to_vec).collect()
}
