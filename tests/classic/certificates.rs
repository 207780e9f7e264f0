//! View changes, new views, certificates, bodies, evidence.

use crate::support::scripts::*;
use crate::support::*;
use crate::*;
use voltcast::ledger::proposal::null_digest;
use voltcast::ledger::{Secs, Seq, Sigma};
use voltcast::pbft::certificate::{CommitCertificate, Prepared};
use voltcast::pbft::message::{Message, NewView, Publish, ViewChange};
use voltcast::pbft::new_view::{select, validate};

fn vcs(cfg: &Config, p: &[Prepared]) -> Vec<ViewChange> {
    (1..4).map(|who| view_change(cfg, who, 1, p.to_vec())).collect()
}

#[test]
fn bug_04_a_block_committed_at_one_gateway_survives_the_view_change() {
    let mut net = Net::new(7);
    net.filter = Box::new(|_, to, m| match &**m {
        Message::Commit(s) if s.statement.view == View(0) && to != 6 => None,
        _ => Some(m.clone()),
    });
    net.request(1, &sigma(1));
    net.run_ms(500);
    let block = net.replicas[6].chain().header(Seq(1)).expect("committed at gateway 6 alone").proposal;
    net.dead = vec![0];
    net.run_ms(10_000);
    net.assert_chain(1);
    assert_eq!(net.replicas[1].chain().header(Seq(1)).unwrap().proposal, block);
}

#[test]
fn bug_05_the_carried_slots_are_recomputed() {
    let cfg = config(4);
    let d = Digest([4; 32]);
    let null = null_digest();
    let p = [prepared(&cfg, 2, d)];
    let honest = [(1, null), (2, d)];
    assert!(validate(&cfg, &new_view(&cfg, vcs(&cfg, &p), &honest), &mut StubVerifier).is_ok());
    let forgeries: [&[(u64, Digest)]; 6] = [
        &[],
        &[(1, null)],
        &[(1, null), (2, null)],
        &[(1, null), (2, OTHER)],
        &[(1, d), (2, d)],
        &[(1, null), (2, d), (3, d)],
    ];
    for o in forgeries {
        let refused = validate(&cfg, &new_view(&cfg, vcs(&cfg, &p), o), &mut StubVerifier);
        assert!(matches!(refused, Err((Rule::Nv5, Reason::WrongSelection(_)))), "{o:?}: {refused:?}");
    }
}

#[test]
fn bug_06_a_new_view_is_not_obeyed_but_checked() {
    let cfg = config(4);
    let mut forged = vcs(&cfg, &[]);
    forged[1].signed.sig.0[0] ^= 1;
    let views = [
        new_view(&cfg, vec![], &[]),
        new_view(&cfg, vcs(&cfg, &[])[..2].to_vec(), &[]),
        new_view(&cfg, forged, &[]),
        new_view(&cfg, vcs(&cfg, &[]), &[(1, OTHER)]),
    ];
    for nv in views {
        let mut net = Net::new(4);
        net.give(2, 1, Message::NewView(Arc::new(nv)));
        assert_eq!(net.replicas[2].level().view, View(0));
    }
}

#[test]
fn bug_07_a_view_never_goes_back() {
    let mut net = Net::new(7);
    net.dead = vec![0, 1];
    net.request(2, &sigma(1));
    net.run_ms(20_000);
    assert_eq!(net.replicas[3].level().view, View(2));
    let old: Vec<ViewChange> = (1..6).map(|who| view_change(&net.cfg, who, 1, vec![])).collect();
    for vc in &old {
        net.give(3, vc.sender().0, Message::ViewChange(Arc::new(vc.clone())));
    }
    net.give(3, 1, Message::NewView(Arc::new(new_view(&net.cfg, old, &[]))));
    assert_eq!(net.replicas[3].level().view, View(2));
}

#[test]
fn bug_11_every_signature_in_a_certificate_is_checked() {
    let cfg = config(4);
    let d = Digest([4; 32]);
    let cert = prepared(&cfg, 1, d);
    assert!(cert.valid(&cfg, &mut StubVerifier));
    for member in 0..cert.prepares.len() {
        let mut forged = cert.clone();
        forged.prepares[member].1.0[7] ^= 1;
        assert!(!forged.valid(&cfg, &mut StubVerifier), "prepare {member}");
    }
    let commits: Vec<_> = (0..3).map(|who| commit_sig(&cfg, who, 1, d)).collect();
    let cert = CommitCertificate { view: View(0), seq: Seq(1), digest: d, just: Digest::ZERO, commits };
    assert!(cert.valid(&cfg, &mut StubVerifier));
    for member in 0..3 {
        let mut forged = cert.clone();
        forged.commits[member].1.0[7] ^= 1;
        assert!(!forged.valid(&cfg, &mut StubVerifier), "commit {member}");
    }
}

#[test]
fn bug_16_min_s_is_the_highest_stable_state_of_all_members() {
    let cfg = config(4);
    let low = |seq| {
        let mut vc = view_change(&cfg, 1, 1, vec![prepared(&cfg, 3, OTHER), prepared(&cfg, 18, OTHER)]);
        vc.stable.seq = Seq(seq);
        Arc::new(vc)
    };
    for order in [[0, 0, 16], [0, 16, 0], [16, 0, 0]] {
        let plan = select(&order.map(low));
        assert_eq!((plan.min_s, plan.max_s), (Seq(16), Seq(18)), "{order:?}");
        assert_eq!(plan.slots, [(Seq(17), null_digest()), (Seq(18), OTHER)]);
    }
}

#[test]
fn bug_20_who_committed_in_the_old_view_follows_into_the_new_one() {
    let mut net = Net::new(4);
    net.filter = Box::new(|_, to, m| match &**m {
        Message::Commit(s) if s.statement.view == View(0) && to != 3 => None,
        // Nobody learns of the block by catching up, so only a view change helps the others.
        Message::Status(_) => None,
        _ => Some(m.clone()),
    });
    net.request(1, &sigma(1));
    net.run_ms(500);
    assert_eq!(net.replicas[3].executed(), Seq(1));
    net.dead = vec![0];
    net.run_ms(8_000);
    let level = net.replicas[3].level();
    assert_eq!((level.view, level.changing), (View(1), false));
}

#[test]
fn bug_21_a_view_is_opened_once() {
    let mut net = Net::new(4);
    net.dead = vec![0];
    net.request(1, &sigma(1));
    net.run_ms(10_000);
    assert_eq!(net.replicas[1].level().view, View(1));
    // VIEW-CHANGEs are said again while they wait. A late VIEW-CHANGE is answered to its sender, and to nobody else.
    assert_eq!(net.count("NEW-VIEW") - net.answers, 3);
    net.answers = 0;
    let sent = net.count("NEW-VIEW");
    let late = view_change(&net.cfg, 0, 1, vec![]);
    net.give(1, 0, Message::ViewChange(Arc::new(late)));
    assert_eq!((net.count("NEW-VIEW") - sent, net.answers), (1, 1));
}

/// A scheme in which the last byte of a signature means nothing.
struct Malleable;

impl Verifier for Malleable {
    fn statement(&mut self, who: ReplicaId, st: &Statement, sig: &Sig) -> bool {
        let mut canonical = StubSigner.sign(st);
        canonical.0[63] = sig.0[63];
        st.sender == who && canonical == *sig
    }

    fn ciphertext(&mut self, _: &Sigma, _: Secs) -> Result<(), VerifyError> {
        Ok(())
    }
}

#[test]
fn bug_27_equivocation_is_two_contents_not_two_signatures() {
    let cfg = config(4);
    let a = statement(&cfg, Kind::Commit, 2, 0, 1, OTHER, Digest::ZERO);
    let mut same = a;
    same.sig.0[63] ^= 1;
    assert!(Malleable.statement(ReplicaId(2), &same.statement, &same.sig));
    assert!(Evidence::Equivocation(a, same).verify(&cfg, &mut Malleable).is_err());
    let b = statement(&cfg, Kind::Commit, 2, 0, 1, Digest([8; 32]), Digest::ZERO);
    assert_eq!(Evidence::Equivocation(a, b).verify(&cfg, &mut Malleable), Ok(ReplicaId(2)));
}

/// Replica 2 in view 1, whose NEW-VIEW carries a block that it has never seen.
fn without_body() -> (Net, Arc<Proposal>) {
    let mut net = Net::new(4);
    let p = proposal(&net.cfg, 1, vec![sigma(1), sigma(2)]);
    let nv: NewView = new_view(&net.cfg, vcs(&net.cfg, &[prepared(&net.cfg, 1, p.digest())]), &[(1, p.digest())]);
    net.give(2, 1, Message::NewView(Arc::new(nv)));
    assert_eq!(net.replicas[2].level().view, View(1));
    (net, p)
}

#[test]
fn bug_28_no_vote_without_the_body() {
    let (mut net, p) = without_body();
    assert_eq!((net.count("PREPARE"), net.count("COMMIT")), (0, 0));
    assert_eq!(net.count("FETCH"), 1);
    net.give(2, 1, Message::Body(p));
    assert_eq!(net.count("PREPARE"), 3);
}

#[test]
fn bug_33_a_certificate_is_judged_alike_by_who_has_seen_nothing() {
    let cfg = config(4);
    let vc = Arc::new(view_change(&cfg, 2, 1, vec![prepared(&cfg, 1, OTHER), prepared(&cfg, 9, OTHER)]));
    let mut ahead = Net::new(4);
    ahead.request(0, &sigma(1));
    ahead.run_ms(200);
    for mut net in [ahead, Net::new(4)] {
        net.give(3, 2, Message::ViewChange(vc.clone()));
        assert_eq!(net.last(3, Rule::Vc4).map(|t| &t.outcome), Some(&Outcome::Accept));
    }
}

#[test]
fn bug_34_a_body_is_not_taken_by_its_header_alone() {
    let (mut net, p) = without_body();
    let other = Proposal::new(p.header.clone(), vec![sigma(7), sigma(8)]);
    assert_eq!(other.digest(), p.digest(), "the digest covers the header");
    net.give(2, 1, Message::Body(Arc::new(other)));
    assert!(net.rejected(2, Rule::Pp8, &Reason::BadRoot));
    assert_eq!(net.count("PREPARE"), 0);
    net.give(2, 1, Message::Body(p));
    assert_eq!(net.count("PREPARE"), 3, "the right one is still welcome");
}

#[test]
fn bug_34_nor_does_a_follower() {
    let mut net = Net::new(4);
    net.request(0, &sigma(1));
    net.run_ms(100);
    let mut block = (**net.replicas[0].chain().block(Seq(1)).unwrap()).clone();
    let cert = net.replicas[0].certificate(Seq(1)).unwrap().clone();
    let header = block.proposal.as_ref().unwrap().header.clone();
    block.proposal = Some(Arc::new(Proposal::new(header, vec![sigma(7)])));
    let mut follower = Follower::new(net.cfg.clone());
    let mut out = vec![];
    let publish = Publish { block: Arc::new(block), cert };
    follower.on_publish(&publish, &mut Io { verify: &mut StubVerifier, out: &mut out });
    assert_eq!(follower.chain().height(), Seq(0));
}
