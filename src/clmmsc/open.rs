//! Unsigncryption, split between the EV and the pile (paper §4.4, CLMMSC.md §8).
//!
//! Only the EV can compute Z = sk_i·T; it hands out k_i, good for one ciphertext and one record. The pile does the rest:
//! locates the entry, opens it, checks f_i' = f_i and the real sender.

use super::aead;
use super::check::{Check, Failure};
use super::error::Error;
use super::group;
use super::hash::{h64, label};
use super::keys::KeyPair;
use super::params::Params;
use super::payload::Delegated;
use super::reader::Reader;
use super::record::{Class, Record, RecordId, SigmaId};
use super::schnorr::{self, Message, Name};
use super::secret::Secret;
use super::signcrypt::{capsule_key, entry_keys, kem};
use super::verify::{VerifiedHeader, VerifiedSigma};
use super::wire::{PLAIN_EXTRA, TAG};
use curve25519_dalek::scalar::Scalar;
use std::collections::BTreeSet;
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// k_i: opens one entry of one σ for one record. Compared in constant time.
#[derive(Clone, ZeroizeOnDrop)]
pub struct EntryKey([u8; 32]);

impl EntryKey {
    /// From the body of a key release.
    pub fn from_bytes(bytes: [u8; 32]) -> EntryKey {
        EntryKey(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for EntryKey {
    fn eq(&self, other: &EntryKey) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for EntryKey {}

impl core::fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EntryKey(..)")
    }
}

/// E2 and E3 (R2 at the pile): role, validity and freshness of the addressed record. `since`: plug-in time, 0 if none.
fn check_receiver(params: &Params, head: &VerifiedHeader, rec: &Record, since: u64) -> Result<(), Error> {
    let header = head.header();
    if !rec.receives_as(header.flow.receiver()) {
        return Err(Error::RecordRole);
    }
    if !rec.valid_at(header.epoch) {
        return Err(Error::RecordValidity);
    }
    let fresh = header.created.saturating_add(params.policy.skew.into()) >= since;
    if fresh { Ok(()) } else { Err(Error::Stale) }
}

/// E2–E5 at the EV (§8.1). Cost: V + C. `answered` tells for which pile a σ_id was answered before; the caller
/// remembers (σ_id, pile) and only then sends k_i.
///
/// # Errors
/// [`Error::RecordRole`], [`Error::RecordValidity`] (E2), [`Error::Stale`] (E3), [`Error::Replay`] (E4).
pub fn release(
    params: &Params,
    head: &VerifiedHeader,
    key: &KeyPair,
    since: u64,
    pile: &RecordId,
    answered: impl Fn(&SigmaId) -> Option<RecordId>,
) -> Result<EntryKey, Failure> {
    check_receiver(params, head, key.record(), since)
        .map_err(|error| Failure { check: if error == Error::Stale { Check::E3 } else { Check::E2 }, error })?;
    if answered(&head.id()).is_some_and(|other| other != *pile) {
        return Err(Failure { check: Check::E4, error: Error::Replay });
    }
    Ok(decapsulate(head, key))
}

/// E5: Z = sk·T in constant time, k = H32("kem"; ctx, rid, enc(Z)); Z is erased. Cost: V + C.
pub fn decapsulate(head: &VerifiedHeader, key: &KeyPair) -> EntryKey {
    EntryKey(kem(head.context(), &key.public().rid, &shared(key.sk(), head)))
}

/// E5 by a pile that a sleeping car has lent the key of a session record to (§11.1).
///
/// # Errors
/// [`Error::ScalarEncoding`] if the lent key is no scalar.
pub fn decapsulate_lent(params: &Params, head: &VerifiedHeader, lent: &Delegated) -> Result<EntryKey, Error> {
    let sk = Zeroizing::new(group::scal(&lent.sk)?);
    Ok(EntryKey(kem(head.context(), &lent.record.rid(params), &shared(&sk, head))))
}

/// Z = sk·T, encoded, in constant time; erased on drop.
fn shared(sk: &Scalar, head: &VerifiedHeader) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(group::enc(&Zeroizing::new(sk * head.t())))
}

/// Which senders a receiver accepts (R9).
#[derive(Clone, Copy, Debug)]
pub enum Pinned<'a> {
    /// Any registered one (flow 5: the pile then pins it).
    Any,
    Set(&'a BTreeSet<RecordId>),
}

/// What a receiver remembers and expects.
pub struct Receiver<'a> {
    /// The addressed record.
    pub record: &'a Record,
    pub pinned: Pinned<'a>,
    /// Plug-in time in unix seconds, 0 if none.
    pub since: u64,
    /// Local nullifier cache.
    pub nullifiers: &'a dyn Fn(&RecordId) -> Option<SigmaId>,
    /// Was (σ_id, rid) opened before?
    pub opened: &'a dyn Fn(&SigmaId, &RecordId) -> bool,
}

/// Where the entry was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Located {
    pub index: u32,
    /// Comparisons of the binary search.
    pub comparisons: u32,
}

/// An opened and authenticated entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    pub located: Located,
    pub sender: Record,
    pub sender_rid: RecordId,
    pub f: [u8; 32],
    pub message: Secret<Vec<u8>>,
}

/// R4: binary search for the tag derived from k (§8.2); at most ⌈log2 n⌉ + 1 comparisons.
///
/// # Errors
/// [`Error::NotAReceiver`].
pub fn locate(sigma: &VerifiedSigma, k: &EntryKey) -> Result<Located, Failure> {
    let (tag, _) = entry_keys(&k.0);
    let (mut low, mut high, mut comparisons) = (0, sigma.header().n, 0);
    while low < high {
        let mid = low + (high - low) / 2;
        comparisons += 1;
        match sigma.tag(mid).cmp(&tag[..]) {
            core::cmp::Ordering::Equal => return Ok(Located { index: mid, comparisons }),
            core::cmp::Ordering::Less => low = mid + 1,
            core::cmp::Ordering::Greater => high = mid,
        }
    }
    Err(Failure { check: Check::R4, error: Error::NotAReceiver })
}

/// R1 (its V7 part) to R10; the caller then remembers and acts (R11).
///
/// # Errors
/// The first failing check in the order of §8.2.
pub fn open(params: &Params, sigma: &VerifiedSigma, who: &Receiver<'_>, k: &EntryKey) -> Result<Opened, Failure> {
    open_with(params, sigma, who, k, inner_digest)
}

/// What α signs: H64("im"; ctx, root).
pub(crate) fn inner_digest(ctx: &[u8; 32], root: &[u8; 32]) -> Message {
    h64(label::IM, &[ctx, root])
}

/// The same with this digest of ctx and root under α.
pub(super) fn open_with(
    params: &Params,
    sigma: &VerifiedSigma,
    who: &Receiver<'_>,
    k: &EntryKey,
    inner: fn(&[u8; 32], &[u8; 32]) -> Message,
) -> Result<Opened, Failure> {
    check_before_opening(params, sigma, who)?;
    let located = locate(sigma, k)?;
    let (_, ke) = entry_keys(&k.0);
    let entry = sigma.entry(located.index);
    let refuse = |check, error| Failure { check, error };
    let plain = aead::open(&ke, &entry[TAG..]).ok_or(refuse(Check::R5, Error::EntryAuth))?;
    let mut reader = Reader(&plain);
    let parts = (reader.array::<16>().map(Zeroizing::new), reader.array::<32>(), reader.u32());
    let (Some(ks), Some(f), Some(len)) = parts else { return Err(refuse(Check::R7, Error::Padding)) };
    if !bool::from(f.ct_eq(&who.record.f())) {
        return Err(refuse(Check::R6, Error::PseudonymMismatch));
    }
    let room = plain.len() - PLAIN_EXTRA;
    if len as usize > room || reader.0[len as usize..].iter().any(|b| *b != 0) {
        return Err(refuse(Check::R7, Error::Padding));
    }
    let message = Secret::from(reader.0[..len as usize].to_vec());
    let (sender, sender_rid) = check_sender(params, sigma, who, &ks, inner)?;
    Ok(Opened { located, sender, sender_rid, f, message })
}

/// R1 (nullifier), R2 and R3 (§8.2): no products.
///
/// # Errors
/// [`Error::TicketReuse`]; [`Error::RecordRole`], [`Error::RecordValidity`], [`Error::Stale`]; [`Error::Replay`].
pub fn check_before_opening(params: &Params, sigma: &VerifiedSigma, who: &Receiver<'_>) -> Result<(), Failure> {
    match sigma.check_ledger(who.nullifiers) {
        Err(Failure { error: Error::TicketReuse, .. }) => {
            return Err(Failure { check: Check::R1, error: Error::TicketReuse });
        }
        _ => check_receiver(params, sigma.head(), who.record, who.since).map_err(Failure::at(Check::R2))?,
    }
    let again = (who.opened)(&sigma.id(), &who.record.rid(params));
    if again { Err(Failure { check: Check::R3, error: Error::Replay }) } else { Ok(()) }
}

/// R8–R10: the capsule under kS, and the real sender inside it.
fn check_sender(
    params: &Params,
    sigma: &VerifiedSigma,
    who: &Receiver<'_>,
    ks: &[u8; 16],
    inner: fn(&[u8; 32], &[u8; 32]) -> Message,
) -> Result<(Record, RecordId), Failure> {
    let refuse = |check, error| Failure { check, error };
    let (header, ctx) = (sigma.header(), sigma.head().context());
    let inside = aead::open(&capsule_key(ks, ctx), &header.capsule);
    let inside = inside.ok_or(refuse(Check::R8, Error::CapsuleAuth))?;
    let mut reader = Reader(&inside);
    let (Some(sender), Some(alpha)) = (reader.array().map(Record), reader.array::<64>()) else {
        return Err(refuse(Check::R8, Error::CapsuleAuth));
    };
    if !sender.is(Class::Id, header.flow.sender()) {
        return Err(refuse(Check::R9, Error::SenderRole));
    }
    if !sender.valid_at(header.epoch) {
        return Err(refuse(Check::R9, Error::SenderValidity));
    }
    let rid = sender.rid(params);
    if matches!(who.pinned, Pinned::Set(set) if !set.contains(&rid)) {
        return Err(refuse(Check::R9, Error::Unpinned));
    }
    let im = inner(ctx, &header.root);
    schnorr::verify(params, Name::Inner, &sender, &im, &alpha)
        .map_err(|_| refuse(Check::R10, Error::InnerSignature))?;
    Ok((sender, rid))
}
