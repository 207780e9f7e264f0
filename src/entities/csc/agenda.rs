//! What the operator of a CSC wants done at given times: commands to gateways (flow 2) and to piles (flow 7), through the
//! KGC, which relays them to the gateways named beside them (WORLD.md §4, §7.1).

use super::Csc;
use crate::clmmsc::signcrypt::Item;
use crate::clmmsc::{Flow, PublicRecord, RecordId};
use crate::entities::actor::{ActorId, Role};
use crate::entities::command::{AreaLimit, Command, DefaultTariff};
use crate::entities::fact::{ActorRule, FactKind};
use crate::entities::io::{Io, TimerId};
use crate::entities::packet::Packet;
use crate::ledger::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// One entry: `at` on the virtual clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    pub at: Micros,
    pub what: Instruction,
}

/// Areas and piles are counted from 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Instruction {
    /// An area may draw no more than this for so many seconds.
    AreaLimit { area: u16, limit_w: u32, seconds: u64 },
    /// Commands given from `valid_from` on name this tariff, and piles use it for transactions they start themselves.
    Tariff(DefaultTariff),
    /// A pile is taken out of service, or into it again.
    Availability { pile: u16, operative: bool },
    /// The transaction at a pile ends.
    Stop { pile: u16 },
    /// What a pile may give a car that nobody has ordered anything for.
    DefaultLimit { pile: u16, limit_w: u32 },
}

impl Csc {
    /// Sets the timer for the next entry.
    pub(super) fn next_task(&self, now: Micros, io: &mut Io<'_, '_>) {
        if let Some(task) = self.agenda.last() {
            io.timer(TimerId::Task, Micros(task.at.0.saturating_sub(now.0)));
        }
    }

    pub(super) fn on_task(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        while self.agenda.last().is_some_and(|task| task.at <= now) {
            if let Some(task) = self.agenda.pop() {
                self.perform(now, task.what, io);
            }
        }
        self.next_task(now, io);
    }

    fn perform(&mut self, now: Micros, what: Instruction, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let unix = setup.unix(now).0;
        match what {
            Instruction::AreaLimit { area, limit_w, seconds } => {
                let limit = AreaLimit { limit_w, from: unix, to: unix.saturating_add(seconds) };
                self.limits.push((area, limit));
                let gateway = BTreeSet::from([setup.gateway_of(area)]);
                self.command(now, Flow::GATEWAY, &Command::AreaLimit(limit), gateway, None, io);
                self.news = true;
                io.timer(TimerId::Replan, super::COLLECT);
            }
            Instruction::Tariff(tariff) => {
                self.tariffs.push(tariff.clone());
                let gateways = (0..setup.areas).map(|area| setup.gateway_of(area)).collect();
                self.command(now, Flow::GATEWAY, &Command::DefaultTariff(tariff), gateways, None, io);
            }
            Instruction::Availability { pile, operative } => {
                self.pile_command(now, pile, &Command::Availability { operative }, io);
            }
            Instruction::DefaultLimit { pile, limit_w } => {
                self.defaults.insert(pile, limit_w);
                self.pile_command(now, pile, &Command::DefaultLimit { limit_w }, io);
            }
            Instruction::Stop { pile } => match self.car_at(now, pile) {
                Some((rid, (departure, transaction))) => {
                    self.forget(&rid);
                    self.stopped.insert(rid, departure);
                    self.pile_command(now, pile, &Command::Stop { transaction }, io);
                }
                None => refuse("no car is known at that pile", io),
            },
        }
    }

    /// The car that told of this pile, its departure, and its transaction.
    fn car_at(&mut self, now: Micros, pile: u16) -> Option<(RecordId, (u64, u64))> {
        self.forget_departed(now);
        let rid = self.genesis.as_ref()?.record(ActorId::new(Role::Cp, pile))?.rid.0;
        let (car, _) = self.uploads.iter().filter(|(_, upload)| upload.pile == rid).max_by_key(|(_, u)| u.time)?;
        Some((*car, *self.transactions.get(car)?))
    }

    fn pile_command(&mut self, now: Micros, pile: u16, command: &Command, io: &mut Io<'_, '_>) {
        let setup = &self.enrolment.setup;
        let gateway = BTreeSet::from([setup.gateway_of(setup.area_of(pile))]);
        self.command(now, Flow::PILE, command, gateway, Some(ActorId::new(Role::Cp, pile)), io);
    }

    /// One σ to the gateways, or by way of them to a pile.
    fn command(
        &mut self,
        now: Micros,
        flow: Flow,
        command: &Command,
        gateways: BTreeSet<u16>,
        pile: Option<ActorId>,
        io: &mut Io<'_, '_>,
    ) {
        let Some(genesis) = self.genesis.clone() else { return refuse("there is no network yet", io) };
        let css = |index: &u16| ActorId::new(Role::Css, *index);
        let receivers: Vec<ActorId> = pile.map_or_else(|| gateways.iter().map(css).collect(), |pile| vec![pile]);
        let records: BTreeMap<RecordId, &PublicRecord> =
            receivers.iter().filter_map(|actor| genesis.record(*actor)).map(|record| (record.rid, record)).collect();
        let message = command.encode();
        let items: Vec<Item<'_>> = records.values().map(|to| Item { to: *to, message: &message }).collect();
        let Some((id, sigma)) = self.signcrypt(now, flow, 64, &items, io) else { return };
        let gateways = gateways.into_iter().collect();
        self.submit(now, id, vec![Packet::Submit { gateways, sigma }], io);
    }
}

fn refuse(reason: &str, io: &mut Io<'_, '_>) {
    let (what, reason) = ("task".to_owned(), reason.to_owned());
    io.ruled(FactKind::Refused { what, reason, sigma: None, from: None }, ActorRule::En4);
}
