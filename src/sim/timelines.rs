//! Branches of a run: go on, go back, and change the past without losing the old future (CONSENSUS.md §4.7, §4.8).
//!
//! A branch is its scenario and its interventions; its trace is a function of both. A fork shares the prefix: the
//! nearest kept copy of the world is run on to the moment of the intervention. Nothing here decides what happens.

use crate::entities::actor::ActorId;
use crate::ledger::Micros;
use crate::sim::intervention::{At, Intervention};
use crate::sim::memo::Memo;
use crate::sim::scenario::{Scenario, ScenarioError};
use crate::sim::trace::{Effect, EffectId, Kind, Trace};
use crate::sim::world::World;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Effects between two kept copies of the world.
const KEYFRAME_EVERY: u32 = 256;
/// This many newest copies are kept …
const KEYFRAMES_NEW: usize = 64;
/// … and of older ones one per so many effects.
const KEYFRAME_OLD: u32 = 2_048;
/// Most effects of a branch.
pub const MAX_EFFECTS: u32 = 2_000_000;
/// Most interventions of a branch, the scenario's own included.
pub const MAX_INTERVENTIONS: usize = 256;
/// Most branches at once.
const MAX_BRANCHES: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct BranchId(pub u16);

/// One line of events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Branch {
    pub id: BranchId,
    /// `None` for the first branch.
    pub parent: Option<BranchId>,
    /// Last effect shared with the parent.
    pub at: EffectId,
    pub name: String,
    /// What was done to it, beyond what its scenario does by itself, in order.
    pub interventions: Vec<Intervention>,
}

/// How far to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Until {
    /// Everything up to and including this virtual time has happened.
    Time(Micros),
    /// The trace has at least so many effects.
    Effects(u32),
    End,
}

/// Why a run stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The step budget is used up; there is more to do.
    More,
    Reached,
    /// The scenario's end.
    End,
    /// An invariant broke in the last step; running on is allowed.
    Violation {
        effect: EffectId,
        id: String,
        text: String,
    },
    /// The branch has [`MAX_EFFECTS`].
    Limit,
}

/// Why an intervention is not possible, in one sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InterventionError(pub String);

#[derive(Clone)]
struct Keyframe {
    effects: u32,
    world: Arc<World>,
}

#[derive(Clone)]
struct Lane {
    world: World,
    trace: Trace,
    keyframes: Vec<Keyframe>,
    /// Whether copies are kept on the way.
    keep: bool,
}

/// All branches of one scenario.
pub struct Timelines {
    branches: Vec<Branch>,
    /// Parallel to `branches`.
    lanes: Vec<Lane>,
    next_id: u16,
    memo: Memo,
}

impl Timelines {
    /// Opens a scenario with interventions from outside (a link, a file); nothing has happened yet.
    ///
    /// # Errors
    /// If the scenario is out of bounds or an intervention makes no sense in it.
    pub fn open(scenario: Scenario, interventions: Vec<Intervention>) -> Result<Self, ScenarioError> {
        Self::open_with(scenario, interventions, Memo::new(), true)
    }

    /// As [`Timelines::open`] for runs that nobody goes back in: no copies are kept on the way.
    ///
    /// # Errors
    /// As [`Timelines::open`].
    pub fn open_headless(scenario: Scenario, interventions: Vec<Intervention>) -> Result<Self, ScenarioError> {
        Self::open_with(scenario, interventions, Memo::new(), false)
    }

    /// As [`Timelines::open`], but every verification is done anew: slower, and the same to the last digit.
    ///
    /// # Errors
    /// As [`Timelines::open`].
    pub fn open_without_memo(scenario: Scenario, interventions: Vec<Intervention>) -> Result<Self, ScenarioError> {
        Self::open_with(scenario, interventions, Memo::off(), true)
    }

    fn open_with(
        scenario: Scenario,
        interventions: Vec<Intervention>,
        memo: Memo,
        keep: bool,
    ) -> Result<Self, ScenarioError> {
        let refuse = |sentence| ScenarioError { place: None, sentence };
        if interventions.len() + scenario.intervention.len() > MAX_INTERVENTIONS {
            return Err(refuse(format!("a run takes at most {MAX_INTERVENTIONS} interventions")));
        }
        for intervention in &interventions {
            scenario.allows(&intervention.action).map_err(refuse)?;
        }
        let name = scenario.name.clone();
        let world = World::new(scenario.checked()?, interventions.clone())?;
        let keyframes = vec![Keyframe { effects: 0, world: Arc::new(world.clone()) }];
        let branch = Branch { id: BranchId(0), parent: None, at: EffectId(0), name, interventions };
        let lane = Lane { world, trace: Trace::new(), keyframes, keep };
        Ok(Timelines { branches: vec![branch], lanes: vec![lane], next_id: 1, memo })
    }

    fn index(&self, branch: BranchId) -> usize {
        self.branches.iter().position(|b| b.id == branch).unwrap_or(0)
    }

    /// Whether there is such a branch; all other functions take an unknown one for the first.
    pub fn contains(&self, branch: BranchId) -> bool {
        self.branches.iter().any(|b| b.id == branch)
    }

    /// Runs a branch on, at most `max_steps` events.
    pub fn run(&mut self, branch: BranchId, until: Until, max_steps: u32) -> Stop {
        let index = self.index(branch);
        let lane = &mut self.lanes[index];
        for _ in 0..max_steps {
            if let Some(stop) = lane.arrived(until) {
                return stop;
            }
            let first = lane.trace.len();
            if !lane.step(&mut self.memo) {
                return Stop::End;
            }
            if let Some(stop) = lane.trace.effects()[first as usize..].iter().find_map(violation) {
                return stop;
            }
        }
        lane.arrived(until).unwrap_or(Stop::More)
    }

    pub fn trace(&self, branch: BranchId) -> &Trace {
        &self.lanes[self.index(branch)].trace
    }

    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// The world of a branch at its newest moment.
    pub fn world(&self, branch: BranchId) -> &World {
        &self.lanes[self.index(branch)].world
    }

    /// What everybody waited for after the step of an effect: who, and why in words.
    pub fn waiting_at(&mut self, branch: BranchId, id: EffectId) -> Vec<(ActorId, String)> {
        let index = self.index(branch);
        self.lanes[index].fork_at(At::Effect(id), &mut self.memo).world.pending()
    }

    /// Makes a branch in which everything up to the moment of the intervention is as in `parent`; the parent stays as it
    /// is, but is run on if the moment lies ahead of it.
    ///
    /// # Errors
    /// If the moment is never reached, or the action is not possible then.
    pub fn fork(&mut self, parent: BranchId, intervention: Intervention) -> Result<BranchId, InterventionError> {
        let refuse = |sentence: String| Err(InterventionError(sentence));
        let index = self.index(parent);
        if self.branches.len() >= MAX_BRANCHES {
            return refuse(format!("there are already {MAX_BRANCHES} branches; discard one first"));
        }
        self.world(parent).scenario().allows(&intervention.action).map_err(InterventionError)?;
        self.lanes[index].reach(intervention.at, &mut self.memo)?;
        let mut lane = self.lanes[index].fork_at(intervention.at, &mut self.memo);
        if lane.world.interventions().len() >= MAX_INTERVENTIONS {
            return refuse(format!("a run takes at most {MAX_INTERVENTIONS} interventions"));
        }
        lane.world.can(&intervention.action).map_err(InterventionError)?;
        lane.world.intervene(intervention.clone());
        let id = BranchId(self.next_id);
        self.next_id += 1;
        let branch = Branch {
            id,
            parent: Some(self.branches[index].id),
            at: EffectId(lane.trace.len().saturating_sub(1)),
            name: intervention.action.to_string(),
            interventions: lane.world.interventions()[lane.world.scenario().intervention.len()..].to_vec(),
        };
        self.branches.push(branch);
        self.lanes.push(lane);
        Ok(id)
    }

    /// Forgets a branch; its children keep what they share with it. The first branch stays.
    pub fn discard(&mut self, branch: BranchId) {
        let index = self.index(branch);
        if index > 0 {
            self.branches.remove(index);
            self.lanes.remove(index);
        }
    }

    /// Resolves an actor's record in the newest moment of a branch, for readers that know only record ids.
    pub fn owner(&self, branch: BranchId, rid: crate::ledger::Digest) -> Option<ActorId> {
        self.trace(branch).effects().iter().find_map(|e| match &e.kind {
            Kind::Fact(crate::entities::fact::FactKind::KeyAccepted { rid: known, .. }) if *known == rid => e.actor,
            _ => None,
        })
    }
}

fn violation(effect: &Effect) -> Option<Stop> {
    match &effect.kind {
        Kind::InvariantBroken { id, text } => {
            Some(Stop::Violation { effect: effect.id, id: id.clone(), text: text.clone() })
        }
        _ => None,
    }
}

impl Lane {
    fn arrived(&self, until: Until) -> Option<Stop> {
        let next = self.world.next_time();
        match until {
            Until::Effects(count) if self.trace.len() >= count => Some(Stop::Reached),
            _ if next.is_none() => Some(Stop::End),
            Until::Time(t) if next.is_some_and(|next| next > t) => Some(Stop::Reached),
            _ if self.trace.len() >= MAX_EFFECTS => Some(Stop::Limit),
            _ => None,
        }
    }

    /// One event; false at the end of the scenario.
    fn step(&mut self, memo: &mut Memo) -> bool {
        let mut made = Vec::new();
        if !self.world.step(memo, &mut made) {
            return false;
        }
        for effect in made {
            // The observer numbers effects consecutively and time only grows, so the trace takes every one of them.
            let taken = self.trace.push(effect);
            debug_assert!(taken.is_ok(), "{taken:?}");
        }
        if self.keep && self.trace.len() - self.keyframes.last().map_or(0, |k| k.effects) >= KEYFRAME_EVERY {
            self.keyframes.push(Keyframe { effects: self.trace.len(), world: Arc::new(self.world.clone()) });
            thin(&mut self.keyframes);
        }
        true
    }

    fn reach(&mut self, at: At, memo: &mut Memo) -> Result<(), InterventionError> {
        let until = match at {
            At::Effect(id) => Until::Effects(id.0.saturating_add(1)),
            At::Time(t) => Until::Time(t),
        };
        loop {
            match (self.arrived(until), at) {
                (None, _) => self.step(memo),
                (Some(Stop::Reached), _) | (Some(Stop::End), At::Time(_)) => return Ok(()),
                (Some(Stop::End), At::Effect(id)) => {
                    return Err(InterventionError(format!("the run ends before event e{}", id.0)));
                }
                (Some(_), _) => return Err(InterventionError("the run is at its limit of events".into())),
            };
        }
    }

    /// A copy of this lane as it was at that moment, which it has reached.
    fn fork_at(&self, at: At, memo: &mut Memo) -> Lane {
        let effects = self.trace.effects();
        let count = match at {
            At::Effect(id) => {
                let step = effects.get(id.0 as usize).map_or(u64::MAX, |e| e.step);
                effects.partition_point(|e| e.step <= step)
            }
            At::Time(t) => effects.partition_point(|e| e.t <= t),
        } as u32;
        let keyframe = self.keyframes.partition_point(|k| k.effects <= count).saturating_sub(1);
        let mut world = (*self.keyframes[keyframe].world).clone();
        // A copy made before this branch was forked still has the plans of its parent.
        world.adopt(self.world.interventions());
        let mut made = Vec::new();
        let behind = |world: &World| match at {
            At::Effect(_) => world.effects() < count,
            At::Time(t) => world.next_time().is_some_and(|next| next <= t),
        };
        while behind(&world) && world.step(memo, &mut made) {
            made.clear();
        }
        let mut trace = self.trace.clone();
        trace.truncate(count);
        world.forget_pending_interventions();
        Lane { world, trace, keyframes: self.keyframes[..=keyframe].to_vec(), keep: self.keep }
    }
}

/// Keeps the newest copies, and of the older ones one per [`KEYFRAME_OLD`] effects (and always the first).
fn thin(keyframes: &mut Vec<Keyframe>) {
    let Some(aged) = keyframes.len().checked_sub(KEYFRAMES_NEW + 1) else { return };
    // Only the copy that has just become old can be one too many: the others were judged before.
    if aged > 0 && keyframes[aged].effects / KEYFRAME_OLD == keyframes[aged - 1].effects / KEYFRAME_OLD {
        keyframes.remove(aged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reasons are those of the moment asked for, not of the newest one.
    #[test]
    fn who_waits_is_told_for_any_moment() {
        let mut run = Timelines::open(Scenario::preset("dead-primary").unwrap(), vec![]).unwrap();
        let root = BranchId(0);
        run.run(root, Until::End, u32::MAX);
        let digest = run.trace(root).digest();
        let effects = run.trace(root).effects();
        let crash = effects.iter().find(|e| e.kind == Kind::Crashed).unwrap();
        let (at, who) = (crash.id, crash.actor.unwrap());
        let change = effects.iter().find(|e| e.kind.name() == "ViewChange").unwrap().id;
        let told = |list: &[(ActorId, String)], word: &str| list.iter().any(|(_, why)| why.contains(word));
        let before = run.waiting_at(root, EffectId(at.0 - 1));
        assert!(!told(&before, "has crashed"), "{before:?}");
        let after = run.waiting_at(root, at);
        assert!(after.contains(&(who, "has crashed".into())), "{after:?}");
        let changing = run.waiting_at(root, change);
        assert!(told(&changing, "waits for view 1"), "{changing:?}");
        assert_eq!(run.trace(root).digest(), digest);
    }
}
