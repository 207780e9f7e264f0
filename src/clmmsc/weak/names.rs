//! Signatures whose challenge does not say what they are for (CLMMSC.md §2.1, §2.4).

use crate::clmmsc::hash::{hs, label};
use crate::clmmsc::schnorr::{Message, Signature, halves};
use crate::clmmsc::{Error, KeyPair, PublicRecord, RecordId, group};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

/// e = HS("chal"; rid, N, M): the name is missing.
fn challenge(rid: &RecordId, n: &[u8; 32], m: &Message) -> Scalar {
    hs(label::CHAL, &[&rid.0, n, m])
}

/// Signs M under any name at once.
pub(crate) fn sign(key: &KeyPair, m: &Message, nonce: &Scalar) -> Signature {
    let n = group::enc(&RistrettoPoint::mul_base(nonce));
    let z = nonce + challenge(&key.public().rid, &n, m) * key.sk();
    let mut sig = [0; 64];
    sig[..32].copy_from_slice(&n);
    sig[32..].copy_from_slice(z.as_bytes());
    sig
}

/// Verifies M under whatever name it is offered.
///
/// # Errors
/// [`Error::ScalarEncoding`], [`Error::Signature`].
pub(crate) fn verify(key: &PublicRecord, m: &Message, sig: &Signature) -> Result<(), Error> {
    let (n, z) = halves(sig);
    let (z, e) = (group::scal(&z)?, challenge(&key.rid, &n, m));
    let recomputed = RistrettoPoint::vartime_double_scalar_mul_basepoint(&-e, &key.pk, &z);
    if group::enc(&recomputed) == n { Ok(()) } else { Err(Error::Signature) }
}
