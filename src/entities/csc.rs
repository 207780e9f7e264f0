//! The charging schedule centre: collects uploads, plans within the caps, signcrypts one σ for all cars addressed
//! (paper §4.2, WORLD.md §4, §7.3).

use super::actor::{ActorId, Role};
use super::command::{Command, Profile};
use super::enrol::Enrolment;
use super::fact::{ActorRule, FactKind, Op, PlanLine};
use super::io::{Input, Io, TimerId, cost};
use super::packet::Packet;
use super::plant::{Share, total};
use super::schedule::{self, Standing, Wish};
use super::setup::Genesis;
use crate::clmmsc::channel::{self, Purpose};
use crate::clmmsc::open::{self, Pinned, Receiver};
use crate::clmmsc::payload::{Routing, Upload};
use crate::clmmsc::signcrypt::{self, Envelope, Item, padded_count};
use crate::clmmsc::{Check, Failure, Flow, PublicRecord, RecordId, SigmaId, list};
use crate::ledger::{Digest, Micros};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// From the first new upload to the plan.
const COLLECT: Micros = Micros(500_000);
/// Entries of flow 1 have at least this size, so schedules of up to 9 periods look alike.
const FLOOR: u32 = 192;
/// A car that does not say when it leaves is taken to stay so long.
const STAY: u64 = 28_800;

#[derive(Clone, Debug)]
pub struct Csc {
    pub enrolment: Enrolment,
    genesis: Option<Arc<Genesis>>,
    /// Cars that may be addressed, by record.
    cars: list::Union,
    /// Session record of a sleeping car, to be addressed in place of its own.
    sessions: BTreeMap<RecordId, PublicRecord>,
    uploads: BTreeMap<RecordId, Upload>,
    fresh: BTreeSet<RecordId>,
    transactions: BTreeMap<RecordId, u64>,
    /// Newest order of each car, and its area.
    orders: BTreeMap<RecordId, (u16, Profile)>,
    profiles: u32,
    opened: BTreeSet<SigmaId>,
}

impl Csc {
    pub fn new(enrolment: Enrolment) -> Self {
        Csc {
            enrolment,
            genesis: None,
            cars: BTreeMap::new(),
            sessions: BTreeMap::new(),
            uploads: BTreeMap::new(),
            fresh: BTreeSet::new(),
            transactions: BTreeMap::new(),
            orders: BTreeMap::new(),
            profiles: 0,
            opened: BTreeSet::new(),
        }
    }

    pub fn step(&mut self, now: Micros, input: Input<'_>, io: &mut Io<'_, '_>) {
        match input {
            Input::Start => self.enrolment.start(io),
            Input::Timer(TimerId::Request) => self.enrolment.on_timer(io),
            Input::Timer(TimerId::Plan) => self.plan(now, io),
            Input::Timer(_) | Input::Plant(_) | Input::Wish(_) => {}
            Input::Deliver { packet, .. } => match packet {
                Packet::Answer(wire) => {
                    self.enrolment.on_answer(now, wire, io);
                }
                Packet::Letter(genesis) => self.genesis = Some(genesis.clone()),
                Packet::List(boxed) => self.on_list(now, boxed, io),
                Packet::Direct(sigma) => self.on_upload(now, sigma, io),
                _ => {}
            },
        }
    }

    fn on_list(&mut self, now: Micros, boxed: &[u8], io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let Some(key) = self.enrolment.key() else { return };
        io.bench.charge(cost::BOX + cost::VERIFY);
        let plain = channel::open_box(&setup.params, Purpose::List, key, boxed).map_err(Failure::at(Check::L1));
        match plain.and_then(|plain| list::accept(&setup.params, &setup.kgc, &plain)) {
            Ok(list) => {
                io.bench.charge(cost::DERIVE * list.records.len() as u64);
                list::merge(&mut self.cars, list, setup.epoch(now));
            }
            Err(failure) => io.refuse("list", failure, None, None),
        }
    }

    fn on_upload(&mut self, now: Micros, bytes: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let sigma = Digest(crate::clmmsc::verify::sigma_id(&self.enrolment.setup.params, bytes).0);
        match self.open_upload(now, bytes, io) {
            Ok((rid, upload)) => {
                io.fact(FactKind::Opened { sigma, flow: 4, error: None });
                let (soc_ppm, target_ppm, departure) = (upload.soc_ppm, upload.target_ppm, upload.departure);
                io.fact(FactKind::Uploaded { rid: Digest(rid.0), soc_ppm, target_ppm, departure });
                if self.fresh.is_empty() {
                    io.timer(TimerId::Plan, COLLECT);
                }
                self.fresh.insert(rid);
                if let Some(Ok(session)) = upload.session.map(|record| record.derive(&self.enrolment.setup.params)) {
                    io.bench.charge(cost::DERIVE);
                    self.sessions.insert(rid, session);
                }
                self.uploads.insert(rid, upload);
            }
            Err(failure) => {
                let error = Some(failure.error.name().to_owned());
                io.ruled(FactKind::Opened { sigma, flow: 4, error }, failure.check);
            }
        }
    }

    fn open_upload(
        &mut self,
        now: Micros,
        bytes: &Arc<[u8]>,
        io: &mut Io<'_, '_>,
    ) -> Result<(RecordId, Upload), Failure> {
        let setup = self.enrolment.setup.clone();
        let verified = io.bench.verify(bytes, setup.unix(now))?;
        let Some(key) = self.enrolment.key() else {
            return Err(Failure { check: Check::R2, error: crate::clmmsc::Error::RecordRole });
        };
        io.bench.charge(cost::DECAPSULATE + cost::OPEN);
        let pinned: BTreeSet<RecordId> = self.cars.keys().copied().collect();
        let who = Receiver {
            record: key.record(),
            pinned: Pinned::Set(&pinned),
            since: 0,
            nullifiers: &|_| None,
            opened: &|id, _| self.opened.contains(id),
        };
        let k = open::decapsulate(verified.head(), key);
        let opened = open::open(&setup.params, &verified, &who, &k)?;
        let upload = Upload::decode(&setup.params, &opened.message).map_err(Failure::at(Check::P1))?;
        self.opened.insert(verified.id());
        Ok((opened.sender_rid, upload))
    }

    /// The record of the first car that the next plan will address, as this CSC has it.
    pub fn next_addressed(&mut self, now: Micros) -> Option<&mut PublicRecord> {
        let wishes = self.wishes(self.enrolment.setup.unix(now).0);
        let first = wishes.iter().find(|(rid, wish)| wish.need_uj > 0 && self.cars.contains_key(rid))?.0;
        self.cars.get_mut(&first)
    }

    /// Takes a record for addressing from now on.
    pub fn know(&mut self, record: PublicRecord) {
        self.cars.insert(record.rid, record);
    }

    /// Wishes of the cars whose upload is new, in the order of their records.
    fn wishes(&self, now: u64) -> Vec<(RecordId, Wish)> {
        let setup = &self.enrolment.setup;
        let wish = |rid: &RecordId| {
            let upload = self.uploads.get(rid)?;
            let pile = self.genesis.as_ref()?.owner(&upload.pile)?;
            let leaves_in = if upload.departure == 0 { STAY } else { upload.departure.saturating_sub(now).min(STAY) };
            let need_uj = schedule::need_uj(upload.soc_ppm, upload.target_ppm, upload.capacity_wh);
            let (area, max_power_w) = (setup.area_of(pile.index), upload.max_power_w.min(setup.rating_w));
            Some((*rid, Wish { rid: rid.0, area, need_uj, max_power_w, leaves_in }))
        };
        self.fresh.iter().filter_map(wish).collect()
    }

    fn plan(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let created = setup.unix(now).0;
        let wishes = self.wishes(created);
        self.fresh.clear();
        let only: Vec<Wish> = wishes.iter().map(|(_, wish)| *wish).collect();
        let share = u64::from(setup.csc.max(1));
        let areas: Vec<u64> = setup.area_cap_w.iter().map(|cap| u64::from(*cap) / share).collect();
        let replanned = |rid: &RecordId| wishes.iter().any(|(of, wish)| of == rid && wish.need_uj > 0);
        let others = self.orders.iter().filter(|(rid, _)| !replanned(rid));
        let standing: Vec<Standing<'_>> = others.map(|(_, (area, profile))| (*area, profile)).collect();
        let plans = schedule::plan(created, &only, &areas, u64::from(setup.feeder_cap_w) / share, &standing);
        io.bench.charge(plans.iter().map(|p| p.len() as u64).sum());
        let mut orders: Vec<(PublicRecord, Profile)> = Vec::new();
        let mut lines: Vec<PlanLine> = Vec::new();
        for ((rid, wish), periods) in wishes.iter().zip(plans) {
            let known = self.sessions.get(rid).or_else(|| self.cars.get(rid));
            let (Some(record), Some(end)) = (known, periods.last()) else { continue };
            if self.orders.contains_key(rid) || periods.iter().any(|p| p.limit_w > 0) {
                let record = record.clone();
                let duration = end.start.max(1) + schedule::SLOT;
                let profile = self.profile(rid, wish, created, duration, periods);
                self.orders.insert(*rid, (wish.area, profile.clone()));
                let limit_w = profile.periods.first().map_or(0, |p| p.limit_w);
                lines.push(PlanLine { rid: Digest(rid.0), limit_w, periods: profile.periods.len() as u8 });
                orders.push((record, profile));
            }
        }
        io.ruled(FactKind::Planned { lines }, ActorRule::En4);
        if !orders.is_empty() {
            self.send(now, &orders, io);
        }
    }

    fn profile(
        &mut self,
        rid: &RecordId,
        wish: &Wish,
        created: u64,
        duration: u32,
        periods: Vec<super::command::Period>,
    ) -> Profile {
        let setup = self.enrolment.setup.clone();
        let next = (u64::from(self.enrolment.me.index) << 48) + self.transactions.len() as u64 + 1;
        let transaction = *self.transactions.entry(*rid).or_insert(next);
        self.profiles += 1;
        // A command names no price that begins after its end.
        let mut tariff = setup.tariff.clone();
        tariff.periods.retain(|price| price.start < duration);
        let price = setup.tariff.periods.first().copied();
        let share = price.map(|price| Share { price, charged_uj: wish.need_uj, discharged_uj: 0 });
        Profile {
            transaction,
            profile: self.profiles,
            start: created,
            duration,
            energy_wh: (wish.need_uj / super::plant::UJ_PER_WH) as u32,
            cost: total(share.as_slice()),
            periods,
            tariff,
        }
    }

    /// One σ for all, and beside it the routing list for the KGC alone.
    fn send(&mut self, now: Micros, orders: &[(PublicRecord, Profile)], io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let messages: Vec<Vec<u8>> =
            orders.iter().map(|(_, profile)| Command::Profile(profile.clone()).encode()).collect();
        let items: Vec<Item<'_>> =
            orders.iter().zip(&messages).map(|((to, _), message)| Item { to, message }).collect();
        let Some(sigma) = self.signcrypt(now, Flow::COMMAND, FLOOR, &items, io) else { return };
        let class = |to: &PublicRecord| to.record.class().unwrap_or(crate::clmmsc::Class::Id);
        let receivers = orders.iter().map(|(to, _)| (class(to), to.record.f())).collect();
        let routing = Routing::whole(SigmaId(sigma.0.0), receivers).encode();
        let to_kgc = [Item { to: &setup.kgc, message: &routing }];
        let Some(list) = self.signcrypt(now, Flow::ROUTING, 64, &to_kgc, io) else { return };
        let kgc = setup.kgc_node();
        io.send(kgc, Packet::Submit { gateways: vec![], sigma: sigma.1 });
        io.send(kgc, Packet::Direct(list.1));
    }

    fn signcrypt(
        &mut self,
        now: Micros,
        flow: Flow,
        floor: u32,
        items: &[Item<'_>],
        io: &mut Io<'_, '_>,
    ) -> Option<(Digest, Arc<[u8]>)> {
        let setup = self.enrolment.setup.clone();
        let ticket = self.enrolment.take_ticket(setup.epoch(now));
        let (Some(key), Some(ticket)) = (self.enrolment.key().cloned(), ticket) else {
            let (what, reason) = ("command".to_owned(), "no ticket is left for this hour".to_owned());
            io.ruled(FactKind::Refused { what, reason, sigma: None, from: None }, ActorRule::En4);
            return None;
        };
        let pad_to = if setup.pad && flow == Flow::COMMAND { padded_count(items.len() as u32) } else { 0 };
        let envelope = Envelope { flow, created: setup.unix(now).0, ttl: setup.ttl, floor, pad_to };
        match signcrypt::signcrypt(&setup.params, &envelope, &key, ticket, items, &io.rand32()) {
            Ok(made) => {
                signcrypt_facts(&made, flow, items.len() as u32, io);
                Some((Digest(made.id.0), made.bytes.into()))
            }
            Err(error) => {
                let (what, reason) = ("command".to_owned(), error.name().to_owned());
                io.ruled(FactKind::Refused { what, reason, sigma: None, from: None }, ActorRule::En4);
                None
            }
        }
    }

    pub fn pending(&self) -> Vec<String> {
        self.enrolment.pending().into_iter().collect()
    }

    pub fn id(&self) -> ActorId {
        ActorId::new(Role::Csc, self.enrolment.me.index)
    }
}

/// The sub-steps of one signcryption, with their share of its cost, and the result.
pub(super) fn signcrypt_facts(made: &signcrypt::Signcrypted, flow: Flow, n: u32, io: &mut Io<'_, '_>) {
    io.bench.charge(cost::SIGNCRYPT + cost::RECEIVER * u64::from(n));
    let steps = [
        (Op::OneTimeKey, 1, 60),
        (Op::SharedSecrets, n, 90 * n),
        (Op::SealEntries, n, 15 * n),
        (Op::SortByTag, n, n),
        (Op::MerkleRoot, n, 4 * n),
        (Op::InnerSignature, 1, 70),
        (Op::OuterSignature, 1, 70),
    ];
    for (op, count, cost_us) in steps {
        io.fact(FactKind::Step { op, count, cost_us });
    }
    io.fact(FactKind::Signcrypted { sigma: Digest(made.id.0), flow: flow.code(), n, l: made.l });
}
