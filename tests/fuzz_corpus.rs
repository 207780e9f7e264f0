//! The fuzz targets on the committed corpus and on altered copies of it; `cargo xtask fuzz` searches further.
//!
//! `UPDATE_CORPUS=1 cargo test --test fuzz_corpus` writes the seeds anew: honest bytes of every kind, from the scheme and
//! from a run.
#![cfg(all(not(target_arch = "wasm32"), feature = "attack-lab"))]

#[path = "../fuzz/src/targets.rs"]
mod targets;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use targets::{EPOCH, NOW, Stage, TARGETS};
use voltcast::clmmsc::channel::{Purpose, open_box};
use voltcast::clmmsc::request::{self, Head, Randomness};
use voltcast::clmmsc::ticket_opening::Claim;
use voltcast::clmmsc::{Class, RecordId, Role, SigmaId, complaint, list, session, slice};
use voltcast::entities::Packet;
use voltcast::entities::command::Command;
use voltcast::ledger::codec::Writer;
use voltcast::pbft::Message;
use voltcast::sim::scenario::{PRESETS, Scenario};
use voltcast::sim::timelines::{BranchId, Timelines, Until};
use voltcast::sim::trace::ItemId;

type Seeds = BTreeMap<&'static str, Vec<Vec<u8>>>;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder(target)).unwrap_or_else(|e| panic!("the corpus of {target}: {e}"));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect()
}

/// What a few random hands make of a seed.
fn altered(rng: &mut ChaCha20Rng, seed: &[u8]) -> Vec<u8> {
    let mut out = seed.to_vec();
    let mut below = |n: usize| rng.next_u64() as usize % n.max(1);
    for _ in 0..=below(3) {
        let at = below(out.len());
        match below(6) {
            0 => out.truncate(at),
            1 => out.insert(at, below(256) as u8),
            2 if !out.is_empty() => drop(out.remove(at)),
            3 => out.extend_from_within(at..),
            4 if out.len() >= at + 4 => out[at..at + 4].copy_from_slice(&[[0; 4], [255; 4]][below(2)]),
            _ if !out.is_empty() => out[at] ^= 1 << below(8),
            _ => {}
        }
    }
    out
}

#[test]
fn no_seed_and_no_altered_seed_does_harm() {
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        write(&seeds());
    }
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for (name, _) in TARGETS {
        let seeds = corpus(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in &seeds {
            targets::run(name, seed);
            for _ in 0..40 / seeds.len().min(40) + 1 {
                targets::run(name, &altered(&mut rng, seed));
            }
        }
        targets::run(name, &[]);
    }
}

/// Every target has its program and every program its target.
#[test]
fn programs_and_targets_agree() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    let programs: Vec<&str> =
        manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(programs, TARGETS.map(|target| target.0));
}

fn write(seeds: &Seeds) {
    for (name, seeds) in seeds {
        std::fs::create_dir_all(folder(name)).expect("a folder");
        for (i, seed) in seeds.iter().enumerate() {
            std::fs::write(folder(name).join(format!("seed-{i}")), seed).expect("a file");
        }
    }
}

fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    scheme(&mut seeds);
    registration(&mut seeds);
    run(&mut seeds);
    texts(&mut seeds);
    from_vectors(&mut seeds);
    seeds
}

/// Ciphertexts and what is made of them.
fn scheme(seeds: &mut Seeds) {
    let stage = Stage::get();
    seeds.insert("records", vec![stage.car.record().0.to_vec(), stage.csc.record().0.to_vec()]);
    seeds.insert("sigma", vec![stage.sigma.bytes().to_vec()]);
    let mut plain = stage.csc.record().0.to_vec();
    plain.resize(170 + 16, 7);
    plain.extend(stage.car.record().f());
    plain.extend(4u32.to_le_bytes());
    plain.extend(b"7 kW");
    let mut inside_only = plain.clone();
    inside_only[0] = 2;
    seeds.insert("entries", vec![plain, inside_only]);
    let slices = [0, 3].map(|j| slice::make(&stage.sigma, j).expect("an entry")[4 + 452..].to_vec());
    seeds.insert("slices", slices.to_vec());
    let complaint = complaint::make(stage.sigma.head(), &stage.car, &[1; 32]);
    seeds.insert("complaints", vec![complaint.to_vec()]);
    let sigma = SigmaId([1; 32]);
    let bodies = [
        session::Body::Refusal { sigma },
        session::Body::End,
        session::Body::Header(Box::new(*stage.sigma.header_bytes().first_chunk().expect("a header"))),
    ];
    seeds.insert("frames", bodies.map(|body| body.encode().to_vec()).to_vec());
    let commands = [
        Command::Availability { operative: true },
        Command::Stop { transaction: 7 },
        Command::DefaultLimit { limit_w: 7_000 },
    ];
    seeds.insert("commands", commands.map(|command| command.encode()).to_vec());
}

/// Requests, answers, lists and claims.
fn registration(seeds: &mut Seeds) {
    let stage = Stage::get();
    let head = |kind, class, uid| Head { kind, class, role: Role::Ev, uid, from: EPOCH, to: EPOCH };
    let rand = Randomness { sign: [1; 32], seal: [2; 32] };
    let (params, kgc, new) = (&stage.params, stage.kgc.public(), &stage.newcomer);
    let asked = [
        request::first(params, kgc, &head(1, Class::Id, 6), new, &[7; 32], &rand),
        request::further(params, kgc, &head(2, Class::Ticket, 5), std::slice::from_ref(new), &stage.car, &rand),
        request::attach(params, kgc, &head(3, Class::Id, 5), &RecordId([1; 32]), NOW, &stage.car, &rand),
    ];
    let opened = asked.map(|asked| open_box(params, Purpose::Request, &stage.kgc, &asked.wire[4..]).expect("a box"));
    let body = &opened[1][..60];
    let ticket = voltcast::clmmsc::Record::new(
        Class::Ticket,
        Role::Ev,
        EPOCH,
        EPOCH,
        &[1; 32],
        &new.public(),
        &stage.car.record().r(),
    );
    let claim = Claim { ticket, uid: 5, body: body.to_vec(), signature: [1; 64] };
    seeds.insert("claims", vec![claim.encode()]);
    seeds.insert("answers", vec![[&ticket.0[..], &[1; 32]].concat(), [&stage.car.record().0[..], &[2; 32]].concat()]);
    seeds.insert("requests", opened.map(|inner| inner.to_vec()).to_vec());
    let list = list::make(params, &stage.kgc, EPOCH, &[*stage.car.record()], &[1; 32]);
    seeds.insert("lists", vec![list[..list.len() - 64].to_vec(), list[..12].to_vec()]);
}

/// One packet of each kind of a run, and what it carries.
fn run(seeds: &mut Seeds) {
    let mut timelines =
        Timelines::open(Scenario::preset("dead-primary").expect("a preset"), vec![]).expect("it starts");
    timelines.run(BranchId(0), Until::End, u32::MAX);
    let world = timelines.world(BranchId(0));
    let (mut packets, mut messages, mut ledger) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for packet in (0..).map_while(|id| world.packet(ItemId(id))) {
        let bytes = packet.encode();
        packets.entry(bytes[0]).or_insert_with(|| bytes.clone());
        let Packet::Pbft(message) = packet else { continue };
        messages.entry(bytes[1]).or_insert_with(|| message.encode());
        let mut w = Writer::new();
        match &**message {
            Message::Publish(publish) => publish.block.write(&mut w),
            Message::PrePrepare(_, proposal) => proposal.write(&mut w),
            _ => continue,
        }
        ledger.entry(bytes[1]).or_insert(w.0);
    }
    seeds.insert("packets", packets.into_values().collect());
    seeds.insert("pbft", messages.into_values().collect());
    seeds.insert("ledger", ledger.into_values().collect());
}

fn texts(seeds: &mut Seeds) {
    let of = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.insert("scenarios", PRESETS.iter().map(|preset| preset.toml.as_bytes().to_vec()).collect());
    let long = "#/run/one-liar?seed=7&n=4&at=1250ms&do=e1812~crash~css1&d=3f9a1c22b0&lens=all&sel=css3";
    seeds.insert("links", of(&[long, "#/run/day4", "https://a.b/c#/run/thirty-one?at=e12"]));
    let json = r#"{"at":"1s","do":{"behave":{"node":"css2","kind":"silent","when":"always"}}}"#;
    let short = ["e1812~crash~css1", "50ms~delay~e7~2s", "e3~flip~e2~4~7", "0s~behave~css1~silent", json];
    seeds.insert("interventions", of(&short));
}

/// The smallest honest and refused content of flows 4 to 6, and the smallest case of each kind in a file of its own.
fn from_vectors(seeds: &mut Seeds) {
    let bytes = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).filter_map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
    };
    let (mut contents, mut files) = (BTreeMap::new(), Vec::new());
    let mut kinds = BTreeSet::new();
    for text in [
        include_str!("vectors/registration.json"),
        include_str!("vectors/flows.json"),
        include_str!("vectors/extensions.json"),
        include_str!("vectors/primitives.json"),
        include_str!("vectors/votes.json"),
    ] {
        let mut file: serde_json::Value = serde_json::from_str(text).expect("a file of vectors");
        let cases = file["cases"].take();
        for case in cases.as_array().expect("cases") {
            let kind = case["kind"].as_str().expect("a kind").to_owned();
            if kind == "payload" {
                let content = bytes(case["m"].as_str().expect("content"));
                let key = (case["flow"].to_string(), case["expect"] == "ok", content.len() > 200);
                contents.entry(key).or_insert(content);
            }
            if case.to_string().len() < 4_000 && kinds.insert(kind) {
                let mut small = file.clone();
                let named =
                    |name: &str| case.to_string().contains(&format!("\"{name}\"")) || small["kgc"]["id"] == name;
                let kept = small["records"].as_object().expect("records").iter().filter(|(name, _)| named(name));
                let kept: serde_json::Map<_, _> = kept.map(|(name, record)| (name.clone(), record.clone())).collect();
                small["records"] = kept.into();
                small["cases"] = serde_json::json!([case]);
                files.push(small.to_string().into_bytes());
            }
        }
    }
    seeds.insert("payloads", contents.into_values().collect());
    seeds.insert("vectors", files);
}
