//! Choose your own key: records built so that somebody else knows their secret, and keys that do not fit
//! (A1, A2, A22; CLMMSC.md §0 choices 1 and 2, §3.4, §12.1, §12.2).

use super::post::{key_from, read, short, text};
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::keys::{IssuedItem, Wanted};
use crate::clmmsc::kgc::Issue;
use crate::clmmsc::weak::coefficients::Missing;
use crate::clmmsc::weak::{acceptance, outer};
use crate::clmmsc::{Check, Class, Error, Failure, Flow, KeyPair, Params, Record, Role, UserSecret, group};
use crate::lab::forge::{Hand, Trick};
use crate::lab::people::{NOW, scalar};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use std::collections::BTreeMap;

pub(super) const ATTACKS: [Attack; 3] = [
    Attack {
        id: 1,
        title: "Solve for your own public value",
        role: "An outsider whom nobody registered; it knows the public parameters only.",
        moves: &[
            "choose a secret a and any R, and solve X = (a·P − R − h·Ppub)/g, so that the public key would be a·P",
            "put X into the record; h and g change with it, so solve again, 32 times",
            "have the record addressed as a car's, and open with a",
            "use such a record as a ticket, and sign with a",
        ],
        expected: "R4 NotAReceiver, V5 Signature: h and g cover X, the equation bites its own tail",
        control: "neither h nor g covers X (with g still covering it, leaving X out of h alone does not help)",
        run: a1,
    },
    Attack {
        id: 2,
        title: "Cancel the user's half",
        role: "The KGC, with its master secret s; it sees the user's X before it chooses R.",
        moves: &[
            "issue R = c·P − X, hoping that X cancels in the public key",
            "issue R = c·P − g·X with the g of the record before, 32 times over",
            "let the CSC address the record, and open with c + h·s",
            "use the same trick on a ticket of the CSC, and sign with c + h·s",
            "hand the record to its user with d = c + h·s",
        ],
        expected: "R4 NotAReceiver, V5 Signature; the user sees A2 PartialKey",
        control: "the plain sum PK = R + h·Ppub + X",
        run: a2,
    },
    Attack {
        id: 22,
        title: "Hand out a key that does not fit",
        role: "A faulty KGC, or somebody who changes its answers.",
        moves: &[
            "flip each bit of the partial key d, or add one to it",
            "change each byte of f and of R in the record",
            "shift R by a multiple of P or of X without changing d",
        ],
        expected: "A2 PartialKey; what is no scalar or no point any more is refused as that",
        control: "no acceptance check: the user takes sk = d + g·x as it comes",
        run: a22,
    },
];

/// A record that nobody issued, for a role that could use it now.
fn made_up(people: &mut People, class: Class, role: Role, x: &[u8; 32], r: &RistrettoPoint) -> Record {
    let (epoch, f) = (people.epoch(), people.bytes());
    Record::new(class, role, epoch, epoch, &f, x, &group::enc(r))
}

fn with_x(rec: &Record, x: &RistrettoPoint) -> Record {
    let mut rec = *rec;
    rec.0[42..74].copy_from_slice(&group::enc(x));
    rec
}

fn with_r(rec: &Record, r: &RistrettoPoint) -> Record {
    let mut rec = *rec;
    rec.0[74..].copy_from_slice(&group::enc(r));
    rec
}

/// A secret that its drawer knows.
fn secret(people: &mut People) -> Result<Scalar, Error> {
    group::scal(&scalar(&mut people.rng))
}

/// A key that an attacker hopes to have made its own.
struct Grab {
    record: Record,
    hoped: Scalar,
}

impl Grab {
    /// The CSC sends a message to the record, the attacker opens it with the secret it hopes for.
    fn reads(&self, people: &mut People, missing: Option<Missing>) -> Result<Result<Vec<u8>, Failure>, Stuck> {
        let public = match missing {
            None => self.record.derive(&people.params)?,
            Some(missing) => missing.derive(&people.params, &self.record)?,
        };
        let bytes = people.send(Flow::COMMAND, &[(public, "charge 7 kW")])?;
        let sigma = people.gateway(&bytes)?;
        let k = key_from(&people.params, &sigma, &self.record, &(self.hoped * sigma.head().t()));
        Ok(read(&people.params, &sigma, &self.record, &k).map(|opened| opened.message.to_vec()))
    }

    /// A σ of flow 1 whose outer signature is made with the secret it hopes for.
    fn speaks(&self, people: &mut People) -> Result<Vec<u8>, Error> {
        let ticket = Some(Hand { record: self.record, secret: self.hoped });
        people.forge(&["ev0"], &Trick { ticket, ..Trick::default() })
    }
}

/// Against the scheme: neither reading nor speaking; against the control: both.
fn try_both(
    people: &mut People,
    trial: &mut Trial,
    missing: Missing,
    mut grab: impl FnMut(&mut People, Class, Role, Option<Missing>) -> Result<Grab, Error>,
) -> Result<(), Stuck> {
    people.person("ev0", Class::Id, Role::Ev)?;
    let seen = grab(people, Class::Id, Role::Ev, None)?.reads(people, None)?;
    trial.refused("read what is sent to the record", Check::R4, Error::NotAReceiver, seen);
    let bytes = grab(people, Class::Ticket, Role::Csc, None)?.speaks(people)?;
    trial.refused("sign with the record as a ticket", Check::V5, Error::Signature, people.gateway(&bytes));

    let seen = grab(people, Class::Id, Role::Ev, Some(missing))?.reads(people, Some(missing))?;
    let read = seen.as_deref().map(text).unwrap_or_default();
    trial.breaks("read what is sent to the record", read == "charge 7 kW", format!("read the message `{read}`"));
    let bytes = grab(people, Class::Ticket, Role::Csc, Some(missing))?.speaks(people)?;
    let passed = outer::verify(&people.params, &bytes, NOW, outer::Fault::Key(missing));
    let seen = passed.as_ref().map_or_else(ToString::to_string, |sigma| format!("σ {} accepted", short(sigma.id())));
    trial.breaks("sign with the record as a ticket", passed.is_ok(), seen);
    Ok(())
}

/// Rounds of solving and hashing again.
const ROUNDS: usize = 32;

/// A record whose X is solved for, and how often the equation came out while X went into the hashes again.
fn solve(people: &mut People, class: Class, role: Role, missing: Option<Missing>) -> Result<(Grab, usize), Error> {
    let (a, r) = (secret(people)?, RistrettoPoint::mul_base(&secret(people)?));
    let mut record = made_up(people, class, role, &group::enc(&r), &r);
    let params = &people.params;
    let wanted = RistrettoPoint::mul_base(&a);
    let mut fits = 0;
    for _ in 0..ROUNDS {
        let (h, g) = missing.map_or((record.h(params), record.g(params)), |m| m.coefficients(params, &record));
        record = with_x(&record, &(g.invert() * (wanted - r - h * params.ppub)));
        let public = missing.map_or(record.derive(params), |m| m.derive(params, &record))?;
        fits += usize::from(public.pk == wanted);
    }
    Ok((Grab { record, hoped: a }, fits))
}

fn a1(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (missing, tried) in
        [(None, "solve for PK = a·P, 32 times over"), (Some(Missing::XInH), "the same with X in g, but not in h")]
    {
        let (_, fits) = solve(people, Class::Id, Role::Ev, missing)?;
        trial.holds(tried, fits == 0, format!("PK is a·P after {fits} of {ROUNDS} rounds"));
    }
    let solve = |people: &mut People, class, role, missing| Ok(solve(people, class, role, missing)?.0);
    try_both(people, trial, Missing::XInBoth, solve)
}

fn a2(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let s = group::scal(&people.s)?;
    let cancel = |people: &mut People, class, role, missing: Option<Missing>| {
        let user = UserSecret::from_scalar(secret(people)?);
        let (c, x) = (secret(people)?, group::dec(&user.public())?);
        let mut record = made_up(people, class, role, &user.public(), &(RistrettoPoint::mul_base(&c) - x));
        let params = &people.params;
        if missing.is_none() {
            for _ in 0..ROUNDS {
                record = with_r(&record, &(RistrettoPoint::mul_base(&c) - record.g(params) * x));
            }
        }
        Ok(Grab { record, hoped: c + record.h(params) * s })
    };
    // The first of the two moves, and the record in its user's hands.
    let user = UserSecret::from_scalar(secret(people)?);
    let c = secret(people)?;
    let r = RistrettoPoint::mul_base(&c) - group::dec(&user.public())?;
    let record = made_up(people, Class::Id, Role::Ev, &user.public(), &r);
    let grab = Grab { record, hoped: c + record.h(&people.params) * s };
    let seen = grab.reads(people, None)?;
    trial.refused("read through R = c·P − X", Check::R4, Error::NotAReceiver, seen);
    let want = Wanted { class: Class::Id, role: Role::Ev, from: people.epoch(), to: people.epoch() };
    let accepted = KeyPair::accept(&people.params, &want, &user, &record, grab.hoped.as_bytes());
    trial.refused(
        "hand the record to its user",
        Check::A2,
        Error::PartialKey,
        accepted.map_err(Failure::at(Check::A2)),
    );
    try_both(people, trial, Missing::G, cancel)
}

/// What one acceptance of a changed key must say: a changed encoding may be no scalar or no point any more.
fn expected(rec: &Record, d: &[u8; 32]) -> Error {
    match (group::dec(&rec.r()), group::scal(d)) {
        (Err(error), _) | (_, Err(error)) => error,
        _ => Error::PartialKey,
    }
}

/// The changed keys, by what was done to them.
fn faulty(params: &Params, rec: &Record, d: &[u8; 32]) -> Result<[(&'static str, Vec<IssuedItem>); 4], Error> {
    let flip = |bit: usize| {
        let mut d = *d;
        d[bit / 8] ^= 1 << (bit % 8);
        (*rec, d.into())
    };
    let change = |at: usize, mask: u8| {
        let mut rec = *rec;
        rec.0[at] ^= mask;
        (rec, (*d).into())
    };
    let (scalar, r) = (group::scal(d)?, group::dec(&rec.r())?);
    let moves = [RistrettoPoint::mul_base(&Scalar::ONE), group::dec(&rec.x())?, params.ppub];
    Ok([
        ("each bit of d flipped", (0..256).map(flip).collect()),
        ("d + 1 and d − 1", [Scalar::ONE, -Scalar::ONE].map(|step| (*rec, (scalar + step).to_bytes().into())).to_vec()),
        (
            "each byte of f and R changed",
            (10..42).chain(74..106).flat_map(|at| [change(at, 1), change(at, 128)]).collect(),
        ),
        ("R moved by P, X and Ppub", moves.map(|by| (with_r(rec, &(r + by)), (*d).into())).to_vec()),
    ])
}

fn a22(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let (epoch, rand) = (people.epoch(), people.bytes());
    let user = UserSecret::from_scalar(secret(people)?);
    let issue = Issue { class: Class::Id, role: Role::Ev, from: epoch, to: epoch, uid: 7, ctr: 0 };
    let (rec, d) = people.master.issue(&people.params, &issue, &user.public(), &rand)?;
    let want = Wanted { class: Class::Id, role: Role::Ev, from: epoch, to: epoch };
    let honest = KeyPair::accept(&people.params, &want, &user, &rec, &d)?;

    for (tried, variants) in faulty(&people.params, &rec, &d)? {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut good = true;
        for (rec, d) in &variants {
            let outcome = KeyPair::accept(&people.params, &want, &user, rec, d).map(|_| "accepted");
            good &= outcome == Err(expected(rec, d));
            *seen.entry(outcome.map_or_else(|error| format!("A2 {error}"), str::to_string)).or_default() += 1;
        }
        let seen: Vec<String> = seen.iter().map(|(what, count)| format!("{count} × {what}")).collect();
        trial.holds(tried, good, seen.join(", "));
    }

    // Without the check the car works with a key that is not its record's.
    let bent = group::scal(&d)? + Scalar::ONE;
    let sk = acceptance::accept(&people.params, &user, &rec, bent.as_bytes())?;
    let bytes = people.send(Flow::COMMAND, &[(honest.public().clone(), "charge 7 kW")])?;
    let sigma = people.gateway(&bytes)?;
    let opens = |sk: &Scalar| {
        let k = key_from(&people.params, &sigma, &rec, &(sk * sigma.head().t()));
        read(&people.params, &sigma, &rec, &k).map(|opened| text(&opened.message))
    };
    let (right, wrong) = (opens(honest.sk()), opens(&sk));
    let lost = right.as_deref() == Ok("charge 7 kW") && wrong.is_err();
    let seen = wrong.unwrap_or_else(|failure| format!("`charge 7 kW` is there, its receiver sees {failure}"));
    trial.breaks("d + 1 is taken; a command is sent to the car", lost, seen);
    Ok(())
}
