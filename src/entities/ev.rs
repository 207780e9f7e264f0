//! An electric car: plugs in, tells its CSC what it wants, and hands the pile k_i for each header it is shown
//! (paper §4.4, WORLD.md §4). Its full private key never leaves it.

use super::actor::{ActorId, Role};
use super::csc::signcrypt_facts;
use super::enrol::{Enrolment, Progress};
use super::fact::{ActorRule, FactKind, Op};
use super::io::{Input, Io, Output, PlantEvent, TimerId, Wish, cost};
use super::packet::{Packet, PlugId};
use super::plant::Battery;
use super::setup::Genesis;
use crate::clmmsc::complaint;
use crate::clmmsc::open;
use crate::clmmsc::payload::{Delegated, PlugIn, Upload, session_key};
use crate::clmmsc::receipt::{self, Receipt};
use crate::clmmsc::session::{Body, Session, Side};
use crate::clmmsc::signcrypt::{self, Envelope, Item};
use crate::clmmsc::verify::VerifiedHeader;
use crate::clmmsc::{Check, Failure, Flow, PublicRecord, Record, RecordId, SigmaId};
use crate::ledger::{Digest, Micros};
use crate::pbft::NodeId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a car wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wants {
    pub target_ppm: u32,
    /// Unix seconds.
    pub departure: u64,
    /// The car lets energy flow back to the grid.
    pub v2g: bool,
}

#[derive(Clone, Debug)]
struct AtPile {
    pile: ActorId,
    /// Unix seconds.
    since: u64,
    session: Option<(Session, RecordId)>,
    /// What the pile offered while the car had no ticket.
    offer: Option<Offer>,
    /// The pile's record, once its offer was taken.
    record: Option<Box<PublicRecord>>,
    /// Unplugged: only the last bill is still to come.
    leaves: bool,
}

/// A pile's greeting.
#[derive(Clone, Debug)]
struct Offer {
    from: NodeId,
    plug: PlugId,
    pile: [u8; 106],
    gateway: [u8; 32],
}

/// Tickets for plugging in: flow 5 and the first upload.
const TO_PLUG_IN: usize = 2;

#[derive(Clone, Debug)]
pub struct Ev {
    pub enrolment: Enrolment,
    /// Battery and wishes of each of its stays; a battery keeps what was metered in its stay.
    stays: Vec<(Battery, Wants)>,
    /// The stays for which a pile was free, by place in `stays`.
    kept: Vec<usize>,
    power_w: i32,
    genesis: Option<Arc<Genesis>>,
    plugged: Option<AtPile>,
    /// For which pile each σ was answered.
    answered: BTreeMap<SigmaId, RecordId>,
    /// The last header answered: what a complaint can be about.
    shown: Option<Box<VerifiedHeader>>,
    /// Gateway of the last pile.
    gateway: Option<NodeId>,
    /// For the next upload: what it gave keys for since the last one (CLMMSC.md §11.3).
    receipts: Vec<Receipt>,
}

/// Receipts in one upload; of more the oldest are left out.
const RECEIPTS: usize = 8;

impl Ev {
    /// Battery and wishes for each stay, in order.
    pub fn new(enrolment: Enrolment, stays: Vec<(Battery, Wants)>) -> Self {
        Ev {
            enrolment,
            stays,
            kept: Vec::new(),
            power_w: 0,
            genesis: None,
            plugged: None,
            answered: BTreeMap::new(),
            shown: None,
            gateway: None,
            receipts: Vec::new(),
        }
    }

    /// The battery at a pile, counted from 0 over the stays for which a pile was free.
    pub fn battery(&self, stay: usize) -> Option<&Battery> {
        Some(&self.stays.get(*self.kept.get(stay)?)?.0)
    }

    /// The stay that it is in, or was in last.
    pub fn present(&self) -> Option<&(Battery, Wants)> {
        self.stays.get(*self.kept.last()?)
    }

    fn metered_uj(&self) -> i64 {
        self.present().map_or(0, |(battery, _)| battery.charged_uj - battery.discharged_uj)
    }

    pub fn step(&mut self, now: Micros, input: Input<'_>, io: &mut Io<'_, '_>) {
        match input {
            Input::Restart(_) => self.enrolment.restart(io),
            Input::Start => self.enrolment.start(io),
            Input::Timer(TimerId::Request) => self.enrolment.on_timer(io),
            Input::Timer(TimerId::Tickets) => self.enrolment.on_tickets_due(now, self.charges(), io),
            Input::Timer(TimerId::Upload) => self.upload_again(now, io),
            Input::Wish(Wish::Complain) => self.complain(io),
            Input::Timer(_) | Input::Wish(_) | Input::Parcel(_) => {}
            Input::Plant(PlantEvent::PluggedIn { peer, stay }) => {
                let since = self.enrolment.setup.unix(now).0;
                self.kept.push(stay.into());
                self.power_w = 0;
                self.plugged =
                    Some(AtPile { pile: peer, since, session: None, offer: None, record: None, leaves: false });
                io.fact(FactKind::PluggedIn { cp: peer });
            }
            Input::Plant(PlantEvent::Meter { charged_uj, discharged_uj, power_w, .. }) => {
                let present = self.kept.last().and_then(|stay| self.stays.get_mut(*stay));
                if let Some((battery, _)) = present {
                    (battery.charged_uj, battery.discharged_uj) = (charged_uj, discharged_uj);
                }
                self.power_w = power_w;
            }
            Input::Plant(PlantEvent::Unplugged) => {
                io.out.push(Output::CancelTimer(TimerId::Upload));
                if let Some(at) = self.plugged.as_mut() {
                    at.leaves = true;
                    io.fact(FactKind::Departed { cp: at.pile });
                }
            }
            Input::Deliver { from, packet } => match packet {
                Packet::Answer(wire) => {
                    let progress = self.enrolment.on_answer(now, wire, io);
                    let offer = self.plugged.as_mut().filter(|_| progress == Progress::Tickets);
                    if let Some(offer) = offer.and_then(|at| at.offer.take()) {
                        self.on_offer(now, offer, io);
                    }
                }
                Packet::Letter(genesis) => self.genesis = Some(genesis.clone()),
                Packet::Offer { plug, pile, gateway } => {
                    self.on_offer(now, Offer { from, plug: *plug, pile: **pile, gateway: *gateway }, io);
                }
                Packet::Frame(frame) => self.on_frame(now, from, frame, io),
                _ => {}
            },
        }
    }

    /// Flow 5 to the pile, attach at the KGC, flow 4 to the CSC.
    fn on_offer(&mut self, now: Micros, offer: Offer, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let epoch = setup.epoch(now);
        if self.enrolment.key().is_some() && self.enrolment.stock(epoch) < TO_PLUG_IN {
            self.enrolment.want_tickets(epoch, io);
            if let Some(at) = self.plugged.as_mut() {
                at.offer = Some(offer);
            }
            return;
        }
        let Offer { from, plug, pile, gateway } = offer;
        let record = Record(pile).derive(&setup.params);
        io.bench.charge(cost::DERIVE);
        let known = |r: &PublicRecord| self.genesis.as_ref().is_some_and(|g| g.owner(&r.rid.0) == setup.actor(from));
        let (Ok(record), Some(key)) = (record, self.enrolment.key().cloned()) else { return };
        if !known(&record) {
            let failure = Failure { check: Check::R9, error: crate::clmmsc::Error::Unpinned };
            return io.refuse("offer", failure, None, setup.actor(from));
        }
        let kses = session_key(&key, &plug, &io.rand32());
        let unix = setup.unix(now).0;
        let not_after = unix + u64::from(setup.params.policy.ttl_max);
        let delegated = self.enrolment.session().and_then(|pair| Delegated::lend(pair).ok());
        let plug_in = PlugIn { kses: kses.clone(), plug, not_before: unix, not_after, delegated };
        if let Some(sigma) = self.signcrypt(now, Flow::PLUG_IN, &record, &plug_in.encode(), io) {
            io.send(from, Packet::Direct(sigma));
            if let Some(at) = self.plugged.as_mut() {
                at.session = Some((Session::new(kses, Side::Ev), record.rid));
                at.record = Some(Box::new(record.clone()));
            }
        }
        self.gateway = self.genesis.as_ref().and_then(|g| g.owner(&gateway)).map(|css| setup.node(css));
        self.enrolment.attach(now, gateway, io);
        self.upload(now, &record, io);
        self.watch(now, io);
    }

    /// Plugged in, and not about to leave.
    fn charges(&self) -> bool {
        self.plugged.as_ref().is_some_and(|at| !at.leaves)
    }

    fn watch(&self, now: Micros, io: &mut Io<'_, '_>) {
        let setup = &self.enrolment.setup;
        if let Some(after) = setup.until_next(now, setup.upload_every) {
            io.timer(TimerId::Upload, after);
        }
    }

    fn upload_again(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let Some(record) = self.plugged.as_ref().and_then(|at| at.record.clone()) else { return };
        self.upload(now, &record, io);
        self.watch(now, io);
    }

    fn upload(&mut self, now: Micros, pile: &PublicRecord, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let csc = ActorId::new(Role::Csc, self.enrolment.me.index % setup.csc.max(1));
        let Some(to) = self.genesis.as_ref().and_then(|g| g.record(csc)).cloned() else { return };
        let Some((battery, wants)) = self.present() else { return };
        let upload = Upload {
            discharge: wants.v2g,
            time: setup.unix(now).0,
            soc_ppm: battery.soc_ppm(),
            capacity_wh: battery.capacity_wh,
            max_power_w: battery.max_power_w,
            power_w: self.power_w,
            energy_wh: (battery.charged_uj / super::plant::UJ_PER_WH) as u64,
            departure: wants.departure,
            target_ppm: wants.target_ppm,
            pile: pile.rid.0,
            session: self.enrolment.session().map(|pair| *pair.record()),
            receipts: self.receipts.clone(),
        };
        if let Some(sigma) = self.signcrypt(now, Flow::UPLOAD, &to, &upload.encode(), io) {
            self.receipts.clear();
            match self.plugged.as_ref().filter(|_| setup.store_uploads) {
                Some(at) => io.send(setup.node(at.pile), Packet::Upload(sigma)),
                None => io.send(setup.node(csc), Packet::Direct(sigma)),
            }
        }
    }

    fn signcrypt(
        &mut self,
        now: Micros,
        flow: Flow,
        to: &PublicRecord,
        message: &[u8],
        io: &mut Io<'_, '_>,
    ) -> Option<Arc<[u8]>> {
        let setup = self.enrolment.setup.clone();
        let ticket = self.enrolment.spend(now, io)?;
        let key = self.enrolment.key()?.clone();
        let envelope = Envelope { flow, created: setup.unix(now).0, ttl: setup.ttl, floor: 64, pad_to: 0 };
        let made =
            signcrypt::signcrypt(&setup.params, &envelope, &key, ticket, &[Item { to, message }], &io.rand32()).ok()?;
        signcrypt_facts(&made, flow, 1, io);
        Some(made.bytes.into())
    }

    fn on_frame(&mut self, now: Micros, from: NodeId, frame: &[u8], io: &mut Io<'_, '_>) {
        io.bench.charge(cost::FRAME);
        let setup = self.enrolment.setup.clone();
        let own = self.metered_uj();
        let Some((session, pile)) = self.plugged.as_mut().and_then(|at| at.session.as_mut()) else { return };
        let pile = *pile;
        match session.open(frame).map_err(Failure::at(Check::F1)) {
            Ok(Body::Header(header)) => self.on_header(now, from, &header[..], pile, io),
            Ok(Body::Bill { last: true, energy_uj, .. }) => {
                if energy_uj != own {
                    let reason = format!("{energy_uj} µJ are billed, the car metered {own}");
                    let from = setup.actor(from);
                    io.ruled(FactKind::Refused { what: "bill".into(), reason, sigma: None, from }, ActorRule::En6);
                }
                if !self.charges() {
                    self.plugged = None;
                }
            }
            Ok(Body::End) => self.plugged = None,
            Ok(_) => {}
            Err(failure) => io.refuse("frame", failure, None, setup.actor(from)),
        }
    }

    /// E1–E5: k_i for this σ and no more.
    fn on_header(&mut self, now: Micros, from: NodeId, bytes: &[u8], pile: RecordId, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let (Some(at), Some(key)) = (self.plugged.as_mut(), self.enrolment.key()) else { return };
        let sigma = crate::clmmsc::verify::sigma_id(&setup.params, bytes);
        io.bench.charge(cost::HEADER + cost::DECAPSULATE + cost::FRAME);
        let answered = |id: &SigmaId| self.answered.get(id).copied();
        let released = VerifiedHeader::verify(&setup.params, bytes, setup.unix(now).0)
            .and_then(|head| Ok((open::release(&setup.params, &head, key, at.since, &pile, answered)?, head)));
        let Some((session, _)) = at.session.as_mut() else { return };
        match released {
            Ok((k, head)) => {
                self.shown = Some(Box::new(head));
                let cost_us = cost::DECAPSULATE as u32;
                io.fact(FactKind::Step { op: Op::Decapsulate, count: 1, cost_us });
                io.ruled(FactKind::KeyReleased { sigma: Digest(sigma.0) }, Check::E5);
                self.answered.insert(sigma, pile);
                if self.receipts.len() == RECEIPTS {
                    self.receipts.remove(0);
                }
                self.receipts.push(Receipt::new(&k, sigma, receipt::RELEASED));
                let frame = session.seal(&Body::Release { sigma, k });
                io.send(from, Packet::Frame(frame.into()));
            }
            Err(failure) => {
                let frame = session.seal(&Body::Refusal { sigma });
                io.send(from, Packet::Frame(frame.into()));
                io.refuse("header", failure, Some(Digest(sigma.0)), setup.actor(from));
            }
        }
    }

    /// The last header it answered.
    pub fn shown(&self) -> Option<&VerifiedHeader> {
        self.shown.as_deref()
    }

    /// The ciphertext that a complaint would be about.
    pub fn complains_about(&self) -> Option<SigmaId> {
        self.gateway.and(self.shown.as_ref()).map(|head| head.id())
    }

    /// Shows the gateway Z_i of the last ciphertext with a proof, and nothing of the key (CLMMSC.md §11.3).
    fn complain(&mut self, io: &mut Io<'_, '_>) {
        let (Some(head), Some(key), Some(gateway)) = (&self.shown, self.enrolment.key(), self.gateway) else { return };
        io.bench.charge(cost::COMPLAIN);
        let proof = complaint::make(head, key, &io.rand32());
        let (about, rid) = (head.id(), Digest(key.public().rid.0));
        io.ruled(FactKind::Complained { sigma: Digest(about.0), rid }, Check::C1);
        io.send(gateway, Packet::Complaint { about, proof: Arc::from(&proof[..]) });
    }

    pub fn pending(&self) -> Vec<String> {
        self.enrolment.pending().into_iter().collect()
    }
}
