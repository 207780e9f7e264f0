//! Read the post: a message for one car in the hands of the KGC, of somebody who replaced the record, of another car
//! (A3, A4, A13; CLMMSC.md §8.2, §12.1, §12.3, §12.7).

use super::post::{decrypts, key_from, read, receiver, text};
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::open::{Opened, decapsulate};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::weak::coefficients::Missing;
use crate::clmmsc::weak::opening;
use crate::clmmsc::{Check, Class, Error, Failure, Flow, PublicRecord, Record, Role, group};
use crate::lab::forge::Trick;
use crate::lab::people::scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

pub(super) const ATTACKS: [Attack; 3] = [
    Attack {
        id: 3,
        title: "Read as the KGC",
        role: "The KGC, with its master secret s and everything it ever issued: d, r and its own key.",
        moves: &[
            "open the car's entry with d·T, the KGC's whole share of it",
            "open it with every sum and product of s, d, r, h and g that could stand for the key, and with T, X and PK",
            "forget the tags: try each of these keys on every entry",
        ],
        expected: "R4 NotAReceiver: Z = d·T + g·x·T, and x never left the car",
        control: "PK = R + h·Ppub: the key has no half of the user's own",
        run: a3,
    },
    Attack {
        id: 4,
        title: "Replace a car's record",
        role: "An outsider who can put any record in the place of the car's, and has stolen the car's partial key d.",
        moves: &[
            "put in an own X, keep the rest, and open with d + g·x",
            "put in an own X and an own R, and open with r + g·x",
            "put in X = x·P + Ppub, or R = r·P − h·Ppub with the h of the record before, and open",
            "leave the record as it is, and open with d",
        ],
        expected: "R4 NotAReceiver: h covers X and R, so a partial key fits one record only",
        control: "h does not cover X, so the stolen d fits any X; or PK = R + h·Ppub, so that d is all there is to steal",
        run: a4,
    },
    Attack {
        id: 13,
        title: "Read another car's post",
        role: "Another car, addressed in the same ciphertext or not, and the pile it is plugged into.",
        moves: &[
            "open as a car that is not addressed",
            "open the neighbour's entry with one's own key in the neighbour's name",
            "get hold of the neighbour's entry key and open at the own pile",
            "as a sender, put another car's pseudo-identity into the entry",
        ],
        expected: "R4 NotAReceiver for a wrong key, R6 PseudonymMismatch for a right key with a wrong f",
        control: "the pile does not compare f_i' with f_i",
        run: a13,
    },
];

const SECRET: &str = "charge 7 kW";

/// A σ with [`SECRET`] for `to` and another message for `ev1`.
fn post(people: &mut People, to: PublicRecord) -> Result<VerifiedSigma, Stuck> {
    people.person("ev1", Class::Id, Role::Ev)?;
    let other = people.pair("ev1")?.public().clone();
    let bytes = people.send(Flow::COMMAND, &[(to, SECRET), (other, "stop")])?;
    Ok(people.gateway(&bytes)?)
}

/// Opens the entry of `record` with a secret taken for its key.
fn open_with(people: &People, sigma: &VerifiedSigma, record: &Record, secret: &Scalar) -> Result<Opened, Failure> {
    let k = key_from(&people.params, sigma, record, &(secret * sigma.head().t()));
    read(&people.params, sigma, record, &k)
}

/// Notes whether the control gave the message away.
fn gave_away(trial: &mut Trial, tried: &str, outcome: Result<Opened, Failure>) {
    let seen =
        outcome.map_or_else(|failure| failure.to_string(), |o| format!("read the message `{}`", text(&o.message)));
    trial.breaks(tried, seen == format!("read the message `{SECRET}`"), seen);
}

fn a3(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("ev0", Class::Id, Role::Ev)?;
    let (s, d) = (group::scal(&people.s)?, group::scal(&people.get("ev0")?.d)?);
    let public = people.pair("ev0")?.public().clone();
    let (record, h, g) = (public.record, public.h, public.g);
    let sigma = post(people, public.clone())?;
    trial.refused("open with d", Check::R4, Error::NotAReceiver, open_with(people, &sigma, &record, &d));

    let r = d - h * s;
    let kgc = *people.pair("kgc")?.sk();
    let known = [s, d, r, kgc, Scalar::ONE, d + s, d + r, d + kgc];
    let factors = [Scalar::ONE, h, g, h * g, -h, -g, g.invert(), h.invert()];
    let mut guesses: Vec<RistrettoPoint> = Vec::new();
    for a in known {
        for factor in factors {
            guesses.push(a * factor * sigma.head().t());
            guesses.push((d + a * factor) * sigma.head().t());
        }
    }
    let (x, t) = (group::dec(&record.x())?, *sigma.head().t());
    guesses.extend([x, public.pk, s * x, d * x, g * x + d * t, d * t + g * s * x, x + t, public.pk + t]);
    let (mut located, mut opened) = (0, 0);
    for z in &guesses {
        let k = key_from(&people.params, &sigma, &record, z);
        let missed = Failure { check: Check::R4, error: Error::NotAReceiver };
        located += usize::from(read(&people.params, &sigma, &record, &k).err() != Some(missed));
        opened += decrypts(&sigma, &k);
    }
    let seen = format!("{} keys tried: {located} locate an entry, {opened} decrypt one", guesses.len());
    trial.holds("open with all that the KGC can compute", located + opened == 0, seen);
    let own = read(&people.params, &sigma, &record, &decapsulate(sigma.head(), people.pair("ev0")?));
    let right = own.as_ref().is_ok_and(|o| text(&o.message) == SECRET);
    trial.holds("the car itself opens it", right, if right { "its message is there" } else { "it cannot" });

    let sigma = post(people, Missing::X.derive(&people.params, &record)?)?;
    gave_away(trial, "open with d", open_with(people, &sigma, &record, &d));
    Ok(())
}

/// The car's record with another X and R.
fn replaced(record: &Record, x: &RistrettoPoint, r: &RistrettoPoint) -> Record {
    let mut record = *record;
    record.0[42..74].copy_from_slice(&group::enc(x));
    record.0[74..].copy_from_slice(&group::enc(r));
    record
}

fn a4(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("ev0", Class::Id, Role::Ev)?;
    let record = people.record("ev0")?;
    let d = group::scal(&people.get("ev0")?.d)?;
    let (x, r) = (group::scal(&scalar(&mut people.rng))?, group::scal(&scalar(&mut people.rng))?);
    let (big_x, big_r) = (RistrettoPoint::mul_base(&x), RistrettoPoint::mul_base(&r));
    let (old_r, params) = (group::dec(&record.r())?, people.params.clone());
    let own_x = replaced(&record, &big_x, &old_r);
    let cancelled = replaced(&record, &big_x, &(big_r - own_x.h(&params) * params.ppub));
    let shifted = replaced(&record, &(big_x + params.ppub), &old_r);
    let own_both = replaced(&record, &big_x, &big_r);
    let tries = [
        ("an own X, opened with the stolen d + g·x", own_x, d + own_x.g(&params) * x),
        ("an own X and an own R, opened with r + g·x", own_both, r + own_both.g(&params) * x),
        ("X = x·P + Ppub, opened with d + g·x", shifted, d + shifted.g(&params) * x),
        ("R = r·P − h·Ppub, opened with r + g·x", cancelled, r + cancelled.g(&params) * x),
        ("the car's own record, opened with the stolen d", record, d),
    ];
    for (tried, record, secret) in tries {
        let sigma = post(people, record.derive(&params)?)?;
        trial.refused(tried, Check::R4, Error::NotAReceiver, open_with(people, &sigma, &record, &secret));
    }

    // What a KGC whose h leaves X out had issued to the car.
    let d_without_x =
        d + (Missing::XInH.coefficients(&params, &record).0 - record.h(&params)) * group::scal(&people.s)?;
    let sigma = post(people, Missing::XInH.derive(&params, &own_x)?)?;
    let outcome = open_with(people, &sigma, &own_x, &(d_without_x + own_x.g(&params) * x));
    gave_away(trial, "h without X: an own X, opened with the stolen d + g·x", outcome);
    let sigma = post(people, Missing::X.derive(&params, &record)?)?;
    let outcome = open_with(people, &sigma, &record, &d);
    gave_away(trial, "PK = R + h·Ppub: the car's own record, opened with the stolen d", outcome);
    Ok(())
}

fn a13(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for name in ["ev0", "ev2"] {
        people.person(name, Class::Id, Role::Ev)?;
    }
    let sigma = post(people, people.pair("ev0")?.public().clone())?;
    let params = people.params.clone();
    let (mine, theirs) = (people.record("ev1")?, people.record("ev0")?);
    let stranger = people.pair("ev2")?;
    let outcome = read(&params, &sigma, stranger.record(), &decapsulate(sigma.head(), stranger));
    trial.refused("a car that is not addressed", Check::R4, Error::NotAReceiver, outcome);
    for (who, name) in [("a stranger's", "ev2"), ("a co-receiver's", "ev1")] {
        let outcome = open_with(people, &sigma, &theirs, people.pair(name)?.sk());
        let tried = format!("{who} key in the name of the addressed record");
        trial.refused(tried, Check::R4, Error::NotAReceiver, outcome);
    }
    let k = decapsulate(sigma.head(), people.pair("ev0")?);
    let outcome = read(&params, &sigma, &mine, &k);
    trial.refused("the right entry key at a co-receiver's pile", Check::R6, Error::PseudonymMismatch, outcome);
    let outcome = read(&params, &sigma, stranger.record(), &k);
    trial.refused("the right entry key at a stranger's pile", Check::R6, Error::PseudonymMismatch, outcome);

    let wrong = people.forge(&["ev0", "ev1"], &Trick { f: Some(mine.f()), ..Trick::default() })?;
    let forged = people.gateway(&wrong)?;
    let outcome = read(&params, &forged, &theirs, &decapsulate(forged.head(), people.pair("ev0")?));
    trial.refused("an entry that names another car", Check::R6, Error::PseudonymMismatch, outcome);

    let outcome = opening::of_any_pseudonym(&params, &sigma, &receiver(&mine), &k);
    gave_away(trial, "the right entry key at a co-receiver's pile", outcome);
    let k = decapsulate(forged.head(), people.pair("ev0")?);
    let outcome = opening::of_any_pseudonym(&params, &forged, &receiver(&theirs), &k);
    let named = outcome.as_ref().is_ok_and(|o| o.f == mine.f() && text(&o.message) == "go");
    let seen = outcome
        .map_or_else(|failure| failure.to_string(), |o| format!("`{}` is done, meant for another f", text(&o.message)));
    trial.breaks("an entry that names another car", named, seen);
    Ok(())
}
