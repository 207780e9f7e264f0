//! Signcryption (paper §4.2, CLMMSC.md §5): many messages for many receivers in one σ.
//!
//! A σ is a deterministic function of the keys, the messages and `rand32`, so resending after a crash gives the same
//! bytes and no key ever meets two plaintexts. Cost for n receivers with known PK: n variable-base multiplications,
//! 3 fixed-base ones, n batched encodings.

use super::aead;
use super::error::Error;
use super::group;
use super::hash::{Hasher, first, h16, h32, h64, hs, label};
use super::keys::{KeyPair, Ticket};
use super::params::Params;
use super::receivers::{Addressee, shared_secrets};
use super::record::{Class, Flow, RecordId, SigmaId};
use super::schnorr::{self, Message, Name, Signature};
use super::verify::{context, leaf_hash, node_hash, sigma_id};
use super::wire::{self, CONTEXT, FIXED, HEADER, MAGIC, PLAIN_EXTRA, SIGNED, TAG, VERSION};
use super::{merkle, params};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

/// The public choices of a sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope {
    pub flow: Flow,
    /// Unix seconds.
    pub created: u64,
    /// Seconds, 1..ttl_max; one common value per role, so it is no fingerprint.
    pub ttl: u32,
    /// Smallest entry size L, at least 64.
    pub floor: u32,
    /// Least number of entries (§11.2): dummies that nobody can tell from entries fill up to it. 0: none.
    pub pad_to: u32,
}

/// The number of entries that hides `n` receivers (§11.2): the next of 1, 2, 3, 4, 6, 8, 12, 16, 24, …
pub fn padded_count(n: u32) -> u32 {
    let power = n.max(1).next_power_of_two();
    let between = power / 4 * 3;
    if n <= between { between } else { power }
}

/// One receiver and its message m_i.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub to: &'a dyn Addressee,
    pub message: &'a [u8],
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Signcrypted {
    pub bytes: Vec<u8>,
    pub id: SigmaId,
    /// rid of the ticket.
    pub nullifier: RecordId,
    pub l: u32,
}

/// Keys of entry i: `(tag, ke) = H64("ek"; k)`.
pub(crate) fn entry_keys(k: &[u8; 32]) -> ([u8; TAG], Zeroizing<[u8; 32]>) {
    let o = Zeroizing::new(h64(label::EK, &[k]));
    let mut ke = Zeroizing::new([0; 32]);
    ke.copy_from_slice(&o[TAG..TAG + 32]);
    (first(&o), ke)
}

/// Step 1: roles and validity; gives the epoch. A receiver named twice is refused with its tag in [`slots`].
fn check_input(
    params: &Params,
    env: &Envelope,
    sender: &KeyPair,
    ticket: &Ticket,
    items: &[Item<'_>],
) -> Result<u32, Error> {
    let epoch = u32::try_from(params.epoch_wide(env.created)).map_err(|_| Error::SenderInput)?;
    let (sr, rr) = (env.flow.sender(), env.flow.receiver());
    let tk = ticket.record();
    let own = sender.record().is(Class::Id, sr) && sender.record().valid_at(epoch);
    let once = tk.is(Class::Ticket, sr) && tk.valid_from() == epoch && tk.valid_to() == epoch;
    let ttl = (1..=params.policy.ttl_max).contains(&env.ttl);
    let count = (1..=wire::MAX_RECEIVERS as usize).contains(&items.len()) && env.pad_to <= wire::MAX_RECEIVERS;
    let receivers = items.iter().all(|item| {
        let rec = &item.to.public().record;
        rec.check_format().is_ok() && rec.receives_as(rr) && rec.valid_at(epoch)
    });
    if own && once && ttl && count && receivers { Ok(epoch) } else { Err(Error::SenderInput) }
}

/// Signcrypts (§5). The ticket is consumed: one ticket, one σ. Cost: n V + 3 F + n batched C.
///
/// # Errors
/// [`Error::SenderInput`] for anything the sender must not do (roles, validity, repeated receivers, sizes, lifetime).
pub fn signcrypt(
    params: &Params,
    env: &Envelope,
    sender: &KeyPair,
    ticket: Ticket,
    items: &[Item<'_>],
    rand32: &[u8; 32],
) -> Result<Signcrypted, Error> {
    signcrypt_signed_by(params, env, sender, ticket, items, rand32, &schnorr::sign_with)
}

/// How the two signatures are made; arguments as [`schnorr::sign_with`].
pub(crate) type Sign<'a> = &'a dyn Fn(Name, &RecordId, &Scalar, &[u8; 32], &Message, &[u8; 32]) -> Signature;

/// Signcrypts with signatures from `sign`: rogue senders make theirs in other ways.
///
/// # Errors
/// As [`signcrypt`].
pub(crate) fn signcrypt_signed_by(
    params: &Params,
    env: &Envelope,
    sender: &KeyPair,
    ticket: Ticket,
    items: &[Item<'_>],
    rand32: &[u8; 32],
    sign: Sign<'_>,
) -> Result<Signcrypted, Error> {
    let epoch = check_input(params, env, sender, &ticket, items)?;
    let longest = items.iter().map(|i| i.message.len() as u64).max().unwrap_or(0);
    let l = wire::bucket(u64::from(env.floor).max(PLAIN_EXTRA as u64 + longest)).ok_or(Error::SenderInput)?;
    let n = (items.len() as u32).max(env.pad_to);
    if wire::total_len(n, l) > params.policy.max_bytes {
        return Err(Error::SenderInput);
    }
    let mut out = Vec::with_capacity(HEADER);
    out.extend(MAGIC);
    out.extend([VERSION, params::SUITE, env.flow.code(), 0]);
    out.extend(epoch.to_le_bytes());
    out.extend(env.created.to_le_bytes());
    out.extend(env.ttl.to_le_bytes());
    out.extend(n.to_le_bytes());
    out.extend(l.to_le_bytes());

    let w = ephemeral(&ticket, rand32, &out[..FIXED], sender, items);
    let t = Zeroizing::new(hs(label::EPH_T, &[&*w]));
    if *t == Scalar::ZERO {
        return Err(Error::SenderInput);
    }
    let ks = Zeroizing::new(h16(label::EPH_K, &[&*w]));
    out.extend(group::enc(&RistrettoPoint::mul_base(&t)));
    out.extend(ticket.record().0);
    let ctx = context(params, &out[..CONTEXT]);

    let slots = slots(&ctx, &shared_secrets(&t, items.iter().map(|item| item.to)), items, &w, n)?;
    let mut bytes = vec![0; wire::total_len(n, l) as usize];
    seal_entries(&slots, &ks, items, &w, l as usize, &mut bytes[HEADER..]);
    let entries = bytes[HEADER..].chunks_exact(l as usize + wire::ENTRY_EXTRA);
    let leaves: Vec<[u8; 32]> = (0..).zip(entries).map(|(j, entry)| leaf_hash(&ctx, j, entry)).collect();
    let root = merkle::root(&leaves, &node_hash).ok_or(Error::SenderInput)?;
    out.extend(root);

    let im = h64(label::IM, &[&ctx, &root]);
    let rand_inner = Zeroizing::new(h32(label::EPH_A, &[&*w]));
    let alpha = sign(Name::Inner, &sender.public().rid, sender.sk(), sender.nonce_key(), &im, &rand_inner);
    let inside = Zeroizing::new([&sender.record().0[..], &alpha].concat());
    out.extend(aead::seal(&capsule_key(&ks, &ctx), &inside));

    let om = h64(label::OM, &[&params.id, &out[..SIGNED]]);
    let bound = Zeroizing::new(ticket.pair().sk() + hs(label::BIND, &[&ctx]) * *t);
    let nullifier = ticket.pair().public().rid;
    let rand_outer = Zeroizing::new(h32(label::EPH_O, &[&*w]));
    out.extend(sign(Name::Outer, &nullifier, &bound, ticket.pair().nonce_key(), &om, &rand_outer));
    let id = sigma_id(params, &out);
    bytes[..HEADER].copy_from_slice(&out);
    Ok(Signcrypted { bytes, id, nullifier, l })
}

/// w = H64("eph"; nk(ticket), rand32, header\[0..32\], rid_S, rid_1, m_1, ..): all randomness of one σ.
fn ephemeral(
    ticket: &Ticket,
    rand32: &[u8; 32],
    fixed: &[u8],
    sender: &KeyPair,
    items: &[Item<'_>],
) -> Zeroizing<[u8; 64]> {
    let mut hasher = Hasher::new(label::EPH, 4 + 2 * items.len());
    hasher.part(ticket.pair().nonce_key());
    hasher.part(rand32);
    hasher.part(fixed);
    hasher.part(&sender.public().rid.0);
    for item in items {
        hasher.part(&item.to.public().rid.0);
        hasher.part(item.message);
    }
    Zeroizing::new(hasher.finish())
}

/// A dummy entry: the one at position `j` of the unsorted list (§11.2).
fn dummy(w: &[u8; 64], j: u32, out: &mut [u8]) {
    for (block, part) in (0u32..).zip(out.chunks_mut(64)) {
        part.copy_from_slice(&h64(label::EPH_D, &[w, &j.to_le_bytes(), &block.to_le_bytes()])[..part.len()]);
    }
}

/// An entry before it is written: its tag, its key (of a dummy: none), its place in the unsorted list.
struct Slot {
    tag: [u8; TAG],
    key: Option<Zeroizing<[u8; 32]>>,
    from: u32,
}

/// Tags and keys of step 5 in the order of step 6; equal tags are refused, and with them a receiver named twice.
fn slots(ctx: &[u8; 32], shared: &[[u8; 32]], items: &[Item<'_>], w: &[u8; 64], n: u32) -> Result<Vec<Slot>, Error> {
    let real = (0..).zip(items.iter().zip(shared)).map(|(from, (item, z))| {
        let (tag, key) = entry_keys(&Zeroizing::new(kem(ctx, &item.to.public().rid, z)));
        Slot { tag, key: Some(key), from }
    });
    let dummies = (items.len() as u32..n).map(|from| {
        let mut tag = [0; TAG];
        dummy(w, from, &mut tag);
        Slot { tag, key: None, from }
    });
    let mut slots: Vec<Slot> = real.chain(dummies).collect();
    slots.sort_unstable_by_key(|slot| slot.tag);
    let clash = slots.windows(2).any(|w| w[0].tag == w[1].tag);
    if clash { Err(Error::SenderInput) } else { Ok(slots) }
}

/// Writes the entries into `body` (all zero before) and seals them where they stand.
fn seal_entries(slots: &[Slot], ks: &[u8; 16], items: &[Item<'_>], w: &[u8; 64], l: usize, body: &mut [u8]) {
    for (slot, entry) in slots.iter().zip(body.chunks_exact_mut(l + wire::ENTRY_EXTRA)) {
        let (Some(key), Some(item)) = (&slot.key, items.get(slot.from as usize)) else {
            dummy(w, slot.from, entry);
            continue;
        };
        let (tag, inside) = entry.split_at_mut(TAG);
        tag.copy_from_slice(&slot.tag);
        let (plain, message) = (&mut inside[..PLAIN_EXTRA], item.message);
        plain[..16].copy_from_slice(ks);
        plain[16..48].copy_from_slice(&item.to.public().record.f());
        plain[48..].copy_from_slice(&(message.len() as u32).to_le_bytes());
        inside[PLAIN_EXTRA..PLAIN_EXTRA + message.len()].copy_from_slice(message);
        aead::seal_in_place(key, inside);
    }
}

/// H32("cap"; kS, ctx): the key of the capsule.
pub(crate) fn capsule_key(ks: &[u8; 16], ctx: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(h32(label::CAP, &[ks, ctx]))
}

/// k_i = H32("kem"; ctx, rid_i, enc(Z_i)).
pub(crate) fn kem(ctx: &[u8; 32], rid: &RecordId, z: &[u8; 32]) -> [u8; 32] {
    h32(label::KEM, &[ctx, &rid.0, z])
}
