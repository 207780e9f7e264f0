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
    assert_eq!(tally.unreadable, Vec::<String>::new());
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
        tally.failed.len() + tally.unreadable.len()
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
    let told = |file: &Value| {
        let mut tally = Tally::default();
        tally.file("broken.json", &file.to_string());
        (tally.failed.len(), tally.unreadable.len())
    };
    for (pointer, value, expected) in [
        ("/params/ppub", Value::from("zz"), (0, 1)),
        ("/params/epoch_len", Value::from(0), (0, 1)),
        ("/params/epoch_len", Value::from(3600 + (1u64 << 32)), (0, 1)),
        ("/kgc/s", Value::Null, (0, 1)),
        ("/records", Value::Array(vec![]), (0, 1)),
        ("/cases", Value::Null, (0, 1)),
        ("/schema", Value::from("clmmsc-vectors/2"), (0, 1)),
        ("/cases/3/bytes", Value::from(7), (1, 0)),
        ("/cases/3/bytes", Value::from("+a"), (1, 0)),
        ("/cases/3/kind", Value::from("nonsense"), (1, 0)),
        ("/cases/16/sigma", Value::from(""), (1, 0)),
    ] {
        let mut broken = file.clone();
        *broken.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        assert_eq!(told(&broken), expected, "{pointer}");
    }
    let mut tally = Tally::default();
    tally.file("noise.json", "{");
    assert_eq!(tally.unreadable.len(), 1);
}

/// A number that does not fit is not cut to one that does, and a batch with a result missing is not checked in part.
#[test]
fn nothing_in_a_case_is_silently_cut() {
    let failures = |text: &str, kind: &str, change: &dyn Fn(&mut Value)| {
        let mut file: Value = serde_json::from_str(text).expect("the file parses");
        let cases = file["cases"].as_array_mut().expect("cases");
        cases.retain(|case| case["kind"] == kind);
        cases.truncate(1);
        change(&mut cases[0]);
        let mut tally = Tally::default();
        tally.file("cut.json", &file.to_string());
        tally.failed.len()
    };
    let issue = include_str!("vectors/primitives.json");
    let shifted = |field: &'static str, by: u64| {
        move |case: &mut Value| case[field] = (case[field].as_u64().expect("a number") + by).into()
    };
    assert_eq!(failures(issue, "pseudonym", &shifted("class", 0)), 0);
    assert_eq!(failures(issue, "pseudonym", &shifted("class", 256)), 1);
    assert_eq!(failures(issue, "pseudonym", &shifted("ctr", 1 << 32)), 1);
    let batch = include_str!("vectors/batch.json");
    assert_eq!(failures(batch, "batch", &|_| ()), 0);
    let shorter = |case: &mut Value| drop(case["each"].as_array_mut().expect("results").pop());
    assert_eq!(failures(batch, "batch", &shorter), 1);
}
