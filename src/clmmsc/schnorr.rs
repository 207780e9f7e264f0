//! Schnorr signatures under a record (CLMMSC.md §2.4), with hedged nonces.

use super::error::Error;
use super::group;
use super::hash::{hs, label};
use super::keys::KeyPair;
use super::params::Params;
use super::record::{BASE, PublicRecord, Record, RecordId};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use zeroize::Zeroizing;

/// What is signed: a 64-byte digest.
pub type Message = [u8; 64];
/// N ‖ z.
pub type Signature = [u8; 64];

/// Signature names; each separates one use of a key from all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name {
    Inner,
    Outer,
    KeyRequest,
    Attach,
    List,
    Vote,
}

impl Name {
    /// The ASCII name of the specification.
    pub fn text(self) -> &'static str {
        match self {
            Name::Inner => "inner",
            Name::Outer => "outer",
            Name::KeyRequest => "keyreq",
            Name::Attach => "attach",
            Name::List => "list",
            Name::Vote => "vote",
        }
    }

    /// By its text.
    pub fn parse(text: &str) -> Option<Name> {
        [Name::Inner, Name::Outer, Name::KeyRequest, Name::Attach, Name::List, Name::Vote]
            .into_iter()
            .find(|n| n.text() == text)
    }
}

pub(crate) fn halves(sig: &Signature) -> ([u8; 32], [u8; 32]) {
    let (mut n, mut z) = ([0; 32], [0; 32]);
    n.copy_from_slice(&sig[..32]);
    z.copy_from_slice(&sig[32..]);
    (n, z)
}

pub(crate) fn challenge(name: Name, rid: &RecordId, n: &[u8; 32], m: &Message) -> Scalar {
    hs(label::CHAL, &[name.text().as_bytes(), &rid.0, n, m])
}

/// `Sign(name, key, M, rand32)`: n = HS("nonce"; nk, name, rid, M, rand32), N = n·P, z = n + e·sk. Cost: F + C.
pub fn sign(name: Name, key: &KeyPair, m: &Message, rand32: &[u8; 32]) -> Signature {
    sign_with(name, &key.public().rid, key.sk(), key.nonce_key(), m, rand32)
}

/// The same with an explicit key scalar: the outer signature signs with sk' + b·t.
pub(crate) fn sign_with(
    name: Name,
    rid: &RecordId,
    sk: &Scalar,
    nk: &[u8; 32],
    m: &Message,
    rand32: &[u8; 32],
) -> Signature {
    let nonce = Zeroizing::new(hs(label::NONCE, &[nk, name.text().as_bytes(), &rid.0, m, rand32]));
    respond(name, rid, sk, &nonce, m)
}

/// The signature with nonce n: N = n·P, z = n + e·sk.
pub(super) fn respond(name: Name, rid: &RecordId, sk: &Scalar, nonce: &Scalar, m: &Message) -> Signature {
    let n = group::enc(&RistrettoPoint::mul_base(nonce));
    let z = nonce + challenge(name, rid, &n, m) * sk;
    let mut sig = [0; 64];
    sig[..32].copy_from_slice(&n);
    sig[32..].copy_from_slice(z.as_bytes());
    sig
}

fn decide(recomputed: &RistrettoPoint, n: &[u8; 32]) -> Result<(), Error> {
    if !group::is_neutral(recomputed) && group::enc(recomputed) == *n { Ok(()) } else { Err(Error::Signature) }
}

/// `Verify(name, rec, M, N ‖ z)` by the four-point form, X and R decoded from the record.
///
/// # Errors
/// [`Error::PointEncoding`] for X or R, then [`Error::ScalarEncoding`], then [`Error::Signature`].
pub fn verify(params: &Params, name: Name, rec: &Record, m: &Message, sig: &Signature) -> Result<(), Error> {
    let (x, r) = (group::dec(&rec.x())?, group::dec(&rec.r())?);
    let (n, z) = halves(sig);
    let z = group::scal(&z)?;
    let e = challenge(name, &rec.rid(params), &n, m);
    let scalars = [z, -e, -(e * rec.h(params)), -(e * rec.g(params))];
    decide(&RistrettoPoint::vartime_multiscalar_mul(scalars, [BASE, r, params.ppub, x]), &n)
}

/// The recomputed commitment z·P − e·PK of a signature under a known key; it equals N if the signature is good.
///
/// # Errors
/// [`Error::ScalarEncoding`].
pub fn commitment(name: Name, key: &PublicRecord, m: &Message, sig: &Signature) -> Result<RistrettoPoint, Error> {
    let (n, z) = halves(sig);
    let z = group::scal(&z)?;
    let e = challenge(name, &key.rid, &n, m);
    Ok(RistrettoPoint::vartime_double_scalar_mul_basepoint(&-e, &key.pk, &z))
}

/// `VerifyCached`: N = z·P − e·PK with the cached PK. Cost: M2 + C.
///
/// # Errors
/// [`Error::ScalarEncoding`], [`Error::Signature`].
pub fn verify_cached(name: Name, key: &PublicRecord, m: &Message, sig: &Signature) -> Result<(), Error> {
    decide(&commitment(name, key, m, sig)?, &halves(sig).0)
}
