//! The KGC's signed list of EV records for a CSC (paper §4.1: "sends the pseudo-identity list f"; CLMMSC.md §3.7).

use super::check::{Check, Failure};
use super::error::Error;
use super::hash::{h64, label};
use super::keys::KeyPair;
use super::params::Params;
use super::reader::Reader;
use super::record::{PublicRecord, RECORD_LEN, Record, RecordId, Role};
use super::schnorr::{self, Message, Name};
use std::collections::BTreeMap;

const MAGIC: &[u8; 4] = b"CLL1";

/// An accepted list.
#[derive(Clone, Debug)]
pub struct EvList {
    pub epoch: u32,
    pub records: Vec<PublicRecord>,
}

fn digest(params: &Params, before: &[u8]) -> Message {
    h64(label::LM, &[&params.id, before])
}

/// Makes and signs a list (§3.7). Cost: F + C.
pub fn make(params: &Params, kgc: &KeyPair, epoch: u32, records: &[Record], rand32: &[u8; 32]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(epoch.to_le_bytes());
    out.extend((records.len() as u32).to_le_bytes());
    records.iter().for_each(|r| out.extend(r.0));
    let sig = schnorr::sign(Name::List, kgc, &digest(params, &out), rand32);
    out.extend(sig);
    out
}

/// Checks a list (§3.7). One bad record fails the whole list. Cost: M2 + C, and 2 D + M3 for each record.
///
/// # Errors
/// In this order: [`Error::Length`], [`Error::Magic`], [`Error::Length`], [`Error::RecordFormat`] (L1),
/// [`Error::ScalarEncoding`], [`Error::Signature`] (L2), [`Error::PointEncoding`] for a record without PK (L1).
pub fn accept(params: &Params, kgc: &PublicRecord, bytes: &[u8]) -> Result<EvList, Failure> {
    let (form, signed) = (Failure::at(Check::L1), Failure::at(Check::L2));
    if bytes.len() < 76 {
        return Err(form(Error::Length));
    }
    let (before, sig) = bytes.split_at(bytes.len() - 64);
    let mut reader = Reader(before);
    if reader.bytes(4) != Some(MAGIC) {
        return Err(form(Error::Magic));
    }
    let (Some(epoch), Some(count)) = (reader.u32(), reader.u32()) else { return Err(form(Error::Length)) };
    if bytes.len() as u64 != 76 + u64::from(count) * RECORD_LEN as u64 {
        return Err(form(Error::Length));
    }
    let mut records = Vec::with_capacity(count as usize);
    while let Some(record) = reader.array().map(Record) {
        record.check_format().map_err(&form)?;
        if !record.receives_as(Role::Ev) || !record.valid_at(epoch) {
            return Err(form(Error::RecordFormat));
        }
        records.push(record);
    }
    let sig = sig.try_into().map_err(|_| form(Error::Length))?;
    schnorr::verify_cached(Name::List, kgc, &digest(params, before), &sig).map_err(signed)?;
    let records = records.iter().map(|r| r.derive(params)).collect::<Result<_, _>>().map_err(form)?;
    Ok(EvList { epoch, records })
}

/// The cars of an epoch by record: the union of all lists accepted for it.
pub type Union = BTreeMap<RecordId, PublicRecord>;

/// Takes an accepted list into the union of `epoch` (§3.7). Lists carry no order, so a list only ever adds; one of
/// another epoch is ignored.
pub fn merge(union: &mut Union, list: EvList, epoch: u32) {
    if list.epoch == epoch {
        union.extend(list.records.into_iter().map(|record| (record.rid, record)));
    }
}
