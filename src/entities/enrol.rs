//! How an actor comes to its keys: first request, acceptance, tickets, repetition of what was lost (paper §4.1,
//! WORLD.md §5). The same for everybody but the KGC.
//!
//! Requests go out one after the other. Tickets are for one epoch each: more are asked for when fewer than half are left,
//! and those of the next epoch before it begins, so that nobody falls silent at the turn of the hour.

use super::actor::{ActorId, Role};
use super::fact::{FactKind, Op};
use super::io::{Io, Output, TimerId, cost};
use super::packet::Packet;
use super::setup::Setup;
use crate::clmmsc::keys::Wanted;
use crate::clmmsc::request::{self, Head, Randomness};
use crate::clmmsc::schnorr::Message;
use crate::clmmsc::secret::Secret;
use crate::clmmsc::{Check, Class, Failure, KeyPair, Ticket, UserSecret};
use crate::ledger::{Digest, Micros};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use std::collections::VecDeque;
use std::sync::Arc;

/// Pinned records are valid for a year of hourly epochs.
pub const PINNED_EPOCHS: u32 = 8_760;
const FIRST_RETRY: Micros = Micros(500_000);
const LAST_RETRY: Micros = Micros(8_000_000);
/// Requests start within this time after the run.
const START_SPREAD_US: u32 = 50_000;
/// Tickets of an epoch are asked for so many seconds before it begins, or in the middle of a shorter one.
const AHEAD: u32 = 300;

/// A request on its way.
#[derive(Clone, Debug)]
struct Open {
    wire: Arc<[u8]>,
    digest: Message,
    want: Wanted,
    secrets: Vec<UserSecret>,
    retry: Micros,
}

/// Unused tickets. Nobody can copy a ticket; a forked world is another world.
#[derive(Debug, Default)]
struct Stock(VecDeque<Ticket>);

impl Clone for Stock {
    fn clone(&self) -> Stock {
        Stock(self.0.iter().map(Ticket::duplicate).collect())
    }
}

/// One actor's keys.
#[derive(Clone, Debug)]
pub struct Enrolment {
    pub setup: Arc<Setup>,
    pub me: ActorId,
    code: Secret<[u8; 32]>,
    /// Stream of this actor's long-term secrets.
    keys: ChaCha8Rng,
    /// First and last epoch of the ID record.
    validity: (u32, u32),
    tickets_wanted: u16,
    open: Option<Open>,
    /// Requests that wait until the open one is answered.
    queue: VecDeque<Open>,
    refused: bool,
    key: Option<KeyPair>,
    tickets: Stock,
    /// Epoch for whose tickets the timer is set.
    next_epoch: Option<u32>,
    /// Whether it also asks for a session record, to lend its key to a pile; and that record.
    lends: bool,
    session: Option<KeyPair>,
}

/// What an answer led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    Nothing,
    Key,
    Tickets,
}

fn wide(rng: &mut ChaCha8Rng) -> UserSecret {
    let mut bytes = [0; 64];
    rng.fill_bytes(&mut bytes);
    UserSecret::from_wide(&bytes)
}

impl Enrolment {
    /// `keys` is the actor's stream of secrets, `code` its enrolment code; validity in epochs.
    pub fn new(setup: Arc<Setup>, me: ActorId, code: [u8; 32], keys: ChaCha8Rng, validity: (u32, u32)) -> Self {
        let tickets_wanted = match me.role {
            Role::Csc => setup.tickets.csc,
            Role::Css => setup.tickets.css,
            Role::Ev => setup.tickets.ev,
            Role::Kgc | Role::Cp | Role::Outsider => 0,
        };
        Enrolment {
            setup,
            me,
            code: code.into(),
            keys,
            validity,
            tickets_wanted,
            open: None,
            queue: VecDeque::new(),
            refused: false,
            key: None,
            tickets: Stock::default(),
            next_epoch: None,
            lends: false,
            session: None,
        }
    }

    /// With a key from before the run (`bootstrap = "given"`).
    pub fn given(self, key: KeyPair) -> Self {
        Enrolment { key: Some(key), ..self }
    }

    /// Asks for a session record too (CLMMSC.md §11.1).
    pub fn lending(self) -> Self {
        Enrolment { lends: true, ..self }
    }

    /// The session record with its key, if it has one.
    pub fn session(&self) -> Option<&KeyPair> {
        self.session.as_ref()
    }

    pub fn key(&self) -> Option<&KeyPair> {
        self.key.as_ref()
    }

    pub fn refused(&self) -> bool {
        self.refused
    }

    /// Has the tickets of another state of the same enrolment: what a sender does that uses one twice.
    pub fn restock(&mut self, other: &Enrolment) {
        self.tickets = other.tickets.clone();
    }

    /// The next unused ticket of this epoch.
    pub fn take_ticket(&mut self, epoch: u32) -> Option<Ticket> {
        let at = self.tickets.0.iter().position(|t| t.record().valid_from() == epoch)?;
        self.tickets.0.remove(at)
    }

    pub fn has_ticket(&self, epoch: u32) -> bool {
        self.stock(epoch) > 0
    }

    /// Unused tickets of an epoch.
    pub fn stock(&self, epoch: u32) -> usize {
        self.tickets.0.iter().filter(|t| t.record().valid_from() == epoch).count()
    }

    /// The next unused ticket of this epoch, with care for those that come after it.
    pub fn spend(&mut self, now: Micros, io: &mut Io<'_, '_>) -> Option<Ticket> {
        let epoch = self.setup.epoch(now);
        let ticket = self.take_ticket(epoch);
        if self.stock(epoch) < usize::from(self.tickets_wanted / 2) {
            self.want_tickets(epoch, io);
        }
        if self.next_epoch.is_none_or(|next| next <= epoch) {
            self.next_epoch = Some(epoch + 1);
            let len = self.setup.params.policy.epoch_len;
            let due = (u64::from(epoch) + 1) * u64::from(len) - u64::from(AHEAD.min(len / 2));
            io.timer(TimerId::Tickets, Micros(self.setup.micros(due).0.saturating_sub(now.0)));
        }
        ticket
    }

    /// The next epoch is near: its tickets are asked for if there is still something to say in it.
    pub fn on_tickets_due(&mut self, now: Micros, still: bool, io: &mut Io<'_, '_>) {
        let next = self.setup.epoch(now) + 1;
        if still && !self.has_ticket(next) {
            self.want_tickets(next, io);
        }
    }

    /// Asks for a stock of an epoch's tickets, unless it has asked already.
    pub fn want_tickets(&mut self, epoch: u32, io: &mut Io<'_, '_>) {
        let same = |open: &Open| open.want.class == Class::Ticket && open.want.from == epoch;
        if !self.open.iter().chain(&self.queue).any(same) {
            self.ask_for(Class::Ticket, self.tickets_wanted, epoch, io);
        }
    }

    /// Why the actor waits, in words.
    pub fn pending(&self) -> Option<String> {
        match (&self.open, &self.key) {
            (_, None) if self.refused => Some("refused its key".into()),
            (Some(_), None) => Some("waits for its key".into()),
            (Some(_), Some(_)) => Some("waits for an answer of the KGC".into()),
            (None, None) => Some("has not asked for its key yet".into()),
            (None, Some(_)) => None,
        }
    }

    /// First request after a drawn delay.
    pub fn start(&mut self, io: &mut Io<'_, '_>) {
        let delay = (u64::from(io.rng.next_u32()) * u64::from(START_SPREAD_US)) >> 32;
        io.timer(TimerId::Request, Micros(delay));
    }

    /// After a crash that may have come before the first request was posted.
    pub fn restart(&mut self, io: &mut Io<'_, '_>) {
        if self.key.is_none() && self.open.is_none() {
            self.start(io);
        }
    }

    fn role(&self) -> crate::clmmsc::Role {
        use crate::clmmsc::Role as R;
        match self.me.role {
            Role::Kgc | Role::Outsider => R::Kgc,
            Role::Csc => R::Csc,
            Role::Css => R::Css,
            Role::Cp => R::Cp,
            Role::Ev => R::Ev,
        }
    }

    fn post(&mut self, open: Open, io: &mut Io<'_, '_>) {
        if self.open.is_some() {
            return self.queue.push_back(open);
        }
        io.bench.charge(cost::BOX + cost::SIGN);
        io.send(self.setup.kgc_node(), Packet::Request(open.wire.clone()));
        io.timer(TimerId::Request, open.retry);
        self.open = Some(open);
    }

    fn head(&self, kind: u8, class: Class, from: u32, to: u32) -> Head {
        Head { kind, class, role: self.role(), uid: self.me.uid(), from, to }
    }

    /// The request timer: ask for the first key, or repeat what was not answered.
    pub fn on_timer(&mut self, io: &mut Io<'_, '_>) {
        if let Some(mut open) = self.open.take() {
            open.retry = Micros((open.retry.0 * 2).min(LAST_RETRY.0));
            return self.post(open, io);
        }
        if self.key.is_some() || self.refused {
            return;
        }
        let secret = wide(&mut self.keys);
        let rand = Randomness { sign: io.rand32(), seal: io.rand32() };
        let (from, to) = self.validity;
        let head = self.head(1, Class::Id, from, to);
        let made = request::first(&self.setup.params, &self.setup.kgc, &head, &secret, &self.code, &rand);
        let want = Wanted { class: Class::Id, role: self.role(), from, to };
        let wire = made.wire.into();
        self.post(Open { wire, digest: made.digest, want, secrets: vec![secret], retry: FIRST_RETRY }, io);
    }

    /// Records of this epoch beside the own one: tickets, or a session record.
    fn ask_for(&mut self, class: Class, count: u16, epoch: u32, io: &mut Io<'_, '_>) {
        let Some(key) = self.key.clone().filter(|_| count > 0) else { return };
        let secrets: Vec<UserSecret> = (0..count).map(|_| wide(&mut self.keys)).collect();
        let rand = Randomness { sign: io.rand32(), seal: io.rand32() };
        let head = self.head(2, class, epoch, epoch);
        let made = request::further(&self.setup.params, &self.setup.kgc, &head, &secrets, &key, &rand);
        let want = Wanted { class, role: self.role(), from: epoch, to: epoch };
        self.post(Open { wire: made.wire.into(), digest: made.digest, want, secrets, retry: FIRST_RETRY }, io);
    }

    /// Tells the KGC behind which gateway the car stands now.
    pub fn attach(&mut self, now: Micros, gateway: [u8; 32], io: &mut Io<'_, '_>) {
        let Some(key) = self.key.clone() else { return };
        let epoch = self.setup.epoch(now);
        let rand = Randomness { sign: io.rand32(), seal: io.rand32() };
        let head = self.head(3, Class::Id, epoch, epoch);
        let time = self.setup.unix(now).0;
        let css = crate::clmmsc::RecordId(gateway);
        let made = request::attach(&self.setup.params, &self.setup.kgc, &head, &css, time, &key, &rand);
        let want = Wanted { class: Class::Id, role: self.role(), from: epoch, to: epoch };
        self.post(Open { wire: made.wire.into(), digest: made.digest, want, secrets: vec![], retry: FIRST_RETRY }, io);
    }

    /// An answer of the KGC; the first key is followed by a request for tickets.
    pub fn on_answer(&mut self, now: Micros, wire: &[u8], io: &mut Io<'_, '_>) -> Progress {
        let Some(open) = self.open.take() else { return Progress::Nothing };
        let params = &self.setup.params;
        let pairs = request::accept_answer(params, &open.want, &open.secrets, &open.digest, wire);
        // Answers name no request. One that was doubled or damaged on its way is not this request's: it is asked again.
        let foreign = match &pairs {
            _ if open.secrets.is_empty() => wire.len() != request::REFUSED.len(),
            Err(failure) => failure.check == Check::Q1 && wire != request::REFUSED,
            Ok(_) => false,
        };
        if foreign {
            self.open = Some(open);
            return Progress::Nothing;
        }
        io.out.push(Output::CancelTimer(TimerId::Request));
        let progress = self.accept(now, open, pairs, io);
        if let Some(next) = self.queue.pop_front() {
            self.post(next, io);
        }
        progress
    }

    fn accept(
        &mut self,
        now: Micros,
        open: Open,
        pairs: Result<Vec<KeyPair>, Failure>,
        io: &mut Io<'_, '_>,
    ) -> Progress {
        if open.secrets.is_empty() {
            return Progress::Nothing; // an attach: CLA1 or CLA0, nothing to accept
        }
        let count = open.secrets.len() as u32;
        let cost_us = (cost::ACCEPT * u64::from(count) + cost::BOX) as u32;
        io.bench.charge(cost_us.into());
        io.fact(FactKind::Step { op: Op::AcceptKey, count, cost_us });
        let pairs = match pairs {
            Ok(pairs) => pairs,
            Err(failure) => {
                self.refused = self.key.is_none();
                io.ruled(FactKind::KeyRefused { error: failure.error.name().into() }, failure.check);
                return Progress::Nothing;
            }
        };
        let rid = pairs.first().map_or(Digest::ZERO, |pair| Digest(pair.public().rid.0));
        let class = open.want.class as u8;
        io.ruled(FactKind::KeyAccepted { rid, class, count }, Check::A2);
        match open.want.class {
            Class::Id => {
                self.key = pairs.into_iter().next();
                // Only a valid record may ask: a car that comes later does so when it arrives.
                if self.validity.0 <= self.setup.epoch(now) {
                    self.want_tickets(self.setup.epoch(now), io);
                }
                Progress::Key
            }
            Class::Ticket => {
                self.tickets.0.extend(pairs.into_iter().filter_map(|pair| Ticket::new(pair).ok()));
                let lend = u16::from(self.lends && self.session.is_none());
                self.ask_for(Class::Session, lend, open.want.from, io);
                Progress::Tickets
            }
            Class::Session => {
                self.session = pairs.into_iter().next();
                Progress::Nothing
            }
        }
    }
}
