//! Making vectors from a seed: every flow, sizes up to 1,000 receivers, registration, votes, batches, extensions, and
//! negative cases built so that exactly one check refuses each (CLMMSC.md §19).
//!
//! What a case expects is written down where it is built, never read off our own verifier; [`make`] then checks each file,
//! so a mistake on either side shows before anybody else sees it.

mod basics;
mod open;
mod registration;
mod rest;
mod verify;

use super::Tally;
use crate::clmmsc::group;
use crate::clmmsc::{Error, Flow};
use crate::lab::people::{CREATED, NOW, People, Person, Post, TTL, scalar};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn hex(bytes: impl AsRef<[u8]>) -> String {
    crate::sim::inspect::hex(bytes.as_ref())
}

/// The cases of one file.
#[derive(Default)]
struct Cases(Vec<Value>);

impl Cases {
    /// Adds a case; `what` holds its fields besides id and kind.
    fn add(&mut self, kind: &str, name: &str, what: Value) {
        let mut case = Map::new();
        case.insert("id".into(), format!("{:03} {name}", self.0.len() + 1).into());
        case.insert("kind".into(), kind.into());
        if let Value::Object(fields) = what {
            case.extend(fields);
        }
        self.0.push(case.into());
    }
}

/// A σ with its `make` and who can open it.
struct Made {
    bytes: Vec<u8>,
    make: Value,
    to: Vec<(String, Vec<u8>)>,
    sender: String,
}

impl People {
    fn rid(&self, name: &str) -> Result<String, Error> {
        Ok(hex(self.pair(name)?.public().rid.0))
    }

    /// Honest σ of `flow` to named receivers.
    fn sigma(&mut self, flow: Flow, to: &[(&str, &[u8])], floor: u32, pad_to: u32) -> Result<Made, Error> {
        let Post { made, sender, ticket, rand } = self.post(flow, to, floor, pad_to)?;
        let mut make = json!({
            "flow": flow.code(), "created": CREATED.to_string(), "ttl": TTL, "sender": sender, "ticket": ticket,
            "rand": hex(rand), "floor": floor,
            "to": to.iter().map(|(record, m)| json!({ "record": record, "m": hex(m) })).collect::<Vec<_>>(),
        });
        if pad_to > 0 {
            make["pad_to"] = pad_to.into();
        }
        let to = to.iter().map(|(name, m)| ((*name).to_string(), m.to_vec())).collect();
        Ok(Made { bytes: made.bytes, make, to, sender })
    }

    /// k of a receiver for a σ.
    fn key(&self, bytes: &[u8], name: &str) -> Result<String, Error> {
        Ok(hex(self.k(&self.gateway(bytes)?, name)?.as_bytes()))
    }

    /// A good `sigma` case with every receiver's opening.
    fn good(&mut self, cases: &mut Cases, name: &str, made: &Made) -> Result<(), Error> {
        let sigma = self.gateway(&made.bytes)?;
        let mut opens = Vec::new();
        for (to, m) in made.to.iter().take(8) {
            opens.push(json!({
                "record": to, "k": self.key(&made.bytes, to)?, "decap": true, "pinned": [self.rid(&made.sender)?],
                "expect": "ok", "m": hex(m), "sender": self.rid(&made.sender)?,
            }));
        }
        cases.add("sigma", name, json!({
            "sigma": hex(&made.bytes), "now": NOW.to_string(), "ledger": [], "expect": "ok",
            "ctx": hex(sigma.head().context()), "sigma_id": hex(sigma.id().0), "nullifier": hex(sigma.nullifier().0),
            "root": hex(sigma.header().root), "make": made.make, "opens": opens,
        }));
        Ok(())
    }

    /// The file: parameters, the records its cases name, and the cases.
    fn file(&self, title: &str, about: &str, cases: Cases) -> Value {
        let mut named = BTreeSet::from(["kgc".to_string()]);
        cases.0.iter().for_each(|case| names(case, &self.people, &mut named));
        let records: Map<String, Value> = named
            .into_iter()
            .filter_map(|name| {
                let Person { pair, x, d, uid, ctr } = self.people.get(&name)?;
                let public = pair.public();
                let record = json!({
                    "rec": hex(public.record.0), "rid": hex(public.rid.0), "h": hex(public.h.as_bytes()),
                    "g": hex(public.g.as_bytes()), "pk": hex(group::enc(&public.pk)), "x": hex(x), "d": hex(d),
                    "sk": hex(pair.expose_sk()), "uid": uid.to_string(), "ctr": ctr,
                });
                Some((name, record))
            })
            .collect();
        let p = &self.params.policy;
        json!({
            "schema": "clmmsc-vectors/1", "title": title, "about": about,
            "params": {
                "suite": crate::clmmsc::params::SUITE, "net": self.params.net, "epoch_len": p.epoch_len, "skew": p.skew,
                "ttl_max": p.ttl_max, "max_bytes": p.max_bytes, "ppub": hex(group::enc(&self.params.ppub)),
                "params_id": hex(self.params.id),
            },
            "kgc": { "s": hex(self.s), "kf": hex(self.kf), "id": "kgc" },
            "records": records, "cases": cases.0,
        })
    }
}

/// Which of `people` a case names.
fn names(value: &Value, people: &BTreeMap<String, Person>, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if people.contains_key(text) => {
            found.insert(text.clone());
        }
        Value::Array(list) => list.iter().for_each(|v| names(v, people, found)),
        Value::Object(map) => map.values().for_each(|v| names(v, people, found)),
        _ => {}
    }
}

/// The files of a seed, by name.
///
/// # Errors
/// A sentence, if a case does not hold in our own checker: then one of the two is wrong.
pub fn make(seed: u64) -> Result<BTreeMap<String, String>, String> {
    type Section = (&'static str, &'static str, fn(&mut People, &mut Cases) -> Result<(), Error>);
    let sections: [Section; 8] = [
        ("primitives", "Hash, group, AEAD, buckets, Merkle trees, pseudo-identities.", basics::cases),
        ("registration", "Issue, accept, requests, answers, lists, boxes.", registration::cases),
        ("flows", "Every flow, its payloads, session keys, frames, releases.", rest::flows),
        ("sizes", "Up to 1,000 receivers, and message lengths at the edges of the buckets.", rest::sizes),
        ("negative-verify", "One failing check of V1 to V7 each.", verify::cases),
        ("negative-open", "One failing check of E2 to E4 and R1 to R10 each, from senders that cheat.", open::cases),
        ("votes", "Votes and batches of votes and of ciphertexts.", rest::votes),
        ("extensions", "Session records, padding, slices, complaints, receipts.", rest::extensions),
    ];
    let mut files = BTreeMap::new();
    for (title, about, section) in sections {
        let mut maker = People::new(seed).map_err(|e| e.to_string())?;
        let mut cases = Cases::default();
        section(&mut maker, &mut cases).map_err(|e| format!("{title}: {e}"))?;
        let text = serde_json::to_string_pretty(&maker.file(title, about, cases)).map_err(|e| e.to_string())?;
        let mut tally = Tally::default();
        tally.file(title, &text);
        if let Some(first) = tally.failed.iter().chain(&tally.unreadable).next() {
            return Err(format!("{} cases do not hold, the first: {first}", tally.failed.len()));
        }
        files.insert(format!("{title}.json"), text);
    }
    Ok(files)
}
