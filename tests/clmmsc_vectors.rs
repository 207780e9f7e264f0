//! The scheme against test vectors in the schema `clmmsc-vectors/1`: every file of `tests/vectors/`, and of the folder
//! named by `CLMMSC_VECTORS`.
#![cfg(not(target_arch = "wasm32"))]

use serde_json::Value;
use std::path::{Path, PathBuf};
use voltcast::lab::vectors::Tally;

fn files() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let other = std::env::var_os("CLMMSC_VECTORS").map(PathBuf::from);
    let mut all = Vec::new();
    for folder in [Some(own), other].into_iter().flatten() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        all.extend(entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|x| x == "json")));
    }
    all.sort();
    all
}

#[test]
fn every_vector_holds() {
    let mut tally = Tally::default();
    for path in files() {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        tally.file(&name, &text);
    }
    println!("ran: {:?}", tally.passed);
    let shown: Vec<&String> = tally.failed.iter().take(60).collect();
    assert!(tally.failed.is_empty(), "{} cases failed: {shown:#?}", tally.failed.len());
    assert!(tally.count() >= 700, "only {:?} ran", tally.passed);
}

/// The checker must be able to fail: each corrupted expectation is noticed.
#[test]
fn a_wrong_expectation_is_noticed() {
    let text = include_str!("vectors/flow1.json");
    let failures = |file: &Value| {
        let mut tally = Tally::default();
        tally.file("changed.json", &file.to_string());
        tally.failed.len()
    };
    let mut file: Value = serde_json::from_str(text).expect("the file parses");
    for (field, value) in [("expect", "Root"), ("nullifier", "00"), ("ctx", "00"), ("sigma_id", "00")] {
        let mut changed = file.clone();
        changed["cases"] = Value::Array(vec![file["cases"][0].clone()]);
        changed["cases"][0][field] = value.into();
        assert_eq!(failures(&changed), 1, "{field}");
    }
    let name = file["records"].as_object().and_then(|r| r.keys().next()).expect("a record").clone();
    file["records"][name.as_str()]["rid"] = "00".into();
    assert_eq!(failures(&file), 1);
    assert_eq!(failures(&serde_json::json!({ "schema": "other", "cases": [] })), 1);
}

/// Hostile files fail; nothing else happens.
#[test]
fn a_broken_file_fails_with_a_word_on_it() {
    let text = include_str!("vectors/extensions.json");
    let file: Value = serde_json::from_str(text).expect("the file parses");
    for (pointer, value) in [
        ("/params/ppub", Value::from("zz")),
        ("/params/epoch_len", Value::from(0)),
        ("/kgc/s", Value::Null),
        ("/cases/3/bytes", Value::from(7)),
        ("/cases/3/kind", Value::from("nonsense")),
        ("/cases/16/sigma", Value::from("")),
        ("/records", Value::Array(vec![])),
    ] {
        let mut broken = file.clone();
        *broken.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        let mut tally = Tally::default();
        tally.file("broken.json", &broken.to_string());
        assert_eq!(tally.failed.len(), 1, "{pointer}: {:?}", tally.failed);
    }
    let mut tally = Tally::default();
    tally.file("noise.json", "{");
    assert_eq!(tally.failed.len(), 1);
}
