//! Complaints (CLMMSC.md §11.3): a receiver shows everybody what one entry of σ holds, without giving away its key.
//!
//! Wire: `"CLC1" ‖ rec_i[106] ‖ enc(Z_i)[32] ‖ c[32] ‖ s[32]`: Z_i = sk_i·T together with a proof that it has the same
//! discrete logarithm to base T as PK_i to base P (Chaum–Pedersen). It reveals this entry and, through kS, the capsule, so
//! the sender of this σ becomes public; other entries and other ciphertexts stay closed.

use super::check::{Check, Failure};
use super::error::Error;
use super::group;
use super::hash::{h64, hs, label};
use super::keys::KeyPair;
use super::open::{EntryKey, Opened, Pinned, Receiver, open};
use super::params::Params;
use super::record::{BASE, PublicRecord, RECORD_LEN, Record, RecordId};
use super::signcrypt::kem;
use super::verify::{VerifiedHeader, VerifiedSigma};
use super::wire::take;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// First bytes of a complaint.
pub const MAGIC: &[u8; 4] = b"CLC1";
/// Bytes of a complaint.
pub const LEN: usize = 4 + RECORD_LEN + 3 * 32;

fn challenge(ctx: &[u8; 32], rid: &RecordId, z: &[u8; 32], a1: &RistrettoPoint, a2: &RistrettoPoint) -> Scalar {
    hs(label::DLEQ, &[ctx, &rid.0, z, &group::enc(a1), &group::enc(a2)])
}

/// Complains about the σ of `head` with one's own key. Cost: 2 variable-base and 1 fixed-base multiplication.
pub fn make(head: &VerifiedHeader, key: &KeyPair, rand32: &[u8; 32]) -> [u8; LEN] {
    let (ctx, rid) = (head.context(), &key.public().rid);
    let z = group::enc(&(key.sk() * head.t()));
    let m = h64(label::DM, &[ctx, &z]);
    let a = Zeroizing::new(hs(label::NONCE, &[key.nonce_key(), b"dleq", &rid.0, &m, rand32]));
    let c = challenge(ctx, rid, &z, &RistrettoPoint::mul_base(&a), &(*a * head.t()));
    let s = *a + c * key.sk();
    let mut out = [0; LEN];
    let parts: [&[u8]; 5] = [MAGIC, &key.record().0, &z, c.as_bytes(), s.as_bytes()];
    let mut at = 0;
    for part in parts {
        out[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    out
}

/// A complaint whose proof holds: whose it is, and the key of the entry.
#[derive(Clone, Debug)]
pub struct Complaint {
    pub record: PublicRecord,
    pub k: EntryKey,
}

/// Checks a complaint about the σ of `head`, which has passed V1–V5 at its block's time.
///
/// # Errors
/// In this order: [`Error::Length`], [`Error::Magic`], [`Error::PointEncoding`] for PK_i, then Z,
/// [`Error::ScalarEncoding`] for c, then s, [`Error::Dleq`].
pub fn check(params: &Params, head: &VerifiedHeader, bytes: &[u8]) -> Result<Complaint, Failure> {
    read(params, head, bytes).map_err(Failure::at(Check::C1))
}

fn read(params: &Params, head: &VerifiedHeader, bytes: &[u8]) -> Result<Complaint, Error> {
    if bytes.len() != LEN {
        return Err(Error::Length);
    }
    if &bytes[..4] != MAGIC {
        return Err(Error::Magic);
    }
    let record = Record(take::<RECORD_LEN>(bytes, 4)).derive(params)?;
    let z_bytes: [u8; 32] = take(bytes, 4 + RECORD_LEN);
    let z = group::dec(&z_bytes)?;
    let c = group::scal(&take(bytes, 36 + RECORD_LEN))?;
    let s = group::scal(&take(bytes, 68 + RECORD_LEN))?;
    let a1 = RistrettoPoint::vartime_multiscalar_mul([s, -c], [BASE, record.pk]);
    let a2 = RistrettoPoint::vartime_multiscalar_mul([s, -c], [*head.t(), z]);
    if challenge(head.context(), &record.rid, &z_bytes, &a1, &a2) != c {
        return Err(Error::Dleq);
    }
    let k = EntryKey::from_bytes(kem(head.context(), &record.rid, &z_bytes));
    Ok(Complaint { record, k })
}

/// What anybody finds with the key of a complaint (§11.3; cost: 2 D + M4 + C): the opened entry, or the check at which
/// it fails for its receiver (R2 with plug-in time 0, R4–R10).
///
/// # Errors
/// The finding itself, if the entry does not open.
pub fn finding(
    params: &Params,
    sigma: &VerifiedSigma,
    complaint: &Complaint,
    pinned: &BTreeSet<RecordId>,
) -> Result<Opened, Failure> {
    let receiver = Receiver {
        record: &complaint.record.record,
        pinned: Pinned::Set(pinned),
        since: 0,
        nullifiers: &|_| None,
        opened: &|_, _| false,
    };
    open(params, sigma, &receiver, &complaint.k)
}
