//! The key generation centre: issues keys and pseudo-identities, makes genesis, routes σ by opening f_i
//! (paper §4.1, §4.2; WORLD.md §4, §5).
//!
//! It can issue records, but it knows no user's x: it can neither sign for anybody nor read what is sent to them.

mod routing;

use routing::Half;

use super::actor::{ActorId, Role};
use super::copy::ChainCopy;
use super::fact::{ActorRule, FactKind};
use super::io::{Input, Io, Output, TimerId, Wish, cost};
use super::packet::Packet;
use super::setup::{Genesis, Setup};
use super::unstored::Unstored;
use crate::clmmsc::channel::{self, Purpose};
use crate::clmmsc::keys::IssuedItem;
use crate::clmmsc::kgc::{Desk, Granted, Issue, MasterKey, User};
use crate::clmmsc::verify::ticket_of;
use crate::clmmsc::{Class, Error, KeyPair, Params, PublicRecord, Record, RecordId, SigmaId, list, request};
use crate::ledger::{self, Digest, Micros, Secs};
use crate::pbft::{self, Config, NodeId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The list follows the last change by this time.
const LIST_AFTER: Micros = Micros(200_000);

/// How keys are issued; arguments as [`MasterKey::issue`].
pub type Issuer = fn(&MasterKey, &Params, &Issue, &[u8; 32], &[u8; 32]) -> Result<IssuedItem, Error>;

#[derive(Clone, Debug)]
pub struct Kgc {
    setup: Arc<Setup>,
    me: ActorId,
    master: MasterKey,
    issuer: Issuer,
    key: KeyPair,
    desk: Desk,
    answers: VecDeque<(Micros, NodeId, Arc<[u8]>)>,
    /// First ID record of each actor.
    records: BTreeMap<ActorId, PublicRecord>,
    genesis: Option<Arc<Genesis>>,
    attached: BTreeMap<ActorId, u16>,
    halves: BTreeMap<SigmaId, Half>,
    opened: BTreeSet<SigmaId>,
    /// What it routed.
    routed: Unstored,
    copy: Option<ChainCopy>,
}

impl Kgc {
    /// The centre with its master key, its own record, and everybody's enrolment code.
    pub fn new(setup: Arc<Setup>, master: MasterKey, key: KeyPair, codes: &[(ActorId, [u8; 32])]) -> Self {
        let mut desk = Desk::default();
        for (actor, code) in codes {
            let role = match actor.role {
                Role::Kgc | Role::Outsider => continue,
                Role::Csc => crate::clmmsc::Role::Csc,
                Role::Css => crate::clmmsc::Role::Css,
                Role::Cp => crate::clmmsc::Role::Cp,
                Role::Ev => crate::clmmsc::Role::Ev,
            };
            desk.register(actor.uid(), User { role, code: Some((*code).into()), records: vec![], attached: None });
        }
        Kgc {
            setup,
            me: ActorId::new(Role::Kgc, 0),
            master,
            issuer: MasterKey::issue,
            key,
            desk,
            answers: VecDeque::new(),
            records: BTreeMap::new(),
            genesis: None,
            attached: BTreeMap::new(),
            halves: BTreeMap::new(),
            opened: BTreeSet::new(),
            routed: Unstored::default(),
            copy: None,
        }
    }

    /// The KGC's own identity record.
    pub fn record(&self) -> &PublicRecord {
        self.key.public()
    }

    /// Issues keys in another way from now on: what a rogue centre can do.
    pub fn issue_by(&mut self, issuer: Issuer) {
        self.issuer = issuer;
    }

    /// Whatever key the centre wants, for whomever it wants.
    ///
    /// # Errors
    /// As [`MasterKey::issue`].
    pub fn issue(&self, what: &Issue, x: &[u8; 32], rand32: &[u8; 32]) -> Result<IssuedItem, Error> {
        (self.issuer)(&self.master, &self.setup.params, what, x, rand32)
    }

    /// The centre's own identity key.
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// The record it issued to an actor.
    pub fn record_of(&self, actor: ActorId) -> Option<&PublicRecord> {
        self.records.get(&actor)
    }

    /// What it keeps of the chain, once genesis is made.
    pub fn copy(&self) -> Option<&ChainCopy> {
        self.copy.as_ref()
    }

    /// The chain as it has it, once genesis is made.
    pub fn chain(&self) -> Option<&ledger::Chain> {
        self.copy.as_ref().map(ChainCopy::chain)
    }

    pub fn id(&self) -> ActorId {
        self.me
    }

    pub fn step(&mut self, now: Micros, input: Input<'_>, io: &mut Io<'_, '_>) {
        match input {
            Input::Restart(_) => {}
            Input::Start => io.fact(FactKind::SetUp { params_id: Digest(self.setup.params.id) }),
            Input::Timer(TimerId::Answer) => self.send_answers(now, io),
            Input::Timer(TimerId::List | TimerId::Epoch) => self.send_lists(now, io),
            Input::Timer(TimerId::Pair) => self.give_up(now, io),
            Input::Timer(TimerId::Stored) => self.repeat(now, io),
            Input::Timer(TimerId::Chain) => {
                if let Some(copy) = self.copy.as_mut() {
                    copy.on_timer(io);
                }
            }
            Input::Wish(Wish::OpenTicket) => self.open_ticket(io),
            Input::Parcel(parcel) => self.on_parcel(now, parcel, io),
            Input::Timer(_) | Input::Plant(_) | Input::Wish(_) => {}
            Input::Deliver { from, packet } => match packet {
                Packet::Request(wire) => self.on_request(now, from, wire, io),
                Packet::Submit { gateways, sigma } => self.on_submit(now, gateways, sigma, io),
                Packet::Direct(sigma) => self.on_routing(now, sigma, io),
                Packet::Pbft(msg) => self.on_publish(now, self.setup.actor(from), msg, io),
                _ => {}
            },
        }
    }

    // ---- keys

    fn on_request(&mut self, now: Micros, from: NodeId, wire: &[u8], io: &mut Io<'_, '_>) {
        io.bench.charge(cost::REQUEST);
        let unix = self.setup.unix(now).0;
        let answer = match self.desk.check(&self.setup.params, &self.key, unix, wire) {
            Ok(Granted { stored: Some(answer), .. }) => answer,
            Ok(granted) => match self.grant(&granted, io) {
                Some(answer) => answer,
                None => request::REFUSED.as_slice().into(),
            },
            Err(failure) => {
                io.refuse("request", failure, None, self.setup.actor(from));
                request::REFUSED.as_slice().into()
            }
        };
        self.answers.push_back((Micros(now.0 + self.setup.answer_delay.0), from, answer));
        if self.answers.len() == 1 {
            io.timer(TimerId::Answer, self.setup.answer_delay);
        }
    }

    fn grant(&mut self, granted: &Granted, io: &mut Io<'_, '_>) -> Option<Arc<[u8]>> {
        let head = granted.head;
        let of = ActorId::from_uid(head.uid)?;
        if let Some((css, _)) = granted.attach {
            let answer: Arc<[u8]> = request::ACCEPTED.as_slice().into();
            self.desk.remember(granted, &[], answer.clone());
            io.out.push(Output::Persist("attach"));
            let css = self.genesis.as_ref().and_then(|g| g.owner(&css.0))?;
            self.attached.insert(of, css.index);
            io.fact(FactKind::Attached { ev: of, css });
            return Some(answer);
        }
        let params = &self.setup.params;
        let mut items: Vec<IssuedItem> = Vec::new();
        for x in &granted.keys {
            let ctr = self.desk.next_counter(head.class, head.role, head.uid, head.from);
            let what = Issue { class: head.class, role: head.role, from: head.from, to: head.to, uid: head.uid, ctr };
            items.push((self.issuer)(&self.master, params, &what, x, &io.rand32()).ok()?);
        }
        io.bench.charge(cost::ISSUE * items.len() as u64 + cost::BOX);
        let x1 = granted.keys.first()?;
        let answer: Arc<[u8]> = self.master.seal_answer(params, &granted.digest, x1, &items, &io.rand32()).ok()?.into();
        let records: Vec<(RecordId, Record)> = items.iter().map(|(rec, _)| (rec.rid(params), *rec)).collect();
        self.desk.remember(granted, &records, answer.clone());
        io.bench.charge(cost::PERSIST);
        io.out.push(Output::Persist("answer"));
        io.fact(FactKind::Registered { of, class: head.class as u8, count: items.len() as u32 });
        if head.class == Class::Id {
            let record = items[0].0.derive(params).ok()?;
            io.fact(FactKind::PseudonymIssued { of, f: Digest(items[0].0.f()) });
            self.enrolled(of, record, io);
        }
        Some(answer)
    }

    fn enrolled(&mut self, of: ActorId, record: PublicRecord, io: &mut Io<'_, '_>) {
        self.records.insert(of, record);
        if of.role == Role::Ev {
            io.timer(TimerId::List, LIST_AFTER);
        }
        if self.genesis.is_some() || !self.setup.pinned().all(|actor| self.records.contains_key(&actor)) {
            return;
        }
        let Some(genesis) = self.make_genesis() else { return };
        let genesis = Arc::new(genesis);
        for (actor, record) in &genesis.directory {
            if actor.role == Role::Css {
                self.desk.pin_gateway(record.rid);
            }
        }
        self.copy = Some(ChainCopy::new(&genesis.config));
        self.genesis = Some(genesis.clone());
        io.fact(FactKind::GenesisMade { network_id: genesis.network_id() });
        let everybody = 1 + self.setup.n + self.setup.csc + self.setup.cp + self.setup.ev;
        let to = (0..everybody).map(NodeId).filter(|node| *node != self.setup.kgc_node()).collect();
        io.out.push(Output::Fan { to, packet: Packet::Letter(genesis) });
    }

    fn make_genesis(&self) -> Option<Genesis> {
        let s = &self.setup;
        let directory: Vec<(ActorId, PublicRecord)> =
            s.pinned().map(|actor| Some((actor, self.records.get(&actor)?.clone()))).collect::<Option<_>>()?;
        let gateways = directory.iter().filter(|(a, _)| a.role == Role::Css);
        let (a, p) = (&s.agreement, &s.params.policy);
        let genesis = pbft::Genesis {
            params_id: Digest(s.params.id),
            rids: gateways.map(|(_, record)| Digest(record.rid.0)).collect(),
            policy: ledger::Policy {
                batch_max: a.batch_max,
                batch_bytes: a.batch_bytes,
                epoch_secs: p.epoch_len.into(),
                skew: p.skew.into(),
                ttl_max: p.ttl_max.into(),
                max_lag: p.epoch_len.into(),
            },
            k: a.checkpoint,
            l: a.window,
            time: Secs(s.genesis_time),
        };
        let mut config = Config::new(genesis).ok()?;
        config.pipeline = a.pipeline;
        config.batch_delay = a.batch_delay;
        config.t0 = a.t0;
        config.relay_after = a.relay_after;
        config.backoff_cap = a.backoff_cap;
        config.fetch_timeout = a.fetch_timeout;
        config.drift = a.drift;
        config.pool_max = a.pool_max;
        config.resend = a.resend;
        config.status_every = a.status_every;
        config.retain = a.retain;
        config.rotate_every = a.rotate_every;
        Some(Genesis { config: Arc::new(config), directory })
    }

    fn send_answers(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        while self.answers.front().is_some_and(|(due, _, _)| *due <= now) {
            if let Some((_, to, answer)) = self.answers.pop_front() {
                io.send(to, Packet::Answer(answer));
            }
        }
        if let Some((due, _, _)) = self.answers.front() {
            io.timer(TimerId::Answer, Micros(due.0 - now.0));
        }
    }

    fn send_lists(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let Some(genesis) = self.genesis.clone() else {
            return io.timer(TimerId::List, LIST_AFTER); // nobody to send it to yet
        };
        let epoch = self.setup.epoch(now);
        let begin = (u64::from(epoch) + 1) * u64::from(self.setup.params.policy.epoch_len);
        io.timer(TimerId::Epoch, Micros(self.setup.micros(begin).0.saturating_sub(now.0)));
        let valid = |record: &&PublicRecord| record.record.valid_at(epoch);
        let evs = self.records.iter().filter(|(a, _)| a.role == Role::Ev).map(|(_, record)| record);
        let records: Vec<Record> = evs.filter(valid).map(|record| record.record).collect();
        for csc in (0..self.setup.csc).map(|index| ActorId::new(Role::Csc, index)) {
            let Some(to) = genesis.record(csc) else { continue };
            io.bench.charge(cost::SIGN + cost::BOX);
            let plain = list::make(&self.setup.params, &self.key, epoch, &records, &io.rand32());
            let secret = io.rand32();
            let boxed = channel::seal_box(&self.setup.params, Purpose::List, to, &plain, &secret, &io.rand32());
            io.send(self.setup.node(csc), Packet::List(boxed.into()));
            io.ruled(FactKind::ListSent { csc, count: records.len() as u32 }, ActorRule::En8);
        }
    }

    /// The centre after everybody has come for a key and genesis is made (`bootstrap = "given"`).
    pub fn given(&mut self, records: BTreeMap<ActorId, PublicRecord>) -> Option<Arc<Genesis>> {
        self.records = records;
        let genesis = Arc::new(self.make_genesis()?);
        self.copy = Some(ChainCopy::new(&genesis.config));
        self.genesis = Some(genesis.clone());
        Some(genesis)
    }

    /// The ticket of the newest stored σ: what [`Wish::OpenTicket`] would be about.
    pub fn newest_ticket(&self) -> Option<(SigmaId, Record)> {
        let chain = self.copy.as_ref()?.chain();
        let newest =
            chain.range(1..=chain.height().0).filter_map(|block| block.proposal.as_ref()?.txs.last()).last()?;
        Some((SigmaId(newest.id.0), ticket_of(newest.bytes())?))
    }

    /// Names the owner of a ticket, with the owner's own signed request as proof (CLMMSC.md §11.4).
    fn open_ticket(&mut self, io: &mut Io<'_, '_>) {
        let Some((sigma, ticket)) = self.newest_ticket() else { return };
        let Some(claim) = self.desk.claim(&ticket) else { return };
        io.fact(FactKind::TicketOpened { sigma: Digest(sigma.0), uid: claim.uid });
        let to = (0..self.setup.n).map(NodeId).collect();
        io.out.push(Output::Fan { to, packet: Packet::Claim(Arc::new(claim)) });
    }

    pub fn pending(&self) -> Vec<String> {
        let mut all = Vec::new();
        if self.genesis.is_none() {
            let missing = self.setup.pinned().filter(|actor| !self.records.contains_key(actor));
            all.extend(missing.map(|actor| format!("waits for the request of {actor}")));
        }
        all.extend(self.routed.names().map(|id| format!("waits for σ {} on the chain", id.short(8))));
        all
    }
}
