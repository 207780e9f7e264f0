//! Strangers at the KGC's door (A40; CLMMSC.md §3.6 "one refusal"): the actor of the simulation, with its queue and delay.

use super::People;
use super::trial::{Stuck, Trial};
use crate::clmmsc::channel::{Purpose, seal_box};
use crate::clmmsc::kgc::{Desk, MasterKey, User};
use crate::clmmsc::request::{self, Head, REFUSED, Randomness, WIRE_MAGIC};
use crate::clmmsc::weak::desk as weak;
use crate::clmmsc::{Class, Error, Role, UserSecret, group};
use crate::entities::actor::{ActorId, Role as Actor};
use crate::entities::setup::{Agreement, TariffTable, Tickets};
use crate::entities::stub::Crypto;
use crate::entities::{Bench, Input, Io, Kgc, Output, Packet, Setup, TimerId};
use crate::lab::people::{NOW, scalar};
use crate::ledger::Micros;
use crate::pbft::NodeId;
use crate::sim::memo::Memo;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the stranger is called on the network.
const STRANGER: NodeId = NodeId(999);

/// A request and what the stranger hopes to learn from the answer.
struct Probe {
    what: String,
    wire: Vec<u8>,
}

/// The KGC of a network with two cars and a company, as an actor.
fn kgc(people: &People) -> Result<Kgc, Stuck> {
    let delay = Micros(5_000);
    let nothing = Micros(0);
    let setup = Setup {
        params: people.params.clone(),
        kgc: people.pair("kgc")?.public().clone(),
        genesis_time: NOW,
        n: 4,
        csc: 1,
        cp: 1,
        ev: 2,
        areas: 1,
        ttl: 60,
        pad: false,
        tickets: Tickets { csc: 1, css: 1, ev: 1 },
        answer_delay: delay,
        store_uploads: false,
        upload_every: nothing,
        plan_every: nothing,
        crypto: Crypto::Real,
        feeder_cap_w: 0,
        area_cap_w: vec![0],
        rating_w: 0,
        tariff: TariffTable { id: 0, currency: *b"EUR", periods: vec![] },
        agreement: Agreement {
            t0: nothing,
            pipeline: 1,
            batch_max: 1,
            batch_bytes: 1,
            batch_delay: nothing,
            relay_after: nothing,
            backoff_cap: 1,
            fetch_timeout: nothing,
            drift: 1,
            checkpoint: 16,
            window: 32,
            pool_max: 4_096,
            resend: Micros(250_000),
            status_every: Micros(0),
            retain: None,
            rotate_every: 0,
        },
    };
    let codes = enrolled().map(|(actor, code)| (actor, [code; 32]));
    let master = MasterKey::from_scalar(&people.s, people.kf)?;
    Ok(Kgc::new(Arc::new(setup), master, people.pair("kgc")?.clone(), &codes))
}

fn enrolled() -> [(ActorId, u8); 3] {
    [(ActorId::new(Actor::Csc, 0), 1), (ActorId::new(Actor::Ev, 0), 2), (ActorId::new(Actor::Ev, 1), 3)]
}

/// One step of the actor: its outputs and the virtual time it took.
fn step(people: &People, kgc: &mut Kgc, now: Micros, input: Input<'_>) -> (Vec<Output>, u64) {
    let (mut memo, mut rng, mut out) = (Memo::new(), ChaCha8Rng::seed_from_u64(now.0), Vec::new());
    let mut bench = Bench::new(&people.params, &[], &mut memo);
    kgc.step(now, input, &mut Io { bench: &mut bench, rng: &mut rng, out: &mut out });
    let spent = bench.spent();
    (out, spent)
}

/// The answer to a request, and after how many virtual µs it leaves.
fn ask(people: &People, kgc: &mut Kgc, now: Micros, wire: &[u8]) -> Result<(Vec<u8>, u64), Stuck> {
    let packet = Packet::Request(wire.into());
    let (out, spent) = step(people, kgc, now, Input::Deliver { from: STRANGER, packet: &packet });
    let timer = out.iter().find_map(|output| match output {
        Output::SetTimer { timer: TimerId::Answer, after } => Some(*after),
        _ => None,
    });
    let waited = spent + timer.ok_or("no answer is planned")?.0;
    let (out, _) = step(people, kgc, Micros(now.0 + waited), Input::Timer(TimerId::Answer));
    let answer = out.iter().find_map(|output| match output {
        Output::Send { to, packet: Packet::Answer(answer) } if *to == STRANGER => Some(answer.to_vec()),
        _ => None,
    });
    Ok((answer.ok_or("no answer is sent")?, waited))
}

/// Requests that anybody can write, for users who are there and users who are not.
fn probes(people: &mut People) -> Result<Vec<Probe>, Stuck> {
    let (public, epoch) = (people.pair("kgc")?.public().clone(), people.epoch());
    let mut probes = Vec::new();
    let numbers = enrolled().map(|(actor, _)| actor.uid()).into_iter().chain([7, 5_000_009]);
    for uid in numbers {
        let x = UserSecret::from_scalar(group::scal(&scalar(&mut people.rng))?);
        let head = Head { kind: 1, class: Class::Id, role: Role::Ev, uid, from: epoch, to: epoch };
        let (code, rand) = (people.bytes(), Randomness { sign: people.bytes(), seal: people.bytes() });
        let wire = request::first(&people.params, &public, &head, &x, &code, &rand).wire;
        probes.push(Probe { what: format!("user {uid} with a made-up code"), wire });
        for name in ["ev0", "csc"] {
            let record = people.record(name)?;
            let head = Head { kind: 2, class: Class::Ticket, role: Role::Ev, ..head };
            let inner = [&head.body(&[x.public()])[..], &record.0, &people.bytes::<64>()].concat();
            let (secret, rand) = (people.bytes(), people.bytes());
            let boxed = seal_box(&people.params, Purpose::Request, &public, &inner, &secret, &rand);
            let wire = [&WIRE_MAGIC[..], &boxed].concat();
            probes.push(Probe { what: format!("user {uid} with the record of {name}"), wire });
        }
    }
    probes.push(Probe { what: "noise".into(), wire: people.noise(208) });
    probes.push(Probe { what: "three bytes".into(), wire: people.noise(3) });
    Ok(probes)
}

pub(super) fn a40(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("ev0", Role::Ev), ("ev1", Role::Ev), ("csc", Role::Csc)] {
        people.person(name, Class::Id, role)?;
    }
    let mut centre = kgc(people)?;
    let probes = probes(people)?;
    let mut seen = BTreeSet::new();
    for (i, probe) in (0..).zip(&probes) {
        let (answer, waited) = ask(people, &mut centre, Micros(1_000_000 * (i + 1)), &probe.wire)?;
        trial.holds(&*probe.what, answer == REFUSED, format!("{} after {waited} µs", super::post::text(&answer)));
        seen.insert((answer, waited));
    }
    trial.holds(
        format!("compare the answers to {} requests", probes.len()),
        seen.len() == 1,
        format!("{} answer, one delay", seen.len()),
    );
    names(people, trial)
}

/// A desk that answers with the name of the error: who owns which record, and which X is taken.
fn names(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let mut desk = Desk::default();
    let cars = ["ev0", "ev1"];
    for name in cars {
        let records = vec![(people.pair(name)?.public().rid, None)];
        desk.register(people.get(name)?.uid, User { role: Role::Ev, code: None, records, attached: None });
        desk.know_key(people.record(name)?.x());
    }
    let (public, epoch) = (people.pair("kgc")?.public().clone(), people.epoch());
    let answer = |people: &mut People, uid: u64, x: [u8; 32], shown: &str| -> Result<String, Stuck> {
        let head = Head { kind: 2, class: Class::Ticket, role: Role::Ev, uid, from: epoch, to: epoch };
        let inner = [&head.body(&[x])[..], &people.record(shown)?.0, &[1; 32], &[1; 32]].concat();
        let (secret, rand) = (people.bytes(), people.bytes());
        let boxed = seal_box(&people.params, Purpose::Request, &public, &inner, &secret, &rand);
        let wire = [&WIRE_MAGIC[..], &boxed].concat();
        Ok(weak::telling(&desk, &people.params, people.pair("kgc")?, NOW, &wire))
    };
    for name in cars {
        let (owner, fresh) = (people.get(name)?.uid, scalar(&mut people.rng));
        let x = UserSecret::from_scalar(group::scal(&fresh)?).public();
        let mut owners = Vec::new();
        for uid in 0..8 {
            if answer(people, uid, x, name)? == Error::Signature.name() {
                owners.push(uid);
            }
        }
        let seen = format!("the record of {name} belongs to user {owners:?}");
        trial.breaks(format!("show the record of {name} for eight user numbers"), owners == [owner], seen);
    }
    let taken = people.record("ev1")?.x();
    let told = answer(people, 7, taken, "ev0")?;
    trial.breaks("ask for an X that is taken", told == Error::DuplicateKey.name(), told);
    Ok(())
}
