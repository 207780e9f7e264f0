//! §4.2 prepares and commits.

use crate::support::*;
use crate::*;
use voltcast::ledger::Seq;
use voltcast::pbft::message::Message;

#[test]
pub fn s4_2_pr1_refuses_a_prepare_by_the_primary() {
    let (mut net, p) = accepted();
    give_vote(&mut net, Kind::Prepare, 0, 1, p.digest());
    assert!(net.rejected(1, Rule::Pr1, &Reason::PrimaryPrepared));
}

#[test]
pub fn s4_2_pr2_cm1_hold_votes_of_newer_views() {
    let (mut net, p) = accepted();
    for (kind, rule) in [(Kind::Prepare, Rule::Pr2), (Kind::Commit, Rule::Cm1)] {
        let signed = statement(&net.cfg, kind, 2, 1, 1, p.digest(), Digest([5; 32]));
        let msg = if kind == Kind::Prepare { Message::Prepare(signed) } else { Message::Commit(signed) };
        net.give(1, 2, msg);
        assert_eq!(net.last(1, rule).unwrap().outcome, Outcome::Hold(Reason::NewerView));
    }
    assert_eq!(net.replicas[1].log().held(), 2);
}

#[test]
pub fn held_votes_are_bounded_and_only_the_newest_view_of_a_sender_is_kept() {
    let mut net = net();
    let hold = |net: &mut Net, view, seq| {
        let signed = statement(&net.cfg, Kind::Commit, 2, view, seq, Digest([1; 32]), Digest([5; 32]));
        net.give(1, 2, Message::Commit(signed));
    };
    (1..=200).for_each(|seq| hold(&mut net, 1, seq));
    assert_eq!(net.replicas[1].log().held(), 66, "2L + 2");
    hold(&mut net, 2, 1);
    assert_eq!(net.replicas[1].log().held(), 1);
    hold(&mut net, 1, 1);
    assert!(net.rejected(1, Rule::Cm1, &Reason::NewerView));
}

#[test]
pub fn pr3_cm2_refuse_another_justification() {
    let (mut net, p) = accepted();
    for (kind, rule) in [(Kind::Prepare, Rule::Pr3), (Kind::Commit, Rule::Cm2)] {
        let signed = statement(&net.cfg, kind, 2, 0, 1, p.digest(), Digest([5; 32]));
        let msg = if kind == Kind::Prepare { Message::Prepare(signed) } else { Message::Commit(signed) };
        net.give(1, 2, msg);
        assert!(net.rejected(1, rule, &Reason::OtherJustification));
    }
}

#[test]
pub fn s4_2_pr4_cm3_keep_to_the_window() {
    let mut net = net();
    for (kind, rule) in [(Kind::Prepare, Rule::Pr4), (Kind::Commit, Rule::Cm3)] {
        give_vote(&mut net, kind, 2, 0, Digest([1; 32]));
        assert!(net.rejected(1, rule, &Reason::BelowWindow));
        give_vote(&mut net, kind, 2, 65, Digest([1; 32]));
        assert!(net.rejected(1, rule, &Reason::AboveWindow));
    }
}

#[test]
pub fn s4_2_pr5_cm4_count_one_vote_per_gateway() {
    let (mut net, p) = accepted();
    for (kind, rule) in [(Kind::Prepare, Rule::Pr5), (Kind::Commit, Rule::Cm4)] {
        let other = Digest([9; 32]);
        give_vote(&mut net, kind, 2, 1, other);
        give_vote(&mut net, kind, 2, 1, other);
        assert!(net.rejected(1, rule, &Reason::DuplicateVote));
        give_vote(&mut net, kind, 2, 1, p.digest());
        assert!(net.rejected(1, rule, &Reason::ConflictingVote));
    }
    assert!(!net.fired(Rule::Pd1));
}

#[test]
pub fn s4_2_pd1_needs_matching_prepares_of_distinct_backups() {
    let (mut net, p) = accepted();
    give_vote(&mut net, Kind::Prepare, 2, 1, Digest([9; 32]));
    assert!(!net.fired(Rule::Pd1), "a vote for another digest does not count");
    give_vote(&mut net, Kind::Prepare, 3, 1, p.digest());
    assert!(net.fired(Rule::Pd1));
    assert_eq!(net.count("COMMIT"), 3);
    assert_eq!(net.replicas[1].prepared_by(Seq(1)), [ReplicaId(1), ReplicaId(3)]);
}

#[test]
pub fn s4_2_votes_before_the_proposal_count_in_every_order() {
    let p = proposal(&config(4), 1, vec![sigma(1)]);
    let cfg = config(4);
    let parts = [
        pre_prepare(&cfg, 0, &p),
        vote(&cfg, Kind::Prepare, 2, 1, p.digest()),
        vote(&cfg, Kind::Commit, 2, 1, p.digest()),
        vote(&cfg, Kind::Commit, 3, 1, p.digest()),
    ];
    let mut orders = vec![vec![]];
    for part in 0..parts.len() {
        orders = orders.iter().flat_map(|o: &Vec<usize>| (0..=o.len()).map(|i| insert(o, i, part))).collect();
    }
    assert_eq!(orders.len(), 24);
    for order in orders {
        let mut net = net();
        for part in &order {
            assert_eq!(net.replicas[1].executed(), Seq(0));
            net.give(1, 0, parts[*part].clone());
        }
        assert_eq!(net.replicas[1].executed(), Seq(1), "{order:?}");
    }
}

fn insert(order: &[usize], at: usize, part: usize) -> Vec<usize> {
    let mut longer = order.to_vec();
    longer.insert(at, part);
    longer
}

#[test]
pub fn s4_2_cl1_needs_q_commits_and_prepared() {
    let (mut net, p) = accepted();
    (0..4).filter(|s| *s != 1).for_each(|s| give_vote(&mut net, Kind::Commit, s, 1, p.digest()));
    assert_eq!(net.replicas[1].executed(), Seq(0), "three commits, but not prepared here");
    assert!(!net.fired(Rule::Cl1));
    give_vote(&mut net, Kind::Prepare, 2, 1, p.digest());
    let decided = net.last(1, Rule::Cl1).unwrap();
    assert_eq!(decided.outcome, Outcome::Note);
    assert_eq!(decided.about, About::Slot { view: View(0), seq: Seq(1), digest: p.digest() });
    assert_eq!(net.replicas[1].executed(), Seq(1));
}

#[test]
pub fn s4_2_x1_executes_without_gaps() {
    let mut net = net();
    let all: Vec<_> = (1..=2).map(|s| proposal(&net.cfg, s, vec![sigma(s as u32)])).collect();
    for p in all.iter().rev() {
        net.give(1, 0, pre_prepare(&net.cfg, 0, p));
        give_vote(&mut net, Kind::Prepare, 2, p.header.seq.0, p.digest());
        [2, 3].iter().for_each(|s| give_vote(&mut net, Kind::Commit, *s, p.header.seq.0, p.digest()));
        if p.header.seq == Seq(2) {
            assert_eq!(net.replicas[1].executed(), Seq(0));
            assert_eq!(net.last(1, Rule::X1).unwrap().outcome, Outcome::Hold(Reason::OutOfOrder));
        }
    }
    assert_eq!(net.replicas[1].executed(), Seq(2));
}
