//! Opening a ticket (CLMMSC.md §11.4): the KGC names the owner of a one-time pseudonym and proves it with the owner's own
//! signed request, so that it can frame nobody.

use super::check::{Check, Failure};
use super::error::Error;
use super::params::Params;
use super::reader::Reader;
use super::record::{Class, Record};
use super::request;
use super::schnorr::{self, Name, Signature};

/// What the KGC publishes about a ticket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    pub ticket: Record,
    /// The user that the KGC names.
    pub uid: u64,
    /// The stored body of the request by which the user asked for this ticket.
    pub body: Vec<u8>,
    /// The user's `keyreq` signature over that body.
    pub signature: Signature,
}

impl Claim {
    /// `ticket[106] ‖ u64 uid ‖ signature[64] ‖ body`.
    pub fn encode(&self) -> Vec<u8> {
        [&self.ticket.0[..], &self.uid.to_le_bytes(), &self.signature, &self.body].concat()
    }

    /// Inverse of [`Claim::encode`]; `None` if the bytes end too early. What the body says is for [`check`].
    pub fn decode(bytes: &[u8]) -> Option<Claim> {
        let mut reader = Reader(bytes);
        let (ticket, uid, signature) = (reader.array().map(Record)?, reader.u64()?, reader.array()?);
        Some(Claim { ticket, uid, body: reader.0.to_vec(), signature })
    }
}

/// Whether a claim against the owner of `own` holds (§11.4). Cost: 2 D + M4 + C. `own` is a record by which this user
/// is known without the KGC's word: of the pinned directory, or for an EV the one under which it signed flows 4 and 5.
///
/// # Errors
/// [`Error::TicketClass`] if the record is no ticket; [`Error::RecordMismatch`] if the body does not ask for exactly this
/// ticket, class and validity included (who holds a delegated session key could otherwise pass it off as a ticket);
/// [`Error::RequesterRecord`] if `own` cannot have signed it; [`Error::PointEncoding`], [`Error::ScalarEncoding`],
/// [`Error::Signature`].
pub fn check(params: &Params, claim: &Claim, own: &Record) -> Result<(), Failure> {
    let refuse = |error| Failure { check: Check::T1, error };
    let ticket = &claim.ticket;
    let role = ticket.role().filter(|_| ticket.class() == Some(Class::Ticket)).ok_or(refuse(Error::TicketClass))?;
    let (head, keys) = request::read_further(&claim.body).ok_or(refuse(Error::RecordMismatch))?;
    let asked = head.class == Class::Ticket
        && head.role == role
        && (head.from, head.to) == (ticket.valid_from(), ticket.valid_to())
        && head.uid == claim.uid
        && keys.contains(&ticket.x());
    if !asked {
        return Err(refuse(Error::RecordMismatch));
    }
    if !own.is(Class::Id, role) {
        return Err(refuse(Error::RequesterRecord));
    }
    let m = request::digest(params, &claim.body);
    schnorr::verify(params, Name::KeyRequest, own, &m, &claim.signature).map_err(refuse)
}
