//! What happens: the effects of a run (CONSENSUS.md §4.8, WORLD.md §8).

use super::packets::{DropReason, PacketInfo};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, Op, Rule};
use crate::ledger::{Digest, Micros};
use crate::pbft;
use crate::sim::forensics::Charge;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Consecutive number of an effect within a branch, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EffectId(pub u32);

/// A signed statement that convicts its signer, in full: with the network's id anybody can verify it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Said {
    pub kind: pbft::Kind,
    pub view: u64,
    pub seq: u64,
    pub digest: Digest,
    pub just: Digest,
    /// The signature's 64 bytes, hexadecimal.
    pub sig: String,
}

/// What an effect is: an actor's fact, or something the world did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Kind {
    Fact(FactKind),
    /// On the way from the effect's actor to `to`.
    Sent {
        to: ActorId,
        packet: PacketInfo,
    },
    /// Arrived at the effect's actor; the cause is its `Sent`.
    Delivered {
        from: ActorId,
        packet: PacketInfo,
    },
    Dropped {
        to: ActorId,
        packet: PacketInfo,
        why: DropReason,
    },
    Duplicated {
        to: ActorId,
        packet: PacketInfo,
    },
    /// A fault or a person changed the arrival.
    Delayed {
        to: ActorId,
        packet: PacketInfo,
        by_us: u64,
    },
    /// One bit of the packet was changed under way.
    Corrupted {
        to: ActorId,
        packet: PacketInfo,
        byte: u32,
        bit: u8,
    },
    Persisted {
        what: Cow<'static, str>,
    },
    TimerSet {
        timer: Cow<'static, str>,
        after_us: u64,
    },
    TimerFired {
        timer: Cow<'static, str>,
    },
    Crashed,
    Paused,
    Resumed,
    /// Back after a crash, with a chain of this height, or with nothing of what its replica ever signed.
    Recovered {
        height: u64,
        amnesia: bool,
    },
    /// From here on the actor follows a Byzantine behaviour (or no longer, if `None`).
    Behaves {
        behaviour: Option<String>,
    },
    /// A person intervened; the index is that of the branch's intervention list.
    Intervened {
        index: u32,
        text: String,
    },
    InvariantBroken {
        id: String,
        text: String,
    },
    /// An invariant fell that holds only up to f faulty gateways, and there are more.
    SafetyVoid {
        id: String,
        text: String,
    },
    /// What the culprit signed is what no correct gateway signs (`sim::forensics`).
    Convicted {
        culprit: ActorId,
        charge: Charge,
        statements: Vec<Said>,
    },
    /// The actor's clock is now this far ahead of the world's.
    ClockSet {
        ahead_us: i64,
    },
    /// The actor's computing now takes this many times its cost.
    Slowed {
        times: u32,
    },
}

impl Kind {
    /// The name of the kind as in CONSENSUS.md §4.8 and WORLD.md §8; used in logs, JSON and queries.
    pub fn name(&self) -> &'static str {
        use FactKind as F;
        match self {
            Kind::Fact(f) => match f {
                F::SetUp { .. } => "SetUp",
                F::Registered { .. } => "Registered",
                F::PseudonymIssued { .. } => "PseudonymIssued",
                F::GenesisMade { .. } => "GenesisMade",
                F::ListSent { .. } => "ListSent",
                F::Attached { .. } => "Attached",
                F::KeyAccepted { .. } => "KeyAccepted",
                F::KeyRefused { .. } => "KeyRefused",
                F::PluggedIn { .. } => "PluggedIn",
                F::Departed { .. } => "Departed",
                F::Uploaded { .. } => "Uploaded",
                F::Planned { .. } => "Planned",
                F::Step { .. } => "Step",
                F::Signcrypted { .. } => "Signcrypted",
                F::Routed { .. } => "Routed",
                F::Expired { .. } => "Expired",
                F::Verified { .. } => "Verified",
                F::DataSetSent { .. } => "DataSetSent",
                F::DataSetMerged { .. } => "DataSetMerged",
                F::PrePrepared { .. } => "PrePrepared",
                F::Voted { .. } => "Voted",
                F::VoteCounted { .. } => "VoteCounted",
                F::VoteRefused { .. } => "VoteRefused",
                F::Held { .. } => "Held",
                F::Prepared { .. } => "Prepared",
                F::Committed { .. } => "Committed",
                F::Executed { .. } => "Executed",
                F::BlockAppended { .. } => "BlockAppended",
                F::Sealed { .. } => "Sealed",
                F::Published { .. } => "Published",
                F::ViewChange { .. } => "ViewChange",
                F::NewView { .. } => "NewView",
                F::BodyFetched { .. } => "BodyFetched",
                F::Evidence { .. } => "Evidence",
                F::Checkpoint { .. } => "Checkpoint",
                F::StateTransferred { .. } => "StateTransferred",
                F::KeyReleased { .. } => "KeyReleased",
                F::Located { .. } => "Located",
                F::NotAReceiver { .. } => "NotAReceiver",
                F::Opened { .. } => "Opened",
                F::Leaked { .. } => "Leaked",
                F::Authenticated { .. } => "Authenticated",
                F::Commanded { .. } => "Commanded",
                F::Started { .. } => "Started",
                F::Dispatched { .. } => "Dispatched",
                F::Metered { .. } => "Metered",
                F::Billed { .. } => "Billed",
                F::Refused { .. } => "Refused",
                F::Complained { .. } => "Complained",
                F::Judged { .. } => "Judged",
                F::TicketOpened { .. } => "TicketOpened",
                F::ClaimJudged { .. } => "ClaimJudged",
            },
            Kind::Sent { .. } => "Sent",
            Kind::Delivered { .. } => "Delivered",
            Kind::Dropped { .. } => "Dropped",
            Kind::Duplicated { .. } => "Duplicated",
            Kind::Delayed { .. } => "Delayed",
            Kind::Corrupted { .. } => "Corrupted",
            Kind::Persisted { .. } => "Persisted",
            Kind::TimerSet { .. } => "TimerSet",
            Kind::TimerFired { .. } => "TimerFired",
            Kind::Crashed => "Crashed",
            Kind::Paused => "Paused",
            Kind::Resumed => "Resumed",
            Kind::Recovered { .. } => "Recovered",
            Kind::Behaves { .. } => "Behaves",
            Kind::Intervened { .. } => "Intervened",
            Kind::InvariantBroken { .. } => "InvariantBroken",
            Kind::SafetyVoid { .. } => "SafetyVoid",
            Kind::Convicted { .. } => "Convicted",
            Kind::ClockSet { .. } => "ClockSet",
            Kind::Slowed { .. } => "Slowed",
        }
    }
}

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Effect {
    pub id: EffectId,
    /// Number of the event of the world's queue in which it happened, from 1.
    pub step: u64,
    /// Virtual time.
    pub t: Micros,
    /// `None`: the world itself.
    pub actor: Option<ActorId>,
    pub kind: Kind,
    /// The effect that led to this step.
    pub cause: Option<EffectId>,
    /// The other premises of a fact that needs several, for a quorum the first q.
    pub needs: Vec<EffectId>,
    pub rule: Option<Rule>,
}

impl Effect {
    /// The phase of the paper this effect belongs to: 1 keys (§4.1), 2 signcrypt and route (§4.2), 3 verify and agree
    /// (§4.3), 4 open, dispatch and bill (§4.4). `None` for what belongs to no phase by itself, like a packet on its way.
    pub fn phase(&self) -> Option<u8> {
        use FactKind as F;
        let Kind::Fact(fact) = &self.kind else { return None };
        match fact {
            F::SetUp { .. }
            | F::Registered { .. }
            | F::PseudonymIssued { .. }
            | F::GenesisMade { .. }
            | F::ListSent { .. }
            | F::KeyAccepted { .. }
            | F::KeyRefused { .. } => Some(1),
            F::PluggedIn { .. }
            | F::Attached { .. }
            | F::Uploaded { .. }
            | F::Planned { .. }
            | F::Signcrypted { .. }
            | F::Routed { .. }
            | F::Expired { .. } => Some(2),
            F::Verified { .. } => self.actor.filter(|a| a.role == Role::Css).map(|_| 3),
            F::DataSetSent { .. }
            | F::DataSetMerged { .. }
            | F::PrePrepared { .. }
            | F::Voted { .. }
            | F::VoteCounted { .. }
            | F::VoteRefused { .. }
            | F::Prepared { .. }
            | F::Committed { .. }
            | F::Executed { .. }
            | F::BlockAppended { .. }
            | F::Sealed { .. }
            | F::Published { .. }
            | F::ViewChange { .. }
            | F::NewView { .. }
            | F::BodyFetched { .. }
            | F::Evidence { .. }
            | F::Checkpoint { .. }
            | F::StateTransferred { .. } => Some(3),
            F::KeyReleased { .. }
            | F::Located { .. }
            | F::NotAReceiver { .. }
            | F::Opened { flow: 1, .. }
            | F::Leaked { .. }
            | F::Authenticated { .. }
            | F::Commanded { .. }
            | F::Started { .. }
            | F::Dispatched { .. }
            | F::Metered { .. }
            | F::Billed { .. }
            | F::Complained { .. }
            | F::Judged { .. }
            | F::TicketOpened { .. }
            | F::ClaimJudged { .. } => Some(4),
            F::Step { op, .. } => match op {
                Op::AcceptKey => Some(1),
                Op::MerkleRoot if self.actor.is_some_and(|a| a.role == Role::Css) => Some(3),
                Op::Decapsulate | Op::OpenEntry | Op::CheckSender => None,
                _ => Some(2),
            },
            F::Opened { .. } | F::Held { .. } | F::Refused { .. } | F::Departed { .. } => None,
        }
    }
}
