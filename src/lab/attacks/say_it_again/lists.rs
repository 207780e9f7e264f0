//! Lists of cars played again (A44; CLMMSC.md §3.7 "merging").

use super::{Stuck, Trial};
use crate::clmmsc::channel::{Purpose, open_box, seal_box};
use crate::clmmsc::list::{self, EvList, Union};
use crate::clmmsc::weak::memory;
use crate::clmmsc::{Check, Class, Error, Failure, Role};
use crate::lab::people::People;

/// A box from the KGC to the CSC with a signed list of these cars.
fn sent(people: &mut People, epoch: u32, cars: &[&str]) -> Result<Vec<u8>, Error> {
    let records: Result<Vec<_>, Error> = cars.iter().map(|car| people.record(car)).collect();
    let (sign, seal): ([u8; 32], [u8; 32]) = (people.bytes(), people.bytes());
    let kgc = people.pair("kgc")?;
    let plain = list::make(&people.params, kgc, epoch, &records?, &sign);
    let csc = people.pair("csc")?.public();
    Ok(seal_box(&people.params, Purpose::List, csc, &plain, kgc.nonce_key(), &seal))
}

/// The CSC's checks on a box.
fn received(people: &People, boxed: &[u8]) -> Result<EvList, Failure> {
    let key = |name| people.pair(name).map_err(Failure::at(Check::L1));
    let plain = open_box(&people.params, Purpose::List, key("csc")?, boxed).map_err(Failure::at(Check::L1))?;
    list::accept(&people.params, key("kgc")?.public(), &plain)
}

pub(super) fn a44(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let epoch = people.epoch();
    people.person("csc", Class::Id, Role::Csc)?;
    for car in ["ev0", "ev1", "ev2"] {
        people.person(car, Class::Id, Role::Ev)?;
    }
    people.person_at("gone", Class::Id, Role::Ev, (epoch - 1, epoch - 1))?;
    let boxes = [sent(people, epoch, &["ev0"])?, sent(people, epoch, &["ev0", "ev1"])?, sent(people, epoch, &["ev2"])?];
    let past = sent(people, epoch - 1, &["gone"])?;
    let rids = ["ev0", "ev1", "ev2"].map(|car| people.pair(car).map(|pair| pair.public().rid));

    let mut union = Union::new();
    for boxed in &boxes {
        list::merge(&mut union, received(people, boxed)?, epoch);
    }
    let all = |union: &Union| union.len() == 3 && rids.iter().flatten().all(|rid| union.contains_key(rid));
    if !all(&union) {
        return Err("three cars were sent and not three are known".into());
    }
    for (what, order) in [("the oldest", vec![0]), ("the second", vec![1]), ("all, newest first", vec![2, 1, 0])] {
        for at in order {
            list::merge(&mut union, received(people, &boxes[at])?, epoch);
        }
        trial.holds(format!("play {what} again"), all(&union), format!("{} of 3 cars known", union.len()));
    }
    list::merge(&mut union, received(people, &past)?, epoch);
    trial.holds("play one of the epoch before", all(&union), format!("{} of 3 cars known", union.len()));
    altered(people, trial, &boxes[1])?;

    let mut last = Union::new();
    for at in [0, 1, 2, 0] {
        memory::replace(&mut last, received(people, &boxes[at])?);
    }
    let forgotten: Vec<&str> = ["ev0", "ev1", "ev2"]
        .into_iter()
        .zip(&rids)
        .filter(|(_, r)| r.as_ref().is_ok_and(|r| !last.contains_key(r)))
        .map(|(car, _)| car)
        .collect();
    let seen = format!("the CSC cannot address {} any more", forgotten.join(" and "));
    trial.breaks("play the oldest again", forgotten == ["ev1", "ev2"], seen);
    Ok(())
}

/// A recorded list with cars left out or exchanged; whoever alters it must box it anew, which anybody can.
fn altered(people: &People, trial: &mut Trial, boxed: &[u8]) -> Result<(), Stuck> {
    let plain = open_box(&people.params, Purpose::List, people.pair("csc")?, boxed)?.to_vec();
    let cut = |from: usize, count: u32| {
        let mut bytes = [&plain[..from], &plain[from + 106..]].concat();
        bytes[8..12].copy_from_slice(&count.to_le_bytes());
        bytes
    };
    let mut exchanged = plain.clone();
    exchanged[12..118].copy_from_slice(&people.record("ev2")?.0);
    for (what, bytes) in [
        ("without its first car", cut(12, 1)),
        ("without its second car", cut(118, 1)),
        ("with another car", exchanged),
    ] {
        let csc = people.pair("csc")?.public();
        let boxed = seal_box(&people.params, Purpose::List, csc, &bytes, &[8; 32], &[9; 32]);
        trial.refused(format!("play a list {what}"), Check::L2, Error::Signature, received(people, &boxed));
    }
    Ok(())
}
