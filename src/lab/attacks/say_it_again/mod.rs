//! Say it again: what was valid once, at another time, in another place, or to somebody who forgot (A14, A33, A34, A41,
//! A44, A45; CLMMSC.md §3.6, §3.7, §7.1, §8).

mod desk;
mod lists;
mod pile;
mod prune;
mod stored;

use super::letter::Letter;
use super::post::text;
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::weak::memory;
use crate::clmmsc::{Check, Class, Error, Failure, Flow, Params, RecordId, Role, SigmaId};
use crate::lab::people::{CREATED, NOW, TTL};
use pile::{KEEP, Pile};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const ATTACKS: [Attack; 6] = [
    Attack {
        id: 14,
        title: "Send an old command again",
        role: "An outsider with a recording of all traffic; a sender that uses a ticket twice.",
        moves: &[
            "send a recorded command after its life; move its time, its epoch and its ticket's epoch to now",
            "send it as another flow, and in another network of the same KGC",
            "send the same command again, to a gateway and to its pile",
            "use its ticket for another command",
        ],
        expected: "V3 Expired, V2 EpochMismatch, TicketValidity and TicketRole, V5 Signature, V7 and R3 for the same, V7 and R1 TicketReuse",
        control: "neither epoch nor lifetime are checked, and no ticket is remembered",
        run: a14,
    },
    Attack {
        id: 33,
        title: "Wait until the ticket is forgotten",
        role: "An outsider with a recording; a sender that uses a ticket twice.",
        moves: &[
            "record a command made in the last second of an epoch, with the longest life",
            "send it again when the next epoch has begun, to the chain and to its pile, up to the last second of its life",
            "send another command of the same ticket then",
            "send a pile the second command of a ticket when the first one's life is over",
        ],
        expected: "V7 Duplicate and TicketReuse, R3 Replay, R1 TicketReuse; when the ticket is forgotten, V3 Expired",
        control: "the chain forgets at epoch + skew; so does a pile, or when the command's life is over",
        run: prune::a33,
    },
    Attack {
        id: 34,
        title: "Damage a copy of a stored command",
        role: "An outsider between KGC and gateways, who wants a car's command lost in another area.",
        moves: &[
            "take a command that is stored, change any byte of its entry, and hand it to a gateway",
            "swap, repeat or drop entries, or add bytes",
            "hope for a gateway that knows the header and passes the rest on as a harmless duplicate",
        ],
        expected: "V6 Root and TagOrder, V1 Length; RQ-1 at a replica",
        control: "the ticket is looked up before the entries are checked",
        run: stored::a34,
    },
    Attack {
        id: 41,
        title: "Ask again with another signature",
        role: "An enrolled user who saw a ticket in a ciphertext and wants to know whose it is.",
        moves: &[
            "lose the KGC's answer and send the same bytes again, boxed anew as well",
            "spend the enrolment code again, for another key",
            "guess whose request a ticket's X' came from: send that body for every user, signed by oneself",
        ],
        expected: "the same answer, byte by byte; Q3 Enrolment; Q2 DuplicateKey whoever is guessed",
        control: "the desk finds the stored answer by the body alone",
        run: desk::a41,
    },
    Attack {
        id: 44,
        title: "Play an old list of cars again",
        role: "An outsider with a recording of the boxes that the KGC sends to the CSC.",
        moves: &[
            "send the CSC an older list of the same epoch after a newer one",
            "send all lists again in other orders, and one of the epoch before",
            "alter a recorded list",
        ],
        expected: "the union stays as it is; L2 Signature",
        control: "the newest list replaces the union",
        run: lists::a44,
    },
    Attack {
        id: 45,
        title: "Crash between doing and remembering",
        role: "Somebody who can cut a receiver's power at any moment and hand in a command again.",
        moves: &[
            "cut the power of a pile before, between and after remembering and acting, then hand the command in again",
            "do the same to a car that releases an entry key, then ask it from another pile",
            "look whether a gateway ever says or does what it has not written down",
        ],
        expected: "R3 Replay, E4 Replay; nothing is done twice; the sender repeats a lost command under a new ticket",
        control: "act first, then remember",
        run: pile::a45,
    },
];

/// What somebody knows of used tickets.
type Tickets = BTreeMap<RecordId, SigmaId>;

fn verify(params: &Params, bytes: &[u8], now: u64) -> Result<VerifiedSigma, Failure> {
    VerifiedSigma::verify(params, &Arc::from(bytes), now)
}

/// V1–V7.
fn admit(params: &Params, bytes: &[u8], now: u64, tickets: &Tickets) -> Result<(), Failure> {
    verify(params, bytes, now)?.check_ledger(|n| tickets.get(n).copied())
}

/// σ with little-endian numbers written over its header.
fn with(bytes: &[u8], fields: &[(usize, u64, usize)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, value, len) in fields {
        bytes[*at..at + len].copy_from_slice(&value.to_le_bytes()[..*len]);
    }
    bytes
}

fn a14(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("csc", Role::Csc), ("ev0", Role::Ev)] {
        people.person(name, Class::Id, role)?;
    }
    let ticket = people.fresh_ticket(Role::Csc)?;
    let (first, second) = ([("ev0", "charge 7 kW")], [("ev0", "charge 3 kW")]);
    let recorded = people.write(&Letter::command(&ticket, &first))?;
    let other = people.write(&Letter::command(&ticket, &second))?;
    other_time(people, trial, &recorded);
    other_place(people, trial, &recorded)?;

    let sigma = verify(&people.params, &recorded, NOW)?;
    let tickets = Tickets::from([(sigma.nullifier(), sigma.id())]);
    let again = admit(&people.params, &recorded, NOW, &tickets);
    trial.refused("hand the same command to the gateway again", Check::V7, Error::Duplicate, again);
    let reuse = admit(&people.params, &other, NOW, &tickets);
    trial.refused("another command under its ticket", Check::V7, Error::TicketReuse, reuse);
    let mut pile = Pile::default();
    pile.obey(people, "ev0", &recorded, NOW, KEEP)?;
    let again = pile.obey(people, "ev0", &recorded, NOW + 1, KEEP);
    trial.refused("hand the same command to its pile again", Check::R3, Error::Replay, again);
    let reuse = pile.obey(people, "ev0", &other, NOW + 1, KEEP);
    trial.refused("hand its pile another command under its ticket", Check::R1, Error::TicketReuse, reuse);

    let mut read = Vec::new();
    for bytes in [&recorded, &recorded, &other] {
        let sigma = memory::verify_at_any_time(&people.params, bytes)?;
        sigma.check_ledger(|_| None)?;
        read.push(text(&Pile::default().open(people, "ev0", &sigma)?.message));
    }
    let all = ["charge 7 kW", "charge 7 kW", "charge 3 kW"];
    let seen = format!("the car obeys `{}`", read.join("`, `"));
    trial.breaks("hand in the recorded commands whenever one likes", read == all, seen);
    Ok(())
}

/// The recording after its life, as it is and with other times written into it.
fn other_time(people: &People, trial: &mut Trial, recorded: &[u8]) {
    let params = &people.params;
    let (end, hour) = (CREATED + u64::from(TTL), u64::from(params.policy.epoch_len));
    for (when, now) in
        [("one second late", end + 1), ("an hour later", end + hour), ("a year later", end + 8760 * hour)]
    {
        trial.refused(format!("send it {when}"), Check::V3, Error::Expired, verify(params, recorded, now));
    }
    trial.refused("send it before its time", Check::V3, Error::NotYetValid, verify(params, recorded, CREATED - 31));
    let now = CREATED + hour;
    let (epoch, ttl) = (u64::from(params.epoch(now)), u64::from(params.policy.ttl_max));
    let (time, in_epoch, life) = ((12, now, 8), (8, epoch, 4), (20, ttl, 4));
    let (from, to) = ((66, epoch, 4), (70, epoch, 4));
    for (what, fields, when, check, error) in [
        ("the time within its epoch", vec![(12, CREATED + 300, 8)], end + 1, Check::V5, Error::Signature),
        ("a longer life", vec![life], end + 1, Check::V5, Error::Signature),
        ("the time of now", vec![time], now, Check::V2, Error::EpochMismatch),
        ("time and epoch of now", vec![time, in_epoch], now, Check::V2, Error::TicketValidity),
        ("time, epoch and ticket of now", vec![time, in_epoch, from, to], now, Check::V5, Error::Signature),
    ] {
        let tried = format!("write {what} into it");
        trial.refused(tried, check, error, verify(params, &with(recorded, &fields), when));
    }
}

/// The recording as another flow and in another network.
fn other_place(people: &People, trial: &mut Trial, recorded: &[u8]) -> Result<(), Stuck> {
    let params = &people.params;
    for flow in (2..=7).filter_map(Flow::from_code) {
        let same = flow.sender() == Role::Csc;
        let (check, error) = if same { (Check::V5, Error::Signature) } else { (Check::V2, Error::TicketRole) };
        let bytes = with(recorded, &[(6, flow.code().into(), 1)]);
        trial.refused(format!("send it as flow {}", flow.code()), check, error, verify(params, &bytes, NOW));
    }
    let mut shorter = params.policy;
    shorter.ttl_max -= 1;
    for (what, net, policy) in
        [("of another name", "another network", params.policy), ("of another policy", &params.net, shorter)]
    {
        let elsewhere = people.master.params(net, policy)?;
        let tried = format!("send it in a network {what} of the same KGC");
        trial.refused(tried, Check::V5, Error::Signature, verify(&elsewhere, recorded, NOW));
    }
    Ok(())
}
