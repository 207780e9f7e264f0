//! What stands on the stage at a moment: a fold over the effects (PAGE.md §2.3).

use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, VoteKind};
use crate::ledger::Digest;
use crate::sim::state::UJ_PER_WH;
use crate::sim::trace::{Effect, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// A node as people see it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeState {
    pub has_key: bool,
    pub down: bool,
    pub behaviour: Option<String>,
    pub view: u64,
    pub changing: bool,
    pub height: u64,
    /// Slot (view, seq) of the votes below.
    pub slot: (u64, u64),
    /// Distinct valid voters per digest, as the gateway counted them.
    prepares: BTreeMap<Digest, BTreeSet<ActorId>>,
    commits: BTreeMap<Digest, BTreeSet<ActorId>>,
    pub prepared: bool,
    pub committed: bool,
    pub refused: u32,
}

/// What became of the newest command at a pile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Lock {
    #[default]
    Nothing,
    Opened,
    NotAReceiver,
    Refused,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bay {
    pub ev: Option<ActorId>,
    pub lock: Lock,
    pub limit_w: i32,
    pub power_w: i32,
    pub energy_wh: i64,
    /// Minor units and currency; the bool: final.
    pub bill: Option<(i64, String, bool)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockMark {
    pub height: u64,
    pub header: Digest,
    pub count: u32,
    /// Gateways that hold it.
    pub holders: u32,
}

/// The stage after some effects.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StageState {
    pub nodes: BTreeMap<ActorId, NodeState>,
    pub bays: BTreeMap<ActorId, Bay>,
    pub blocks: Vec<BlockMark>,
    pub phase: u8,
    pub violation: Option<String>,
    /// Signature and seal checks that really ran.
    pub checks: u32,
}

impl StageState {
    /// Folds effects; start from `default()`.
    pub fn fold<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> StageState {
        let mut state = StageState::default();
        effects.into_iter().for_each(|e| state.apply(e));
        state
    }

    fn node(&mut self, id: ActorId) -> &mut NodeState {
        self.nodes.entry(id).or_default()
    }

    pub fn apply(&mut self, effect: &Effect) {
        self.phase = effect.phase().unwrap_or(self.phase);
        if let Kind::InvariantBroken { id, text } = &effect.kind {
            self.violation = Some(format!("{id}: {text}"));
        }
        let Some(actor) = effect.actor else { return };
        match &effect.kind {
            Kind::Crashed | Kind::Paused => self.node(actor).down = true,
            Kind::Resumed => self.node(actor).down = false,
            Kind::Behaves { behaviour } => self.node(actor).behaviour = behaviour.clone(),
            Kind::Fact(fact) if actor.role == Role::Cp || actor.role == Role::Ev => self.station(actor, fact),
            Kind::Fact(fact) => self.agreement(actor, fact),
            _ => {}
        }
        if let Kind::Fact(FactKind::KeyAccepted { .. }) = &effect.kind {
            self.node(actor).has_key = true;
        }
    }

    fn agreement(&mut self, actor: ActorId, fact: &FactKind) {
        use FactKind as F;
        match fact {
            F::SetUp { .. } => self.node(actor).has_key = true,
            F::Verified { error, .. } => {
                self.checks += 1;
                self.node(actor).refused += u32::from(error.is_some());
            }
            F::PrePrepared { view, seq, .. } => self.node(actor).open_slot(*view, *seq),
            F::VoteCounted { vote, view, seq, digest, from, .. } => {
                self.checks += 1;
                let node = self.node(actor);
                node.open_slot(*view, *seq);
                let votes = if *vote == VoteKind::Prepare { &mut node.prepares } else { &mut node.commits };
                votes.entry(*digest).or_default().insert(*from);
            }
            F::VoteRefused { .. } | F::Refused { .. } => self.node(actor).refused += 1,
            F::Prepared { view, seq, .. } => {
                self.node(actor).open_slot(*view, *seq);
                self.node(actor).prepared = true;
            }
            F::Committed { .. } => self.node(actor).committed = true,
            F::BlockAppended { height, header, count, .. } => {
                self.node(actor).height = *height;
                match self.blocks.iter_mut().find(|b| b.header == *header) {
                    Some(block) => block.holders += 1,
                    None => {
                        self.blocks.push(BlockMark { height: *height, header: *header, count: *count, holders: 1 });
                    }
                }
            }
            F::ViewChange { .. } => self.node(actor).changing = true,
            F::NewView { view, .. } => {
                let node = self.node(actor);
                node.view = *view;
                node.changing = false;
            }
            _ => {}
        }
    }

    fn station(&mut self, actor: ActorId, fact: &FactKind) {
        use FactKind as F;
        if let F::PluggedIn { cp } | F::Departed { cp } = fact {
            let here = matches!(fact, F::PluggedIn { .. });
            self.bays.entry(*cp).or_default().ev = here.then_some(actor);
            return;
        }
        let bay = self.bays.entry(actor).or_default();
        match fact {
            F::Opened { flow: 1, error, .. } => {
                bay.lock = if error.is_none() { Lock::Opened } else { Lock::Refused };
            }
            F::NotAReceiver { .. } => bay.lock = Lock::NotAReceiver,
            F::Dispatched { limit_w, power_w, .. } => (bay.limit_w, bay.power_w) = (*limit_w, *power_w),
            F::Metered { energy_uj, power_w, .. } => {
                (bay.energy_wh, bay.power_w) = (energy_uj.div_euclid(UJ_PER_WH), *power_w);
            }
            F::Billed { total, currency, last, .. } => bay.bill = Some((*total, currency.clone(), *last)),
            _ => {}
        }
    }
}

impl NodeState {
    /// Distinct valid votes for the digest that has most of them: what the quorum ring shows.
    pub fn votes(&self, vote: VoteKind) -> usize {
        let book = if vote == VoteKind::Prepare { &self.prepares } else { &self.commits };
        book.values().map(BTreeSet::len).max().unwrap_or(0)
    }

    /// Votes are shown for the newest slot of the newest view only.
    fn open_slot(&mut self, view: u64, seq: u64) {
        if (seq, view) > (self.slot.1, self.slot.0) {
            self.slot = (view, seq);
            self.prepares.clear();
            self.commits.clear();
            (self.prepared, self.committed) = (false, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::Scenario;
    use crate::sim::timelines::{BranchId, Timelines, Until};

    /// S4: the ring shows what the engine counted, after every single vote.
    #[test]
    fn quorum_rings_show_the_engines_count() {
        for preset in ["day4", "one-liar", "dead-primary"] {
            let scenario = Scenario::preset(preset).expect("a preset");
            let mut run = Timelines::open_headless(scenario, vec![]).expect("opens");
            run.run(BranchId(0), Until::End, u32::MAX);
            let (mut state, mut counted) = (StageState::default(), 0);
            for effect in run.trace(BranchId(0)).effects() {
                state.apply(effect);
                let Kind::Fact(FactKind::VoteCounted { vote, view, seq, digest, have, .. }) = &effect.kind else {
                    continue;
                };
                let node = &state.nodes[&effect.actor.expect("a gateway counts")];
                if node.slot != (*view, *seq) {
                    continue;
                }
                let book = if *vote == VoteKind::Prepare { &node.prepares } else { &node.commits };
                assert_eq!(book[digest].len(), usize::from(*have), "{preset} e{}", effect.id.0);
                counted += 1;
            }
            assert!(counted > 10, "{preset}: only {counted} votes seen");
        }
    }
}
