//! What the tests of invariants tell them, and what they answer.

use super::Finding;
use crate::entities::actor::{ActorId, Role};
use crate::ledger::Micros;
use crate::sim::trace::{Effect, EffectId, Kind};

pub fn css(index: u16) -> ActorId {
    ActorId::new(Role::Css, index)
}

/// An effect of an actor at time 0, without causes.
pub fn effect(actor: ActorId, kind: Kind) -> Effect {
    let (id, needs) = (EffectId(0), Vec::new());
    Effect { id, step: 0, t: Micros(0), actor: Some(actor), kind, cause: None, needs, rule: None }
}

/// The gateway lies from here on.
pub fn lies(index: u16) -> Effect {
    effect(css(index), Kind::Behaves { behaviour: Some("equivocating_primary".into()) })
}

/// The invariant that broke, or "void".
pub fn id(finding: Option<Finding>) -> Option<&'static str> {
    finding.map(|f| match f {
        Finding::Broken { id, .. } => id,
        Finding::Void { .. } => "void",
    })
}
