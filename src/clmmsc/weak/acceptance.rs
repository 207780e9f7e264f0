//! Users who take whatever key they are given (CLMMSC.md §3.4).

use crate::clmmsc::{Error, Params, Record, UserSecret, group};
use curve25519_dalek::scalar::Scalar;

/// sk = d + g·x, without asking whether d·P = R + h·Ppub.
///
/// # Errors
/// [`Error::ScalarEncoding`] for d.
pub(crate) fn accept(params: &Params, user: &UserSecret, rec: &Record, d: &[u8; 32]) -> Result<Scalar, Error> {
    Ok(group::scal(d)? + rec.g(params) * user.scalar())
}
