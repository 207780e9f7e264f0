//! Ciphertexts that one check of V1–V7 refuses.

use super::{CREATED, Cases, NOW, People, TTL, hex};
use crate::clmmsc::verify::{sigma_id, ticket_of};
use crate::clmmsc::wire::{HEADER, TAG};
use crate::clmmsc::{Class, Error, Flow, Role};
use crate::lab::forge::Trick;
use serde_json::{Value, json};

fn add(cases: &mut Cases, name: &str, bytes: &[u8], now: u64, ledger: Value, expect: &str) {
    cases.add(
        "sigma",
        name,
        json!({
            "sigma": hex(bytes), "now": now.to_string(), "ledger": ledger, "expect": expect, "opens": []
        }),
    );
}

pub fn cases(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    for name in ["ev0", "ev1", "ev2"] {
        maker.person(name, Class::Id, Role::Ev)?;
    }
    let made = maker.sigma(Flow::COMMAND, &[("ev0", b"stop"), ("ev1", b"eleven kW"), ("ev2", b"")], 64, 0)?;
    maker.good(cases, "good", &made)?;
    let good = made.bytes;
    let mut refuse = |name: &str, expect: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        add(cases, name, &bytes, NOW, json!([]), expect);
    };
    let set = |at: usize, value: &'static [u8]| move |b: &mut Vec<u8>| b[at..at + value.len()].copy_from_slice(value);
    let flip = |at: usize| move |b: &mut Vec<u8>| b[at] ^= 1;
    // V1
    refuse("empty", "Length", &|b| b.clear());
    refuse("shorter than a header", "Length", &|b| b.truncate(HEADER - 1));
    refuse("one byte short", "Length", &|b| b.truncate(b.len() - 1));
    refuse("one byte long", "Length", &|b| b.push(0));
    refuse("an entry too many", "Length", &|b| b.extend_from_within(HEADER..HEADER + 96));
    refuse("magic", "Magic", &flip(0));
    refuse("magic, last letter", "Magic", &flip(3));
    refuse("version", "Version", &set(4, &[2]));
    refuse("suite", "Suite", &set(5, &[0]));
    refuse("flow 0", "Flow", &set(6, &[0]));
    refuse("flow 8", "Flow", &set(6, &[8]));
    refuse("flags", "Flags", &set(7, &[1]));
    refuse("no receiver", "Count", &set(24, &[0, 0, 0, 0]));
    refuse("too many receivers", "Count", &set(24, &[1, 0, 16, 0]));
    refuse("entry size 65", "Bucket", &set(28, &[65, 0, 0, 0]));
    refuse("entry size 32", "Bucket", &set(28, &[32, 0, 0, 0]));
    refuse("entry size 0", "Bucket", &set(28, &[0, 0, 0, 0]));
    refuse("two receivers fewer than entries", "Length", &set(24, &[1, 0, 0, 0]));
    refuse("a larger entry size", "Length", &set(28, &[96, 0, 0, 0]));
    // V2
    refuse("identity record as ticket", "TicketClass", &set(64, &[1]));
    refuse("session record as ticket", "TicketClass", &set(64, &[3]));
    refuse("ticket of a gateway", "TicketRole", &set(65, &[3]));
    refuse("ticket of the KGC", "TicketRole", &set(65, &[1]));
    refuse("another epoch", "EpochMismatch", &flip(8));
    refuse("created in another epoch", "EpochMismatch", &flip(14));
    refuse("ticket valid earlier", "TicketValidity", &flip(66));
    refuse("ticket valid longer", "TicketValidity", &flip(71));
    // V3
    refuse("no lifetime", "Ttl", &set(20, &[0, 0, 0, 0]));
    refuse("too long a lifetime", "Ttl", &set(20, &[0x59, 2, 0, 0]));
    // V4
    refuse("T neutral", "PointEncoding", &set(32, &[0; 32]));
    refuse("T no group element", "PointEncoding", &set(32, &[255; 32]));
    refuse("X' neutral", "PointEncoding", &set(106, &[0; 32]));
    refuse("R' no group element", "PointEncoding", &set(138, &[255; 32]));
    // V5
    refuse("z zero", "ScalarEncoding", &set(420, &[0; 32]));
    refuse("z not reduced", "ScalarEncoding", &set(420, &[255; 32]));
    refuse("created a second later", "Signature", &flip(12));
    refuse("a second more to live", "Signature", &flip(20));
    for (at, name) in [(74, "f'"), (170, "root"), (201, "root, last byte"), (202, "capsule"), (300, "capsule, middle")]
    {
        refuse(&format!("{name} altered"), "Signature", &flip(at));
    }
    for (at, name) in [(371, "capsule's end"), (387, "capsule's tag"), (388, "N"), (419, "N, last byte"), (420, "z")] {
        refuse(&format!("{name} altered"), "Signature", &flip(at));
    }
    // V6
    refuse("entry altered", "Root", &flip(HEADER + TAG));
    refuse("last byte altered", "Root", &|b| {
        if let Some(last) = b.last_mut() {
            *last ^= 1;
        }
    });
    refuse("two entries exchanged", "TagOrder", &|b| {
        let (first, second) = b[HEADER..].split_at_mut(96);
        first.swap_with_slice(&mut second[..96]);
    });
    refuse("an entry repeated", "TagOrder", &|b| {
        let first = b[HEADER..HEADER + 96].to_vec();
        b[HEADER + 96..HEADER + 192].copy_from_slice(&first);
    });
    let unordered = maker.forge(&["ev0", "ev1"], &Trick { order: true, ..Trick::default() })?;
    add(cases, "signed in the wrong order", &unordered, NOW, json!([]), "TagOrder");
    // V3 by the clock
    add(cases, "before its time", &good, CREATED - 31, json!([]), "NotYetValid");
    add(cases, "within the skew", &good, CREATED - 30, json!([]), "ok");
    add(cases, "in its last second", &good, CREATED + u64::from(TTL), json!([]), "ok");
    add(cases, "after its time", &good, CREATED + u64::from(TTL) + 1, json!([]), "Expired");
    // V7
    let (id, nullifier) = (sigma_id(&maker.params, &good), ticket_of(&good).ok_or(Error::Length)?.rid(&maker.params));
    add(cases, "stored already", &good, NOW, json!([[hex(nullifier.0), hex(id.0)]]), "Duplicate");
    add(cases, "ticket used for another", &good, NOW, json!([[hex(nullifier.0), hex([7; 32])]]), "TicketReuse");
    add(cases, "another ticket stored", &good, NOW, json!([[hex([7; 32]), hex(id.0)]]), "ok");
    Ok(())
}
