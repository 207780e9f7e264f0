//! Byzantine actors: the honest state machine inside a wrapper that owns its real keys (CONSENSUS.md §5).
//!
//! One file per behaviour. A behaviour may change, add or withhold what its own actor sends; it signs with its own key
//! only, and a vote in another's name therefore has a signature that nobody accepts.

mod csc_garbage_entry;
mod equivocating_primary;
mod forged_vote;
mod silent;
mod tampered_ciphertext;
mod trigger;
mod wrong_root;

pub use trigger::Trigger;

use crate::clmmsc::PublicRecord;
use crate::entities::actor::{ActorId, Role};
use crate::entities::{Entity, Input, Output, Packet, Setup, TimerId};
use crate::ledger::{Micros, Proposal};
use crate::pbft::{Kind, Message, NodeId, Signed, Statement};
use crate::sim::trace::{ItemId, PacketInfo};
use crate::sim::world::describe;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The behaviours that exist, by the name used in scenario files and links.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BehaviourKind {
    EquivocatingPrimary,
    Silent,
    ForgedVote,
    TamperedCiphertext,
    WrongRoot,
    CscGarbageEntry,
}

impl BehaviourKind {
    pub const ALL: [BehaviourKind; 6] = [
        BehaviourKind::EquivocatingPrimary,
        BehaviourKind::Silent,
        BehaviourKind::ForgedVote,
        BehaviourKind::TamperedCiphertext,
        BehaviourKind::WrongRoot,
        BehaviourKind::CscGarbageEntry,
    ];

    pub fn name(self) -> &'static str {
        match self {
            BehaviourKind::EquivocatingPrimary => "equivocating_primary",
            BehaviourKind::Silent => "silent",
            BehaviourKind::ForgedVote => "forged_vote",
            BehaviourKind::TamperedCiphertext => "tampered_ciphertext",
            BehaviourKind::WrongRoot => "wrong_root",
            BehaviourKind::CscGarbageEntry => "csc_garbage_entry",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// A few words for menus and the log.
    pub fn title(self) -> &'static str {
        match self {
            BehaviourKind::EquivocatingPrimary => "proposes two different blocks",
            BehaviourKind::Silent => "sends nothing",
            BehaviourKind::ForgedVote => "votes in others' names",
            BehaviourKind::TamperedCiphertext => "flips a bit of a ciphertext in its block",
            BehaviourKind::WrongRoot => "proposes a body that does not match its Merkle root",
            BehaviourKind::CscGarbageEntry => "seals one entry that nobody can open",
        }
    }

    /// The rule by which honest actors notice it.
    pub fn fires(self) -> &'static str {
        match self {
            BehaviourKind::EquivocatingPrimary | BehaviourKind::Silent => "TM-1",
            BehaviourKind::ForgedVote => "ENV-3",
            BehaviourKind::TamperedCiphertext => "PP-10",
            BehaviourKind::WrongRoot => "PP-8",
            BehaviourKind::CscGarbageEntry => "R4",
        }
    }

    /// The one role that can do it; `None`: anybody.
    pub fn role(self) -> Option<Role> {
        match self {
            BehaviourKind::Silent => None,
            BehaviourKind::CscGarbageEntry => Some(Role::Csc),
            _ => Some(Role::Css),
        }
    }
}

/// Whether the honest state machine sees an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pass {
    On,
    Swallow,
}

/// What a behaviour has in hand: its own actor with its keys, and its own randomness.
pub struct Cx<'a> {
    pub now: Micros,
    pub me: ActorId,
    pub setup: &'a Setup,
    pub entity: &'a mut Entity,
    pub rng: &'a mut ChaCha8Rng,
}

impl Cx<'_> {
    /// A statement under the actor's own key, whatever it says; `None` before it has one.
    fn sign(&self, statement: Statement) -> Option<Signed> {
        match &*self.entity {
            Entity::Css(css) => css.sign(&statement).map(|sig| Signed { statement, sig }),
            _ => None,
        }
    }

    /// The same pre-prepare for another proposal.
    fn pre_prepare(&self, original: &Signed, proposal: Proposal) -> Option<Packet> {
        let statement = Statement { digest: proposal.digest(), ..original.statement };
        let message = Message::PrePrepare(self.sign(statement)?, Arc::new(proposal));
        Some(Packet::Pbft(Arc::new(message)))
    }
}

/// A behaviour at work.
#[derive(Clone, Debug)]
pub struct Wrapper {
    kind: BehaviourKind,
    when: Trigger,
    /// How often the trigger was asked.
    asked: u32,
    /// Slots (view, seq) in which it has struck.
    struck: BTreeSet<(u64, u64)>,
    /// The record that the CSC really knows, while it uses a spoiled one.
    spoiled: Option<PublicRecord>,
}

impl Wrapper {
    pub fn new(kind: BehaviourKind, when: Trigger) -> Self {
        Wrapper { kind, when, asked: 0, struck: BTreeSet::new(), spoiled: None }
    }

    pub fn kind(&self) -> BehaviourKind {
        self.kind
    }

    /// Before the honest state machine.
    pub fn on_input(&mut self, cx: &mut Cx<'_>, input: &Input<'_>) -> Pass {
        if self.kind == BehaviourKind::CscGarbageEntry
            && matches!(input, Input::Timer(TimerId::Plan))
            && self.when.strikes(cx.now, None, self.asked, cx.rng)
        {
            self.spoiled = csc_garbage_entry::spoil(cx);
        }
        Pass::On
    }

    /// After it: what really leaves.
    pub fn on_outputs(&mut self, cx: &mut Cx<'_>, outputs: &mut Vec<Output>) {
        if let Some(record) = self.spoiled.take() {
            csc_garbage_entry::mend(cx, record);
        }
        let honest = core::mem::take(outputs);
        for output in honest {
            match &output {
                Output::Send { packet, .. } | Output::Fan { packet, .. } => {
                    let info = describe(&cx.setup.params, ItemId(0), packet);
                    let strikes = self.strikes(cx, &info);
                    self.replace(cx, output, &info, strikes, outputs);
                }
                _ => outputs.push(output),
            }
        }
    }

    fn strikes(&mut self, cx: &mut Cx<'_>, info: &PacketInfo) -> bool {
        let strikes = self.when.strikes(cx.now, Some(info), self.asked, cx.rng);
        self.asked = self.asked.saturating_add(1);
        strikes
    }

    fn replace(&mut self, cx: &mut Cx<'_>, output: Output, info: &PacketInfo, strikes: bool, out: &mut Vec<Output>) {
        match self.kind {
            BehaviourKind::Silent if strikes => silent::act(),
            BehaviourKind::EquivocatingPrimary => {
                equivocating_primary::act(&mut self.struck, cx, output, info, strikes, out)
            }
            BehaviourKind::ForgedVote if strikes => forged_vote::act(cx, output, out),
            BehaviourKind::TamperedCiphertext if strikes => tampered_ciphertext::act(cx, output, out),
            BehaviourKind::WrongRoot if strikes => wrong_root::act(cx, output, out),
            _ => out.push(output),
        }
    }
}

/// Recipients, statement and body of a broadcast pre-prepare.
type Proposed<'a> = (&'a Arc<[NodeId]>, &'a Signed, &'a Arc<Proposal>);

/// A broadcast pre-prepare, taken apart.
fn proposal_of(output: &Output) -> Option<Proposed<'_>> {
    let Output::Fan { to, packet: Packet::Pbft(message) } = output else { return None };
    match &**message {
        Message::PrePrepare(signed, proposal) if signed.statement.kind == Kind::PrePrepare => {
            Some((to, signed, proposal))
        }
        _ => None,
    }
}

/// A proposal that differs takes the place of the honest one.
fn swap(cx: &Cx<'_>, output: Output, change: impl FnOnce(&Proposal) -> Option<Proposal>, out: &mut Vec<Output>) {
    let changed = proposal_of(&output)
        .and_then(|(to, signed, proposal)| Some((to.clone(), cx.pre_prepare(signed, change(proposal)?)?)));
    match changed {
        Some((to, packet)) => out.push(Output::Fan { to, packet }),
        None => out.push(output),
    }
}
