//! The scheme against test vectors in the schema `clmmsc-vectors/1`: every file of `tests/vectors/`, and of the folder
//! named by `CLMMSC_VECTORS`.
#![cfg(not(target_arch = "wasm32"))]

#[path = "clmmsc_vectors/kinds.rs"]
mod kinds;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Outcome of a case.
pub enum Outcome {
    Passed,
    Failed(String),
}

#[derive(Default)]
struct Tally {
    ran: BTreeMap<String, u32>,
    failed: Vec<String>,
}

impl Tally {
    fn file(&mut self, name: &str, text: &str) {
        let file: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let cases = file["cases"].as_array().unwrap_or_else(|| panic!("{name} has no cases"));
        let world = match kinds::World::read(&file) {
            Ok(world) => world,
            Err(e) => return self.failed.push(format!("{name}: {e}")),
        };
        for case in cases {
            let kind = case["kind"].as_str().unwrap_or("?").to_string();
            match kinds::check(&world, case) {
                Outcome::Passed => *self.ran.entry(kind).or_default() += 1,
                Outcome::Failed(why) => self.failed.push(format!("{name}, {kind} {}: {why}", case["id"])),
            }
        }
    }
}

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
    println!("ran: {:?}", tally.ran);
    let shown: Vec<&String> = tally.failed.iter().take(60).collect();
    assert!(tally.failed.is_empty(), "{} cases failed: {shown:#?}", tally.failed.len());
    assert!(tally.ran.values().sum::<u32>() >= 500, "only {:?} ran", tally.ran);
}

/// The checker must be able to fail: each corrupted expectation is noticed.
#[test]
fn a_wrong_expectation_is_noticed() {
    let text = include_str!("vectors/flow1.json");
    let mut file: Value = serde_json::from_str(text).expect("the file parses");
    for (field, value) in [("expect", "Root"), ("nullifier", "00"), ("ctx", "00"), ("sigma_id", "00")] {
        let mut changed = file.clone();
        changed["cases"] = Value::Array(vec![file["cases"][0].clone()]);
        changed["cases"][0][field] = value.into();
        let mut tally = Tally::default();
        tally.file("changed.json", &changed.to_string());
        assert_eq!(tally.failed.len(), 1, "{field}");
    }
    let name = file["records"].as_object().and_then(|r| r.keys().next()).expect("a record").clone();
    file["records"][name.as_str()]["rid"] = "00".into();
    let mut tally = Tally::default();
    tally.file("changed.json", &file.to_string());
    assert_eq!(tally.failed.len(), 1);
}
