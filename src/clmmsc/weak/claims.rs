//! Judges who ask too little: of a claim about a ticket's owner (CLMMSC.md §11.4), of a complaint (§11.3).

use crate::clmmsc::complaint::Complaint;
use crate::clmmsc::open::EntryKey;
use crate::clmmsc::record::RECORD_LEN;
use crate::clmmsc::request::{self, read_further};
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::signcrypt::kem;
use crate::clmmsc::ticket_opening::{self, Claim};
use crate::clmmsc::verify::VerifiedHeader;
use crate::clmmsc::wire::take;
use crate::clmmsc::{Error, Failure, Params, Record, group};

/// Only X' is looked up in the signed list; class, role, validity and user of the body are not compared.
///
/// # Errors
/// [`Error::RecordMismatch`], or as a signature.
pub(crate) fn by_key_alone(params: &Params, claim: &Claim, own: &Record) -> Result<(), Error> {
    let (_, keys) = read_further(&claim.body).ok_or(Error::RecordMismatch)?;
    if !keys.contains(&claim.ticket.x()) {
        return Err(Error::RecordMismatch);
    }
    schnorr::verify(params, Name::KeyRequest, own, &request::digest(params, &claim.body), &claim.signature)
}

/// The body is compared, its signature is not asked for.
///
/// # Errors
/// As the scheme's own but for [`Error::Signature`].
pub(crate) fn unsigned(params: &Params, claim: &Claim, own: &Record) -> Result<(), Failure> {
    match ticket_opening::check(params, claim, own) {
        Err(Failure { error: Error::Signature, .. }) => Ok(()),
        other => other,
    }
}

/// A complaint is believed without its proof.
///
/// # Errors
/// [`Error::PointEncoding`].
pub(crate) fn unproved(params: &Params, head: &VerifiedHeader, complaint: &[u8]) -> Result<Complaint, Error> {
    let record = Record(take::<RECORD_LEN>(complaint, 4)).derive(params)?;
    let z = take(complaint, 4 + RECORD_LEN);
    group::dec(&z)?;
    Ok(Complaint { k: EntryKey::from_bytes(kem(head.context(), &record.rid, &z)), record })
}
