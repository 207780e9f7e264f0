//! Making, verifying and opening σ, and what is said of them afterwards (CLMMSC.md §5, §7, §8, §11).

use super::World;
use super::read::{Check, arr, bytes, each, expect, int, int_or, items, narrow, narrow_or, same, weights};
use crate::clmmsc::keys::Ticket;
use crate::clmmsc::open::{self, EntryKey, Pinned, Receiver};
use crate::clmmsc::receipt::Receipt;
use crate::clmmsc::record::{Flow, Record, RecordId, SigmaId};
use crate::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use crate::clmmsc::slice::Slice;
use crate::clmmsc::verify::{self, VerifiedHeader, VerifiedSigma};
use crate::clmmsc::{Error, complaint};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Signcrypts as `make` says; input that the types already refuse counts as SenderInput.
pub(super) fn make(world: &World, m: &Value) -> Result<Result<Vec<u8>, Error>, String> {
    let Some(flow) = Flow::from_code(narrow(&m["flow"])?) else { return Ok(Err(Error::SenderInput)) };
    let floor = narrow_or(&m["floor"], 64)?;
    let pad_to = narrow_or(&m["pad_to"], 0)?;
    let env = Envelope { flow, created: int(&m["created"])?, ttl: narrow(&m["ttl"])?, floor, pad_to };
    let Ok(ticket) = Ticket::new(world.pair(&m["ticket"])?.clone()) else { return Ok(Err(Error::SenderInput)) };
    let messages: Result<Vec<Vec<u8>>, _> = items(&m["to"])?.iter().map(|t| bytes(&t["m"])).collect();
    let messages = messages?;
    let mut receivers = Vec::new();
    for t in items(&m["to"])? {
        // A record without a public key cannot even be written down as a receiver.
        let derived = match t["rec"].is_null() {
            true => Ok(world.known(&t["record"])?.public.clone()),
            false => Record(arr(&t["rec"])?).derive(&world.params),
        };
        let Ok(receiver) = derived else { return Ok(Err(Error::SenderInput)) };
        receivers.push(receiver);
    }
    let list: Vec<Item<'_>> = receivers.iter().zip(&messages).map(|(to, message)| Item { to, message }).collect();
    let made = signcrypt(&world.params, &env, world.pair(&m["sender"])?, ticket, &list, &arr(&m["rand"])?);
    Ok(made.map(|s| s.bytes))
}

pub(super) type Ledger = BTreeMap<RecordId, SigmaId>;

pub(super) fn ledger(v: &Value) -> Result<Ledger, String> {
    items(v)?.iter().map(|e| Ok((RecordId(arr(&e[0])?), SigmaId(arr(&e[1])?)))).collect()
}

pub(super) fn sigma(world: &World, case: &Value) -> Check {
    let bytes: Arc<[u8]> = bytes(&case["sigma"])?.into();
    let stored = ledger(&case["ledger"])?;
    let now = int(&case["now"])?;
    let verified = VerifiedSigma::verify(&world.params, &bytes, now);
    let whole = verified.and_then(|s| s.check_ledger(|n| stored.get(n).copied()).map(|()| s));
    if let Some(s) = expect(whole, &case["expect"])? {
        for (what, got) in [
            ("ctx", *s.head().context()),
            ("sigma_id", s.id().0),
            ("nullifier", s.nullifier().0),
            ("root", s.header().root),
        ] {
            if !case[what].is_null() {
                same(what, &got, &case[what])?;
            }
        }
    }
    if !case["make"].is_null() {
        same("sigma", &make(world, &case["make"])?.map_err(|e| e.to_string())?, &case["sigma"])?;
    }
    for (i, o) in items(&case["opens"])?.iter().enumerate() {
        opening(world, &bytes, now, o).map_err(|e| format!("opening {i}: {e}"))?;
    }
    Ok(())
}

pub(super) fn opening(world: &World, bytes: &Arc<[u8]>, now: u64, o: &Value) -> Check {
    let known = world.known(&o["record"])?;
    let caches = ledger(&o["ledger"])?;
    let opened: Result<BTreeSet<(SigmaId, RecordId)>, String> =
        items(&o["opened"])?.iter().map(|e| Ok((SigmaId(arr(&e[0])?), RecordId(arr(&e[1])?)))).collect();
    let opened = opened?;
    let any = o["pinned"] == "any";
    let listed = if any { &[] } else { items(&o["pinned"])? };
    let pins: Result<BTreeSet<RecordId>, String> = listed.iter().map(|r| Ok(RecordId(arr(r)?))).collect();
    let pins = pins?;
    let k = arr(&o["k"])?;
    let run = || {
        let s = VerifiedSigma::verify(&world.params, bytes, int_or(&o["now"], now).unwrap_or(now))?;
        let receiver = Receiver {
            record: &known.record,
            pinned: if any { Pinned::Any } else { Pinned::Set(&pins) },
            since: int_or(&o["since"], 0).unwrap_or(0),
            nullifiers: &|n| caches.get(n).copied(),
            opened: &|id, rid| opened.contains(&(*id, *rid)),
        };
        open::open(&world.params, &s, &receiver, &EntryKey::from_bytes(k)).map(|got| (s, got))
    };
    let Some((s, got)) = expect(run(), &o["expect"])? else { return Ok(()) };
    if !o["m"].is_null() {
        same("m", &got.message, &o["m"])?;
    }
    if !o["sender"].is_null() {
        same("sender", &got.sender_rid.0, &o["sender"])?;
    }
    if o["decap"] == true {
        let pair = known.pair.as_ref().ok_or("no key to decapsulate with")?;
        same("k", open::decapsulate(s.head(), pair).as_bytes(), &o["k"])?;
    }
    Ok(())
}

pub(super) fn release(world: &World, case: &Value) -> Check {
    let answered: Result<BTreeMap<SigmaId, RecordId>, String> =
        items(&case["answered"])?.iter().map(|e| Ok((SigmaId(arr(&e[0])?), RecordId(arr(&e[1])?)))).collect();
    let answered = answered?;
    let (key, since, pile) = (world.pair(&case["record"])?, int(&case["since"])?, RecordId(arr(&case["cp"])?));
    let head = VerifiedHeader::verify(&world.params, &bytes(&case["header"])?, int(&case["now"])?);
    let got = head.and_then(|h| open::release(&world.params, &h, key, since, &pile, |id| answered.get(id).copied()));
    match expect(got, &case["expect"])? {
        Some(k) => same("k", k.as_bytes(), &case["k"]),
        None => Ok(()),
    }
}

pub(super) fn batch(world: &World, case: &Value) -> Check {
    let all: Result<Vec<Arc<[u8]>>, String> = items(&case["sigmas"])?.iter().map(|s| Ok(bytes(s)?.into())).collect();
    let all = all?;
    let now = int(&case["now"])?;
    for (s, each) in all.iter().zip(each(case, all.len())?) {
        expect(VerifiedSigma::verify(&world.params, s, now), each)?;
    }
    let slices: Vec<&[u8]> = all.iter().map(|s| &**s).collect();
    if !case["weights"].is_null() {
        weights(&verify::batch_sigma_weights(&slices), case)?;
    }
    if case["expect"] == verify::verify_batch(&world.params, &slices) { Ok(()) } else { Err("batch result".into()) }
}

pub(super) fn slice_case(world: &World, case: &Value) -> Check {
    let read = Slice::verify(&world.params, &bytes(&case["bytes"])?, int(&case["now"])?);
    let Some(slice) = expect(read, &case["expect"])? else { return Ok(()) };
    if case["j"].is_null() || int(&case["j"])? == u64::from(slice.index()) {
        return Ok(());
    }
    Err(format!("it is entry {}", slice.index()))
}

pub(super) fn complaint_case(world: &World, case: &Value) -> Check {
    let sigma = bytes(&case["sigma"])?.into();
    let sigma = VerifiedSigma::verify(&world.params, &sigma, int(&case["now"])?).map_err(|e| e.to_string())?;
    let wire = bytes(&case["bytes"])?;
    let read = complaint::check(&world.params, sigma.head(), &wire);
    if !case["rand"].is_null() {
        let made = complaint::make(sigma.head(), world.pair(&case["record"])?, &arr(&case["rand"])?);
        same("complaint", &made, &case["bytes"])?;
    }
    let Some(complaint) = expect(read, &case["expect"])? else { return Ok(()) };
    if !case["k"].is_null() {
        same("k", complaint.k.as_bytes(), &case["k"])?;
    }
    if case["finding"].is_null() {
        return Ok(());
    }
    let pins: Result<BTreeSet<RecordId>, String> =
        items(&case["pinned"])?.iter().map(|r| Ok(RecordId(arr(r)?))).collect();
    expect(complaint::finding(&world.params, &sigma, &complaint, &pins?), &case["finding"]).map(|_| ())
}

pub(super) fn receipt_case(case: &Value) -> Check {
    let k = EntryKey::from_bytes(arr(&case["k"])?);
    let receipt = Receipt::new(&k, SigmaId(arr(&case["sigma_id"])?), narrow(&case["status"])?);
    same("rc", &receipt.rc, &case["rc"])
}
