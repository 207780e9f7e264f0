//! Routing: a σ and the list of its receivers come separately; with both the KGC opens each f_i and passes σ on, until the
//! chain has it or it dies (paper §4.2, WORLD.md §4, CONSENSUS.md §4.1).

use super::Kgc;
use crate::clmmsc::open::{self, Pinned, Receiver};
use crate::clmmsc::payload::Routing;
use crate::clmmsc::{Class, Failure, Flow, RecordId, SigmaId};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{ActorRule, FactKind};
use crate::entities::io::{Io, Output, Parcel, TimerId, cost};
use crate::entities::packet::Packet;
use crate::ledger::{Digest, Micros};
use crate::pbft::{self, NodeId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Patience with the second of the two packets about a σ.
const PAIR_PATIENCE: Micros = Micros(5_000_000);

/// What is known about a σ before it can be routed.
#[derive(Clone, Debug)]
pub(super) struct Half {
    since: Micros,
    sigma: Option<Arc<[u8]>>,
    /// Class and pseudo-identity of each receiver, by part of the list.
    parts: BTreeMap<u16, Vec<(Class, [u8; 32])>>,
    /// Number of parts; 0 while none has come.
    wanted: u16,
    /// The σ of flow 6 that brought them.
    lists: Vec<SigmaId>,
}

impl Half {
    /// The whole list, once every part of it is there.
    fn receivers(&self) -> Option<Vec<(Class, [u8; 32])>> {
        let whole = self.wanted > 0 && self.parts.len() == usize::from(self.wanted);
        whole.then(|| self.parts.values().flatten().copied().collect())
    }
}

impl Kgc {
    fn half(&mut self, now: Micros, id: SigmaId, io: &mut Io<'_, '_>) -> &mut Half {
        if self.halves.is_empty() {
            io.timer(TimerId::Pair, PAIR_PATIENCE);
        }
        self.halves.entry(id).or_insert(Half {
            since: now,
            sigma: None,
            parts: BTreeMap::new(),
            wanted: 0,
            lists: vec![],
        })
    }

    /// Verifies; a failure is a fact.
    fn verified(
        &self,
        now: Micros,
        bytes: &Arc<[u8]>,
        io: &mut Io<'_, '_>,
    ) -> Option<crate::clmmsc::verify::VerifiedSigma> {
        let sigma = Digest(crate::clmmsc::verify::sigma_id(&self.setup.params, bytes).0);
        match io.bench.verify(bytes, self.setup.unix(now)) {
            Ok(verified) => {
                io.ruled(FactKind::Verified { sigma, error: None }, crate::clmmsc::Check::V6);
                Some(verified)
            }
            Err(failure) => {
                let error = Some(failure.error.name().to_owned());
                io.ruled(FactKind::Verified { sigma, error }, failure.check);
                None
            }
        }
    }

    pub(super) fn on_submit(&mut self, now: Micros, gateways: &[u16], bytes: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let Some(verified) = self.verified(now, bytes, io) else { return };
        let id = verified.id();
        let stored = self.chain().is_some_and(|chain| chain.find(&Digest(id.0)).is_some());
        if stored || self.routed.has(&Digest(id.0)) {
            return; // The CSC does not know yet.
        }
        if matches!(verified.header().flow, Flow::GATEWAY | Flow::PILE) {
            // Gateways and piles are public: they are named beside σ.
            let gateways = gateways.iter().copied().filter(|index| *index < self.setup.n).collect();
            return self.forward(now, id, Packet::Route(bytes.clone()), gateways, io);
        }
        self.half(now, id, io).sigma = Some(bytes.clone());
        self.route(now, id, io);
    }

    /// Flow 6: the list of receivers beside a σ.
    pub(super) fn on_routing(&mut self, now: Micros, bytes: &Arc<[u8]>, io: &mut Io<'_, '_>) {
        let Some(verified) = self.verified(now, bytes, io) else { return };
        let sigma = Digest(verified.id().0);
        if self.opened.contains(&verified.id()) {
            return; // The CSC repeats it beside its σ.
        }
        match self.open_routing(&verified, io) {
            Ok(list) => {
                self.opened.insert(verified.id());
                io.fact(FactKind::Opened { sigma, flow: 6, error: None });
                let id = list.sigma;
                let half = self.half(now, id, io);
                // All parts come from one sender; one that counts otherwise begins the list anew.
                if half.wanted != list.parts {
                    (half.wanted, half.parts) = (list.parts, BTreeMap::new());
                }
                half.parts.insert(list.part, list.receivers);
                half.lists.push(verified.id());
                self.route(now, id, io);
            }
            Err(failure) => {
                let error = Some(failure.error.name().to_owned());
                io.ruled(FactKind::Opened { sigma, flow: 6, error }, failure.check);
            }
        }
    }

    fn open_routing(
        &self,
        verified: &crate::clmmsc::verify::VerifiedSigma,
        io: &mut Io<'_, '_>,
    ) -> Result<Routing, Failure> {
        io.bench.charge(cost::DECAPSULATE + cost::OPEN);
        let pinned = self.genesis.iter().flat_map(|g| &g.directory).filter(|(a, _)| a.role == Role::Csc);
        let pinned: BTreeSet<RecordId> = pinned.map(|(_, record)| record.rid).collect();
        let who = Receiver {
            record: self.key.record(),
            pinned: Pinned::Set(&pinned),
            since: 0,
            nullifiers: &|_| None,
            opened: &|id, _| self.opened.contains(id),
        };
        let k = open::decapsulate(verified.head(), &self.key);
        let opened = open::open(&self.setup.params, verified, &who, &k)?;
        Routing::decode(&opened.message).map_err(Failure::at(crate::clmmsc::Check::P1))
    }

    /// EN-1, EN-2: with both packets at hand, open each f and forward σ to the gateways of these cars.
    fn route(&mut self, now: Micros, id: SigmaId, io: &mut Io<'_, '_>) {
        let ready = self.halves.get(&id).and_then(|half| Some((half.sigma.clone()?, half.receivers()?)));
        let Some((sigma, receivers)) = ready else { return };
        self.halves.remove(&id);
        io.bench.charge(cost::PSEUDONYM * receivers.len() as u64);
        let mut gateways = BTreeSet::new();
        for (class, f) in &receivers {
            let opened = self.master.open(*class, crate::clmmsc::Role::Ev, f);
            let ev = match opened {
                Ok(identity) => ActorId::from_uid(identity.uid),
                Err(error) => {
                    let reason = error.name().to_owned();
                    let sigma = Some(Digest(id.0));
                    io.ruled(FactKind::Refused { what: "pseudonym".into(), reason, sigma, from: None }, ActorRule::En1);
                    return;
                }
            };
            match ev.and_then(|ev| self.attached.get(&ev)) {
                Some(css) => gateways.extend([*css]),
                None => gateways.extend(0..self.setup.n),
            }
        }
        self.forward(now, id, Packet::Route(sigma), gateways, io);
    }

    /// EN-2: σ goes to these gateways, and to all of them if it is not stored in time.
    fn forward(&mut self, now: Micros, id: SigmaId, packet: Packet, gateways: BTreeSet<u16>, io: &mut Io<'_, '_>) {
        let expires = self.setup.unix(now).0 + u64::from(self.setup.ttl);
        let actors: Vec<ActorId> = gateways.iter().map(|index| ActorId::new(Role::Css, *index)).collect();
        io.ruled(FactKind::Routed { sigma: Digest(id.0), gateways: actors }, ActorRule::En2);
        let to = gateways.into_iter().map(NodeId).collect();
        io.out.push(Output::Fan { to, packet: packet.clone() });
        let wait = 2 * self.setup.agreement.t0.0;
        self.routed.expect(now, Digest(id.0), vec![packet], wait, expires, io);
    }

    /// A ciphertext of the workload: made elsewhere, and its home gateway is known.
    pub(super) fn on_parcel(&mut self, now: Micros, parcel: &Parcel, io: &mut Io<'_, '_>) {
        let sigma = &parcel.sigma;
        let packet = Packet::Pbft(Arc::new(pbft::Message::Ciphertext(sigma.clone())));
        let home = BTreeSet::from([parcel.home]);
        self.forward(now, SigmaId(sigma.id.0), packet, home, io);
    }

    pub(super) fn give_up(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let over = |half: &Half| half.since.0 + PAIR_PATIENCE.0 <= now.0;
        let late: Vec<SigmaId> = self.halves.iter().filter(|(_, h)| over(h)).map(|(id, _)| *id).collect();
        for id in late {
            // If they are sent once more, both halves count again.
            for list in self.halves.remove(&id).into_iter().flat_map(|half| half.lists) {
                self.opened.remove(&list);
            }
            let reason = "the other of the two packets never came".to_owned();
            let (what, sigma) = ("routing".to_owned(), Some(Digest(id.0)));
            io.ruled(FactKind::Refused { what, reason, sigma, from: None }, ActorRule::En2);
        }
        if let Some(next) = self.halves.values().map(|h| h.since.0 + PAIR_PATIENCE.0).min() {
            io.timer(TimerId::Pair, Micros(next - now.0));
        }
    }

    /// What is not on the chain in time goes to all gateways (CONSENSUS.md §4.1).
    pub(super) fn repeat(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let unix = self.setup.unix(now).0;
        let due = self.routed.due(now, unix, 8 * self.setup.agreement.t0.0, io);
        for sigma in due.dead {
            io.ruled(FactKind::Expired { sigma }, ActorRule::En2);
        }
        let to: Arc<[NodeId]> = (0..self.setup.n).map(NodeId).collect();
        for packet in due.again {
            io.out.push(Output::Fan { to: to.clone(), packet });
        }
    }

    pub(super) fn on_publish(&mut self, now: Micros, from: Option<ActorId>, msg: &pbft::Message, io: &mut Io<'_, '_>) {
        let Some(copy) = self.copy.as_mut() else { return };
        if copy.hear(from, msg, io) {
            self.routed.settle(now, copy.chain(), io);
        }
    }
}
