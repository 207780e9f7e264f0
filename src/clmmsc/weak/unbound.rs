//! Ciphertexts whose parts are not tied together (CLMMSC.md §5, §0 choices 3 and 4).

use crate::clmmsc::hash::{h32, h64, label};
use crate::clmmsc::open::{EntryKey, Opened, Receiver, open_with};
use crate::clmmsc::schnorr::{self, Message, Name};
use crate::clmmsc::verify::{Outer, VerifiedSigma, check_format, check_ticket_and_time};
use crate::clmmsc::wire::{CONTEXT, FIXED, SIGNED, take};
use crate::clmmsc::{Failure, Params, group};
use curve25519_dalek::scalar::Scalar;
use std::sync::Arc;

/// "Encrypt, then sign": ctx of entries that know nothing of the ticket, only fixed fields and T.
pub(crate) fn context(params: &Params, head: &[u8]) -> [u8; 32] {
    h32(label::CTX, &[&params.id, &take::<{ FIXED + 32 }>(head, 0)])
}

/// V1–V6 of "encrypt, then sign": the outer key is the ticket's alone, without b·T, and ctx is [`context`].
pub(crate) fn verify(params: &Params, bytes: &Arc<[u8]>, now: u64) -> Result<VerifiedSigma, Failure> {
    let header = check_format(params, bytes, false)?;
    check_ticket_and_time(params, &header, now)?;
    let mut outer = Outer::read_with(params, bytes, &header, group::dec)?;
    outer.b = Scalar::ZERO;
    outer.check(params)?;
    let mut head = outer.verified(params, bytes, header);
    head.ctx = context(params, bytes);
    VerifiedSigma::with_body(head, bytes)
}

/// What the outer signature signs if the root is left out.
pub(crate) fn without_root(params: &Params, head: &[u8]) -> Message {
    h64(label::OM, &[&params.id, &head[..CONTEXT], &head[CONTEXT + 32..SIGNED]])
}

/// V1–V6 of a σ whose outer signature is over [`without_root`].
pub(crate) fn verify_rootless(params: &Params, bytes: &Arc<[u8]>, now: u64) -> Result<VerifiedSigma, Failure> {
    let header = check_format(params, bytes, false)?;
    check_ticket_and_time(params, &header, now)?;
    let mut outer = Outer::read(params, bytes, &header)?;
    outer.e = schnorr::challenge(Name::Outer, &header.ticket.rid(params), &outer.n, &without_root(params, bytes));
    outer.check(params)?;
    VerifiedSigma::with_body(outer.verified(params, bytes, header), bytes)
}

/// What α signs if the entries are left out.
pub(crate) fn over_context(ctx: &[u8; 32], _: &[u8; 32]) -> Message {
    h64(label::IM, &[ctx])
}

/// What α signs if the whole ciphertext is left out: that its sender exists.
pub(crate) fn over_nothing(_: &[u8; 32], _: &[u8; 32]) -> Message {
    h64(label::IM, &[])
}

/// R1–R10 with an α over less than ctx and root.
pub(crate) fn open(
    params: &Params,
    sigma: &VerifiedSigma,
    who: &Receiver<'_>,
    k: &EntryKey,
    inner: fn(&[u8; 32], &[u8; 32]) -> Message,
) -> Result<Opened, Failure> {
    open_with(params, sigma, who, k, inner)
}
