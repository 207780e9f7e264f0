//! Copy T: somebody else's one-time key as bait, and complaints about what was not received (A20, A21; CLMMSC.md §0
//! choice 3, §11.3).

use super::post::{key_from, read, text};
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::complaint::{self, LEN};
use crate::clmmsc::hash::{h64, hs, label};
use crate::clmmsc::kgc::Issue;
use crate::clmmsc::record::RECORD_LEN;
use crate::clmmsc::schnorr::{Name, challenge};
use crate::clmmsc::verify::{VerifiedSigma, context};
use crate::clmmsc::weak::claims;
use crate::clmmsc::weak::outer::{self, Fault};
use crate::clmmsc::wire::{HEADER, SIGNED, take};
use crate::clmmsc::{Check, Class, Error, Failure, Flow, Role, group};
use crate::lab::forge::{Hand, Trick};
use crate::lab::people::{NOW, scalar};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use std::collections::BTreeMap;

pub(super) const ATTACKS: [Attack; 2] = [
    Attack {
        id: 20,
        title: "Copy T to provoke a disclosure",
        role: "A rogue CSC with good tickets that has seen a competitor's ciphertext.",
        moves: &[
            "put the competitor's T into an own ciphertext with rubbish for the car, so that the car complains and shows \
             Z = sk·T, which opens the competitor's entry",
            "the same with −T, 2·T, T + P",
            "choose the commitment N = n·P − e·b·T to cancel b·T, 32 times over",
            "order tickets over X' = x·P − (b/g)·T to cancel b·T, 16 times over",
        ],
        expected: "V5 Signature: T is in the outer key, so its sender must know t; the car looks at nothing less",
        control: "the outer key is PK' alone, without b·T",
        run: a20,
    },
    Attack {
        id: 21,
        title: "Complain about what is not yours",
        role: "A car that wants an honest sender to look like a cheat.",
        moves: &[
            "move a good complaint to another ciphertext",
            "move it to another car's record",
            "put another Z in, keep the proof",
            "put another Z in and make up c and s for it",
            "change each byte of Z, c and s",
        ],
        expected: "C1 Dleq; what is no point or scalar any more is refused as that",
        control: "a complaint is believed without its proof",
        run: a21,
    },
];

const SECRET: &str = "charge 7 kW";
/// Where Z, c and s stand in a complaint.
const Z: usize = 4 + RECORD_LEN;

fn a20(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("csc1", Class::Id, Role::Csc)?;
    people.person("ev0", Class::Id, Role::Ev)?;
    let car = people.pair("ev0")?.clone();
    let bytes = people.send(Flow::COMMAND, &[(car.public().clone(), SECRET)])?;
    let victim = people.gateway(&bytes)?;
    let (t, p) = (*victim.head().t(), RistrettoPoint::mul_base(&Scalar::ONE));
    let sender = Some(Hand::of(people.pair("csc1")?));
    let bait = |shown: RistrettoPoint, believed| Trick {
        sender,
        shown_t: Some((group::enc(&shown), believed)),
        ..Trick::default()
    };
    for (tried, shown, believed) in [
        ("−T of the competitor", -t, Scalar::ZERO),
        ("2·T of the competitor", t + t, Scalar::ZERO),
        ("T + P, as if its logarithm were 1", t + p, Scalar::ONE),
    ] {
        let bytes = people.forge(&["ev0"], &bait(shown, believed))?;
        trial.refused(tried, Check::V5, Error::Signature, people.gateway(&bytes));
    }
    let copied = people.forge(&["ev0"], &bait(t, Scalar::ZERO))?;
    trial.refused("T of the competitor", Check::V5, Error::Signature, people.gateway(&copied));
    cancel_in_n(people, trial, &t)?;
    cancel_in_x(people, trial, &t, sender)?;

    // The car believes the bait, finds nothing it can open and complains.
    let sigma = outer::verify(&people.params, &copied, NOW, Fault::Unbound)?;
    let shown = complaint::make(sigma.head(), &car, &people.bytes());
    let z = group::dec(&take(&shown, Z))?;
    let k = key_from(&people.params, &victim, car.record(), &z);
    let outcome = read(&people.params, &victim, car.record(), &k);
    let got = outcome.as_ref().is_ok_and(|opened| text(&opened.message) == SECRET);
    let seen =
        outcome.map_or_else(|f| f.to_string(), |o| format!("read the competitor's message `{}`", text(&o.message)));
    trial.breaks("T of the competitor; the car complains; open with its Z", got, seen);
    Ok(())
}

/// N = n·P − e·b·T, where e depends on N.
fn cancel_in_n(people: &mut People, trial: &mut Trial, t: &RistrettoPoint) -> Result<(), Stuck> {
    const ROUNDS: usize = 32;
    people.person("rogue", Class::Ticket, Role::Csc)?;
    let ticket = Hand::of(people.pair("rogue")?);
    let trick = Trick { ticket: Some(ticket), shown_t: Some((group::enc(t), Scalar::ZERO)), ..Trick::default() };
    let mut bytes = people.forge(&["ev0"], &trick)?;
    let params = &people.params;
    let b = hs(label::BIND, &[&context(params, &bytes)]);
    let m = h64(label::OM, &[&params.id, &bytes[..SIGNED]]);
    let nonce = group::scal(&scalar(&mut people.rng))?;
    let mut n = RistrettoPoint::mul_base(&nonce);
    let mut refused = 0;
    for _ in 0..ROUNDS {
        let e = challenge(Name::Outer, &ticket.record.rid(params), &group::enc(&n), &m);
        bytes[SIGNED..SIGNED + 32].copy_from_slice(&group::enc(&n));
        bytes[SIGNED + 32..HEADER].copy_from_slice((nonce + e * ticket.secret).as_bytes());
        n = RistrettoPoint::mul_base(&nonce) - e * b * t;
        refused += usize::from(is_v5(people.gateway(&bytes)));
    }
    trial.holds("cancel b·T in N", refused == ROUNDS, format!("{refused} of {ROUNDS} refused: V5 Signature"));
    Ok(())
}

/// X' = x·P − β·T with the β = b/g of the ticket before; the KGC issues what it is asked for.
fn cancel_in_x(people: &mut People, trial: &mut Trial, t: &RistrettoPoint, sender: Option<Hand>) -> Result<(), Stuck> {
    const TICKETS: usize = 16;
    let (epoch, mut beta, mut refused) = (people.epoch(), Scalar::ONE, 0);
    for ctr in 0..TICKETS {
        let x = group::scal(&scalar(&mut people.rng))?;
        let public = group::enc(&(RistrettoPoint::mul_base(&x) - beta * t));
        let what = Issue { class: Class::Ticket, role: Role::Csc, from: epoch, to: epoch, uid: 99, ctr: ctr as u32 };
        let rand = people.bytes();
        let (record, d) = people.master.issue(&people.params, &what, &public, &rand)?;
        let g = record.g(&people.params);
        let ticket = Some(Hand { record, secret: group::scal(&d)? + g * x });
        let trick = Trick { ticket, sender, shown_t: Some((group::enc(t), Scalar::ZERO)), ..Trick::default() };
        let bytes = people.forge(&["ev0"], &trick)?;
        refused += usize::from(is_v5(people.gateway(&bytes)));
        beta = hs(label::BIND, &[&context(&people.params, &bytes)]) * g.invert();
    }
    trial.holds("cancel b·T in X'", refused == TICKETS, format!("{refused} of {TICKETS} refused: V5 Signature"));
    Ok(())
}

fn is_v5(outcome: Result<VerifiedSigma, Failure>) -> bool {
    outcome.err() == Some(Failure { check: Check::V5, error: Error::Signature })
}

/// A complaint with some bytes replaced.
fn with(complaint: &[u8; LEN], at: usize, bytes: &[u8]) -> [u8; LEN] {
    let mut changed = *complaint;
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    changed
}

fn a21(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for name in ["ev0", "ev1"] {
        people.person(name, Class::Id, Role::Ev)?;
    }
    let (car, other) = (people.pair("ev0")?.clone(), people.pair("ev1")?.clone());
    let to = [(car.public().clone(), SECRET), (other.public().clone(), "stop")];
    let (first, second) = (people.send(Flow::COMMAND, &to)?, people.send(Flow::COMMAND, &to)?);
    let (first, second) = (people.gateway(&first)?, people.gateway(&second)?);
    let params = people.params.clone();
    let good = complaint::make(first.head(), &car, &people.bytes());
    let pinned = [people.pair("csc")?.public().rid].into();
    let honest = complaint::finding(&params, &first, &complaint::check(&params, first.head(), &good)?, &pinned);
    let fine = honest.as_ref().is_ok_and(|opened| text(&opened.message) == SECRET);
    trial.holds("a good complaint, for comparison", fine, "the finding: the entry opens, the sender is honest");

    let forged_z = group::enc(&(group::dec(&take(&good, Z))? + RistrettoPoint::mul_base(&Scalar::ONE)));
    let other_z = with(&good, Z, &forged_z);
    let made_up = with(&other_z, Z + 32, &[scalar(&mut people.rng), scalar(&mut people.rng)].concat());
    let tries = [
        ("moved to another ciphertext", &second, good),
        ("moved to another car's record", &first, with(&good, 4, &other.record().0)),
        ("another Z with the old proof", &first, other_z),
        ("another Z with a made-up proof", &first, made_up),
    ];
    for (tried, sigma, complaint) in tries {
        trial.refused(tried, Check::C1, Error::Dleq, complaint::check(&params, sigma.head(), &complaint));
        let believed = claims::unproved(&params, sigma.head(), &complaint)?;
        let finding = complaint::finding(&params, sigma, &believed, &pinned);
        let accused = finding.as_ref().is_err_and(|f| f.check == Check::R4);
        let seen =
            finding.map_or_else(|f| format!("an honest sender is found guilty: {f}"), |_| "the entry opens".into());
        trial.breaks(tried, accused, seen);
    }
    each_byte(people, trial, &first, &good);
    Ok(())
}

/// Each byte of Z, c and s, one at a time.
fn each_byte(people: &People, trial: &mut Trial, sigma: &VerifiedSigma, good: &[u8; LEN]) {
    let (mut right, mut seen) = (true, BTreeMap::<String, usize>::new());
    for at in Z..LEN {
        let changed = with(good, at, &[good[at] ^ 1]);
        let scalars = [Z + 32, Z + 64].map(|at| group::scal(&take(&changed, at)));
        let expected = group::dec(&take(&changed, Z)).err().or(scalars.into_iter().find_map(Result::err));
        let outcome = complaint::check(&people.params, sigma.head(), &changed).map(|_| "accepted");
        right &= outcome == Err(Failure { check: Check::C1, error: expected.unwrap_or(Error::Dleq) });
        *seen.entry(outcome.map_or_else(|f| f.to_string(), str::to_string)).or_default() += 1;
    }
    let seen: Vec<String> = seen.iter().map(|(what, count)| format!("{count} × {what}")).collect();
    trial.holds("each byte of Z, c and s changed", right, seen.join(", "));
}
