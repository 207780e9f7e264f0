//! The chain outside: followers and inclusion proofs.

use crate::support::*;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::{Secs, Seq};
use voltcast::pbft::message::Publish;

#[test]
fn x2_a_follower_takes_only_certified_blocks_with_their_own_ciphertexts() {
    let mut net = net();
    net.request(0, &sigma(1));
    net.run_ms(100);
    let honest = Publish {
        block: net.replicas[0].chain().block(Seq(1)).unwrap().clone(),
        cert: net.replicas[0].certificate(Seq(1)).unwrap().clone(),
    };
    let try_it = |change: &dyn Fn(&mut Publish)| {
        let mut publish = honest.clone();
        change(&mut publish);
        let mut follower = Follower::new(net.cfg.clone());
        let mut out = vec![];
        follower.on_publish(&publish, &mut Io { verify: &mut StubVerifier, out: &mut out });
        let Some(Output::Trace { outcome, .. }) = out.into_iter().next() else { panic!("no decision") };
        (outcome, follower.chain().height().0)
    };
    assert_eq!(try_it(&|_| {}), (Outcome::Accept, 1));
    let refused = |reason| (Outcome::Reject(reason), 0);
    let short = |p: &mut Publish| Arc::make_mut(&mut p.cert).commits.truncate(2);
    assert_eq!(try_it(&short), refused(Reason::BadCertificate));
    let forged = |p: &mut Publish| Arc::make_mut(&mut p.cert).commits[0].1.0[0] ^= 1;
    assert_eq!(try_it(&forged), refused(Reason::BadCertificate));
    let other = |p: &mut Publish| {
        Arc::make_mut(Arc::make_mut(&mut p.block).proposal.as_mut().unwrap()).txs = vec![sigma(2)];
    };
    assert_eq!(try_it(&other), refused(Reason::BadRoot));
    let header = |p: &mut Publish| Arc::make_mut(&mut p.block).header.applied = 0;
    assert_eq!(try_it(&header), refused(Reason::BadHeader));
    let bodiless = |p: &mut Publish| Arc::make_mut(&mut p.block).proposal = None;
    assert_eq!(try_it(&bodiless), refused(Reason::BodyMissing));
}

#[test]
fn an_inclusion_proof_convinces_and_a_bent_one_does_not() {
    let mut net = net();
    (1..=5).for_each(|i| net.request(0, &sigma(i)));
    net.run_ms(100);
    let proof = net.replicas[3].inclusion(&sigma(4).id).unwrap();
    assert!(proof.valid(&net.cfg, &mut StubVerifier));
    let mut bent = proof.clone();
    bent.sigma = sigma(5).id;
    assert!(!bent.valid(&net.cfg, &mut StubVerifier));
    let mut bent = proof;
    bent.header.time = Secs(0);
    assert!(!bent.valid(&net.cfg, &mut StubVerifier));
    assert!(net.replicas[3].inclusion(&sigma(6).id).is_none());
}
