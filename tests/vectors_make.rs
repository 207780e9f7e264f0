//! Vectors of our own: made from a seed, the same each time, checked, and rich enough (CLMMSC.md §19).
#![cfg(not(target_arch = "wasm32"))]

use serde_json::Value;
use std::collections::BTreeSet;
use voltcast::clmmsc::Error;
use voltcast::lab::vectors::Tally;
use voltcast::lab::vectors::make::make;

#[test]
fn a_seed_gives_the_same_files_and_every_case_holds() {
    let files = make(5).expect("the cases hold");
    assert_eq!(files, make(5).expect("the cases hold"));
    let mut tally = Tally::default();
    let (mut negative, mut errors, mut most, mut flows) = (0, BTreeSet::new(), 0, BTreeSet::new());
    for (name, text) in &files {
        tally.file(name, text);
        let file: Value = serde_json::from_str(text).expect("JSON");
        for case in file["cases"].as_array().expect("cases") {
            let opens = case["opens"].as_array().into_iter().flatten();
            for expect in opens.chain([case]).filter_map(|c| c["expect"].as_str()).filter(|e| *e != "ok") {
                negative += 1;
                errors.insert(expect.to_string());
            }
            let to = case["make"]["to"].as_array().map_or(0, Vec::len);
            most = most.max(to);
            flows.extend(case["make"]["flow"].as_u64());
        }
    }
    assert_eq!((tally.failed, tally.unreadable), (vec![], vec![]));
    assert!(negative >= 200 && most == 1_000 && flows.len() == 7, "{negative} negative, n up to {most}, {flows:?}");
    // Every error name there is has its case.
    let missing: Vec<&str> = Error::ALL.iter().map(|e| e.name()).filter(|e| !errors.contains(*e)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
