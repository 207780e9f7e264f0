//! Public verification with one check left out or made carelessly (CLMMSC.md §7.1).

use crate::clmmsc::verify::{
    Outer, VerifiedHeader, VerifiedSigma, check_format, check_format_with, check_ticket_and_time,
};
use crate::clmmsc::wire::{self, HEADER, Header, SIGNED, take};
use crate::clmmsc::{Error, Failure, Params, group};
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use std::sync::Arc;

/// V1–V4 only: nobody looks at the signature, nor at the entries.
pub(crate) fn without_proofs(params: &Params, bytes: &Arc<[u8]>, now: u64) -> Result<VerifiedSigma, Failure> {
    let header = check_format(params, bytes, false)?;
    check_ticket_and_time(params, &header, now)?;
    let head = Outer::read_with(params, bytes, &header, group::dec)?.verified(params, bytes, header);
    Ok(VerifiedSigma { head, bytes: bytes.clone() })
}

/// V1–V5 only: the header's root is signed, but nobody compares it with the entries.
pub(crate) fn without_body(params: &Params, bytes: &Arc<[u8]>, now: u64) -> Result<VerifiedSigma, Failure> {
    check_format(params, bytes, false)?;
    let head = VerifiedHeader::verify(params, &bytes[..HEADER], now)?;
    Ok(VerifiedSigma { head, bytes: bytes.clone() })
}

/// V1–V6 without the order of the tags.
pub(crate) fn without_order(params: &Params, bytes: &Arc<[u8]>, now: u64) -> Result<VerifiedSigma, Failure> {
    let sigma = without_body(params, bytes, now)?;
    sigma.check_root()?;
    Ok(sigma)
}

/// V1–V6 that takes z for a number mod q, however it is written.
pub(crate) fn with_any_scalar(params: &Params, bytes: &Arc<[u8]>, now: u64) -> Result<VerifiedSigma, Failure> {
    let mut reduced = bytes.to_vec();
    if reduced.len() >= HEADER {
        let z = Scalar::from_bytes_mod_order(take(bytes, SIGNED + 32));
        reduced[SIGNED + 32..HEADER].copy_from_slice(z.as_bytes());
    }
    VerifiedSigma::verify(params, &reduced.into(), now)
}

/// V1–V6 with a decoder that lets the neutral element pass.
pub(crate) fn with_neutral_points(params: &Params, bytes: &Arc<[u8]>, now: u64) -> Result<VerifiedSigma, Failure> {
    let decode = |b: &[u8; 32]| CompressedRistretto(*b).decompress().ok_or(Error::PointEncoding);
    let header = check_format(params, bytes, false)?;
    check_ticket_and_time(params, &header, now)?;
    let outer = Outer::read_with(params, bytes, &header, decode)?;
    outer.check(params)?;
    VerifiedSigma::with_body(outer.verified(params, bytes, header), bytes)
}

/// V1–V5 of a 32-bit machine: n·(32 + L) wraps.
pub(crate) fn with_wrapping_lengths(params: &Params, bytes: &[u8], now: u64) -> Result<Header, Failure> {
    let wrapping =
        |n: u32, l: u32| u64::from((HEADER as u32).wrapping_add(n.wrapping_mul(wire::ENTRY_EXTRA as u32 + l)));
    let header = check_format_with(params, bytes, false, wrapping)?;
    check_ticket_and_time(params, &header, now)?;
    Outer::read_with(params, bytes, &header, group::dec)?.check(params)?;
    Ok(header)
}
