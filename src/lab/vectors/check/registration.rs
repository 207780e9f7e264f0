//! Pseudonyms, records, and what goes between users and KGC (CLMMSC.md §3).

use super::World;
use super::read::{Check, arr, bytes, class_role, each, expect, int, items, narrow, same, user, wanted, weights};
use crate::clmmsc::channel::{self, Purpose};
use crate::clmmsc::keys::{self, IssuedItem, KeyPair};
use crate::clmmsc::kgc::{Desk, Issue, User};
use crate::clmmsc::list;
use crate::clmmsc::pseudonym::Identity;
use crate::clmmsc::record::{Record, RecordId, Role};
use crate::clmmsc::request::{self, Head, Randomness};
use serde_json::Value;
use std::sync::Arc;

pub(super) fn pseudonym(world: &World, case: &Value) -> Check {
    let (class, role) = class_role(case)?;
    let f = arr(&case["f"])?;
    let wanted = if case["expect"].is_null() { Value::from("ok") } else { case["expect"].clone() };
    let Some(got) = expect(world.master.open(class, role, &f), &wanted)? else { return Ok(()) };
    let identity =
        Identity { uid: int(&case["uid"])?, valid_from: narrow(&case["epoch"])?, ctr: narrow(&case["ctr"])? };
    same("f", &world.master.pseudonym(class, role, &identity), &case["f"])?;
    if got == identity { Ok(()) } else { Err(format!("opened {got:?}")) }
}

pub(super) fn issue(world: &World, case: &Value) -> Check {
    let w = wanted(case)?;
    let what = Issue {
        class: w.class,
        role: w.role,
        from: w.from,
        to: w.to,
        uid: int(&case["uid"])?,
        ctr: narrow(&case["ctr"])?,
    };
    let made = world.master.issue(&world.params, &what, &arr(&case["X"])?, &arr(&case["rand"])?);
    let (rec, d) = made.map_err(|e| e.to_string())?;
    same("rec", &rec.0, &case["rec"])?;
    same("d", &d, &case["d"])
}

pub(super) fn accept(world: &World, case: &Value) -> Check {
    let made = KeyPair::accept(
        &world.params,
        &wanted(case)?,
        &user(&case["x"])?,
        &Record(arr(&case["rec"])?),
        &arr(&case["d"])?,
    );
    match expect(made, &case["expect"])? {
        Some(pair) if !case["sk"].is_null() => same("sk", &pair.expose_sk(), &case["sk"]),
        _ => Ok(()),
    }
}

pub(super) fn accept_batch(world: &World, case: &Value) -> Check {
    let list: Result<Vec<IssuedItem>, String> =
        items(&case["items"])?.iter().map(|i| Ok((Record(arr(&i["rec"])?), arr(&i["d"])?.into()))).collect();
    let list = list?;
    for ((rec, d), each) in list.iter().zip(each(case, list.len())?) {
        expect(keys::check_partial_key(&world.params, rec, d), each)?;
    }
    if !case["weights"].is_null() {
        weights(&keys::accept_weights(&list), case)?;
    }
    if case["expect"] == keys::accept_batch(&world.params, &list) { Ok(()) } else { Err("batch result".into()) }
}

pub(super) fn request_case(world: &World, case: &Value) -> Check {
    let mut desk = Desk::default();
    for r in items(&case["register"])? {
        let records: Result<Vec<_>, String> =
            items(&r["recs"])?.iter().map(|v| Ok((RecordId(arr(v)?), None))).collect();
        let code = if r["code"].is_null() { None } else { Some(arr(&r["code"])?.into()) };
        let uid = int(&r["uid"])?;
        let last = items(&case["attached"])?.iter().find(|a| int(&a[0]) == Ok(uid));
        let attached = last.map(|a| int(&a[1])).transpose()?.map(|t| (t, RecordId([0; 32])));
        let role = Role::from_code(narrow(&r["role"])?).ok_or("role")?;
        desk.register(uid, User { role, code, records: records?, attached });
    }
    for g in items(&case["gateways"])? {
        desk.pin_gateway(RecordId(arr(g)?));
    }
    for x in items(&case["keys"])? {
        desk.know_key(arr(x)?);
    }
    for inner in items(&case["answered"])? {
        desk.know_answer(bytes(inner)?, Arc::from(&b"stored"[..]));
    }
    let wire = bytes(&case["wire"])?;
    let result = desk.check(&world.params, world.kgc_pair()?, int(&case["now"])?, &wire);
    if let Some(granted) = expect(result, &case["expect"])? {
        if granted.stored.is_some() != (case["stored"] == true) {
            return Err("stored answer".into());
        }
        if granted.head.uid != int(&case["uid"])? {
            return Err("uid".into());
        }
        same("digest", &granted.digest, &case["digest"])?;
        if !case["time"].is_null() && granted.attach.map(|a| a.1) != Some(int(&case["time"])?) {
            return Err("time".into());
        }
    }
    if case["make"].is_null() { Ok(()) } else { same("wire", &make_request(world, &case["make"])?, &case["wire"]) }
}

pub(super) fn make_request(world: &World, m: &Value) -> Result<Vec<u8>, String> {
    let w = wanted(m)?;
    let kind = narrow(&m["kind"])?;
    let head = Head { kind, class: w.class, role: w.role, uid: int(&m["uid"])?, from: w.from, to: w.to };
    let rand = Randomness { sign: arr(&m["rand_sig"])?, seal: arr(&m["rand_box"])? };
    let users: Result<Vec<_>, _> = items(&m["x"])?.iter().map(user).collect();
    let users = users?;
    let kgc = world.kgc_pair()?.public().clone();
    let made = match kind {
        1 => request::first(&world.params, &kgc, &head, users.first().ok_or("no x")?, &arr(&m["code"])?, &rand),
        2 => request::further(&world.params, &kgc, &head, &users, world.pair(&m["signer"])?, &rand),
        _ => {
            let (css, time) = (RecordId(arr(&m["css"])?), int(&m["time"])?);
            request::attach(&world.params, &kgc, &head, &css, time, world.pair(&m["signer"])?, &rand)
        }
    };
    Ok(made.wire)
}

pub(super) fn answer(world: &World, case: &Value) -> Check {
    let users: Result<Vec<_>, _> = items(&case["x"])?.iter().map(user).collect();
    let users = users?;
    let (m, wire) = (arr(&case["digest"])?, bytes(&case["wire"])?);
    let got = request::accept_answer(&world.params, &wanted(case)?, &users, &m, &wire);
    if let Some(pairs) = expect(got, &case["expect"])? {
        for (pair, sk) in pairs.iter().zip(items(&case["sk"])?) {
            same("sk", &pair.expose_sk(), sk)?;
        }
    }
    let make = &case["make"];
    if make.is_null() {
        return Ok(());
    }
    let list: Result<Vec<IssuedItem>, String> =
        items(&make["items"])?.iter().map(|i| Ok((Record(arr(&i["rec"])?), arr(&i["d"])?.into()))).collect();
    let made = world.master.seal_answer(&world.params, &m, &users[0].public(), &list?, &arr(&make["rand"])?);
    same("wire", &made.map_err(|e| e.to_string())?, &case["wire"])
}

pub(super) fn list_case(world: &World, case: &Value) -> Check {
    let kgc = world.kgc_pair()?;
    let got = list::accept(&world.params, kgc.public(), &bytes(&case["bytes"])?);
    if let Some(got) = expect(got, &case["expect"])? {
        let numbers = (u64::from(got.epoch), got.records.len() as u64);
        if numbers != (int(&case["epoch"])?, int(&case["count"])?) {
            return Err("epoch or count".into());
        }
    }
    let make = &case["make"];
    if make.is_null() {
        return Ok(());
    }
    let records: Result<Vec<Record>, String> =
        items(&make["records"])?.iter().map(|n| Ok(world.known(n)?.record)).collect();
    let epoch = narrow(&case["epoch"])?;
    same("bytes", &list::make(&world.params, kgc, epoch, &records?, &arr(&make["rand"])?), &case["bytes"])
}

pub(super) fn box_case(world: &World, case: &Value) -> Check {
    let purpose = if case["purpose"] == "list" { Purpose::List } else { Purpose::Request };
    let to = world.pair(&case["to"])?;
    if let Some(plain) =
        expect(channel::open_box(&world.params, purpose, to, &bytes(&case["bytes"])?), &case["expect"])?
    {
        same("pt", &plain, &case["pt"])?;
    }
    if case["rand"].is_null() {
        return Ok(());
    }
    let (secret, rand) = (arr(&case["secret"])?, arr(&case["rand"])?);
    let made = channel::seal_box(&world.params, purpose, to.public(), &bytes(&case["pt"])?, &secret, &rand);
    same("bytes", &made, &case["bytes"])
}
