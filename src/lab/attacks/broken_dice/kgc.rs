//! The KGC's dice: the same nonce for two records, the same seal for two answers (A24, A42; CLMMSC.md §3.4, §3.6).

use super::{Stuck, Trial, no_hit, no_repeat, start, xor};
use crate::clmmsc::keys::{IssuedItem, Wanted};
use crate::clmmsc::kgc::{Issue, MasterKey};
use crate::clmmsc::request::accept_answer;
use crate::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::weak::dice;
use crate::clmmsc::{Class, Error, Flow, KeyPair, Params, Role, Ticket, UserSecret, group};
use crate::lab::people::{CREATED, NOW, People, TTL, scalar};
use curve25519_dalek::scalar::Scalar;
use std::sync::Arc;

/// s = (d − d')/(h − h') from two issued records: right if both have one r, else noise.
fn solve_master(a: (&Params, &IssuedItem), b: (&Params, &IssuedItem)) -> Result<Scalar, Error> {
    let part = |(params, (rec, d)): (&Params, &IssuedItem)| Ok::<_, Error>((group::scal(d)?, rec.h(params)));
    let ((d1, h1), (d2, h2)) = (part(a)?, part(b)?);
    Ok((d1 - d2) * (h1 - h2).invert())
}

pub(super) fn a24(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let user = UserSecret::from_scalar(group::scal(&scalar(&mut people.rng))?);
    let (x, stuck, epoch) = (user.public(), people.bytes(), people.epoch());
    let what = Issue { class: Class::Ticket, role: Role::Csc, from: epoch, to: epoch, uid: people.uids, ctr: 0 };
    let here = &people.params;
    let elsewhere = &people.master.params("another network", here.policy)?;
    let cases = [
        ("valid one epoch longer", here, Issue { to: epoch + 1, ..what }),
        ("valid a year longer", here, Issue { to: epoch + 8760, ..what }),
        ("in another network", elsewhere, what),
    ];
    let first = people.master.issue(here, &what, &x, &stuck)?;
    for (how, params, again) in &cases {
        let second = people.master.issue(params, again, &x, &stuck)?;
        no_repeat(trial, format!("{how}: compare R"), &[(&first.0.r(), &second.0.r())]);
        let found = solve_master((here, &first), (params, &second))?;
        no_hit(trial, format!("{how}: solve for s"), found.as_bytes(), &people.s);
    }

    let secrets = (&people.s, &people.kf);
    let first = dice::issue(here, secrets, &what, &x, &stuck)?;
    for (how, params, again) in &cases {
        let second = dice::issue(params, secrets, again, &x, &stuck)?;
        let found = solve_master((here, &first), (params, &second))?;
        let same = found.to_bytes() == people.s;
        trial.breaks(format!("{how}: solve for s"), same, format!("the master secret {}", start(found.as_bytes())));
        let passes = self_made(people, found.as_bytes(), &user)?;
        trial.breaks(format!("{how}: make a ticket at home and sign with it"), passes, "every gateway accepts it");
    }
    Ok(())
}

/// Whether gateways accept a σ by somebody who issued all of its own records under `s`.
fn self_made(people: &People, s: &[u8; 32], user: &UserSecret) -> Result<bool, Stuck> {
    let (params, epoch) = (&people.params, people.epoch());
    let master = MasterKey::from_scalar(s, [0; 32])?;
    let make = |class, role| {
        let issue = Issue { class, role, from: epoch, to: epoch, uid: 0, ctr: 0 };
        let (rec, d) = master.issue(params, &issue, &user.public(), &[0; 32])?;
        KeyPair::accept(params, &Wanted { class, role, from: epoch, to: epoch }, user, &rec, &d)
    };
    let (Ok(own), Ok(ticket), Ok(to)) =
        (make(Class::Id, Role::Csc), make(Class::Ticket, Role::Csc), make(Class::Id, Role::Ev))
    else {
        return Ok(false);
    };
    let env = Envelope { flow: Flow::COMMAND, created: CREATED, ttl: TTL, floor: 64, pad_to: 0 };
    let items = [Item { to: to.public(), message: b"charge 99 kW" }];
    let made = signcrypt(params, &env, &own, Ticket::new(ticket)?, &items, &[0; 32])?;
    Ok(VerifiedSigma::verify(params, &Arc::from(made.bytes), NOW).is_ok())
}

pub(super) fn a42(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let user = UserSecret::from_scalar(group::scal(&scalar(&mut people.rng))?);
    let (x, m, stuck, epoch) = (user.public(), people.bytes(), people.bytes(), people.epoch());
    let want = Wanted { class: Class::Ticket, role: Role::Csc, from: epoch, to: epoch };
    let issue = |ctr| {
        let what = Issue { class: want.class, role: want.role, from: epoch, to: epoch, uid: people.uids, ctr };
        people.master.issue(&people.params, &what, &x, &stuck)
    };
    let items = [issue(0)?, issue(1)?];
    let plain = items.each_ref().map(|(rec, d)| [&rec.0[..], &**d].concat());
    let difference = |answers: &[Vec<u8>; 2]| xor(&answers[0][36..][..138], &answers[1][36..][..138]);

    let seal = |item| people.master.seal_answer(&people.params, &m, &x, std::slice::from_ref(item), &stuck);
    let answers = [seal(&items[0])?, seal(&items[1])?];
    for answer in &answers {
        accept_answer(&people.params, &want, std::slice::from_ref(&user), &m, answer)?;
    }
    no_repeat(trial, "compare E' of both answers", &[(&answers[0][4..36], &answers[1][4..36])]);
    let guess = xor(&difference(&answers), &items[0].0.0);
    no_hit(trial, "compute the second ticket from the first", &guess, &items[1].0.0);

    let seal = |plain: &[u8]| dice::seal_answer(&people.params, &people.kf, &m, &x, plain, &stuck);
    let answers = [seal(&plain[0])?, seal(&plain[1])?];
    for answer in &answers {
        accept_answer(&people.params, &want, std::slice::from_ref(&user), &m, answer)?;
    }
    let pad = difference(&answers) == xor(&plain[0], &plain[1]);
    trial.breaks("take the sealed parts' difference for that of the answers", pad, "138 bytes: a two-time pad");
    let guess = xor(&difference(&answers), &items[0].0.0);
    let seen = format!("the ticket with pseudonym {}, not yet used, and whose it is", start(&guess[10..42]));
    trial.breaks("compute the second ticket from the first", guess == items[1].0.0, seen);
    Ok(())
}
