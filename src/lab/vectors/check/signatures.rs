//! Signatures under records, and votes (CLMMSC.md §2.4, §10).

use super::World;
use super::read::{Check, arr, bytes, each, expect, items, narrow, same, text, weights};
use crate::clmmsc::record::Record;
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::vote;
use serde_json::Value;

pub(super) fn signature(world: &World, case: &Value) -> Check {
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

pub(super) fn vote_case(world: &World, case: &Value) -> Check {
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

pub(super) fn vote_batch(world: &World, case: &Value) -> Check {
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
