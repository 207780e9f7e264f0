//! A KGC that makes itself a CSC's identity and ticket and sends a command of its own (CLMMSC.md §12.6, WORLD.md §10). In public
//! it is as good as any; piles obey pinned CSCs only (R9).

use super::prelude::*;
use crate::clmmsc::Role as SchemeRole;
use crate::clmmsc::keys::Ticket;
use crate::clmmsc::kgc::Issue;
use crate::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use crate::clmmsc::{Class, Flow, PublicRecord};
use crate::sim::adversary::rogue::own_pair;
use rand_core::Rng;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Kgc],
    "sends a command under keys it made for itself",
    "The command is stored like any other, but no pile obeys: its sender is not pinned in genesis.",
)
.fires(&["Unpinned"]);

#[derive(Clone, Default)]
pub(super) struct KgcMintedTicket;

impl Behaviour for KgcMintedTicket {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let routed = matches!(message.packet(), Some(Packet::Route(_))) && message.strikes;
        out.push(message.output);
        if let Some(sigma) = mint(cx).filter(|_| routed) {
            let to = (0..cx.setup.n).map(NodeId).collect();
            out.push(Output::Fan { to, packet: Packet::Route(sigma) });
        }
    }
}

/// An identity that no CSC has.
const NOBODY: u64 = 999_999;

fn mint(cx: &mut Cx<'_, '_>) -> Option<Arc<[u8]>> {
    let (now, rng) = (cx.setup.unix(cx.now).0, &mut *cx.rng);
    let Entity::Kgc(kgc) = &*cx.entity else { return None };
    let epoch = cx.setup.params.epoch(now);
    let mut random = || {
        let mut bytes = [0; 64];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    let mut pair = |class| {
        let what = Issue { class, role: SchemeRole::Csc, from: epoch, to: epoch, uid: NOBODY, ctr: 0 };
        own_pair(kgc, &cx.setup.params, &what, &random())
    };
    let (sender, ticket) = (pair(Class::Id)?, Ticket::new(pair(Class::Ticket)?).ok()?);
    let cars: Vec<&PublicRecord> =
        (0..cx.setup.ev).filter_map(|car| kgc.record_of(ActorId::new(Role::Ev, car))).collect();
    let items: Vec<Item<'_>> = cars.iter().map(|to| Item { to: *to, message: b"11 kW for all" }).collect();
    let envelope = Envelope { flow: Flow::COMMAND, created: now, ttl: cx.setup.ttl, floor: 192, pad_to: 0 };
    let mut rand32 = [0; 32];
    cx.rng.fill_bytes(&mut rand32);
    Some(signcrypt(&cx.setup.params, &envelope, &sender, ticket, &items, &rand32).ok()?.bytes.into())
}
