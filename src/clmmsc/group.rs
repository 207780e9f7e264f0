//! ristretto255 as the specification uses it: strict decoding of points and scalars (CLMMSC.md §2).

use super::error::Error;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};

/// `dec(b)` (§2): decodes per RFC 9496 and refuses the neutral element. Cost: D.
///
/// # Errors
/// [`Error::PointEncoding`].
pub fn dec(bytes: &[u8; 32]) -> Result<RistrettoPoint, Error> {
    CompressedRistretto(*bytes).decompress().filter(|p| !p.is_identity()).ok_or(Error::PointEncoding)
}

/// `scal(b)` (§2): a value below q and not zero.
///
/// # Errors
/// [`Error::ScalarEncoding`].
pub fn scal(bytes: &[u8; 32]) -> Result<Scalar, Error> {
    Option::<Scalar>::from(Scalar::from_canonical_bytes(*bytes))
        .filter(|s| *s != Scalar::ZERO)
        .ok_or(Error::ScalarEncoding)
}

/// `enc(A)` (§2). Cost: C.
pub fn enc(point: &RistrettoPoint) -> [u8; 32] {
    point.compress().0
}

/// The encoding of O; a commitment that encodes to it is never accepted.
pub(crate) fn is_neutral(point: &RistrettoPoint) -> bool {
    *point == RistrettoPoint::identity()
}
