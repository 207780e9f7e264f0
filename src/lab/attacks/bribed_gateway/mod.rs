//! The bribed gateway: one of four that leads the view, or votes, as it likes (A27, A38; CLMMSC.md §7.1, §10;
//! CONSENSUS.md §2.7, §3.13).

mod votes;

use super::gateways::{Gateways, parsed, seconds, verdict};
use super::letter::Letter;
use super::post::{read, text};
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::open::decapsulate;
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::wire::{HEADER, SIGNED, TAG};
use crate::clmmsc::{Check, Class, Error, Failure, Flow, PublicRecord, Role, SigmaId, vote};
use crate::lab::people::{CREATED, NOW, TTL};
use crate::ledger::chain::Fate;
use crate::ledger::{Chain, Digest, Proposal, Secs, Seq, Sigma, VoidReason};
use crate::pbft::{Kind, Message, Reason, Rule, Signed, VerifyError, View};
use std::sync::Arc;

pub(super) const ATTACKS: [Attack; 2] = [
    Attack {
        id: 27,
        title: "Bribe the gateway that proposes",
        role: "One of four gateways, with its real key; it leads the view.",
        moves: &[
            "propose a block with an altered ciphertext: in an entry, the root, the capsule, the ticket, a time, a signature",
            "propose an expired ciphertext, also under a time of your own, and one of a flow that is not stored",
            "sign an honest block and hand out another body",
            "use a ticket twice: in one block, in two open blocks, after it stands in the chain",
            "never propose one ciphertext, but all others",
        ],
        expected: "PP-10 with the scheme's error, PP-7, PP-8, PP-9, PP-11 at every backup; what is hidden comes in by the next view",
        control: "gateways that trust the primary: they check its signature only, and wait for it for ever",
        run: a27,
    },
    Attack {
        id: 38,
        title: "Vote twice, or with somebody's old vote",
        role: "One of four gateways, with its real key and a record of all votes.",
        moves: &[
            "vote for two blocks of one height",
            "alter another gateway's vote, or take two honest votes of it, to accuse it of the same",
            "hand in a recorded vote for another network, phase, view, height, block or voter",
            "pass a vote off as a signature of another name, and the other way round",
        ],
        expected: "PR-5 and CM-4 ConflictingVote with evidence that anybody can verify; else ENV-1 to ENV-3 and K1 Signature",
        control: "votes that sign the digest of the block alone",
        run: votes::a38,
    },
];

/// Two cars, and what the CSC tells them; the first two commands are made with one ticket.
struct Post {
    seven: Vec<u8>,
    three: Vec<u8>,
    other: Vec<u8>,
}

fn post(people: &mut People) -> Result<Post, Stuck> {
    for (name, role) in [("csc", Role::Csc), ("ev0", Role::Ev), ("ev1", Role::Ev), ("css0", Role::Css)] {
        people.person(name, Class::Id, role)?;
    }
    let (twice, once) = (people.fresh_ticket(Role::Csc)?, people.fresh_ticket(Role::Csc)?);
    Ok(Post {
        seven: people.write(&Letter::command(&twice, &[("ev0", "charge 7 kW")]))?,
        three: people.write(&Letter::command(&twice, &[("ev0", "charge 3 kW")]))?,
        other: people.write(&Letter::command(&once, &[("ev1", "charge 5 kW")]))?,
    })
}

fn invalid(index: u32, error: Error) -> Reason {
    Reason::InvalidCiphertext(index, VerifyError(error.name().into()))
}

/// σ with one bit of a byte flipped.
fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

fn a27(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let post = post(people)?;
    let mut gateways = Gateways::new(people, seconds(2))?;
    gateways.now = seconds(NOW - CREATED);
    altered(people, trial, &gateways, &post)?;
    timed(people, trial, &gateways)?;
    swapped_body(people, trial, &gateways, &post)?;
    ticket_twice(people, trial, &mut gateways, &post)?;
    hidden(people, trial, &post)
}

/// An altered σ in a block, against gateways and against one that trusts.
fn altered(people: &People, trial: &mut Trial, gateways: &Gateways, post: &Post) -> Result<(), Stuck> {
    let honest = parsed(people, &post.other)?;
    let cases = [
        ("the tag of its entry", HEADER, Error::Root),
        ("its entry", HEADER + TAG, Error::Root),
        ("its last byte", post.seven.len() - 1, Error::Root),
        ("its flow", 6, Error::Signature),
        ("its time", 12, Error::Signature),
        ("its lifetime", 20, Error::Signature),
        ("the ticket's pseudonym", 74, Error::Signature),
        ("the root", 170, Error::Signature),
        ("the capsule", 202, Error::Signature),
        ("the signature", SIGNED, Error::Signature),
    ];
    for (what, at, error) in cases {
        let bent = if at == 6 { with_flow(&post.seven, Flow::GATEWAY) } else { flipped(&post.seven, at) };
        let msg = gateways.proposed(&gateways.block(1, &[honest.clone(), parsed(people, &bent)?]));
        for who in 1..4 {
            let tried = format!("propose a ciphertext altered in {what}, to gateway {}", who + 1);
            trial.ruled_out(tried, Rule::Pp10, invalid(1, error), gateways.try_on(people, who, msg.clone()));
        }
    }

    let bent = parsed(people, &flipped(&post.seven, HEADER + TAG))?;
    let mut trusting = Trusting::new(people, gateways);
    let taken = trusting.take(people, &gateways.proposed(&gateways.block(1, &[bent])));
    trial.breaks("propose a ciphertext altered in its entry", taken, "the block joins the chain");
    let stored = trusting.passed.first().ok_or("nothing was passed on")?;
    let opens = VerifiedSigma::verify(&people.params, &stored.shared_bytes(), NOW);
    let honest = VerifiedSigma::verify(&people.params, &Arc::from(&post.seven[..]), NOW)?;
    let known = honest.check_ledger(|n| {
        trusting.chain.by_nullifier(&Digest(n.0)).and_then(|t| t.by).map(|(sigma, _)| SigmaId(sigma.0))
    });
    let shut_out = known == Err(Failure { check: Check::V7, error: Error::Duplicate });
    let seen = "no car can open what stands in the chain, and the honest command counts as stored";
    trial.breaks("then hand in the honest one", opens.is_err() && shut_out, seen);
    Ok(())
}

fn with_flow(bytes: &[u8], flow: Flow) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[6] = flow.code();
    bytes
}

/// Ciphertexts at the wrong time or of the wrong flow.
fn timed(people: &mut People, trial: &mut Trial, gateways: &Gateways) -> Result<(), Stuck> {
    let ticket = people.fresh_ticket(Role::Csc)?;
    let to = [("ev0", "charge 7 kW")];
    let old = Letter { created: CREATED - 1000, ..Letter::command(&ticket, &to) };
    let old = parsed(people, &people.write(&old)?)?;
    let refused = gateways.try_on(people, 1, gateways.proposed(&gateways.block(1, std::slice::from_ref(&old))));
    trial.ruled_out("propose an expired ciphertext", Rule::Pp10, invalid(0, Error::Expired), refused);
    let then = Secs(CREATED - 1000 + u64::from(TTL));
    let backdated = Arc::new(Proposal::build(gateways.cfg.network_id, Seq(1), then, vec![old]));
    let refused = gateways.try_on(people, 1, gateways.proposed(&backdated));
    trial.ruled_out("propose it under a time of its life", Rule::Pp9, Reason::BadTime, refused);

    let (ticket, to) = (people.fresh_ticket(Role::Csc)?, [("kgc", "who is where")]);
    let routing = Letter { flow: Flow::ROUTING, ..Letter::command(&ticket, &to) };
    let routing = parsed(people, &people.write(&routing)?)?;
    let refused = gateways.try_on(people, 1, gateways.proposed(&gateways.block(1, &[routing])));
    trial.ruled_out("propose a routing list", Rule::Pp10, invalid(0, Error::Flow), refused);
    Ok(())
}

/// The signed header of one block with the body of another.
fn swapped_body(people: &People, trial: &mut Trial, gateways: &Gateways, post: &Post) -> Result<(), Stuck> {
    let honest = gateways.block(1, &[parsed(people, &post.seven)?]);
    let signed = gateways.signed(Kind::PrePrepare, 0, 1, honest.digest());
    let bent = parsed(people, &flipped(&post.seven, HEADER + TAG))?;
    let body = Arc::new(Proposal::new(honest.header.clone(), vec![bent.clone()]));
    let refused = gateways.try_on(people, 1, Message::PrePrepare(signed, body));
    trial.ruled_out("sign an honest block, hand out an altered body", Rule::Pp8, Reason::BadRoot, refused);
    let refused = gateways.try_on(people, 1, Message::PrePrepare(signed, gateways.block(1, &[bent])));
    trial.ruled_out("sign an honest block, hand out another", Rule::Pp7, Reason::DigestMismatch, refused);
    Ok(())
}

/// Two commands under one ticket, and one command twice.
fn ticket_twice(people: &People, trial: &mut Trial, gateways: &mut Gateways, post: &Post) -> Result<(), Stuck> {
    let (seven, three) = (parsed(people, &post.seven)?, parsed(people, &post.three)?);
    for (what, second) in [("two ciphertexts of one ticket", &three), ("one ciphertext twice", &seven)] {
        let block = gateways.block(1, &[seven.clone(), second.clone()]);
        let refused = gateways.try_on(people, 1, gateways.proposed(&block));
        trial.ruled_out(format!("propose {what} in one block"), Rule::Pp11, Reason::NullifierReused(1), refused);
        let mut chain = gateways.replicas[1].chain().clone();
        let voids = chain.append(Some(&block)).voids.clone();
        let void = voids == [(1, VoidReason::Duplicate)];
        trial.holds(format!("{what}, ordered all the same"), void, "X-3: the second is void");
        let mut open = gateways.clone();
        verdict(&open.give(people, 1, open.proposed(&open.block(1, std::slice::from_ref(&seven)))))
            .map_err(|(rule, _)| Stuck(format!("an honest block is refused by {}", rule.id())))?;
        let refused = open.try_on(people, 1, open.proposed(&open.block(2, std::slice::from_ref(second))));
        trial.ruled_out(format!("propose {what} in two open blocks"), Rule::Pp11, Reason::NullifierReused(0), refused);
    }

    let mut trusting = Trusting::new(people, gateways);
    trusting.take(people, &gateways.proposed(&gateways.block(1, &[seven.clone(), three.clone()])));
    let said: Vec<String> = trusting.passed.iter().filter_map(|sigma| said(people, sigma)).collect();
    let seen = format!("the car is told `{}`", said.join("` and `"));
    trial.breaks("propose two ciphertexts of one ticket in one block", said == ["charge 7 kW", "charge 3 kW"], seen);

    gateways.request(1, &seven);
    gateways.run(people, gateways.now.max(seconds(20)));
    let stored = gateways.replicas[1].chain().find(&seven.id).ok_or("an honest command is not stored")?;
    for (what, second) in [("another ciphertext of its ticket", &three), ("the same ciphertext", &seven)] {
        let block = gateways.block(stored.height.0 + 1, std::slice::from_ref(second));
        let refused = gateways.try_on(people, 1, gateways.proposed(&block));
        trial.ruled_out(format!("propose {what} after it is stored"), Rule::Pp11, Reason::NullifierReused(0), refused);
    }
    for (what, second, reason) in [
        ("another ciphertext of a stored ticket", &three, Reason::DoubleUse),
        ("a stored ciphertext", &seven, Reason::AlreadyStored),
    ] {
        let refused = gateways.try_on(people, 2, Message::Ciphertext(second.clone()));
        trial.ruled_out(format!("hand a gateway {what}"), Rule::Rq2, reason, refused);
    }
    Ok(())
}

/// What `ev0` reads in a ciphertext that reached its pile.
fn said(people: &People, sigma: &Sigma) -> Option<String> {
    let sigma = VerifiedSigma::verify(&people.params, &sigma.shared_bytes(), NOW).ok()?;
    let pair = people.pair("ev0").ok()?;
    let opened = read(&people.params, &sigma, pair.record(), &decapsulate(sigma.head(), pair)).ok()?;
    Some(text(&opened.message))
}

/// A primary that proposes everything but one σ, among patient and among normal backups.
fn hidden(people: &mut People, trial: &mut Trial, post: &Post) -> Result<(), Stuck> {
    let (victim, other) = (parsed(people, &post.seven)?, parsed(people, &post.other)?);
    for (patience, trusting) in [(seconds(2), false), (seconds(1_000_000), true)] {
        let mut gateways = Gateways::new(people, patience)?;
        gateways.hidden = Some(victim.id);
        for sigma in [&victim, &other] {
            gateways.request(1, sigma);
        }
        gateways.run(people, seconds(60));
        let honest = &gateways.replicas[1..];
        let fates: Vec<_> = honest.iter().map(|r| r.chain().find(&victim.id).map(|found| found.fate)).collect();
        let others = honest.iter().all(|r| r.chain().find(&other.id).is_some());
        let view = gateways.replicas[1].level().view;
        if trusting {
            let gone = others && fates.iter().all(Option::is_none) && view == View(0);
            trial.breaks("hide one ciphertext for a minute", gone, "in no block at three gateways, all others are");
        } else {
            let stored = others && fates.iter().all(|fate| *fate == Some(Fate::Applied)) && view > View(0);
            let seen = format!("TM-1: stored by three of three honest gateways, in view {}", view.0);
            trial.holds("hide one ciphertext for a minute", stored, seen);
        }
    }
    Ok(())
}

/// A gateway that takes the primary's word: it checks the signature and that the body is the signed one, and passes
/// everything in it to its piles.
struct Trusting {
    chain: Chain,
    primary: PublicRecord,
    passed: Vec<Arc<Sigma>>,
}

impl Trusting {
    fn new(people: &People, gateways: &Gateways) -> Trusting {
        let chain = Chain::new(super::gateways::policy(people), gateways.cfg.network_id, Secs(CREATED));
        Trusting { chain, primary: gateways.record(0).clone(), passed: Vec::new() }
    }

    fn take(&mut self, people: &People, msg: &Message) -> bool {
        let Message::PrePrepare(signed, block) = msg else { return false };
        let signed_so = judge(people, &self.primary, signed).is_ok() && signed.statement.digest == block.digest();
        if signed_so && block.body_matches() {
            self.chain.append(Some(block));
            self.passed.extend(block.txs.iter().cloned());
        }
        signed_so
    }
}

/// K1: the vote verifies under its voter's record.
fn judge(people: &People, voter: &PublicRecord, vote: &Signed) -> Result<(), Failure> {
    vote::verify(&people.params, voter, people.epoch(), &vote.statement.bytes(), &vote.sig.0)
        .map_err(Failure::at(Check::K1))
}
