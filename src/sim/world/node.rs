//! One actor in the world: its processor, inbox, timers and durable store (CONSENSUS.md §4.1, WORLD.md §3).
//!
//! What a step costs is paid in virtual time: its outputs are held until then, so numbers and times of effects grow
//! together. A crash before that moment loses them.

use super::{Event, Flying, World};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::FactKind;
use crate::entities::io::cost;
use crate::entities::{Bench, Entity, Input, Io, Output, Packet, PlantEvent, TimerId, Wish};
use crate::ledger::Micros;
use crate::pbft::{Durable, NodeId};
use crate::sim::adversary::{Cx, Pass, Wrapper};
use crate::sim::memo::Memo;
use crate::sim::scenario::Bootstrap;
use crate::sim::trace::{EffectId, Kind};
use crate::sim::units::Shift;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    Alive,
    Paused,
    Crashed,
}

/// What reaches a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrival {
    Start,
    Packet(Flying),
    Timer {
        timer: TimerId,
        generation: u32,
    },
    Plant(PlantEvent),
    /// A ciphertext of the workload.
    Parcel(u32),
    /// A person's wish, with its `Intervened`.
    Wish(Wish, Option<EffectId>),
    /// A timer of its behaviour's own.
    Tick(u64),
    /// It is back after a crash; with its durable store, or without.
    Restart {
        amnesia: bool,
        cause: Option<EffectId>,
    },
}

/// What makes a node act: an input of its state machine, or a timer of its behaviour.
enum Stimulus<'a> {
    Input(Input<'a>),
    Tick(u64),
}

/// Outputs of a step until the computing is paid for.
#[derive(Clone, Debug)]
struct Held {
    outputs: Vec<Output>,
    cause: Option<EffectId>,
    /// The time is up, but the node is paused.
    due: bool,
}

#[derive(Clone)]
pub(super) struct Node {
    pub actor: ActorId,
    pub entity: Entity,
    pub wrapper: Option<Wrapper>,
    rng: ChaCha8Rng,
    malice: ChaCha8Rng,
    /// How far its clock is ahead of the world's.
    skew: Shift,
    /// Factor on all its virtual costs.
    times: u32,
    status: Status,
    /// Who is down when all begins has not.
    started: bool,
    inbox: VecDeque<Arrival>,
    busy: Option<Held>,
    incarnation: u32,
    /// Generation and `TimerSet` effect of each timer that is set.
    timers: BTreeMap<TimerId, (u32, EffectId)>,
    generation: u32,
    /// What the replica of a gateway persisted. Everybody else's state counts as persisted before it acts.
    durable: Arc<Durable>,
    /// When the timers were due that a crash stopped; those of a replica are its own matter.
    alarms: Vec<(TimerId, Micros)>,
    /// It will crash after so many outputs of its next step.
    torn: Option<u32>,
}

impl Node {
    pub fn new(actor: ActorId, entity: Entity, rng: ChaCha8Rng, malice: ChaCha8Rng) -> Self {
        Node {
            actor,
            entity,
            wrapper: None,
            rng,
            malice,
            skew: Shift::default(),
            times: 1,
            status: Status::Alive,
            started: false,
            inbox: VecDeque::new(),
            busy: None,
            incarnation: 0,
            timers: BTreeMap::new(),
            generation: 0,
            durable: Arc::default(),
            alarms: Vec::new(),
            torn: None,
        }
    }

    pub fn crashed(&self) -> bool {
        self.status == Status::Crashed
    }

    /// It computes nothing, and nothing waits for it.
    pub fn idle(&self) -> bool {
        self.busy.is_none() && self.inbox.is_empty()
    }

    pub fn paused(&self) -> bool {
        self.status == Status::Paused
    }

    pub fn waits(&self) -> Vec<String> {
        match self.status {
            Status::Crashed => vec!["has crashed".into()],
            Status::Paused => vec!["is paused".into()],
            Status::Alive => self.entity.pending(),
        }
    }
}

impl World {
    fn node(&mut self, node: u16) -> &mut Node {
        Arc::make_mut(&mut self.nodes[usize::from(node)])
    }

    /// Something reaches a node: it is taken at once, or waits in the inbox.
    pub(super) fn arrive(&mut self, node: u16, arrival: Arrival, memo: &mut Memo) {
        let state = &self.nodes[usize::from(node)];
        if state.crashed() {
            return;
        }
        if state.paused() || state.busy.is_some() {
            return self.node(node).inbox.push_back(arrival);
        }
        self.process(node, arrival, memo);
        self.drain(node, memo);
    }

    fn drain(&mut self, node: u16, memo: &mut Memo) {
        loop {
            let state = &self.nodes[usize::from(node)];
            if state.status != Status::Alive || state.busy.is_some() {
                return;
            }
            let Some(arrival) = self.node(node).inbox.pop_front() else { return };
            self.process(node, arrival, memo);
        }
    }

    /// Records the arrival, lets the actor react, and holds what it wants done.
    fn process(&mut self, node: u16, arrival: Arrival, memo: &mut Memo) {
        let actor = self.nodes[usize::from(node)].actor;
        let (packet, item, durable, parcels);
        let given = self.scenario.bootstrap == Bootstrap::Given;
        let mut from = NodeId(node);
        if matches!(arrival, Arrival::Start) {
            self.node(node).started = true;
        }
        let (cause, stimulus) = match arrival {
            Arrival::Start => match self.genesis.clone().filter(|_| given && actor.role != Role::Kgc) {
                // Everything was given before the run: the paper letter is all that is new.
                Some(genesis) => {
                    packet = Packet::Letter(genesis);
                    (None, Stimulus::Input(Input::Deliver { from, packet: &packet }))
                }
                None => (None, Stimulus::Input(Input::Start)),
            },
            Arrival::Parcel(index) => {
                parcels = self.parcels.clone();
                let Some(parcel) = parcels.get(index as usize) else { return };
                (None, Stimulus::Input(Input::Parcel(parcel)))
            }
            Arrival::Plant(event) => (None, Stimulus::Input(Input::Plant(event))),
            Arrival::Wish(wish, cause) => (cause, Stimulus::Input(Input::Wish(wish))),
            Arrival::Tick(tick) => (None, Stimulus::Tick(tick)),
            Arrival::Restart { amnesia, cause } => {
                durable = self.nodes[usize::from(node)].durable.clone();
                let store = if amnesia { None } else { Some(&*durable) };
                (cause, Stimulus::Input(Input::Restart(store)))
            }
            Arrival::Timer { timer, generation } => {
                let set = self.nodes[usize::from(node)].timers.get(&timer).copied();
                let Some((_, set)) = set.filter(|(g, _)| *g == generation) else { return };
                self.node(node).timers.remove(&timer);
                let kind = Kind::TimerFired { timer: timer.name().into() };
                (Some(self.emit(Some(actor), kind, Some(set), None)), Stimulus::Input(Input::Timer(timer)))
            }
            Arrival::Packet(flying) => {
                item = self.items[flying.item.0 as usize].clone();
                let kind = Kind::Delivered { from: flying.from, packet: item.info };
                let delivered = self.emit(Some(actor), kind, Some(flying.sent), None);
                let Some(packet) = &item.packet else {
                    let what = item.info.tag.name().to_owned();
                    let (reason, sigma, from) = ("Malformed".to_owned(), item.info.sigma, Some(flying.from));
                    let fact = FactKind::Refused { what, reason, sigma, from };
                    self.emit(Some(actor), Kind::Fact(fact), Some(delivered), None);
                    return;
                };
                from = self.node_of(flying.from).map_or(from, NodeId);
                (Some(delivered), Stimulus::Input(Input::Deliver { from, packet }))
            }
        };
        let (outputs, spent) = self.react(node, stimulus, memo);
        let times = u64::from(self.scenario.cost.of(actor.role)) * u64::from(self.nodes[usize::from(node)].times);
        let spent = spent.saturating_mul(times);
        if spent == 0 {
            return self.carry_out(node, outputs, cause);
        }
        let incarnation = self.nodes[usize::from(node)].incarnation;
        self.node(node).busy = Some(Held { outputs, cause, due: false });
        self.after(spent, Event::Wake { node, incarnation });
    }

    /// The honest state machine, inside its wrapper if it has one. Gives outputs and virtual µs at factor 1.
    fn react(&mut self, node: u16, stimulus: Stimulus<'_>, memo: &mut Memo) -> (Vec<Output>, u64) {
        let (setup, gateways) = (self.setup.clone(), self.gateways.clone());
        let state = Arc::make_mut(&mut self.nodes[usize::from(node)]);
        let now = state.skew.shown(self.now);
        let mut bench = Bench::new(&setup.params, &gateways, memo).of(setup.crypto);
        if !matches!(stimulus, Stimulus::Input(Input::Start | Input::Plant(_))) {
            bench.charge(cost::HANDLE);
        }
        let (mut outputs, mut ticks) = (self.spare.pop().unwrap_or_default(), Vec::new());
        let Some(mut wrapper) = state.wrapper.take() else {
            let mut io = Io { bench: &mut bench, rng: &mut state.rng, out: &mut outputs };
            if let Stimulus::Input(input) = stimulus {
                state.entity.step(now, input, &mut io);
            }
            return (outputs, bench.spent());
        };
        let mut cx = Cx {
            now,
            me: state.actor,
            setup: &setup,
            entity: &mut state.entity,
            rng: &mut state.malice,
            bench: &mut bench,
            ring: &mut self.ring,
            ticks: &mut ticks,
        };
        match stimulus {
            Stimulus::Tick(tick) => wrapper.on_tick(&mut cx, tick, &mut outputs),
            Stimulus::Input(input) => {
                let seen = wrapper.on_input(&mut cx, &input);
                let input = match (&seen, input) {
                    (Pass::Swallow, _) => None,
                    (Pass::Instead(packet), Input::Deliver { from, .. }) => Some(Input::Deliver { from, packet }),
                    (Pass::Misread(event), Input::Plant(_)) => Some(Input::Plant(*event)),
                    _ => Some(input),
                };
                if let Some(input) = input {
                    let mut io = Io { bench: cx.bench, rng: &mut state.rng, out: &mut outputs };
                    cx.entity.step(now, input, &mut io);
                }
                wrapper.on_outputs(&mut cx, &mut outputs);
            }
        }
        state.wrapper = Some(wrapper);
        let (incarnation, spent) = (state.incarnation, bench.spent());
        for (us, tick) in ticks {
            self.after(us, Event::Tick { node, incarnation, tick });
        }
        (outputs, spent)
    }

    /// A timer of a behaviour; it is forgotten with the behaviour.
    pub(super) fn tick(&mut self, node: u16, incarnation: u32, tick: u64, memo: &mut Memo) {
        let state = &self.nodes[usize::from(node)];
        if state.incarnation == incarnation && state.wrapper.is_some() && !state.crashed() {
            self.arrive(node, Arrival::Tick(tick), memo);
        }
    }

    pub(super) fn wake(&mut self, node: u16, incarnation: u32, memo: &mut Memo) {
        let state = &self.nodes[usize::from(node)];
        if state.incarnation != incarnation || state.busy.is_none() {
            return;
        }
        if state.paused() {
            if let Some(held) = self.node(node).busy.as_mut() {
                held.due = true;
            }
            return;
        }
        if let Some(Held { outputs, cause, .. }) = self.node(node).busy.take() {
            self.carry_out(node, outputs, cause);
        }
        self.drain(node, memo);
    }

    fn carry_out(&mut self, node: u16, mut outputs: Vec<Output>, cause: Option<EffectId>) {
        let actor = self.nodes[usize::from(node)].actor;
        let torn = self.nodes[usize::from(node)].torn;
        if let Some(after) = torn {
            outputs.truncate(after as usize);
            self.node(node).torn = None;
        }
        self.carry_out_all(node, actor, outputs, cause);
        if torn.is_some() {
            self.crash(node, cause);
        }
    }

    fn carry_out_all(&mut self, node: u16, actor: ActorId, mut outputs: Vec<Output>, cause: Option<EffectId>) {
        for output in outputs.drain(..) {
            match output {
                Output::Persist(what) => {
                    self.emit(Some(actor), Kind::Persisted { what: what.into() }, cause, None);
                }
                Output::Record(record) => {
                    Arc::make_mut(&mut self.node(node).durable).apply(&record);
                    self.emit(Some(actor), Kind::Persisted { what: record.name().into() }, cause, None);
                }
                Output::Send { to, packet } => {
                    let item = self.store(packet);
                    self.send(actor, to, item, cause);
                }
                Output::Fan { to, packet } => {
                    self.note_genesis(&packet);
                    let item = self.store(packet);
                    to.iter().for_each(|to| self.send(actor, *to, item, cause));
                }
                Output::SetTimer { timer, after } => {
                    self.set_timer(node, timer, after, cause);
                }
                Output::CancelTimer(timer) => {
                    self.node(node).timers.remove(&timer);
                }
                Output::Power { limit_w } => self.limit(actor, limit_w),
                Output::Fact { kind, rule } => {
                    self.emit(Some(actor), Kind::Fact(kind), cause, rule);
                }
            }
        }
        if self.spare.len() < self.nodes.len() {
            self.spare.push(outputs);
        }
    }

    fn set_timer(&mut self, node: u16, timer: TimerId, after: Micros, cause: Option<EffectId>) {
        let actor = self.nodes[usize::from(node)].actor;
        let kind = Kind::TimerSet { timer: timer.name().into(), after_us: after.0 };
        let set = self.emit(Some(actor), kind, cause, None);
        let state = self.node(node);
        state.generation += 1;
        let generation = state.generation;
        state.timers.insert(timer, (generation, set));
        self.after(after.0, Event::Timer { node, timer, generation });
    }

    // ---- faults of a node

    pub(super) fn crash(&mut self, node: u16, cause: Option<EffectId>) {
        let actor = self.nodes[usize::from(node)].actor;
        let alarms = self.alarms(node);
        let state = self.node(node);
        state.alarms = alarms;
        state.torn = None;
        state.status = Status::Crashed;
        state.incarnation += 1;
        state.busy = None;
        state.timers.clear();
        let lost: Vec<Arrival> = state.inbox.drain(..).collect();
        self.emit(Some(actor), Kind::Crashed, cause, None);
        for arrival in lost {
            if let Arrival::Packet(flying) = arrival {
                self.dropped(flying, crate::sim::trace::DropReason::Crashed);
            }
        }
    }

    /// When the timers of a node are due, those of a replica apart.
    fn alarms(&self, of: u16) -> Vec<(TimerId, Micros)> {
        let timers = &self.nodes[usize::from(of)].timers;
        let set = |timer: &TimerId, number: u32| timers.get(timer).is_some_and(|(generation, _)| *generation == number);
        let due = self.queue.iter().filter_map(|((at, _), event)| match event {
            Event::Timer { node, timer, generation } if *node == of && set(timer, *generation) => Some((*timer, *at)),
            _ => None,
        });
        due.filter(|(timer, _)| !matches!(timer, TimerId::Pbft(_))).collect()
    }

    /// Crashes after so many outputs of the next step.
    pub(super) fn tear(&mut self, node: u16, after: u32) {
        self.node(node).torn = Some(after);
    }

    /// Back after a crash: a gateway's replica from its records, others as they were; stopped timers go on. Who was down
    /// when all began begins now.
    pub(super) fn restart(&mut self, node: u16, amnesia: bool, cause: Option<EffectId>, memo: &mut Memo) {
        let actor = self.nodes[usize::from(node)].actor;
        let state = self.node(node);
        state.status = Status::Alive;
        let alarms = core::mem::take(&mut state.alarms);
        if amnesia {
            state.durable = Arc::default();
            self.faulty.insert(actor);
        }
        let height = self.nodes[usize::from(node)].durable.height().0;
        let back = self.emit(Some(actor), Kind::Recovered { height, amnesia }, cause, None);
        if !self.nodes[usize::from(node)].started {
            return self.arrive(node, Arrival::Start, memo);
        }
        for (timer, due) in alarms {
            let after = Micros(due.0.saturating_sub(self.now.0));
            self.set_timer(node, timer, after, Some(back));
        }
        self.arrive(node, Arrival::Restart { amnesia, cause: Some(back) }, memo);
    }

    pub(super) fn pause(&mut self, node: u16, cause: Option<EffectId>) {
        let actor = self.nodes[usize::from(node)].actor;
        self.node(node).status = Status::Paused;
        self.emit(Some(actor), Kind::Paused, cause, None);
    }

    pub(super) fn resume(&mut self, node: u16, cause: Option<EffectId>, memo: &mut Memo) {
        let actor = self.nodes[usize::from(node)].actor;
        let state = self.node(node);
        state.status = Status::Alive;
        let due = state.busy.as_ref().is_some_and(|held| held.due);
        let held = if due { state.busy.take() } else { None };
        self.emit(Some(actor), Kind::Resumed, cause, None);
        if let Some(Held { outputs, cause, .. }) = held {
            self.carry_out(node, outputs, cause);
        }
        self.drain(node, memo);
    }

    pub(super) fn slow(&mut self, node: u16, times: u32, cause: Option<EffectId>) {
        let actor = self.nodes[usize::from(node)].actor;
        self.node(node).times = times;
        self.emit(Some(actor), Kind::Slowed { times }, cause, None);
    }

    pub(super) fn skew(&mut self, node: u16, by: Shift, cause: Option<EffectId>) {
        let actor = self.nodes[usize::from(node)].actor;
        self.node(node).skew = by;
        self.emit(Some(actor), Kind::ClockSet { ahead_us: by.0 }, cause, None);
    }

    pub(super) fn behave(&mut self, node: u16, wrapper: Option<Wrapper>, cause: Option<EffectId>) {
        let actor = self.nodes[usize::from(node)].actor;
        let behaviour = wrapper.as_ref().map(|wrapper| wrapper.kind().name().to_owned());
        if wrapper.as_ref().is_some_and(|wrapper| !wrapper.kind().about().omits) {
            self.faulty.insert(actor);
        }
        self.node(node).wrapper = wrapper;
        self.emit(Some(actor), Kind::Behaves { behaviour }, cause, None);
    }
}
