//! Bytes explained: what a packet on a link or a record consists of, and public checks done again (PAGE.md §4.4).
//!
//! Reads a finished packet; never changes a world. Offsets come from the tables of the floors that own the formats.

mod fields;

use crate::clmmsc::record::PublicRecord;
use crate::clmmsc::{Params, verify, vote};
use crate::entities::actor::{ActorId, Role};
use crate::entities::packet::Packet;
use crate::pbft::message::Signed;
use crate::sim::trace::ItemId;
use crate::sim::world::World;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What can be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ItemRef {
    Packet(ItemId),
    /// The public ID record of an actor.
    Record(ActorId),
}

/// One named range of the shown bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldView {
    pub offset: usize,
    pub len: usize,
    pub name: String,
    /// The paper's or the specification's symbol, if it has one.
    pub symbol: Cow<'static, str>,
    pub text: Cow<'static, str>,
    /// The bytes in hex, cut after 32 bytes, and for short fields what they say.
    pub value: String,
}

/// Both sides of an equation, as 64 hex digits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Equation {
    pub name: Cow<'static, str>,
    pub left: String,
    pub right: String,
    pub ok: bool,
}

/// What there is to see: bytes, and fields over them in order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ItemView {
    pub bytes: Vec<u8>,
    pub fields: Vec<FieldView>,
    /// Whether it has a public check that can be done again.
    pub checkable: bool,
    /// Added to an offset in `bytes` it gives the byte of the packet's body, as interventions count.
    pub shift: i32,
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Explains an item; `None` if the world does not have it (yet).
pub fn inspect(world: &World, item: ItemRef) -> Option<ItemView> {
    match item {
        ItemRef::Packet(id) => {
            let packet = world.packet(id)?;
            let checkable = packet.sigma().is_some() || signed(packet).is_some();
            let bytes = packet.sigma().map_or_else(|| packet.encode(), |sigma| sigma.to_vec());
            Some(ItemView { fields: fields::of(packet, &bytes), bytes, checkable, shift: fields::shift(packet) })
        }
        ItemRef::Record(actor) => {
            let bytes = record(world, actor)?.record.0.to_vec();
            Some(ItemView { fields: fields::record(&bytes, 0, ""), bytes, checkable: false, shift: 0 })
        }
    }
}

fn record(world: &World, actor: ActorId) -> Option<&PublicRecord> {
    world.entity(actor)?.record()
}

fn signed(packet: &Packet) -> Option<&Signed> {
    match packet {
        Packet::Pbft(message) => message.signed().map(|(_, signed)| signed),
        _ => None,
    }
}

/// Does the public checks of a packet again, now and for real: V5 and V6 of a σ, the signature of a consensus message.
/// Empty if it has none, or its sender is unknown.
pub fn reverify(world: &World, item: ItemId) -> Vec<Equation> {
    let Some(packet) = world.packet(item) else { return vec![] };
    if let Some(sigma) = packet.sigma() {
        return sigma_checks(world.params(), sigma);
    }
    let checked = signed(packet).and_then(|signed| {
        let sender = ActorId::new(Role::Css, signed.statement.sender.0);
        let voter = world.genesis()?.record(sender)?;
        let (left, right) = vote::equation(world.params(), voter, &signed.statement.bytes(), &signed.sig.0).ok()?;
        Some(equation("signature: N = z·P − e·PK of the sender", left, right))
    });
    checked.into_iter().collect()
}

fn sigma_checks(params: &Params, sigma: &[u8]) -> Vec<Equation> {
    let outer = verify::outer_equation(params, sigma)
        .map(|(left, right)| equation("V5: N = z·P − e·(R' + h'·Ppub + g'·X' + b·T)", left, right));
    let root = verify::root_equation(params, sigma)
        .map(|(left, right)| equation("V6: root as signed = Merkle root over the entries", left, right));
    outer.into_iter().chain(root).collect()
}

fn equation(name: &'static str, left: [u8; 32], right: [u8; 32]) -> Equation {
    Equation { name: name.into(), left: hex(&left), right: hex(&right), ok: left == right }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::Scenario;
    use crate::sim::timelines::{BranchId, Timelines, Until};
    use crate::sim::trace::{Kind, PacketTag};
    use std::collections::BTreeMap;

    /// One packet of every kind that the presets send, with its world.
    fn run(preset: &str) -> (Timelines, BTreeMap<PacketTag, ItemId>) {
        let mut run = Timelines::open_headless(Scenario::preset(preset).expect("a preset"), vec![]).expect("opens");
        run.run(BranchId(0), Until::End, u32::MAX);
        let sent = run.trace(BranchId(0)).effects().iter().filter_map(|e| match &e.kind {
            Kind::Sent { packet, .. } => Some((packet.tag, packet.item)),
            _ => None,
        });
        let first = sent.fold(BTreeMap::new(), |mut all: BTreeMap<_, _>, (tag, item)| {
            all.entry(tag).or_insert(item);
            all
        });
        (run, first)
    }

    #[test]
    fn the_fields_of_every_packet_cover_its_bytes_once_and_in_order() {
        let mut kinds = std::collections::BTreeSet::new();
        for preset in ["day4", "one-liar"] {
            let (run, packets) = run(preset);
            for (tag, item) in packets {
                let view = inspect(run.world(BranchId(0)), ItemRef::Packet(item)).expect("is kept");
                let end = view.fields.iter().fold(0, |at, f| {
                    assert_eq!(f.offset, at, "{tag:?} {}", f.name);
                    assert!(f.len > 0, "{tag:?} {}", f.name);
                    at + f.len
                });
                assert_eq!(end, view.bytes.len(), "{tag:?}");
                kinds.insert(tag);
            }
        }
        assert!(kinds.len() >= 18, "only {kinds:?}");
    }

    #[test]
    fn checks_are_done_again_and_those_of_an_altered_ciphertext_fail() {
        let (honest, packets) = run("day4");
        for tag in [PacketTag::Route, PacketTag::Prepare, PacketTag::PrePrepare, PacketTag::Direct(4)] {
            let checks = reverify(honest.world(BranchId(0)), packets[&tag]);
            assert!(!checks.is_empty() && checks.iter().all(|c| c.ok), "{tag:?} {checks:?}");
        }
        let mut bad = Timelines::open_headless(Scenario::preset("bad-ciphertext").expect("a preset"), vec![]).unwrap();
        bad.run(BranchId(0), Until::End, u32::MAX);
        let corrupted = bad.trace(BranchId(0)).effects().iter().find_map(|e| match &e.kind {
            Kind::Delivered { packet, .. } if packet.tag == PacketTag::Route => Some(packet.item),
            _ => None,
        });
        let checks = reverify(bad.world(BranchId(0)), corrupted.expect("σ arrives altered"));
        assert!(checks.iter().any(|c| !c.ok), "{checks:?}");
    }

    #[test]
    fn short_fields_say_what_they_mean() {
        let (run, packets) = run("day4");
        let route = inspect(run.world(BranchId(0)), ItemRef::Packet(packets[&PacketTag::Route])).expect("is kept");
        let value = |name: &str| &route.fields.iter().find(|f| f.name == name).expect("a field of the header").value;
        assert_eq!(value("format"), "434c4d31 = CLM1");
        assert_eq!(value("receivers"), "03000000 = 3");
        assert_eq!(value("root").len(), 64);
    }

    #[test]
    fn every_actor_has_a_record_to_look_at() {
        let (run, _) = run("day4");
        let world = run.world(BranchId(0));
        for actor in ["kgc1", "csc1", "css3", "cp4", "ev2"] {
            let actor = ActorId::parse(actor).expect("an actor");
            let view = inspect(world, ItemRef::Record(actor)).expect("has a key");
            assert_eq!((view.bytes.len(), view.fields.len()), (106, 7));
        }
        assert_eq!(inspect(world, ItemRef::Packet(ItemId(u32::MAX))), None);
    }
}
