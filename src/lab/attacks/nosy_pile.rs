//! The nosy pile: what the box at the cable can read beyond its own session (A19, A30, A36; CLMMSC.md §8.1, §9).

use super::post::{read, text};
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::open::{EntryKey, decapsulate, release};
use crate::clmmsc::payload::{PlugIn, session_key};
use crate::clmmsc::session::{Body, Session, Side};
use crate::clmmsc::verify::{VerifiedHeader, VerifiedSigma};
use crate::clmmsc::weak::{freshness, memory, opening};
use crate::clmmsc::wire::HEADER;
use crate::clmmsc::{Check, Class, Error, Failure, Flow, Role};
use crate::lab::forge::Trick;
use crate::lab::people::{CREATED, NOW, TTL};

pub(super) const ATTACKS: [Attack; 3] = [
    Attack {
        id: 19,
        title: "Ask the car about old post",
        role: "A pile that a car is plugged into, with all headers of the chain at hand.",
        moves: &[
            "hand the car a header from the chain whose lifetime is over",
            "hand it one that is alive, but was made before the car came",
            "hand it headers of flows 2, 3 and 7, one of them made by a rogue gateway for the car's own record",
        ],
        expected: "V3 Expired, E3 Stale, E2 RecordRole: the car answers for its own session only",
        control: "a car that does not look at the clock, nor at its plug-in time, nor at the flow",
        run: a19,
    },
    Attack {
        id: 30,
        title: "Go on reading after the car has left",
        role: "The pile of an earlier session, which kept everything it was ever given and still hears all traffic.",
        moves: &[
            "open the car's next ciphertext with the entry key of the last one",
            "open the frame in which the car gives the next pile the new entry key, with the old session key",
            "send the car a header in a frame of the old session",
        ],
        expected: "R4 NotAReceiver; F1 FrameAuth, both ways",
        control: "the car hands out its key instead of entry keys; one session key for all plug-ins",
        run: a30,
    },
    Attack {
        id: 36,
        title: "Plug in as somebody else",
        role: "A thief at the plug beside the victim's, or at another pile, who holds the victim's plug-in message.",
        moves: &[
            "deliver the message at another plug of the same pile",
            "deliver it at another pile",
            "deliver it again where it was accepted; deliver it late",
            "talk to the pile without the session key, and listen to it",
        ],
        expected: "P1 PlugChallenge; R4 NotAReceiver; P1 Expired; F1 FrameAuth",
        control: "the pile does not compare the challenge with its own",
        run: a36,
    },
];

/// The car's answer for a header at time `now`, plugged in at `since`.
fn ask(people: &People, bytes: &[u8], now: u64, since: u64) -> Result<EntryKey, Failure> {
    let at = Failure::at(Check::E2);
    let head = VerifiedHeader::verify(&people.params, &bytes[..HEADER], now)?;
    let (car, pile) = (people.pair("ev0").map_err(&at)?, people.pair("cp0").map_err(&at)?.public().rid);
    release(&people.params, &head, car, since, &pile, |_| None)
}

fn a19(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("ev0", Role::Ev), ("cp0", Role::Cp), ("css0", Role::Css)] {
        people.person(name, Class::Id, role)?;
    }
    let secret: &[u8] = b"at work 8-17";
    let old = people.post(Flow::COMMAND, &[("ev0", secret)], 64, 0)?.made.bytes;
    let dead = CREATED + u64::from(TTL) + 1;
    let skew = u64::from(people.params.policy.skew);
    trial.refused("a header whose lifetime is over", Check::V3, Error::Expired, ask(people, &old, dead, 0));
    let outcome = ask(people, &old, NOW, CREATED + skew + 1);
    trial.refused("a header of before the car came", Check::E3, Error::Stale, outcome);
    let in_time = ask(people, &old, NOW, CREATED + skew).is_ok();
    trial.holds("a header of the same second, for comparison", in_time, "answered");
    for (flow, to) in [(Flow::GATEWAY, "css0"), (Flow::STATION, "cp0"), (Flow::PILE, "cp0")] {
        let bytes = people.post(flow, &[(to, b"limit 9 kW")], 64, 0)?.made.bytes;
        let tried = format!("a header of flow {}", flow.code());
        trial.refused(tried, Check::E2, Error::RecordRole, ask(people, &bytes, NOW, 0));
    }
    let rogue = people.forge(&["ev0"], &Trick { flow: Some(Flow::PILE), message: Some("stop"), ..Trick::default() })?;
    trial.refused("a header of flow 7 for the car's record", Check::E2, Error::RecordRole, ask(people, &rogue, NOW, 0));

    let (car, pile) = (people.pair("ev0")?, people.pair("cp0")?.public().rid);
    for (tried, sigma) in [
        ("a header whose lifetime is over", memory::verify_at_any_time(&people.params, &old)?),
        ("a header of before the car came", people.gateway(&old)?),
    ] {
        let k = freshness::release_whenever(&people.params, sigma.head(), car, &pile)?;
        let said = read(&people.params, &sigma, car.record(), &k).map(|opened| opened.message);
        let good = said.as_ref().is_ok_and(|message| **message == secret);
        let seen = said.map_or_else(|f| f.to_string(), |m| format!("the pile reads `{}`", text(&m)));
        trial.breaks(tried, good, seen);
    }
    let sigma = people.gateway(&rogue)?;
    let said = opening::by_any_author(&sigma, &freshness::release_whatever(sigma.head(), car)).map(|(_, said)| said);
    let good = said.as_deref() == Ok(b"stop");
    let seen =
        said.map_or_else(|f| f.to_string(), |said| format!("the car opens `{}`, which is for piles", text(&said)));
    trial.breaks("a header of flow 7 for the car's record", good, seen);
    Ok(())
}

/// A frame in which the car gives away an entry key, the first of a session.
fn giving(kses: [u8; 32], sigma: &VerifiedSigma, k: &EntryKey) -> Vec<u8> {
    Session::new(kses, Side::Ev).seal(&Body::Release { sigma: sigma.id(), k: k.clone() })
}

/// What the pile with this session key hears in a frame of the car.
fn hear(kses: [u8; 32], frame: &[u8]) -> Result<Body, Failure> {
    Session::new(kses, Side::Pile).open(frame).map_err(Failure::at(Check::F1))
}

fn a30(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("ev0", Class::Id, Role::Ev)?;
    let secret: &[u8] = b"home, 11 kW";
    let posts = [b"work, 7 kW ".as_slice(), secret];
    let [first, next] =
        posts.map(|text| Ok::<_, Stuck>(people.post(Flow::COMMAND, &[("ev0", text)], 64, 0)?.made.bytes));
    let (first, next) = (people.gateway(&first?)?, people.gateway(&next?)?);
    let (plugs, rands): ([[u8; 16]; 2], [[u8; 32]; 2]) =
        ([people.bytes(), people.bytes()], [people.bytes(), people.bytes()]);
    let car = people.pair("ev0")?;
    let kses = [0, 1].map(|i: usize| *session_key(car, &plugs[i], &rands[i]));
    let (old_k, new_k) = (decapsulate(first.head(), car), decapsulate(next.head(), car));
    let opened = read(&people.params, &first, car.record(), &old_k)?;
    trial.holds("its own ciphertext, for comparison", *opened.message == *posts[0], text(&opened.message));

    let outcome = read(&people.params, &next, car.record(), &old_k);
    trial.refused("open the next ciphertext with the last key", Check::R4, Error::NotAReceiver, outcome);
    let frame = giving(kses[1], &next, &new_k);
    trial.refused("open the car's frame to the next pile", Check::F1, Error::FrameAuth, hear(kses[0], &frame));
    let header = Box::new(*next.bytes().first_chunk().ok_or("no header")?);
    let asked = Session::new(kses[0], Side::Pile).seal(&Body::Header(header));
    let outcome = Session::new(kses[1], Side::Ev).open(&asked).map_err(Failure::at(Check::F1));
    trial.refused("ask the car in a frame of the old session", Check::F1, Error::FrameAuth, outcome);

    // A pile that was given the key itself, and one that was given the only session key there is.
    let outcome = read(&people.params, &next, car.record(), &decapsulate(next.head(), car));
    let good = outcome.as_ref().is_ok_and(|opened| *opened.message == secret);
    let seen = outcome.map_or_else(|f| f.to_string(), |o| format!("the old pile reads `{}`", text(&o.message)));
    trial.breaks("open the next ciphertext with the car's own key", good, seen);
    let only = freshness::session_key(car);
    let heard = hear(only, &giving(only, &next, &new_k))?;
    let outcome = match &heard {
        Body::Release { k, .. } => read(&people.params, &next, car.record(), k),
        _ => return Err("the car said something else".into()),
    };
    let good = outcome.as_ref().is_ok_and(|opened| *opened.message == secret);
    let seen = outcome.map_or_else(|f| f.to_string(), |o| format!("the old pile reads `{}`", text(&o.message)));
    trial.breaks("open the car's frame to the next pile", good, seen);
    Ok(())
}

fn a36(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("ev0", Role::Ev), ("cp0", Role::Cp), ("cp1", Role::Cp)] {
        people.person(name, Class::Id, role)?;
    }
    let (own, other): ([u8; 16], [u8; 16]) = (people.bytes(), people.bytes());
    let (rand, thief): ([u8; 32], [u8; 32]) = (people.bytes(), people.bytes());
    let kses = session_key(people.pair("ev0")?, &own, &rand);
    let said = PlugIn { kses, plug: own, not_before: CREATED - 10, not_after: CREATED + 60, delegated: None };
    let bytes = people.post(Flow::PLUG_IN, &[("cp0", &said.encode())], 64, 0)?.made.bytes;
    let sigma = people.gateway(&bytes)?;
    let at = |pile: &str| -> Result<PlugIn, Failure> {
        let pair = people.pair(pile).map_err(Failure::at(Check::R2))?;
        let opened = read(&people.params, &sigma, pair.record(), &decapsulate(sigma.head(), pair))?;
        PlugIn::decode(&people.params, &opened.message).map_err(Failure::at(Check::P1))
    };
    let plug = |given: Option<&[u8; 16]>, now| at("cp0")?.check(given, now).map_err(Failure::at(Check::P1));
    trial.holds("at its own plug, for comparison", plug(Some(&own), NOW).is_ok(), "accepted");
    trial.refused("at another plug of the pile", Check::P1, Error::PlugChallenge, plug(Some(&other), NOW));
    trial.refused("at another pile", Check::R4, Error::NotAReceiver, at("cp1"));
    trial.refused("again, its challenge spent", Check::P1, Error::PlugChallenge, plug(None, NOW));
    trial.refused("at its own plug, but late", Check::P1, Error::Expired, plug(Some(&own), CREATED + 61));
    let accepted = at("cp0")?;
    let frame = Session::new(thief, Side::Ev).seal(&Body::End);
    let outcome = Session::new(accepted.kses.clone(), Side::Pile).open(&frame).map_err(Failure::at(Check::F1));
    trial.refused("talk to the pile without the session key", Check::F1, Error::FrameAuth, outcome);
    let frame = Session::new(accepted.kses.clone(), Side::Pile).seal(&Body::End);
    let outcome = Session::new(thief, Side::Ev).open(&frame).map_err(Failure::at(Check::F1));
    trial.refused("listen to the pile without the session key", Check::F1, Error::FrameAuth, outcome);

    let outcome = freshness::plug_in_anywhere(&accepted, NOW);
    let victim = people.get("ev0")?.uid;
    let seen = format!("the thief's plug charges on the account of user {victim}");
    trial.breaks("at another plug of the pile", outcome.is_ok() && accepted.plug != other, seen);
    Ok(())
}
