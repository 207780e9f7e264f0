//! The state of a run at a moment, from the trace alone: what `voltcast.state()` and the summary of a recorded run say
//! (WORLD.md §12).

use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::FactKind;
use crate::ledger::Digest;
use crate::sim::forensics::Charge;
use crate::sim::trace::{Effect, Kind, Trace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// µJ in one Wh.
pub const UJ_PER_WH: i64 = 3_600_000_000;

/// What the trace does not say about its run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunInfo {
    pub scenario: String,
    pub seed: u64,
    /// Gateways, and how many of them may be faulty.
    pub n: u16,
    pub f: u16,
    /// Signatures are stubs: the run shows agreement and no cryptography.
    pub stub: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ChainHead {
    pub height: u64,
    pub head: Digest,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    pub invariant: String,
    pub event: u32,
}

/// One opening of a command (flow 1) at a pile.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Opening {
    pub cp: ActorId,
    pub ev: Option<ActorId>,
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A complaint and what the gateways found, who found it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Complaint {
    pub ev: Option<ActorId>,
    pub sigma: Digest,
    /// The sender that became public, if the entry is in order.
    pub sender: Option<ActorId>,
    /// Why the entry is not in order.
    pub error: Option<String>,
    pub judges: Vec<ActorId>,
}

/// A gateway proven faulty, and by what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Conviction {
    pub culprit: ActorId,
    pub class: Charge,
}

/// Equal refusals, counted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Refusal {
    pub actor: ActorId,
    pub check: String,
    pub error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<Digest>,
    pub count: u32,
}

/// Power at a pile: W and Wh (whole Wh, rounded down).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Power {
    pub cp: ActorId,
    pub ev: Option<ActorId>,
    pub limit_w: i32,
    pub power_w: i32,
    pub energy_wh: i64,
}

/// The newest bill of a transaction; `total` in minor currency units.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BillLine {
    pub cp: ActorId,
    pub ev: Option<ActorId>,
    pub transaction: String,
    pub energy_wh: i64,
    pub total: i64,
    pub currency: String,
    #[serde(rename = "final")]
    pub last: bool,
    pub heights: Vec<Option<u64>>,
}

/// State after the first `events` effects. The digest closes the last step that is complete among them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct State {
    pub scenario: String,
    /// Decimal.
    pub seed: String,
    pub n: u16,
    pub f: u16,
    pub stub: bool,
    pub t_us: u64,
    pub step: u64,
    pub events: u32,
    pub digest: Digest,
    pub phase: u8,
    pub violations: Vec<Violation>,
    pub safety_void: bool,
    pub chains: BTreeMap<String, ChainHead>,
    pub views: BTreeMap<String, u64>,
    pub opened: Vec<Opening>,
    pub not_a_receiver: Vec<ActorId>,
    pub refused: Vec<Refusal>,
    pub evidence: Vec<Conviction>,
    pub power: Vec<Power>,
    pub bills: Vec<BillLine>,
    pub complaints: Vec<Complaint>,
}

/// Folds the first `count` effects of a trace.
pub fn state(info: &RunInfo, trace: &Trace, count: u32) -> State {
    let events = count.min(trace.len());
    let gateways = (0..info.n).map(|i| ActorId::new(Role::Css, i).to_string());
    let mut fold = Fold {
        state: State {
            scenario: info.scenario.clone(),
            seed: info.seed.to_string(),
            n: info.n,
            f: info.f,
            stub: info.stub,
            t_us: 0,
            step: 0,
            events,
            digest: trace.digest_at(trace.whole_steps(events)),
            phase: 1,
            violations: vec![],
            safety_void: false,
            chains: gateways.clone().map(|id| (id, ChainHead { height: 0, head: Digest::ZERO })).collect(),
            views: gateways.map(|id| (id, 0)).collect(),
            opened: vec![],
            not_a_receiver: vec![],
            refused: vec![],
            evidence: vec![],
            power: vec![],
            bills: vec![],
            complaints: vec![],
        },
        plugs: BTreeMap::new(),
        owners: BTreeMap::new(),
    };
    for effect in &trace.effects()[..events as usize] {
        fold.effect(effect);
    }
    fold.state
}

struct Fold {
    state: State,
    /// Which EV is plugged in at which pile.
    plugs: BTreeMap<ActorId, ActorId>,
    /// Whose record it is.
    owners: BTreeMap<Digest, ActorId>,
}

impl Fold {
    fn effect(&mut self, effect: &Effect) {
        self.state.t_us = effect.t.0;
        self.state.step = effect.step;
        self.state.phase = effect.phase().unwrap_or(self.state.phase);
        match (&effect.kind, effect.actor) {
            (Kind::InvariantBroken { id, .. }, _) => {
                self.state.violations.push(Violation { invariant: id.clone(), event: effect.id.0 });
            }
            (Kind::SafetyVoid { .. }, _) => self.state.safety_void = true,
            (Kind::Convicted { culprit, charge, .. }, _) => self.convicted(*culprit, *charge),
            (Kind::Fact(fact), Some(actor)) => self.fact(actor, fact, effect),
            _ => {}
        }
    }

    fn fact(&mut self, actor: ActorId, fact: &FactKind, effect: &Effect) {
        use FactKind as F;
        match fact {
            F::KeyAccepted { rid, class: 1, .. } => {
                self.owners.insert(*rid, actor);
            }
            F::Judged { sigma, rid, sender, error, .. } => {
                let ev = self.owners.get(rid).copied();
                let sender = sender.as_ref().and_then(|rid| self.owners.get(rid).copied());
                let found = Complaint { ev, sigma: *sigma, sender, error: error.clone(), judges: vec![] };
                self.judged(found, actor);
            }
            F::PluggedIn { cp } => {
                self.plugs.insert(*cp, actor);
            }
            F::BlockAppended { height, header, .. } if actor.role == Role::Css => {
                self.state.chains.insert(actor.to_string(), ChainHead { height: *height, head: *header });
            }
            F::NewView { view, .. } => {
                self.state.views.insert(actor.to_string(), *view);
            }
            F::Opened { flow: 1, error, .. } => {
                let ev = self.plugs.get(&actor).copied();
                self.state.opened.push(Opening { cp: actor, ev, ok: error.is_none(), error: error.clone() });
            }
            F::NotAReceiver { .. } if actor.role == Role::Cp && !self.state.not_a_receiver.contains(&actor) => {
                self.state.not_a_receiver.push(actor);
            }
            F::Dispatched { limit_w, power_w, .. } => {
                let power = self.power(actor);
                (power.limit_w, power.power_w) = (*limit_w, *power_w);
            }
            F::Metered { energy_uj, power_w, .. } => {
                let power = self.power(actor);
                (power.energy_wh, power.power_w) = (energy_uj.div_euclid(UJ_PER_WH), *power_w);
            }
            F::Evidence { culprit, class } => {
                self.convicted(*culprit, Charge::Proven(*class));
            }
            F::Billed { .. } => self.bill(actor, fact),
            _ => {}
        }
        self.refusal(actor, fact, effect);
    }

    fn convicted(&mut self, culprit: ActorId, class: Charge) {
        let line = Conviction { culprit, class };
        if !self.state.evidence.contains(&line) {
            self.state.evidence.push(line);
        }
    }

    /// Equal findings of several gateways are one line.
    fn judged(&mut self, found: Complaint, by: ActorId) {
        let same = |c: &&mut Complaint| Complaint { judges: vec![], ..(**c).clone() } == found;
        match self.state.complaints.iter_mut().find(same) {
            Some(line) => line.judges.push(by),
            None => self.state.complaints.push(Complaint { judges: vec![by], ..found }),
        }
    }

    fn power(&mut self, cp: ActorId) -> &mut Power {
        let ev = self.plugs.get(&cp).copied();
        let at = self.state.power.iter().position(|p| p.cp == cp && p.ev == ev).unwrap_or(self.state.power.len());
        if at == self.state.power.len() {
            self.state.power.push(Power { cp, ev, limit_w: 0, power_w: 0, energy_wh: 0 });
        }
        &mut self.state.power[at]
    }

    fn bill(&mut self, cp: ActorId, fact: &FactKind) {
        let FactKind::Billed { transaction, energy_uj, total, currency, heights, last, .. } = fact else { return };
        let line = BillLine {
            cp,
            ev: self.plugs.get(&cp).copied(),
            transaction: transaction.to_string(),
            energy_wh: energy_uj.div_euclid(UJ_PER_WH),
            total: *total,
            currency: currency.clone(),
            last: *last,
            heights: heights.clone(),
        };
        match self.state.bills.iter_mut().find(|b| b.cp == cp && b.transaction == line.transaction) {
            Some(old) => *old = line,
            None => self.state.bills.push(line),
        }
    }

    fn refusal(&mut self, actor: ActorId, fact: &FactKind, effect: &Effect) {
        use FactKind as F;
        let (error, sigma) = match fact {
            F::Verified { sigma, error: Some(error) } => (error, Some(*sigma)),
            F::Opened { sigma, error: Some(error), .. } => (error, Some(*sigma)),
            F::KeyRefused { error } => (error, None),
            F::VoteRefused { reason, .. } => (reason, None),
            F::Refused { reason, sigma, .. } => (reason, *sigma),
            _ => return,
        };
        let check = effect.rule.map_or("", |r| r.id());
        let same = |r: &&mut Refusal| r.actor == actor && r.check == check && r.error == *error && r.sigma == sigma;
        match self.state.refused.iter_mut().find(same) {
            Some(refusal) => refusal.count += 1,
            None => {
                let refusal = Refusal { actor, check: check.into(), error: error.clone(), sigma, count: 1 };
                self.state.refused.push(refusal);
            }
        }
    }
}
