//! The KGC's registration desk under attack (A39; CLMMSC.md §3.6).

use super::People;
use super::post::short;
use super::trial::{Stuck, Trial};
use crate::clmmsc::channel::{Purpose, open_box, seal_box};
use crate::clmmsc::keys::{IssuedItem, Wanted};
use crate::clmmsc::kgc::{Desk, Granted, Issue, User};
use crate::clmmsc::request::{self, ACCEPTED, HEAD, Head, Randomness, WIRE_MAGIC};
use crate::clmmsc::weak::desk as weak;
use crate::clmmsc::{Check, Class, Error, Failure, KeyPair, Record, RecordId, Role, UserSecret, group};
use crate::lab::forge::{Hand, Trick};
use crate::lab::people::{CREATED, NOW, scalar};
use std::sync::Arc;

/// The newcomer's user number.
const NEWCOMER: u64 = 1000;

/// A desk with its users: `ev0`, `ev1` and `csc` enrolled, one newcomer with a code, `css0` pinned.
struct Stage {
    desk: Desk,
    code: [u8; 32],
}

impl Stage {
    fn new(people: &mut People) -> Result<Stage, Error> {
        let mut desk = Desk::default();
        for (name, role) in [("ev0", Role::Ev), ("ev1", Role::Ev), ("csc", Role::Csc), ("css0", Role::Css)] {
            people.person(name, Class::Id, role)?;
            let records = vec![(people.pair(name)?.public().rid, None)];
            desk.register(people.get(name)?.uid, User { role, code: None, records, attached: None });
        }
        desk.pin_gateway(people.pair("css0")?.public().rid);
        let code = people.bytes();
        desk.register(NEWCOMER, User { role: Role::Ev, code: Some(code.into()), records: vec![], attached: None });
        Ok(Stage { desk, code })
    }

    /// Checks, issues, remembers, answers.
    fn serve(&mut self, people: &mut People, wire: &[u8]) -> Result<Arc<[u8]>, Failure> {
        let granted =
            self.desk.check(&people.params, people.pair("kgc").map_err(Failure::at(Check::Q1))?, NOW, wire)?;
        match &granted.stored {
            Some(answer) => Ok(answer.clone()),
            None => self.answer(people, &granted).map_err(Failure::at(Check::Q1)),
        }
    }

    fn answer(&mut self, people: &mut People, granted: &Granted) -> Result<Arc<[u8]>, Error> {
        let (mut records, mut answer) = (Vec::new(), ACCEPTED.to_vec());
        if granted.attach.is_none() {
            let items = issue(people, &mut self.desk, &granted.head, &granted.keys)?;
            records.extend(items.iter().map(|(rec, _)| (rec.rid(&people.params), *rec)));
            let x1 = granted.keys.first().ok_or(Error::Count)?;
            let rand = people.bytes();
            answer = people.master.seal_answer(&people.params, &granted.digest, x1, &items, &rand)?;
        }
        let answer: Arc<[u8]> = answer.into();
        self.desk.remember(granted, &records, answer.clone());
        Ok(answer)
    }
}

fn issue(people: &mut People, desk: &mut Desk, head: &Head, keys: &[[u8; 32]]) -> Result<Vec<IssuedItem>, Error> {
    let of = |x: &[u8; 32]| {
        let ctr = desk.next_counter(head.class, head.role, head.uid, head.from);
        let what = Issue { class: head.class, role: head.role, from: head.from, to: head.to, uid: head.uid, ctr };
        let rand = people.bytes();
        people.master.issue(&people.params, &what, x, &rand)
    };
    keys.iter().map(of).collect()
}

fn user(people: &mut People) -> Result<UserSecret, Error> {
    Ok(UserSecret::from_scalar(group::scal(&scalar(&mut people.rng))?))
}

fn head(people: &People, kind: u8, class: Class, role: Role, uid: u64) -> Head {
    Head { kind, class, role, uid, from: people.epoch(), to: people.epoch() }
}

fn randomness(people: &mut People) -> Randomness {
    Randomness { sign: people.bytes(), seal: people.bytes() }
}

/// A request with its inside changed by somebody who sees it unboxed.
fn altered(people: &mut People, wire: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>, Error> {
    let kgc = people.pair("kgc")?.clone();
    let mut inner = open_box(&people.params, Purpose::Request, &kgc, &wire[WIRE_MAGIC.len()..])?.to_vec();
    change(&mut inner);
    let (secret, rand) = (people.bytes(), people.bytes());
    let boxed = seal_box(&people.params, Purpose::Request, kgc.public(), &inner, &secret, &rand);
    Ok([&WIRE_MAGIC[..], &boxed].concat())
}

/// Whom the KGC would name as the owner of a pseudonym.
fn owner(people: &People, record: &Record) -> Option<u64> {
    let (class, role) = (record.class()?, record.role()?);
    people.master.open(class, role, &record.f()).ok().map(|identity| identity.uid)
}

/// Opens an answer with one's own secret.
fn accept(people: &People, head: &Head, user: &UserSecret, wire: &[u8], m: &[u8; 64]) -> Result<KeyPair, Failure> {
    let want = Wanted { class: head.class, role: head.role, from: head.from, to: head.to };
    let mut pairs = request::accept_answer(&people.params, &want, std::slice::from_ref(user), m, wire)?;
    pairs.pop().ok_or(Failure { check: Check::Q1, error: Error::Length })
}

pub(super) fn a39(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    first_requests(people, trial)?;
    foreign_names(people, trial)?;
    key_lists(people, trial)?;
    gateways(people, trial)
}

/// The same request again; the same code again.
fn first_requests(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let mut stage = Stage::new(people)?;
    let mut forgetful = stage.desk.clone();
    let (newcomer, thief) = (user(people)?, user(people)?);
    let kgc = people.pair("kgc")?.public().clone();
    let head = head(people, 1, Class::Id, Role::Ev, NEWCOMER);
    let rand = randomness(people);
    let first = request::first(&people.params, &kgc, &head, &newcomer, &stage.code, &rand);
    let answer = stage.serve(people, &first.wire)?;
    let again = stage.serve(people, &first.wire)?;
    let known = stage.desk.user(NEWCOMER).map_or(0, |user| user.records.len());
    let seen = format!("the same {} bytes again; the user holds {known} record", again.len());
    trial.holds("the newcomer's request once more", again == answer && known == 1, seen);
    let outcome = accept(people, &head, &thief, &again, &first.digest);
    trial.refused("open that answer without the newcomer's x", Check::Q1, Error::SealAuth, outcome);
    let rand = randomness(people);
    let second = request::first(&people.params, &kgc, &head, &thief, &stage.code, &rand);
    trial.refused("the spent code for another X", Check::Q3, Error::Enrolment, stage.serve(people, &second.wire));

    // A desk that forgets its answers, codes and keys issues as often as it is asked.
    let mut records = Vec::new();
    for _ in 0..2 {
        let granted = forgetful.check(&people.params, people.pair("kgc")?, NOW, &first.wire)?;
        records.extend(issue(people, &mut forgetful, &granted.head, &granted.keys)?.into_iter().map(|(rec, _)| rec));
    }
    let two = records[0] != records[1] && records.iter().all(|rec| owner(people, rec) == Some(NEWCOMER));
    let seen = format!("{} records of user {NEWCOMER} for one code", records.len());
    trial.breaks("the newcomer's request once more", two, seen);
    let code = stage.code.into();
    weak::never_spend(&mut stage.desk, NEWCOMER, code);
    let outcome = stage.serve(people, &second.wire).and_then(|a| accept(people, &head, &thief, &a, &second.digest));
    let got = outcome.as_ref().is_ok_and(|pair| owner(people, pair.record()) == Some(NEWCOMER));
    let seen = outcome.map_or_else(|f| f.to_string(), |_| format!("the thief holds a key of user {NEWCOMER}"));
    trial.breaks("the spent code for another X", got, seen);
    Ok(())
}

/// A ticket in the name of another user.
fn foreign_names(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let mut stage = Stage::new(people)?;
    let kgc = people.pair("kgc")?.public().clone();
    let victim = people.get("ev0")?.uid;
    let head = head(people, 2, Class::Ticket, Role::Ev, victim);
    let (x, rand) = (user(people)?, randomness(people));
    let asked = request::further(&people.params, &kgc, &head, std::slice::from_ref(&x), people.pair("ev1")?, &rand);
    let outcome = stage.serve(people, &asked.wire);
    trial.refused("another user's number, the own record", Check::Q3, Error::RequesterRecord, outcome);
    let record = people.record("ev0")?;
    let wire = altered(people, &asked.wire, |inner| inner[HEAD + 32..HEAD + 32 + 106].copy_from_slice(&record.0))?;
    let outcome = stage.serve(people, &wire);
    trial.refused("another user's number and record", Check::Q4, Error::Signature, outcome);

    let rid = people.pair("ev1")?.public().rid;
    weak::accept_record_for(&mut stage.desk, victim, rid);
    let outcome = stage.serve(people, &asked.wire).and_then(|a| accept(people, &head, &x, &a, &asked.digest));
    let got = outcome.as_ref().is_ok_and(|pair| owner(people, pair.record()) == Some(victim));
    let seen =
        outcome.map_or_else(|f| f.to_string(), |_| format!("a ticket that opens to user {victim}, who never asked"));
    trial.breaks("another user's number, the own record", got, seen);
    Ok(())
}

/// A company's request with other X in it.
fn key_lists(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let mut stage = Stage::new(people)?;
    let kgc = people.pair("kgc")?.public().clone();
    let company = people.get("csc")?.uid;
    let head = head(people, 2, Class::Ticket, Role::Csc, company);
    let users = [user(people)?, user(people)?];
    let (own, rand) = (scalar(&mut people.rng), randomness(people));
    let thief = UserSecret::from_scalar(group::scal(&own)?);
    let asked = request::further(&people.params, &kgc, &head, &users, people.pair("csc")?, &rand);
    let replaced = |inner: &mut Vec<u8>| inner[HEAD..HEAD + 32].copy_from_slice(&thief.public());
    let wire = altered(people, &asked.wire, replaced)?;
    let outcome = stage.serve(people, &wire);
    trial.refused("an X replaced by one's own", Check::Q4, Error::Signature, outcome);
    let exchanged = altered(people, &asked.wire, |inner| inner[HEAD..HEAD + 64].rotate_left(32))?;
    let outcome = stage.serve(people, &exchanged);
    trial.refused("two X exchanged", Check::Q4, Error::Signature, outcome);
    let dropped = altered(people, &asked.wire, |inner| {
        inner.drain(HEAD..HEAD + 32);
        inner[HEAD - 4] = 1;
    })?;
    let outcome = stage.serve(people, &dropped);
    trial.refused("an X dropped", Check::Q4, Error::Signature, outcome);

    let (head, keys) = weak::grant_unsigned(&people.params, people.pair("kgc")?, &wire)?;
    let (record, d) = issue(people, &mut stage.desk, &head, &keys)?.swap_remove(0);
    let secret = group::scal(&d)? + record.g(&people.params) * group::scal(&own)?;
    people.person("ev1", Class::Id, Role::Ev)?;
    let bytes = people.forge(&["ev1"], &Trick { ticket: Some(Hand { record, secret }), ..Trick::default() })?;
    let outcome = people.gateway(&bytes);
    let named = owner(people, &record) == Some(company);
    let good = outcome.is_ok() && named;
    let seen = outcome.map_or_else(
        |f| f.to_string(),
        |sigma| format!("σ {} accepted under a ticket of the company", short(sigma.id())),
    );
    trial.breaks("an X replaced by one's own", good, seen);
    Ok(())
}

/// A car sent to a gateway that nobody knows.
fn gateways(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let mut stage = Stage::new(people)?;
    let kgc = people.pair("kgc")?.public().clone();
    let car = people.get("ev0")?.uid;
    let head = head(people, 3, Class::Id, Role::Ev, car);
    let rogue = RecordId(people.bytes());
    let rand = randomness(people);
    let asked = request::attach(&people.params, &kgc, &head, &rogue, CREATED, people.pair("ev0")?, &rand);
    trial.refused("attach to an unknown gateway", Check::Q5, Error::Unpinned, stage.serve(people, &asked.wire));
    weak::accept_gateway(&mut stage.desk, rogue);
    let outcome = stage.serve(people, &asked.wire);
    let sent = stage.desk.user(car).and_then(|user| user.attached).is_some_and(|(_, to)| to == rogue);
    let seen = outcome.map_or_else(|f| f.to_string(), |_| format!("the car's post goes to {}", short(rogue)));
    trial.breaks("attach to an unknown gateway", sent, seen);
    Ok(())
}
