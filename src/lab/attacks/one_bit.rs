//! Mission "One bit": ciphertexts bent by strangers, and encodings bent by their sender (A7, A15, A31).

use super::{Attack, Stuck, Trial};
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::verify::VerifiedHeader;
use crate::clmmsc::weak::lax;
use crate::clmmsc::wire::{self, ENTRY_EXTRA, HEADER, HEADER_FIELDS, TAG, entry_fields, take};
use crate::clmmsc::{Check, Class, Error, Failure, Flow, Role, group};
use crate::lab::forge::{Draft, Hand, plain};
use crate::lab::people::{CREATED, NOW, People, scalar};
use curve25519_dalek::scalar::Scalar;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const ATTACKS: [Attack; 3] = [
    Attack {
        id: 7,
        title: "Change one bit on the way",
        role: "A stranger between company and gateway, who can change bytes but holds no key.",
        moves: &["flip every single bit of a good ciphertext", "cut it off after every byte", "append 1 to 128 bytes"],
        expected: "V1 to V6, in the order of the checks; nothing is accepted",
        control: "gateways that look at format and times only: no signature (V5), no root (V6)",
        run: a7,
    },
    Attack {
        id: 15,
        title: "Write a number or a point another way",
        role: "A stranger who bends encodings of a stored ciphertext, and a company that signs a T nobody should accept.",
        moves: &[
            "sign ciphertexts whose T is neutral, negative, not reduced, or no point at all",
            "put the same encodings in the place of the ticket's X' and R'",
            "write z as 0, as q, as z + q, and as 32 bytes of ones",
        ],
        expected: "V4 PointEncoding, V5 ScalarEncoding",
        control: "a decoder that lets the neutral element pass; a scalar read modulo q",
        run: a15,
    },
    Attack {
        id: 31,
        title: "A length that wraps around",
        role: "A company with a good ticket, which signs a header that promises far more entries than it sends.",
        moves: &[
            "choose n and L so that n·(32 + L) wraps to a few bytes in 32 bits, for every entry size",
            "claim the largest n with a tiny body",
            "offer the header alone to a car",
        ],
        expected: "V1 Length",
        control: "lengths computed in 32 bits",
        run: a31,
    },
];

/// What §7.1 answers when only the byte at `at` was changed and `bytes` came out: a second, plain reading of its order.
fn answer(people: &People, bytes: &[u8], at: usize) -> (Check, Error) {
    let policy = &people.params.policy;
    let (created, ttl) = (u64::from_le_bytes(take(bytes, 12)), u32::from_le_bytes(take(bytes, 20)));
    let (n, l) = (u32::from_le_bytes(take(bytes, 24)), u32::from_le_bytes(take(bytes, 28)));
    let signature = (Check::V5, Error::Signature);
    let alive = match () {
        () if created > NOW + u64::from(policy.skew) => (Check::V3, Error::NotYetValid),
        () if created + u64::from(ttl) < NOW => (Check::V3, Error::Expired),
        () => signature,
    };
    match at {
        0..4 => (Check::V1, Error::Magic),
        4 => (Check::V1, Error::Version),
        5 => (Check::V1, Error::Suite),
        6 if (1..=7).contains(&bytes[6]) => (Check::V2, Error::TicketRole),
        6 => (Check::V1, Error::Flow),
        7 => (Check::V1, Error::Flags),
        8..12 => (Check::V2, Error::EpochMismatch),
        12..20 if created / u64::from(policy.epoch_len) != u64::from(people.epoch()) => {
            (Check::V2, Error::EpochMismatch)
        }
        20..24 if ttl == 0 || ttl > policy.ttl_max => (Check::V3, Error::Ttl),
        12..24 => alive,
        24..28 if n == 0 || n > 1 << 20 => (Check::V1, Error::Count),
        28..32 if !wire::buckets().any(|size| size == l) => (Check::V1, Error::Bucket),
        24..32 => (Check::V1, Error::Length),
        64 => (Check::V2, Error::TicketClass),
        65 => (Check::V2, Error::TicketRole),
        66..74 => (Check::V2, Error::TicketValidity),
        32..64 | 106..170 if group::dec(&take(bytes, point_at(at))).is_err() => (Check::V4, Error::PointEncoding),
        420..452 if group::scal(&take(bytes, 420)).is_err() => (Check::V5, Error::ScalarEncoding),
        _ if at < HEADER => signature,
        _ => {
            let tags: Vec<&[u8]> = bytes[HEADER..].chunks(ENTRY_EXTRA + l as usize).map(|e| &e[..TAG]).collect();
            (Check::V6, if tags.is_sorted_by(|a, b| a < b) { Error::Root } else { Error::TagOrder })
        }
    }
}

/// Where the point starts whose encoding covers this byte of the header.
fn point_at(at: usize) -> usize {
    [138, 106, 32].into_iter().find(|start| *start <= at).unwrap_or_default()
}

fn a7(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let names = ["ev0", "ev1"];
    for name in names {
        people.person(name, Class::Id, Role::Ev)?;
    }
    let good = people.post(Flow::COMMAND, &[("ev0", b"stop charging"), ("ev1", b"11 kW")], 65, 0)?.made.bytes;
    people.gateway(&good)?;
    let l = u32::from_le_bytes(take(&good, 28)) as usize;
    let len = ENTRY_EXTRA + l;
    let entries = (0..names.len())
        .flat_map(|j| entry_fields(l).map(|f| (HEADER + j * len + f.offset, f.len, format!("entry {j}: {}", f.name))));
    let header = HEADER_FIELDS.iter().map(|f| (f.offset, f.len, f.name.to_string()));
    for (start, len, name) in header.chain(entries) {
        flip_field(people, trial, &good, start..start + len, &name);
    }
    let cut = (0..good.len()).map(|end| good[..end].to_vec());
    let grown = (1..=128).map(|more| [&good[..], &people.noise(more)].concat()).collect::<Vec<_>>();
    for (tried, list) in [("cut off after every byte", cut.collect()), ("1 to 128 bytes appended", grown)] {
        let wrong = list.iter().filter(|bytes| refusal(people, bytes) != Some((Check::V1, Error::Length))).count();
        trial.holds(tried, wrong == 0, format!("V1 Length for {} of {}", list.len() - wrong, list.len()));
    }
    a7_control(people, trial, &good)
}

fn refusal(people: &People, bytes: &[u8]) -> Option<(Check, Error)> {
    people.gateway(bytes).err().map(|failure| (failure.check, failure.error))
}

/// Every bit of one field.
fn flip_field(people: &People, trial: &mut Trial, good: &[u8], range: std::ops::Range<usize>, name: &str) {
    let (mut seen, mut as_claimed) = (BTreeMap::<String, u32>::new(), true);
    for (at, bit) in range.flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut bent = good.to_vec();
        bent[at] ^= 1 << bit;
        let outcome = refusal(people, &bent);
        as_claimed &= outcome == Some(answer(people, &bent, at));
        let text = outcome.map_or("accepted".into(), |(check, error)| Failure { check, error }.to_string());
        *seen.entry(text).or_default() += 1;
    }
    let seen: Vec<String> = seen.iter().map(|(text, count)| format!("{text} {count}×")).collect();
    trial.holds(format!("each bit of \"{name}\""), as_claimed, seen.join(", "));
}

/// One bit of an entry; the gateways store what they got, and then the good ciphertext is a duplicate.
fn a7_control(people: &mut People, trial: &mut Trial, good: &[u8]) -> Result<(), Stuck> {
    let honest = people.gateway(good)?;
    let index = crate::clmmsc::open::locate(&honest, &people.k(&honest, "ev0")?)?.index as usize;
    let mut bent = good.to_vec();
    let start = HEADER + index * (good.len() - HEADER) / 2;
    bent[start + TAG] ^= 1;
    let outcome = lax::without_proofs(&people.params, &Arc::from(bent), NOW);
    let accepted = outcome.as_ref().map_or_else(|e| e.to_string(), |_| "accepted".into());
    trial.breaks("one bit of the first car's entry flipped", outcome.is_ok(), accepted);
    let Ok(stored) = outcome else { return Ok(()) };
    let late = honest.check_ledger(|nullifier| (*nullifier == stored.nullifier()).then(|| stored.id()));
    let lost = late == Err(Failure { check: Check::V7, error: Error::Duplicate });
    trial.breaks("the good copy comes later", lost, late.err().map_or("stored".into(), |e| e.to_string()));
    let (meant, got) = (people.open(&honest, "ev0")?, people.open(&stored, "ev0")?);
    let robbed = meant.is_ok_and(|o| *o.message == b"stop charging") && got.is_err();
    let got = got.map_or_else(|e| format!("{e}: `stop charging` never arrives"), |_| "opens".into());
    trial.breaks("the car opens what was stored", robbed, got);
    Ok(())
}

/// 32 bytes that are no encoding of a group element other than O, made from one that is.
fn bad_points(good: &[u8; 32]) -> Vec<(&'static str, [u8; 32])> {
    let p = |low: u8| {
        let mut bytes = [255; 32];
        (bytes[0], bytes[31]) = (low, 127);
        bytes
    };
    let mut high = *good;
    high[31] |= 128;
    // p − s: the other square root, which RFC 9496 calls negative.
    let mut negative = p(0xed);
    let mut borrow = 0;
    for (a, b) in negative.iter_mut().zip(good) {
        let (low, first) = a.overflowing_sub(*b);
        let (low, second) = low.overflowing_sub(borrow);
        (*a, borrow) = (low, u8::from(first | second));
    }
    let no_point = (2..=255).step_by(2).map(|low| {
        let mut bytes = [0; 32];
        bytes[0] = low;
        bytes
    });
    let no_point = no_point.into_iter().find(|bytes| group::dec(bytes).is_err()).unwrap_or([1; 32]);
    vec![
        ("the neutral element", [0; 32]),
        ("p, another zero", p(0xed)),
        ("p + 2, not reduced", p(0xef)),
        ("bit 255 set", high),
        ("p − s, the negative one", negative),
        ("an even s that no point has", no_point),
        ("32 bytes of ones", [255; 32]),
    ]
}

/// A σ to `ev0` whose sender writes any 32 bytes for T, and signs it as §5 says.
fn with_t(people: &mut People, t: Scalar, bytes: Option<[u8; 32]>, message: &[u8]) -> Result<Vec<u8>, Error> {
    let name = people.ticket(Role::Csc)?;
    let (ks, rand): ([u8; 16], [u8; 32]) = (people.bytes(), people.bytes());
    let (ticket, csc, to) = (people.pair(&name)?, people.pair("csc")?, people.pair("ev0")?.public());
    let size = (1, 64);
    let draft = match bytes {
        None => Draft::new(&people.params, Flow::COMMAND, size, t, ticket.record()),
        Some(big_t) => Draft::with_t(&people.params, Flow::COMMAND, size, (t, &big_t), ticket.record()),
    };
    let entries = [draft.entry(to, &plain(&ks, &to.record.f(), message, 64))];
    let root = draft.root(&entries)?;
    let alpha = schnorr::sign(Name::Inner, csc, &draft.inner(&root), &rand);
    let (capsule, outer) = (draft.capsule(&ks, csc.record(), &alpha), draft.outer(&Hand::of(ticket)));
    Ok(draft.finish(people, &outer, (root, &capsule), &entries, &rand))
}

fn a15(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("csc", Class::Id, Role::Csc)?;
    people.person("ev0", Class::Id, Role::Ev)?;
    let t = group::scal(&scalar(&mut people.rng))?;
    let good = with_t(people, t, None, b"charge 7 kW")?;
    people.gateway(&good)?;
    for (what, bytes) in bad_points(&take(&good, 32)) {
        let neutral = if bytes == [0; 32] { Scalar::ZERO } else { t };
        let signed = with_t(people, neutral, Some(bytes), b"charge 7 kW")?;
        let outcome = people.gateway(&signed);
        trial.refused(format!("T is {what}, signed by its sender"), Check::V4, Error::PointEncoding, outcome);
    }
    for (name, at) in [("X'", 106), ("R'", 138)] {
        for (what, bytes) in bad_points(&take(&good, at)) {
            let mut bent = good.clone();
            bent[at..at + 32].copy_from_slice(&bytes);
            let outcome = people.gateway(&bent);
            trial.refused(format!("{name} is {what}"), Check::V4, Error::PointEncoding, outcome);
        }
    }
    let plus_q = add_q(&take(&good, 420));
    for (what, z) in [("0", [0; 32]), ("q", add_q(&[0; 32])), ("z + q", plus_q), ("32 bytes of ones", [255; 32])] {
        let outcome = people.gateway(&with_z(&good, &z));
        trial.refused(format!("z is {what}"), Check::V5, Error::ScalarEncoding, outcome);
    }
    a15_control(people, trial, &good, &plus_q)
}

fn with_z(good: &[u8], z: &[u8; 32]) -> Vec<u8> {
    let mut bent = good.to_vec();
    bent[420..HEADER].copy_from_slice(z);
    bent
}

/// z + q as a 256-bit number; q = 1 − (−1) with −1 = q − 1 as written by the library.
fn add_q(z: &[u8; 32]) -> [u8; 32] {
    let mut out = (-Scalar::ONE).to_bytes();
    let mut carry = 1;
    for (a, b) in out.iter_mut().zip(z) {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        (*a, carry) = (sum as u8, sum >> 8);
    }
    out
}

fn a15_control(people: &mut People, trial: &mut Trial, good: &[u8], plus_q: &[u8; 32]) -> Result<(), Stuck> {
    let second = with_z(good, plus_q);
    let outcome = lax::with_any_scalar(&people.params, &Arc::from(&second[..]), NOW);
    let broke = outcome.is_ok_and(|sigma| sigma.id() == crate::clmmsc::verify::sigma_id(&people.params, good));
    trial.breaks(
        "z read modulo q: a stranger writes z + q",
        broke && second != good,
        "a second ciphertext of other bytes and the same name verifies, made without a key",
    );
    let secret = b"charge 7 kW";
    let open_to_all = Arc::from(with_t(people, Scalar::ZERO, Some([0; 32]), secret)?);
    let outcome = lax::with_neutral_points(&people.params, &open_to_all, NOW);
    let seen = outcome.as_ref().map_or_else(|e| e.to_string(), |_| "accepted".into());
    trial.breaks("T = O passes the decoder", outcome.is_ok(), seen);
    let Ok(sigma) = outcome else { return Ok(()) };
    // Z = sk·O = O for everybody: the stranger needs only the car's public record.
    let rid = people.pair("ev0")?.public().rid;
    let k = crate::clmmsc::signcrypt::kem(sigma.head().context(), &rid, &[0; 32]);
    let read = people.open_under(&sigma, "ev0", &crate::clmmsc::open::EntryKey::from_bytes(k))?;
    let broke = read.as_ref().is_ok_and(|opened| *opened.message == secret);
    let seen = read.map_or_else(|e| e.to_string(), |o| format!("read `{}`", String::from_utf8_lossy(&o.message)));
    trial.breaks("a stranger without any key takes Z = O", broke, seen);
    Ok(())
}

/// For each L the n whose body is smallest after wrapping: (n, L, bytes of the wrapped body).
fn wraps() -> Vec<(u32, u32, u32)> {
    let best = wire::buckets().filter_map(|l| {
        let step = u64::from(l) + ENTRY_EXTRA as u64;
        let counts = (1..).map(|times: u64| (times << 32).div_ceil(step)).take_while(|n| *n <= 1 << 20);
        counts.map(|n| (n as u32, l, (n * step) as u32)).min_by_key(|(.., rest)| *rest)
    });
    best.collect()
}

/// A header of a registered sender with this n and L, and a body of `len` bytes of noise.
fn promise(people: &mut People, n: u32, l: u32, len: usize) -> Result<Vec<u8>, Error> {
    let name = people.ticket(Role::Csc)?;
    let t = group::scal(&scalar(&mut people.rng))?;
    let (root, capsule, rand) = (people.bytes(), people.noise(wire::CAPSULE), people.bytes());
    let body = people.noise(len);
    let ticket = people.pair(&name)?;
    let draft = Draft::new(&people.params, Flow::COMMAND, (n, l), t, ticket.record());
    let outer = draft.outer(&Hand::of(ticket));
    Ok(draft.finish(people, &outer, (root, &capsule), &[body], &rand))
}

fn a31(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let wraps = wraps();
    if !wraps.contains(&(522_248, 8192, 256)) {
        return Err("the wrap of the specification was not found".into());
    }
    for (n, l, rest) in wraps.iter().copied().filter(|(.., rest)| *rest <= 4096) {
        let bytes = promise(people, n, l, rest as usize)?;
        let tried = format!("n = {n}, L = {l}: {rest} bytes of body");
        trial.refused(tried, Check::V1, Error::Length, people.gateway(&bytes));
        let header = VerifiedHeader::verify(&people.params, &bytes[..HEADER], NOW);
        trial.refused(format!("the same header alone (n = {n})"), Check::V1, Error::Length, header);
    }
    for len in [0, 96, 4096] {
        let bytes = promise(people, 1 << 20, 64, len)?;
        let tried = format!("n = 2^20, L = 64: {len} bytes of body");
        trial.refused(tried, Check::V1, Error::Length, people.gateway(&bytes));
    }
    let bytes = promise(people, 522_248, 8192, 256)?;
    let outcome = lax::with_wrapping_lengths(&people.params, &bytes, NOW);
    let broke = outcome.as_ref().is_ok_and(|h| wire::total_len(h.n, h.l) > u64::from(u32::MAX) && h.created == CREATED);
    let seen = outcome.map_or_else(
        |e| e.to_string(),
        |h| {
            let need = wire::total_len(h.n, h.l);
            format!(
                "{} bytes pass V1 to V5 as {} entries; a reader that believes it asks for {need} bytes",
                bytes.len(),
                h.n
            )
        },
    );
    trial.breaks("n = 522248, L = 8192 with 256 bytes of body", broke, seen);
    Ok(())
}
