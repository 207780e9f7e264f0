//! What stands on the stage at a moment: a fold over the effects (PAGE.md §2.3).

use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, Op, VoteKind};
use crate::ledger::Digest;
use crate::pbft::Quorum;
use crate::sim::adversary::BehaviourKind;
use crate::sim::forensics::Charge;
use crate::sim::state::UJ_PER_WH;
use crate::sim::trace::{Effect, Kind};
use std::collections::BTreeMap;

/// A set of gateways, one bit each; there are at most 128.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Voters(u128);

impl Voters {
    fn insert(&mut self, id: ActorId) {
        self.0 |= 1u128.checked_shl(id.index.into()).unwrap_or(0);
    }

    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their numbers, ascending from 0.
    pub fn indices(self) -> impl Iterator<Item = u16> {
        (0..128).filter(move |i| self.0 >> i & 1 == 1)
    }
}

/// A node as people see it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeState {
    pub has_key: bool,
    pub down: bool,
    pub behaviour: Option<String>,
    /// It lies or lied, and so counts as faulty for good; who only leaves things out does not.
    pub lied: bool,
    pub view: u64,
    pub changing: bool,
    pub height: u64,
    /// Slot (view, seq) of the votes below.
    pub slot: (u64, u64),
    /// Distinct valid voters per digest, as the gateway counted them.
    prepares: BTreeMap<Digest, Voters>,
    commits: BTreeMap<Digest, Voters>,
    pub prepared: bool,
    pub committed: bool,
    pub refused: u32,
    /// Votes of the shown slot that it refused.
    pub votes_refused: u32,
    /// What its newest public verification of a σ said: `None` valid, else the check that failed.
    pub verdict: Option<Option<&'static str>>,
    /// A car that has left.
    pub away: bool,
}

/// A ciphertext for cars, as everybody sees it: entries in tag order, and what became of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    pub sigma: Digest,
    pub entries: u32,
    /// Entries that were opened, by position, with the pile that opened them.
    pub opened: BTreeMap<u32, ActorId>,
    /// Piles that found no entry for their car.
    pub strangers: u32,
}

/// A local computation that is being shown: its parts so far, all of one step of one actor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Work {
    pub actor: ActorId,
    step: u64,
    pub parts: Vec<Part>,
}

/// One part of a computation, with how many times or how many entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    Op(Op, u32),
    /// Position and comparisons.
    Located(u32, u32),
    /// d·P = R + h·Ppub held, or not.
    KeyFits(bool),
    /// f_i' = f_i held, or the entry did not open.
    Opened(bool),
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
    pub parent: Digest,
    pub count: u32,
    /// Gateways that hold it.
    pub holders: u32,
}

/// What a promise says, for those that more than f liars can break, and how it was broken.
fn broken(id: &str, text: &str) -> String {
    let promise = match id {
        "SI-1" => "all honest gateways hold one chain",
        "SI-2" => "honest gateways prepare one block per slot and view",
        "SI-3" => "what one honest gateway has committed stays",
        "SI-4" => "a new view keeps what was committed",
        _ => return format!("{id}: {text}"),
    };
    format!("{promise} ({id}): {text}")
}

/// The stage after some effects.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StageState {
    pub nodes: BTreeMap<ActorId, NodeState>,
    pub bays: BTreeMap<ActorId, Bay>,
    /// The first page of the chain has been written.
    pub genesis: bool,
    pub blocks: Vec<BlockMark>,
    pub phase: u8,
    pub violation: Option<String>,
    /// More gateways lie than the protocol tolerates: what follows is outside the theorem.
    pub void: bool,
    /// Gateways that a proof of fault names, and of what.
    pub convicted: BTreeMap<ActorId, String>,
    /// Final bills, and their sum per currency.
    pub billed: (u32, BTreeMap<String, i64>),
    /// Checks of signatures, keys and seals that really ran, as far as facts tell of them.
    pub checks: u32,
    /// The newest ciphertext for cars.
    pub envelope: Option<Envelope>,
    pub work: Option<Work>,
    /// Entry found by a pile and not yet opened.
    located: BTreeMap<ActorId, u32>,
}

impl StageState {
    /// Folds effects; start from `default()`.
    pub fn fold<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> StageState {
        let mut state = StageState::default();
        effects.into_iter().for_each(|e| state.apply(e));
        state
    }

    /// Whether there are votes to be seen.
    pub fn voting(&self) -> bool {
        self.nodes.values().any(|n| n.votes(VoteKind::Prepare) + n.votes(VoteKind::Commit) > 0)
    }

    /// Gateways that lie, or did.
    pub fn liars(&self) -> usize {
        self.nodes.iter().filter(|(id, n)| id.role == Role::Css && n.lied).count()
    }

    /// Pairs of a pile and the car plugged in.
    pub fn cables(&self) -> impl Iterator<Item = (ActorId, ActorId)> + '_ {
        self.bays.iter().filter_map(|(cp, bay)| Some((*cp, bay.ev?)))
    }

    fn node(&mut self, id: ActorId) -> &mut NodeState {
        self.nodes.entry(id).or_default()
    }

    pub fn apply(&mut self, effect: &Effect) {
        self.checks += u32::from(matches!(&effect.kind, Kind::Fact(fact) if checked(fact)));
        self.phase = effect.phase().unwrap_or(self.phase);
        self.promise(&effect.kind);
        if self.work.as_ref().is_some_and(|w| w.step != effect.step) {
            self.work = None;
        }
        let Some(actor) = effect.actor else { return };
        if let Kind::Fact(fact) = &effect.kind {
            self.compute(actor, effect.step, fact);
            self.seal(actor, fact);
        }
        match &effect.kind {
            Kind::Crashed | Kind::Paused => self.node(actor).down = true,
            Kind::Resumed | Kind::Recovered { .. } => self.node(actor).down = false,
            Kind::Behaves { behaviour } => {
                let node = self.node(actor);
                node.behaviour = behaviour.clone();
                let lies = |name: &String| BehaviourKind::parse(name).is_none_or(|kind| !kind.about().omits);
                node.lied |= behaviour.as_ref().is_some_and(lies);
            }
            Kind::Fact(fact) if actor.role == Role::Cp || actor.role == Role::Ev => self.station(actor, fact),
            Kind::Fact(fact) => self.agreement(actor, fact),
            _ => {}
        }
        match &effect.kind {
            Kind::Fact(FactKind::KeyAccepted { .. }) => self.node(actor).has_key = true,
            Kind::Fact(FactKind::Verified { error, .. }) => {
                let check = effect.rule.map_or("?", |rule| rule.id());
                self.node(actor).verdict = Some(error.as_ref().map(|_| check));
            }
            _ => {}
        }
    }

    /// What the world says about its own promises.
    fn promise(&mut self, kind: &Kind) {
        match kind {
            Kind::InvariantBroken { id, text } => self.violation = Some(broken(id, text)),
            Kind::SafetyVoid { id, text } => {
                // That the chain forked says more than what led to it.
                if !self.void && self.violation.is_none() || id == "SI-1" {
                    self.violation = Some(broken(id, text));
                }
                self.void = true;
            }
            Kind::Convicted { culprit, charge, .. } => self.convict(*culprit, *charge),
            _ => {}
        }
    }

    /// The blocks by height, those of a fork in the order of their parents.
    pub fn columns(&self) -> Vec<Vec<BlockMark>> {
        let mut columns: Vec<Vec<BlockMark>> = Vec::new();
        let mut heights: Vec<u64> = self.blocks.iter().map(|block| block.height).collect();
        heights.sort_unstable();
        heights.dedup();
        for height in heights {
            let mut column: Vec<BlockMark> = self.blocks.iter().filter(|b| b.height == height).cloned().collect();
            let row = |b: &BlockMark| columns.last().and_then(|last| last.iter().position(|p| p.header == b.parent));
            column.sort_by_key(row);
            columns.push(column);
        }
        columns
    }

    fn convict(&mut self, culprit: ActorId, charge: Charge) {
        self.convicted.insert(culprit, format!("{} ({})", charge.text(), charge.id()));
    }

    /// What an actor computes by itself, part by part.
    fn compute(&mut self, actor: ActorId, step: u64, fact: &FactKind) {
        use FactKind as F;
        let part = match fact {
            F::Step { op, count, .. } => Part::Op(*op, *count),
            F::Located { index, comparisons, .. } => Part::Located(*index, *comparisons),
            F::KeyAccepted { .. } => Part::KeyFits(true),
            F::KeyRefused { .. } => Part::KeyFits(false),
            F::Opened { flow: 1, error, .. } => Part::Opened(error.is_none()),
            // The first of several ciphertexts of a step is done; the next is another piece of work.
            F::Signcrypted { .. } => {
                self.work = None;
                return;
            }
            _ => return,
        };
        let work = self.work.get_or_insert_with(|| Work { actor, step, parts: Vec::new() });
        if work.actor == actor {
            work.parts.push(part);
        }
    }

    /// The envelope and its seals.
    fn seal(&mut self, actor: ActorId, fact: &FactKind) {
        use FactKind as F;
        match fact {
            F::Signcrypted { sigma, flow: 1, n, .. } => {
                self.envelope = Some(Envelope { sigma: *sigma, entries: *n, opened: BTreeMap::new(), strangers: 0 });
            }
            F::Located { index, .. } => {
                self.located.insert(actor, *index);
            }
            F::Opened { sigma, flow: 1, error: None } => {
                let found = self.located.remove(&actor);
                if let (Some(envelope), Some(index)) = (self.envelope.as_mut().filter(|e| e.sigma == *sigma), found) {
                    envelope.opened.insert(index, actor);
                }
            }
            F::NotAReceiver { sigma } => {
                if let Some(envelope) = self.envelope.as_mut().filter(|e| e.sigma == *sigma) {
                    envelope.strangers += 1;
                }
            }
            _ => {}
        }
    }

    fn agreement(&mut self, actor: ActorId, fact: &FactKind) {
        use FactKind as F;
        match fact {
            F::SetUp { .. } => self.node(actor).has_key = true,
            F::GenesisMade { .. } => self.genesis = true,
            F::Evidence { culprit, class } => self.convict(*culprit, Charge::Proven(*class)),
            F::Verified { error, .. } => {
                self.node(actor).refused += u32::from(error.is_some());
            }
            F::PrePrepared { view, seq, .. } => self.node(actor).open_slot(*view, *seq),
            F::VoteCounted { vote, view, seq, digest, from, .. } => {
                let node = self.node(actor);
                node.open_slot(*view, *seq);
                let votes = if *vote == VoteKind::Prepare { &mut node.prepares } else { &mut node.commits };
                votes.entry(*digest).or_default().insert(*from);
            }
            // A vote that comes again is no news.
            F::VoteRefused { reason, .. } if reason == "DuplicateVote" => {}
            F::VoteRefused { .. } => {
                let node = self.node(actor);
                (node.refused, node.votes_refused) = (node.refused + 1, node.votes_refused + 1);
            }
            F::Refused { .. } => self.node(actor).refused += 1,
            F::Prepared { view, seq, .. } => {
                self.node(actor).open_slot(*view, *seq);
                self.node(actor).prepared = true;
            }
            F::Committed { .. } => self.node(actor).committed = true,
            F::BlockAppended { height, header, parent, count, .. } => {
                self.node(actor).height = *height;
                match self.blocks.iter_mut().find(|b| b.header == *header) {
                    Some(block) => block.holders += 1,
                    None => {
                        let (height, header, parent) = (*height, *header, **parent);
                        self.blocks.push(BlockMark { height, header, parent, count: *count, holders: 1 });
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
            self.node(actor).away = !here;
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
            F::Billed { total, currency, last, .. } => {
                bay.bill = Some((*total, currency.clone(), *last));
                if *last {
                    self.billed.0 += 1;
                    *self.billed.1.entry(currency.clone()).or_default() += total;
                }
            }
            _ => {}
        }
    }
}

/// Whether a signature, the equation of a key, or a seal was checked.
fn checked(fact: &FactKind) -> bool {
    use FactKind as F;
    matches!(
        fact,
        F::KeyAccepted { .. }
            | F::KeyRefused { .. }
            | F::Verified { .. }
            | F::VoteCounted { .. }
            | F::Opened { .. }
            | F::Authenticated { .. }
            | F::Judged { .. }
            | F::ClaimJudged { .. }
    )
}

/// Votes that a gateway among `n` needs besides the proposal itself to be prepared, and to have committed.
pub fn needed(vote: VoteKind, n: u16) -> u16 {
    Quorum::new(n).map_or(0, |q| if vote == VoteKind::Prepare { q.prepares() } else { q.strong() })
}

impl NodeState {
    /// Distinct valid votes for the digest that has most of them: what the quorum ring shows.
    pub fn votes(&self, vote: VoteKind) -> usize {
        self.voters(vote).len()
    }

    /// Who they are from.
    pub fn voters(&self, vote: VoteKind) -> Voters {
        let book = if vote == VoteKind::Prepare { &self.prepares } else { &self.commits };
        book.values().copied().max_by_key(|voters| voters.len()).unwrap_or_default()
    }

    /// Votes are shown for the newest slot of the newest view only.
    fn open_slot(&mut self, view: u64, seq: u64) {
        if (seq, view) > (self.slot.1, self.slot.0) {
            self.slot = (view, seq);
            self.prepares.clear();
            self.commits.clear();
            (self.prepared, self.committed, self.votes_refused) = (false, false, 0);
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

    /// Two chains above one genesis: each height is a column, and each block stands in the row of its parent.
    #[test]
    fn a_fork_is_drawn_as_one() {
        let [a, b, c, d] = [1, 2, 3, 4].map(|byte| Digest([byte; 32]));
        let mark = |height, header, parent| BlockMark { height, header, parent, count: 1, holders: 1 };
        let blocks = vec![mark(1, a, Digest::ZERO), mark(1, b, Digest::ZERO), mark(2, d, b), mark(2, c, a)];
        let columns = StageState { blocks, ..StageState::default() }.columns();
        let headers: Vec<Vec<Digest>> =
            columns.iter().map(|column| column.iter().map(|b| b.header).collect()).collect();
        assert_eq!(headers, [[a, b], [c, d]]);
    }

    fn day4() -> Timelines {
        let mut run = Timelines::open_headless(Scenario::preset("day4").expect("a preset"), vec![]).expect("opens");
        run.run(BranchId(0), Until::End, u32::MAX);
        run
    }

    /// S3: a seal is lit if and only if a pile opened that entry, and the open ones are those that were located.
    #[test]
    fn every_lit_seal_has_its_opening() {
        let run = day4();
        let effects = run.trace(BranchId(0)).effects();
        let (mut state, mut opened) = (StageState::default(), 0);
        for effect in effects {
            state.apply(effect);
            opened += usize::from(matches!(effect.kind, Kind::Fact(FactKind::Opened { flow: 1, error: None, .. })));
            let lit = state.envelope.as_ref().map_or(0, |e| e.opened.len());
            assert_eq!(lit, opened, "e{}", effect.id.0);
        }
        let envelope = state.envelope.expect("a ciphertext was sent");
        assert_eq!((envelope.entries, envelope.opened.len(), envelope.strangers), (3, 3, 1));
        assert!(envelope.opened.keys().all(|index| *index < envelope.entries));
    }

    /// S1: a moment looks the same whichever way it is reached.
    #[test]
    fn a_moment_does_not_depend_on_the_way_to_it() {
        let run = day4();
        let effects = run.trace(BranchId(0)).effects();
        let mut played = StageState::default();
        let mut kept: Vec<StageState> = Vec::new();
        for (i, effect) in effects.iter().enumerate() {
            if i % 97 == 0 {
                kept.push(played.clone());
            }
            played.apply(effect);
            if i % 31 == 0 {
                assert_eq!(played, StageState::fold(&effects[..=i]), "e{i}");
            }
        }
        for (k, state) in kept.into_iter().enumerate() {
            let mut from = state;
            effects[k * 97..].iter().for_each(|e| from.apply(e));
            assert_eq!(from, played, "from e{}", k * 97);
        }
    }

    /// A computation is shown while its own step lasts, and its parts are those of the trace.
    #[test]
    fn work_is_what_the_actor_computed_in_this_step() {
        let run = day4();
        let mut state = StageState::default();
        let mut seen = 0;
        for effect in run.trace(BranchId(0)).effects() {
            state.apply(effect);
            let Some(work) = &state.work else { continue };
            assert_eq!(work.step, effect.step);
            if let Kind::Fact(FactKind::Step { op, count, .. }) = &effect.kind {
                assert_eq!((Some(work.actor), work.parts.last()), (effect.actor, Some(&Part::Op(*op, *count))));
                seen += 1;
            }
        }
        assert!(seen > 50, "only {seen} steps");
    }
}
