//! Votes given twice, altered, or handed in at another place (A38; CLMMSC.md §10, CONSENSUS.md §2.7, §3.13).

use super::{Stuck, Trial, judge, post};
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::weak::votes;
use crate::clmmsc::{Check, Error, Failure, vote};
use crate::lab::attacks::gateways::{Gateways, parsed, seconds};
use crate::lab::people::People;
use crate::ledger::{Digest, Proposal, Seq};
use crate::pbft::{Kind, Message, Reason, ReplicaId, Rule, Sig, Signed, Statement, View};
use std::sync::Arc;

/// Whether two votes convict their signer (CLMMSC.md §10): one record, one kind, view and height, two contents, and both
/// pass `judge`.
fn convicts(a: &Signed, b: &Signed, judge: impl Fn(&Signed) -> Result<(), Failure>) -> Result<bool, Failure> {
    judge(a)?;
    judge(b)?;
    let place = |s: &Statement| (s.network_id, s.kind, s.sender, s.view, s.seq);
    let (a, b) = (&a.statement, &b.statement);
    Ok(place(a) == place(b) && (a.digest, a.just) != (b.digest, b.just))
}

pub(super) fn a38(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let post = post(people)?;
    let gateways = Gateways::new(people, seconds(2))?;
    let blocks =
        [gateways.block(1, &[parsed(people, &post.seven)?]), gateways.block(1, &[parsed(people, &post.other)?])];
    votes_twice(people, trial, &gateways, &blocks)?;
    old_votes(people, trial, &gateways, &blocks)?;
    names(people, trial, &gateways, &blocks[0].digest())?;
    less_said(people, trial, &gateways, &blocks)
}

fn votes_twice(
    people: &People,
    trial: &mut Trial,
    gateways: &Gateways,
    blocks: &[Arc<Proposal>; 2],
) -> Result<(), Stuck> {
    let [a, b] = [blocks[0].digest(), blocks[1].digest()];
    let judge = |voter: u16| move |vote: &Signed| judge(people, gateways.record(voter), vote);
    for (kind, rule) in [(Kind::Prepare, Rule::Pr5), (Kind::Commit, Rule::Cm4)] {
        let (first, second) = (gateways.signed(kind, 3, 1, a), gateways.signed(kind, 3, 1, b));
        let message = |vote| if kind == Kind::Prepare { Message::Prepare(vote) } else { Message::Commit(vote) };
        let mut heard = gateways.clone();
        heard.give(people, 1, heard.proposed(&blocks[0]));
        heard.give(people, 1, message(first));
        let refused = heard.try_on(people, 1, message(second));
        trial.ruled_out(format!("{kind:?} two blocks of one height"), rule, Reason::ConflictingVote, refused);
        let convicted = convicts(&first, &second, judge(3)) == Ok(true);
        trial.holds(format!("show both {kind:?} votes to a stranger"), convicted, "both verify: it is convicted");

        let theirs = gateways.signed(kind, 2, 1, a);
        let mut forged = theirs;
        forged.statement.digest = b;
        let tried = format!("accuse an honest gateway with an altered {kind:?} of it");
        trial.refused(tried, Check::K1, Error::Signature, convicts(&theirs, &forged, judge(2)));
        forged.sig = gateways.signed(kind, 3, 1, b).sig;
        let tried = format!("accuse an honest gateway with a {kind:?} signed by oneself");
        trial.refused(tried, Check::K1, Error::Signature, convicts(&theirs, &forged, judge(2)));
        for (what, other) in [("two heights", gateways.signed(kind, 2, 2, b)), ("one block", theirs)] {
            let free = convicts(&theirs, &other, judge(2)) == Ok(false);
            trial.holds(format!("accuse it with its honest votes for {what}"), free, "both verify, but convict nobody");
        }
    }
    Ok(())
}

/// A recorded prepare of gateway 2 at another place.
fn old_votes(
    people: &mut People,
    trial: &mut Trial,
    gateways: &Gateways,
    blocks: &[Arc<Proposal>; 2],
) -> Result<(), Stuck> {
    let recorded = gateways.signed(Kind::Prepare, 2, 1, blocks[0].digest());
    let st = recorded.statement;
    let changes = [
        ("another phase", Statement { kind: Kind::Commit, ..st }),
        ("another voter", Statement { sender: ReplicaId(3), ..st }),
        ("another view", Statement { view: View(1), ..st }),
        ("another height", Statement { seq: Seq(2), ..st }),
        ("another block", Statement { digest: blocks[1].digest(), ..st }),
        ("another NEW-VIEW", Statement { just: blocks[1].digest(), ..st }),
    ];
    for (what, statement) in changes {
        let vote = Signed { statement, sig: recorded.sig };
        let message = if statement.kind == Kind::Commit { Message::Commit(vote) } else { Message::Prepare(vote) };
        let refused = gateways.try_on(people, 1, message);
        trial.ruled_out(format!("an old vote for {what}"), Rule::Env3, Reason::BadSignature, refused);
    }
    let refused = gateways.try_on(people, 1, Message::Commit(recorded));
    trial.ruled_out("a prepare in the wrapping of a commit", Rule::Env1, Reason::Malformed, refused);

    let foreign = Statement { network_id: Digest([9; 32]), ..st };
    let key = people.pair("css2")?;
    let sig = Sig(vote::sign(&people.params, key, &foreign.bytes(), &[0; 32]));
    let refused = gateways.try_on(people, 1, Message::Prepare(Signed { statement: foreign, sig }));
    trial.ruled_out("its vote in another network of the same gateways", Rule::Env2, Reason::OtherNetwork, refused);
    let refused = gateways.try_on(people, 1, Message::Prepare(Signed { statement: st, sig }));
    trial.ruled_out("the same with our network's name on it", Rule::Env3, Reason::BadSignature, refused);
    let elsewhere = people.master.params("another network", people.params.policy)?;
    let theirs = key.record().derive(&elsewhere)?;
    let refused = vote::verify(&elsewhere, &theirs, people.epoch(), &st.bytes(), &recorded.sig.0);
    let tried = "a vote of ours under the parameters of another network";
    trial.refused(tried, Check::K1, Error::Signature, refused.map_err(Failure::at(Check::K1)));
    Ok(())
}

/// A signature under one name offered under another.
fn names(people: &People, trial: &mut Trial, gateways: &Gateways, block: &Digest) -> Result<(), Stuck> {
    let vote = gateways.signed(Kind::Prepare, 2, 1, *block);
    let (params, key) = (&people.params, people.pair("css2")?);
    let m = vote::digest(params, &vote.statement.bytes());
    for name in [Name::Inner, Name::Outer, Name::KeyRequest, Name::Attach, Name::List] {
        let refused = schnorr::verify(params, name, key.record(), &m, &vote.sig.0).map_err(Failure::at(Check::K1));
        trial.refused(format!("a vote as `{}`", name.text()), Check::K1, Error::Signature, refused);
        let sig = Sig(schnorr::sign(name, key, &m, &[0; 32]));
        let refused = judge(people, key.public(), &Signed { sig, ..vote });
        trial.refused(format!("`{}` as a vote", name.text()), Check::K1, Error::Signature, refused);
    }
    Ok(())
}

/// The control: whoever votes signs the digest of the block and nothing else.
fn less_said(
    people: &People,
    trial: &mut Trial,
    gateways: &Gateways,
    blocks: &[Arc<Proposal>; 2],
) -> Result<(), Stuck> {
    let vote = |kind, who, seq, block: &Arc<Proposal>| {
        let vote = gateways.signed(kind, who, seq, block.digest());
        let m = votes::digest(&vote.statement.digest.0);
        let key = people.pair(&format!("css{who}"))?;
        Ok::<_, Error>(Signed { sig: Sig(schnorr::sign(Name::Vote, key, &m, &[0; 32])), ..vote })
    };
    let judge = |vote: &Signed| {
        let (voter, m) = (gateways.record(vote.statement.sender.0), votes::digest(&vote.statement.digest.0));
        schnorr::verify_cached(Name::Vote, voter, &m, &vote.sig.0).map_err(Failure::at(Check::K1))
    };
    let prepares = [1, 2, 3].map(|who| vote(Kind::Prepare, who, 1, &blocks[0]));
    for (what, change) in [
        ("commits", (|st| Statement { kind: Kind::Commit, ..st }) as fn(Statement) -> Statement),
        ("votes of another network", |st| Statement { network_id: Digest([9; 32]), ..st }),
        ("votes for another height", |st| Statement { seq: Seq(2), ..st }),
    ] {
        let mut pass = 0;
        for prepare in &prepares {
            let prepare = prepare.map_err(Stuck::from)?;
            let other = Signed { statement: change(prepare.statement), ..prepare };
            pass += u16::from(other.statement != prepare.statement && judge(&other).is_ok());
        }
        let need = gateways.cfg.quorum.strong();
        let seen = format!("{pass} of the {need} votes of a certificate, none of them given");
        trial.breaks(format!("hand in recorded prepares as {what}"), pass == need, seen);
    }
    let (first, mut second) = (vote(Kind::Prepare, 2, 1, &blocks[0])?, vote(Kind::Prepare, 2, 2, &blocks[1])?);
    second.statement.seq = Seq(1);
    let framed = convicts(&first, &second, judge) == Ok(true);
    trial.breaks("accuse a gateway with its honest votes for two heights", framed, "an honest gateway is convicted");
    Ok(())
}
