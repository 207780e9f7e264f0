//! Forge the ticket: what passes for the right to speak (A5, A6, A29, A39; CLMMSC.md §2.4, §3.6, §4, §12.5).

use super::kgc_desk::a39;
use super::post::{read, short, text};
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::kgc::MasterKey;
use crate::clmmsc::open::decapsulate;
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::weak::coefficients::Missing;
use crate::clmmsc::weak::names;
use crate::clmmsc::weak::outer::{self, Fault};
use crate::clmmsc::{Check, Class, Error, Failure, Flow, Params, Policy, Record, Role, group, vote};
use crate::lab::forge::{Hand, Trick};
use crate::lab::people::{NOW, scalar};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

pub(super) const ATTACKS: [Attack; 4] = [
    Attack {
        id: 5,
        title: "Bring a ticket from elsewhere",
        role: "Somebody without a ticket of this network: an outsider, a foreign KGC, a member of a sister network.",
        moves: &[
            "make up X' and R' and sign with r + g·x",
            "let another KGC issue the ticket, for its own network or for the parameters of this one",
            "use a good ticket of another network of the same KGC",
            "use a good ticket that the same KGC issued under another policy",
        ],
        expected: "V5 Signature: Ppub and params_id are in the ticket's public key",
        control: "no outer signature (for the first two); h and g without params_id (for the others)",
        run: a5,
    },
    Attack {
        id: 6,
        title: "Relabel a record",
        role: "A car with a good ticket, and a pile that was lent the key of a session record.",
        moves: &[
            "send a command (flow 1) with the car's own ticket",
            "the same, with the role byte of the ticket changed to CSC, to CSS",
            "send as the car (flow 5) with the lent session record as a ticket",
            "the same, with the class byte changed to ticket",
            "put the session record into the capsule as the sender, as it is and relabelled as identity",
        ],
        expected: "V2 TicketRole, V2 TicketClass, R9 SenderRole for what is not relabelled; V5 Signature, R10 InnerSignature \
                   for what is",
        control: "the gateway does not look at class and role; h and g do not cover them",
        run: a6,
    },
    Attack {
        id: 29,
        title: "Offer a signature as another one",
        role: "Somebody who has a signature of an honest owner, made for one purpose, over the bytes of another.",
        moves: &[
            "offer each of the six kinds of signature as each of the five others",
            "send a ciphertext whose outer signature is one for inner use, and the reverse",
            "count a gateway's signature on an attach as its vote",
        ],
        expected: "Signature: the name is part of every challenge",
        control: "the challenge does not contain the name",
        run: a29,
    },
    Attack {
        id: 39,
        title: "Cheat at the registration desk",
        role: "Another car, or somebody at the KGC's own door who sees requests as they come out of their box.",
        moves: &[
            "send a newcomer's request again, byte for byte",
            "use the newcomer's one-time code again, for an own X",
            "ask for a ticket in the name of another user, with the own record and with the other's",
            "replace, exchange and drop the X in a company's request for tickets",
            "attach the car to a gateway that nobody knows",
        ],
        expected: "the stored answer; Q3 Enrolment, Q3 RequesterRecord, Q4 Signature, Q5 Unpinned",
        control: "a desk that forgets its answers, never spends a code, takes any record for any user's, reads requests \
                  without their signature, takes any string for a gateway",
        run: a39,
    },
];

/// Against the scheme: refused at V5. Gives σ for the control.
fn refused_at_v5(people: &mut People, trial: &mut Trial, tried: &str, ticket: Hand) -> Result<Vec<u8>, Stuck> {
    let bytes = people.forge(&["ev0"], &Trick { ticket: Some(ticket), ..Trick::default() })?;
    trial.refused(tried, Check::V5, Error::Signature, people.gateway(&bytes));
    Ok(bytes)
}

/// Against the control: a gateway with this fault must accept.
fn accepted(people: &People, trial: &mut Trial, tried: &str, bytes: &[u8], fault: Fault) {
    let outcome = outer::verify(&people.params, bytes, NOW, fault);
    let good = outcome.as_ref().is_ok_and(|sigma| sigma.bytes()[..] == *bytes);
    let seen = outcome.map_or_else(|failure| failure.to_string(), |sigma| format!("σ {} accepted", short(sigma.id())));
    trial.breaks(tried, good, seen);
}

/// A one-epoch record that `s` issues under `params`, in a scheme whose public keys miss something or nothing.
fn issued(
    people: &mut People,
    params: &Params,
    s: &Scalar,
    (class, role): (Class, Role),
    missing: Option<Missing>,
) -> Result<Hand, Error> {
    let (x, r) = (group::scal(&scalar(&mut people.rng))?, group::scal(&scalar(&mut people.rng))?);
    let (epoch, f) = (people.epoch(), people.bytes());
    let point = |secret: &Scalar| group::enc(&RistrettoPoint::mul_base(secret));
    let record = Record::new(class, role, epoch, epoch, &f, &point(&x), &point(&r));
    let whole = r + record.h(params) * s + record.g(params) * x;
    Ok(Hand { record, secret: missing.map_or(whole, |missing| missing.secret(params, &record, (s, &r, &x))) })
}

fn a5(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("ev0", Class::Id, Role::Ev)?;
    let kind = (Class::Ticket, Role::Csc);
    let (own, s) = (people.params.clone(), group::scal(&people.s)?);
    let policy = own.policy;
    let foreign_s = scalar(&mut people.rng);
    let foreign = MasterKey::from_scalar(&foreign_s, people.bytes())?.params(&own.net, policy)?;
    let foreign_s = group::scal(&foreign_s)?;
    let sister = people.master.params("another network", policy)?;
    let other_policy = people.master.params(&own.net, Policy { ttl_max: policy.ttl_max + 1, ..policy })?;

    let tickets = [
        ("an outsider's ticket, signed with r + g·x", issued(people, &own, &Scalar::ZERO, kind, None)?),
        ("a ticket of another KGC", issued(people, &foreign, &foreign_s, kind, None)?),
        ("a ticket of another KGC for this network", issued(people, &own, &foreign_s, kind, None)?),
    ];
    for (tried, ticket) in tickets {
        let bytes = refused_at_v5(people, trial, tried, ticket)?;
        accepted(people, trial, tried, &bytes, Fault::AnySignature);
    }
    for (tried, params) in [("a ticket of another network", &sister), ("a ticket under another policy", &other_policy)]
    {
        let ticket = issued(people, params, &s, kind, None)?;
        refused_at_v5(people, trial, tried, ticket)?;
        let ticket = Some(issued(people, params, &s, kind, Some(Missing::Network))?);
        let bytes = people.forge(&["ev0"], &Trick { ticket, ..Trick::default() })?;
        accepted(people, trial, tried, &bytes, Fault::Key(Missing::Network));
    }
    let good = issued(people, &own, &s, kind, None)?;
    let bytes = people.forge(&["ev0"], &Trick { ticket: Some(good), ..Trick::default() })?;
    let passes = people.gateway(&bytes).is_ok();
    trial.holds("a ticket of this network, for comparison", passes, if passes { "accepted" } else { "refused" });
    Ok(())
}

/// The same secret beside another label.
fn relabelled(hand: &Hand, class: Class, role: Role) -> Hand {
    let mut record = hand.record;
    (record.0[0], record.0[1]) = (class as u8, role as u8);
    Hand { record, ..*hand }
}

fn a6(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("ev0", Class::Id, Role::Ev)?;
    people.person("cp0", Class::Id, Role::Cp)?;
    let (params, s) = (people.params.clone(), group::scal(&people.s)?);
    let weak = Some(Missing::Kind);
    let as_ticket = |flow, hand| Trick { flow: Some(flow), ticket: Some(hand), ..Trick::default() };

    let ticket = issued(people, &params, &s, (Class::Ticket, Role::Ev), None)?;
    let bytes = people.forge(&["ev0"], &as_ticket(Flow::COMMAND, ticket))?;
    trial.refused("a car's ticket on a command", Check::V2, Error::TicketRole, people.gateway(&bytes));
    accepted(people, trial, "a car's ticket on a command", &bytes, Fault::AnyTicket);
    let weak_ticket = issued(people, &params, &s, (Class::Ticket, Role::Ev), weak)?;
    for (tried, role, flow, to) in [
        ("a car's ticket relabelled CSC", Role::Csc, Flow::COMMAND, "ev0"),
        ("a car's ticket relabelled CSS", Role::Css, Flow::STATION, "cp0"),
    ] {
        let bytes = people.forge(&[to], &as_ticket(flow, relabelled(&ticket, Class::Ticket, role)))?;
        trial.refused(tried, Check::V5, Error::Signature, people.gateway(&bytes));
        let bytes = people.forge(&[to], &as_ticket(flow, relabelled(&weak_ticket, Class::Ticket, role)))?;
        accepted(people, trial, tried, &bytes, Fault::Key(Missing::Kind));
    }

    let lent = issued(people, &params, &s, (Class::Session, Role::Ev), None)?;
    let bytes = people.forge(&["cp0"], &as_ticket(Flow::PLUG_IN, lent))?;
    trial.refused("a session record as a ticket", Check::V2, Error::TicketClass, people.gateway(&bytes));
    accepted(people, trial, "a session record as a ticket", &bytes, Fault::AnyTicket);
    let bytes = people.forge(&["cp0"], &as_ticket(Flow::PLUG_IN, relabelled(&lent, Class::Ticket, Role::Ev)))?;
    trial.refused("a session record relabelled as a ticket", Check::V5, Error::Signature, people.gateway(&bytes));
    let weak_lent = issued(people, &params, &s, (Class::Session, Role::Ev), weak)?;
    let bytes = people.forge(&["cp0"], &as_ticket(Flow::PLUG_IN, relabelled(&weak_lent, Class::Ticket, Role::Ev)))?;
    accepted(people, trial, "a session record relabelled as a ticket", &bytes, Fault::Key(Missing::Kind));
    as_sender(people, trial, (&lent, &weak_lent))
}

/// The session record inside the capsule, under a good ticket of a car.
fn as_sender(people: &mut People, trial: &mut Trial, (lent, weak_lent): (&Hand, &Hand)) -> Result<(), Stuck> {
    let s = group::scal(&people.s)?;
    let params = people.params.clone();
    let identity = relabelled(lent, Class::Id, Role::Ev);
    for (tried, sender, check, error) in [
        ("a session record as the sender", *lent, Check::R9, Error::SenderRole),
        ("a session record relabelled as the sender's identity", identity, Check::R10, Error::InnerSignature),
    ] {
        let ticket = Some(issued(people, &params, &s, (Class::Ticket, Role::Ev), None)?);
        let trick = Trick { flow: Some(Flow::PLUG_IN), ticket, sender: Some(sender), ..Trick::default() };
        let bytes = people.forge(&["cp0"], &trick)?;
        let sigma = people.gateway(&bytes)?;
        let pile = people.pair("cp0")?;
        trial.refused(tried, check, error, read(&params, &sigma, pile.record(), &decapsulate(sigma.head(), pile)));
    }
    let (m, rand) = (people.bytes::<64>(), people.bytes());
    let identity = relabelled(weak_lent, Class::Id, Role::Ev);
    let sig = people.sign(Name::Inner, &identity, &m, &rand);
    let key = Missing::Kind.derive(&params, &identity.record)?;
    let outcome = schnorr::verify_cached(Name::Inner, &key, &m, &sig);
    let seen = outcome.map_or_else(|error| error.to_string(), |()| "α of the lent key passes as the car's own".into());
    trial.breaks("a session record relabelled as the sender's identity", outcome.is_ok(), seen);
    Ok(())
}

fn a29(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    const NAMES: [Name; 6] = [Name::Inner, Name::Outer, Name::KeyRequest, Name::Attach, Name::List, Name::Vote];
    people.person("ev0", Class::Id, Role::Ev)?;
    people.person("css0", Class::Id, Role::Css)?;
    let key = people.pair("css0")?.clone();
    let (mut pairs, mut refused, mut own, mut passed) = (0, 0, 0, 0);
    for made in NAMES {
        let (m, rand, nonce) = (people.bytes::<64>(), people.bytes(), group::scal(&scalar(&mut people.rng))?);
        let sig = schnorr::sign(made, &key, &m, &rand);
        let nameless = names::sign(&key, &m, &nonce);
        for offered in NAMES {
            let outcome = schnorr::verify(&people.params, offered, key.record(), &m, &sig);
            if offered == made {
                own += usize::from(outcome.is_ok());
                continue;
            }
            pairs += 1;
            refused += usize::from(outcome == Err(Error::Signature));
            passed += usize::from(names::verify(key.public(), &m, &nameless).is_ok());
        }
    }
    let seen = format!("{refused} of {pairs} refused: Signature; under their own names {own} of {} pass", NAMES.len());
    trial.holds("each name offered as each other", refused == pairs && own == NAMES.len(), seen);

    let bytes = people.forge(&["ev0"], &Trick { outer: Some(Name::Inner), ..Trick::default() })?;
    trial.refused("an inner signature outside", Check::V5, Error::Signature, people.gateway(&bytes));
    let bytes = people.forge(&["ev0"], &Trick { inner: Some(Name::Outer), ..Trick::default() })?;
    let sigma = people.gateway(&bytes)?;
    let car = people.pair("ev0")?;
    let outcome = read(&people.params, &sigma, car.record(), &decapsulate(sigma.head(), car));
    trial.refused("an outer signature inside", Check::R10, Error::InnerSignature, outcome);
    let (body, rand) = (b"prepare", people.bytes());
    let sig = schnorr::sign(Name::Attach, &key, &vote::digest(&people.params, body), &rand);
    let outcome = vote::verify(&people.params, key.public(), people.epoch(), body, &sig);
    let outcome = outcome.map_err(Failure::at(Check::K1));
    trial.refused("an attach signature as a vote", Check::K1, Error::Signature, outcome);

    trial.breaks("each name offered as each other", passed == pairs, format!("{passed} of {pairs} accepted"));
    let nonce = group::scal(&scalar(&mut people.rng))?;
    let digest = vote::digest(&people.params, body);
    let outcome = names::verify(key.public(), &digest, &names::sign(&key, &digest, &nonce));
    let seen = outcome.map_or_else(|e| e.to_string(), |()| format!("a vote `{}` that nobody cast", text(body)));
    trial.breaks("an attach signature as a vote", outcome.is_ok(), seen);
    Ok(())
}
