//! The trace: everything that happened, in order, with its causes, and the digest that certifies it (CONSENSUS.md §4.8).
//!
//! The world appends, the page mirrors; both compute the same digest chain. Nothing here decides anything.

use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, Op, Rule};
use crate::ledger::{Digest, Micros};
use crate::pbft;
use crate::sim::forensics::Charge;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};
use std::borrow::Cow;

/// Consecutive number of an effect within a branch, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EffectId(pub u32);

/// Number of a packet in the world's store: ask the worker for its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ItemId(pub u32);

/// Kind of a packet on a link (WORLD.md §4; `Pbft*` are the messages of CONSENSUS.md §2.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum PacketTag {
    Request,
    Answer,
    List,
    Submit,
    Route,
    Area,
    /// σ of flow 4, 5 or 6 handed over directly.
    Direct(u8),
    Offer,
    Frame,
    Letter,
    DataSet,
    PrePrepare,
    Prepare,
    Commit,
    ViewChange,
    NewView,
    Fetch,
    Body,
    Seal,
    Publish,
    Evidence,
    Complaint,
    Claim,
    Ask,
    Draw,
    Grant,
    Upload,
    Checkpoint,
    Status,
    Blocks,
    Snapshot,
    Stable,
}

impl PacketTag {
    /// One of each name.
    pub const ALL: [PacketTag; 32] = [
        PacketTag::Request,
        PacketTag::Answer,
        PacketTag::List,
        PacketTag::Submit,
        PacketTag::Route,
        PacketTag::Area,
        PacketTag::Direct(4),
        PacketTag::Offer,
        PacketTag::Frame,
        PacketTag::Letter,
        PacketTag::DataSet,
        PacketTag::PrePrepare,
        PacketTag::Prepare,
        PacketTag::Commit,
        PacketTag::ViewChange,
        PacketTag::NewView,
        PacketTag::Fetch,
        PacketTag::Body,
        PacketTag::Seal,
        PacketTag::Publish,
        PacketTag::Evidence,
        PacketTag::Complaint,
        PacketTag::Claim,
        PacketTag::Ask,
        PacketTag::Draw,
        PacketTag::Grant,
        PacketTag::Upload,
        PacketTag::Checkpoint,
        PacketTag::Status,
        PacketTag::Blocks,
        PacketTag::Snapshot,
        PacketTag::Stable,
    ];

    /// Name in scenario files and logs (`route`, `pbft.prepare`).
    pub fn name(self) -> &'static str {
        match self {
            PacketTag::Request => "request",
            PacketTag::Answer => "answer",
            PacketTag::List => "list",
            PacketTag::Submit => "submit",
            PacketTag::Route => "route",
            PacketTag::Area => "area",
            PacketTag::Direct(_) => "direct",
            PacketTag::Offer => "offer",
            PacketTag::Frame => "frame",
            PacketTag::Letter => "letter",
            PacketTag::DataSet => "pbft.dataset",
            PacketTag::PrePrepare => "pbft.pre-prepare",
            PacketTag::Prepare => "pbft.prepare",
            PacketTag::Commit => "pbft.commit",
            PacketTag::ViewChange => "pbft.view-change",
            PacketTag::NewView => "pbft.new-view",
            PacketTag::Fetch => "pbft.fetch",
            PacketTag::Body => "pbft.body",
            PacketTag::Seal => "pbft.seal",
            PacketTag::Publish => "pbft.publish",
            PacketTag::Evidence => "pbft.evidence",
            PacketTag::Checkpoint => "pbft.checkpoint",
            PacketTag::Status => "pbft.status",
            PacketTag::Blocks => "pbft.blocks",
            PacketTag::Snapshot => "pbft.snapshot",
            PacketTag::Stable => "pbft.stable",
            PacketTag::Complaint => "complaint",
            PacketTag::Claim => "claim",
            PacketTag::Ask => "ask",
            PacketTag::Draw => "draw",
            PacketTag::Grant => "grant",
            PacketTag::Upload => "upload",
        }
    }
}

/// A packet as the trace knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PacketInfo {
    pub item: ItemId,
    pub tag: PacketTag,
    /// Length of its encoding in bytes.
    pub size: u32,
    /// The ciphertext it carries or is about.
    pub sigma: Option<Digest>,
    /// (view, seq) of a consensus message; a VIEW-CHANGE or NEW-VIEW has its target view and 0.
    pub slot: Option<(u64, u64)>,
}

/// Why a packet never arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DropReason {
    Loss,
    Blocked,
    Crashed,
    Intervention,
    /// The link was full, and this was the oldest message on it.
    Crowded,
}

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

/// Steps per group of the digest chain.
pub const GROUP_STEPS: u64 = 256;

/// Append-only list of effects with its digest chain.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    effects: Vec<Effect>,
    /// `groups[k]`: index of the first effect of group k and h_k, the chain value before it.
    groups: Vec<(u32, Digest)>,
    /// Encoded effects of the open group.
    open: Vec<u8>,
}

/// An effect that does not continue the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("effect {got} does not follow {expected}, or its step or time goes back")]
pub struct OutOfOrder {
    pub expected: u32,
    pub got: u32,
}

fn link(previous: Digest, group: &[u8]) -> Digest {
    let hash = Sha512::new().chain_update(b"voltcast/trace/1").chain_update(previous.0).chain_update(group).finalize();
    let mut out = [0; 32];
    out.copy_from_slice(&hash[..32]);
    Digest(out)
}

/// Bytes at the end of a buffer, piece by piece (postcard's own flavour for this copies byte by byte).
struct Appended(Vec<u8>);

impl postcard::ser_flavors::Flavor for Appended {
    type Output = Vec<u8>;

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        // Most are numbers of one byte.
        match data {
            [one] => self.0.push(*one),
            _ => self.0.extend_from_slice(data),
        }
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

fn encode(effect: &Effect, into: Vec<u8>) -> Vec<u8> {
    // Encoding plain data into memory has no failure case; an empty group would still be caught by every digest test.
    postcard::serialize_with_flavor(effect, Appended(into)).unwrap_or_default()
}

impl Trace {
    pub fn new() -> Self {
        Trace { effects: Vec::new(), groups: vec![(0, Digest::ZERO)], open: Vec::new() }
    }

    /// Appends the next effect. Ids are consecutive; steps and times never go back.
    pub fn push(&mut self, effect: Effect) -> Result<(), OutOfOrder> {
        let expected = self.effects.len() as u32;
        let behind = self.effects.last().is_some_and(|last| effect.step < last.step || effect.t < last.t);
        if effect.id.0 != expected || behind {
            return Err(OutOfOrder { expected, got: effect.id.0 });
        }
        while effect.step / GROUP_STEPS >= self.groups.len() as u64 {
            let h = link(self.groups[self.groups.len() - 1].1, &self.open);
            self.groups.push((expected, h));
            self.open.clear();
        }
        self.open = encode(&effect, core::mem::take(&mut self.open));
        self.effects.push(effect);
        Ok(())
    }

    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    pub fn get(&self, id: EffectId) -> Option<&Effect> {
        self.effects.get(id.0 as usize)
    }

    pub fn len(&self) -> u32 {
        self.effects.len() as u32
    }

    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// Chain values of the closed groups, h_1, h_2, …
    pub fn groups(&self) -> impl Iterator<Item = Digest> + '_ {
        self.groups.iter().skip(1).map(|(_, h)| *h)
    }

    /// Digest after all effects so far.
    pub fn digest(&self) -> Digest {
        link(self.groups[self.groups.len() - 1].1, &self.open)
    }

    /// Digest after the first `count` effects; `count` beyond the end means all of them.
    pub fn digest_at(&self, count: u32) -> Digest {
        if count >= self.len() {
            return self.digest();
        }
        let group = self.groups.partition_point(|(first, _)| *first < count).saturating_sub(1);
        let (first, h) = self.groups[group];
        let bytes = self.effects[first as usize..count as usize].iter().fold(Vec::new(), |acc, e| encode(e, acc));
        link(h, &bytes)
    }

    /// The largest number of effects, at most `count`, that ends with a complete step.
    pub fn whole_steps(&self, count: u32) -> u32 {
        let Some(next) = self.effects.get(count as usize) else { return self.len() };
        self.effects[..count as usize].partition_point(|e| e.step < next.step) as u32
    }

    /// Number of effects up to the end of the step in which effect `id` happened.
    pub fn end_of_step(&self, id: EffectId) -> u32 {
        let step = self.get(id).map_or(u64::MAX, |e| e.step);
        self.effects.partition_point(|e| e.step <= step) as u32
    }

    /// Number of effects up to and including virtual time `t`.
    pub fn count_until(&self, t: Micros) -> u32 {
        self.effects.partition_point(|e| e.t <= t) as u32
    }

    /// Drops everything from effect `count` on (the world's own use when it re-executes from a keyframe).
    pub fn truncate(&mut self, count: u32) {
        if count >= self.len() {
            return;
        }
        while self.groups.len() > 1 && self.groups[self.groups.len() - 1].0 >= count {
            self.groups.pop();
        }
        self.effects.truncate(count as usize);
        let first = self.groups[self.groups.len() - 1].0;
        self.open = self.effects[first as usize..].iter().fold(Vec::new(), |acc, e| encode(e, acc));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(id: u32, step: u64) -> Effect {
        Effect {
            id: EffectId(id),
            step,
            t: Micros(step * 10),
            actor: None,
            kind: Kind::TimerFired { timer: "batch".into() },
            cause: id.checked_sub(1).map(EffectId),
            needs: vec![],
            rule: None,
        }
    }

    fn trace(count: u32) -> Trace {
        let mut trace = Trace::new();
        for id in 0..count {
            trace.push(effect(id, u64::from(id) * 3)).unwrap();
        }
        trace
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn an_effect_takes_little_room() {
        assert!(size_of::<Effect>() <= 152, "{}", size_of::<Effect>());
    }

    #[test]
    fn digest_at_equals_the_digest_of_the_prefix() {
        let whole = trace(700);
        for count in [0, 1, 85, 86, 87, 170, 171, 172, 500, 699, 700] {
            assert_eq!(whole.digest_at(count), trace(count).digest(), "{count}");
        }
    }

    #[test]
    fn truncated_trace_continues_to_the_same_digest() {
        for count in [0, 1, 86, 172, 300, 599] {
            let mut cut = trace(600);
            cut.truncate(count);
            assert_eq!(cut.digest(), trace(count).digest());
            for id in count..600 {
                cut.push(effect(id, u64::from(id) * 3)).unwrap();
            }
            assert_eq!(cut.digest(), trace(600).digest());
        }
    }

    #[test]
    fn whole_steps_never_cut_a_step() {
        let mut t = Trace::new();
        for (id, step) in [0, 0, 1, 1, 1, 4].into_iter().enumerate() {
            t.push(effect(id as u32, step)).unwrap();
        }
        let cuts: Vec<u32> = (0..=7).map(|count| t.whole_steps(count)).collect();
        assert_eq!(cuts, [0, 0, 2, 2, 2, 5, 6, 6]);
        let ends: Vec<u32> = (0..=6).map(|id| t.end_of_step(EffectId(id))).collect();
        assert_eq!(ends, [2, 2, 5, 5, 5, 6, 6]);
    }

    #[test]
    fn every_field_moves_the_digest() {
        let base = trace(10).digest();
        let mut other = trace(9);
        let mut last = effect(9, 27);
        last.needs.push(EffectId(3));
        other.push(last).unwrap();
        assert_ne!(base, other.digest());
    }

    #[test]
    fn gaps_and_steps_back_are_refused() {
        let mut t = trace(5);
        assert!(t.push(effect(6, 99)).is_err());
        assert!(t.push(effect(5, 1)).is_err());
        assert!(t.push(effect(5, 99)).is_ok());
    }
}
