//! Broken dice: a random generator that gives the same 32 bytes every time (A23, A24, A37, A42, A43; CLMMSC.md §2.4, §3.4,
//! §3.6, §5, §9.2).
//!
//! Everywhere the scheme hashes the secret, the whole context and `rand32` together, so equal dice with unequal inputs give
//! unequal secrets. The controls take less into the hash.

mod kgc;

use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::hash::{h32, h64, label};
use crate::clmmsc::open::{EntryKey, decapsulate};
use crate::clmmsc::payload::session_key;
use crate::clmmsc::record::RECORD_LEN;
use crate::clmmsc::schnorr::{self, Message, Name, Signature};
use crate::clmmsc::secret::Secret;
use crate::clmmsc::session::{Body, Session, Side};
use crate::clmmsc::signcrypt::{Envelope, Item, Sign, entry_keys, signcrypt_signed_by};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::weak::dice;
use crate::clmmsc::wire::{CAPSULE, CONTEXT, FIXED, PLAIN_EXTRA, SIGNED, TAG};
use crate::clmmsc::{
    Check, Class, Error, Failure, Flow, Params, PublicRecord, Role, SigmaId, Ticket, aead, group, vote,
};
use crate::lab::people::{CREATED, NOW, TTL};
use curve25519_dalek::scalar::Scalar;
use std::sync::Arc;

pub(super) const ATTACKS: [Attack; 5] = [
    Attack {
        id: 23,
        title: "Wait for a stuck generator",
        role: "A car that receives like others, and an outsider who sees votes; the senders' generators are stuck.",
        moves: &[
            "take two ciphertexts made with the same 32 random bytes, under two tickets and under one",
            "look for a repeated T, a repeated commitment N or a repeated capsule key",
            "solve two signatures of one key for it: sk = (z − z')/(e − e')",
            "do the same with two signatures under each of the six names",
        ],
        expected: "T, N and kS differ; the solution is not the private key",
        control: "both nonces from the random generator alone",
        run: a23,
    },
    Attack {
        id: 24,
        title: "Order the same key twice",
        role: "A user of a KGC whose generator is stuck and that serves the same request again (restored from a copy).",
        moves: &[
            "have the same X and f issued again with another end of validity, and in another network of the same KGC",
            "look for a repeated R",
            "solve d = r + h·s and d' = r + h'·s for the master secret: s = (d − d')/(h − h')",
        ],
        expected: "R differs; the solution is not s",
        control: "the KGC's nonce without network and validity",
        run: kgc::a24,
    },
    Attack {
        id: 37,
        title: "Make a crash repeat itself",
        role: "An outsider who sees every ciphertext and can make a sender send again.",
        moves: &[
            "let the sender lose its answer and make the ciphertext again from the same random bytes",
            "compare both: a capsule key that meets two plaintexts gives away their difference",
            "let it make the ciphertext again from other random bytes",
        ],
        expected: "the same bytes, so there is nothing to compare; with other bytes another capsule key",
        control: "the retry keeps t and kS but draws a fresh inner nonce",
        run: a37,
    },
    Attack {
        id: 42,
        title: "Ask twice for one answer",
        role: "An eavesdropper at a KGC whose generator is stuck and that lost its memory of having answered.",
        moves: &[
            "hand in a recorded request again, so that it is answered with other records",
            "compare E' of both answers and take the difference of the sealed parts",
            "wait until the first ticket shows in a ciphertext, and compute the second from the difference",
        ],
        expected: "E' differs; the difference of the sealed parts is noise",
        control: "the secret of the seal without the answer that is sealed",
        run: kgc::a42,
    },
    Attack {
        id: 43,
        title: "Plug in twice",
        role: "The pile of an earlier session, and a listener on the cable; the car's generator is stuck.",
        moves: &[
            "record the frames of two sessions of the car and take their difference",
            "open the frames of the second session with the session key of the first",
            "do the same across two cars with the same stuck generator",
        ],
        expected: "the session keys differ: F1 FrameAuth, and the difference is noise",
        control: "the session key is what the generator gives",
        run: a43,
    },
];

/// A command of the CSC to `ev0`, signed the scheme's way or a control's, with chosen ticket and random bytes.
fn command(people: &People, sign: Sign<'_>, ticket: &Ticket, text: &str, rand: &[u8; 32]) -> Result<Vec<u8>, Error> {
    let env = Envelope { flow: Flow::COMMAND, created: CREATED, ttl: TTL, floor: 64, pad_to: 0 };
    let items = [Item { to: people.pair("ev0")?.public(), message: text.as_bytes() }];
    let csc = people.pair("csc")?;
    Ok(signcrypt_signed_by(&people.params, &env, csc, ticket.duplicate(), &items, rand, sign)?.bytes)
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// The first bytes, for the evidence.
fn start(bytes: &[u8]) -> String {
    format!("{}…", crate::sim::inspect::hex(&bytes[..bytes.len().min(8)]))
}

/// Looks for values that repeat where none may.
fn no_repeat(trial: &mut Trial, tried: impl Into<String>, pairs: &[(&[u8], &[u8])]) {
    let same = pairs.iter().filter(|(a, b)| a == b).count();
    trial.holds(tried, same == 0, format!("{same} of {} repeat", pairs.len()));
}

/// A guess that must not be the truth.
fn no_hit(trial: &mut Trial, tried: impl Into<String>, guess: &[u8], truth: &[u8]) {
    let hit = guess == truth;
    trial.holds(tried, !hit, if hit { "right" } else { "noise" });
}

/// The plaintext of the entry that k opens.
fn entry(sigma: &VerifiedSigma, k: &[u8; 32]) -> Result<Secret<Vec<u8>>, Stuck> {
    let (tag, ke) = entry_keys(k);
    let j = (0..sigma.header().n).find(|j| sigma.tag(*j) == tag).ok_or("no entry has the tag")?;
    Ok(aead::open(&ke, &sigma.entry(j)[TAG..]).ok_or("the entry does not open")?)
}

/// A signature with what it signs.
type Signed = (Message, Signature);

/// sk = (z − z')/(e − e') from two signatures under one key: right if both have one nonce, else noise.
fn solve(name: Name, key: &PublicRecord, a: &Signed, b: &Signed) -> Result<Scalar, Error> {
    let part = |(m, sig): &Signed| {
        let (n, z) = schnorr::halves(sig);
        Ok::<_, Error>((group::scal(&z)?, schnorr::challenge(name, &key.rid, &n, m)))
    };
    let ((z1, e1), (z2, e2)) = (part(a)?, part(b)?);
    Ok((z1 - z2) * (e1 - e2).invert())
}

/// What `ev0` finds in a σ: kS, the sender's record and the inner signature.
struct Inside {
    ks: [u8; 16],
    capsule: Secret<Vec<u8>>,
    alpha: Signed,
}

fn inside(people: &People, bytes: &[u8]) -> Result<Inside, Stuck> {
    let sigma = VerifiedSigma::verify(&people.params, &Arc::from(bytes), NOW)?;
    let plain = entry(&sigma, decapsulate(sigma.head(), people.pair("ev0")?).as_bytes())?;
    let ks: [u8; 16] = *plain.first_chunk().ok_or("the entry is too short")?;
    let (ctx, header) = (sigma.head().context(), sigma.header());
    let capsule = aead::open(&h32(label::CAP, &[&ks, ctx]), &header.capsule).ok_or("the capsule does not open")?;
    let alpha = *capsule.last_chunk().ok_or("the capsule is too short")?;
    Ok(Inside { ks, capsule, alpha: (h64(label::IM, &[ctx, &header.root]), alpha) })
}

/// Two signatures under one key over different messages.
fn signed_twice(params: &Params, sign: impl Fn(&Message) -> Signature) -> [Signed; 2] {
    [b"block 7: yes", b"block 8: yes"].map(|body| {
        let m = vote::digest(params, body);
        (m, sign(&m))
    })
}

fn a23(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("csc", Role::Csc), ("css0", Role::Css), ("ev0", Role::Ev)] {
        people.person(name, Class::Id, role)?;
    }
    let tickets = [people.fresh_ticket(Role::Csc)?, people.fresh_ticket(Role::Csc)?];
    let stuck: [u8; 32] = people.bytes();
    let (csc, css) = (people.pair("csc")?, people.pair("css0")?);
    for (how, second) in [("two tickets", &tickets[1]), ("one ticket, used again", &tickets[0])] {
        let a = command(people, &schnorr::sign_with, &tickets[0], "charge 7 kW", &stuck)?;
        let b = command(people, &schnorr::sign_with, second, "charge 3 kW", &stuck)?;
        let (in_a, in_b) = (inside(people, &a)?, inside(people, &b)?);
        let pairs: [(&[u8], &[u8]); 4] = [
            (&a[FIXED..][..32], &b[FIXED..][..32]),
            (&a[SIGNED..][..32], &b[SIGNED..][..32]),
            (&in_a.alpha.1[..32], &in_b.alpha.1[..32]),
            (&in_a.ks, &in_b.ks),
        ];
        no_repeat(trial, format!("{how}: compare T, the outer N, the inner N and kS"), &pairs);
        let found = solve(Name::Inner, csc.public(), &in_a.alpha, &in_b.alpha)?;
        no_hit(trial, format!("{how}: solve for the CSC's key"), found.as_bytes(), &csc.expose_sk());
    }
    for name in [Name::Inner, Name::Outer, Name::KeyRequest, Name::Attach, Name::List, Name::Vote] {
        let [a, b] = signed_twice(&people.params, |m| schnorr::sign(name, css, m, &stuck));
        no_repeat(trial, format!("compare N of two signatures named `{}`", name.text()), &[(&a.1[..32], &b.1[..32])]);
        let found = solve(name, css.public(), &a, &b)?;
        no_hit(trial, format!("solve two signatures named `{}`", name.text()), found.as_bytes(), &css.expose_sk());
    }

    let plain = dice::nonces_from(&stuck);
    let a = inside(people, &command(people, &plain, &tickets[0], "charge 7 kW", &stuck)?)?;
    let b = inside(people, &command(people, &plain, &tickets[1], "charge 3 kW", &stuck)?)?;
    let votes = signed_twice(&people.params, |m| dice::sign(Name::Vote, css, m, &stuck));
    let m = vote::digest(&people.params, b"block 9: yes");
    for (whose, name, key, [a, b]) in
        [("the CSC's key", Name::Inner, csc, [a.alpha, b.alpha]), ("a gateway's key", Name::Vote, css, votes)]
    {
        let found = solve(name, key.public(), &a, &b)?;
        let same = found.to_bytes() == key.expose_sk();
        trial.breaks(format!("solve for {whose}"), same, format!("the private key {}", start(found.as_bytes())));
        let forged = schnorr::sign_with(name, &key.public().rid, &found, &[0; 32], &m, &[0; 32]);
        let passes = schnorr::verify(&people.params, name, key.record(), &m, &forged).is_ok();
        trial.breaks(format!("sign something new with {whose}"), passes, "a signature that verifies");
    }
    Ok(())
}

/// Where the sealed plaintext of the capsule stands in a σ.
const SEALED: core::ops::Range<usize> = CONTEXT + 32..CONTEXT + 32 + CAPSULE - aead::OVERHEAD;

fn a37(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("csc", Role::Csc), ("ev0", Role::Ev)] {
        people.person(name, Class::Id, role)?;
    }
    let ticket = people.fresh_ticket(Role::Csc)?;
    let (rand, other, fresh): ([u8; 32], [u8; 32], [u8; 32]) = (people.bytes(), people.bytes(), people.bytes());
    let text = "charge 7 kW";
    let first = command(people, &schnorr::sign_with, &ticket, text, &rand)?;
    for round in 1..=3 {
        let again = command(people, &schnorr::sign_with, &ticket, text, &rand)?;
        let seen =
            format!("{} of {} bytes equal", first.iter().zip(&again).filter(|(a, b)| a == b).count(), first.len());
        trial.holds(format!("retry {round} from the same random bytes"), again == first, seen);
    }
    let second = command(people, &schnorr::sign_with, &ticket, text, &other)?;
    let truth = |a: &[u8], b: &[u8]| Ok::<_, Stuck>(xor(&inside(people, a)?.capsule, &inside(people, b)?.capsule));
    let guess = xor(&first[SEALED], &second[SEALED]);
    no_hit(
        trial,
        "retry from other random bytes: take the capsules' difference for that of their contents",
        &guess,
        &truth(&first, &second)?,
    );

    let second = command(people, &dice::inner_nonce_from(&fresh), &ticket, text, &rand)?;
    let (guess, truth) = (xor(&first[SEALED], &second[SEALED]), truth(&first, &second)?);
    let signatures = &guess[RECORD_LEN..];
    trial.breaks(
        "take the capsules' difference for that of their contents",
        guess == truth && signatures.iter().any(|b| *b != 0),
        format!("one key stream met two plaintexts: the two secret signatures differ by {}", start(signatures)),
    );
    Ok(())
}

/// The first frame of a car that releases `k` in a session.
fn frame(kses: [u8; 32], sigma: SigmaId, k: [u8; 32]) -> Vec<u8> {
    Session::new(kses, Side::Ev).seal(&Body::Release { sigma, k: EntryKey::from_bytes(k) })
}

/// Two sessions on the same dice: what keys, and what a car said in each.
struct Sessions {
    kses: [[u8; 32]; 2],
    frames: [Vec<u8>; 2],
    bodies: [Secret<Vec<u8>>; 2],
}

impl Sessions {
    fn new(kses: [[u8; 32]; 2], said: [(SigmaId, [u8; 32]); 2]) -> Sessions {
        let body = |(sigma, k): (SigmaId, [u8; 32])| Body::Release { sigma, k: EntryKey::from_bytes(k) }.encode();
        let frames = [frame(kses[0], said[0].0, said[0].1), frame(kses[1], said[1].0, said[1].1)];
        Sessions { kses, frames, bodies: said.map(body) }
    }

    /// What the listener computes: the difference of the frames.
    fn difference(&self) -> Vec<u8> {
        let [a, b] = &self.frames;
        xor(&a[9..a.len() - aead::OVERHEAD], &b[9..b.len() - aead::OVERHEAD])
    }

    fn truth(&self) -> Vec<u8> {
        xor(&self.bodies[0], &self.bodies[1])
    }

    /// What the first pile gets out of the second session.
    fn overheard(&self) -> Result<Body, Failure> {
        Session::new(self.kses[0], Side::Pile).open(&self.frames[1]).map_err(Failure::at(Check::F1))
    }
}

fn a43(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("csc", Role::Csc), ("ev0", Role::Ev), ("ev1", Role::Ev)] {
        people.person(name, Class::Id, role)?;
    }
    let (tickets, rands) =
        ([people.fresh_ticket(Role::Csc)?, people.fresh_ticket(Role::Csc)?], [people.bytes(), people.bytes()]);
    let (stuck, plugs): ([u8; 32], [[u8; 16]; 2]) = (people.bytes(), [people.bytes(), people.bytes()]);
    let (ev0, ev1) = (people.pair("ev0")?, people.pair("ev1")?);
    let texts = ["charge 7 kW", "charge 3 kW"];
    let sent = |i: usize| {
        let bytes = command(people, &schnorr::sign_with, &tickets[i], texts[i], &rands[i])?;
        let sigma = VerifiedSigma::verify(&people.params, &Arc::from(bytes), NOW)?;
        let k = *decapsulate(sigma.head(), ev0).as_bytes();
        Ok::<_, Stuck>((sigma, k))
    };
    let (first, second) = (sent(0)?, sent(1)?);
    let said = [(first.0.id(), first.1), (second.0.id(), second.1)];

    let ours = [
        ("two plugs", [*session_key(ev0, &plugs[0], &stuck), *session_key(ev0, &plugs[1], &stuck)]),
        ("two cars", [*session_key(ev1, &plugs[0], &stuck), *session_key(ev0, &plugs[0], &stuck)]),
    ];
    for (how, kses) in ours {
        let sessions = Sessions::new(kses, said);
        no_repeat(trial, format!("{how}: compare the session keys"), &[(&kses[0], &kses[1])]);
        let tried = format!("{how}: take the frames' difference for that of the words");
        no_hit(trial, tried, &sessions.difference(), &sessions.truth());
        let tried = format!("{how}: open a frame of the second session with the first key");
        trial.refused(tried, Check::F1, Error::FrameAuth, sessions.overheard());
    }

    let sessions = Sessions::new([dice::session_key(&stuck); 2], said);
    let same = sessions.difference() == sessions.truth();
    trial.breaks("take the frames' difference for that of the words", same, "one key stream for both sessions");
    let Ok(Body::Release { k, .. }) = sessions.overheard() else {
        trial.breaks("open a frame of the second session with the first key", false, "refused");
        return Ok(());
    };
    let plain = entry(&second.0, k.as_bytes())?;
    let read = String::from_utf8_lossy(&plain[PLAIN_EXTRA..][..texts[1].len()]).into_owned();
    let seen = format!("read `{read}` at the first pile");
    trial.breaks("open a frame of the second session with the first key", read == texts[1], seen);
    Ok(())
}
