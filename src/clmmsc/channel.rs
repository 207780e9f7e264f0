//! The paper's "secure channel" in both directions: Box to a record, Seal to a first X (CLMMSC.md §3.5, §3.6).

use super::aead;
use super::error::Error;
use super::group;
use super::hash::{h32, hs, label};
use super::keys::{KeyPair, UserSecret};
use super::params::Params;
use super::record::{PublicRecord, RecordId};
use super::schnorr::Message;
use super::secret::Secret;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

/// What a box is for; part of its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Request,
    List,
}

impl Purpose {
    fn text(self) -> &'static [u8] {
        match self {
            Purpose::Request => b"request",
            Purpose::List => b"list",
        }
    }
}

type Key = Zeroizing<[u8; 32]>;

/// Z = secret·point, encoded, in constant time.
fn shared(secret: &Scalar, point: &RistrettoPoint) -> Key {
    Zeroizing::new(group::enc(&Zeroizing::new(secret * point)))
}

fn box_key(params: &Params, purpose: Purpose, rid: &RecordId, e: &[u8; 32], z: &Key) -> Key {
    Zeroizing::new(h32(label::BOX, &[&params.id, purpose.text(), &rid.0, e, &**z]))
}

/// Box(purpose, to, pt, secret, rand32) = enc(E) ‖ AEAD; `secret` is the sender's nonce key.
pub fn seal_box(
    params: &Params,
    purpose: Purpose,
    to: &PublicRecord,
    plain: &[u8],
    secret: &[u8; 32],
    rand32: &[u8; 32],
) -> Vec<u8> {
    let eps = Zeroizing::new(hs(label::BOX_E, &[secret, purpose.text(), &to.rid.0, rand32, plain]));
    let e = group::enc(&RistrettoPoint::mul_base(&eps));
    let key = box_key(params, purpose, &to.rid, &e, &shared(&eps, &to.pk));
    let mut out = e.to_vec();
    out.extend(aead::seal(&key, plain));
    out
}

/// Opens a box for one's own record (§3.5): Z = sk·E. Cost: D + V + C.
///
/// # Errors
/// [`Error::Length`] below 48 bytes, [`Error::PointEncoding`], [`Error::SealAuth`].
pub fn open_box(params: &Params, purpose: Purpose, key: &KeyPair, bytes: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
    if bytes.len() < 48 {
        return Err(Error::Length);
    }
    let mut e = [0; 32];
    e.copy_from_slice(&bytes[..32]);
    let z = shared(key.sk(), &group::dec(&e)?);
    aead::open(&box_key(params, purpose, &key.public().rid, &e, &z), &bytes[32..]).ok_or(Error::SealAuth)
}

fn seal_key(params: &Params, m: &Message, e: &[u8; 32], x1: &[u8; 32], z: &Key) -> Key {
    Zeroizing::new(h32(label::SEAL, &[&params.id, m, e, x1, &**z]))
}

/// The KGC's sealed answer to a request with digest M under its first X: enc(E') ‖ AEAD.
///
/// # Errors
/// [`Error::PointEncoding`] for X_1.
pub fn seal_answer(
    params: &Params,
    kf: &[u8; 32],
    m: &Message,
    x1: &[u8; 32],
    plain: &[u8],
    rand32: &[u8; 32],
) -> Result<Vec<u8>, Error> {
    let eps = Zeroizing::new(hs(label::SEAL_E, &[kf, m, rand32, plain]));
    seal_answer_under(params, m, x1, plain, &eps)
}

/// The sealed answer with E' = ε'·P.
pub(super) fn seal_answer_under(
    params: &Params,
    m: &Message,
    x1: &[u8; 32],
    plain: &[u8],
    eps: &Scalar,
) -> Result<Vec<u8>, Error> {
    let to = group::dec(x1)?;
    let e = group::enc(&RistrettoPoint::mul_base(eps));
    let key = seal_key(params, m, &e, x1, &shared(eps, &to));
    let mut out = e.to_vec();
    out.extend(aead::seal(&key, plain));
    Ok(out)
}

/// Opens a sealed answer (§3.6): Z = x_1·E'. Cost: D + V + C.
///
/// # Errors
/// [`Error::Length`], [`Error::PointEncoding`], [`Error::SealAuth`].
pub fn open_answer(params: &Params, m: &Message, user: &UserSecret, bytes: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
    if bytes.len() < 48 {
        return Err(Error::Length);
    }
    let mut e = [0; 32];
    e.copy_from_slice(&bytes[..32]);
    let z = shared(user.scalar(), &group::dec(&e)?);
    aead::open(&seal_key(params, m, &e, &user.public(), &z), &bytes[32..]).ok_or(Error::SealAuth)
}
