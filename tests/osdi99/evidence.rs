//! Proofs of fault (CONSENSUS.md §3.13): who lies is named by everybody, once per class; who does not, never.

use crate::runs::*;
use crate::support::*;
use crate::view_changes::*;
use crate::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use voltcast::ledger::Seq;
use voltcast::ledger::proposal::null_digest;
use voltcast::pbft::evidence::Unproven;
use voltcast::pbft::message::{Message, NewView};

const A: Digest = Digest([1; 32]);
const B: Digest = Digest([2; 32]);

fn verdict(evidence: &Evidence) -> Result<ReplicaId, Unproven> {
    evidence.verify(&config(4), &mut StubVerifier)
}

/// Culprits and classes proven to a gateway.
fn proven(net: &Net, who: u16) -> BTreeSet<(u16, &'static str)> {
    let known = net.replicas[usize::from(who)].faults().known();
    known.map(|((culprit, class), _)| (culprit.0, class.id())).collect()
}

/// Gateway 1 alone sees the lie; the run goes on for a moment, and everybody holds the same proof.
fn everybody_learns(mut net: Net, culprit: u16, class: &'static str) {
    net.run_ms(5);
    for who in 0..4 {
        assert_eq!(proven(&net, who), BTreeSet::from([(culprit, class)]), "gateway {who}");
    }
    assert_eq!(net.count("EVIDENCE"), 3, "one broadcast by the one who saw it");
    for (_, evidence) in &net.evidence {
        assert_eq!(verdict(evidence), Ok(ReplicaId(culprit)));
    }
}

fn at(kind: Kind, who: u16, view: u64, seq: u64, digest: Digest) -> Signed {
    statement(&config(4), kind, who, view, seq, digest, Digest::ZERO)
}

#[test]
pub fn eq_two_votes_or_proposals_for_one_slot() {
    for kind in [Kind::Prepare, Kind::Commit] {
        let (mut net, p) = accepted();
        give_vote(&mut net, kind, 2, 1, A);
        give_vote(&mut net, kind, 2, 1, p.digest());
        give_vote(&mut net, kind, 2, 1, B);
        everybody_learns(net, 2, "EQ");
    }
    let (mut net, _) = accepted();
    net.give(1, 0, pre_prepare(&net.cfg, 0, &proposal(&net.cfg, 1, vec![sigma(2)])));
    everybody_learns(net, 0, "EQ");
}

#[test]
pub fn xp_a_prepare_for_one_digest_and_a_commit_for_another() {
    for kinds in [[Kind::Prepare, Kind::Commit], [Kind::Commit, Kind::Prepare]] {
        let (mut net, _) = accepted();
        give_vote(&mut net, kinds[0], 2, 1, A);
        give_vote(&mut net, kinds[1], 2, 1, B);
        everybody_learns(net, 2, "XP");
    }
    let (mut net, _) = accepted();
    give_vote(&mut net, Kind::Commit, 0, 1, B);
    everybody_learns(net, 0, "XP");
}

#[test]
pub fn pv_the_primary_prepares() {
    let (mut net, p) = accepted();
    give_vote(&mut net, Kind::Prepare, 0, 1, p.digest());
    everybody_learns(net, 0, "PV");
}

#[test]
pub fn ip_a_proposal_that_fails_for_everybody() {
    let cfg = config(4);
    let bad = [
        proposal(&cfg, 1, vec![sigma(1), sigma_with(2, 2, false)]),
        proposal(&cfg, 1, vec![sigma(1), sigma_with(2, 1, true)]),
        proposal(&cfg, 1, (0..65).map(sigma).collect()),
    ];
    for p in bad {
        let mut net = net();
        net.give(1, 0, pre_prepare(&net.cfg, 0, &p));
        everybody_learns(net, 0, "IP");
    }
}

#[test]
pub fn what_is_refused_for_local_reasons_is_no_evidence() {
    let (mut net, _) = accepted();
    let in_flight = proposal(&net.cfg, 2, vec![sigma_with(2, 1, true)]);
    net.give(1, 0, pre_prepare(&net.cfg, 0, &in_flight));
    assert!(net.rejected(1, Rule::Pp11, &Reason::NullifierReused(0)));
    let mut other_body = (*proposal(&net.cfg, 3, vec![sigma(3)])).clone();
    other_body.txs = vec![sigma(4)];
    net.give(1, 0, pre_prepare(&net.cfg, 0, &Arc::new(other_body)));
    assert!(net.rejected(1, Rule::Pp8, &Reason::BadRoot), "the body on the way is not signed");
    assert!(net.evidence.is_empty());
}

#[test]
pub fn iv_a_view_change_or_new_view_that_refutes_itself() {
    let cfg = config(4);
    let mut net = net();
    let mut thin = prepared(&cfg, 1, A);
    thin.prepares.truncate(1);
    net.give(1, 2, Message::ViewChange(Arc::new(view_change(&cfg, 2, 1, vec![thin]))));
    everybody_learns(net, 2, "IV");

    let mut net = Net::new(4);
    let v_set = (1..4).map(|s| view_change(&cfg, s, 1, vec![prepared(&cfg, 1, A)])).collect();
    net.give(2, 1, Message::NewView(Arc::new(new_view(&cfg, v_set, &[(1, null_digest())]))));
    everybody_learns(net, 1, "IV");
}

#[test]
pub fn a_spoiled_pre_prepare_in_a_new_view_accuses_nobody() {
    let cfg = config(4);
    let mut net = net();
    let v_set = (1..4).map(|s| view_change(&cfg, s, 1, vec![prepared(&cfg, 1, A)])).collect();
    let mut nv = new_view(&cfg, v_set, &[(1, A)]);
    nv.o[0].pp_sig.0[0] ^= 1;
    net.give(2, 1, Message::NewView(Arc::new(nv)));
    assert!(net.rejected(2, Rule::Nv6, &Reason::BadSignature));
    assert!(net.evidence.is_empty());
}

#[test]
pub fn hp_a_commit_and_a_view_change_that_hides_it_in_either_order() {
    let vc = |net: &Net| Message::ViewChange(Arc::new(view_change(&net.cfg, 2, 1, vec![])));
    let (mut net, p) = accepted();
    give_vote(&mut net, Kind::Commit, 2, 1, p.digest());
    net.give(1, 2, vc(&net));
    everybody_learns(net, 2, "HP");
    let (mut net, p) = accepted();
    net.give(1, 2, vc(&net));
    give_vote(&mut net, Kind::Commit, 2, 1, p.digest());
    everybody_learns(net, 2, "HP");

    let (mut net, p) = accepted();
    give_vote(&mut net, Kind::Commit, 2, 1, p.digest());
    let honest = view_change(&net.cfg, 2, 1, vec![prepared(&net.cfg, 1, p.digest())]);
    net.give(1, 2, Message::ViewChange(Arc::new(honest)));
    assert!(net.evidence.is_empty(), "who says what prepared is in order");
}

#[test]
pub fn eq_two_view_changes_for_one_view() {
    let cfg = config(4);
    let mut net = net();
    for p in [vec![], vec![prepared(&cfg, 1, A)]] {
        net.give(1, 2, Message::ViewChange(Arc::new(view_change(&cfg, 2, 1, p))));
    }
    everybody_learns(net, 2, "EQ");
}

/// Two valid NEW-VIEWs for view 1, over different VIEW-CHANGEs.
fn two_new_views(cfg: &Config) -> [Arc<NewView>; 2] {
    [(1..4), (0..3)].map(|senders| {
        let v_set = senders.map(|s| view_change(cfg, s, 1, vec![])).collect();
        Arc::new(new_view(cfg, v_set, &[]))
    })
}

#[test]
pub fn eq_two_new_views_meet_through_a_vote_under_the_other_one() {
    let mut net = net();
    let views = two_new_views(&net.cfg);
    for (who, nv) in [(2, 0), (3, 0), (0, 1)] {
        net.give(who, 1, Message::NewView(views[nv].clone()));
    }
    assert!(net.evidence.is_empty());
    let stray = statement(&net.cfg, Kind::Prepare, 0, 1, 1, A, views[1].just());
    net.give(2, 0, Message::Prepare(stray));
    assert!(net.rejected(2, Rule::Pr3, &Reason::OtherJustification));
    net.run_ms(5);
    for who in [0, 2, 3] {
        assert!(proven(&net, who).contains(&(1, "EQ")), "gateway {who}");
    }
}

#[test]
pub fn oj_a_vote_against_the_new_view_it_names() {
    let cfg = config(4);
    let v_set = || (1..4).map(|s| view_change(&cfg, s, 1, vec![prepared(&cfg, 2, A)])).collect::<Vec<_>>();
    let nv = Arc::new(new_view(&cfg, v_set(), &[(1, null_digest()), (2, A)]));
    let oj = |seq, digest, new_view: &Arc<NewView>| {
        let vote = statement(&cfg, Kind::Prepare, 3, 1, seq, digest, new_view.just());
        verdict(&Evidence::OtherJustification { vote, new_view: new_view.clone() })
    };
    assert_eq!(oj(2, B, &nv), Ok(ReplicaId(3)));
    assert_eq!(oj(0, B, &nv), Ok(ReplicaId(3)), "below the stable state");
    assert_eq!(oj(2, A, &nv), Err(Unproven::Allowed));
    assert_eq!(oj(3, B, &nv), Err(Unproven::Allowed), "above the carried slots anything may come");
    let invalid = Arc::new(new_view(&cfg, v_set()[..2].to_vec(), &[(1, null_digest()), (2, A)]));
    assert_eq!(oj(2, A, &invalid), Ok(ReplicaId(3)), "nobody enters by an invalid one");
    let vote = statement(&cfg, Kind::Prepare, 3, 1, 2, B, A);
    assert_eq!(verdict(&Evidence::OtherJustification { vote, new_view: nv }), Err(Unproven::Unbound));
}

#[test]
pub fn a_carried_block_does_not_convict_the_primary_that_had_to_carry_it() {
    let cfg = config(4);
    let p = proposal(&cfg, 1, vec![sigma_with(1, 1, false)]);
    let v_set = (1..4).map(|s| view_change(&cfg, s, 1, vec![prepared(&cfg, 1, p.digest())])).collect();
    let nv = Arc::new(new_view(&cfg, v_set, &[(1, p.digest())]));
    let ip = |seq: u64, p: &Arc<Proposal>, under: Option<Arc<NewView>>| {
        let just = under.as_ref().map_or(Digest::ZERO, |nv| nv.just());
        let signed = statement(&cfg, Kind::PrePrepare, 1, 1, seq, p.digest(), just);
        verdict(&Evidence::InvalidProposal { signed, proposal: p.clone(), under })
    };
    assert_eq!(ip(1, &p, Some(nv.clone())), Err(Unproven::Allowed));
    assert_eq!(ip(1, &p, None), Err(Unproven::Unbound));
    assert_eq!(ip(2, &proposal(&cfg, 2, vec![sigma_with(1, 1, false)]), Some(nv)), Ok(ReplicaId(1)));
}

#[test]
pub fn equal_content_under_different_signature_bytes_is_no_equivocation() {
    let twice = |a: Signed, b: Signed| verdict(&Evidence::Equivocation(a, b));
    let a = at(Kind::Prepare, 2, 0, 1, A);
    assert_eq!(twice(a, a), Err(Unproven::Allowed));
    let mut other_bytes = a;
    other_bytes.sig.0[63] ^= 1;
    assert_eq!(twice(a, other_bytes), Err(Unproven::Signature), "the scheme is deterministic, the judge need not know");
    assert_eq!(twice(a, at(Kind::Prepare, 2, 0, 1, B)), Ok(ReplicaId(2)));
}

#[test]
pub fn evidence_framing_is_refused_by_ev1() {
    let cfg = config(4);
    let mut bent = at(Kind::Prepare, 2, 0, 1, B);
    bent.sig.0[0] ^= 1;
    let (p, q) = (prepared(&cfg, 1, A), prepared(&cfg, 2, A));
    let commit = at(Kind::Commit, 2, 0, 1, A);
    let frames = [
        Evidence::Equivocation(at(Kind::Prepare, 2, 0, 1, A), bent),
        Evidence::Equivocation(at(Kind::Prepare, 2, 0, 1, A), at(Kind::Prepare, 3, 0, 1, B)),
        Evidence::Equivocation(at(Kind::Prepare, 2, 0, 1, A), at(Kind::Prepare, 2, 0, 2, B)),
        Evidence::Equivocation(at(Kind::Prepare, 2, 0, 1, A), at(Kind::Prepare, 2, 1, 1, B)),
        Evidence::Equivocation(at(Kind::DataSet, 2, 0, 1, A), at(Kind::DataSet, 2, 0, 1, B)),
        Evidence::Equivocation(at(Kind::Fetch, 2, 0, 1, A), at(Kind::Fetch, 2, 0, 1, B)),
        Evidence::CrossPhase { vote: at(Kind::Prepare, 2, 0, 1, A), commit },
        Evidence::CrossPhase { vote: at(Kind::Prepare, 2, 0, 2, B), commit },
        Evidence::PrimaryVote(at(Kind::Prepare, 2, 0, 1, A)),
        Evidence::PrimaryVote(at(Kind::Commit, 0, 0, 1, A)),
        Evidence::InvalidViewChange(Arc::new(view_change(&cfg, 2, 1, vec![p.clone(), q.clone()]))),
        Evidence::HiddenPrepared { commit, view_change: Arc::new(view_change(&cfg, 2, 1, vec![p, q])) },
        Evidence::HiddenPrepared { commit, view_change: Arc::new(view_change(&cfg, 3, 1, vec![])) },
        Evidence::InvalidNewView(two_new_views(&cfg)[0].clone()),
    ];
    for frame in frames {
        let mut net = net();
        let before = net.replicas[3].digest();
        net.give(3, 1, Message::Evidence(Arc::new(frame)));
        assert!(net.rejected(3, Rule::Ev1, &Reason::BadEvidence), "{:?}", net.traces);
        assert_eq!(net.replicas[3].digest(), before);
        assert!(net.evidence.is_empty());
    }
}

#[test]
pub fn evidence_of_another_network_convicts_nobody() {
    let other = config(5);
    let [a, b] = [A, B].map(|d| statement(&other, Kind::Prepare, 2, 0, 1, d, Digest::ZERO));
    assert_eq!(verdict(&Evidence::Equivocation(a, b)), Err(Unproven::Signature));
    assert_eq!(Evidence::Equivocation(a, b).verify(&other, &mut StubVerifier), Ok(ReplicaId(2)));
}

#[test]
pub fn ev1_takes_each_culprit_and_class_once_and_passes_nothing_on() {
    let mut net = net();
    let eq = |kind| Evidence::Equivocation(at(kind, 2, 0, 1, A), at(kind, 2, 0, 1, B));
    net.give(3, 1, Message::Evidence(Arc::new(eq(Kind::Prepare))));
    assert_eq!(net.last(3, Rule::Ev1).unwrap().outcome, Outcome::Accept);
    net.give(3, 1, Message::Evidence(Arc::new(eq(Kind::Commit))));
    assert!(net.rejected(3, Rule::Ev1, &Reason::Duplicate));
    assert_eq!((net.evidence.len(), net.count("EVIDENCE")), (1, 0));
}

#[test]
pub fn an_honest_run_with_a_view_change_accuses_nobody() {
    let net = prepared_then_primary_dies();
    assert!(net.replicas[1].executed() >= Seq(1));
    assert!(net.evidence.is_empty());
}
