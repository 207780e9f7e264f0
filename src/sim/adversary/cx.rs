//! What a behaviour has in hand: its own actor with its keys, its own randomness and timers, and what it may overhear.

use super::Ring;
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::FactKind;
use crate::entities::{Bench, Css, Entity, Output, Packet, Setup};
use crate::ledger::{Digest, Micros, Proposal, Seq};
use crate::pbft::certificate::{Prepared, StableProof};
use crate::pbft::message::{Fixed, NewView, ViewChange};
use crate::pbft::{Kind, Message, NodeId, Replica, ReplicaId, Signed, Statement, View};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// The hands of a behaviour during one step.
pub struct Cx<'a, 'b> {
    /// The actor's own clock.
    pub now: Micros,
    pub me: ActorId,
    pub setup: &'a Setup,
    pub entity: &'a mut Entity,
    pub rng: &'a mut ChaCha8Rng,
    pub bench: &'a mut Bench<'b>,
    pub ring: &'a mut Ring,
    /// Own timers that were set: µs from now, and what [`super::Behaviour::on_tick`] is told.
    pub ticks: &'a mut Vec<(u64, u64)>,
}

impl Cx<'_, '_> {
    pub fn css(&self) -> Option<&Css> {
        match &*self.entity {
            Entity::Css(css) => Some(css),
            _ => None,
        }
    }

    /// The gateway's own honest replica, once it runs.
    pub fn replica(&self) -> Option<&Replica> {
        self.css()?.replica()
    }

    pub fn replica_id(&self) -> ReplicaId {
        ReplicaId(self.me.index)
    }

    /// A statement under the actor's own key, whatever it says; `None` before it has one.
    pub fn sign(&self, statement: Statement) -> Option<Signed> {
        self.css()?.sign(&statement).map(|sig| Signed { statement, sig })
    }

    /// A statement of this gateway as it stands: own network, view and justification.
    pub fn statement(&self, kind: Kind, seq: Seq, digest: Digest) -> Option<Statement> {
        let replica = self.replica()?;
        let (view, just) = (replica.level().view, replica.entered_by().map_or(Digest::ZERO, |nv| nv.just()));
        let (network_id, sender) = (replica.config().network_id, self.replica_id());
        Some(Statement { network_id, kind, sender, view, seq, digest, just })
    }

    /// All other gateways.
    pub fn others(&self) -> Arc<[NodeId]> {
        (0..self.setup.n).filter(|i| self.me.role != Role::Css || *i != self.me.index).map(NodeId).collect()
    }

    /// A message to all other gateways.
    pub fn to_others(&self, message: Message) -> Output {
        Output::Fan { to: self.others(), packet: Packet::Pbft(Arc::new(message)) }
    }

    /// Whether this gateway leads a view.
    pub fn leads(&self, view: View) -> bool {
        self.replica().is_some_and(|replica| replica.config().quorum.primary(view) == self.replica_id())
    }

    /// The same pre-prepare for another proposal.
    pub fn pre_prepare(&self, original: &Signed, proposal: Proposal) -> Option<Packet> {
        let statement = Statement { digest: proposal.digest(), ..original.statement };
        let message = Message::PrePrepare(self.sign(statement)?, Arc::new(proposal));
        Some(Packet::Pbft(Arc::new(message)))
    }

    /// A VIEW-CHANGE under the actor's own key, whatever it says.
    pub fn view_change(&self, target: View, stable: StableProof, p: Vec<Arc<Prepared>>) -> Option<ViewChange> {
        let digest = ViewChange::content_digest(&stable, &p);
        let statement = self.statement(Kind::ViewChange, stable.seq, digest)?;
        let signed = self.sign(Statement { view: target, just: Digest::ZERO, ..statement })?;
        Some(ViewChange { signed, stable, p })
    }

    /// A NEW-VIEW under the actor's own key, whatever it says.
    pub fn new_view(&self, view: View, v_set: Vec<Arc<ViewChange>>, slots: &[(Seq, Digest)]) -> Option<NewView> {
        let just = NewView::content_digest(view, &v_set, slots.iter().map(|(seq, digest)| (*seq, digest)));
        let pre_prepare = |(seq, digest): &(Seq, Digest)| {
            let statement = self.statement(Kind::PrePrepare, *seq, *digest)?;
            let signed = self.sign(Statement { view, just, ..statement })?;
            Some(Fixed { seq: *seq, digest: *digest, pp_sig: signed.sig })
        };
        let o = slots.iter().map(pre_prepare).collect::<Option<_>>()?;
        let min_s = v_set.iter().map(|vc| vc.stable.seq).max().unwrap_or_default();
        let statement = self.statement(Kind::NewView, min_s, just)?;
        let signed = self.sign(Statement { view, just: Digest::ZERO, ..statement })?;
        Some(NewView { signed, v_set, o })
    }

    /// Sends a neighbouring pile, in clear, what only this actor may know of a ciphertext. The pile has no use for it; whoever
    /// listens has.
    pub fn give_away(&self, sigma: Digest, what: Arc<[u8]>, out: &mut Vec<Output>) {
        let to = ActorId::new(Role::Cp, (self.me.index + 1) % self.setup.cp.max(1));
        out.push(Output::Fact { kind: FactKind::Leaked { sigma, to }, rule: None });
        out.push(Output::Send { to: self.setup.node(to), packet: Packet::Frame(what) });
    }

    /// Sets a timer of the behaviour's own.
    pub fn tick(&mut self, after: u64, tick: u64) {
        self.ticks.push((after, tick));
    }
}

/// Recipients, statement and body of a broadcast pre-prepare.
pub type Proposed<'a> = (&'a Arc<[NodeId]>, &'a Signed, &'a Arc<Proposal>);

/// A broadcast pre-prepare, taken apart.
pub fn proposal_of(output: &Output) -> Option<Proposed<'_>> {
    let Output::Fan { to, packet: Packet::Pbft(message) } = output else { return None };
    match &**message {
        Message::PrePrepare(signed, proposal) if signed.statement.kind == Kind::PrePrepare => {
            Some((to, signed, proposal))
        }
        _ => None,
    }
}

/// A proposal that differs takes the place of the honest one.
pub fn swap(
    cx: &Cx<'_, '_>,
    output: Output,
    change: impl FnOnce(&Proposal) -> Option<Proposal>,
    out: &mut Vec<Output>,
) {
    // Said again to one only, it is still the lie.
    let output = match output {
        Output::Send { to, packet } => Output::Fan { to: [to].into(), packet },
        fan => fan,
    };
    let changed = proposal_of(&output)
        .and_then(|(to, signed, proposal)| Some((to.clone(), cx.pre_prepare(signed, change(proposal)?)?)));
    match changed {
        Some((to, packet)) => out.push(Output::Fan { to, packet }),
        None => out.push(output),
    }
}
