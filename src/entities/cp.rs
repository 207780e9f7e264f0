//! A charging pile: locates and opens the entry for the car in its bay, dispatches power, bills (paper §4.4,
//! WORLD.md §4, §7.4, §7.5). It acts on what it opened and authenticated, on nothing else.

mod records;
mod station;
mod transaction;

pub use station::{OWN, own_profile};
use transaction::{Order, Transaction};

use super::actor::{ActorId, Role};
use super::command::{Command, DefaultTariff, NoCommand, Profile, StationLimit};
use super::copy::ChainCopy;
use super::enrol::Enrolment;
use super::fact::{ActorRule, FactKind, Op};
use super::io::{Input, Io, Output, PlantEvent, TimerId, cost};
use super::packet::{Packet, PlugId};
use super::plant::total;
use super::setup::Genesis;
use super::unstored::Unstored;
use crate::clmmsc::open::{self, EntryKey, Pinned, Receiver};
use crate::clmmsc::payload::{Delegated, PlugIn};
use crate::clmmsc::session::{Body, Session, Side};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::{Check, Error, Failure, Flow, Record, RecordId, SigmaId};
use crate::ledger::{Digest, Micros};
use crate::pbft::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The car in the bay.
#[derive(Clone, Debug)]
struct Bay {
    ev: ActorId,
    node: NodeId,
    /// Unix seconds.
    since: u64,
    /// Outstanding challenge; spent by the first accepted flow 5.
    plug: Option<PlugId>,
    session: Option<(Session, Record)>,
    /// What a sleeping car has lent (mode B of CLMMSC.md §11.1).
    lent: Option<Delegated>,
    transaction: Option<Transaction>,
    /// Last reading: when, charged and discharged µJ, power W.
    read: Micros,
    charged_uj: i64,
    discharged_uj: i64,
    power_w: i32,
    limit_w: i32,
    /// Limit and power last reported.
    shown: (i32, i32),
    /// Net energy last reported.
    metered_uj: i64,
    /// The transaction was stopped by order; there is no other before the next car.
    stopped: bool,
}

#[derive(Clone, Debug)]
pub struct Cp {
    pub enrolment: Enrolment,
    genesis: Option<Arc<Genesis>>,
    copy: Option<ChainCopy>,
    /// What it acts on.
    unstored: Unstored,
    bay: Option<Bay>,
    /// Verified σ of flow 1 for which a key was asked.
    waiting: BTreeMap<SigmaId, VerifiedSigma>,
    nullifiers: BTreeMap<RecordId, SigmaId>,
    opened: BTreeSet<(SigmaId, RecordId)>,
    grant: Held,
    /// Out of service.
    closed: bool,
    ceiling: Option<StationLimit>,
    /// What a car without a command gets, and by which σ.
    default_limit: Option<(SigmaId, u32)>,
    default_tariff: Option<DefaultTariff>,
    started: u64,
}

/// What the gateway has granted.
#[derive(Clone, Copy, Default, Debug)]
struct Held {
    limit_w: i32,
    /// Unix seconds.
    until: u64,
    /// What was asked for and not granted in full.
    asked_w: Option<i32>,
    /// End of the grant whose renewal was asked for.
    renewed: u64,
}

impl Cp {
    pub fn new(enrolment: Enrolment) -> Self {
        Cp {
            enrolment,
            genesis: None,
            copy: None,
            unstored: Unstored::default(),
            bay: None,
            waiting: BTreeMap::new(),
            nullifiers: BTreeMap::new(),
            opened: BTreeSet::new(),
            grant: Held::default(),
            closed: false,
            ceiling: None,
            default_limit: None,
            default_tariff: None,
            started: 0,
        }
    }

    /// The session with the car in the bay, and the car's node.
    pub fn session(&mut self) -> Option<(NodeId, &mut Session)> {
        let bay = self.bay.as_mut()?;
        Some((bay.node, &mut bay.session.as_mut()?.0))
    }

    /// The newest command it obeys.
    pub fn order(&self) -> Option<&Profile> {
        Some(&self.bay.as_ref()?.transaction.as_ref()?.newest.profile)
    }

    pub fn step(&mut self, now: Micros, input: Input<'_>, io: &mut Io<'_, '_>) {
        match input {
            Input::Restart(_) => self.enrolment.restart(io),
            Input::Start => self.enrolment.start(io),
            Input::Timer(TimerId::Request) => self.enrolment.on_timer(io),
            Input::Timer(TimerId::Dispatch) => self.dispatch(now, io),
            Input::Timer(TimerId::Grant) => self.without_answer(now, io),
            Input::Timer(TimerId::Chain) => {
                if let Some(copy) = self.copy.as_mut() {
                    copy.on_timer(io);
                }
            }
            Input::Timer(TimerId::Stored) => self.look_again(now, io),
            Input::Timer(_) | Input::Wish(_) | Input::Parcel(_) => {}
            Input::Plant(event) => self.on_plant(now, event, io),
            Input::Deliver { from, packet } => match packet {
                Packet::Answer(wire) => {
                    self.enrolment.on_answer(now, wire, io);
                }
                Packet::Letter(genesis) => {
                    self.copy = Some(ChainCopy::new(&genesis.config));
                    self.genesis = Some(genesis.clone());
                }
                Packet::Direct(sigma) => self.on_plug_in(now, from, sigma, io),
                Packet::Area(sigma) => self.on_area(now, sigma, io),
                Packet::Frame(frame) => self.on_frame(now, from, frame, io),
                Packet::Grant { limit_w, until } => self.on_grant(now, from, *limit_w, *until, io),
                Packet::Upload(_) => self.pass_on(from, packet, io),
                Packet::Pbft(msg) => self.on_publish(now, self.enrolment.setup.actor(from), msg, io),
                _ => {}
            },
        }
    }

    // ---- the car arrives

    fn on_plant(&mut self, now: Micros, event: PlantEvent, io: &mut Io<'_, '_>) {
        match event {
            PlantEvent::PluggedIn { peer, .. } => self.offer(now, peer, io),
            PlantEvent::Meter { at, charged_uj, discharged_uj, power_w } => {
                self.on_meter(at, charged_uj, discharged_uj, power_w, io);
            }
            PlantEvent::Unplugged => self.settle(io),
        }
    }

    fn offer(&mut self, now: Micros, ev: ActorId, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let gateway = ActorId::new(Role::Css, setup.gateway_of(setup.area_of(self.enrolment.me.index)));
        let mut plug = [0; 16];
        plug.copy_from_slice(&io.rand32()[..16]);
        let node = setup.node(ev);
        self.bay = Some(Bay {
            ev,
            node,
            since: setup.unix(now).0,
            plug: Some(plug),
            session: None,
            lent: None,
            transaction: None,
            read: now,
            charged_uj: 0,
            discharged_uj: 0,
            power_w: 0,
            limit_w: 0,
            shown: (0, 0),
            metered_uj: 0,
            stopped: false,
        });
        if self.closed {
            return;
        }
        let (Some(key), Some(genesis)) = (self.enrolment.key(), &self.genesis) else { return };
        let Some(gateway) = genesis.record(gateway) else { return };
        io.send(node, Packet::Offer { plug, pile: Box::new(key.record().0), gateway: gateway.rid.0 });
    }

    /// Flow 5: the session key, bound to this plug.
    fn on_plug_in(&mut self, now: Micros, from: NodeId, bytes: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let sigma = Digest(crate::clmmsc::verify::sigma_id(&setup.params, bytes).0);
        match self.open_plug_in(now, bytes, io) {
            Ok((session, record, lent)) => {
                io.fact(FactKind::Opened { sigma, flow: 5, error: None });
                if let Some(bay) = self.bay.as_mut().filter(|bay| bay.node == from) {
                    bay.plug = None;
                    let addressed = lent.as_ref().map_or(record, |lent| lent.record);
                    bay.session = Some((session, addressed));
                    bay.lent = lent;
                    self.dispatch(now, io);
                }
            }
            Err(failure) => {
                let error = Some(failure.error.name().to_owned());
                io.ruled(FactKind::Opened { sigma, flow: 5, error }, failure.check);
            }
        }
    }

    fn open_plug_in(
        &self,
        now: Micros,
        bytes: &Arc<[u8]>,
        io: &mut Io<'_, '_>,
    ) -> Result<(Session, Record, Option<Delegated>), Failure> {
        let setup = &self.enrolment.setup;
        let verified = io.bench.verify(bytes, setup.unix(now))?;
        let key = self.enrolment.key().ok_or(Failure { check: Check::R2, error: Error::RecordRole })?;
        io.bench.charge(cost::DECAPSULATE + cost::OPEN);
        let who = Receiver {
            record: key.record(),
            pinned: Pinned::Any,
            since: 0,
            nullifiers: &|_| None,
            opened: &|_, _| false,
        };
        let k = open::decapsulate(verified.head(), key);
        let opened = open::open(&setup.params, &verified, &who, &k)?;
        let layout = Failure::at(Check::P1);
        let plug_in = PlugIn::decode(&setup.params, &opened.message).map_err(&layout)?;
        let plug = self.bay.as_ref().and_then(|bay| bay.plug.as_ref());
        plug_in.check(plug, setup.unix(now).0).map_err(layout)?;
        Ok((Session::new(plug_in.kses, Side::Pile), opened.sender, plug_in.delegated.clone()))
    }

    // ---- a command arrives

    /// R1–R3 without a key, then the header goes to the car.
    fn on_area(&mut self, now: Micros, bytes: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let sigma = Digest(crate::clmmsc::verify::sigma_id(&setup.params, bytes).0);
        let verified = match io.bench.verify(bytes, setup.unix(now)) {
            Ok(verified) => verified,
            Err(failure) => {
                let error = Some(failure.error.name().to_owned());
                return io.ruled(FactKind::Verified { sigma, error }, failure.check);
            }
        };
        io.ruled(FactKind::Verified { sigma, error: None }, Check::V6);
        if matches!(verified.header().flow, Flow::STATION | Flow::PILE) {
            return self.on_own(now, &verified, io);
        }
        let Some(bay) = self.bay.as_mut() else { return };
        let Some((session, record)) = bay.session.as_mut() else { return };
        if verified.header().flow != Flow::COMMAND {
            return;
        }
        let who = Receiver {
            record,
            pinned: Pinned::Any,
            since: bay.since,
            nullifiers: &|n| self.nullifiers.get(n).copied(),
            opened: &|id, rid| self.opened.contains(&(*id, *rid)),
        };
        if let Err(failure) = open::check_before_opening(&setup.params, &verified, &who) {
            return io.refuse("ciphertext", failure, Some(sigma), None);
        }
        let id = verified.id();
        if let Some(k) =
            bay.lent.as_ref().and_then(|lent| open::decapsulate_lent(&setup.params, verified.head(), lent).ok())
        {
            io.bench.charge(cost::DECAPSULATE);
            io.fact(FactKind::Step { op: Op::Decapsulate, count: 1, cost_us: cost::DECAPSULATE as u32 });
            self.waiting.insert(id, verified);
            return self.on_release(now, id, k, io);
        }
        let mut header = Box::new([0; crate::clmmsc::wire::HEADER]);
        header.copy_from_slice(verified.header_bytes());
        let frame = session.seal(&Body::Header(header));
        io.bench.charge(cost::FRAME);
        io.send(bay.node, Packet::Frame(frame.into()));
        self.waiting.insert(id, verified);
    }

    fn on_frame(&mut self, now: Micros, from: NodeId, frame: &[u8], io: &mut Io<'_, '_>) {
        io.bench.charge(cost::FRAME);
        let who = self.enrolment.setup.actor(from);
        let here = self.bay.as_mut().filter(|bay| bay.node == from);
        let Some((session, _)) = here.and_then(|bay| bay.session.as_mut()) else { return };
        match session.open(frame).map_err(Failure::at(Check::F1)) {
            Ok(Body::Release { sigma, k }) => self.on_release(now, sigma, k, io),
            Ok(Body::Refusal { sigma }) => {
                self.waiting.remove(&sigma);
            }
            Ok(_) => {}
            Err(failure) => io.refuse("frame", failure, None, who),
        }
    }

    /// R4–R11.
    fn on_release(&mut self, now: Micros, id: SigmaId, k: EntryKey, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let Some(verified) = self.waiting.remove(&id) else { return };
        let Some(bay) = self.bay.as_ref() else { return };
        let Some((_, record)) = &bay.session else { return };
        let sigma = Digest(id.0);
        let pinned = self.genesis.as_ref().map(|g| g.pinned(Role::Csc)).unwrap_or_default();
        let who = Receiver {
            record,
            pinned: Pinned::Set(&pinned),
            since: bay.since,
            nullifiers: &|n| self.nullifiers.get(n).copied(),
            opened: &|id, rid| self.opened.contains(&(*id, *rid)),
        };
        io.bench.charge(cost::OPEN);
        let opened = match open::open(&setup.params, &verified, &who, &k) {
            Ok(opened) => opened,
            Err(Failure { check, error: Error::NotAReceiver }) => {
                return io.ruled(FactKind::NotAReceiver { sigma }, check);
            }
            Err(failure) => {
                let error = Some(failure.error.name().to_owned());
                return io.ruled(FactKind::Opened { sigma, flow: 1, error }, failure.check);
            }
        };
        let at = opened.located;
        io.ruled(FactKind::Located { sigma, index: at.index, comparisons: at.comparisons }, Check::R4);
        io.fact(FactKind::Step { op: Op::OpenEntry, count: 1, cost_us: 40 });
        io.fact(FactKind::Step { op: Op::CheckSender, count: 1, cost_us: 260 });
        io.ruled(FactKind::Opened { sigma, flow: 1, error: None }, Check::R6);
        io.ruled(FactKind::Authenticated { sigma, sender: Digest(opened.sender_rid.0) }, Check::R10);
        self.nullifiers.insert(verified.nullifier(), id);
        self.opened.insert((id, record.rid(&setup.params)));
        self.acts_on(now, &verified, io);
        self.obey(now, id, &opened.message, io);
    }

    /// A newer profile of the transaction replaces the older; anything else is refused and nothing is done.
    fn obey(&mut self, now: Micros, id: SigmaId, message: &[u8], io: &mut Io<'_, '_>) {
        let Some(bay) = self.bay.as_mut() else { return };
        let running = bay.transaction.as_ref();
        let newer = |p: &Profile| {
            let replaces = |t: &Transaction| t.id == p.transaction && t.newest.profile.profile < p.profile;
            running.is_none_or(|t| t.id & station::OWN != 0 || replaces(t))
        };
        let fits = |p: &Profile| newer(p) && !bay.stopped && p.transaction & station::OWN == 0;
        let profile = match Command::decode(Flow::COMMAND, message) {
            Ok(Command::Profile(profile)) if fits(&profile) => profile,
            _ => {
                let (what, reason) = ("command".to_owned(), NoCommand.to_string());
                let sigma = Some(Digest(id.0));
                return io.ruled(FactKind::Refused { what, reason, sigma, from: None }, ActorRule::En5);
            }
        };
        io.ruled(FactKind::Commanded { flow: 1, kind: 1 }, ActorRule::En5);
        let number = profile.transaction;
        let order = Order { since: now, sigma: id, profile };
        match bay.transaction.as_mut() {
            Some(transaction) => {
                // What the pile began by itself goes on under the number of the command.
                transaction.id = number;
                transaction.older.push(core::mem::replace(&mut transaction.newest, order));
            }
            None => {
                bay.transaction = Some(Transaction { id: number, newest: order, older: vec![], shares: vec![] });
            }
        }
        self.dispatch(now, io);
    }

    // ---- power and bill

    /// EN-5: what this second's order, the pile's own limits and the grant allow goes to the plug; the next change sets
    /// the timer.
    fn dispatch(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        self.serve_without_command(now, io);
        let setup = self.enrolment.setup.clone();
        let unix = setup.unix(now).0;
        let rating = setup.rating_w.min(i32::MAX as u32) as i32;
        let Some(bay) = self.bay.as_ref() else { return };
        let order = bay.transaction.as_ref().filter(|_| !bay.stopped).map(|t| &t.newest.profile);
        let moments = [order.and_then(|p| p.next_change(unix)), self.next_own_change(unix)];
        if let Some(next) = moments.into_iter().flatten().min() {
            io.timer(TimerId::Dispatch, Micros(setup.micros(next).0.saturating_sub(now.0)));
        }
        let ordered = order.filter(|_| !self.closed).map_or(0, |p| p.limit_at(unix));
        if ordered > rating {
            let (what, reason) = ("limit".to_owned(), format!("{ordered} W is above the rating of {rating} W"));
            io.ruled(FactKind::Refused { what, reason, sigma: None, from: None }, ActorRule::En7);
        }
        let wanted = self.under_ceiling(ordered.clamp(-rating, rating), unix);
        let limit_w = self.draw(now, wanted, io);
        let Some(bay) = self.bay.as_mut() else { return };
        if (limit_w, bay.limit_w) != (0, 0) || bay.stopped {
            bay.limit_w = limit_w;
            io.out.push(Output::Power { limit_w });
        }
    }

    fn on_meter(&mut self, at: Micros, charged: i64, discharged: i64, power_w: i32, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let Some(bay) = self.bay.as_mut() else { return };
        let (stretch, power) = ((bay.read, at), bay.power_w);
        let metered = (charged - bay.charged_uj, discharged - bay.discharged_uj);
        (bay.read, bay.charged_uj, bay.discharged_uj, bay.power_w) = (at, charged, discharged, power_w);
        let Some(transaction) = bay.transaction.as_mut() else { return };
        transaction.meter(&setup, stretch, power, metered);
        let (id, energy_uj) = (transaction.id, charged - discharged);
        if bay.shown != (bay.limit_w, power_w) {
            bay.shown = (bay.limit_w, power_w);
            let fact = FactKind::Dispatched { transaction: id, limit_w: bay.limit_w, power_w };
            io.ruled(fact, ActorRule::En5);
        }
        if energy_uj != bay.metered_uj {
            bay.metered_uj = energy_uj;
            io.fact(FactKind::Metered { transaction: id, energy_uj, power_w });
            let last = self.bay.as_ref().is_some_and(|bay| bay.stopped);
            self.bill(last, io);
        }
        // A stopped transaction ends with the reading after its power did.
        if let Some(bay) = self.bay.as_mut().filter(|bay| bay.stopped && bay.power_w == 0) {
            bay.transaction = None;
        }
    }

    /// EN-6: rounded once over the whole transaction.
    fn bill(&mut self, last: bool, io: &mut Io<'_, '_>) {
        let heights = self.heights();
        let Some(bay) = self.bay.as_mut() else { return };
        let Some(transaction) = &bay.transaction else { return };
        let (energy_uj, total) = (bay.charged_uj - bay.discharged_uj, total(&transaction.shares));
        let tariff = &transaction.newest.profile.tariff;
        let currency = String::from_utf8_lossy(&tariff.currency).into_owned();
        let (id, table) = (transaction.id, tariff.id);
        let fact = FactKind::Billed { transaction: id, energy_uj, total, currency, tariff: table, heights, last };
        io.ruled(fact, ActorRule::En6);
        let body = Body::Bill { transaction: id, last, energy_uj, total, currency: tariff.currency, tariff: table };
        let node = bay.node;
        if let Some((session, _)) = bay.session.as_mut() {
            io.bench.charge(cost::FRAME);
            io.send(node, Packet::Frame(session.seal(&body).into()));
        }
    }

    fn settle(&mut self, io: &mut Io<'_, '_>) {
        self.bill(true, io);
        self.waiting.clear();
        self.bay = None;
        io.out.push(Output::CancelTimer(TimerId::Dispatch));
        self.give_back(io);
    }

    pub fn pending(&self) -> Vec<String> {
        let waits = self.waiting.keys().map(|id| format!("waits for the car's key for σ {}", Digest(id.0).short(8)));
        self.enrolment.pending().into_iter().chain(waits).collect()
    }

    /// The car in the bay.
    pub fn car(&self) -> Option<ActorId> {
        self.bay.as_ref().map(|bay| bay.ev)
    }
}
