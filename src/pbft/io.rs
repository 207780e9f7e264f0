//! What goes into a replica and comes out of it (CONSENSUS.md §3.2). It does no I/O itself and knows no clock of its own.

use super::certificate::{CommitCertificate, Prepared};
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
    Start,
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
    /// Patience with the peer asked for a body.
    Fetch,
}

/// What must be durable before any later output of the same step is carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    Level { view: View, changing: bool },
    Vote { kind: Kind, view: View, seq: Seq, digest: Digest, just: Just },
    Body { seq: Seq, proposal: Arc<Proposal> },
    Prepared(Arc<Prepared>),
    OwnViewChange(Arc<ViewChange>),
    NewView(Arc<NewView>),
    Block { block: Arc<Block>, cert: Arc<CommitCertificate> },
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
