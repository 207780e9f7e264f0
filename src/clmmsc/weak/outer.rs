//! Public verification that misses one thing of V5 (CLMMSC.md §4, §7).

use super::coefficients::Missing;
use crate::clmmsc::verify::{Outer, VerifiedSigma, check_format, check_ticket_and_time};
use crate::clmmsc::{Failure, Params};
use std::sync::Arc;

/// What the gateway misses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// A part of the ticket's public key.
    Key(Missing),
}

/// V1–V6 but for the fault.
///
/// # Errors
/// The first failing check.
pub(crate) fn verify(params: &Params, bytes: &[u8], now: u64, fault: Fault) -> Result<VerifiedSigma, Failure> {
    let header = check_format(params, bytes, false)?;
    check_ticket_and_time(params, &header, now)?;
    let mut outer = Outer::read(params, bytes, &header)?;
    match fault {
        Fault::Key(missing) => (outer.h, outer.g) = missing.coefficients(params, &header.ticket),
    }
    outer.check(params)?;
    VerifiedSigma::with_body(outer.verified(params, bytes, header), &Arc::from(bytes))
}
