//! Every key of a scenario file is documented, and nothing else is.

#![cfg(not(target_arch = "wasm32"))]

use serde_json::Value;
use std::collections::BTreeSet;
use voltcast::sim::adversary::Trigger;
use voltcast::sim::scenario::{FaultDo, PRESETS, Scenario};
use voltcast::sim::trace::PacketTag;
use voltcast::sim::units::PacketName;

/// Values whose inside is described in words.
const WHOLE: [&str; 6] =
    ["network.latency", "fault.do", "behaviour.when", "intervention.do", "station.tariff.periods", "workload.at"];

/// A scenario without a station.
const ALONE: &str = r#"
voltcast = 1
name = "agreement alone"
bootstrap = "given"
[entities]
ev = 0
[workload]
kind = "list"
at = ["1s"]
"#;

/// A scenario that uses every other optional key.
const EVERYTHING: &str = r#"
voltcast = 1
name = "everything"
[network]
gst = "9s"
bandwidth = 1000
in_flight = 100
[[fleet.generate]]
count = 1
arrive = ["1s", "2s"]
stay = ["1min", "2min"]
capacity_wh = [40000, 50000]
soc = [100000, 200000]
target = [300000, 400000]
max_power_w = [7400, 11000]
[[fleet.ev]]
capacity_wh = 40000
soc = 100000
target = 200000
max_power_w = 7400
arrive = "2s"
depart = "5min"
pile = 1
again = [{ soc = 100000, target = 200000, arrive = "7min", depart = "9min", pile = 2 }]
[[order]]
at = "1min"
do = { area_limit = { area = 1, limit_w = 1000, lasts = "1min" } }
[[order]]
at = "1min"
do = { default_tariff = { tariff = { id = 2, currency = "EUR", periods = [[0, 1, 1]] }, valid_from = "2min" } }
[[order]]
at = "1min"
do = { availability = { pile = 1, operative = false } }
[[order]]
at = "1min"
do = { stop = { pile = 1 } }
[[order]]
at = "1min"
do = { default_limit = { pile = 1, limit_w = 1000 } }
[[fault]]
at = "1min"
do = { crash = "css1" }
[[behaviour]]
node = "css1"
kind = "twins"
hears = ["-aab", "-abx"]
[[intervention]]
at = "1min"
do = { pause = "css2" }
"#;

fn keys(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if !WHOLE.contains(&path) => {
            for (key, inner) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                keys(inner, &path, into);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) && !WHOLE.contains(&path) => {
            items.iter().for_each(|item| keys(item, path, into));
        }
        Value::Array(items) if items.is_empty() => {}
        _ => {
            into.insert(path.to_owned());
        }
    }
}

/// Keys in the first column of the document's tables, under the table's heading.
fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenarios.md")).unwrap();
    let (mut table, mut all) = (String::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let name = heading.trim_matches(['[', ']']);
            table = if heading.starts_with('[') { format!("{name}.") } else { String::new() };
        } else if let Some(key) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            assert!(all.insert(format!("{table}{key}")), "{table}{key} stands twice");
        }
    }
    all
}

#[test]
fn every_key_is_documented_and_nothing_else_is() {
    let mut found = BTreeSet::new();
    let presets = PRESETS.iter().map(|preset| Scenario::preset(preset.id).unwrap());
    let written = [ALONE, EVERYTHING].map(|text| Scenario::from_toml(text).unwrap_or_else(|e| panic!("{e}")));
    for scenario in presets.chain(written) {
        for form in [scenario.resolved(), scenario] {
            keys(&serde_json::to_value(&form).unwrap(), "", &mut found);
        }
    }
    let documented = documented();
    let missing: Vec<_> = found.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&found).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not documented: {missing:?}; not there: {stale:?}");
}

/// The names that serde knows: it lists them when it meets another one.
fn variants<T: serde::de::DeserializeOwned>(of: &str) -> Vec<String> {
    let told = serde_json::from_str::<T>(of).err().expect("no such name").to_string();
    let names = told.split('`').skip(3).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn every_fault_and_every_condition_is_documented() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenarios.md")).unwrap();
    let faults = variants::<FaultDo>(r#"{ "nonsense": 1 }"#);
    let conditions = variants::<Trigger>(r#"{ "nonsense": 1 }"#);
    let rule = variants::<FaultDo>(r#"{ "block": { "nonsense": 1 } }"#);
    assert_eq!((faults.len(), conditions.len(), rule.len()), (14, 11, 10), "{faults:?} {conditions:?} {rule:?}");
    for name in faults.iter().chain(&conditions).chain(&rule) {
        let written = [format!("`{name}`"), format!("`{name} ="), format!("{{ {name} ="), format!("`\"{name}\"`")];
        assert!(written.iter().any(|form| text.contains(form)), "{name} is not documented");
    }
}

#[test]
fn every_packet_can_be_named_and_its_name_is_documented() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenarios.md")).unwrap();
    let names: BTreeSet<&str> = PacketTag::ALL.iter().map(|tag| tag.name()).collect();
    assert_eq!(names.len(), PacketTag::ALL.len());
    for name in names {
        assert!(text.contains(&format!("`{name}`")), "{name} is not documented");
        assert_eq!(PacketName::parse(name).unwrap().to_string(), name);
    }
    assert!(PacketName::parse("pbft").unwrap().matches(PacketTag::Blocks));
    assert!(PacketName::parse("pbft.nothing").is_none());
}

#[test]
fn a_bad_file_is_refused_with_line_column_and_reason() {
    let morning = PRESETS.iter().find(|preset| preset.id == "morning").unwrap().toml;
    let line = |needle: &str| morning.lines().position(|l| l.starts_with(needle)).unwrap() + 1;
    for (from, to, at, reason) in [
        ("upload_every = \"15min\"", "upload_every = \"1s\"", "upload_every", "must be from 10s"),
        ("stay = [\"120min\"", "stay = [\"200min\"", "stay", "`stay`"),
        ("count = 20", "count = 21", "count", "the fleet has 21 cars"),
        ("arrive = [", "arive = [", "arrive", "arive"),
    ] {
        assert!(morning.contains(from), "{from}");
        let error = Scenario::from_toml(&morning.replacen(from, to, 1)).unwrap_err();
        assert!(error.sentence.contains(reason), "{error}");
        let (found, column) = error.place.unwrap();
        assert!(column > 0 && (found == line(at) || reason.starts_with("the fleet")), "{error}");
    }
    let order = "[[order]]\nat = \"1min\"\ndo = { area_limit = { area = 9, limit_w = 1, lasts = \"1min\" } }\n";
    let error = Scenario::from_toml(&format!("{morning}\n{order}")).unwrap_err();
    assert_eq!(error.sentence, "`area` is 9, but must be from 1 to 3");
    assert_eq!(error.place.unwrap().0, morning.lines().count() + 4);
}
