//! Reading the fields of a case, and comparing what came out with what it says.

use crate::clmmsc::keys::{UserSecret, Wanted};
use crate::clmmsc::record::{Class, Role};
use crate::clmmsc::{Error, group};
use serde_json::Value;

pub(super) type Check = Result<(), String>;

pub(super) fn bytes(v: &Value) -> Result<Vec<u8>, String> {
    let text = v.as_str().ok_or(format!("no hex: {v}"))?;
    let digits = |p: &&str| p.bytes().all(|b| b.is_ascii_hexdigit());
    let pair = |i: usize| text.get(i..i + 2).filter(digits).and_then(|p| u8::from_str_radix(p, 16).ok());
    (0..text.len()).step_by(2).map(|i| pair(i).ok_or(format!("bad hex: {text}"))).collect()
}

pub(super) fn arr<const N: usize>(v: &Value) -> Result<[u8; N], String> {
    bytes(v)?.try_into().map_err(|_| format!("not {N} bytes: {v}"))
}

pub(super) fn int(v: &Value) -> Result<u64, String> {
    v.as_u64().or_else(|| v.as_str()?.parse().ok()).ok_or(format!("no number: {v}"))
}

pub(super) fn int_or(v: &Value, default: u64) -> Result<u64, String> {
    if v.is_null() { Ok(default) } else { int(v) }
}

/// A number that must fit.
pub(super) fn narrow<T: TryFrom<u64>>(v: &Value) -> Result<T, String> {
    T::try_from(int(v)?).map_err(|_| format!("too large: {v}"))
}

pub(super) fn narrow_or(v: &Value, default: u32) -> Result<u32, String> {
    if v.is_null() { Ok(default) } else { narrow(v) }
}

/// A list; one that is absent has nothing in it.
pub(super) fn items(v: &Value) -> Result<&[Value], String> {
    if v.is_null() { Ok(&[]) } else { v.as_array().map(Vec::as_slice).ok_or(format!("no list: {v}")) }
}

/// The single results of a batch, one for each of its items.
pub(super) fn each(case: &Value, count: usize) -> Result<&[Value], String> {
    let each = items(&case["each"])?;
    if each.len() == count { Ok(each) } else { Err(format!("{count} items, {} single results", each.len())) }
}

pub(super) fn text(v: &Value) -> Result<&str, String> {
    v.as_str().ok_or(format!("no text: {v}"))
}

pub(super) fn same(what: &str, got: &(impl AsRef<[u8]> + ?Sized), wanted: &Value) -> Check {
    if got.as_ref() == bytes(wanted)? { Ok(()) } else { Err(format!("{what} differs")) }
}

/// `expect` against a result; gives the value back if it was to be ok.
pub(super) fn expect<T, E: Into<Error>>(result: Result<T, E>, wanted: &Value) -> Result<Option<T>, String> {
    let result = result.map_err(Into::into);
    let got = result.as_ref().map_or_else(|e| e.name(), |_| "ok");
    if Some(got) == wanted.as_str() { Ok(result.ok()) } else { Err(format!("got {got}, expected {wanted}")) }
}

pub(super) fn class_role(case: &Value) -> Result<(Class, Role), String> {
    let class = Class::from_code(narrow(&case["class"])?).ok_or("class")?;
    Ok((class, Role::from_code(narrow(&case["role"])?).ok_or("role")?))
}

pub(super) fn wanted(case: &Value) -> Result<Wanted, String> {
    let (class, role) = class_role(case)?;
    Ok(Wanted { class, role, from: narrow(&case["from"])?, to: narrow(&case["to"])? })
}

pub(super) fn user(x: &Value) -> Result<UserSecret, String> {
    Ok(UserSecret::from_scalar(group::scal(&arr(x)?).map_err(|e| e.to_string())?))
}

pub(super) fn weights(got: &[[u8; 16]], case: &Value) -> Check {
    let listed: Result<Vec<[u8; 16]>, _> = items(&case["weights"])?.iter().map(arr).collect();
    if got == listed? { Ok(()) } else { Err("weights differ".into()) }
}
