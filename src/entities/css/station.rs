//! A gateway as keeper of its area: it grants power to its piles, obeys commands of flow 2 once they stand in its chain,
//! tells its piles by flow 3, and passes uploads on to the chain (WORLD.md §4, §7.1, §7.4).
//!
//! It never grants more than the area may draw, whatever was ordered. It reads no command of flow 1 and no upload.

use super::Css;
use crate::clmmsc::open::{self, Pinned, Receiver};
use crate::clmmsc::signcrypt::{self, Envelope, Item};
use crate::clmmsc::{Check, Failure, Flow};
use crate::entities::actor::{ActorId, Role};
use crate::entities::command::{AreaLimit, Command, NoCommand, StationLimit};
use crate::entities::csc::signcrypt_facts;
use crate::entities::fact::{ActorRule, FactKind};
use crate::entities::io::{Io, Output, TimerId, cost};
use crate::entities::packet::{Packet, parse_sigma};
use crate::ledger::{Block, Digest, Micros, Secs};
use crate::pbft::{self, Envelope as Post, Message, NodeId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A grant holds for so many seconds; a pile that needs it longer asks again before.
pub(in crate::entities) const LEASE: u64 = 3_600;
/// A grant that ran out is forgotten so many seconds later.
const GRACE: u64 = 5;
/// Less than this is not worth a further grant, in W.
const STEP_W: i64 = 100;

/// What a pile wants and may draw, in W.
#[derive(Clone, Copy, Default, Debug)]
struct Claim {
    wanted_w: i32,
    granted_w: i32,
    /// Unix seconds.
    until: u64,
}

/// The power of an area.
#[derive(Clone, Default, Debug)]
pub(super) struct Station {
    claims: BTreeMap<u16, Claim>,
    limits: Vec<AreaLimit>,
    profiles: u32,
    obeyed: BTreeSet<Digest>,
    /// Commands for piles that wait for a ticket.
    outbox: Vec<Vec<(ActorId, Command)>>,
}

impl Station {
    /// Some pile draws.
    pub fn busy(&self) -> bool {
        self.claims.values().any(|claim| claim.granted_w > 0)
    }

    fn granted_w(&self) -> i64 {
        self.claims.values().map(|claim| i64::from(claim.granted_w)).sum()
    }
}

impl Css {
    /// The tightest limit of the area in force at a unix second.
    pub fn area_limit(&self, unix: u64) -> Option<AreaLimit> {
        let in_force = self.station.limits.iter().filter(|l| (l.from..l.to).contains(&unix));
        in_force.min_by_key(|limit| limit.limit_w).copied()
    }

    /// What the area may draw now.
    fn cap_w(&self, unix: u64) -> i64 {
        let setup = &self.enrolment.setup;
        let area = (0..setup.areas).find(|area| setup.gateway_of(*area) == self.me().index);
        let cap = area.and_then(|area| setup.area_cap_w.get(usize::from(area))).copied().unwrap_or(0);
        self.area_limit(unix).map_or(cap, |limit| limit.limit_w.min(cap)).into()
    }

    /// A pile wants more, or needs less from now on: what it no longer needs goes to those that wait.
    pub(super) fn on_draw(&mut self, now: Micros, from: NodeId, wanted_w: i32, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let mine =
            |actor: &ActorId| actor.role == Role::Cp && setup.gateway_of(setup.area_of(actor.index)) == self.me().index;
        let Some(pile) = setup.actor(from).filter(mine) else { return };
        let unix = setup.unix(now).0;
        self.station.claims.retain(|_, claim| claim.until + GRACE > unix);
        let claim = self.station.claims.entry(pile.index).or_default();
        let answer = wanted_w > 0 && wanted_w >= claim.granted_w;
        claim.wanted_w = wanted_w.max(0);
        claim.granted_w = claim.granted_w.min(claim.wanted_w);
        claim.until = unix + LEASE;
        if answer {
            self.grant(now, pile.index, io);
        }
        self.share_out(now, io);
    }

    /// As much as the pile wants and the area has left.
    fn grant(&mut self, now: Micros, pile: u16, io: &mut Io<'_, '_>) {
        let setup = &self.enrolment.setup;
        let left = (self.cap_w(setup.unix(now).0) - self.station.granted_w()).max(0);
        let to = setup.node(ActorId::new(Role::Cp, pile));
        let Some(claim) = self.station.claims.get_mut(&pile) else { return };
        let most = i64::from(claim.granted_w) + left;
        claim.granted_w = i64::from(claim.wanted_w).min(most).clamp(0, i32::MAX.into()) as i32;
        io.send(to, Packet::Grant { limit_w: claim.granted_w, until: claim.until });
    }

    fn share_out(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let waiting = self.station.claims.iter().filter(|(_, claim)| claim.wanted_w > claim.granted_w);
        let waiting: Vec<u16> = waiting.map(|(pile, _)| *pile).collect();
        for pile in waiting {
            if self.cap_w(self.enrolment.setup.unix(now).0) - self.station.granted_w() >= STEP_W {
                self.grant(now, pile, io);
            }
        }
    }

    // ---- commands of flow 2

    /// Commands for this gateway in a block that it has executed.
    pub(super) fn obey(&mut self, now: Micros, block: &Block, io: &mut Io<'_, '_>) {
        let Some(proposal) = &block.proposal else { return };
        for (index, tx) in proposal.txs.iter().enumerate() {
            let void = block.voids.iter().any(|(at, _)| *at as usize == index);
            if tx.bytes().get(6) == Some(&Flow::GATEWAY.code()) && !void && !self.station.obeyed.contains(&tx.id) {
                self.open_command(now, tx.id, &tx.shared_bytes(), block.header.time, io);
            }
        }
    }

    fn open_command(&mut self, now: Micros, sigma: Digest, bytes: &Arc<[u8]>, time: Secs, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        // What stands in the chain was valid at the time of its block.
        let Ok(verified) = io.bench.verify(bytes, time) else { return };
        let Some(key) = self.enrolment.key() else { return };
        io.bench.charge(cost::DECAPSULATE + cost::OPEN);
        let pinned = self.genesis.as_ref().map(|g| g.pinned(Role::Csc)).unwrap_or_default();
        let who = Receiver {
            record: key.record(),
            pinned: Pinned::Set(&pinned),
            since: 0,
            nullifiers: &|_| None,
            opened: &|_, _| false,
        };
        let opened = open::open(&setup.params, &verified, &who, &open::decapsulate(verified.head(), key));
        let opened = match opened {
            Ok(opened) => opened,
            Err(Failure { check: Check::R4, .. }) => return,
            Err(failure) => {
                let error = Some(failure.error.name().to_owned());
                return io.ruled(FactKind::Opened { sigma, flow: 2, error }, failure.check);
            }
        };
        self.station.obeyed.insert(sigma);
        io.ruled(FactKind::Opened { sigma, flow: 2, error: None }, Check::R6);
        io.ruled(FactKind::Authenticated { sigma, sender: Digest(opened.sender_rid.0) }, Check::R10);
        match Command::decode(Flow::GATEWAY, &opened.message) {
            Ok(command) => {
                io.ruled(FactKind::Commanded { flow: 2, kind: command.kind() }, ActorRule::En10);
                self.obey_command(now, command, io);
            }
            Err(NoCommand) => {
                let (what, reason) = ("command".to_owned(), NoCommand.to_string());
                io.ruled(FactKind::Refused { what, reason, sigma: Some(sigma), from: None }, ActorRule::En10);
            }
        }
    }

    fn obey_command(&mut self, now: Micros, command: Command, io: &mut Io<'_, '_>) {
        match command {
            Command::AreaLimit(limit) => {
                self.station.limits.push(limit);
                self.on_limit(now, io);
            }
            Command::DefaultTariff(_) => {
                let piles = self.enrolment.setup.piles_of(self.me().index);
                self.tell(now, piles.into_iter().map(|pile| (pile, command.clone())).collect(), io);
            }
            _ => {}
        }
    }

    /// A limit begins or ends: what is granted beyond it is split over the piles in use, by what each was granted.
    pub(super) fn on_limit(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let unix = self.enrolment.setup.unix(now).0;
        self.station.limits.retain(|limit| limit.to > unix);
        let moments = self.station.limits.iter().flat_map(|limit| [limit.from, limit.to]);
        if let Some(next) = moments.filter(|moment| *moment > unix).min() {
            io.timer(TimerId::AreaLimit, Micros(self.enrolment.setup.micros(next).0.saturating_sub(now.0)));
        }
        let (cap, used) = (self.cap_w(unix), self.station.granted_w());
        if let Some(limit) = self.area_limit(unix).filter(|_| used > cap) {
            let mut orders = Vec::new();
            for (pile, claim) in self.station.claims.iter_mut().filter(|(_, claim)| claim.granted_w > 0) {
                claim.granted_w = (i64::from(claim.granted_w) * cap / used) as i32;
                self.station.profiles += 1;
                let order = StationLimit {
                    profile: self.station.profiles,
                    start: unix,
                    duration: (limit.to - unix).min(u32::MAX.into()) as u32,
                    limit_w: claim.granted_w.unsigned_abs(),
                };
                orders.push((ActorId::new(Role::Cp, *pile), Command::StationLimit(order)));
            }
            self.tell(now, orders, io);
        }
        self.share_out(now, io);
    }

    // ---- flow 3

    fn tell(&mut self, now: Micros, orders: Vec<(ActorId, Command)>, io: &mut Io<'_, '_>) {
        if !orders.is_empty() {
            self.station.outbox.push(orders);
            self.post(now, io);
        }
    }

    /// Sends what waits for a ticket, one σ for all piles that it concerns, and enters it at the own replica.
    pub(super) fn post(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        while let Some(orders) = self.station.outbox.first().cloned() {
            let Some(bytes) = self.signcrypt(now, &orders, io) else { return };
            self.station.outbox.remove(0);
            let to = orders.iter().map(|(pile, _)| self.enrolment.setup.node(*pile)).collect();
            io.out.push(Output::Fan { to, packet: Packet::Area(bytes.clone()) });
            self.enter(now, &bytes, io);
        }
    }

    fn signcrypt(&mut self, now: Micros, orders: &[(ActorId, Command)], io: &mut Io<'_, '_>) -> Option<Arc<[u8]>> {
        let (setup, genesis) = (self.enrolment.setup.clone(), self.genesis.clone()?);
        let ticket = self.enrolment.spend(now, io)?;
        let key = self.enrolment.key()?.clone();
        let messages: Vec<Vec<u8>> = orders.iter().map(|(_, command)| command.encode()).collect();
        let records = orders.iter().map(|(pile, _)| genesis.record(*pile));
        let items = records.zip(&messages).map(|(to, message)| Some(Item { to: to?, message }));
        let items: Vec<Item<'_>> = items.collect::<Option<_>>()?;
        let created = setup.unix(now).0;
        let envelope = Envelope { flow: Flow::STATION, created, ttl: setup.ttl, floor: 64, pad_to: 0 };
        let made = signcrypt::signcrypt(&setup.params, &envelope, &key, ticket, &items, &io.rand32()).ok()?;
        signcrypt_facts(&made, Flow::STATION, items.len() as u32, io);
        Some(made.bytes.into())
    }

    /// An own σ, or one that came by a pile, as a ciphertext for the replica.
    fn enter(&mut self, now: Micros, bytes: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let Some(sigma) = parse_sigma(&self.enrolment.setup.params, bytes) else { return };
        let me = NodeId(self.me().index);
        let post = Post { from: me, to: me, msg: Arc::new(Message::Ciphertext(Arc::new(sigma))) };
        self.agree(now, pbft::Input::Deliver(post), io);
    }

    // ---- uploads

    /// Verified in public, then on to the centres and into the chain; whose it is and what it says stays closed.
    pub(super) fn on_upload(&mut self, now: Micros, from: NodeId, bytes: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let sigma = Digest(crate::clmmsc::verify::sigma_id(&setup.params, bytes).0);
        let error = match io.bench.verify(bytes, setup.unix(now)) {
            Ok(verified) if verified.header().flow == Flow::UPLOAD => None,
            Ok(_) => Some(Failure { check: Check::V2, error: crate::clmmsc::Error::Flow }),
            Err(failure) => Some(failure),
        };
        if let Some(failure) = error {
            return io.refuse("upload", failure, Some(sigma), setup.actor(from));
        }
        io.ruled(FactKind::Verified { sigma, error: None }, Check::V6);
        let to = (0..setup.csc).map(|index| setup.node(ActorId::new(Role::Csc, index))).collect();
        io.out.push(Output::Fan { to, packet: Packet::Direct(bytes.clone()) });
        self.enter(now, bytes, io);
    }
}
