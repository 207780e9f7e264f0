//! Situations that a search has to come across (CONSENSUS.md §6, coverage assertions), told from the effects of gateways
//! of C.

use super::gateways;
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, Rule};
use crate::ledger::proposal::null_digest;
use crate::ledger::{Digest, Seq, VoidReason};
use crate::pbft::{self, Replica};
use crate::sim::trace::{Effect, Kind};
use crate::sim::world::World;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! situations {
    ($($name:ident $text:literal;)*) => {
        /// Something rare that must go well.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Situation { $($name),* }

        impl Situation {
            pub const ALL: &'static [Situation] = &[$(Situation::$name),*];

            /// What happened, in words.
            pub fn text(self) -> &'static str {
                match self { $(Situation::$name => $text),* }
            }
        }
    };
}

situations! {
    NothingCarried "a new view without prepared slots";
    SlotsCarried "a new view that carries prepared slots";
    NullExecuted "a null slot executed";
    TwoFailed "two view changes in a row that failed";
    ThreeFailed "three view changes in a row that failed";
    CheckpointWhileChanging "a checkpoint while changing views";
    StartsHigher "a NEW-VIEW that starts above the stable state of a member";
    Snapshot "a snapshot taken over";
    VoidAcrossViews "a ciphertext void because an earlier block, agreed in another view, holds it";
    HeldVoteUsed "a held vote counted on entering its view";
    TornStep "a crash in the middle of a step";
    JoinFromNormal "f+1 others followed out of a view";
    JoinFromChanging "f+1 others followed from one view change into the next";
}

/// What one gateway of C is in the middle of.
#[derive(Default)]
struct State {
    /// VIEW-CHANGEs for higher and higher views since it last entered one.
    asked: u32,
    /// Highest view it asked for.
    target: u64,
    /// Whose votes it keeps for a view to come.
    held: BTreeSet<ActorId>,
}

/// Watches one run.
#[derive(Default)]
pub(super) struct Situations {
    states: BTreeMap<ActorId, State>,
    faulty: BTreeSet<ActorId>,
    met: BTreeSet<Situation>,
    classes: BTreeSet<pbft::Class>,
}

impl Situations {
    /// Looks at all effects of one step.
    pub(super) fn step(&mut self, effects: &[Effect], world: &World) {
        let mut entered = None;
        let mut snapshot = None;
        for effect in effects {
            let Some(actor) = effect.actor.filter(|actor| actor.role == Role::Css) else { continue };
            match &effect.kind {
                Kind::Behaves { behaviour: Some(_) } | Kind::Recovered { amnesia: true, .. } => {
                    self.faulty.insert(actor);
                }
                _ if self.faulty.contains(&actor) => {}
                // A person's crash is caused by the intervention; a torn step is part of what the gateway was doing.
                Kind::Crashed => {
                    let done = |e: &Effect| Some(e.id) == effect.cause && matches!(e.kind, Kind::Intervened { .. });
                    if !effects.iter().any(done) {
                        self.met.insert(Situation::TornStep);
                    }
                    self.states.remove(&actor);
                }
                Kind::Persisted { what } if what == "snapshot" => snapshot = Some(actor),
                Kind::Fact(FactKind::StateTransferred { .. }) if snapshot == Some(actor) => {
                    self.met.insert(Situation::Snapshot);
                }
                Kind::Fact(FactKind::Evidence { class, .. }) => {
                    self.classes.insert(*class);
                }
                Kind::Fact(FactKind::NewView { carried, .. }) => {
                    entered = Some(actor);
                    self.enters(actor, *carried, world);
                }
                Kind::Fact(FactKind::VoteCounted { from, .. }) if entered == Some(actor) => {
                    let held = self.states.get(&actor).is_some_and(|state| state.held.contains(from));
                    self.met.extend(held.then_some(Situation::HeldVoteUsed));
                }
                Kind::Fact(fact) => self.fact(actor, fact, effect.rule, world),
                _ => {}
            }
        }
        if let Some(state) = entered.and_then(|actor| self.states.get_mut(&actor)) {
            state.held.clear();
        }
    }

    fn fact(&mut self, actor: ActorId, fact: &FactKind, rule: Option<Rule>, world: &World) {
        let state = self.states.entry(actor).or_default();
        match fact {
            FactKind::ViewChange { target, .. } if *target > state.target => {
                if rule == Some(Rule::Agreement(pbft::Rule::Vc5)) {
                    let from = if state.asked > 0 { Situation::JoinFromChanging } else { Situation::JoinFromNormal };
                    self.met.insert(from);
                }
                state.asked += 1;
                state.target = *target;
                self.met.extend((state.asked == 3).then_some(Situation::TwoFailed));
                self.met.extend((state.asked == 4).then_some(Situation::ThreeFailed));
            }
            FactKind::Held { what, from } if what == "NewerView" => {
                state.held.insert(*from);
            }
            FactKind::Checkpoint { .. } if state.asked > 0 => {
                self.met.insert(Situation::CheckpointWhileChanging);
            }
            FactKind::Executed { digest, .. } if *digest == null_digest() => {
                self.met.insert(Situation::NullExecuted);
            }
            FactKind::Executed { seq, voids, .. } if *voids > 0 => {
                let across = replica(actor, world).is_some_and(|replica| void_across_views(replica, Seq(*seq)));
                self.met.extend(across.then_some(Situation::VoidAcrossViews));
            }
            _ => {}
        }
    }

    fn enters(&mut self, actor: ActorId, carried: u32, world: &World) {
        self.states.entry(actor).or_default().asked = 0;
        let how = if carried == 0 { Situation::NothingCarried } else { Situation::SlotsCarried };
        self.met.insert(how);
        let higher = replica(actor, world).and_then(Replica::entered_by).is_some_and(|nv| {
            let start = nv.signed.statement.seq;
            nv.v_set.iter().any(|vc| vc.stable.seq < start)
        });
        self.met.extend(higher.then_some(Situation::StartsHigher));
    }

    /// All that was met, and the proofs of fault that were found.
    pub(super) fn into_met(self) -> (BTreeSet<Situation>, BTreeSet<pbft::Class>) {
        (self.met, self.classes)
    }
}

fn replica(actor: ActorId, world: &World) -> Option<&Replica> {
    gateways(world).find(|(who, _)| *who == actor).and_then(|(_, css)| css.replica())
}

/// A ciphertext of block `seq` is void for being in an earlier block whose certificate is of another view.
fn void_across_views(replica: &Replica, seq: Seq) -> bool {
    let chain = replica.chain();
    let view = |height: Seq| replica.certificate(height).map(|cert| cert.view);
    let Some((block, txs)) = chain.block(seq).and_then(|b| Some((b, &b.proposal.as_ref()?.txs))) else { return false };
    let voids = block.voids.iter().filter(|(_, why)| *why == VoidReason::Duplicate);
    let mut ids = voids.filter_map(|(index, _)| txs.get(*index as usize)).map(|tx| tx.id);
    let elsewhere = |id: Digest| {
        let first = chain.find(&id).map(|found| found.height).filter(|height| *height < seq);
        first.is_some_and(|first| view(first) != view(seq))
    };
    ids.any(elsewhere)
}
