//! Flows and payloads, sizes, votes and batches, extensions.

use super::{CREATED, Cases, Made, NOW, People, hex};
use crate::clmmsc::open::EntryKey;
use crate::clmmsc::payload::{Delegated, PlugIn, Routing, Upload, session_key};
use crate::clmmsc::receipt::Receipt;
use crate::clmmsc::record::SigmaId;
use crate::clmmsc::session::{Body, Session, Side};
use crate::clmmsc::signcrypt::padded_count;
use crate::clmmsc::verify::{VerifiedSigma, batch_sigma_weights, sigma_id};
use crate::clmmsc::wire::HEADER;
use crate::clmmsc::{Class, Error, Flow, Role, complaint, slice, vote};
use serde_json::{Value, json};
use std::sync::Arc;

pub fn flows(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    for code in 1..=7 {
        let flow = Flow::from_code(code).ok_or(Error::Flow)?;
        let (name, role) = match flow.receiver() {
            Role::Ev => ("ev", Role::Ev),
            Role::Css => ("css", Role::Css),
            Role::Cp => ("cp", Role::Cp),
            Role::Csc => ("csc", Role::Csc),
            Role::Kgc => ("kgc", Role::Kgc),
        };
        let to: Vec<String> =
            if role == Role::Kgc { vec!["kgc".into()] } else { (1..=3).map(|i| format!("{name}{i}")).collect() };
        to.iter().try_for_each(|name| maker.person(name, Class::Id, role))?;
        let messages: Vec<Vec<u8>> = (0..to.len()).map(|i| maker.noise(7 * i + 1)).collect();
        let list: Vec<(&str, &[u8])> = to.iter().map(String::as_str).zip(messages.iter().map(Vec::as_slice)).collect();
        let made = maker.sigma(flow, &list, 64, 0)?;
        maker.good(cases, &format!("flow {code}"), &made)?;
        let mut other = made.make.clone();
        other["flow"] = (code % 7 + 1).into();
        cases.add("signcrypt", "the same for another flow", json!({ "make": other, "expect": "SenderInput" }));
        let mut twice = made.make;
        let first = twice["to"][0].clone();
        twice["to"] = json!([first, first]);
        cases.add("signcrypt", "a receiver twice", json!({ "make": twice, "expect": "SenderInput" }));
    }
    payloads(maker, cases)?;
    frames(maker, cases)
}

fn payloads(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    maker.person("ss0", Class::Session, Role::Ev)?;
    let session = maker.record("ss0")?;
    let receipt = Receipt { sigma: SigmaId(maker.bytes()), status: 1, rc: maker.bytes() };
    let upload = Upload {
        discharge: false,
        time: CREATED,
        soc_ppm: 412_000,
        capacity_wh: 62_000,
        max_power_w: 11_000,
        power_w: -3_600,
        energy_wh: 15_250,
        departure: CREATED + 14_400,
        target_ppm: 1_000_000,
        pile: maker.bytes(),
        session: None,
        receipts: vec![],
    };
    let fields = |u: &Upload| {
        let mut fields = json!({
            "time": u.time.to_string(), "soc_ppm": u.soc_ppm, "capacity_wh": u.capacity_wh,
            "max_power_w": u.max_power_w, "power_w": u.power_w, "energy_wh": u.energy_wh.to_string(),
            "departure": u.departure.to_string(), "target_ppm": u.target_ppm, "pile": hex(u.pile),
        });
        if let Some(record) = &u.session {
            fields["ss"] = hex(record.0).into();
        }
        if !u.receipts.is_empty() {
            let one = |r: &Receipt| json!({ "sigma_id": hex(r.sigma.0), "status": r.status, "rc": hex(r.rc) });
            fields["receipts"] = u.receipts.iter().map(one).collect::<Vec<_>>().into();
        }
        fields
    };
    let all = Upload { discharge: true, session: Some(session), receipts: vec![receipt; 3], ..upload.clone() };
    for (name, u) in [("plain", &upload), ("with everything", &all)] {
        cases.add("payload", name, json!({ "flow": 4, "m": hex(u.encode()), "expect": "ok", "fields": fields(u) }));
    }
    let mut refuse = |name: &str, flow: u8, bytes: &[u8]| {
        cases.add("payload", name, json!({ "flow": flow, "m": hex(bytes), "expect": "Payload" }));
    };
    let bytes = upload.encode();
    let bent = |bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        bytes
    };
    refuse("4: version", 4, &bent(&bytes, 0, 2));
    refuse("4: a flag", 4, &bent(&bytes, 1, 4));
    refuse("4: receipts promised", 4, &bent(&bytes, 1, 2));
    refuse("4: a session record promised", 4, &bent(&bytes, 1, 1));
    refuse("4: more than full", 4, &bent(&bytes, 13, 1));
    refuse("4: a target beyond full", 4, &bent(&bytes, 45, 1));
    refuse("4: short", 4, &bytes[..77]);
    refuse("4: long", 4, &[&bytes[..], &[0]].concat());
    let identity = Upload { session: Some(maker.record("ev1")?), ..upload };
    refuse("4: an identity record", 4, &identity.encode());

    let plug: [u8; 16] = maker.bytes();
    let lent = Delegated { record: session, sk: maker.pair("ss0")?.expose_sk().into() };
    let a =
        PlugIn { kses: maker.bytes().into(), plug, not_before: CREATED, not_after: CREATED + 3_600, delegated: None };
    let b = PlugIn { delegated: Some(lent), ..a.clone() };
    for (mode, p) in [(1, &a), (2, &b)] {
        let mut fields = json!({
            "mode": mode, "kses": hex(&p.kses), "plug": hex(p.plug), "not_before": p.not_before.to_string(),
            "not_after": p.not_after.to_string(),
        });
        if let Some(lent) = &p.delegated {
            (fields["ss"], fields["sk"]) = (hex(lent.record.0).into(), hex(&lent.sk).into());
        }
        let m = hex(p.encode());
        cases.add(
            "payload",
            &format!("5, mode {mode}"),
            json!({ "flow": 5, "m": m, "expect": "ok", "fields": fields }),
        );
        for (name, plug, now, expect) in [
            ("in time", plug, CREATED, "ok"),
            ("another challenge", [0; 16], CREATED, "PlugChallenge"),
            ("too early", plug, CREATED - 1, "NotYetValid"),
            ("too late", plug, CREATED + 3_601, "Expired"),
        ] {
            cases.add(
                "payload",
                name,
                json!({
                    "flow": 5, "m": m, "plug": hex(plug), "now": now.to_string(), "expect": expect
                }),
            );
        }
    }
    let mut refuse = |name: &str, flow: u8, bytes: &[u8]| {
        cases.add("payload", name, json!({ "flow": flow, "m": hex(bytes), "expect": "Payload" }));
    };
    refuse("5: mode 3", 5, &bent(&a.encode(), 1, 3));
    refuse("5: mode 2 without a key", 5, &bent(&a.encode(), 1, 2));
    refuse("5: mode 1 with a key", 5, &bent(&b.encode(), 1, 1));
    let mut over = a.clone();
    over.not_after = CREATED - 1;
    refuse("5: over before it begins", 5, &over.encode());
    let mut zero = b.encode();
    zero[172..].fill(0);
    refuse("5: a lent key of zero", 5, &zero);

    let receivers = vec![(Class::Id, maker.bytes()), (Class::Session, maker.bytes())];
    let whole = Routing::whole(SigmaId(maker.bytes()), receivers);
    let last = Routing { part: 2, parts: 3, ..whole.clone() };
    for (name, r) in [("6, whole", &whole), ("6, the last of three parts", &last)] {
        let to: Vec<Value> = r.receivers.iter().map(|(c, f)| json!({ "class": *c as u8, "f": hex(f) })).collect();
        cases.add(
            "payload",
            name,
            json!({
                "flow": 6, "m": hex(r.encode()), "expect": "ok",
                "fields": { "part": r.part, "parts": r.parts, "sigma_id": hex(r.sigma.0), "to": to },
            }),
        );
    }
    let bytes = whole.encode();
    let mut refuse = |name: &str, flow: u8, bytes: &[u8]| {
        cases.add("payload", name, json!({ "flow": flow, "m": hex(bytes), "expect": "Payload" }));
    };
    refuse("6: part beyond the parts", 6, &bent(&bytes, 2, 1));
    refuse("6: no parts", 6, &bent(&bytes, 4, 0));
    refuse("6: byte 1", 6, &bent(&bytes, 1, 1));
    refuse("6: a ticket among the receivers", 6, &bent(&bytes, 42, 2));
    refuse("6: one receiver more", 6, &bent(&bytes, 6, 3));
    refuse("6: nobody", 6, &bent(&bytes[..42], 6, 0));
    for flow in [1, 2, 3, 7] {
        refuse("a flow without a layout here", flow, &bytes);
    }
    Ok(())
}

fn frames(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    let (plug, rand): ([u8; 16], [u8; 32]) = (maker.bytes(), maker.bytes());
    let kses = *session_key(maker.pair("ev1")?, &plug, &rand);
    cases.add(
        "kses",
        "session key",
        json!({
            "record": "ev1", "plug": hex(plug), "rand": hex(rand), "kses": hex(kses)
        }),
    );
    let header = Box::new(maker.bytes::<HEADER>());
    let sigma = SigmaId(maker.bytes());
    let bill = Body::Bill { transaction: 9, last: true, energy_uj: -5, total: i64::MIN, currency: *b"EUR", tariff: 1 };
    let bodies = [
        (
            Side::Ev,
            vec![Body::Release { sigma, k: EntryKey::from_bytes(maker.bytes()) }, Body::Refusal { sigma }, Body::End],
        ),
        (Side::Pile, vec![Body::Header(header), bill, Body::End]),
    ];
    for (side, bodies) in bodies {
        let dir = if side == Side::Ev { 1 } else { 2 };
        let mut sender = Session::new(kses, side);
        let sealed: Vec<(Vec<u8>, Vec<u8>)> = bodies.iter().map(|b| (sender.seal(b), b.encode().to_vec())).collect();
        for (ctr, (bytes, body)) in sealed.iter().enumerate() {
            let frame = |bytes: &[u8], last: &str, expect: &str| json!({ "kses": hex(kses), "dir": dir, "last": last, "bytes": hex(bytes), "expect": expect });
            let mut good = frame(bytes, "-1", "ok");
            (good["ctr"], good["body"]) = (ctr.to_string().into(), hex(body).into());
            cases.add("frame", "good", good);
            cases.add("frame", "repeated", frame(bytes, &ctr.to_string(), "Replay"));
            cases.add("frame", "25 bytes", frame(&bytes[..25], "-1", "Length"));
            let mut bent = bytes.clone();
            bent[0] ^= 3;
            cases.add("frame", "the other direction", frame(&bent, "-1", "Kind"));
            for at in [1, 9, bytes.len() - 1] {
                let mut bent = bytes.clone();
                bent[at] ^= 1;
                // An altered counter is another key; one that falls back is refused before.
                let expect = "FrameAuth";
                cases.add("frame", &format!("byte {at} altered"), frame(&bent, "-1", expect));
            }
        }
        let mut steps = Vec::new();
        for (i, expect, last) in [(0, "ok", "0"), (0, "Replay", "0"), (2, "ok", "2"), (1, "Replay", "2")] {
            steps.push(json!({ "bytes": hex(&sealed[i].0), "expect": expect, "last": last }));
        }
        cases.add("frames", "out of order", json!({ "kses": hex(kses), "dir": dir, "steps": steps }));
    }
    Ok(())
}

pub fn sizes(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    for n in [1usize, 2, 3, 5, 8, 10, 31, 100, 1_000] {
        let names: Vec<String> = (0..n).map(|i| format!("ev{i}")).collect();
        names.iter().try_for_each(|name| maker.person(name, Class::Id, Role::Ev))?;
        let list: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"eleven kW"[..])).collect();
        let made = maker.sigma(Flow::COMMAND, &list, 64, 0)?;
        maker.good(cases, &format!("{n} receivers"), &made)?;
    }
    // The longest message of a bucket and one byte more.
    for len in [0usize, 12, 13, 44, 45, 76, 77, 140, 141, 972, 973, 65_484, 65_485] {
        let message = maker.noise(len);
        let made = maker.sigma(Flow::COMMAND, &[("ev0", &message), ("ev1", b"")], 64, 0)?;
        maker.good(cases, &format!("{len} bytes"), &made)?;
    }
    for floor in [65, 96, 97, 192] {
        let made = maker.sigma(Flow::COMMAND, &[("ev0", b"x")], floor, 0)?;
        maker.good(cases, &format!("at least {floor}"), &made)?;
    }
    Ok(())
}

pub fn votes(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    let epoch = maker.epoch();
    let names: Vec<String> = (0..7).map(|i| format!("css{i}")).collect();
    names.iter().try_for_each(|name| maker.person(name, Class::Id, Role::Css))?;
    maker.person("csc", Class::Id, Role::Csc)?;
    let mut good = Vec::new();
    for name in &names {
        let (body, rand) = (maker.noise(131), maker.bytes());
        let sig = vote::sign(&maker.params, maker.pair(name)?, &body, &rand);
        let case = |record: &str, epoch: u32, body: &[u8], sig: &[u8], expect: &str| {
            let digest = vote::digest(&maker.params, body);
            json!({
                "record": record, "epoch": epoch, "body": hex(body), "digest": hex(digest), "sig": hex(sig), "expect": expect
            })
        };
        let mut made = case(name, epoch, &body, &sig, "ok");
        made["rand"] = hex(rand).into();
        cases.add("vote", "good", made);
        cases.add("vote", "another body", case(name, epoch, &[&body[..], &[0]].concat(), &sig, "Signature"));
        cases.add("vote", "before its record", case(name, epoch - 1, &body, &sig, "VoteRecord"));
        cases.add("vote", "by a company", case("csc", epoch, &body, &sig, "VoteRecord"));
        let (mut n, mut z) = (sig, sig);
        n[0] ^= 1;
        z[32..].fill(0);
        cases.add("vote", "N altered", case(name, epoch, &body, &n, "Signature"));
        cases.add("vote", "z zero", case(name, epoch, &body, &z, "ScalarEncoding"));
        good.push((name.clone(), body, sig));
    }
    let batch = |votes: &[(String, Vec<u8>, [u8; 64])], each: &[&str], expect: bool| -> Result<Value, Error> {
        let mut list = Vec::new();
        for (name, body, signature) in votes {
            let (voter, message) = (maker.pair(name)?.public(), vote::digest(&maker.params, body));
            list.push(vote::BatchItem { voter, message, signature: *signature });
        }
        let votes: Vec<Value> =
            votes.iter().map(|(r, b, s)| json!({ "record": r, "body": hex(b), "sig": hex(s) })).collect();
        let weights: Vec<String> = vote::batch_vote_weights(&list).iter().map(hex).collect();
        Ok(json!({ "votes": votes, "each": each, "weights": weights, "expect": expect }))
    };
    cases.add("vote-batch", "seven good", batch(&good, &["ok"; 7], true)?);
    // Two errors that cancel in a sum without weights: z + 1 and z' - 1.
    let mut pair = good.clone();
    for (at, change) in [(2, 1i16), (5, -1)] {
        let low = i16::from(pair[at].2[32]) + change;
        pair[at].2[32] = low.rem_euclid(256) as u8;
    }
    let mut each = ["ok"; 7];
    (each[2], each[5]) = ("Signature", "Signature");
    cases.add("vote-batch", "two errors that cancel", batch(&pair, &each, false)?);
    ciphertexts(maker, cases)
}

/// Batches of ciphertexts.
fn ciphertexts(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    maker.person("ev0", Class::Id, Role::Ev)?;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(maker.sigma(Flow::COMMAND, &[("ev0", b"go")], 64, 0)?.bytes);
    }
    let mut add = |name: &str, all: &[Vec<u8>], each: &[&str], expect: bool| {
        let borrowed: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        cases.add(
            "batch",
            name,
            json!({
                "now": NOW.to_string(), "sigmas": all.iter().map(hex).collect::<Vec<_>>(), "each": each,
                "weights": batch_sigma_weights(&borrowed).iter().map(hex).collect::<Vec<_>>(), "expect": expect,
            }),
        );
    };
    add("one", &all[..1], &["ok"], true);
    add("five", &all, &["ok"; 5], true);
    let mut bent = all.clone();
    bent[3][421] ^= 1;
    add("one altered", &bent, &["ok", "ok", "ok", "Signature", "ok"], false);
    // V6 is not part of the batch: it is about headers.
    let mut body = all;
    let last = body[1].len() - 1;
    body[1][last] ^= 1;
    add("an entry altered", &body, &["ok", "Root", "ok", "ok", "ok"], true);
    Ok(())
}

pub fn extensions(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    for i in 0..9 {
        maker.person(&format!("ev{i}"), Class::Id, Role::Ev)?;
    }
    for i in 0..2 {
        maker.person(&format!("ss{i}"), Class::Session, Role::Ev)?;
    }
    let made = maker.sigma(Flow::COMMAND, &[("ss0", b"a"), ("ev0", b"b"), ("ss1", b"c")], 64, 0)?;
    maker.good(cases, "session records", &made)?;
    for n in [1usize, 3, 5, 7] {
        let names: Vec<String> = (0..n).map(|i| format!("ev{i}")).collect();
        let list: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"go"[..])).collect();
        let made = maker.sigma(Flow::COMMAND, &list, 64, padded_count(n as u32))?;
        maker.good(cases, &format!("{n} padded to {}", padded_count(n as u32)), &made)?;
    }
    for n in [1usize, 2, 7] {
        let names: Vec<String> = (0..n).map(|i| format!("ev{i}")).collect();
        let list: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"go"[..])).collect();
        let made = maker.sigma(Flow::COMMAND, &list, 64, 0)?;
        slices(maker, cases, &made, n as u32)?;
    }
    complaints(maker, cases)?;
    let (k, sigma) = (maker.bytes(), SigmaId(maker.bytes()));
    for status in [0, 1, 255] {
        let receipt = Receipt::new(&EntryKey::from_bytes(k), sigma, status);
        cases.add(
            "receipt",
            &format!("status {status}"),
            json!({
                "k": hex(k), "sigma_id": hex(sigma.0), "status": status, "rc": hex(receipt.rc)
            }),
        );
    }
    Ok(())
}

fn slices(maker: &mut People, cases: &mut Cases, made: &Made, n: u32) -> Result<(), Error> {
    let sigma = VerifiedSigma::verify(&maker.params, &Arc::from(&made.bytes[..]), NOW)?;
    for j in 0..n {
        let bytes = slice::make(&sigma, j).ok_or(Error::Path)?;
        let case =
            |bytes: &[u8], expect: &str| json!({ "bytes": hex(bytes), "now": NOW.to_string(), "expect": expect });
        let mut good = case(&bytes, "ok");
        good["j"] = j.into();
        cases.add("slice", &format!("{j} of {n}"), good);
        let bent = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            bytes
        };
        cases.add("slice", "magic", case(&bent(0), "Magic"));
        cases.add("slice", "header altered", case(&bent(4 + 202), "Signature"));
        cases.add("slice", "entry altered", case(&bent(4 + HEADER + 4 + 20), "Path"));
        cases.add("slice", "long", case(&[&bytes[..], &[0]].concat(), "Length"));
        cases.add("slice", "459 bytes", case(&bytes[..459], "Length"));
        let mut beyond = bytes.clone();
        beyond[4 + HEADER..4 + HEADER + 4].copy_from_slice(&n.to_le_bytes());
        cases.add("slice", "no such entry", case(&beyond, "Path"));
        if n > 1 {
            cases.add("slice", "path altered", case(&bent(bytes.len() - 1), "Path"));
        }
    }
    Ok(())
}

fn complaints(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    use crate::lab::forge::Trick;
    let other = maker.record("ev8")?.f();
    let tricks = [
        (Trick::default(), "ok"),
        (Trick { entry: true, ..Trick::default() }, "EntryAuth"),
        (Trick { f: Some(other), ..Trick::default() }, "PseudonymMismatch"),
        (Trick { capsule: true, ..Trick::default() }, "CapsuleAuth"),
        (Trick { alpha: true, ..Trick::default() }, "InnerSignature"),
    ];
    for (trick, finding) in tricks {
        let bytes = maker.forge(&["ev0", "ev1"], &trick)?;
        let sigma = VerifiedSigma::verify(&maker.params, &Arc::from(&bytes[..]), NOW)?;
        debug_assert_eq!(sigma.id(), sigma_id(&maker.params, &bytes));
        for (name, finding) in [("ev0", finding), ("ev5", "NotAReceiver")] {
            let rand = maker.bytes();
            let made = complaint::make(sigma.head(), maker.pair(name)?, &rand);
            let case = |wire: &[u8], expect: &str| json!({ "sigma": hex(&bytes), "now": NOW.to_string(), "bytes": hex(wire), "expect": expect });
            let mut good = case(&made, "ok");
            (good["pinned"], good["finding"]) = (json!([maker.rid("csc")?]), finding.into());
            (good["record"], good["rand"]) = (name.into(), hex(rand).into());
            good["k"] = maker.key(&bytes, name)?.into();
            cases.add("complaint", finding, good);
            let change = |range: core::ops::Range<usize>, byte: u8| {
                let mut wire = made;
                wire[range].fill(byte);
                wire
            };
            cases.add("complaint", "magic", case(&change(0..1, 0), "Magic"));
            cases.add("complaint", "short", case(&made[1..], "Length"));
            cases.add("complaint", "Z neutral", case(&change(110..142, 0), "PointEncoding"));
            cases.add("complaint", "c zero", case(&change(142..174, 0), "ScalarEncoding"));
            cases.add("complaint", "s not reduced", case(&change(174..206, 255), "ScalarEncoding"));
            let mut stolen = made;
            stolen[4..110].copy_from_slice(&maker.record("ev2")?.0);
            cases.add("complaint", "the record of another", case(&stolen, "Dleq"));
        }
    }
    Ok(())
}
