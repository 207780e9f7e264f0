//! The world: virtual clock, event queue, actors, links, durable stores, plugs (CONSENSUS.md §4.1, WORLD.md §3).
//!
//! A world is a function of its scenario and its interventions. It reads no clock, no file and no randomness from
//! outside, and cloning it is cheap: actors and packets are shared until they change.

mod act;
mod ceremony;
mod describe;
mod node;
mod packets;
mod parcels;
mod plugs;
mod verdict;

use crate::clmmsc::{Params, PublicRecord};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::Rule;
use crate::entities::io::{Output, Parcel};
use crate::entities::{Entity, Genesis, Packet, Setup};
use crate::ledger::{Digest, Micros};
use crate::pbft::Quorum;
use crate::sim::adversary::{Ring, Wrapper};
use crate::sim::intervention::{At, Intervention};
use crate::sim::invariants::{Healing, Invariants, Sight};
use crate::sim::memo::Memo;
use crate::sim::network::Links;
use crate::sim::observer::{Draft, Observer};
use crate::sim::scenario::{Scenario, ScenarioError};
use crate::sim::streams::Streams;
use crate::sim::trace::{DropReason, Effect, EffectId, ItemId, Kind, PacketInfo};
pub use ceremony::KeyRing;
pub(crate) use describe::describe;
use node::{Arrival, Node};
use plugs::{Plug, PlugEvent};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use verdict::Verdict;

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
    verdict: Verdict,
    faulty: BTreeSet<ActorId>,
    /// What colluding gateways share.
    ring: Ring,
    interventions: Arc<[Intervention]>,
    applied: usize,
    /// Effects of the current step, behind what its caller had kept; empty between steps.
    made: Vec<Effect>,
    /// Room of outputs that are carried out, for others.
    spare: Vec<Vec<Output>>,
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
            verdict: Verdict::default(),
            made: Vec::new(),
            spare: Vec::new(),
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
            for stay in car.stays() {
                self.at(stay.arrive.micros(), Event::Plug(PlugEvent::Arrive(index as u16)));
                self.at(stay.depart.micros(), Event::Plug(PlugEvent::Depart(index as u16)));
            }
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
    /// Records of the gateways once genesis is made, by index.
    pub fn gateways(&self) -> &[PublicRecord] {
        &self.gateways
    }

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
        core::mem::swap(&mut self.made, out);
        if self.next_intervention().is_some() {
            self.apply_next(memo);
        } else if let Some((_, event)) = self.queue.pop_first() {
            self.happen(event, memo);
        }
        self.judge(memo);
        core::mem::swap(&mut self.made, out);
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
        self.made.push(self.observer.effect(Draft { actor, kind, cause, rule }));
        let effect = &self.made[self.made.len() - 1];
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
            idle: &|actor| self.nodes.get(usize::from(self.setup.node(actor).0)).is_some_and(|node| node.idle()),
        };
        let found = self.invariants.observe(effect, &sight);
        self.found(found, Some(id));
        id
    }

    fn wrapper(&self, node: u16) -> Option<&Wrapper> {
        self.nodes.get(usize::from(node)).and_then(|node| node.wrapper.as_ref())
    }
}
