//! Altered copies of a ciphertext that is stored (A34; CLMMSC.md §7.1: why V7 is last).

use super::{Stuck, Tickets, Trial, admit, verify};
use crate::clmmsc::weak::memory;
use crate::clmmsc::wire::HEADER;
use crate::clmmsc::{Check, Class, Error, Failure, Role};
use crate::lab::attacks::gateways::{Gateways, parsed, seconds};
use crate::lab::attacks::letter::Letter;
use crate::lab::people::{NOW, People};
use crate::pbft::{Message, Reason, Rule, VerifyError};

/// Bytes of an entry at the smallest size.
const ENTRY: usize = 96;

fn changed(bytes: &[u8], at: usize, mask: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= mask;
    bytes
}

/// The entries in another order, or some of them twice; the header as it was.
fn entries(bytes: &[u8], order: &[usize]) -> Vec<u8> {
    let entry = |j: &usize| &bytes[HEADER + j * ENTRY..HEADER + (j + 1) * ENTRY];
    [&bytes[..HEADER], &order.iter().flat_map(entry).copied().collect::<Vec<u8>>()].concat()
}

pub(super) fn a34(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("csc", Role::Csc), ("ev0", Role::Ev), ("ev1", Role::Ev), ("ev2", Role::Ev)] {
        people.person(name, Class::Id, role)?;
    }
    let tickets = [people.fresh_ticket(Role::Csc)?, people.fresh_ticket(Role::Csc)?];
    let one = people.write(&Letter::command(&tickets[0], &[("ev0", "charge 7 kW")]))?;
    let three = [("ev0", "charge 7 kW"), ("ev1", "charge 3 kW"), ("ev2", "wait")];
    let three = people.write(&Letter::command(&tickets[1], &three))?;
    let mut known = Tickets::new();
    for bytes in [&one, &three] {
        let sigma = verify(&people.params, bytes, NOW)?;
        known.insert(sigma.nullifier(), sigma.id());
    }
    let gateway = |bytes: &[u8]| admit(&people.params, bytes, NOW, &known);
    trial.refused("an unaltered copy", Check::V7, Error::Duplicate, gateway(&one));
    for mask in [1, 128, 255] {
        let root = Err(Failure { check: Check::V6, error: Error::Root });
        let bent = (HEADER..one.len()).map(|at| gateway(&changed(&one, at, mask)));
        let tried = format!("each of {ENTRY} bytes of the entry, with {mask} added bitwise");
        trial.refused(tried, Check::V6, Error::Root, bent.clone().find(|o| *o != root).unwrap_or(root));
    }
    let foreign = [&one[..HEADER], &three[HEADER..HEADER + ENTRY]].concat();
    let cases = [
        ("the entry of another command", foreign, Check::V6, Error::Root),
        ("two entries swapped", entries(&three, &[1, 0, 2]), Check::V6, Error::TagOrder),
        ("one entry twice", entries(&three, &[0, 0, 2]), Check::V6, Error::TagOrder),
        ("an entry dropped", entries(&three, &[0, 1]), Check::V1, Error::Length),
        ("an entry added", entries(&three, &[0, 1, 2, 2]), Check::V1, Error::Length),
        ("the last byte dropped", one[..one.len() - 1].to_vec(), Check::V1, Error::Length),
        ("a byte added", [&one[..], &[0]].concat(), Check::V1, Error::Length),
    ];
    for (what, bytes, check, error) in cases {
        trial.refused(format!("a copy with {what}"), check, error, gateway(&bytes));
    }
    at_a_replica(people, trial, &one)?;

    let bent = changed(&one, HEADER + 20, 1);
    let answer = memory::verify_looking_up_first(&people.params, &bent, NOW, |n| known.get(n).copied());
    let passed_on = matches!(answer, Err(Failure { error: Error::Duplicate, .. }));
    let at_the_pile = verify(&people.params, &bent, NOW).map(|_| ());
    let lost = at_the_pile == Err(Failure { check: Check::V6, error: Error::Root });
    let seen = "passed on as a harmless duplicate to piles that can only refuse it: V6 Root";
    trial.breaks("a copy with one byte of the entry changed", passed_on && lost, seen);
    Ok(())
}

/// The same at a replica whose chain holds the original.
fn at_a_replica(people: &mut People, trial: &mut Trial, original: &[u8]) -> Result<(), Stuck> {
    let mut gateways = Gateways::new(people, seconds(2))?;
    let (honest, bent) = (parsed(people, original)?, parsed(people, &changed(original, HEADER + 20, 1))?);
    gateways.request(1, &honest);
    gateways.run(people, seconds(10));
    for who in 0..4 {
        gateways.replicas[usize::from(who)].chain().find(&honest.id).ok_or("the command is not stored")?;
        let root = Reason::BadCiphertext(VerifyError(Error::Root.name().into()));
        let outcome = gateways.try_on(people, who, Message::Ciphertext(bent.clone()));
        trial.ruled_out(format!("hand the altered copy to gateway {}", who + 1), Rule::Rq1, root, outcome);
    }
    Ok(())
}
