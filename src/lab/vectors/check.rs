//! Checking vectors: one function per kind of case; each answers with the first difference (CLMMSC.md §19).

use crate::clmmsc::channel::{self, Purpose};
use crate::clmmsc::complaint;
use crate::clmmsc::keys::{self, IssuedItem, KeyPair, Ticket, UserSecret, Wanted};
use crate::clmmsc::kgc::{Desk, Issue, MasterKey, User};
use crate::clmmsc::open::{self, EntryKey, Pinned, Receiver};
use crate::clmmsc::payload::{self, PlugIn, Routing, Upload};
use crate::clmmsc::pseudonym::Identity;
use crate::clmmsc::receipt::Receipt;
use crate::clmmsc::record::{Class, Flow, PublicRecord, Record, RecordId, Role, SigmaId};
use crate::clmmsc::request::{self, Head, Randomness};
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::session::{Session, Side};
use crate::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use crate::clmmsc::slice::Slice;
use crate::clmmsc::verify::{self, VerifiedHeader, VerifiedSigma};
use crate::clmmsc::{Error, Params, Policy, aead, group, hash, list, merkle, vote, wire};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Check = Result<(), String>;

struct Known {
    record: Record,
    public: PublicRecord,
    pair: Option<KeyPair>,
}

/// Parameters, KGC and records of a file.
pub struct World {
    params: Params,
    master: MasterKey,
    kgc: String,
    records: BTreeMap<String, Known>,
}

fn bytes(v: &Value) -> Result<Vec<u8>, String> {
    let text = v.as_str().ok_or(format!("no hex: {v}"))?;
    let digits = |p: &&str| p.bytes().all(|b| b.is_ascii_hexdigit());
    let pair = |i: usize| text.get(i..i + 2).filter(digits).and_then(|p| u8::from_str_radix(p, 16).ok());
    (0..text.len()).step_by(2).map(|i| pair(i).ok_or(format!("bad hex: {text}"))).collect()
}

fn arr<const N: usize>(v: &Value) -> Result<[u8; N], String> {
    bytes(v)?.try_into().map_err(|_| format!("not {N} bytes: {v}"))
}

fn int(v: &Value) -> Result<u64, String> {
    v.as_u64().or_else(|| v.as_str()?.parse().ok()).ok_or(format!("no number: {v}"))
}

fn int_or(v: &Value, default: u64) -> Result<u64, String> {
    if v.is_null() { Ok(default) } else { int(v) }
}

/// A number that must fit.
fn narrow<T: TryFrom<u64>>(v: &Value) -> Result<T, String> {
    T::try_from(int(v)?).map_err(|_| format!("too large: {v}"))
}

fn narrow_or(v: &Value, default: u32) -> Result<u32, String> {
    if v.is_null() { Ok(default) } else { narrow(v) }
}

/// A list; one that is absent has nothing in it.
fn items(v: &Value) -> Result<&[Value], String> {
    if v.is_null() { Ok(&[]) } else { v.as_array().map(Vec::as_slice).ok_or(format!("no list: {v}")) }
}

/// The single results of a batch, one for each of its items.
fn each(case: &Value, count: usize) -> Result<&[Value], String> {
    let each = items(&case["each"])?;
    if each.len() == count { Ok(each) } else { Err(format!("{count} items, {} single results", each.len())) }
}

fn text(v: &Value) -> Result<&str, String> {
    v.as_str().ok_or(format!("no text: {v}"))
}

fn same(what: &str, got: &(impl AsRef<[u8]> + ?Sized), wanted: &Value) -> Check {
    if got.as_ref() == bytes(wanted)? { Ok(()) } else { Err(format!("{what} differs")) }
}

/// `expect` against a result; gives the value back if it was to be ok.
fn expect<T, E: Into<Error>>(result: Result<T, E>, wanted: &Value) -> Result<Option<T>, String> {
    let result = result.map_err(Into::into);
    let got = result.as_ref().map_or_else(|e| e.name(), |_| "ok");
    if Some(got) == wanted.as_str() { Ok(result.ok()) } else { Err(format!("got {got}, expected {wanted}")) }
}

fn class_role(case: &Value) -> Result<(Class, Role), String> {
    let class = Class::from_code(narrow(&case["class"])?).ok_or("class")?;
    Ok((class, Role::from_code(narrow(&case["role"])?).ok_or("role")?))
}

fn wanted(case: &Value) -> Result<Wanted, String> {
    let (class, role) = class_role(case)?;
    Ok(Wanted { class, role, from: narrow(&case["from"])?, to: narrow(&case["to"])? })
}

fn user(x: &Value) -> Result<UserSecret, String> {
    Ok(UserSecret::from_scalar(group::scal(&arr(x)?).map_err(|e| e.to_string())?))
}

fn weights(got: &[[u8; 16]], case: &Value) -> Check {
    let listed: Result<Vec<[u8; 16]>, _> = items(&case["weights"])?.iter().map(arr).collect();
    if got == listed? { Ok(()) } else { Err("weights differ".into()) }
}

impl World {
    /// Reads and checks them.
    ///
    /// # Errors
    /// What is missing or does not fit, and in which record.
    pub fn read(file: &Value) -> Result<World, String> {
        let p = &file["params"];
        let policy = Policy {
            epoch_len: narrow(&p["epoch_len"])?,
            skew: narrow(&p["skew"])?,
            ttl_max: narrow(&p["ttl_max"])?,
            max_bytes: int(&p["max_bytes"])?,
        };
        let params = Params::new(text(&p["net"])?, &arr(&p["ppub"])?, policy).map_err(|e| e.to_string())?;
        same("params_id", &params.id, &p["params_id"])?;
        let k = &file["kgc"];
        let master = MasterKey::from_scalar(&arr(&k["s"])?, arr(&k["kf"])?).map_err(|e| e.to_string())?;
        let mut world = World { params, master, kgc: text(&k["id"])?.into(), records: BTreeMap::new() };
        for (name, r) in file["records"].as_object().ok_or("no records")? {
            let known = world.record(r).map_err(|e| format!("record {name}: {e}"))?;
            world.records.insert(name.clone(), known);
        }
        Ok(world)
    }

    fn record(&self, r: &Value) -> Result<Known, String> {
        let record = Record(arr(&r["rec"])?);
        let public = record.derive(&self.params).map_err(|e| e.to_string())?;
        same("rid", &public.rid.0, &r["rid"])?;
        same("h", public.h.as_bytes(), &r["h"])?;
        same("g", public.g.as_bytes(), &r["g"])?;
        same("pk", &group::enc(&public.pk), &r["pk"])?;
        let (class, role) = (record.class().ok_or("class")?, record.role().ok_or("role")?);
        let (from, to) = (record.valid_from(), record.valid_to());
        let secret = if r["x"].is_null() { None } else { Some(user(&r["x"])?) };
        let mut pair = None;
        if let (Some(secret), false) = (&secret, r["d"].is_null()) {
            let want = Wanted { class, role, from, to };
            let made =
                KeyPair::accept(&self.params, &want, secret, &record, &arr(&r["d"])?).map_err(|e| e.to_string())?;
            same("sk", &made.expose_sk(), &r["sk"])?;
            pair = Some(made);
        }
        if !r["uid"].is_null() {
            let identity = Identity { uid: int(&r["uid"])?, valid_from: from, ctr: narrow(&r["ctr"])? };
            if self.master.pseudonym(class, role, &identity) != record.f() {
                return Err("f differs".into());
            }
        }
        Ok(Known { record, public, pair })
    }

    fn known(&self, name: &Value) -> Result<&Known, String> {
        self.records.get(text(name)?).ok_or(format!("no record {name}"))
    }

    fn pair(&self, name: &Value) -> Result<&KeyPair, String> {
        self.known(name)?.pair.as_ref().ok_or(format!("no key of {name}"))
    }

    fn kgc_pair(&self) -> Result<&KeyPair, String> {
        self.pair(&Value::from(self.kgc.as_str()))
    }
}

/// Checks one case of a file.
///
/// # Errors
/// What is different or missing, in a few words.
pub fn check(world: &World, case: &Value) -> Check {
    let kind = case["kind"].as_str().unwrap_or_default();
    match kind {
        "hash" => hashes(case),
        "point" => arr(&case["bytes"]).and_then(|b| expect(group::dec(&b), &case["expect"])).map(|_| ()),
        "scalar" => arr(&case["bytes"]).and_then(|b| expect(group::scal(&b), &case["expect"])).map(|_| ()),
        "aead" => sealed(case),
        "bucket" => bucket(case),
        "merkle" => tree(case),
        "pseudonym" | "pseudonym-open" => pseudonym(world, case),
        "issue" => issue(world, case),
        "accept" => accept(world, case),
        "accept-batch" => accept_batch(world, case),
        "request" => request_case(world, case),
        "answer" => answer(world, case),
        "list" => list_case(world, case),
        "box" => box_case(world, case),
        "kses" => kses(world, case),
        "frame" => frame(case),
        "frames" => frames(case),
        "payload" => payload_case(world, case),
        "sign" | "verify-sig" => signature(world, case),
        "sigma" => sigma(world, case),
        "signcrypt" => make(world, &case["make"]).and_then(|m| expect(m, &case["expect"])).map(|_| ()),
        "release" => release(world, case),
        "batch" => batch(world, case),
        "vote" => vote_case(world, case),
        "vote-batch" => vote_batch(world, case),
        "slice" => slice_case(world, case),
        "complaint" => complaint_case(world, case),
        "receipt" => receipt_case(case),
        other => Err(format!("unknown kind {other}")),
    }
}

fn hashes(case: &Value) -> Check {
    let label: &'static str = Box::leak(text(&case["label"])?.to_string().into_boxed_str());
    let parts: Result<Vec<Vec<u8>>, _> = items(&case["parts"])?.iter().map(bytes).collect();
    let parts = parts?;
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let h = hash::h64_any(label, &parts);
    same("h64", &h, &case["h64"])?;
    same("hs", &curve25519_dalek::scalar::Scalar::from_bytes_mod_order_wide(&h).to_bytes(), &case["hs"])
}

fn sealed(case: &Value) -> Check {
    let (key, plain) = (arr(&case["key"])?, bytes(&case["pt"])?);
    same("ct", &aead::seal(&key, &plain), &case["ct"])?;
    if aead::open(&key, &bytes(&case["ct"])?) == Some(plain.into()) { Ok(()) } else { Err("does not open".into()) }
}

fn bucket(case: &Value) -> Check {
    let got = wire::bucket(int(&case["need"])?).map(u64::from);
    if got == case["L"].as_u64() { Ok(()) } else { Err(format!("got {got:?}")) }
}

fn tree(case: &Value) -> Check {
    let leaves: Result<Vec<[u8; 32]>, _> = items(&case["leaves"])?.iter().map(arr).collect();
    let leaves = leaves?;
    same("root", &merkle::root(&leaves, &verify::node_hash).ok_or("no root")?, &case["root"])?;
    for (j, path) in items(&case["paths"])?.iter().enumerate() {
        let got = merkle::path(&leaves, j, &verify::node_hash).ok_or("no path")?;
        same("path", &got.concat(), path)?;
    }
    Ok(())
}

fn pseudonym(world: &World, case: &Value) -> Check {
    let (class, role) = class_role(case)?;
    let f = arr(&case["f"])?;
    let wanted = if case["expect"].is_null() { Value::from("ok") } else { case["expect"].clone() };
    let Some(got) = expect(world.master.open(class, role, &f), &wanted)? else { return Ok(()) };
    let identity =
        Identity { uid: int(&case["uid"])?, valid_from: narrow(&case["epoch"])?, ctr: narrow(&case["ctr"])? };
    same("f", &world.master.pseudonym(class, role, &identity), &case["f"])?;
    if got == identity { Ok(()) } else { Err(format!("opened {got:?}")) }
}

fn issue(world: &World, case: &Value) -> Check {
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

fn accept(world: &World, case: &Value) -> Check {
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

fn accept_batch(world: &World, case: &Value) -> Check {
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

fn request_case(world: &World, case: &Value) -> Check {
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

fn make_request(world: &World, m: &Value) -> Result<Vec<u8>, String> {
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

fn answer(world: &World, case: &Value) -> Check {
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

fn list_case(world: &World, case: &Value) -> Check {
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

fn box_case(world: &World, case: &Value) -> Check {
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

fn kses(world: &World, case: &Value) -> Check {
    let made = payload::session_key(world.pair(&case["record"])?, &arr(&case["plug"])?, &arr(&case["rand"])?);
    same("kses", &made, &case["kses"])
}

fn last(v: &Value) -> Result<Option<u64>, String> {
    if v.as_str() == Some("-1") || v.as_i64() == Some(-1) { Ok(None) } else { int(v).map(Some) }
}

/// The side that expects frames of direction `dir`.
fn reader_of(case: &Value, from: Option<u64>) -> Result<Session, String> {
    let side = if int(&case["dir"])? == 1 { Side::Pile } else { Side::Ev };
    Ok(Session::after(arr(&case["kses"])?, side, from))
}

fn frame(case: &Value) -> Check {
    let mut session = reader_of(case, last(&case["last"])?)?;
    if let Some(body) = expect(session.open(&bytes(&case["bytes"])?), &case["expect"])? {
        same("body", &body.encode(), &case["body"])?;
        if session.last() != Some(int(&case["ctr"])?) {
            return Err("ctr".into());
        }
    }
    Ok(())
}

fn frames(case: &Value) -> Check {
    let mut session = reader_of(case, None)?;
    for step in items(&case["steps"])? {
        expect(session.open(&bytes(&step["bytes"])?), &step["expect"])?;
        if session.last() != last(&step["last"])? {
            return Err(format!("last accepted counter is {:?}", session.last()));
        }
    }
    Ok(())
}

fn payload_case(world: &World, case: &Value) -> Check {
    let m = bytes(&case["m"])?;
    let fields = &case["fields"];
    let number = |name: &str, got: i128| -> Check {
        let wanted = &fields[name];
        let wanted: Option<i128> = wanted.as_i64().map(i128::from).or_else(|| wanted.as_str()?.parse().ok());
        if fields.is_null() || wanted == Some(got) { Ok(()) } else { Err(format!("{name}: {got}")) }
    };
    match int(&case["flow"])? {
        4 => {
            let Some(u) = expect(Upload::decode(&world.params, &m), &case["expect"])? else { return Ok(()) };
            number("time", u.time.into())?;
            number("soc_ppm", u.soc_ppm.into())?;
            number("capacity_wh", u.capacity_wh.into())?;
            number("max_power_w", u.max_power_w.into())?;
            number("power_w", u.power_w.into())?;
            number("energy_wh", u.energy_wh.into())?;
            number("departure", u.departure.into())?;
            number("target_ppm", u.target_ppm.into())?;
            if !fields["pile"].is_null() {
                same("pile", &u.pile, &fields["pile"])?;
            }
            match &u.session {
                Some(record) if !fields.is_null() => same("ss", &record.0, &fields["ss"])?,
                _ => {}
            }
            for (got, wanted) in u.receipts.iter().zip(items(&fields["receipts"])?) {
                same("sigma_id", &got.sigma.0, &wanted["sigma_id"])?;
                same("rc", &got.rc, &wanted["rc"])?;
                if int(&wanted["status"])? != u64::from(got.status) {
                    return Err("status".into());
                }
            }
            same("m", &u.encode(), &case["m"])
        }
        5 => {
            let plug = if case["plug"].is_null() { None } else { Some((arr(&case["plug"])?, int(&case["now"])?)) };
            let read = PlugIn::decode(&world.params, &m).and_then(|p| match &plug {
                Some((plug, now)) => p.check(Some(plug), *now).map(|()| p),
                None => Ok(p),
            });
            let Some(p) = expect(read, &case["expect"])? else { return Ok(()) };
            number("not_before", p.not_before.into())?;
            number("not_after", p.not_after.into())?;
            number("mode", if p.delegated.is_some() { 2 } else { 1 })?;
            if let Some(lent) = p.delegated.as_ref().filter(|_| !fields.is_null()) {
                same("ss", &lent.record.0, &fields["ss"])?;
                same("sk", &lent.sk, &fields["sk"])?;
            }
            same("m", &p.encode(), &case["m"])
        }
        6 => {
            let Some(r) = expect(Routing::decode(&m), &case["expect"])? else { return Ok(()) };
            if fields.is_null() {
                return Ok(());
            }
            number("part", r.part.into())?;
            number("parts", r.parts.into())?;
            same("sigma_id", &r.sigma.0, &fields["sigma_id"])?;
            for ((class, f), to) in r.receivers.iter().zip(items(&fields["to"])?) {
                same("f", f, &to["f"])?;
                if int(&to["class"])? != *class as u64 {
                    return Err("class".into());
                }
            }
            same("m", &r.encode(), &case["m"])
        }
        flow => {
            let flow = u8::try_from(flow).ok().and_then(Flow::from_code).ok_or("flow")?;
            expect(payload::check_layout(&world.params, flow, &m), &case["expect"]).map(|_| ())
        }
    }
}

fn signature(world: &World, case: &Value) -> Check {
    let name = Name::parse(text(&case["label"])?).ok_or("label")?;
    let (m, sig) = (arr(&case["m"])?, arr(&case["sig"])?);
    let rec = if case["rec"].is_null() { world.known(&case["record"])?.record } else { Record(arr(&case["rec"])?) };
    let wanted = if case["expect"].is_null() { Value::from("ok") } else { case["expect"].clone() };
    expect(schnorr::verify(&world.params, name, &rec, &m, &sig), &wanted)?;
    if case["rand"].is_null() {
        return Ok(());
    }
    same("sig", &schnorr::sign(name, world.pair(&case["record"])?, &m, &arr(&case["rand"])?), &case["sig"])
}

/// Signcrypts as `make` says; input that the types already refuse counts as SenderInput.
fn make(world: &World, m: &Value) -> Result<Result<Vec<u8>, Error>, String> {
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

type Ledger = BTreeMap<RecordId, SigmaId>;

fn ledger(v: &Value) -> Result<Ledger, String> {
    items(v)?.iter().map(|e| Ok((RecordId(arr(&e[0])?), SigmaId(arr(&e[1])?)))).collect()
}

fn sigma(world: &World, case: &Value) -> Check {
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

fn opening(world: &World, bytes: &Arc<[u8]>, now: u64, o: &Value) -> Check {
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

fn release(world: &World, case: &Value) -> Check {
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

fn batch(world: &World, case: &Value) -> Check {
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

fn vote_case(world: &World, case: &Value) -> Check {
    let voter = &world.known(&case["record"])?.public;
    let (body, sig) = (bytes(&case["body"])?, arr(&case["sig"])?);
    if !case["digest"].is_null() {
        same("digest", &vote::digest(&world.params, &body), &case["digest"])?;
    }
    expect(vote::verify(&world.params, voter, narrow(&case["epoch"])?, &body, &sig), &case["expect"])?;
    if case["rand"].is_null() {
        return Ok(());
    }
    same("sig", &vote::sign(&world.params, world.pair(&case["record"])?, &body, &arr(&case["rand"])?), &case["sig"])
}

fn vote_batch(world: &World, case: &Value) -> Check {
    let mut list = Vec::new();
    let votes = items(&case["votes"])?;
    for (v, each) in votes.iter().zip(each(case, votes.len())?) {
        let (voter, body) = (&world.known(&v["record"])?.public, bytes(&v["body"])?);
        let (message, signature) = (vote::digest(&world.params, &body), arr(&v["sig"])?);
        expect(schnorr::verify_cached(Name::Vote, voter, &message, &signature), each)?;
        list.push(vote::BatchItem { voter, message, signature });
    }
    if !case["weights"].is_null() {
        weights(&vote::batch_vote_weights(&list), case)?;
    }
    if case["expect"] == vote::verify_batch(&list) { Ok(()) } else { Err("batch result".into()) }
}

fn slice_case(world: &World, case: &Value) -> Check {
    let read = Slice::verify(&world.params, &bytes(&case["bytes"])?, int(&case["now"])?);
    let Some(slice) = expect(read, &case["expect"])? else { return Ok(()) };
    if case["j"].is_null() || int(&case["j"])? == u64::from(slice.index()) {
        return Ok(());
    }
    Err(format!("it is entry {}", slice.index()))
}

fn complaint_case(world: &World, case: &Value) -> Check {
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

fn receipt_case(case: &Value) -> Check {
    let k = EntryKey::from_bytes(arr(&case["k"])?);
    let receipt = Receipt::new(&k, SigmaId(arr(&case["sigma_id"])?), narrow(&case["status"])?);
    same("rc", &receipt.rc, &case["rc"])
}
