//! What goes into a replica and comes out of it (CONSENSUS.md §3.2). It does no I/O itself and knows no clock of its own.

use super::certificate::{CommitCertificate, Prepared, Snapshot, StableProof};
use super::durable::Durable;
use super::evidence::Evidence;
use super::message::{Envelope, Kind, Message, NewView, ViewChange};
use super::rule::{About, Outcome, Reason, Rule};
use super::types::{Just, NodeId, Verifier, View};
use crate::ledger::{Block, Digest, Micros, Proposal, Seq};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a replica reacts to.
#[derive(Clone, Debug)]
pub enum Input {
    /// With what was persisted before a crash. Without it, a replica that has signed anything before suffers amnesia.
    Start(Option<Box<Durable>>),
    Deliver(Envelope),
    Timer(Timer),
}

/// At most one of each is set; setting replaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Timer {
    /// A batch is due: a proposal of the primary, a data set of a backup.
    Batch,
    /// Waiting ciphertexts go to all gateways.
    Relay,
    /// The earliest deadline of a request or slot.
    Progress,
    /// Patience with the primary of the view asked for.
    NewView,
    /// Patience with peers that were asked for something, and with a state that is about to be reached.
    Fetch,
    /// Patience of a replica that waits: it then says what it has.
    Resend,
    /// Gossip about what one has.
    Status,
}

/// What must be durable before any later output of the same step is carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// A vote, or an own CHECKPOINT (of view 0).
    Vote {
        kind: Kind,
        view: View,
        seq: Seq,
        digest: Digest,
        just: Just,
    },
    Body {
        seq: Seq,
        proposal: Arc<Proposal>,
    },
    Prepared(Arc<Prepared>),
    /// Says too that the view was left for this one's target.
    OwnViewChange(Arc<ViewChange>),
    /// Says too that its view was entered.
    NewView(Arc<NewView>),
    Block {
        block: Arc<Block>,
        cert: Arc<CommitCertificate>,
    },
    /// The low mark: what is at or below it may be forgotten.
    Stable(Arc<StableProof>),
    /// A state to begin from instead of genesis.
    Snapshot(Arc<Snapshot>),
}

impl Record {
    /// What it is, in words.
    pub fn name(&self) -> &'static str {
        match self {
            Record::Vote { kind: Kind::Checkpoint, .. } => "checkpoint",
            Record::Vote { .. } => "vote",
            Record::Body { .. } => "body",
            Record::Prepared(_) => "prepared certificate",
            Record::OwnViewChange(_) => "own view change",
            Record::NewView(_) => "new view",
            Record::Block { .. } => "block",
            Record::Stable(_) => "stable proof",
            Record::Snapshot(_) => "snapshot",
        }
    }
}

/// What a replica asks for, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    Persist(Record),
    Send {
        to: NodeId,
        msg: Arc<Message>,
    },
    /// To all other replicas.
    Broadcast(Arc<Message>),
    /// To the followers.
    Publish(Arc<Message>),
    SetTimer {
        timer: Timer,
        after: Micros,
    },
    CancelTimer(Timer),
    /// A slot was executed; the block is now in the chain.
    Execute {
        seq: Seq,
        digest: Digest,
        block: Arc<Block>,
        cert: Arc<CommitCertificate>,
    },
    /// A certificate contradicts what was executed: more than f gateways are faulty.
    Conflict {
        seq: Seq,
        had: Digest,
        got: Digest,
    },
    /// A gateway is proven faulty.
    Evidence(Arc<Evidence>),
    Trace {
        rule: Rule,
        outcome: Outcome,
        about: About,
    },
}

/// The replica's hands for one step.
pub struct Io<'a> {
    pub verify: &'a mut dyn Verifier,
    pub out: &'a mut Vec<Output>,
}

impl Io<'_> {
    pub(super) fn trace(&mut self, rule: Rule, outcome: Outcome, about: About) {
        self.out.push(Output::Trace { rule, outcome, about });
    }

    pub(super) fn accept(&mut self, rule: Rule, about: About) {
        self.trace(rule, Outcome::Accept, about);
    }

    pub(super) fn reject(&mut self, rule: Rule, reason: Reason, about: About) {
        self.trace(rule, Outcome::Reject(reason), about);
    }

    pub(super) fn hold(&mut self, rule: Rule, reason: Reason, about: About) {
        self.trace(rule, Outcome::Hold(reason), about);
    }

    pub(super) fn note(&mut self, rule: Rule, about: About) {
        self.trace(rule, Outcome::Note, about);
    }

    pub(super) fn persist(&mut self, record: Record) {
        self.out.push(Output::Persist(record));
    }

    pub(super) fn broadcast(&mut self, msg: Message) {
        self.out.push(Output::Broadcast(Arc::new(msg)));
    }

    pub(super) fn send(&mut self, to: impl Into<NodeId>, msg: Message) {
        self.out.push(Output::Send { to: to.into(), msg: Arc::new(msg) });
    }
}
