//! Receivers with a disk: what they keep, how long, and in which order with acting (A45; CLMMSC.md §8.1 E5, §8.2 R11).

use super::{Stuck, Trial, verify};
use crate::clmmsc::open::{EntryKey, Opened, Pinned, Receiver, decapsulate, open, release};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::wire::Header;
use crate::clmmsc::{Check, Class, Error, Failure, Params, RecordId, Role, SigmaId};
use crate::lab::attacks::gateways::{Gateways, parsed, seconds};
use crate::lab::attacks::letter::Letter;
use crate::lab::attacks::post::{read, text};
use crate::lab::people::{NOW, People};
use crate::pbft::{Kind, Message, Output, Record};
use std::collections::BTreeMap;

/// Last second, unix, at which a receiver still knows the ticket of a σ.
pub(super) type Keep = fn(&Params, &Header) -> u64;

/// The scheme's: as long as the chain must.
pub(super) const KEEP: Keep = |params, header| params.prune_after(header.epoch);

/// A pile's disk, and what it did in the world.
#[derive(Clone, Default)]
pub(super) struct Pile {
    nullifiers: BTreeMap<RecordId, (SigmaId, u64)>,
    opened: BTreeMap<(SigmaId, RecordId), u64>,
    pub done: Vec<String>,
}

/// The two halves of R11.
#[derive(Clone, Copy)]
enum Half {
    Remember,
    Act,
}

impl Pile {
    /// R1–R10 for a car whose key is at hand, with what the disk holds.
    pub fn open(&self, people: &People, car: &str, sigma: &VerifiedSigma) -> Result<Opened, Failure> {
        let pair = people.pair(car).map_err(Failure::at(Check::R2))?;
        let who = Receiver {
            record: pair.record(),
            pinned: Pinned::Any,
            since: 0,
            nullifiers: &|n| self.nullifiers.get(n).map(|(id, _)| *id),
            opened: &|id, rid| self.opened.contains_key(&(*id, *rid)),
        };
        open(&people.params, sigma, &who, &decapsulate(sigma.head(), pair))
    }

    /// A whole command at time `now`: forget what may be forgotten, open, remember, act.
    pub fn obey(&mut self, people: &People, car: &str, bytes: &[u8], now: u64, keep: Keep) -> Result<String, Failure> {
        self.nullifiers.retain(|_, (_, until)| now <= *until);
        self.opened.retain(|_, until| now <= *until);
        self.cut(people, (car, bytes, now), keep, &[Half::Remember, Half::Act])
    }

    /// Opens, and does only these halves before the power goes.
    fn cut(
        &mut self,
        people: &People,
        (car, bytes, now): (&str, &[u8], u64),
        keep: Keep,
        halves: &[Half],
    ) -> Result<String, Failure> {
        let sigma = verify(&people.params, bytes, now)?;
        let said = text(&self.open(people, car, &sigma)?.message);
        let header = sigma.header();
        let rid = people.pair(car).map_err(Failure::at(Check::R2))?.public().rid;
        for half in halves {
            match half {
                Half::Remember => {
                    let life = header.created + u64::from(header.ttl);
                    self.nullifiers.insert(sigma.nullifier(), (sigma.id(), keep(&people.params, header)));
                    self.opened.insert((sigma.id(), rid), life);
                }
                Half::Act => self.done.push(said.clone()),
            }
        }
        Ok(said)
    }
}

pub(super) fn a45(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("csc", Role::Csc), ("ev0", Role::Ev), ("cp0", Role::Cp), ("cp1", Role::Cp)] {
        people.person(name, Class::Id, role)?;
    }
    let (ticket, fresh) = (people.fresh_ticket(Role::Csc)?, people.fresh_ticket(Role::Csc)?);
    let to = [("ev0", "feed back 3 kWh")];
    let command = people.write(&Letter::command(&ticket, &to))?;
    let repeated = people.write(&Letter::command(&fresh, &to))?;
    power_cut(people, trial, &command, &repeated)?;
    key_release(people, trial, &command)?;
    written_first(people, trial, &command)
}

/// The pile's power goes before, between and after the halves of R11.
fn power_cut(people: &People, trial: &mut Trial, command: &[u8], repeated: &[u8]) -> Result<(), Stuck> {
    let order = [Half::Remember, Half::Act];
    for (when, halves) in [("before remembering", 0), ("between remembering and acting", 1), ("after acting", 2)] {
        let mut pile = Pile::default();
        pile.cut(people, ("ev0", command, NOW), KEEP, &order[..halves])?;
        let again = pile.obey(people, "ev0", command, NOW + 1, KEEP);
        if halves > 0 {
            trial.refused(format!("cut the power {when}, hand it in again"), Check::R3, Error::Replay, again);
        }
        let third = pile.obey(people, "ev0", command, NOW + 2, KEEP);
        trial.refused(format!("cut the power {when}, hand it in once more"), Check::R3, Error::Replay, third);
        let expected = usize::from(halves != 1);
        let done = pile.done.len();
        trial.holds(format!("cut the power {when}: count what was done"), done == expected, format!("done: {done}"));
        if halves == 1 {
            pile.obey(people, "ev0", repeated, NOW + 3, KEEP)?;
            let seen = format!("done: {}", pile.done.len());
            trial.holds("the sender repeats the lost command under a new ticket", pile.done.len() == 1, seen);
        }
    }

    let mut pile = Pile::default();
    pile.cut(people, ("ev0", command, NOW), KEEP, &[Half::Act])?;
    let again = pile.cut(people, ("ev0", command, NOW + 1), KEEP, &[Half::Act, Half::Remember]);
    let twice = again.is_ok() && pile.done == ["feed back 3 kWh", "feed back 3 kWh"];
    let seen = format!("`{}` is done {} times", pile.done.first().map_or("nothing", String::as_str), pile.done.len());
    trial.breaks("cut the power between acting and remembering, hand it in again", twice, seen);
    Ok(())
}

/// A car's disk, and the piles that it sent an entry key.
#[derive(Default)]
struct Car {
    answered: BTreeMap<SigmaId, RecordId>,
    sent: Vec<(RecordId, EntryKey)>,
}

impl Car {
    /// E1–E5, and only these halves before the power goes.
    fn answer(&mut self, people: &People, command: &[u8], pile: &RecordId, halves: &[Half]) -> Result<(), Failure> {
        let sigma = verify(&people.params, command, NOW)?;
        let own = people.pair("ev0").map_err(Failure::at(Check::E2))?;
        let answered = |id: &SigmaId| self.answered.get(id).copied();
        let k = release(&people.params, sigma.head(), own, 0, pile, answered)?;
        for half in halves {
            match half {
                Half::Remember => {
                    self.answered.insert(sigma.id(), *pile);
                }
                Half::Act => self.sent.push((*pile, k.clone())),
            }
        }
        Ok(())
    }

    /// What each pile reads with what it was sent.
    fn read(&self, people: &People, command: &[u8]) -> Result<Vec<(RecordId, String)>, Stuck> {
        let (sigma, record) = (verify(&people.params, command, NOW)?, people.record("ev0")?);
        let said = |k| Ok(text(&read(&people.params, &sigma, &record, k)?.message));
        self.sent.iter().map(|(pile, k)| Ok((*pile, said(k)?))).collect::<Result<_, Failure>>().map_err(Stuck::from)
    }
}

/// The car's power goes around the release of an entry key; then another pile asks, and the same one again.
fn key_release(people: &People, trial: &mut Trial, command: &[u8]) -> Result<(), Stuck> {
    let piles = [people.pair("cp0")?.public().rid, people.pair("cp1")?.public().rid];
    let whole = [Half::Remember, Half::Act];
    for (when, halves) in [("before remembering", 0), ("between remembering and sending", 1), ("after sending", 2)] {
        let mut car = Car::default();
        car.answer(people, command, &piles[0], &whole[..halves])?;
        let (served, other) = if halves == 0 { (1, 0) } else { (0, 1) };
        if halves == 0 {
            car.answer(people, command, &piles[1], &whole)?;
        }
        let tried = format!("cut the car's power {when}, ask from another pile");
        trial.refused(tried, Check::E4, Error::Replay, car.answer(people, command, &piles[other], &whole));
        car.answer(people, command, &piles[served], &whole)?;
        let read = car.read(people, command)?;
        let one = read.iter().all(|(pile, said)| *pile == piles[served] && said == "feed back 3 kWh");
        let tried = format!("cut the car's power {when}, ask from the same pile");
        trial.holds(tried, one && !read.is_empty(), "one pile alone can read the command");
    }

    let mut car = Car::default();
    car.answer(people, command, &piles[0], &[Half::Act])?;
    car.answer(people, command, &piles[1], &[Half::Act, Half::Remember])?;
    let read = car.read(people, command)?;
    let both = read == piles.map(|pile| (pile, "feed back 3 kWh".to_string()));
    let seen = format!("{} piles read `feed back 3 kWh` and would act on it", read.len());
    trial.breaks("a car that sends before it remembers: cut its power, ask from another pile", both, seen);
    Ok(())
}

/// A gateway's outputs in their order: the record stands before the vote, the block before its execution.
fn written_first(people: &mut People, trial: &mut Trial, command: &[u8]) -> Result<(), Stuck> {
    let mut gateways = Gateways::new(people, seconds(2))?;
    gateways.now = seconds(7);
    let block = gateways.block(1, &[parsed(people, command)?]);
    let vote = |kind, who| gateways.signed(kind, who, 1, block.digest());
    let mut heard = vec![gateways.proposed(&block)];
    heard.extend([2, 3].map(|who| Message::Prepare(vote(Kind::Prepare, who))));
    heard.extend([0, 2, 3].map(|who| Message::Commit(vote(Kind::Commit, who))));
    let out: Vec<Output> = heard.into_iter().flat_map(|msg| gateways.give(people, 1, msg)).collect();
    let place = |wanted: &dyn Fn(&Output) -> bool| out.iter().position(wanted);
    let record = |kind| move |o: &Output| matches!(o, Output::Persist(Record::Vote { kind: k, .. }) if *k == kind);
    let said = |kind| move |o: &Output| matches!(o, Output::Broadcast(m) if m.signed().is_some_and(|(k, _)| k == kind));
    for (what, written, done) in [
        ("prepare", place(&record(Kind::Prepare)), place(&said(Kind::Prepare))),
        ("commit", place(&record(Kind::Commit)), place(&said(Kind::Commit))),
        (
            "block",
            place(&|o| matches!(o, Output::Persist(Record::Block { .. }))),
            place(&|o| matches!(o, Output::Execute { .. })),
        ),
    ] {
        let (Some(written), Some(done)) = (written, done) else { return Err("the gateway did not finish".into()) };
        let seen = format!("written as output {written}, before output {done} that shows it");
        trial.holds(format!("look when a gateway's {what} is written down"), written < done, seen);
    }
    Ok(())
}
