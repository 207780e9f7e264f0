//! What a CSC sends: one σ for all whom it orders anything, to the KGC, again until its copy of the chain has it
//! (WORLD.md §4).

use super::Csc;
use crate::clmmsc::payload::Routing;
use crate::clmmsc::signcrypt::{self, Envelope, Item, padded_count};
use crate::clmmsc::{Flow, PublicRecord, SigmaId};
use crate::entities::actor::ActorId;
use crate::entities::command::{Command, Profile};
use crate::entities::copy::ChainCopy;
use crate::entities::fact::{ActorRule, FactKind, Op};
use crate::entities::io::{Io, cost};
use crate::entities::packet::Packet;
use crate::entities::unstored::UNSEEN;
use crate::ledger::{Chain, Digest, Micros};
use crate::pbft;
use std::sync::Arc;

/// Entries of flow 1 have at least this size, so schedules of up to 9 periods look alike.
const FLOOR: u32 = 192;

impl Csc {
    /// One σ for all, and beside it the routing list for the KGC alone.
    pub(super) fn send(&mut self, now: Micros, orders: &[(PublicRecord, Profile)], io: &mut Io<'_, '_>) {
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
        let submit = Packet::Submit { gateways: vec![], sigma: sigma.1 };
        self.submit(now, sigma.0, vec![submit, Packet::Direct(list.1)], io);
    }

    /// To the KGC, and again until the chain has σ.
    pub(super) fn submit(&mut self, now: Micros, sigma: Digest, packets: Vec<Packet>, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        for packet in &packets {
            io.send(setup.kgc_node(), packet.clone());
        }
        let (wait, expires) = (UNSEEN * setup.agreement.t0.0, setup.unix(now).0 + u64::from(setup.ttl));
        self.unstored.expect(now, sigma, packets, wait, expires, io);
    }

    /// What no block known here has is sent once more, and gateways are asked for blocks that it missed.
    pub(super) fn send_again(&mut self, now: Micros, io: &mut Io<'_, '_>) {
        let setup = self.enrolment.setup.clone();
        let due = self.unstored.due(now, setup.unix(now).0, u64::MAX, io);
        for packet in due.again {
            io.send(setup.kgc_node(), packet);
        }
        for sigma in due.dead {
            io.ruled(FactKind::Expired { sigma }, ActorRule::En2);
        }
        if let Some(copy) = self.copy.as_mut() {
            copy.miss(io);
        }
    }

    pub(super) fn on_publish(&mut self, now: Micros, from: Option<ActorId>, msg: &pbft::Message, io: &mut Io<'_, '_>) {
        let Some(copy) = self.copy.as_mut() else { return };
        if copy.hear(from, msg, io) {
            self.unstored.settle(now, copy.chain(), io);
        }
    }

    /// What it keeps of the chain, once genesis is made.
    pub fn copy(&self) -> Option<&ChainCopy> {
        self.copy.as_ref()
    }

    /// The chain as it has it, once genesis is made.
    pub fn chain(&self) -> Option<&Chain> {
        self.copy.as_ref().map(ChainCopy::chain)
    }

    pub(super) fn signcrypt(
        &mut self,
        now: Micros,
        flow: Flow,
        floor: u32,
        items: &[Item<'_>],
        io: &mut Io<'_, '_>,
    ) -> Option<(Digest, Arc<[u8]>)> {
        let setup = self.enrolment.setup.clone();
        let ticket = self.enrolment.spend(now, io);
        let (Some(key), Some(ticket)) = (self.enrolment.key().cloned(), ticket) else {
            let (what, reason) = ("command".to_owned(), "no ticket is left for this hour".to_owned());
            io.ruled(FactKind::Refused { what, reason, sigma: None, from: None }, ActorRule::En4);
            return None;
        };
        let pad_to = if setup.pad && flow == Flow::COMMAND { padded_count(items.len() as u32) } else { 0 };
        let envelope = Envelope { flow, created: setup.unix(now).0, ttl: setup.ttl, floor, pad_to };
        let rand32 = io.rand32();
        let made = match &self.rogue.0 {
            None => signcrypt::signcrypt(&setup.params, &envelope, &key, ticket, items, &rand32),
            Some(how) => how(&setup.params, &envelope, &key, ticket, items, &rand32),
        };
        match made {
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
}

/// The sub-steps of one signcryption, with their share of its cost, and the result.
pub(in crate::entities) fn signcrypt_facts(made: &signcrypt::Signcrypted, flow: Flow, n: u32, io: &mut Io<'_, '_>) {
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
