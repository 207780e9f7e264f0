//! Hashes, the AEAD, buckets and trees.

use super::read::{Check, arr, bytes, int, items, same, text};
use crate::clmmsc::{aead, hash, merkle, verify, wire};
use serde_json::Value;

pub(super) fn hashes(case: &Value) -> Check {
    let label: &'static str = Box::leak(text(&case["label"])?.to_string().into_boxed_str());
    let parts: Result<Vec<Vec<u8>>, _> = items(&case["parts"])?.iter().map(bytes).collect();
    let parts = parts?;
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let h = hash::h64_any(label, &parts);
    same("h64", &h, &case["h64"])?;
    same("hs", &curve25519_dalek::scalar::Scalar::from_bytes_mod_order_wide(&h).to_bytes(), &case["hs"])
}

pub(super) fn sealed(case: &Value) -> Check {
    let (key, plain) = (arr(&case["key"])?, bytes(&case["pt"])?);
    same("ct", &aead::seal(&key, &plain), &case["ct"])?;
    if aead::open(&key, &bytes(&case["ct"])?) == Some(plain.into()) { Ok(()) } else { Err("does not open".into()) }
}

pub(super) fn bucket(case: &Value) -> Check {
    let got = wire::bucket(int(&case["need"])?).map(u64::from);
    if got == case["L"].as_u64() { Ok(()) } else { Err(format!("got {got:?}")) }
}

pub(super) fn tree(case: &Value) -> Check {
    let leaves: Result<Vec<[u8; 32]>, _> = items(&case["leaves"])?.iter().map(arr).collect();
    let leaves = leaves?;
    same("root", &merkle::root(&leaves, &verify::node_hash).ok_or("no root")?, &case["root"])?;
    for (j, path) in items(&case["paths"])?.iter().enumerate() {
        let got = merkle::path(&leaves, j, &verify::node_hash).ok_or("no path")?;
        same("path", &got.concat(), path)?;
    }
    Ok(())
}
