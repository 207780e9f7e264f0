//! A gateway (CSS): verifies σ, passes it to its piles, and takes part in agreement (paper §4.3, WORLD.md §3).
//!
//! It owns keys and area; all consensus logic is in its [`Replica`]. It can read no σ of flow 1, until a car complains
//! about its own entry.

mod judge;
mod station;

use super::actor::{ActorId, Role};
use super::enrol::{Enrolment, Progress};
use super::fact::{FactKind, Op, Rule, VoteKind};
use super::io::{Input, Io, Output, TimerId, cost};
use super::packet::{Packet, parse_sigma};
use super::setup::Genesis;
use super::stub::{Crypto, StubKey};
use crate::clmmsc::{Flow, KeyPair, Params, RecordId, SigmaId};
use crate::ledger::{Digest, Micros, Seq, Sigma};
use crate::pbft::message::Publish;
use crate::pbft::{
    self, About, Coverage, Envelope, Kind, Message, NodeId, Outcome, Replica, ReplicaId, Sig, Signer, Statement,
    Verifier,
};
pub(in crate::entities) use station::LEASE;
use station::Station;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Blocks in one answer to a follower.
const MOST_BLOCKS: usize = 16;

/// The gateway's ID key as the replica's signer.
#[derive(Debug)]
pub struct IdKey {
    pub params: Params,
    pub key: KeyPair,
}

impl Signer for IdKey {
    fn sign(&self, st: &Statement) -> Sig {
        Sig(crate::clmmsc::vote::sign(&self.params, &self.key, &st.bytes(), &[0; 32]))
    }
}

#[derive(Clone)]
pub struct Css {
    pub enrolment: Enrolment,
    genesis: Option<Arc<Genesis>>,
    signer: Option<Arc<dyn Signer>>,
    replica: Option<Replica>,
    /// σ already passed to the piles.
    fanned: BTreeSet<Digest>,
    /// Rules that decided something here.
    coverage: Coverage,
    /// Rule by which the replica last wanted another view.
    impatience: Option<pbft::Rule>,
    /// Complaints judged: about which σ, by which record.
    judged: BTreeSet<(SigmaId, RecordId)>,
    /// The power of its area.
    station: Station,
    /// Room for what the replica puts out; empty between steps.
    spare: Vec<pbft::Output>,
}

impl Css {
    pub fn new(enrolment: Enrolment) -> Self {
        Css {
            enrolment,
            genesis: None,
            signer: None,
            replica: None,
            fanned: BTreeSet::new(),
            coverage: Coverage::default(),
            impatience: None,
            judged: BTreeSet::new(),
            station: Station::default(),
            spare: Vec::new(),
        }
    }

    /// What the replica's rules decided so far.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// Signs a statement under this gateway's own key: what a Byzantine gateway can do as well.
    pub fn sign(&self, st: &Statement) -> Option<Sig> {
        self.signer.as_ref().map(|key| key.sign(st))
    }

    /// This gateway's key as a signer: what it can share with others if it wants to.
    pub fn signer(&self) -> Option<Arc<dyn Signer>> {
        self.signer.clone().map(|key| key as Arc<dyn Signer>)
    }

    /// Starts its replica anew from genesis, without anything it has signed: what a gateway does that lost its store.
    pub fn forget(&mut self) {
        if let (Some(genesis), Some(signer)) = (&self.genesis, self.signer()) {
            self.replica = Some(Replica::new(genesis.config.clone(), ReplicaId(self.enrolment.me.index), signer));
        }
    }

    fn me(&self) -> ActorId {
        self.enrolment.me
    }

    pub fn step(&mut self, now: Micros, input: Input<'_>, io: &mut Io<'_, '_>) {
        match input {
            Input::Start => self.enrolment.start(io),
            Input::Restart(_) if self.replica.is_none() => self.enrolment.restart(io),
            Input::Restart(durable) => {
                self.forget();
                self.agree(now, pbft::Input::Start(durable.cloned().map(Box::new)), io);
            }
            Input::Timer(TimerId::Request) => self.enrolment.on_timer(io),
            Input::Timer(TimerId::Tickets) => self.enrolment.on_tickets_due(now, self.station.busy(), io),
            Input::Timer(TimerId::AreaLimit) => self.on_limit(now, io),
            Input::Timer(TimerId::Pbft(timer)) => self.agree(now, pbft::Input::Timer(timer), io),
            Input::Timer(_) | Input::Plant(_) | Input::Wish(_) | Input::Parcel(_) => {}
            Input::Deliver { from, packet } => self.deliver(now, from, packet, io),
        }
    }

    fn deliver(&mut self, now: Micros, from: NodeId, packet: &Packet, io: &mut Io<'_, '_>) {
        match packet {
            Packet::Answer(wire) => {
                let progress = self.enrolment.on_answer(now, wire, io);
                self.join_if(progress == Progress::Key, now, io);
                if progress == Progress::Tickets {
                    self.post(now, io);
                }
            }
            Packet::Letter(genesis) => {
                self.genesis = Some(genesis.clone());
                self.join_if(true, now, io);
            }
            Packet::Route(sigma) => self.on_route(now, from, sigma, io),
            Packet::Draw { wanted_w } => self.on_draw(now, from, *wanted_w, io),
            Packet::Upload(sigma) => self.on_upload(now, from, sigma, io),
            Packet::Complaint { about, proof } => self.on_complaint(from, *about, proof, io),
            Packet::Claim(claim) => self.on_claim(claim, io),
            Packet::Ask { from: height } => self.on_ask(from, *height, io),
            Packet::Pbft(msg) => {
                if let Message::Ciphertext(sigma) = &**msg {
                    self.verified(now, sigma, io);
                }
                let envelope = Envelope { from, to: NodeId(self.me().index), msg: msg.clone() };
                self.agree(now, pbft::Input::Deliver(envelope), io);
            }
            _ => {}
        }
    }

    /// With the own key and genesis at hand the replica starts.
    fn join_if(&mut self, news: bool, now: Micros, io: &mut Io<'_, '_>) {
        let (Some(genesis), Some(key)) = (&self.genesis, self.enrolment.key()) else { return };
        let pinned = genesis.record(self.me()).is_some_and(|record| record.rid == key.public().rid);
        if !news || self.replica.is_some() || !pinned {
            return;
        }
        let signer: Arc<dyn Signer> = match self.enrolment.setup.crypto {
            Crypto::Real => Arc::new(IdKey { params: self.enrolment.setup.params.clone(), key: key.clone() }),
            Crypto::Stub => Arc::new(StubKey(key.public().rid)),
        };
        self.signer = Some(signer.clone());
        self.replica = Some(Replica::new(genesis.config.clone(), ReplicaId(self.me().index), signer));
        self.agree(now, pbft::Input::Start(None), io);
    }

    /// EN-3: verify, pass on to the piles once, hand to the replica.
    fn on_route(&mut self, now: Micros, from: NodeId, bytes: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let id = Digest(crate::clmmsc::verify::sigma_id(&setup.params, bytes).0);
        let verified = match io.bench.verify(bytes, setup.unix(now)) {
            Ok(verified) => verified,
            Err(failure) => {
                let error = Some(failure.error.name().to_owned());
                return io.ruled(FactKind::Verified { sigma: id, error }, failure.check);
            }
        };
        io.ruled(FactKind::Verified { sigma: id, error: None }, crate::clmmsc::Check::V6);
        let piles = setup.piles_of(self.me().index);
        let for_piles = matches!(verified.header().flow, Flow::COMMAND | Flow::PILE);
        if for_piles && !piles.is_empty() && self.fanned.insert(id) {
            let to = piles.iter().map(|pile| setup.node(*pile)).collect();
            io.out.push(Output::Fan { to, packet: Packet::Area(bytes.clone()) });
        }
        if let Some(sigma) = parse_sigma(&setup.params, bytes) {
            let msg = Arc::new(Message::Ciphertext(Arc::new(sigma)));
            let envelope = Envelope { from, to: NodeId(self.me().index), msg };
            self.agree(now, pbft::Input::Deliver(envelope), io);
        }
    }

    /// What public verification says of a ciphertext that is already parsed; the replica asks again, and pays once.
    fn verified(&self, now: Micros, sigma: &Sigma, io: &mut Io<'_, '_>) {
        let error = io.bench.ciphertext(sigma, self.enrolment.setup.unix(now)).err().map(|error| error.0);
        io.fact(FactKind::Verified { sigma: sigma.id, error });
    }

    fn agree(&mut self, now: Micros, input: pbft::Input, io: &mut Io<'_, '_>) {
        let Some(replica) = self.replica.as_mut() else { return };
        let mut out = core::mem::take(&mut self.spare);
        replica.step(now, input, &mut pbft::Io { verify: &mut *io.bench, out: &mut out });
        let executed = out.iter().filter_map(|output| match output {
            pbft::Output::Execute { block, .. } => Some(block.clone()),
            _ => None,
        });
        let executed: Vec<_> = executed.collect();
        for output in out.drain(..) {
            self.carry(output, io);
        }
        self.spare = out;
        for block in executed {
            self.obey(now, &block, io);
        }
    }

    fn carry(&mut self, output: pbft::Output, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        match output {
            pbft::Output::Persist(record) => {
                io.bench.charge(cost::PERSIST);
                io.out.push(Output::Record(record));
            }
            pbft::Output::Send { to, msg } => {
                // Anything else that is signed and goes to one only was signed and told before.
                if matches!(&*msg, Message::DataSet(_) | Message::Fetch(_) | Message::Status(_)) {
                    self.signed(&msg, io);
                }
                io.send(to, Packet::Pbft(msg));
            }
            pbft::Output::Broadcast(msg) => {
                self.signed(&msg, io);
                let to = (0..setup.n).filter(|i| *i != self.me().index).map(NodeId).collect();
                io.out.push(Output::Fan { to, packet: Packet::Pbft(msg) });
            }
            pbft::Output::Publish(msg) => self.publish(msg, io),
            pbft::Output::SetTimer { timer, after } => io.timer(TimerId::Pbft(timer), after),
            pbft::Output::CancelTimer(timer) => io.out.push(Output::CancelTimer(TimerId::Pbft(timer))),
            pbft::Output::Execute { seq, digest, block, .. } => {
                let (applied, voids) = (block.header.applied, block.voids.len() as u32);
                io.fact(FactKind::Executed { seq: seq.0, digest, applied, voids });
                let header = block.digest();
                let txs = block.proposal.as_ref().map(|p| p.txs.iter().map(|tx| tx.id).collect::<Vec<_>>());
                let sigmas = txs.unwrap_or_default();
                let parent = Box::new(block.header.parent);
                let count = block.header.count;
                io.fact(FactKind::BlockAppended { height: seq.0, header, parent, count, sigmas });
            }
            pbft::Output::Conflict { seq, .. } => {
                let reason = "a certificate contradicts the executed block".to_owned();
                let what = format!("slot {}", seq.0);
                io.ruled(FactKind::Refused { what, reason, sigma: None, from: None }, Rule::Agreement(pbft::Rule::X4));
            }
            pbft::Output::Evidence(evidence) => {
                let (culprit, class) = (gateway(evidence.accused()), evidence.class());
                io.ruled(FactKind::Evidence { culprit, class }, Rule::Agreement(pbft::Rule::Ev1));
            }
            pbft::Output::Trace { rule, outcome, about } => {
                self.coverage.note(rule, &outcome);
                if matches!(rule, pbft::Rule::Tm1 | pbft::Rule::Tm2 | pbft::Rule::Tm4 | pbft::Rule::Vc5) {
                    self.impatience = Some(rule);
                }
                trace(rule, &outcome, &about, io);
            }
        }
    }

    /// Blocks go to all followers. SEALs go to the KGC, which waits for what it routed; the others miss a block when the next
    /// one comes.
    fn publish(&mut self, msg: Arc<Message>, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        match &*msg {
            Message::Publish(p) => {
                let (height, header) = (p.block.header.height.0, p.block.digest());
                io.fact(FactKind::Published { height, header });
                let followers = [(Role::Kgc, 1), (Role::Csc, setup.csc), (Role::Cp, setup.cp)];
                let all = followers.into_iter().flat_map(|(role, n)| (0..n).map(move |i| ActorId::new(role, i)));
                let to = all.map(|actor| setup.node(actor)).collect();
                io.out.push(Output::Fan { to, packet: Packet::Pbft(msg) });
            }
            Message::Seal(signed) => {
                io.bench.charge(cost::SIGN);
                io.fact(FactKind::Sealed { height: signed.statement.seq.0, header: signed.statement.digest });
                io.send(setup.kgc_node(), Packet::Pbft(msg));
            }
            _ => {}
        }
    }

    /// A follower lacks the blocks from a height on: as many as one answer may hold, with what proves them.
    fn on_ask(&mut self, asker: NodeId, from: Seq, io: &mut Io<'_, '_>) {
        let Some(replica) = self.replica.as_ref() else { return };
        let one = |height: Seq| {
            let block = replica.chain().block(height)?.clone();
            Some(Publish { block, cert: replica.certificate(height)?.clone() })
        };
        let heights = (from.0..=replica.executed().0).take(MOST_BLOCKS).map(Seq);
        let blocks: Vec<Publish> = heights.map_while(one).collect();
        if !blocks.is_empty() {
            io.send(asker, Packet::Pbft(Arc::new(Message::Blocks(blocks))));
        }
    }

    /// What goes out signed is a fact of its own.
    fn signed(&mut self, msg: &Message, io: &mut Io<'_, '_>) {
        let Some((kind, signed)) = msg.signed() else { return };
        io.bench.charge(cost::SIGN);
        let st = &signed.statement;
        let (view, seq, digest) = (st.view.0, st.seq.0, st.digest);
        match (kind, msg) {
            (Kind::PrePrepare, Message::PrePrepare(_, proposal)) => {
                let count = proposal.txs.len() as u32;
                io.fact(FactKind::Step { op: Op::MerkleRoot, count, cost_us: count });
                io.bench.charge(count.into());
                io.fact(FactKind::PrePrepared { view, seq, digest, count });
            }
            (Kind::Prepare, _) => io.fact(FactKind::Voted { vote: VoteKind::Prepare, view, seq, digest }),
            (Kind::Commit, _) => io.fact(FactKind::Voted { vote: VoteKind::Commit, view, seq, digest }),
            (Kind::DataSet, Message::DataSet(set)) => {
                io.fact(FactKind::DataSetSent { number: seq, count: set.items.len() as u32 });
            }
            (Kind::Checkpoint, _) => io.fact(FactKind::Checkpoint { height: seq, state: digest, stable: false }),
            (Kind::ViewChange, _) => {
                // Without a new reason it is said again to whoever may have missed it.
                let Some(rule) = self.impatience.take() else { return };
                let reason = rule.text().to_owned();
                io.ruled(FactKind::ViewChange { target: view, reason }, Rule::Agreement(rule));
            }
            _ => {}
        }
    }
}

fn gateway(id: ReplicaId) -> ActorId {
    ActorId::new(Role::Css, id.0)
}

fn vote_kind(kind: Kind) -> Option<VoteKind> {
    match kind {
        Kind::Prepare => Some(VoteKind::Prepare),
        Kind::Commit => Some(VoteKind::Commit),
        _ => None,
    }
}

/// A decision of the replica as a fact, if it is one that people look for.
fn trace(rule: pbft::Rule, outcome: &Outcome, about: &About, io: &mut Io<'_, '_>) {
    let fact = match outcome {
        Outcome::Accept if rule == pbft::Rule::St1 => fetched(about),
        Outcome::Accept => accepted(about),
        Outcome::Note => noted(rule, about),
        Outcome::Hold(reason) => held(reason, about),
        // The same thing twice is what relays and retries are for, not a refusal that anybody should worry about.
        Outcome::Reject(pbft::Reason::Duplicate | pbft::Reason::AlreadyStored) => None,
        // What comes after a quorum is late, not wrong; what is asked too often is answered a little later.
        Outcome::Reject(pbft::Reason::RateLimited) => None,
        Outcome::Reject(pbft::Reason::BelowWindow) if rule != pbft::Rule::Pp4 => None,
        Outcome::Reject(reason) => Some(refused(reason, about)),
    };
    if let Some(kind) = fact {
        io.ruled(kind, Rule::Agreement(rule));
    }
}

fn accepted(about: &About) -> Option<FactKind> {
    match *about {
        About::Vote { kind, view, seq, digest, from, have, need } => {
            let (vote, from) = (vote_kind(kind)?, gateway(from));
            Some(FactKind::VoteCounted { vote, view: view.0, seq: seq.0, digest, from, have, need })
        }
        About::Proposal { view, seq, digest, count } => {
            Some(FactKind::PrePrepared { view: view.0, seq: seq.0, digest, count })
        }
        About::Entered { view, carried } => Some(FactKind::NewView { view: view.0, carried }),
        About::DataSet { from, count, .. } => Some(FactKind::DataSetMerged { from: gateway(from), count }),
        _ => None,
    }
}

fn fetched(about: &About) -> Option<FactKind> {
    match *about {
        About::Slot { seq, digest, .. } => Some(FactKind::BodyFetched { seq: seq.0, digest }),
        About::State { seq, digest } => Some(FactKind::StateTransferred { height: seq.0, state: digest }),
        _ => None,
    }
}

fn noted(rule: pbft::Rule, about: &About) -> Option<FactKind> {
    match (rule, *about) {
        (pbft::Rule::Pd1, About::Slot { view, seq, digest }) => {
            Some(FactKind::Prepared { view: view.0, seq: seq.0, digest })
        }
        (pbft::Rule::Cp3, About::State { seq, digest }) => {
            Some(FactKind::Checkpoint { height: seq.0, state: digest, stable: true })
        }
        (pbft::Rule::Cl1, About::Slot { view, seq, digest }) => {
            Some(FactKind::Committed { view: view.0, seq: seq.0, digest })
        }
        _ => None,
    }
}

fn sender(about: &About) -> Option<ActorId> {
    match about {
        About::Item { from, .. }
        | About::DataSet { from, .. }
        | About::Vote { from, .. }
        | About::Message { from, .. }
        | About::ViewChange { from, .. } => Some(gateway(*from)),
        About::Fault { culprit, .. } => Some(gateway(*culprit)),
        _ => None,
    }
}

fn held(reason: &pbft::Reason, about: &About) -> Option<FactKind> {
    Some(FactKind::Held { what: format!("{reason:?}"), from: sender(about)? })
}

fn refused(reason: &pbft::Reason, about: &About) -> FactKind {
    let text = format!("{reason:?}");
    if let About::Message { kind, from, view, seq, .. } | About::Vote { kind, from, view, seq, .. } = *about
        && let Some(vote) = vote_kind(kind)
    {
        return FactKind::VoteRefused { vote, view: view.0, seq: seq.0, from: gateway(from), reason: text };
    }
    let (what, sigma) = match about {
        About::Sigma(sigma) | About::Item { sigma, .. } => ("ciphertext".into(), Some(*sigma)),
        About::Message { kind, .. } => (format!("{kind:?}"), None),
        About::Proposal { .. } => ("PrePrepare".into(), None),
        About::DataSet { .. } => ("DataSet".into(), None),
        About::ViewChange { .. } => ("ViewChange".into(), None),
        About::Fault { .. } => ("accusation".into(), None),
        _ => ("message".into(), None),
    };
    FactKind::Refused { what, reason: text, sigma, from: sender(about) }
}

impl Css {
    /// Why am I waiting?
    pub fn pending(&self) -> Vec<String> {
        let replica = self.replica.iter().flat_map(Replica::pending).map(|p| p.to_string());
        self.enrolment.pending().into_iter().chain(replica).collect()
    }
}
