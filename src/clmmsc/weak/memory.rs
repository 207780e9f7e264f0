//! Those who look up or keep the wrong thing, or do so too early (CLMMSC.md §3.6, §3.7, §7.1; controls of A14, A34, A41,
//! A44).

use crate::clmmsc::channel::{self, Purpose};
use crate::clmmsc::kgc::Desk;
use crate::clmmsc::list::{EvList, Union};
use crate::clmmsc::request::{HEAD, MAX_KEYS};
use crate::clmmsc::verify::{Outer, VerifiedHeader, VerifiedSigma, check_format};
use crate::clmmsc::wire::{HEADER, take};
use crate::clmmsc::{Check, Error, Failure, KeyPair, Params, RecordId, SigmaId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// V1 and V4–V6: the ticket's epoch and the lifetime are not looked at.
///
/// # Errors
/// The first failing check.
pub(crate) fn verify_at_any_time(params: &Params, bytes: &[u8]) -> Result<VerifiedSigma, Failure> {
    let header = check_format(params, bytes, false)?;
    let outer = Outer::read(params, bytes, &header)?;
    outer.check(params)?;
    VerifiedSigma::with_body(outer.verified(params, bytes, header), &Arc::from(bytes))
}

/// V1–V5, then V7, then V6: the ticket is looked up before the entries are checked.
///
/// # Errors
/// The first failing check.
pub(crate) fn verify_looking_up_first(
    params: &Params,
    bytes: &[u8],
    now: u64,
    stored: impl Fn(&RecordId) -> Option<SigmaId>,
) -> Result<VerifiedSigma, Failure> {
    let head = VerifiedHeader::verify(params, bytes.get(..HEADER).unwrap_or(bytes), now)?;
    let error = match stored(&head.nullifier()) {
        None => return VerifiedSigma::verify(params, &Arc::from(bytes), now),
        Some(id) if id == head.id() => Error::Duplicate,
        Some(_) => Error::TicketReuse,
    };
    Err(Failure { check: Check::V7, error })
}

/// A desk that finds the answer to a further request by its body: the signature beside it is not compared.
///
/// # Errors
/// As the scheme's own desk.
pub(crate) fn answer_by_body(
    desk: &Desk,
    answered: &BTreeMap<Vec<u8>, Arc<[u8]>>,
    params: &Params,
    kgc: &KeyPair,
    now: u64,
    wire: &[u8],
) -> Result<Option<Arc<[u8]>>, Failure> {
    let sealed = wire.get(4..).unwrap_or_default();
    let inner = channel::open_box(params, Purpose::Request, kgc, sealed).map_err(Failure::at(Check::Q1))?;
    let count = u32::from_le_bytes(take(&inner, HEAD - 4)).min(MAX_KEYS);
    let body = inner.get(..HEAD + 32 * count as usize);
    match body.and_then(|body| answered.get(body)) {
        Some(answer) => Ok(Some(answer.clone())),
        None => desk.check(params, kgc, now, wire).map(|granted| granted.stored),
    }
}

/// A CSC that takes the newest list for the whole truth.
pub(crate) fn replace(union: &mut Union, list: EvList) {
    *union = list.records.into_iter().map(|record| (record.rid, record)).collect();
}
