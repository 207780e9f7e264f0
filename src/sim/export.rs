//! A recorded run as JSON (WORLD.md §12): what `voltcast run --json` writes and the page exports.
//!
//! No wall-clock value enters, so equal runs give equal files. Numbers that JSON readers would round are decimal strings.

use crate::entities::actor::ActorId;
use crate::entities::stub::Crypto;
use crate::ledger::Digest;
use crate::pbft::Quorum;
use crate::sim::intervention::Intervention;
use crate::sim::scenario::{ENGINE, Scenario};
use crate::sim::state::{self, RunInfo, State};
use crate::sim::trace::{Effect, Trace};
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize)]
struct Recorded<'a> {
    voltcast: u32,
    engine: &'static str,
    scenario: Value,
    seed: String,
    interventions: &'a [Intervention],
    summary: State,
    digest: Digest,
    groups: Vec<Digest>,
    effects: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    id: u32,
    step: u64,
    t: u64,
    actor: Option<ActorId>,
    kind: &'static str,
    #[serde(flatten)]
    arguments: Map<String, Value>,
    cause: Option<u32>,
    needs: Vec<u32>,
    rule: Option<&'static str>,
}

/// Fields whose values may exceed 2^53.
const WIDE: [&str; 2] = ["transaction", "energy_uj"];

/// What the trace says about its run, for [`state::state`].
pub fn info(scenario: &Scenario, id: &str) -> RunInfo {
    let n = scenario.gateways.n;
    let f = Quorum::new(n).map_or(0, Quorum::f);
    RunInfo { scenario: id.to_owned(), seed: scenario.seed, n, f, stub: scenario.gateways.crypto == Crypto::Stub }
}

/// The whole run; `id` is the scenario's name in lists, or its title if it came from a file.
pub fn json(scenario: &Scenario, id: &str, interventions: &[Intervention], trace: &Trace) -> String {
    let recorded = Recorded {
        voltcast: 1,
        engine: ENGINE,
        scenario: serde_json::to_value(scenario.resolved()).unwrap_or_default(),
        seed: scenario.seed.to_string(),
        interventions,
        summary: state::state(&info(scenario, id), trace, trace.len()),
        digest: trace.digest(),
        groups: trace.groups().collect(),
        effects: trace.effects().iter().map(line).collect(),
    };
    // Plain data into memory: there is nothing that could fail.
    serde_json::to_string(&recorded).unwrap_or_default()
}

fn line(effect: &Effect) -> Line {
    Line {
        id: effect.id.0,
        step: effect.step,
        t: effect.t.0,
        actor: effect.actor,
        kind: effect.kind.name(),
        arguments: arguments(effect),
        cause: effect.cause.map(|id| id.0),
        needs: effect.needs.iter().map(|id| id.0).collect(),
        rule: effect.rule.map(|rule| rule.id()),
    }
}

/// The fields of the kind itself, without the names of the enums around them.
fn arguments(effect: &Effect) -> Map<String, Value> {
    let mut value = serde_json::to_value(&effect.kind).unwrap_or_default();
    if let Some(fact) = value.as_object_mut().and_then(|kind| kind.remove("Fact")) {
        value = fact;
    }
    let mut fields = match value {
        Value::Object(kind) => kind.into_iter().next().map_or(Value::Null, |(_, fields)| fields),
        _ => Value::Null,
    };
    for name in WIDE {
        if let Some(number) = fields.get_mut(name) {
            *number = Value::String(number.to_string());
        }
    }
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::actor::Role;
    use crate::entities::fact::FactKind;
    use crate::ledger::Micros;
    use crate::sim::trace::{EffectId, Kind};

    #[test]
    fn facts_are_flat_and_wide_numbers_are_text() {
        let transaction = (1 << 60) + 1;
        let fact = FactKind::Metered { transaction, energy_uj: -5, power_w: 7 };
        let effect = Effect {
            id: EffectId(0),
            step: 1,
            t: Micros(3),
            actor: Some(ActorId::new(Role::Cp, 0)),
            kind: Kind::Fact(fact),
            cause: None,
            needs: vec![EffectId(9)],
            rule: None,
        };
        let json = serde_json::to_value(line(&effect)).unwrap();
        assert_eq!(json["kind"], "Metered");
        assert_eq!(json["transaction"], "1152921504606846977");
        assert_eq!(json["energy_uj"], "-5");
        assert_eq!(json["power_w"], 7);
        assert_eq!(json["actor"], "cp1");
        let bare = Effect { kind: Kind::Crashed, ..effect };
        assert_eq!(serde_json::to_value(line(&bare)).unwrap()["kind"], "Crashed");
    }
}
