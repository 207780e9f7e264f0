//! The charging schedule centre: collects uploads, plans within the caps, signcrypts one σ for all cars addressed
//! (paper §4.2, WORLD.md §4, §7.3).

mod agenda;
mod post;

pub use agenda::{Instruction, Task};
pub(super) use post::signcrypt_facts;

use super::actor::{ActorId, Role};
use super::command::{AreaLimit, DefaultTariff, Period, Profile};
use super::copy::ChainCopy;
use super::enrol::{Enrolment, Progress};
use super::fact::{ActorRule, FactKind, PlanLine};
use super::io::{Input, Io, TimerId, cost};
use super::packet::Packet;
use super::plant::{Battery, Share, total};
use super::schedule::{self, Caps, Standing, Wish};
use super::setup::{Genesis, TariffTable};
use super::unstored::Unstored;
use crate::clmmsc::channel::{self, Purpose};
use crate::clmmsc::open::{self, Pinned, Receiver};
use crate::clmmsc::payload::Upload;
use crate::clmmsc::signcrypt::{self, Envelope, Item};
use crate::clmmsc::{Check, Error, Failure, KeyPair, Params, PublicRecord, RecordId, SigmaId, Ticket, list};
use crate::ledger::{Digest, Micros};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// From the first new upload to the plan.
const COLLECT: Micros = Micros(500_000);
/// A car that does not say when it leaves is taken to stay so long.
const STAY: u64 = 28_800;

/// How σ is made; arguments as [`signcrypt::signcrypt`].
pub type Signcrypt = dyn Fn(&Params, &Envelope, &KeyPair, Ticket, &[Item<'_>], &[u8; 32]) -> Result<signcrypt::Signcrypted, Error>
    + Send
    + Sync;

/// Another way of making σ than the scheme's.
#[derive(Clone, Default)]
struct Rogue(Option<Arc<Signcrypt>>);

impl core::fmt::Debug for Rogue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Rogue({})", self.0.is_some())
    }
}

#[derive(Clone, Debug)]
pub struct Csc {
    pub enrolment: Enrolment,
    genesis: Option<Arc<Genesis>>,
    /// Cars that may be addressed, by record, and the epoch of the list they come from.
    cars: list::Union,
    listed: u32,
    /// The newest list that came before the key that opens it.
    sealed: Option<Arc<[u8]>>,
    /// Session record of a sleeping car, to be addressed in place of its own.
    sessions: BTreeMap<RecordId, PublicRecord>,
    uploads: BTreeMap<RecordId, Upload>,
    /// Cars that no plan knows yet.
    fresh: BTreeSet<RecordId>,
    /// A car that is planned has sent another state since, and the timer for planning anew is set.
    news: bool,
    replanning: bool,
    /// Departure and transaction of each car's newest stay; another departure is another stay.
    transactions: BTreeMap<RecordId, (u64, u64)>,
    /// How many transactions it has named.
    named: u64,
    /// Newest order of each car, and its area.
    orders: BTreeMap<RecordId, (u16, Profile)>,
    profiles: u32,
    opened: BTreeSet<SigmaId>,
    /// What its operator wants done, earliest last.
    agenda: Vec<Task>,
    limits: Vec<(u16, AreaLimit)>,
    /// Tariffs of commands from a unix second on, in order; the scenario's own before.
    tariffs: Vec<DefaultTariff>,
    /// Limit of piles for cars without a command, as it ordered.
    defaults: BTreeMap<u16, u32>,
    /// Cars whose transaction was stopped by order, with the departure of that stay.
    stopped: BTreeMap<RecordId, u64>,
    copy: Option<ChainCopy>,
    /// What it ordered by, with the packets that brought it to the KGC.
    unstored: Unstored,
    rogue: Rogue,
}

impl Csc {
    /// `agenda`: what its operator wants done, and when.
    pub fn new(enrolment: Enrolment, mut agenda: Vec<Task>) -> Self {
        agenda.sort_by_key(|task| core::cmp::Reverse(task.at));
        Csc {
            enrolment,
            genesis: None,
            cars: BTreeMap::new(),
            listed: 0,
            sealed: None,
            sessions: BTreeMap::new(),
            uploads: BTreeMap::new(),
            fresh: BTreeSet::new(),
            news: false,
            replanning: false,
            transactions: BTreeMap::new(),
            named: 0,
            orders: BTreeMap::new(),
            profiles: 0,
            opened: BTreeSet::new(),
            agenda,
            limits: Vec::new(),
            tariffs: Vec::new(),
            defaults: BTreeMap::new(),
            stopped: BTreeMap::new(),
            copy: None,
            unstored: Unstored::default(),
            rogue: Rogue::default(),
        }
    }

    pub fn step(&mut self, now: Micros, input: Input<'_>, io: &mut Io<'_, '_>) {
        match input {
            Input::Restart(_) => self.enrolment.restart(io),
            Input::Start => {
                self.enrolment.start(io);
                self.next_task(now, io);
            }
            Input::Timer(TimerId::Request) => self.enrolment.on_timer(io),
            Input::Timer(TimerId::Tickets) => {
                self.forget_departed(now);
                let still = !self.uploads.is_empty() || !self.agenda.is_empty();
                self.enrolment.on_tickets_due(now, still, io);
            }
            Input::Timer(TimerId::Plan) => {
                let fresh = core::mem::take(&mut self.fresh);
                self.plan(now, &fresh, io);
            }
            Input::Timer(TimerId::Replan) => self.replan(now, io),
            Input::Timer(TimerId::Task) => self.on_task(now, io),
            Input::Timer(TimerId::Stored) => self.send_again(now, io),
            Input::Timer(TimerId::Chain) => {
                if let Some(copy) = self.copy.as_mut() {
                    copy.on_timer(io);
                }
            }
            Input::Timer(_) | Input::Plant(_) | Input::Wish(_) | Input::Parcel(_) => {}
            Input::Deliver { from, packet } => match packet {
                Packet::Answer(wire) => {
                    let progress = self.enrolment.on_answer(now, wire, io);
                    if let Some(boxed) = self.sealed.take_if(|_| progress == Progress::Key) {
                        self.on_list(now, &boxed, io);
                    }
                }
                Packet::Letter(genesis) => {
                    self.copy = Some(ChainCopy::new(&genesis.config));
                    self.genesis = Some(genesis.clone());
                }
                Packet::Pbft(msg) => self.on_publish(now, self.enrolment.setup.actor(from), msg, io),
                Packet::List(boxed) => self.on_list(now, boxed, io),
                Packet::Direct(sigma) => self.on_upload(now, sigma, io),
                _ => {}
            },
        }
    }

    fn on_list(&mut self, now: Micros, boxed: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let Some(key) = self.enrolment.key() else {
            self.sealed = Some(boxed.clone());
            return;
        };
        io.bench.charge(cost::BOX + cost::VERIFY);
        let plain = channel::open_box(&setup.params, Purpose::List, key, boxed).map_err(Failure::at(Check::L1));
        match plain.and_then(|plain| list::accept(&setup.params, &setup.kgc, &plain)) {
            Ok(list) => {
                io.bench.charge(cost::DERIVE * list.records.len() as u64);
                // The first list of an epoch begins a new union.
                if list.epoch == setup.epoch(now) && self.listed != list.epoch {
                    self.listed = list.epoch;
                    self.cars.clear();
                }
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
                let receipts = upload.receipts.len() as u16;
                io.fact(FactKind::Uploaded { rid: Digest(rid.0), receipts, soc_ppm, target_ppm, departure });
                if let Some(Ok(session)) = upload.session.map(|record| record.derive(&self.enrolment.setup.params)) {
                    io.bench.charge(cost::DERIVE);
                    self.sessions.insert(rid, session);
                }
                self.noted(now, rid, upload, io);
            }
            // Nobody on the way knows for which centre a stored upload is, so each looks.
            Err(Failure { error: Error::NotAReceiver, .. }) if self.enrolment.setup.store_uploads => {}
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
            return Err(Failure { check: Check::R2, error: Error::RecordRole });
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

    /// A car nobody has planned yet is planned soon, together with others that come at the same time; news of the others
    /// waits for the next time all are planned anew.
    fn noted(&mut self, now: Micros, rid: RecordId, upload: Upload, io: &mut Io<'_, '_>) {
        if self.stopped.get(&rid) == Some(&upload.departure) {
            return;
        }
        if self.uploads.get(&rid).is_some_and(|old| old.departure != upload.departure) {
            self.forget(&rid);
        }
        if self.uploads.insert(rid, upload).is_some() {
            self.news = true;
        } else {
            if self.fresh.is_empty() {
                io.timer(TimerId::Plan, COLLECT);
            }
            self.fresh.insert(rid);
        }
        if !self.replanning {
            self.watch(now, io);
        }
    }

    fn watch(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let setup = &self.enrolment.setup;
        let next = setup.until_next(now, setup.plan_every).filter(|_| !self.uploads.is_empty());
        self.replanning = next.is_some();
        if let Some(next) = next {
            io.timer(TimerId::Replan, Micros(next.0 + COLLECT.0));
        }
    }

    /// Every `plan_every`, if an upload changed, all cars are planned anew.
    fn replan(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        self.forget_departed(now);
        if core::mem::take(&mut self.news) {
            let all: BTreeSet<RecordId> =
                self.uploads.keys().filter(|rid| !self.fresh.contains(rid)).copied().collect();
            self.plan(now, &all, io);
        }
        self.watch(now, io);
    }

    /// Cars whose time is over are nobody's business any more.
    fn forget_departed(&mut self, now: Micros) {
        let unix = self.enrolment.setup.unix(now).0;
        let gone = |upload: &Upload| {
            let leaves = if upload.departure == 0 { upload.time + STAY } else { upload.departure };
            leaves <= unix
        };
        let gone: Vec<RecordId> = self.uploads.iter().filter(|(_, u)| gone(u)).map(|(rid, _)| *rid).collect();
        for rid in gone {
            self.forget(&rid);
        }
        self.limits.retain(|(_, limit)| limit.to > unix);
    }

    fn forget(&mut self, rid: &RecordId) {
        self.uploads.remove(rid);
        self.orders.remove(rid);
        self.sessions.remove(rid);
        self.fresh.remove(rid);
    }

    /// The record of the first car that the next plan will address, as this CSC has it.
    pub fn next_addressed(&mut self, now: Micros) -> Option<&mut PublicRecord> {
        let wishes = self.wishes(self.enrolment.setup.unix(now).0, &self.fresh);
        let first = wishes.iter().find(|(_, wish)| wish.need_uj > 0)?.0;
        self.cars.get_mut(&first)
    }

    /// Makes its σ in another way from now on, or as the scheme does again: what a rogue centre can do.
    pub fn signcrypt_by(&mut self, how: Option<Arc<Signcrypt>>) {
        self.rogue = Rogue(how);
    }

    pub fn genesis(&self) -> Option<&Genesis> {
        self.genesis.as_deref()
    }

    /// Takes a record for addressing from now on.
    pub fn know(&mut self, record: PublicRecord) {
        self.cars.insert(record.rid, record);
    }

    fn record_of(&self, rid: &RecordId) -> Option<&PublicRecord> {
        self.sessions.get(rid).or_else(|| self.cars.get(rid))
    }

    /// Wishes of those cars that can be addressed, in the order of their records.
    fn wishes(&self, now: u64, whom: &BTreeSet<RecordId>) -> Vec<(RecordId, Wish)> {
        let setup = &self.enrolment.setup;
        let wish = |rid: &RecordId| {
            let upload = self.uploads.get(rid).filter(|_| self.record_of(rid).is_some())?;
            let pile = self.genesis.as_ref()?.owner(&upload.pile)?;
            let leaves_in = if upload.departure == 0 { STAY } else { upload.departure.saturating_sub(now).min(STAY) };
            // What was ordered since the car told its state has come or gone meanwhile.
            let since = self.orders.get(rid).map_or(0, |(_, order)| order.energy_between(upload.time, now));
            let need = schedule::need_uj(upload.soc_ppm, upload.target_ppm, upload.capacity_wh);
            let spare = if upload.discharge { schedule::spare_uj(upload.soc_ppm, upload.capacity_wh) } else { 0 };
            let accepts = Battery::new(upload.capacity_wh, upload.soc_ppm, upload.max_power_w).accept_w();
            let wish = Wish {
                rid: rid.0,
                area: setup.area_of(pile.index),
                need_uj: need.saturating_sub(since).max(0),
                spare_uj: spare.saturating_add(since).max(0),
                max_power_w: accepts.unsigned_abs().min(setup.rating_w),
                leaves_in,
            };
            Some((*rid, wish))
        };
        whom.iter().filter_map(wish).collect()
    }

    /// What this CSC may give out: its share of every cap, and less where it has announced a limit.
    fn caps(&self) -> Caps {
        let setup = &self.enrolment.setup;
        let share = u64::from(setup.csc.max(1));
        let mut areas: Vec<u64> = setup.area_cap_w.iter().map(|cap| u64::from(*cap) / share).collect();
        let mut feeder_w = u64::from(setup.feeder_cap_w) / share;
        // What it allowed piles without a command is no longer there for commands.
        for (pile, watts) in &self.defaults {
            feeder_w = feeder_w.saturating_sub(u64::from(*watts));
            if let Some(area) = areas.get_mut(usize::from(setup.area_of(*pile))) {
                *area = area.saturating_sub(u64::from(*watts));
            }
        }
        let split = |limit: &AreaLimit| AreaLimit { limit_w: limit.limit_w / u32::from(setup.csc.max(1)), ..*limit };
        let limits = self.limits.iter().map(|(area, limit)| (*area, split(limit))).collect();
        Caps { areas, feeder_w, limits }
    }

    fn plan(&mut self, now: Micros, whom: &BTreeSet<RecordId>, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let created = setup.unix(now).0;
        let wishes = self.wishes(created, whom);
        let only: Vec<Wish> = wishes.iter().map(|(_, wish)| *wish).collect();
        let planned: BTreeSet<&RecordId> = wishes.iter().map(|(rid, _)| rid).collect();
        let others = self.orders.iter().filter(|(rid, _)| !planned.contains(rid));
        let standing: Vec<Standing<'_>> = others.map(|(_, (area, profile))| (*area, profile)).collect();
        let plans = schedule::plan(created, &only, &self.caps(), &standing);
        io.bench.charge(plans.iter().map(|p| p.len() as u64).sum());
        let mut orders: Vec<(PublicRecord, Profile)> = Vec::new();
        let mut lines: Vec<PlanLine> = Vec::new();
        for ((rid, wish), mut periods) in wishes.iter().zip(plans) {
            let Some(record) = self.record_of(rid).cloned() else { continue };
            if periods.is_empty() {
                periods.push(Period { start: 0, limit_w: 0 });
            }
            let profile = self.profile(rid, wish, created, periods);
            let moves = profile.periods.iter().any(|p| p.limit_w != 0);
            if self.orders.get(rid).map_or(!moves, |(_, old)| profile.same_from(old, created)) {
                continue;
            }
            self.orders.insert(*rid, (wish.area, profile.clone()));
            let limit_w = profile.periods.first().map_or(0, |p| p.limit_w);
            lines.push(PlanLine { rid: Digest(rid.0), limit_w, periods: profile.periods.len() as u8 });
            orders.push((record, profile));
        }
        io.ruled(FactKind::Planned { lines }, ActorRule::En4);
        if !orders.is_empty() {
            self.send(now, &orders, io);
        }
    }

    /// The tariff that commands of this second name.
    fn tariff_at(&self, unix: u64) -> &TariffTable {
        let newest = self.tariffs.iter().rev().find(|tariff| tariff.valid_from <= unix);
        newest.map_or(&self.enrolment.setup.tariff, |tariff| &tariff.tariff)
    }

    /// One for each stay of a car.
    fn transaction(&mut self, rid: &RecordId) -> u64 {
        let departure = self.uploads.get(rid).map_or(0, |upload| upload.departure);
        match self.transactions.get(rid) {
            Some((stay, transaction)) if *stay == departure => *transaction,
            _ => {
                self.named += 1;
                let transaction = (u64::from(self.enrolment.me.index) << 48) + self.named;
                self.transactions.insert(*rid, (departure, transaction));
                transaction
            }
        }
    }

    fn profile(&mut self, rid: &RecordId, wish: &Wish, created: u64, periods: Vec<Period>) -> Profile {
        let transaction = self.transaction(rid);
        self.profiles += 1;
        let duration = periods.last().map_or(0, |end| end.start).max(1) + schedule::SLOT;
        let mut tariff = self.tariff_at(created).clone();
        let price = tariff.periods.first().copied();
        // A command names no price that begins after its end.
        tariff.periods.retain(|price| price.start < duration);
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

    pub fn pending(&self) -> Vec<String> {
        let waits = self.unstored.names().map(|id| format!("waits for σ {} on the chain", id.short(8)));
        self.enrolment.pending().into_iter().chain(waits).collect()
    }

    pub fn id(&self) -> ActorId {
        ActorId::new(Role::Csc, self.enrolment.me.index)
    }
}
