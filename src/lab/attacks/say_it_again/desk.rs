//! Requests to the KGC said again (A41; CLMMSC.md §3.6 "remember, then answer").

use super::{Stuck, Trial};
use crate::clmmsc::channel::{Purpose, open_box, seal_box};
use crate::clmmsc::keys::Wanted;
use crate::clmmsc::kgc::{Desk, Issue, User};
use crate::clmmsc::request::{self, HEAD, Head, REFUSED, Randomness, WIRE_MAGIC};
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::weak::memory;
use crate::clmmsc::{Check, Class, Error, Failure, Role, UserSecret, group};
use crate::lab::people::{NOW, People, scalar};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who might have asked; the second did.
const CARS: [&str; 3] = ["ev0", "ev1", "ev2"];
const OWNER: &str = "ev1";
/// A user number with an unspent enrolment code.
const NEWCOMER: u64 = 1000;

fn secret(people: &mut People) -> Result<UserSecret, Error> {
    Ok(UserSecret::from_scalar(group::scal(&scalar(&mut people.rng))?))
}

fn dice(people: &mut People) -> Randomness {
    Randomness { sign: people.bytes(), seal: people.bytes() }
}

fn head(people: &People, kind: u8, class: Class, uid: u64) -> Head {
    Head { kind, class, role: Role::Ev, uid, from: people.epoch(), to: people.epoch() }
}

/// What the desk answers; it remembers first.
fn serve(people: &People, desk: &mut Desk, wire: &[u8]) -> Result<Arc<[u8]>, Failure> {
    let at = Failure::at(Check::Q1);
    let granted = desk.check(&people.params, people.pair("kgc").map_err(&at)?, NOW, wire)?;
    if let Some(answer) = &granted.stored {
        return Ok(answer.clone());
    }
    let Head { class, role, from, to, uid, .. } = granted.head;
    let x = granted.keys.first().copied().unwrap_or_default();
    let what = Issue { class, role, from, to, uid, ctr: desk.next_counter(class, role, uid, from) };
    let item = people.master.issue(&people.params, &what, &x, &[3; 32]).map_err(&at)?;
    let records = [(item.0.rid(&people.params), item.0)];
    let answer = people.master.seal_answer(&people.params, &granted.digest, &x, &[item], &[4; 32]).map_err(&at)?;
    desk.remember(&granted, &records, answer.clone().into());
    Ok(answer.into())
}

/// A request with a body of one's choice, signed by oneself.
fn probe(people: &People, body: &[u8], by: &str, seal: &[u8; 32]) -> Result<Vec<u8>, Error> {
    let own = people.pair(by)?;
    let m = request::digest(&people.params, body);
    let auth = [&own.record().0[..], &schnorr::sign(Name::KeyRequest, own, &m, &[5; 32])].concat();
    let kgc = people.pair("kgc")?.public();
    let sealed = seal_box(&people.params, Purpose::Request, kgc, &[body, &auth].concat(), own.nonce_key(), seal);
    Ok([&WIRE_MAGIC[..], &sealed].concat())
}

pub(super) fn a41(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let mut desk = Desk::default();
    for car in CARS.into_iter().chain(["stranger"]) {
        people.person(car, Class::Id, Role::Ev)?;
        let records = vec![(people.pair(car)?.public().rid, None)];
        desk.register(people.get(car)?.uid, User { role: Role::Ev, code: None, records, attached: None });
    }
    first_key(people, trial, &mut desk)?;

    // A ticket whose answer is lost on its way.
    let (uid, user, rand) = (people.get(OWNER)?.uid, [secret(people)?], [dice(people), dice(people)]);
    let (asked, kgc) = (head(people, 2, Class::Ticket, uid), people.pair("kgc")?.public().clone());
    let made = rand.map(|rand| {
        let own = people.pair(OWNER)?;
        Ok::<_, Error>(request::further(&people.params, &kgc, &asked, &user, own, &rand))
    });
    let [first, reboxed] = made;
    let first = first?;
    let answer = serve(people, &mut desk, &first.wire)?;
    let again = serve(people, &mut desk, &first.wire)?;
    trial.holds("repeat the request for a lost answer", again == answer, format!("the same {} bytes", again.len()));
    let same_signature = Randomness { sign: rand[0].sign, seal: rand[1].seal };
    let boxed = request::further(&people.params, &kgc, &asked, &user, people.pair(OWNER)?, &same_signature);
    let again = serve(people, &mut desk, &boxed.wire)?;
    trial.holds("repeat it in another box", again == answer && boxed.wire != first.wire, "the same answer");
    let want = Wanted { class: asked.class, role: asked.role, from: asked.from, to: asked.to };
    let ticket = request::accept_answer(&people.params, &want, &user, &first.digest, &again)?;
    trial.refused("repeat it signed anew", Check::Q2, Error::DuplicateKey, serve(people, &mut desk, &reboxed?.wire));
    let shown = ticket.first().ok_or("no ticket")?.record().x();
    let inner = open_box(&people.params, Purpose::Request, people.pair("kgc")?, &first.wire[4..])?;
    let answered = BTreeMap::from([(inner[..HEAD + 32].to_vec(), answer)]);
    guess_owner(people, trial, &mut desk, &shown, &answered)
}

/// The first request, with a code that can be spent once.
fn first_key(people: &mut People, trial: &mut Trial, desk: &mut Desk) -> Result<(), Stuck> {
    let code: [u8; 32] = people.bytes();
    desk.register(NEWCOMER, User { role: Role::Ev, code: Some(code.into()), records: vec![], attached: None });
    let (user, other, rand) = (secret(people)?, secret(people)?, dice(people));
    let (asked, kgc) = (head(people, 1, Class::Id, NEWCOMER), people.pair("kgc")?.public().clone());
    let first = request::first(&people.params, &kgc, &asked, &user, &code, &rand);
    let answer = serve(people, desk, &first.wire)?;
    let again = serve(people, desk, &first.wire)?;
    trial.holds(
        "repeat a first request",
        again == answer,
        format!("the same {} bytes, though the code is spent", again.len()),
    );
    let second = request::first(&people.params, &kgc, &asked, &other, &code, &rand);
    trial.refused("spend the code again", Check::Q3, Error::Enrolment, serve(people, desk, &second.wire));
    Ok(())
}

/// A stranger saw X' in a ciphertext and tries every user's body for it.
fn guess_owner(
    people: &People,
    trial: &mut Trial,
    desk: &mut Desk,
    shown: &[u8; 32],
    answered: &BTreeMap<Vec<u8>, Arc<[u8]>>,
) -> Result<(), Stuck> {
    let body = |uid| head(people, 2, Class::Ticket, uid).body(&[*shown]);
    let mut heard = Vec::new();
    for (i, car) in CARS.into_iter().enumerate() {
        let wire = probe(people, &body(people.get(car)?.uid), "stranger", &[i as u8; 32])?;
        let outcome = serve(people, desk, &wire);
        heard.push(outcome.as_ref().map_or(REFUSED.to_vec(), |answer| answer.to_vec()));
        trial.refused(format!("ask for X' in the name of {car}"), Check::Q2, Error::DuplicateKey, outcome);
    }
    let alike = heard.iter().all(|answer| answer == REFUSED);
    trial.holds("compare what comes back", alike, "the same four bytes for all three");

    let mut named = Vec::new();
    for (i, car) in CARS.into_iter().enumerate() {
        let wire = probe(people, &body(people.get(car)?.uid), "stranger", &[i as u8; 32])?;
        let kgc = people.pair("kgc")?;
        if memory::answer_by_body(desk, answered, &people.params, kgc, NOW, &wire).is_ok() {
            named.push(car);
        }
    }
    trial.breaks(
        "ask for X' in the name of each car",
        named == [OWNER],
        format!("only {} is answered: it is its ticket", named.join(", ")),
    );
    Ok(())
}
