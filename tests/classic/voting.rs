//! Counting, kinds, windows, execution.

use crate::support::scripts::*;
use crate::support::*;
use crate::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use voltcast::ledger::{Micros, Seq};
use voltcast::pbft::message::Message;
use voltcast::pbft::quorum::QuorumError;

/// The first f gateways show one half of the others proposal A with all their votes, the other half B; the halves do not
/// hear each other.
fn two_faces(n: u16) -> Net {
    let mut net = Net::new(n);
    let (cfg, f) = (net.cfg.clone(), net.cfg.quorum.f());
    let faces: Rc<RefCell<BTreeMap<u16, Digest>>> = Rc::default();
    let half = move |who: u16| u16::from(who >= f + (n - f) / 2);
    net.filter = Box::new(move |from, to, msg| {
        if from >= f {
            return (to < f || half(from) == half(to)).then(|| msg.clone());
        }
        let face = half(to);
        let again = |s: &Signed| {
            let digest = faces.borrow().get(&face).copied().unwrap_or(s.statement.digest);
            statement(&cfg, s.statement.kind, from, 0, s.statement.seq.0, digest, Digest::ZERO)
        };
        Some(Arc::new(match &**msg {
            Message::PrePrepare(_, p) => {
                let mut txs = p.txs.clone();
                if face == 1 {
                    txs.reverse();
                }
                let mine = proposal(&cfg, p.header.seq.0, txs);
                faces.borrow_mut().insert(face, mine.digest());
                pre_prepare(&cfg, from, &mine)
            }
            Message::Prepare(s) => Message::Prepare(again(s)),
            Message::Commit(s) => Message::Commit(again(s)),
            other => other.clone(),
        }))
    });
    net.request(0, &sigma(1));
    net.request(0, &sigma(2));
    net.run_ms(1_500);
    net
}

#[test]
fn bug_01_two_quorums_of_2f_plus_1_need_not_meet() {
    for n in [5, 6, 8, 9] {
        let net = two_faces(n);
        assert!(net.fired(Rule::Pp11), "proposals were accepted");
        for r in &net.replicas[usize::from(net.cfg.quorum.f())..] {
            assert_eq!(r.executed(), Seq(0), "n = {n}, gateway {}", r.me().0);
        }
    }
}

#[test]
fn bug_02_fewer_than_four_gateways_are_refused() {
    for n in 0..4 {
        assert_eq!(Quorum::new(n), Err(QuorumError::TooFew));
    }
}

#[test]
fn bug_03_f_silent_backups_do_not_stop_a_slot() {
    for n in [4, 7, 10] {
        let mut net = Net::new(n);
        net.dead = (n - net.cfg.quorum.f()..n).collect();
        net.request(0, &sigma(1));
        net.run_ms(500);
        net.assert_chain(1);
        assert_eq!(net.count("VIEW-CHANGE"), 0, "n = {n}");
    }
}

#[test]
fn bug_08_copies_of_one_vote_count_once() {
    let (mut net, p) = accepted();
    for _ in 0..net.cfg.quorum.strong() {
        give_vote(&mut net, Kind::Commit, 2, 1, p.digest());
        give_vote(&mut net, Kind::Prepare, 2, 1, OTHER);
    }
    assert!(!net.fired(Rule::Pd1));
    assert_eq!(net.replicas[1].executed(), Seq(0));
    let mut cert = prepared(&net.cfg, 1, p.digest());
    cert.prepares[1] = cert.prepares[0];
    assert!(!cert.valid(&net.cfg, &mut StubVerifier), "nor do they in a certificate");
}

#[test]
fn bug_09_votes_for_different_digests_do_not_add_up() {
    let (mut net, p) = accepted();
    give_vote(&mut net, Kind::Prepare, 2, 1, OTHER);
    give_vote(&mut net, Kind::Prepare, 3, 1, Digest([8; 32]));
    assert!(!net.fired(Rule::Pd1));
    assert_eq!(net.count("COMMIT"), 0);
    assert_eq!(net.replicas[1].accepted(Seq(1)), Some(p.digest()));
}

#[test]
fn bug_10_a_prepare_cannot_be_played_again_as_a_commit() {
    let (mut net, p) = accepted();
    let signed = statement(&net.cfg, Kind::Prepare, 2, 0, 1, p.digest(), Digest::ZERO);
    net.give(1, 2, Message::Commit(signed));
    assert!(net.rejected(1, Rule::Env1, &Reason::Malformed));
    let statement = Statement { kind: Kind::Commit, ..signed.statement };
    net.give(1, 2, Message::Commit(Signed { statement, sig: signed.sig }));
    assert!(net.rejected(1, Rule::Env3, &Reason::BadSignature), "the kind is under the signature");
}

#[test]
fn bug_12_the_sender_named_is_the_signer() {
    let (mut net, p) = accepted();
    let signed = statement(&net.cfg, Kind::Prepare, 2, 0, 1, p.digest(), Digest::ZERO);
    for sender in [0, 3] {
        let statement = Statement { kind: Kind::Commit, sender: ReplicaId(sender), ..signed.statement };
        let by_2 = Statement { sender: ReplicaId(2), ..statement };
        net.give(1, sender, Message::Commit(Signed { statement, sig: StubSigner.sign(&by_2) }));
        assert!(net.rejected(1, Rule::Env3, &Reason::BadSignature), "in the name of {sender}");
    }
}

#[test]
fn bug_13_only_the_primary_of_the_current_view_proposes() {
    let mut net = Net::new(4);
    let p = proposal(&net.cfg, 1, vec![sigma(1)]);
    net.give(1, 2, pre_prepare(&net.cfg, 2, &p));
    assert!(net.rejected(1, Rule::Pp1, &Reason::NotPrimary));
    let early = statement(&net.cfg, Kind::PrePrepare, 1, 1, 1, p.digest(), OTHER);
    net.give(2, 1, Message::PrePrepare(early, p));
    assert_eq!(net.last(2, Rule::Pp2).unwrap().outcome, Outcome::Hold(Reason::NewerView));
    assert_eq!(net.count("PREPARE"), 0);
}

#[test]
fn bug_14_votes_before_the_proposal_are_kept_and_used() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut net = Net::new(4);
        let p = proposal(&net.cfg, 1, vec![sigma(1)]);
        for part in order {
            assert_eq!(net.replicas[1].executed(), Seq(0), "{order:?}");
            match part {
                0 => net.give(1, 0, pre_prepare(&net.cfg, 0, &p)),
                1 => give_vote(&mut net, Kind::Prepare, 2, 1, p.digest()),
                _ => [2, 3].iter().for_each(|who| give_vote(&mut net, Kind::Commit, *who, 1, p.digest())),
            }
        }
        assert_eq!(net.replicas[1].executed(), Seq(1), "{order:?}");
    }
}

#[test]
fn bug_15_nothing_executes_over_a_gap() {
    let mut net = Net::new(4);
    for seq in [2, 1] {
        let p = proposal(&net.cfg, seq, vec![sigma(seq as u32)]);
        assert_eq!(net.replicas[1].executed(), Seq(0));
        net.give(1, 0, pre_prepare(&net.cfg, 0, &p));
        give_vote(&mut net, Kind::Prepare, 2, seq, p.digest());
        [2, 3].iter().for_each(|who| give_vote(&mut net, Kind::Commit, *who, seq, p.digest()));
    }
    assert_eq!(net.replicas[1].executed(), Seq(2));
    let chain = net.replicas[1].chain();
    assert_eq!([1, 2].map(|n| chain.find(&sigma(n).id).unwrap().height.0), [1, 2]);
}

#[test]
fn bug_17_a_diverged_state_is_noticed_at_the_next_checkpoint() {
    let mut net = Net::with(Arc::new(config_with(4, 2, 4)));
    net.filter = Box::new(|_, _, m| (m.name() != "CHECKPOINT").then(|| m.clone()));
    for number in 0..2 {
        net.request(0, &sigma(number));
        net.run_ms(100);
    }
    assert_eq!(net.replicas[1].executed(), Seq(2));
    for who in [0, 2, 3] {
        let signed = statement(&net.cfg, Kind::Checkpoint, who, 0, 2, OTHER, Digest::ZERO);
        net.give(1, who, Message::Checkpoint(signed));
    }
    assert!(net.rejected(1, Rule::Cp4, &Reason::Diverged));
    let votes = net.count("PREPARE");
    net.give(1, 0, pre_prepare(&net.cfg, 0, &proposal(&net.cfg, 3, vec![sigma(3)])));
    assert_eq!(net.count("PREPARE"), votes, "no vote on a state that nobody shares");
}

#[test]
fn bug_18_no_vote_outside_the_window() {
    let mut net = Net::new(4);
    let high = net.cfg.l;
    for (seq, held) in [(high + 1, true), (3 * high, false), (u64::MAX, false)] {
        net.give(1, 0, pre_prepare(&net.cfg, 0, &proposal(&net.cfg, seq, vec![sigma(1)])));
        let outcome = &net.last(1, Rule::Pp4).unwrap().outcome;
        let reason = Reason::AboveWindow;
        assert_eq!(*outcome, if held { Outcome::Hold(reason) } else { Outcome::Reject(reason) }, "slot {seq}");
        assert_eq!(net.replicas[1].accepted(Seq(seq)), None);
    }
    assert_eq!(net.count("PREPARE"), 0);
}

#[test]
fn bug_24_a_ciphertext_is_valid_at_all_gateways_or_at_none() {
    let mut net = Net::new(4);
    for who in 0..4 {
        net.request(who, &sigma_with(1, 1, false));
        assert!(net.rejected(who, Rule::Rq1, &Reason::BadCiphertext(VerifyError("Signature".into()))));
        net.request(who, &sigma(2));
        assert_eq!(net.last(who, Rule::Rq4).unwrap().outcome, Outcome::Accept);
    }
    // A primary that proposes it all the same convinces nobody.
    let p = proposal(&net.cfg, 1, vec![sigma_with(1, 1, false)]);
    for who in 1..4 {
        net.give(who, 0, pre_prepare(&net.cfg, 0, &p));
        let why = Reason::InvalidCiphertext(0, VerifyError("Signature".into()));
        assert!(net.rejected(who, Rule::Pp10, &why));
    }
}

#[test]
fn bug_26_there_is_no_read_only_shortcut() {
    // Absent by design: reading is following the chain. No message of a client but a ciphertext, no kind beyond the table.
    let kinds: Vec<u8> = Kind::ALL.map(Kind::code).to_vec();
    assert!(kinds.is_sorted() && kinds.iter().all(|code| (1..=10).contains(code)), "{kinds:?}");
    assert!((0x80..=0xff).filter(|tag| Message::decode(&[*tag], &parse).is_ok()).count() == 0);
}

#[test]
fn bug_29_a_view_change_changes_no_membership() {
    // Absent by design: genesis pins the gateways, and every statement names genesis.
    let mut net = Net::new(4);
    net.dead = vec![0];
    net.request(1, &sigma(1));
    net.run_ms(10_000);
    for r in &net.replicas[1..] {
        assert_eq!((r.level().view, r.config().quorum.n()), (View(1), 4));
        assert_eq!(r.config().network_id, net.cfg.network_id);
    }
    let five = config(5);
    net.give(1, 2, vote(&five, Kind::Prepare, 2, 1, OTHER));
    assert!(net.rejected(1, Rule::Env2, &Reason::OtherNetwork));
}

#[test]
fn bug_30_a_storm_of_invalid_proposals_leaves_no_trace() {
    let mut net = Net::new(4);
    let before = net.replicas[1].digest();
    for number in 0..200u32 {
        let mut p = (*proposal(&net.cfg, u64::from(number % 32) + 1, vec![sigma(number), sigma(number + 1)])).clone();
        match number % 4 {
            0 => p.header.version = 9,
            1 => p.header.tx_root = OTHER,
            2 => p.header.time.0 += 3_600,
            _ => p.txs.push(sigma_with(number, number, false)),
        }
        net.give(1, 0, pre_prepare(&net.cfg, 0, &Arc::new(p)));
        let bad = proposal(&net.cfg, 1, vec![sigma(number), sigma_with(number + 500, 1, false)]);
        net.give(1, 0, pre_prepare(&net.cfg, 0, &bad));
    }
    assert_eq!(net.replicas[1].digest(), before);
    assert_eq!(net.count("PREPARE"), 0);
}

/// The outputs of replica 1 in its part of one slot.
fn outputs() -> Vec<Output> {
    let mut replica = Replica::new(config(4), ReplicaId(1), Arc::new(StubSigner));
    let cfg = replica.config().clone();
    let p = proposal(&cfg, 1, vec![sigma(1)]);
    let mut out = vec![];
    for msg in [pre_prepare(&cfg, 0, &p), vote(&cfg, Kind::Prepare, 2, 1, p.digest())] {
        let envelope = Envelope { from: NodeId(0), to: NodeId(1), msg: Arc::new(msg) };
        let io = &mut Io { verify: &mut StubVerifier, out: &mut out };
        replica.step(Micros(0), Input::Deliver(envelope), io);
    }
    out
}

/// Whether a record like this precedes the sending of a vote of this kind.
fn recorded_before(kind: Kind, record: impl Fn(&Record) -> bool) -> bool {
    let out = outputs();
    let at = |wanted: &dyn Fn(&Output) -> bool| out.iter().position(wanted);
    let sent = at(&|o| matches!(o, Output::Broadcast(m) if m.signed().is_some_and(|(k, _)| k == kind)));
    let kept = at(&|o| matches!(o, Output::Persist(r) if record(r)));
    sent.is_some() && kept.is_some() && kept < sent
}

#[test]
fn bug_22_a_vote_is_on_record_before_it_is_sent() {
    for sent in [Kind::Prepare, Kind::Commit] {
        assert!(recorded_before(sent, |r| matches!(r, Record::Vote { kind, .. } if *kind == sent)), "{sent:?}");
    }
}

#[test]
fn bug_31_the_prepared_certificate_is_on_record_before_the_commit() {
    assert!(recorded_before(Kind::Commit, |r| matches!(r, Record::Prepared(_))));
}
