//! Borrowed name: speaking as another company, as nobody at all, and framing a car (A12, A28, A32; CLMMSC.md §4, §11.4,
//! §12.6).

use super::post::{read, short, text};
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::channel::{Purpose, open_box};
use crate::clmmsc::keys::Wanted;
use crate::clmmsc::kgc::Issue;
use crate::clmmsc::open::decapsulate;
use crate::clmmsc::request::{self, HEAD, Head, Randomness};
use crate::clmmsc::schnorr::Name;
use crate::clmmsc::ticket_opening::{self, Claim};
use crate::clmmsc::weak::outer::{self, Fault};
use crate::clmmsc::weak::{claims, opening};
use crate::clmmsc::wire::{HEADER, SIGNED};
use crate::clmmsc::{Check, Class, Error, Flow, KeyPair, Record, Role, UserSecret, group};
use crate::lab::forge::{Hand, Trick};
use crate::lab::people::{NOW, scalar};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

pub(super) const ATTACKS: [Attack; 3] = [
    Attack {
        id: 12,
        title: "Send under another company's name",
        role: "A CSC with its own record and good tickets; in the last moves the KGC, which knows the victim's d.",
        moves: &[
            "put the victim's record into the capsule and sign with the own key, with the ticket's key",
            "sign with a random key",
            "as the KGC: sign with the victim's partial key d, with d + g·d, with the master secret s",
        ],
        expected: "R10 InnerSignature: the capsule's record must have signed ctx and root",
        control: "the receiver believes the record in the capsule without its signature",
        run: a12,
    },
    Attack {
        id: 28,
        title: "Satisfy the relation",
        role: "An outsider whom nobody registered.",
        moves: &[
            "make up a ticket, encrypt to a car, and put the hash of all parts where the signature stands",
            "put the signature of somebody's honest ciphertext there",
            "put random bytes there",
        ],
        expected: "V5 Signature: only a key that the KGC had a hand in signs",
        control: "public verification is a relation between the parts of the ciphertext, as often in this literature",
        run: a28,
    },
    Attack {
        id: 32,
        title: "Frame a car",
        role: "The KGC, together with a pile that was lent the car's session key.",
        moves: &[
            "make a ticket with an own x, and name the car with a request made up for it",
            "name the car with a request that it really made, for other tickets",
            "compute x = (sk_SS − d_SS)/g of the lent session key, issue a ticket over the same X, send with it, and name \
             the car with its request for the session key",
            "show a real request of another validity, of another role, of another user",
        ],
        expected: "T1 Signature for a made-up request, T1 RecordMismatch for every other: the claim is void",
        control: "only X' is looked up in the signed list; or requests are not signed at all",
        run: a32,
    },
];

const ORDER: &str = "charge 7 kW";

fn a12(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, class, role) in [
        ("csc", Class::Id, Role::Csc),
        ("csc1", Class::Id, Role::Csc),
        ("ticket1", Class::Ticket, Role::Csc),
        ("ev0", Class::Id, Role::Ev),
    ] {
        people.person(name, class, role)?;
    }
    let victim = people.record("csc")?;
    let ticket = Hand::of(people.pair("ticket1")?);
    let (d, s) = (group::scal(&people.get("csc")?.d)?, group::scal(&people.s)?);
    let random = group::scal(&scalar(&mut people.rng))?;
    let secrets = [
        ("signed with the own key", *people.pair("csc1")?.sk()),
        ("signed with the ticket's key", ticket.secret),
        ("signed with a random key", random),
        ("signed by the KGC with d", d),
        ("signed by the KGC with d + g·d", d + victim.g(&people.params) * d),
        ("signed by the KGC with s", s),
    ];
    for (tried, secret) in secrets {
        let sender = Some(Hand { record: victim, secret });
        let trick = Trick { message: Some(ORDER), ticket: Some(ticket), sender, ..Trick::default() };
        let bytes = people.forge(&["ev0"], &trick)?;
        let sigma = people.gateway(&bytes)?;
        let car = people.pair("ev0")?;
        let k = decapsulate(sigma.head(), car);
        let outcome = read(&people.params, &sigma, car.record(), &k);
        trial.refused(tried, Check::R10, Error::InnerSignature, outcome);
        let (sender, message) = opening::by_any_author(&sigma, &k)?;
        let taken = sender == victim && text(&message) == ORDER;
        trial.breaks(
            tried,
            taken,
            format!("`{}` is done in the name of {}", text(&message), short(sender.rid(&people.params))),
        );
    }
    Ok(())
}

fn a28(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("ev0", Class::Id, Role::Ev)?;
    let (epoch, f) = (people.epoch(), people.bytes());
    let mut point = || Ok::<_, Error>(group::enc(&RistrettoPoint::mul_base(&group::scal(&scalar(&mut people.rng))?)));
    let record = Record::new(Class::Ticket, Role::Csc, epoch, epoch, &f, &point()?, &point()?);
    let mut hand = || Ok::<_, Error>(Some(Hand { record, secret: group::scal(&scalar(&mut people.rng))? }));
    let (ticket, sender) = (hand()?, hand()?);
    let trick = Trick { message: Some(ORDER), ticket, sender, ..Trick::default() };
    let mut related = people.forge(&["ev0"], &trick)?;
    let relation = outer::relation(&people.params, &related);
    related[SIGNED..SIGNED + 32].copy_from_slice(&relation);
    related[SIGNED + 32..HEADER].copy_from_slice(Scalar::ONE.as_bytes());
    trial.refused("a ciphertext that fits its own hash", Check::V5, Error::Signature, people.gateway(&related));
    let honest = people.send(Flow::COMMAND, &[(people.pair("ev0")?.public().clone(), ORDER)])?;
    let mut borrowed = related.clone();
    borrowed[SIGNED..HEADER].copy_from_slice(&honest[SIGNED..HEADER]);
    trial.refused("with an honest sender's signature", Check::V5, Error::Signature, people.gateway(&borrowed));
    let mut noise = related.clone();
    noise[SIGNED..SIGNED + 32].copy_from_slice(&people.bytes::<32>());
    noise[SIGNED + 32..HEADER].copy_from_slice(&scalar(&mut people.rng));
    trial.refused("with random bytes", Check::V5, Error::Signature, people.gateway(&noise));

    let outcome = outer::verify(&people.params, &related, NOW, Fault::Relation);
    let unknown = people.master.open(Class::Ticket, Role::Csc, &record.f()).is_err();
    let good = outcome.is_ok() && unknown;
    let seen = outcome.map_or_else(
        |failure| failure.to_string(),
        |sigma| format!("σ {} accepted; no user stands behind its ticket", short(sigma.id())),
    );
    trial.breaks("a ciphertext that fits its own hash", good, seen);
    Ok(())
}

/// A request for one key as the KGC keeps it, body and signature; with the key that came of it.
struct Asked {
    body: Vec<u8>,
    signature: [u8; 64],
    pair: KeyPair,
    d: Scalar,
}

/// `who` asks for a key of this class for one epoch, and gets it.
fn ask(people: &mut People, who: &str, class: Class, epoch: u32) -> Result<Asked, Stuck> {
    let (kgc, signer, uid) = (people.pair("kgc")?.clone(), people.pair(who)?.clone(), people.get(who)?.uid);
    let role = signer.record().role().ok_or("a record without a role")?;
    let user = UserSecret::from_scalar(group::scal(&scalar(&mut people.rng))?);
    let head = Head { kind: 2, class, role, uid, from: epoch, to: epoch };
    let rand = Randomness { sign: people.bytes(), seal: people.bytes() };
    let sent = request::further(&people.params, kgc.public(), &head, std::slice::from_ref(&user), &signer, &rand);
    let inner = open_box(&people.params, Purpose::Request, &kgc, &sent.wire[4..])?;
    let (body, auth) = inner.split_at(HEAD + 32);
    let (_, signature) = auth.split_last_chunk().ok_or("a request without a signature")?;
    let (issue, rand) = (Issue { class, role, from: epoch, to: epoch, uid, ctr: 0 }, people.bytes());
    let (record, d) = people.master.issue(&people.params, &issue, &user.public(), &rand)?;
    let want = Wanted { class, role, from: epoch, to: epoch };
    let pair = KeyPair::accept(&people.params, &want, &user, &record, &d)?;
    Ok(Asked { body: body.to_vec(), signature: *signature, pair, d: group::scal(&d)? })
}

/// A ticket that the KGC issues to itself in the name of `uid`, over an x it knows, and a σ sent with it.
fn framed(people: &mut People, uid: u64, x: &Scalar) -> Result<Record, Stuck> {
    let (epoch, rand) = (people.epoch(), people.bytes());
    let issue = Issue { class: Class::Ticket, role: Role::Ev, from: epoch, to: epoch, uid, ctr: 1 };
    let public = group::enc(&RistrettoPoint::mul_base(x));
    let (record, d) = people.master.issue(&people.params, &issue, &public, &rand)?;
    let ticket = Some(Hand { record, secret: group::scal(&d)? + record.g(&people.params) * x });
    people.person("cp0", Class::Id, Role::Cp)?;
    let bytes = people.forge(&["cp0"], &Trick { flow: Some(Flow::PLUG_IN), ticket, ..Trick::default() })?;
    people.gateway(&bytes)?;
    Ok(record)
}

fn a32(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("ev0", Role::Ev), ("ev1", Role::Ev), ("csc", Role::Csc)] {
        people.person(name, Class::Id, role)?;
    }
    let (epoch, uid, own) = (people.epoch(), people.get("ev0")?.uid, people.record("ev0")?);
    let honest = ask(people, "ev0", Class::Ticket, epoch)?;
    let lent = ask(people, "ev0", Class::Session, epoch)?;
    let params = people.params.clone();
    let claim =
        |ticket: Record, asked: &Asked| Claim { ticket, uid, body: asked.body.clone(), signature: asked.signature };

    // A ticket of the KGC's own, with a request made up for it.
    let x = group::scal(&scalar(&mut people.rng))?;
    let own_ticket = framed(people, uid, &x)?;
    let mut made_up = claim(own_ticket, &honest);
    made_up.body[HEAD..].copy_from_slice(&own_ticket.x());
    trial.refused(
        "a made-up request with an old signature",
        Check::T1,
        Error::Signature,
        ticket_opening::check(&params, &made_up, &own),
    );
    let kgc = Hand { record: own, secret: *people.pair("kgc")?.sk() };
    let rand = people.bytes();
    let signature = people.sign(Name::KeyRequest, &kgc, &request::digest(&params, &made_up.body), &rand);
    let signed = Claim { signature, ..made_up.clone() };
    trial.refused(
        "a made-up request that the KGC signs",
        Check::T1,
        Error::Signature,
        ticket_opening::check(&params, &signed, &own),
    );
    let outcome = claims::unsigned(&params, &made_up, &own);
    let seen = outcome.as_ref().map_or_else(ToString::to_string, |()| format!("user {uid} is convicted"));
    trial.breaks("unsigned requests: a made-up request", outcome.is_ok(), seen);

    // The x of the lent session key.
    let x = (lent.pair.sk() - lent.d) * lent.pair.public().g.invert();
    let fits = group::enc(&RistrettoPoint::mul_base(&x)) == lent.pair.record().x();
    trial.holds(
        "the pile's sk_SS and the KGC's d_SS give x",
        fits,
        if fits { "x·P is the X of the session record" } else { "they do not" },
    );
    let over_session = claim(framed(people, uid, &x)?, &lent);
    let outcome = claims::by_key_alone(&params, &over_session, &own);
    let seen = outcome.map_or_else(|e| e.to_string(), |()| format!("user {uid} is convicted of what the pile sent"));
    trial.breaks("X' alone is looked up: a ticket over the X of a session key", outcome.is_ok(), seen);

    let later = ask(people, "ev0", Class::Ticket, epoch + 1)?;
    let company = ask(people, "csc", Class::Ticket, epoch)?;
    let neighbour = ask(people, "ev1", Class::Ticket, epoch)?;
    let relabelled = |asked: &Asked| {
        let (rec, r) = (asked.pair.record(), asked.pair.record().r());
        Record::new(Class::Ticket, Role::Ev, epoch, epoch, &rec.f(), &rec.x(), &r)
    };
    for (tried, claim) in [
        ("a real request, for another ticket", claim(own_ticket, &honest)),
        ("a ticket over the X of a session key", over_session),
        ("a real request of another validity", claim(relabelled(&later), &later)),
        ("a real request of another role", claim(relabelled(&company), &company)),
        ("a real request of another user", claim(*neighbour.pair.record(), &neighbour)),
    ] {
        trial.refused(tried, Check::T1, Error::RecordMismatch, ticket_opening::check(&params, &claim, &own));
    }
    let truth = ticket_opening::check(&params, &claim(*honest.pair.record(), &honest), &own);
    let seen = truth.map_or_else(|f| f.to_string(), |()| "the claim holds".into());
    trial.holds("a real ticket of the car, for comparison", truth.is_ok(), seen);
    Ok(())
}
