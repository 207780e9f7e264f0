//! Checking vectors: one function per kind of case; each answers with the first difference (CLMMSC.md §19).

mod basics;
mod ciphertexts;
mod read;
mod registration;
mod sessions;
mod signatures;
mod world;

use crate::clmmsc::group;
use read::{Check, arr, expect};
use serde_json::Value;
pub use world::World;

/// Checks one case of a file.
///
/// # Errors
/// What is different or missing, in a few words.
pub fn check(world: &World, case: &Value) -> Check {
    let kind = case["kind"].as_str().unwrap_or_default();
    match kind {
        "hash" => basics::hashes(case),
        "point" => arr(&case["bytes"]).and_then(|b| expect(group::dec(&b), &case["expect"])).map(|_| ()),
        "scalar" => arr(&case["bytes"]).and_then(|b| expect(group::scal(&b), &case["expect"])).map(|_| ()),
        "aead" => basics::sealed(case),
        "bucket" => basics::bucket(case),
        "merkle" => basics::tree(case),
        "pseudonym" | "pseudonym-open" => registration::pseudonym(world, case),
        "issue" => registration::issue(world, case),
        "accept" => registration::accept(world, case),
        "accept-batch" => registration::accept_batch(world, case),
        "request" => registration::request_case(world, case),
        "answer" => registration::answer(world, case),
        "list" => registration::list_case(world, case),
        "box" => registration::box_case(world, case),
        "kses" => sessions::kses(world, case),
        "frame" => sessions::frame(case),
        "frames" => sessions::frames(case),
        "payload" => sessions::payload_case(world, case),
        "sign" | "verify-sig" => signatures::signature(world, case),
        "sigma" => ciphertexts::sigma(world, case),
        "signcrypt" => ciphertexts::make(world, &case["make"]).and_then(|m| expect(m, &case["expect"])).map(|_| ()),
        "release" => ciphertexts::release(world, case),
        "batch" => ciphertexts::batch(world, case),
        "vote" => signatures::vote_case(world, case),
        "vote-batch" => signatures::vote_batch(world, case),
        "slice" => ciphertexts::slice_case(world, case),
        "complaint" => ciphertexts::complaint_case(world, case),
        "receipt" => ciphertexts::receipt_case(case),
        other => Err(format!("unknown kind {other}")),
    }
}
