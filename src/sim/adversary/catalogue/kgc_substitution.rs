//! A KGC that puts a key of its own under a car's name into the list for the CSCs (CLMMSC.md §12.6, §13, WORLD.md §10). In a
//! certificateless system that works, and it is seen: the list names a record that the car never had.
//!
//! It tells the CSC what the car would, and the command is made for its own key: it reads it, and the car's pile finds no
//! entry. What the car itself says is refused, as its true record is on no list.

use super::prelude::*;
use crate::clmmsc::channel::{Purpose, seal_box};
use crate::clmmsc::keys::Ticket;
use crate::clmmsc::kgc::Issue;
use crate::clmmsc::open::{decapsulate, locate};
use crate::clmmsc::payload::Upload;
use crate::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::{Class, Flow, KeyPair, Record, list};
use crate::entities::fact::FactKind;
use crate::sim::adversary::rogue::own_pair;
use rand_core::Rng;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Kgc],
    "puts its own key under a car's name into its lists",
    "It reads that car's commands and the car gets none; the list shows a record that the car never had.",
)
.fires(&["Unpinned", "R9"]);

/// The car whose name it takes.
const VICTIM: ActorId = ActorId { role: Role::Ev, index: 0 };
/// What it says of a car it knows nothing of: kWh, parts per million, W, seconds.
const CAPACITY_WH: u32 = 60_000;
const SOC_PPM: u32 = 500_000;
const TARGET_PPM: u32 = 600_000;
const POWER_W: u32 = 11_000;
const STAY: u64 = 3_000;

#[derive(Clone, Default)]
pub(super) struct KgcSubstitution {
    pair: Option<KeyPair>,
    submitted: Option<Arc<[u8]>>,
}

impl Behaviour for KgcSubstitution {
    fn on_input(&mut self, _cx: &mut Cx<'_, '_>, _aim: &mut Aim, input: &Input<'_>) -> Pass {
        if let Input::Deliver { packet: Packet::Submit { sigma, .. }, .. } = input {
            self.submitted = Some(sigma.clone());
        }
        Pass::On
    }

    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let other = match (message.packet(), &message.output) {
            (Some(Packet::List(_)), Output::Send { to, .. }) if message.strikes => self.other_list(cx, *to),
            _ => None,
        };
        out.push(other.unwrap_or(message.output));
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, out: &mut Vec<Output>) {
        let Some(pair) = &self.pair else { return };
        let stands = out.iter().find_map(|output| match output {
            Output::Fact { kind: FactKind::Attached { ev, css }, .. } if *ev == VICTIM => Some(css.index),
            _ => None,
        });
        out.extend(stands.and_then(|css| upload(cx, pair, css)));
        let now = cx.setup.unix(cx.now).0;
        let sigma = self.submitted.take().and_then(|sigma| VerifiedSigma::verify(&cx.setup.params, &sigma, now).ok());
        if let Some(sigma) = sigma
            && let Ok(at) = locate(&sigma, &decapsulate(sigma.head(), pair))
        {
            let (index, comparisons) = (at.index, at.comparisons);
            let kind = FactKind::Located { sigma: Digest(sigma.id().0), index, comparisons };
            out.push(Output::Fact { kind, rule: None });
        }
    }
}

impl KgcSubstitution {
    /// The list of this epoch for one CSC, with its own record in the place of the car's.
    fn other_list(&mut self, cx: &mut Cx<'_, '_>, to: NodeId) -> Option<Output> {
        let (params, epoch) = (&cx.setup.params, cx.setup.epoch(cx.now));
        let random = wide(cx);
        let Entity::Kgc(kgc) = &*cx.entity else { return None };
        let mine = self.pair.take().filter(|pair| pair.record().valid_at(epoch));
        let mine = mine.or_else(|| own_pair(kgc, params, &named(Class::Id, epoch), &random))?;
        let cars = (0..cx.setup.ev).map(|index| ActorId::new(Role::Ev, index));
        let records: Vec<Record> = cars
            .filter_map(|car| if car == VICTIM { Some(mine.public()) } else { kgc.record_of(car) })
            .map(|public| public.record)
            .filter(|record| record.valid_at(epoch))
            .collect();
        let csc = kgc.record_of(cx.setup.actor(to)?)?;
        let rand: [u8; 32] = *random.last_chunk()?;
        let plain = list::make(params, kgc.key(), epoch, &records, &rand);
        let boxed = seal_box(params, Purpose::List, csc, &plain, random.first_chunk()?, &rand);
        self.pair = Some(mine);
        Some(Output::Send { to, packet: Packet::List(boxed.into()) })
    }
}

fn named(class: Class, epoch: u32) -> Issue {
    Issue { class, role: crate::clmmsc::Role::Ev, from: epoch, to: epoch, uid: VICTIM.uid(), ctr: 1 }
}

fn wide(cx: &mut Cx<'_, '_>) -> [u8; 64] {
    let mut bytes = [0; 64];
    cx.rng.fill_bytes(&mut bytes);
    bytes
}

/// What the car would tell its CSC, from the first pile of that gateway's area.
fn upload(cx: &mut Cx<'_, '_>, pair: &KeyPair, css: u16) -> Option<Output> {
    let (setup, random) = (cx.setup, wide(cx));
    let Entity::Kgc(kgc) = &*cx.entity else { return None };
    let pile = (0..setup.cp).find(|pile| setup.gateway_of(setup.area_of(*pile)) == css)?;
    let pile = kgc.record_of(ActorId::new(Role::Cp, pile))?.rid.0;
    let csc = ActorId::new(Role::Csc, VICTIM.index % setup.csc.max(1));
    let time = setup.unix(cx.now).0;
    let upload = Upload {
        discharge: false,
        time,
        soc_ppm: SOC_PPM,
        capacity_wh: CAPACITY_WH,
        max_power_w: POWER_W,
        power_w: 0,
        energy_wh: 0,
        departure: time + STAY,
        target_ppm: TARGET_PPM,
        pile,
        session: None,
        receipts: Vec::new(),
    };
    let ticket = own_pair(kgc, &setup.params, &named(Class::Ticket, setup.epoch(cx.now)), &random)?;
    let envelope = Envelope { flow: Flow::UPLOAD, created: time, ttl: setup.ttl, floor: 64, pad_to: 0 };
    let items = [Item { to: kgc.record_of(csc)?, message: &upload.encode() }];
    let ticket = Ticket::new(ticket).ok()?;
    let made = signcrypt(&setup.params, &envelope, pair, ticket, &items, random.last_chunk()?).ok()?;
    Some(Output::Send { to: setup.node(csc), packet: Packet::Direct(made.bytes.into()) })
}
