//! The same digests in a browser: `wasm-pack test --headless --chrome -- --features page`.

#![cfg(target_arch = "wasm32")]

use voltcast::sim::scenario::Scenario;
use voltcast::sim::swarm;
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn a_browser_computes_the_golden_digests() {
    let mut count = 0;
    for line in include_str!("golden_digests.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [id, seed, n, golden] = fields[..] else { panic!("{line}") };
        let (seed, n) = (seed.parse().unwrap(), n.parse().unwrap());
        let scenario = match id {
            "swarm" => swarm::scenario(seed, Some(n)).unwrap(),
            _ => Scenario::preset(id).unwrap().with_seed(seed).with_n(n).unwrap(),
        };
        let mut run = Timelines::open(scenario, vec![]).unwrap();
        while let Stop::Violation { .. } = run.run(BranchId(0), Until::End, u32::MAX) {}
        assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
        assert_eq!(run.trace(BranchId(0)).digest().to_string(), golden, "{line}");
        count += 1;
    }
    assert!(count >= 20, "{count} golden digests");
}
