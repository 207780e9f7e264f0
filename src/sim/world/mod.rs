//! The world: virtual clock, event queue, actors, links, durable stores, plugs (CONSENSUS.md §4.1, WORLD.md §3).
//!
//! A world is a function of its scenario and its interventions. It reads no clock, no file and no randomness from
//! outside, and cloning it is cheap: actors and packets are shared until they change.

mod act;
mod ceremony;
mod node;
mod parcels;
mod plugs;

use crate::clmmsc::{Params, PublicRecord};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::Rule;
use crate::entities::io::Parcel;
use crate::entities::{Entity, Genesis, Packet, Setup};
use crate::ledger::{Digest, Micros};
use crate::pbft::{self, Message, NodeId, Quorum};
use crate::sim::adversary::{Ring, Wrapper};
use crate::sim::intervention::{At, Intervention};
use crate::sim::invariants::{Finding, Healing, Invariants, Sight};
use crate::sim::memo::Memo;
use crate::sim::network::{Fate, Links, Passage};
use crate::sim::observer::{Draft, Observer};
use crate::sim::scenario::{Scenario, ScenarioError};
use crate::sim::streams::Streams;
use crate::sim::trace::{DropReason, Effect, EffectId, ItemId, Kind, PacketInfo, PacketTag};
pub use ceremony::KeyRing;
use node::{Arrival, Node};
use plugs::{Plug, PlugEvent};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Genesis travels as a paper letter and takes this long.
const LETTER: u64 = 10_000;

/// A packet somewhere between two actors.
#[derive(Clone, Copy, Debug)]
struct Flying {
    from: ActorId,
    to: ActorId,
    item: ItemId,
    /// Its `Sent` (or `Duplicated`) effect.
    sent: EffectId,
}

/// Something that will happen.
#[derive(Clone, Debug)]
enum Event {
    Start(u16),
    Deliver(Flying),
    Timer {
        node: u16,
        timer: crate::entities::TimerId,
        generation: u32,
    },
    /// A node has finished computing.
    Wake {
        node: u16,
        incarnation: u32,
    },
    Plug(PlugEvent),
    Fault(u16),
    /// A timer of a behaviour has run out.
    Tick {
        node: u16,
        incarnation: u32,
        tick: u64,
    },
    /// A ciphertext of the workload reaches the KGC.
    Parcel(u32),
}

/// One packet as it entered a link.
#[derive(Clone, Debug)]
struct Item {
    /// `None` if a flipped bit made it unreadable.
    packet: Option<Packet>,
    info: PacketInfo,
}

/// The whole state of a run at one moment.
#[derive(Clone)]
pub struct World {
    scenario: Arc<Scenario>,
    setup: Arc<Setup>,
    /// Actor of each node.
    actors: Arc<[ActorId]>,
    genesis: Option<Arc<Genesis>>,
    /// Gateways' keys in order, once genesis is made.
    gateways: Arc<[PublicRecord]>,
    /// Ciphertexts of a workload without a station.
    parcels: Arc<[Parcel]>,
    now: Micros,
    step: u64,
    next_seq: u64,
    queue: BTreeMap<(Micros, u64), Event>,
    nodes: Vec<Arc<Node>>,
    links: Links,
    /// Messages kept by a hold rule, with the time they will then take.
    held: Vec<(Flying, u64)>,
    items: Vec<Arc<Item>>,
    plugs: BTreeMap<u16, Plug>,
    /// Cars that wait for a pile, first come first.
    waiting: BTreeMap<u16, VecDeque<u16>>,
    observer: Observer,
    invariants: Invariants,
    faulty: BTreeSet<ActorId>,
    /// What colluding gateways share.
    ring: Ring,
    interventions: Arc<[Intervention]>,
    applied: usize,
    /// Effects of the current step.
    made: Vec<Effect>,
}

impl World {
    /// A world before its first event.
    ///
    /// # Errors
    /// If the scenario's numbers make no network.
    pub fn new(scenario: Scenario, interventions: Vec<Intervention>) -> Result<Self, ScenarioError> {
        let scenario = scenario.resolved();
        let ring = KeyRing::new(&scenario).map_err(|sentence| ScenarioError { place: None, sentence })?;
        World::with_keys(scenario, interventions, &ring)
    }

    /// The same world when the keys of its scenario are already known (see [`KeyRing::fits`]).
    ///
    /// # Errors
    /// If the scenario's numbers make no network.
    pub fn with_keys(
        scenario: Scenario,
        interventions: Vec<Intervention>,
        ring: &KeyRing,
    ) -> Result<Self, ScenarioError> {
        let scenario = scenario.resolved();
        let refuse = |sentence: String| ScenarioError { place: None, sentence };
        let quorum = Quorum::new(scenario.gateways.n).map_err(|e| refuse(e.to_string()))?;
        let streams = Streams::new(scenario.seed);
        let net = &scenario.network;
        let healing = net.gst.map(|gst| Healing { gst: gst.micros(), delta: net.delta.0 });
        let cast = ceremony::hold(&scenario, streams, ring).map_err(refuse)?;
        let all: Vec<Intervention> = scenario.intervention.iter().cloned().chain(interventions).collect();
        let mut world = World {
            setup: cast.setup,
            actors: scenario.actors().into(),
            genesis: None,
            gateways: Arc::from([]),
            parcels: cast.parcels,
            now: Micros(0),
            step: 0,
            next_seq: 0,
            queue: BTreeMap::new(),
            nodes: cast.nodes.into_iter().map(Arc::new).collect(),
            links: Links::new(streams),
            held: Vec::new(),
            items: Vec::new(),
            plugs: BTreeMap::new(),
            waiting: BTreeMap::new(),
            observer: Observer::new(quorum.strong()),
            invariants: Invariants::new(quorum, healing),
            faulty: BTreeSet::new(),
            ring: Ring::default(),
            interventions: all.into(),
            applied: 0,
            made: Vec::new(),
            scenario: Arc::new(scenario),
        };
        if let Some(genesis) = cast.genesis {
            world.keep_genesis(genesis);
        }
        world.schedule_all();
        Ok(world)
    }

    /// Faults come before starts at the same moment: a rule for the whole run holds from its first message.
    fn schedule_all(&mut self) {
        let scenario = self.scenario.clone();
        for index in 0..scenario.behaviour.len() {
            self.at(Micros(0), Event::Fault((scenario.fault.len() + index) as u16));
        }
        for (index, fault) in scenario.fault.iter().enumerate() {
            self.at(fault.at.micros(), Event::Fault(index as u16));
        }
        for node in 0..self.nodes.len() {
            self.at(Micros(0), Event::Start(node as u16));
        }
        for index in 0..self.parcels.len() {
            self.at(self.parcels[index].at, Event::Parcel(index as u32));
        }
        for (index, car) in scenario.fleet.ev.iter().enumerate() {
            self.at(car.arrive.micros(), Event::Plug(PlugEvent::Arrive(index as u16)));
            self.at(car.depart.micros(), Event::Plug(PlugEvent::Depart(index as u16)));
        }
    }

    fn at(&mut self, at: Micros, event: Event) {
        self.queue.insert((at.max(self.now), self.next_seq), event);
        self.next_seq += 1;
    }

    fn after(&mut self, us: u64, event: Event) {
        self.at(Micros(self.now.0.saturating_add(us)), event);
    }

    // ---- what others may read

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub fn now(&self) -> Micros {
        self.now
    }

    /// Number of effects so far.
    pub fn effects(&self) -> u32 {
        self.observer.effects()
    }

    pub fn params(&self) -> &Params {
        &self.setup.params
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    pub fn genesis(&self) -> Option<&Arc<Genesis>> {
        self.genesis.as_ref()
    }

    /// Public records by record id: the KGC's own, and the pinned ones once genesis is made.
    pub fn directory(&self) -> BTreeMap<Digest, (ActorId, PublicRecord)> {
        let kgc = (ActorId::new(Role::Kgc, 0), self.setup.kgc.clone());
        let pinned = self.genesis.iter().flat_map(|g| g.directory.iter().cloned());
        pinned.chain([kgc]).map(|(actor, record)| (Digest(record.rid.0), (actor, record))).collect()
    }

    /// A packet as it entered a link; `None` if a flipped bit made it unreadable.
    pub fn packet(&self, item: ItemId) -> Option<&Packet> {
        self.items.get(item.0 as usize)?.packet.as_ref()
    }

    pub fn entity(&self, actor: ActorId) -> Option<&Entity> {
        let node = self.node_of(actor)?;
        self.nodes.get(usize::from(node)).map(|node| &node.entity)
    }

    /// Why is everybody waiting?
    pub fn pending(&self) -> Vec<(ActorId, String)> {
        let of = |node: &Arc<Node>| node.waits().into_iter().map(|why| (node.actor, why)).collect::<Vec<_>>();
        self.nodes.iter().flat_map(of).collect()
    }

    pub fn interventions(&self) -> &[Intervention] {
        &self.interventions
    }

    /// The station as the invariants see it.
    pub fn station(&self) -> &crate::sim::invariants::Station {
        &self.invariants.station
    }

    /// Actors that ever followed a behaviour other than pure omission (CONSENSUS.md §5.4).
    pub fn faulty(&self) -> &BTreeSet<ActorId> {
        &self.faulty
    }

    fn node_of(&self, actor: ActorId) -> Option<u16> {
        let node = self.setup.node(actor).0;
        self.actors.get(usize::from(node)).filter(|found| **found == actor).map(|_| node)
    }

    // ---- the loop

    fn next_intervention(&self) -> Option<Micros> {
        let at = match self.interventions.get(self.applied)?.at {
            At::Effect(id) => (self.effects() > id.0).then_some(self.now),
            At::Time(t) => Some(t.max(self.now)),
        }?;
        // An intervention comes after everything that happens at its time.
        let earlier =
            self.queue.first_key_value().is_some_and(|((next, _), _)| match self.interventions[self.applied].at {
                At::Effect(_) => false,
                At::Time(_) => *next <= at,
            });
        (!earlier).then_some(at)
    }

    /// Time of the next thing that happens; `None` at the end of the scenario.
    pub fn next_time(&self) -> Option<Micros> {
        let event = self.queue.first_key_value().map(|((at, _), _)| *at);
        let next = self.next_intervention().or(event)?;
        (next <= self.scenario.end.micros()).then_some(next)
    }

    /// One event. Its effects are appended to `out`; false at the end of the scenario.
    pub fn step(&mut self, memo: &mut Memo, out: &mut Vec<Effect>) -> bool {
        let Some(now) = self.next_time() else { return false };
        self.now = self.now.max(now);
        self.step += 1;
        self.observer.begin(self.step, self.now);
        if self.next_intervention().is_some() {
            self.apply_next(memo);
        } else if let Some((_, event)) = self.queue.pop_first() {
            self.happen(event, memo);
        }
        out.append(&mut self.made);
        true
    }

    fn happen(&mut self, event: Event, memo: &mut Memo) {
        match event {
            Event::Start(node) => self.arrive(node, Arrival::Start, memo),
            Event::Deliver(flying) => self.deliver(flying, memo),
            Event::Timer { node, timer, generation } => self.arrive(node, Arrival::Timer { timer, generation }, memo),
            Event::Wake { node, incarnation } => self.wake(node, incarnation, memo),
            Event::Plug(event) => self.plug(event, memo),
            Event::Fault(index) => self.fault(index, memo),
            Event::Tick { node, incarnation, tick } => self.tick(node, incarnation, tick, memo),
            Event::Parcel(index) => self.arrive(self.setup.kgc_node().0, Arrival::Parcel(index), memo),
        }
    }

    fn deliver(&mut self, flying: Flying, memo: &mut Memo) {
        let Some(node) = self.node_of(flying.to) else { return };
        if self.nodes[usize::from(node)].crashed() {
            return self.dropped(flying, DropReason::Crashed);
        }
        self.arrive(node, Arrival::Packet(flying), memo);
    }

    fn dropped(&mut self, flying: Flying, why: DropReason) {
        let packet = self.items[flying.item.0 as usize].info;
        let kind = Kind::Dropped { to: flying.to, packet, why };
        self.emit(Some(flying.from), kind, Some(flying.sent), None);
    }

    /// Records an effect, and what the invariants find in it.
    fn emit(&mut self, actor: Option<ActorId>, kind: Kind, cause: Option<EffectId>, rule: Option<Rule>) -> EffectId {
        let effect = self.observer.effect(Draft { actor, kind, cause, rule });
        let id = effect.id;
        let sight = Sight {
            setup: &self.setup,
            genesis: self.genesis.as_deref(),
            gateways: &self.gateways,
            entity: &|actor| {
                let node = self.nodes.get(usize::from(self.setup.node(actor).0));
                node.filter(|node| node.actor == actor).map(|node| &node.entity)
            },
            packet: &|item| self.items.get(item.0 as usize)?.packet.as_ref(),
        };
        let found = self.invariants.observe(&effect, &sight);
        self.made.push(effect);
        self.found(found, Some(id));
        id
    }

    fn found(&mut self, findings: Vec<Finding>, cause: Option<EffectId>) {
        for finding in findings {
            let kind = match finding {
                Finding::Broken { id, text } => Kind::InvariantBroken { id: id.to_owned(), text },
                Finding::Void { .. } => Kind::SafetyVoid,
            };
            let effect = self.observer.effect(Draft { actor: None, kind, cause, rule: None });
            self.made.push(effect);
        }
    }

    // ---- packets

    fn store(&mut self, packet: Packet) -> ItemId {
        let item = ItemId(self.items.len() as u32);
        let info = describe(&self.setup.params, item, &packet);
        self.items.push(Arc::new(Item { packet: Some(packet), info }));
        item
    }

    /// Puts a stored packet on the link from one actor to another.
    fn send(&mut self, from: ActorId, to: NodeId, item: ItemId, cause: Option<EffectId>) {
        let Some(&to) = self.actors.get(usize::from(to.0)) else { return };
        let info = self.items[item.0 as usize].info;
        let sent = self.emit(Some(from), Kind::Sent { to, packet: info }, cause, None);
        let flying = Flying { from, to, item, sent };
        if info.tag == PacketTag::Letter {
            return self.after(LETTER, Event::Deliver(flying));
        }
        let correct = !self.faulty.contains(&from) && !self.faulty.contains(&to);
        let body = info.size.saturating_sub(1);
        let passage = Passage { now: self.now, from, to, tag: info.tag, body, correct };
        let scenario = self.scenario.clone();
        match self.links.fate(&scenario.network, passage) {
            Fate::Dropped(why) => {
                self.dropped(flying, why);
            }
            Fate::Held { delay } => {
                let kind = Kind::Delayed { to, packet: info, by_us: 0 };
                self.emit(Some(from), kind, Some(sent), None);
                self.held.push((flying, delay));
            }
            Fate::Carried { delay, added, copy, flip } => {
                if added > 0 {
                    let kind = Kind::Delayed { to, packet: info, by_us: added };
                    self.emit(Some(from), kind, Some(sent), None);
                }
                let flying = match flip {
                    Some((byte, bit)) => self.flipped(flying, byte, bit, Some(sent)),
                    None => flying,
                };
                self.make_room(from, to);
                self.after(delay, Event::Deliver(flying));
                if let Some(delay) = copy {
                    let kind = Kind::Duplicated { to, packet: info };
                    let sent = self.emit(Some(from), kind, Some(sent), None);
                    self.after(delay, Event::Deliver(Flying { sent, ..flying }));
                }
            }
        }
    }

    /// A link that is full loses its oldest message to the next one.
    fn make_room(&mut self, from: ActorId, to: ActorId) {
        let Some(most) = self.scenario.network.in_flight else { return };
        let on_link = self.queue.values().filter_map(|event| match event {
            Event::Deliver(flying) if (flying.from, flying.to) == (from, to) => Some(flying.sent),
            _ => None,
        });
        let flights: BTreeSet<EffectId> = on_link.collect();
        let oldest = flights.first().copied().filter(|_| flights.len() >= most as usize);
        if let Some((flying, _)) = oldest.and_then(|oldest| self.take(oldest)) {
            self.dropped(flying, DropReason::Crowded);
        }
    }

    /// The same flight with one bit of its body changed; unchanged if the body has no such byte.
    fn flipped(&mut self, flying: Flying, byte: u32, bit: u8, cause: Option<EffectId>) -> Flying {
        let old = self.items[flying.item.0 as usize].clone();
        let Some(packet) = &old.packet else { return flying };
        let mut bytes = packet.encode();
        let Some(target) = bytes.get_mut(byte as usize + 1) else { return flying };
        *target ^= 1 << (bit & 7);
        let item = ItemId(self.items.len() as u32);
        let packet = Packet::decode(&bytes, &self.setup.params);
        let info = match &packet {
            Some(packet) => describe(&self.setup.params, item, packet),
            None => PacketInfo { item, ..old.info },
        };
        self.items.push(Arc::new(Item { packet, info }));
        let kind = Kind::Corrupted { to: flying.to, packet: info, byte, bit };
        self.emit(Some(flying.from), kind, cause, None);
        Flying { item, ..flying }
    }

    fn wrapper(&self, node: u16) -> Option<&Wrapper> {
        self.nodes.get(usize::from(node)).and_then(|node| node.wrapper.as_ref())
    }
}

/// What the trace says about a packet.
pub(crate) fn describe(params: &Params, item: ItemId, packet: &Packet) -> PacketInfo {
    let sigma = packet.sigma().map(|bytes| Digest(crate::clmmsc::verify::sigma_id(params, bytes).0));
    let (tag, slot) = match packet {
        Packet::Request(_) => (PacketTag::Request, None),
        Packet::Answer(_) => (PacketTag::Answer, None),
        Packet::List(_) => (PacketTag::List, None),
        Packet::Submit { .. } => (PacketTag::Submit, None),
        Packet::Route(_) => (PacketTag::Route, None),
        Packet::Area(_) => (PacketTag::Area, None),
        Packet::Direct(sigma) => (PacketTag::Direct(sigma.get(6).copied().unwrap_or(0)), None),
        Packet::Offer { .. } => (PacketTag::Offer, None),
        Packet::Frame(_) => (PacketTag::Frame, None),
        Packet::Letter(_) => (PacketTag::Letter, None),
        Packet::Complaint { .. } => (PacketTag::Complaint, None),
        Packet::Claim(_) => (PacketTag::Claim, None),
        Packet::Draw { .. } => (PacketTag::Draw, None),
        Packet::Grant { .. } => (PacketTag::Grant, None),
        Packet::Upload(_) => (PacketTag::Upload, None),
        Packet::Pbft(msg) => agreement(msg),
    };
    let sigma = match packet {
        Packet::Pbft(msg) => carried(msg),
        Packet::Complaint { about, .. } => Some(Digest(about.0)),
        _ => sigma,
    };
    PacketInfo { item, tag, size: packet.encode().len() as u32, sigma, slot }
}

fn agreement(msg: &Message) -> (PacketTag, Option<(u64, u64)>) {
    let tag = match msg {
        Message::Ciphertext(_) => PacketTag::Route,
        Message::DataSet(_) => PacketTag::DataSet,
        Message::PrePrepare(..) => PacketTag::PrePrepare,
        Message::Prepare(_) => PacketTag::Prepare,
        Message::Commit(_) => PacketTag::Commit,
        Message::ViewChange(_) => PacketTag::ViewChange,
        Message::NewView(_) => PacketTag::NewView,
        Message::Fetch(_) => PacketTag::Fetch,
        Message::Body(_) => PacketTag::Body,
        Message::Checkpoint(_) => PacketTag::Checkpoint,
        Message::Status(_) => PacketTag::Status,
        Message::Blocks(_) => PacketTag::Blocks,
        Message::Snapshot(_) => PacketTag::Snapshot,
        Message::Stable(_) => PacketTag::Stable,
        Message::Seal(_) => PacketTag::Seal,
        Message::Publish(_) => PacketTag::Publish,
        Message::Evidence(_) => PacketTag::Evidence,
    };
    let slot = match msg {
        Message::Publish(p) => Some((p.cert.view.0, p.cert.seq.0)),
        Message::ViewChange(vc) => Some((vc.target().0, 0)),
        Message::NewView(nv) => Some((nv.view().0, 0)),
        Message::Body(body) => Some((0, body.header.seq.0)),
        Message::Checkpoint(s) => Some((0, s.statement.seq.0)),
        Message::Status(m) => Some((m.signed.statement.view.0, m.signed.statement.seq.0)),
        Message::Snapshot(s) => Some((0, s.header.height.0)),
        Message::Stable(proof) => Some((0, proof.seq.0)),
        _ => msg.signed().filter(|(kind, _)| kind.is_vote()).map(|(_, s)| (s.statement.view.0, s.statement.seq.0)),
    };
    (tag, slot)
}

/// The one ciphertext in a message of agreement, if it is about one.
fn carried(msg: &pbft::Message) -> Option<Digest> {
    let one = |txs: &[Arc<crate::ledger::Sigma>]| match txs {
        [tx] => Some(tx.id),
        _ => None,
    };
    match msg {
        Message::Ciphertext(sigma) => Some(sigma.id),
        Message::DataSet(set) => one(&set.items),
        Message::PrePrepare(_, proposal) | Message::Body(proposal) => one(&proposal.txs),
        Message::Publish(p) => p.block.proposal.as_ref().and_then(|proposal| one(&proposal.txs)),
        _ => None,
    }
}
