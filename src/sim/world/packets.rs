//! Packets on links: stored once, sent, delayed, lost, doubled or bent on the way (CONSENSUS.md §4.3).

use super::describe::describe;
use super::{Event, Flying, Item, World};
use crate::entities::Packet;
use crate::entities::actor::ActorId;
use crate::pbft::NodeId;
use crate::sim::network::{Fate, Passage};
use crate::sim::trace::{DropReason, EffectId, ItemId, Kind, PacketInfo, PacketTag};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Genesis travels as a paper letter and takes this long.
const LETTER: u64 = 10_000;

impl World {
    pub(super) fn store(&mut self, packet: Packet) -> ItemId {
        let item = ItemId(self.items.len() as u32);
        let info = describe(&self.setup.params, item, &packet);
        self.items.push(Arc::new(Item { packet: Some(packet), info }));
        item
    }

    /// Puts a stored packet on the link from one actor to another.
    pub(super) fn send(&mut self, from: ActorId, to: NodeId, item: ItemId, cause: Option<EffectId>) {
        let Some(&to) = self.actors.get(usize::from(to.0)) else { return };
        let info = self.items[item.0 as usize].info;
        let sent = self.emit(Some(from), Kind::Sent { to, packet: info }, cause, None);
        let flying = Flying { from, to, item, sent };
        if info.tag == PacketTag::Letter {
            return self.after(LETTER, Event::Deliver(flying));
        }
        let correct = !self.faulty.contains(&from) && !self.faulty.contains(&to);
        let body = info.size.saturating_sub(1);
        let passage = Passage { now: self.now, from, to, tag: info.tag, body, correct };
        let scenario = self.scenario.clone();
        match self.links.fate(&scenario.network, passage) {
            Fate::Dropped(why) => {
                self.dropped(flying, why);
            }
            Fate::Held { delay } => {
                let kind = Kind::Delayed { to, packet: info, by_us: 0 };
                self.emit(Some(from), kind, Some(sent), None);
                self.held.push((flying, delay));
            }
            Fate::Carried { delay, added, copy, flip } => {
                if added > 0 {
                    let kind = Kind::Delayed { to, packet: info, by_us: added };
                    self.emit(Some(from), kind, Some(sent), None);
                }
                let flying = match flip {
                    Some((byte, bit)) => self.flipped(flying, byte, bit, Some(sent)),
                    None => flying,
                };
                self.make_room(from, to);
                self.after(delay, Event::Deliver(flying));
                if let Some(delay) = copy {
                    let kind = Kind::Duplicated { to, packet: info };
                    let sent = self.emit(Some(from), kind, Some(sent), None);
                    self.after(delay, Event::Deliver(Flying { sent, ..flying }));
                }
            }
        }
    }

    /// A link that is full loses its oldest message to the next one.
    fn make_room(&mut self, from: ActorId, to: ActorId) {
        let Some(most) = self.scenario.network.in_flight else { return };
        let on_link = self.queue.values().filter_map(|event| match event {
            Event::Deliver(flying) if (flying.from, flying.to) == (from, to) => Some(flying.sent),
            _ => None,
        });
        let flights: BTreeSet<EffectId> = on_link.collect();
        let oldest = flights.first().copied().filter(|_| flights.len() >= most as usize);
        if let Some((flying, _)) = oldest.and_then(|oldest| self.take(oldest)) {
            self.dropped(flying, DropReason::Crowded);
        }
    }

    /// The same flight with one bit of its body changed; unchanged if the body has no such byte.
    pub(super) fn flipped(&mut self, flying: Flying, byte: u32, bit: u8, cause: Option<EffectId>) -> Flying {
        let old = self.items[flying.item.0 as usize].clone();
        let Some(packet) = &old.packet else { return flying };
        let mut bytes = packet.encode();
        let Some(target) = bytes.get_mut(byte as usize + 1) else { return flying };
        *target ^= 1 << (bit & 7);
        let item = ItemId(self.items.len() as u32);
        let packet = Packet::decode(&bytes, &self.setup.params);
        let info = match &packet {
            Some(packet) => describe(&self.setup.params, item, packet),
            None => PacketInfo { item, ..old.info },
        };
        self.items.push(Arc::new(Item { packet, info }));
        let kind = Kind::Corrupted { to: flying.to, packet: info, byte, bit };
        self.emit(Some(flying.from), kind, cause, None);
        Flying { item, ..flying }
    }
}
