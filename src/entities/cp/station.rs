//! A pile as a part of its station: grants of its gateway, commands of flows 3 and 7, service without a command
//! (WORLD.md §4, §7.1, §7.4).
//!
//! A pile never draws more than it was granted. A gateway that says nothing for a second leaves it an equal part of the
//! area's cap.

use super::{Cp, Order, Transaction};
use crate::clmmsc::open::{self, Pinned, Receiver};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::{Check, Error, Failure, Flow, RecordId, SigmaId};
use crate::entities::actor::{ActorId, Role};
use crate::entities::command::{Command, DefaultTariff, NoCommand, Period, Profile};
use crate::entities::fact::{ActorRule, FactKind};
use crate::entities::io::{Io, Output, TimerId, cost};
use crate::entities::packet::Packet;
use crate::ledger::{Digest, Micros};
use crate::pbft::NodeId;
use std::collections::BTreeSet;

/// Patience with the gateway.
const PATIENCE: Micros = Micros(1_000_000);
/// A grant is renewed so many seconds before it ends.
const RENEW: u64 = 60;
/// A car that nobody ordered anything for is served by default after so many seconds.
const ALONE: u64 = 10;
/// Longest service by default, in seconds.
const SERVICE: u32 = 604_800;
/// Transactions with this bit were begun by the pile itself.
pub const OWN: u64 = 1 << 63;

/// What a pile orders itself: its default limit at its default tariff.
pub fn own_profile(transaction: u64, start: u64, limit_w: u32, tariff: &DefaultTariff) -> Profile {
    Profile {
        transaction,
        profile: 0,
        start,
        duration: SERVICE,
        energy_wh: 0,
        cost: 0,
        periods: vec![Period { start: 0, limit_w: limit_w.min(i32::MAX as u32) as i32 }],
        tariff: tariff.tariff.clone(),
    }
}

impl Cp {
    fn area(&self) -> u16 {
        self.enrolment.setup.area_of(self.enrolment.me.index)
    }

    fn gateway(&self) -> ActorId {
        ActorId::new(Role::Css, self.enrolment.setup.gateway_of(self.area()))
    }

    fn share_w(&self) -> i32 {
        self.enrolment.setup.share_w(self.area()).min(i32::MAX as u32) as i32
    }

    fn ask(&mut self, wanted_w: i32, io: &mut Io<'_, '_>) {
        io.send(self.enrolment.setup.node(self.gateway()), Packet::Draw { wanted_w });
    }

    // ---- grants

    /// How much of `wanted_w` may flow now. A raise is asked for; what is no longer needed is given back at once.
    pub(super) fn draw(&mut self, now: Micros, wanted_w: i32, io: &mut Io<'_, '_>) -> i32 {
        let ends_soon = self.grant.until <= self.enrolment.setup.unix(now).0 + RENEW;
        let needs = wanted_w.max(0);
        let asks = needs > self.grant.limit_w || (needs > 0 && ends_soon);
        // A raise that was asked for in vain keeps no grant alive.
        let renews = needs > 0 && ends_soon && self.grant.renewed != self.grant.until;
        if renews || (asks && self.grant.asked_w != Some(needs)) {
            if ends_soon {
                self.grant.renewed = self.grant.until;
            }
            self.grant.asked_w = Some(needs);
            self.ask(needs, io);
            io.timer(TimerId::Grant, PATIENCE);
        }
        if !asks {
            self.grant.asked_w = None;
        }
        if needs < self.grant.limit_w {
            self.grant.limit_w = needs;
            if !asks {
                self.ask(needs, io);
            }
        }
        wanted_w.min(self.grant.limit_w)
    }

    pub(super) fn on_grant(&mut self, now: Micros, from: NodeId, limit_w: i32, until: u64, io: &mut Io<'_, '_>) {
        if self.enrolment.setup.actor(from) != Some(self.gateway()) {
            return;
        }
        io.out.push(Output::CancelTimer(TimerId::Grant));
        (self.grant.limit_w, self.grant.until) = (limit_w.max(0), until);
        if self.grant.asked_w.is_some_and(|asked| asked <= limit_w) {
            self.grant.asked_w = None;
        }
        if self.bay.is_some() {
            self.dispatch(now, io);
        } else {
            self.give_back(io);
        }
    }

    /// The gateway is silent: an equal part of the cap, or what is still granted if that is more.
    pub(super) fn without_answer(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let unix = self.enrolment.setup.unix(now).0;
        let ends_soon = self.grant.until <= unix + RENEW;
        let share = self.share_w().min(self.grant.asked_w.unwrap_or(0));
        self.grant.limit_w = if ends_soon { share } else { share.max(self.grant.limit_w) };
        self.grant.until = unix + crate::entities::css::LEASE;
        self.dispatch(now, io);
    }

    /// The bay is empty.
    pub(super) fn give_back(&mut self, io: &mut Io<'_, '_>) {
        if self.grant.limit_w > 0 || self.grant.asked_w.is_some() {
            io.out.push(Output::CancelTimer(TimerId::Grant));
            self.ask(0, io);
        }
        self.grant = super::Held::default();
    }

    /// The limit of the newest ChargingStationMaxProfile, if it is in force.
    pub(super) fn under_ceiling(&self, wanted_w: i32, unix: u64) -> i32 {
        let in_force = self.ceiling.filter(|c| (c.start..c.start + u64::from(c.duration)).contains(&unix));
        in_force.map_or(wanted_w, |c| wanted_w.min(c.limit_w.min(i32::MAX as u32) as i32))
    }

    /// The next unix second at which something of the pile's own changes: ceiling, grant, patience with a command.
    pub(super) fn next_own_change(&self, unix: u64) -> Option<u64> {
        let ceiling = self.ceiling.map(|c| [c.start, c.start + u64::from(c.duration)]);
        let renewal = (self.grant.limit_w > 0).then(|| self.grant.until.saturating_sub(RENEW));
        let waits = self.bay.as_ref().filter(|bay| bay.transaction.is_none() && self.default_limit.is_some());
        let alone = waits.map(|bay| bay.since + ALONE);
        let moments = ceiling.into_iter().flatten().chain(renewal).chain(alone);
        moments.filter(|moment| *moment > unix).min()
    }

    // ---- commands to the pile itself

    /// A σ of flow 3 or 7: opened with the pile's own key if it is for this pile.
    pub(super) fn on_own(&mut self, now: Micros, verified: &VerifiedSigma, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let (id, flow) = (verified.id(), verified.header().flow);
        let sigma = Digest(id.0);
        let (Some(key), Some(genesis)) = (self.enrolment.key(), &self.genesis) else { return };
        io.bench.charge(cost::DECAPSULATE + cost::OPEN);
        // Only its own gateway tells a pile anything by flow 3.
        let pinned: BTreeSet<RecordId> = match flow {
            Flow::STATION => genesis.record(self.gateway()).map(|record| record.rid).into_iter().collect(),
            _ => genesis.pinned(Role::Csc),
        };
        let who = Receiver {
            record: key.record(),
            pinned: Pinned::Set(&pinned),
            since: 0,
            nullifiers: &|n| self.nullifiers.get(n).copied(),
            opened: &|id, rid| self.opened.contains(&(*id, *rid)),
        };
        let opened = open::open(&setup.params, verified, &who, &open::decapsulate(verified.head(), key));
        let opened = match opened {
            Ok(opened) => opened,
            Err(Failure { error: Error::NotAReceiver | Error::Replay, .. }) => return,
            Err(failure) => {
                let error = Some(failure.error.name().to_owned());
                return io.ruled(FactKind::Opened { sigma, flow: flow.code(), error }, failure.check);
            }
        };
        let rid = key.public().rid;
        io.ruled(FactKind::Opened { sigma, flow: flow.code(), error: None }, Check::R6);
        io.ruled(FactKind::Authenticated { sigma, sender: Digest(opened.sender_rid.0) }, Check::R10);
        self.nullifiers.insert(verified.nullifier(), id);
        self.opened.insert((id, rid));
        self.acts_on(now, verified, io);
        match Command::decode(flow, &opened.message) {
            Ok(command) => {
                let kind = command.kind();
                io.ruled(FactKind::Commanded { flow: flow.code(), kind }, ActorRule::En5);
                self.obey_own(now, id, command, io);
            }
            Err(NoCommand) => {
                let (what, reason) = ("command".to_owned(), NoCommand.to_string());
                io.ruled(FactKind::Refused { what, reason, sigma: Some(sigma), from: None }, ActorRule::En5);
            }
        }
    }

    fn obey_own(&mut self, now: Micros, id: SigmaId, command: Command, io: &mut Io<'_, '_>) {
        match command {
            Command::StationLimit(limit) if self.ceiling.is_none_or(|old| old.profile < limit.profile) => {
                self.ceiling = Some(limit);
            }
            Command::DefaultTariff(tariff) => self.default_tariff = Some(tariff),
            Command::DefaultLimit { limit_w } => self.default_limit = Some((id, limit_w)),
            Command::Availability { operative } => {
                let reopens = self.closed && operative;
                self.closed = !operative;
                let waiting = self.bay.as_ref().filter(|bay| bay.session.is_none()).map(|bay| bay.ev);
                if let Some(ev) = waiting.filter(|_| reopens) {
                    self.offer(now, ev, io);
                }
            }
            Command::Stop { transaction } => {
                let running = self.bay.as_mut().filter(|b| b.transaction.as_ref().is_some_and(|t| t.id == transaction));
                if let Some(bay) = running {
                    bay.stopped = true;
                }
            }
            _ => {}
        }
        self.dispatch(now, io);
    }

    /// A car in session that nobody ordered anything for is served at the default limit and tariff, if there are both.
    pub(super) fn serve_without_command(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let unix = setup.unix(now).0;
        let (Some((sigma, limit_w)), Some(tariff), Some(bay)) =
            (self.default_limit, &self.default_tariff, self.bay.as_mut())
        else {
            return;
        };
        let alone = bay.session.is_some() && !bay.stopped && unix >= bay.since + ALONE;
        let begins = bay.transaction.is_none() && limit_w > 0 && tariff.valid_from <= unix && !self.closed;
        let own = bay.transaction.as_mut().filter(|t| t.id & OWN != 0);
        match own {
            Some(own) if own.newest.sigma != sigma => {
                let profile = own_profile(own.id, unix, limit_w, tariff);
                io.ruled(FactKind::Started { transaction: own.id, at: now }, ActorRule::En5);
                own.older.push(core::mem::replace(&mut own.newest, Order { since: now, sigma, profile }));
            }
            None if alone && begins => {
                self.started += 1;
                let id = OWN | u64::from(self.enrolment.me.index) << 32 | self.started;
                let newest = Order { since: now, sigma, profile: own_profile(id, unix, limit_w, tariff) };
                io.ruled(FactKind::Started { transaction: id, at: now }, ActorRule::En5);
                bay.transaction = Some(Transaction { id, newest, older: vec![], shares: vec![] });
            }
            _ => {}
        }
    }

    /// An upload of the car in the bay goes on to the gateway as it is.
    pub(super) fn pass_on(&self, from: NodeId, packet: &Packet, io: &mut Io<'_, '_>) {
        if self.bay.as_ref().is_some_and(|bay| bay.node == from) {
            io.send(self.enrolment.setup.node(self.gateway()), packet.clone());
        }
    }
}
