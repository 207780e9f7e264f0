//! What a pile says it opened, opened anew: with the car's keys or the pile's own, from the bytes that reached it (PI-6).

use super::{Opened, Station, cp};
use crate::clmmsc::open::{self, Pinned, Receiver};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::{KeyPair, RecordId, SigmaId};
use crate::entities::actor::{ActorId, Role};
use crate::entities::command::Command;
use crate::entities::{Entity, Packet};
use crate::ledger::Digest;
use crate::sim::invariants::{Finding, Sight};

impl Station {
    /// A command for the car at the pile (flow 1), or for the pile itself.
    pub(super) fn opened(&mut self, pile: u16, sigma: Digest, flow: u8, sight: &Sight<'_>) -> Result<(), Finding> {
        let car = if flow == 1 { self.served(pile, sight) } else { None };
        let whose = if flow == 1 { car } else { Some(cp(pile)) };
        let inside = whose.and_then(|whose| self.unseal(pile, sigma, whose, sight));
        let Some((desk, (sender, command))) = self.desks.get_mut(&pile).zip(inside) else {
            let text = format!("{} opened what the key of its receiver does not open", cp(pile));
            return Err(Finding::broken("PI-6", text));
        };
        let car = car.map(|car| car.index);
        desk.opened = Some(Opened { car, flow, sigma, sender, command, authenticated: false });
        Ok(())
    }

    /// The sender named is the one in σ: a CSC, or by flow 3 the gateway of the pile.
    pub(super) fn authenticated(&mut self, pile: u16, sigma: Digest, sender: &Digest, sight: &Sight<'_>) {
        let by = sight.genesis.and_then(|genesis| genesis.owner(&sender.0));
        let gateway = sight.setup.gateway_of(sight.setup.area_of(pile));
        let opened = self.desks.get_mut(&pile).and_then(|desk| desk.opened.as_mut());
        if let Some(opened) = opened.filter(|opened| opened.sigma == sigma && opened.sender.0 == sender.0) {
            opened.authenticated = by.is_some_and(|by| match opened.flow {
                3 => by == ActorId::new(Role::Css, gateway),
                _ => by.role == Role::Csc,
            });
        }
    }

    /// The car for which the pile works: the one it hears, or one that lent it a key and sleeps.
    fn served(&self, pile: u16, sight: &Sight<'_>) -> Option<ActorId> {
        let from = self.desks.get(&pile)?.from;
        if from.role == Role::Ev {
            return Some(from);
        }
        let here = self.stays.iter().filter(|(_, stay)| stay.pile == pile && stay.session);
        let lent = |car: &ActorId| match (sight.entity)(*car) {
            Some(Entity::Ev(ev)) => ev.enrolment.session().is_some(),
            _ => false,
        };
        here.map(|(car, _)| ActorId::new(Role::Ev, *car)).find(lent)
    }

    /// Sender and command in the entry of a car or pile, opened anew with its own keys from the bytes that reached the pile.
    fn unseal(&self, pile: u16, sigma: Digest, of: ActorId, sight: &Sight<'_>) -> Option<(RecordId, Option<Command>)> {
        let enrolment = match (sight.entity)(of)? {
            Entity::Ev(ev) => &ev.enrolment,
            Entity::Cp(cp) => &cp.enrolment,
            _ => return None,
        };
        let keys: Vec<&KeyPair> = enrolment.key().into_iter().chain(enrolment.session()).collect();
        let params = &sight.setup.params;
        let open_with = |verified: &VerifiedSigma, key: &KeyPair| {
            let who = Receiver {
                record: key.record(),
                pinned: Pinned::Any,
                since: 0,
                nullifiers: &|_: &RecordId| None::<SigmaId>,
                opened: &|_, _| false,
            };
            open::open(params, verified, &who, &open::decapsulate(verified.head(), key)).ok()
        };
        let copies = self.carried.get(&(pile, sigma))?;
        copies.iter().find_map(|(item, at)| {
            let Some(Packet::Area(bytes)) = (sight.packet)(*item) else { return None };
            let verified = VerifiedSigma::verify(params, bytes, sight.setup.unix(*at).0).ok()?;
            let opened = keys.iter().find_map(|key| open_with(&verified, key))?;
            Some((opened.sender_rid, Command::decode(verified.header().flow, &opened.message).ok()))
        })
    }
}
