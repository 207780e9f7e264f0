//! KGC desks that believe too much (CLMMSC.md §3.6): each is an honest desk in a state that makes one check empty, or an
//! honest reading of a request with one check left out.

use crate::clmmsc::channel::{Purpose, open_box};
use crate::clmmsc::kgc::{Desk, User};
use crate::clmmsc::request::{HEAD, Head, read_further};
use crate::clmmsc::schnorr::Signature;
use crate::clmmsc::secret::Secret;
use crate::clmmsc::{Error, KeyPair, Params, Record, RecordId};

/// A code stays good after it was used.
pub(crate) fn never_spend(desk: &mut Desk, uid: u64, code: Secret<[u8; 32]>) {
    change(desk, uid, |user| user.code = Some(code));
}

/// A record counts for every user, not only for the one it was issued to.
pub(crate) fn accept_record_for(desk: &mut Desk, uid: u64, rid: RecordId) {
    change(desk, uid, |user| user.records.push((rid, None)));
}

fn change(desk: &mut Desk, uid: u64, what: impl FnOnce(&mut User)) {
    if let Some(mut user) = desk.user(uid).cloned() {
        what(&mut user);
        desk.register(uid, user);
    }
}

/// Any string passes for a gateway.
pub(crate) fn accept_gateway(desk: &mut Desk, rid: RecordId) {
    desk.pin_gateway(rid);
}

/// Grants a further request (kind 2) without looking at its signature.
///
/// # Errors
/// As opening a box; [`Error::Kind`] for anything but a further request.
pub(crate) fn grant_unsigned(params: &Params, kgc: &KeyPair, wire: &[u8]) -> Result<(Head, Vec<[u8; 32]>), Error> {
    let inner = open_box(params, Purpose::Request, kgc, wire.get(4..).unwrap_or_default())?;
    let auth = size_of::<Record>() + size_of::<Signature>();
    let body = inner.len().checked_sub(auth).filter(|len| *len >= HEAD).and_then(|len| inner.get(..len));
    body.and_then(read_further).ok_or(Error::Kind)
}

/// Answers a request with the name of what is wrong with it.
pub(crate) fn telling(desk: &Desk, params: &Params, kgc: &KeyPair, now: u64, wire: &[u8]) -> String {
    desk.check(params, kgc, now, wire).map_or_else(|failure| failure.error.name().into(), |_| "CLA1".into())
}
