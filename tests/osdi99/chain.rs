//! The chain outside: followers and inclusion proofs.

use crate::support::*;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::{Secs, Seq, VoidReason};
use voltcast::pbft::light::{AbsenceProof, Heard, LightFollower, StoredProof};
use voltcast::pbft::message::Publish;

#[test]
pub fn x2_a_follower_takes_only_certified_blocks_with_their_own_ciphertexts() {
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
pub fn an_inclusion_proof_convinces_and_a_bent_one_does_not() {
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

fn seal(net: &Net, who: u16, height: u64, digest: Digest) -> Signed {
    statement(&net.cfg, Kind::Seal, who, 0, height, digest, Digest::ZERO)
}

/// A run of one block with five ciphertexts and a light follower that has heard two of its SEALs.
fn sealed_run() -> (Net, LightFollower) {
    let mut net = net();
    (1..=5).for_each(|i| net.request(0, &sigma(i)));
    net.run_ms(100);
    let mut light = LightFollower::new(net.cfg.clone());
    let digest = net.replicas[0].chain().digest(Seq(1)).unwrap();
    assert_eq!(light.on_seal(&seal(&net, 2, 1, digest), &mut StubVerifier), Heard::Counted(1));
    assert_eq!(light.on_seal(&seal(&net, 2, 1, digest), &mut StubVerifier), Heard::Counted(1), "counted once");
    assert_eq!(light.digest(Seq(1)), None);
    assert_eq!(light.on_seal(&seal(&net, 3, 1, digest), &mut StubVerifier), Heard::Accepted);
    (net, light)
}

#[test]
pub fn a_light_follower_takes_a_header_from_f_plus_1_gateways_and_convicts_who_seals_two() {
    let (net, mut light) = sealed_run();
    let digest = net.replicas[1].chain().digest(Seq(1)).unwrap();
    assert_eq!((light.height(), light.digest(Seq(1))), (Seq(1), Some(digest)));
    let other = Digest([7; 32]);
    let Heard::Convicts(evidence) = light.on_seal(&seal(&net, 2, 1, other), &mut StubVerifier) else {
        panic!("two seals by one gateway")
    };
    assert_eq!(evidence.verify(&net.cfg, &mut StubVerifier), Ok(ReplicaId(2)));
    assert_eq!(light.on_seal(&seal(&net, 0, 1, other), &mut StubVerifier), Heard::Counted(1));
    assert_eq!(light.on_seal(&seal(&net, 1, 1, other), &mut StubVerifier), Heard::Conflict { had: digest });
    assert_eq!(light.digest(Seq(1)), Some(digest), "what is settled stays");
    let mut forged = seal(&net, 1, 2, digest);
    forged.sig.0[0] ^= 1;
    let stray = statement(&net.cfg, Kind::Commit, 1, 0, 2, digest, Digest::ZERO);
    for bad in [forged, stray, seal(&net, 4, 2, digest), seal(&net, 1, 0, digest), seal(&net, 1, 1 << 40, digest)] {
        assert_eq!(light.on_seal(&bad, &mut StubVerifier), Heard::Refused);
    }
}

#[test]
pub fn a_stored_proof_needs_seal_inclusion_and_void_list_of_one_block() {
    let (net, light) = sealed_run();
    let chain = net.replicas[0].chain();
    let seal = light.seal_proof(chain.header(Seq(1)).unwrap()).unwrap();
    assert_eq!(light.seal_proof(chain.header(Seq(0)).unwrap()), None);
    let inclusion = net.replicas[0].inclusion(&sigma(4).id).unwrap();
    let proof = StoredProof { seal, inclusion, voids: vec![] };
    assert!(proof.valid(&net.cfg, &mut StubVerifier));
    let bent: [fn(&mut StoredProof); 7] = [
        |p| p.voids = vec![(0, VoidReason::Duplicate)],
        |p| p.seal.header.time = Secs(1),
        |p| p.seal.header.proposal = Digest([1; 32]),
        |p| p.seal.seals.truncate(1),
        |p| p.seal.seals[1] = p.seal.seals[0],
        |p| p.inclusion.sigma = Digest([1; 32]),
        |p| p.inclusion.path.index += 1,
    ];
    for (number, bend) in bent.iter().enumerate() {
        let mut other = proof.clone();
        bend(&mut other);
        assert!(!other.valid(&net.cfg, &mut StubVerifier), "change {number}");
    }
}

#[test]
pub fn absence_is_proven_by_all_leaves_and_only_for_what_is_absent() {
    let (net, light) = sealed_run();
    let block = net.replicas[0].chain().block(Seq(1)).unwrap();
    let seal = light.seal_proof(&block.header).unwrap();
    let mut proof = AbsenceProof { seal, leaves: block.leaf_parts() };
    assert!(proof.valid(&sigma(6).id, &net.cfg, &mut StubVerifier));
    assert!(!proof.valid(&sigma(4).id, &net.cfg, &mut StubVerifier), "it is there");
    proof.leaves.retain(|(id, _)| *id != sigma(4).id);
    assert!(!proof.valid(&sigma(4).id, &net.cfg, &mut StubVerifier), "a leaf was left out");
}
