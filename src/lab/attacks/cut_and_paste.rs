//! Mission "Cut and paste": people who hold good ciphertexts build new ones from the pieces (A8, A9, A10, A11, A16).

use super::pieces::{Build, CARS, L, ORDERS, Ties, Victim, entries, reroot};
use super::{Attack, Stuck, Trial};
use crate::clmmsc::open::{Opened, locate, open};
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::signcrypt::{Envelope, Item, entry_keys, signcrypt};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::weak::{lax, unbound};
use crate::clmmsc::wire::{CAPSULE, FIXED, HEADER, PLAIN_EXTRA, TAG, take};
use crate::clmmsc::{Check, Class, Error, Failure, Flow, Role, Ticket, aead, group};
use crate::lab::forge::{Draft, Hand, plain};
use crate::lab::people::{CREATED, NOW, People, TTL, scalar};
use curve25519_dalek::scalar::Scalar;
use std::sync::Arc;

pub(super) const ATTACKS: [Attack; 5] = [
    Attack {
        id: 8,
        title: "Make one car's entry vanish",
        role: "A stranger on the way to the gateways who holds two good ciphertexts and no key.",
        moves: &[
            "drop each entry, with and without correcting n",
            "repeat each entry, at the end and in a neighbour's place",
            "swap every two entries, and turn the order round",
            "put an entry of another ciphertext in the place of each, and sort again",
        ],
        expected: "V1 Length, V5 Signature (n is signed), V6 TagOrder, V6 Root",
        control: "the root is not signed: the outer signature leaves it out, and α is over ctx only",
        run: a8,
    },
    Attack {
        id: 9,
        title: "Rewrite your own entry",
        role: "A car that has opened its own entry: it knows k, kS, the capsule and what a good entry looks like.",
        moves: &["encrypt another message under the own k, in the own place", "show the result as the company's word"],
        expected: "V6 Root",
        control: "the root is not signed: the outer signature leaves it out, and α is over ctx only",
        run: a9,
    },
    Attack {
        id: 10,
        title: "Put your name under another's post",
        role: "A rival company with good tickets, and an accomplice car among the receivers that tells kS.",
        moves: &[
            "take all entries as they are into a ciphertext of one's own, under one's own ticket and T",
            "the same with the T of the victim",
        ],
        expected: "R4 NotAReceiver for everybody; V5 Signature for the copied T",
        control: "encrypt, then sign: entries know nothing of the ticket, and the outer key is without b·T",
        run: a10,
    },
    Attack {
        id: 11,
        title: "Steal a signature",
        role: "A receiver that has opened the capsule and so holds the company's record and α; later also a thief of the \
               ticket's key and t.",
        moves: &[
            "put record and α into a capsule of one's own, in a new ciphertext under another ticket",
            "move the sealed capsule as it is",
            "with the stolen ticket key and t: the same header, other entries, the same α",
        ],
        expected: "R10 InnerSignature; R8 CapsuleAuth for the sealed capsule",
        control: "α over ctx only (for the thief of the ticket); α over nothing (for the receiver)",
        run: a11,
    },
    Attack {
        id: 16,
        title: "Two messages for one car",
        role: "A company that wants to show one message now and another one later.",
        moves: &["name the same receiver twice", "build the two entries by hand: they carry the same tag"],
        expected: "SenderInput at the sender; V6 TagOrder at everybody else",
        control: "the order of the tags is not checked",
        run: a16,
    },
];

/// The CSC's orders to the three cars.
fn orders(people: &mut People) -> Result<Vec<u8>, Error> {
    CARS.iter().try_for_each(|name| people.person(name, Class::Id, Role::Ev))?;
    let to: Vec<(&str, &[u8])> = CARS.into_iter().zip(ORDERS).collect();
    Ok(people.post(Flow::COMMAND, &to, L, 0)?.made.bytes)
}

/// The header of `bytes` before these entries.
fn rejoin(bytes: &[u8], entries: &[Vec<u8>]) -> Vec<u8> {
    [&bytes[..HEADER], &entries.concat()].concat()
}

fn words(outcome: &Result<Opened, Failure>) -> String {
    outcome.as_ref().map_or_else(ToString::to_string, |o| format!("read `{}`", String::from_utf8_lossy(&o.message)))
}

fn says(outcome: &Result<Opened, Failure>, message: &[u8]) -> bool {
    outcome.as_ref().is_ok_and(|opened| *opened.message == message)
}

fn verdict<T>(outcome: &Result<T, Failure>) -> String {
    outcome.as_ref().map_or_else(ToString::to_string, |_| "accepted".into())
}

/// All ways to cut and paste the entries of `good`, with what must refuse them.
fn collages(good: &[u8], other: &[u8]) -> Vec<(String, Vec<u8>, Check, Error)> {
    let (own, foreign) = (entries(good), entries(other));
    let mut out = Vec::new();
    let mut add = |tried: String, entries: &[Vec<u8>], check, error| {
        out.push((tried, rejoin(good, entries), check, error));
    };
    for j in 0..own.len() {
        let mut less = own.clone();
        less.remove(j);
        add(format!("entry {j} dropped"), &less, Check::V1, Error::Length);
        let mut more = own.clone();
        more.push(own[j].clone());
        add(format!("entry {j} appended again"), &more, Check::V1, Error::Length);
        let mut twice = own.clone();
        twice[(j + 1) % own.len()] = own[j].clone();
        add(format!("entry {j} in its neighbour's place as well"), &twice, Check::V6, Error::TagOrder);
        for k in j + 1..own.len() {
            let mut swapped = own.clone();
            swapped.swap(j, k);
            add(format!("entries {j} and {k} swapped"), &swapped, Check::V6, Error::TagOrder);
        }
        for (k, entry) in foreign.iter().enumerate() {
            let mut spliced = own.clone();
            spliced[j] = entry.clone();
            spliced.sort();
            add(format!("entry {k} of another ciphertext for entry {j}"), &spliced, Check::V6, Error::Root);
        }
    }
    let backwards: Vec<Vec<u8>> = own.iter().rev().cloned().collect();
    add("order turned round".into(), &backwards, Check::V6, Error::TagOrder);
    out
}

fn a8(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let (good, other) = (orders(people)?, orders(people)?);
    people.gateway(&good)?;
    for (tried, bytes, check, error) in collages(&good, &other) {
        trial.refused(tried, check, error, people.gateway(&bytes));
    }
    let mut fewer = rejoin(&good, &entries(&good)[1..]);
    fewer[24..28].copy_from_slice(&(CARS.len() as u32 - 1).to_le_bytes());
    trial.refused("first entry dropped and n corrected", Check::V5, Error::Signature, people.gateway(&fewer));

    // The control: ev0's entry gives way to one of the other ciphertext, and the root to the one that fits.
    let victim = rootless(people)?;
    let honest = unbound::verify_rootless(&people.params, &victim.bytes, NOW)?;
    let index = locate(&honest, &people.k(&honest, "ev0")?)?.index as usize;
    let mut spliced = victim.entries();
    spliced[index] = entries(&other)[0].clone();
    spliced.sort();
    let outcome = rerooted(people, &victim, &spliced)?;
    trial.breaks("a strange entry for that of ev0", outcome.is_ok(), verdict(&outcome));
    let Ok(stored) = outcome else { return Ok(()) };
    let got = open_rootless(people, &stored, "ev0")?;
    let gone = got.as_ref().is_err_and(|e| e.error == Error::NotAReceiver);
    trial.breaks("ev0 opens what the gateways stored", gone, format!("{}: `stop charging` is gone", words(&got)));
    let got = open_rootless(people, &stored, "ev1")?;
    trial.breaks("ev1 opens it and notices nothing", says(&got, ORDERS[1]), words(&got));
    Ok(())
}

/// The CSC's orders in a scheme that does not sign the root; they open.
fn rootless(people: &mut People) -> Result<Victim, Stuck> {
    let victim = Victim::new(people, Ties::RootUnsigned)?;
    let honest = unbound::verify_rootless(&people.params, &victim.bytes, NOW)?;
    let opened = open_rootless(people, &honest, "ev0")?;
    if says(&opened, ORDERS[0]) { Ok(victim) } else { Err("the control does not work for honest people".into()) }
}

/// What that scheme's gateways say of other entries under a root that fits them.
fn rerooted(people: &People, victim: &Victim, list: &[Vec<u8>]) -> Result<Result<VerifiedSigma, Failure>, Stuck> {
    let forged = reroot(&people.params, &victim.bytes, list)?;
    Ok(unbound::verify_rootless(&people.params, &forged, NOW))
}

fn open_rootless(people: &People, sigma: &VerifiedSigma, name: &str) -> Result<Result<Opened, Failure>, Stuck> {
    let (k, inner) = (people.k(sigma, name)?, Ties::RootUnsigned.inner());
    Ok(people.receiving(name, &["csc"], |who| unbound::open(&people.params, sigma, who, &k, inner))?)
}

fn a9(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let good = orders(people)?;
    let sigma = people.gateway(&good)?;
    let lie = b"charge 22 kW for free";
    let forged = rejoin(&good, &rewritten(people, &sigma, &entries(&good), lie)?);
    trial.refused("ev1's entry rewritten under its own k", Check::V6, Error::Root, people.gateway(&forged));

    let victim = rootless(people)?;
    let sigma = unbound::verify_rootless(&people.params, &victim.bytes, NOW)?;
    let list = rewritten(people, &sigma, &victim.entries(), lie)?;
    let opened = match &rerooted(people, &victim, &list)? {
        Ok(sigma) => open_rootless(people, sigma, "ev1")?,
        Err(failure) => Err(*failure),
    };
    let csc = people.record("csc")?;
    let broke = opened.as_ref().is_ok_and(|o| *o.message == lie && o.sender == csc);
    trial.breaks("ev1's pile opens it", broke, format!("{}, signed by the company", words(&opened)));
    Ok(())
}

/// The entries with that of ev1 written anew by ev1.
fn rewritten(people: &People, sigma: &VerifiedSigma, list: &[Vec<u8>], lie: &[u8]) -> Result<Vec<Vec<u8>>, Stuck> {
    let k = people.k(sigma, "ev1")?;
    let index = locate(sigma, &k)?.index as usize;
    let (tag, ke) = entry_keys(k.as_bytes());
    let inside = aead::open(&ke, &list[index][TAG..]).ok_or("ev1 could not open its own entry")?;
    let ks = <[u8; 16]>::try_from(&inside[..16]).map_err(|_| "no kS")?;
    let mut list = list.to_vec();
    list[index] = [&tag[..], &aead::seal(&ke, &plain(&ks, &people.record("ev1")?.f(), lie, L))].concat();
    Ok(list)
}

/// The victim's entries in a σ of the rival, under its own ticket and T, or under a copy of the victim's T: then the rival
/// knows no t and has to guess. kS as the accomplice told.
fn rewrap(people: &mut People, victim: &Victim, ties: Ties, copy_t: bool) -> Result<Arc<[u8]>, Error> {
    let (t, ticket) = (group::scal(&scalar(&mut people.rng))?, people.ticket(Role::Csc)?);
    let copied = copy_t.then(|| take(&victim.bytes, FIXED));
    let build = Build { t, copied, ks: victim.ks, ticket: &ticket, ties };
    let (draft, list) = (build.draft(people)?, victim.entries());
    let (rival, alpha) = (people.record("csc1")?, build.alpha(people, &draft, "csc1", &list)?);
    build.finish(people, draft, (&rival, &alpha), &list)
}

fn a10(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("csc1", Class::Id, Role::Csc)?;
    let victim = Victim::new(people, Ties::Scheme)?;
    people.gateway(&victim.bytes)?;
    let stolen = rewrap(people, &victim, Ties::Scheme, false)?;
    let sigma = people.gateway(&stolen)?;
    for name in CARS {
        let outcome = people.open(&sigma, name)?;
        trial.refused(format!("{name} opens the re-wrapped post"), Check::R4, Error::NotAReceiver, outcome);
    }
    let copied = rewrap(people, &victim, Ties::Scheme, true)?;
    let outcome = people.gateway(&copied);
    trial.refused("the victim's T, signed without knowing t", Check::V5, Error::Signature, outcome);

    let victim = Victim::new(people, Ties::EncryptThenSign)?;
    let honest = unbound::verify(&people.params, &victim.bytes, NOW)?;
    if !says(&people.open(&honest, "ev0")?, ORDERS[0]) {
        return Err("the control does not work for honest people".into());
    }
    let stolen = rewrap(people, &victim, Ties::EncryptThenSign, true)?;
    let outcome = unbound::verify(&people.params, &stolen, NOW);
    trial.breaks("entries and T under the rival's ticket", outcome.is_ok(), verdict(&outcome));
    let Ok(sigma) = outcome else { return Ok(()) };
    let rival = people.record("csc1")?;
    for (name, order) in CARS.into_iter().zip(ORDERS) {
        let k = people.k(&sigma, name)?;
        let opened = people.receiving(name, &["csc", "csc1"], |who| open(&people.params, &sigma, who, &k))?;
        let broke = opened.as_ref().is_ok_and(|o| *o.message == order && o.sender == rival);
        trial.breaks(format!("{name} opens it"), broke, format!("{}, in the rival's name", words(&opened)));
    }
    Ok(())
}

const LIES: [&[u8]; 3] = [b"charge 22 kW", b"discharge 11 kW", b"unplug now"];

/// A σ with the thief's entries and the victim's record and α.
fn with_stolen_alpha(
    people: &mut People,
    victim: &Victim,
    (t, ticket): (Scalar, &str),
    ties: Ties,
) -> Result<Arc<[u8]>, Error> {
    let build = Build { t, copied: None, ks: victim.ks, ticket, ties };
    let draft = build.draft(people)?;
    let list = build.entries(people, &draft, &LIES)?;
    build.finish(people, draft, (&victim.sender, &victim.alpha), &list)
}

fn a11(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let victim = Victim::new(people, Ties::Scheme)?;
    let honest = people.gateway(&victim.bytes)?;
    if !says(&people.open(&honest, "ev0")?, ORDERS[0]) {
        return Err("the victim's post does not open".into());
    }
    let (t, own) = (group::scal(&scalar(&mut people.rng))?, people.ticket(Role::Csc)?);
    let receiver = with_stolen_alpha(people, &victim, (t, &own), Ties::Scheme)?;
    let thief = with_stolen_alpha(people, &victim, (victim.t, &victim.ticket), Ties::Scheme)?;
    for (tried, bytes) in [("another ticket, stolen α", &receiver), ("stolen ticket and t, stolen α", &thief)] {
        let sigma = people.gateway(bytes)?;
        for name in CARS {
            let outcome = people.open(&sigma, name)?;
            trial.refused(format!("{tried}: {name} opens"), Check::R10, Error::InnerSignature, outcome);
        }
    }
    let build = Build { t, copied: None, ks: victim.ks, ticket: &own, ties: Ties::Scheme };
    let draft = build.draft(people)?;
    let list = build.entries(people, &draft, &LIES)?;
    let sealed = build.finish_sealed(people, draft, &take::<CAPSULE>(&victim.bytes, 202), &list)?;
    let outcome = people.open(&people.gateway(&sealed)?, "ev0")?;
    trial.refused("the sealed capsule moved as it is", Check::R8, Error::CapsuleAuth, outcome);

    let victim = Victim::new(people, Ties::AlphaOverContext)?;
    let with = (victim.t, victim.ticket.clone());
    let forged = with_stolen_alpha(people, &victim, (with.0, &with.1), Ties::AlphaOverContext)?;
    opens_the_lie(people, trial, "α over ctx only, stolen ticket and t", &forged, Ties::AlphaOverContext)?;
    let victim = Victim::new(people, Ties::AlphaOverNothing)?;
    let forged = with_stolen_alpha(people, &victim, (t, &own), Ties::AlphaOverNothing)?;
    opens_the_lie(people, trial, "α over nothing, another ticket", &forged, Ties::AlphaOverNothing)
}

/// The control: every car opens the thief's words in the company's name.
fn opens_the_lie(people: &mut People, trial: &mut Trial, tried: &str, forged: &[u8], ties: Ties) -> Result<(), Stuck> {
    let (sigma, csc) = (people.gateway(forged)?, people.record("csc")?);
    for (name, lie) in CARS.into_iter().zip(LIES) {
        let k = people.k(&sigma, name)?;
        let opened =
            people.receiving(name, &["csc"], |who| unbound::open(&people.params, &sigma, who, &k, ties.inner()))?;
        let broke = opened.as_ref().is_ok_and(|o| *o.message == lie && o.sender == csc);
        trial.breaks(format!("{tried}: {name} opens"), broke, format!("{}, in the company's name", words(&opened)));
    }
    Ok(())
}

fn a16(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("csc", Class::Id, Role::Csc)?;
    people.person("ev0", Class::Id, Role::Ev)?;
    let (first, second): (&[u8], &[u8]) = (b"0.30 per kWh", b"0.90 per kWh");
    let once = people.ticket(Role::Csc)?;
    let to = people.pair("ev0")?.public();
    let items = [first, second].map(|message| Item { to, message });
    let env = Envelope { flow: Flow::COMMAND, created: CREATED, ttl: TTL, floor: L, pad_to: 0 };
    let ticket = Ticket::new(people.pair(&once)?.clone())?;
    let outcome = signcrypt(&people.params, &env, people.pair("csc")?, ticket, &items, &[7; 32]);
    let seen = outcome.as_ref().map_or_else(ToString::to_string, |_| "made".into());
    trial.holds("the same receiver twice", outcome.is_err_and(|e| e == Error::SenderInput), seen);

    let forged = twins(people, [first, second])?;
    trial.refused("two entries for one car, by hand", Check::V6, Error::TagOrder, people.gateway(&forged));
    let outcome = lax::without_order(&people.params, &forged, NOW);
    trial.breaks("two entries for one car, by hand", outcome.is_ok(), verdict(&outcome));
    let Ok(sigma) = outcome else { return Ok(()) };
    let (_, ke) = entry_keys(people.k(&sigma, "ev0")?.as_bytes());
    let shown: Vec<Vec<u8>> = entries(&forged)
        .iter()
        .filter_map(|entry| aead::open(&ke, &entry[TAG..]))
        .map(|inside| inside[PLAIN_EXTRA..PLAIN_EXTRA + first.len()].to_vec())
        .collect();
    let broke = shown.iter().any(|m| m == first) && shown.iter().any(|m| m == second);
    let seen: Vec<String> = shown.iter().map(|m| format!("`{}`", String::from_utf8_lossy(m))).collect();
    trial.breaks("the company shows one now, one later", broke, format!("one k opens {}", seen.join(" and ")));
    Ok(())
}

/// A σ of the CSC with two entries under the same k of `ev0`.
fn twins(people: &mut People, messages: [&[u8]; 2]) -> Result<Arc<[u8]>, Error> {
    let (t, ticket, ks) = (group::scal(&scalar(&mut people.rng))?, people.ticket(Role::Csc)?, people.bytes());
    let (rand, csc, to) = (people.bytes(), people.pair("csc")?, people.pair("ev0")?.public());
    let once = people.pair(&ticket)?;
    let draft = Draft::new(&people.params, Flow::COMMAND, (2, L), t, once.record());
    let list = messages.map(|message| draft.entry(to, &plain(&ks, &to.record.f(), message, L)));
    let root = draft.root(&list)?;
    let alpha = schnorr::sign(Name::Inner, csc, &draft.inner(&root), &rand);
    let (capsule, outer) = (draft.capsule(&ks, csc.record(), &alpha), draft.outer(&Hand::of(once)));
    Ok(draft.finish(people, &outer, (root, &capsule), &list, &rand).into())
}
