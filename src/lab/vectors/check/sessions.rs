//! Payloads, and the frames between car and pile (CLMMSC.md §9).

use super::World;
use super::read::{Check, arr, bytes, expect, int, items, same};
use crate::clmmsc::payload::{self, PlugIn, Routing, Upload};
use crate::clmmsc::record::Flow;
use crate::clmmsc::session::{Session, Side};
use serde_json::Value;

pub(super) fn kses(world: &World, case: &Value) -> Check {
    let made = payload::session_key(world.pair(&case["record"])?, &arr(&case["plug"])?, &arr(&case["rand"])?);
    same("kses", &made, &case["kses"])
}

pub(super) fn last(v: &Value) -> Result<Option<u64>, String> {
    if v.as_str() == Some("-1") || v.as_i64() == Some(-1) { Ok(None) } else { int(v).map(Some) }
}

/// The side that expects frames of direction `dir`.
pub(super) fn reader_of(case: &Value, from: Option<u64>) -> Result<Session, String> {
    let side = if int(&case["dir"])? == 1 { Side::Pile } else { Side::Ev };
    Ok(Session::after(arr(&case["kses"])?, side, from))
}

pub(super) fn frame(case: &Value) -> Check {
    let mut session = reader_of(case, last(&case["last"])?)?;
    if let Some(body) = expect(session.open(&bytes(&case["bytes"])?), &case["expect"])? {
        same("body", &body.encode(), &case["body"])?;
        if session.last() != Some(int(&case["ctr"])?) {
            return Err("ctr".into());
        }
    }
    Ok(())
}

pub(super) fn frames(case: &Value) -> Check {
    let mut session = reader_of(case, None)?;
    for step in items(&case["steps"])? {
        expect(session.open(&bytes(&step["bytes"])?), &step["expect"])?;
        if session.last() != last(&step["last"])? {
            return Err(format!("last accepted counter is {:?}", session.last()));
        }
    }
    Ok(())
}

pub(super) fn payload_case(world: &World, case: &Value) -> Check {
    match int(&case["flow"])? {
        4 => upload(world, case),
        5 => plug_in(world, case),
        6 => routing(case),
        flow => {
            let flow = u8::try_from(flow).ok().and_then(Flow::from_code).ok_or("flow")?;
            expect(payload::check_layout(&world.params, flow, &bytes(&case["m"])?), &case["expect"]).map(|_| ())
        }
    }
}

/// The field `name` of a payload, if the case lists any.
fn number(fields: &Value, name: &str, got: i128) -> Check {
    let wanted = &fields[name];
    let wanted: Option<i128> = wanted.as_i64().map(i128::from).or_else(|| wanted.as_str()?.parse().ok());
    if fields.is_null() || wanted == Some(got) { Ok(()) } else { Err(format!("{name}: {got}")) }
}

fn upload(world: &World, case: &Value) -> Check {
    let (m, fields) = (bytes(&case["m"])?, &case["fields"]);
    let Some(u) = expect(Upload::decode(&world.params, &m), &case["expect"])? else { return Ok(()) };
    number(fields, "time", u.time.into())?;
    number(fields, "soc_ppm", u.soc_ppm.into())?;
    number(fields, "capacity_wh", u.capacity_wh.into())?;
    number(fields, "max_power_w", u.max_power_w.into())?;
    number(fields, "power_w", u.power_w.into())?;
    number(fields, "energy_wh", u.energy_wh.into())?;
    number(fields, "departure", u.departure.into())?;
    number(fields, "target_ppm", u.target_ppm.into())?;
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

fn plug_in(world: &World, case: &Value) -> Check {
    let (m, fields) = (bytes(&case["m"])?, &case["fields"]);
    let plug = if case["plug"].is_null() { None } else { Some((arr(&case["plug"])?, int(&case["now"])?)) };
    let read = PlugIn::decode(&world.params, &m).and_then(|p| match &plug {
        Some((plug, now)) => p.check(Some(plug), *now).map(|()| p),
        None => Ok(p),
    });
    let Some(p) = expect(read, &case["expect"])? else { return Ok(()) };
    number(fields, "not_before", p.not_before.into())?;
    number(fields, "not_after", p.not_after.into())?;
    number(fields, "mode", if p.delegated.is_some() { 2 } else { 1 })?;
    if let Some(lent) = p.delegated.as_ref().filter(|_| !fields.is_null()) {
        same("ss", &lent.record.0, &fields["ss"])?;
        same("sk", &lent.sk, &fields["sk"])?;
    }
    same("m", &p.encode(), &case["m"])
}

fn routing(case: &Value) -> Check {
    let (m, fields) = (bytes(&case["m"])?, &case["fields"]);
    let Some(r) = expect(Routing::decode(&m), &case["expect"])? else { return Ok(()) };
    if fields.is_null() {
        return Ok(());
    }
    number(fields, "part", r.part.into())?;
    number(fields, "parts", r.parts.into())?;
    same("sigma_id", &r.sigma.0, &fields["sigma_id"])?;
    for ((class, f), to) in r.receivers.iter().zip(items(&fields["to"])?) {
        same("f", f, &to["f"])?;
        if int(&to["class"])? != *class as u64 {
            return Err("class".into());
        }
    }
    same("m", &r.encode(), &case["m"])
}
