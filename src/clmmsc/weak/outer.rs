//! Public verification that misses one thing of V2 or V5 (CLMMSC.md §4, §7).

use super::coefficients::Missing;
use crate::clmmsc::hash::{h32, label};
use crate::clmmsc::verify::{Outer, VerifiedSigma, check_format, check_ticket_and_time};
use crate::clmmsc::wire::SIGNED;
use crate::clmmsc::{Check, Error, Failure, Params};
use curve25519_dalek::scalar::Scalar;
use std::sync::Arc;

/// What the gateway misses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// A part of the ticket's public key.
    Key(Missing),
    /// V2 and V3 are not made.
    AnyTicket,
    /// V5 is not made.
    AnySignature,
    /// In place of V5 a relation between the parts of the ciphertext: N is H32("om"; params_id, header\[0..388\]).
    Relation,
    /// The outer key is PK' alone, without b·T.
    Unbound,
}

/// V1–V6 but for the fault.
///
/// # Errors
/// The first failing check.
pub(crate) fn verify(params: &Params, bytes: &[u8], now: u64, fault: Fault) -> Result<VerifiedSigma, Failure> {
    let header = check_format(params, bytes, false)?;
    if fault != Fault::AnyTicket {
        check_ticket_and_time(params, &header, now)?;
    }
    let mut outer = Outer::read(params, bytes, &header)?;
    match fault {
        Fault::Key(missing) => (outer.h, outer.g) = missing.coefficients(params, &header.ticket),
        Fault::Unbound => outer.b = Scalar::ZERO,
        _ => {}
    }
    match fault {
        Fault::AnySignature => {}
        Fault::Relation if header.outer[..32] == relation(params, bytes) => {}
        Fault::Relation => return Err(Failure { check: Check::V5, error: Error::Signature }),
        _ => outer.check(params)?,
    }
    VerifiedSigma::with_body(outer.verified(params, bytes, header), &Arc::from(bytes))
}

/// What the relation asks for; anybody can compute it.
pub(crate) fn relation(params: &Params, bytes: &[u8]) -> [u8; 32] {
    h32(label::OM, &[&params.id, &bytes[..SIGNED.min(bytes.len())]])
}
