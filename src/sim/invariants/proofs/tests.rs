//! Certificates and blocks of real runs, and what happens when they are changed.

use super::*;
use crate::ledger::block::VoidReason;
use crate::ledger::{Micros, Secs};
use crate::pbft::Quorum;
use crate::sim::invariants::told::css;
use crate::sim::memo::Memo;
use crate::sim::scenario::Scenario;
use crate::sim::trace::EffectId;
use crate::sim::world::World;

/// `one-liar` until all gateways have executed the block, in the view after the liar's.
fn world() -> World {
    let mut world = World::new(Scenario::preset("one-liar").unwrap(), vec![]).unwrap();
    let (mut memo, mut out) = (Memo::new(), Vec::new());
    while world.now() < Micros(10_000_000) && world.step(&mut memo, &mut out) {}
    world
}

fn replica(world: &World, index: u16) -> &Replica {
    let Some(Entity::Css(css)) = world.entity(css(index)) else { panic!("gateway {index}") };
    css.replica().unwrap()
}

/// The world as a checker sees it, with one gateway's state in place of all.
fn with<T>(world: &World, state: Option<&Entity>, act: impl FnOnce(&Sight<'_>) -> T) -> T {
    let gateways: Vec<_> =
        (0..world.setup().n).map(|i| world.genesis().unwrap().record(css(i)).unwrap().clone()).collect();
    let (entity, packet) = (|actor| state.or(world.entity(actor)), |item| world.packet(item));
    let genesis = world.genesis().map(|g| &**g);
    act(&Sight {
        setup: world.setup(),
        genesis,
        gateways: &gateways,
        entity: &entity,
        packet: &packet,
        idle: &|_| true,
    })
}

fn prepared(world: &World, change: impl FnOnce(&mut Prepared)) -> Result<(), String> {
    let replica = replica(world, 2);
    let mut cert = (**replica.log().slot(Seq(1)).unwrap().prepared.as_ref().unwrap()).clone();
    change(&mut cert);
    with(world, None, |sight| Proofs::default().prepared(replica.config(), &cert, sight))
}

fn committed(world: &World, change: impl FnOnce(&mut CommitCertificate)) -> Result<(), String> {
    let replica = replica(world, 2);
    let mut cert = (**replica.certificate(Seq(1)).unwrap()).clone();
    change(&mut cert);
    with(world, None, |sight| Proofs::default().committed(replica.config(), &cert, sight))
}

#[test]
fn certificates_of_a_run_with_a_view_change_are_sound_si_6() {
    let world = world();
    assert_eq!(prepared(&world, |_| {}), Ok(()));
    assert_eq!(committed(&world, |_| {}), Ok(()));
    let nv = replica(&world, 2).entered_by().unwrap();
    assert!(nv.v_set.iter().any(|vc| !vc.p.is_empty()), "a VIEW-CHANGE carries a certificate");
}

#[test]
fn too_few_double_foreign_or_own_votes_break_si_6() {
    let world = world();
    let wrong = |result: Result<(), String>, text: &str| assert_eq!(result, Err(text.to_owned()));
    let number = "has another number of signers than a quorum";
    wrong(prepared(&world, |cert| cert.prepares.truncate(1)), number);
    wrong(committed(&world, |cert| cert.commits.truncate(2)), number);
    let twice = "counts a signer twice";
    wrong(prepared(&world, |cert| cert.prepares[1] = cert.prepares[0]), twice);
    wrong(committed(&world, |cert| cert.commits[1] = cert.commits[0]), twice);
    let outside = "has a signer from outside";
    wrong(prepared(&world, |cert| cert.prepares[0].0 = ReplicaId(4)), outside);
    wrong(committed(&world, |cert| cert.commits[0].0 = ReplicaId(4)), outside);
    wrong(prepared(&world, |cert| cert.prepares[0].0 = ReplicaId(1)), "counts the primary among the prepares");
    let just = "rests on a NEW-VIEW in view 0";
    wrong(committed(&world, |cert| cert.view = View(0)), just);
}

#[test]
fn a_signature_over_anything_else_breaks_si_6() {
    let world = world();
    let bad = Err("holds a signature that is not valid".to_owned());
    assert_eq!(prepared(&world, |cert| cert.pp_sig.0[40] ^= 1), bad);
    assert_eq!(prepared(&world, |cert| cert.prepares[1].1.0[40] ^= 1), bad);
    assert_eq!(prepared(&world, |cert| cert.digest.0[0] ^= 1), bad);
    assert_eq!(prepared(&world, |cert| cert.seq = Seq(2)), bad);
    assert_eq!(prepared(&world, |cert| cert.just.0[0] ^= 1), bad);
    assert_eq!(committed(&world, |cert| cert.commits[1].1.0[40] ^= 1), bad);
    assert_eq!(committed(&world, |cert| cert.view = View(2)), bad);
    assert_eq!(committed(&world, |cert| cert.digest.0[0] ^= 1), bad);
}

#[test]
fn a_view_change_with_a_bad_certificate_breaks_si_6() {
    let world = world();
    let replica = replica(&world, 2);
    let nv = replica.entered_by().unwrap();
    let vc = nv.v_set.iter().find(|vc| !vc.p.is_empty()).unwrap();
    let judge = |change: &dyn Fn(&mut ViewChange)| {
        let mut vc = (**vc).clone();
        change(&mut vc);
        let vcs = [Arc::new(vc)];
        with(&world, None, |sight| Proofs::default().carried(replica.config(), vcs.iter(), sight))
    };
    assert_eq!(judge(&|_| {}), Ok(()));
    let short = judge(&|vc| Arc::make_mut(&mut vc.p[0]).prepares.truncate(1));
    assert_eq!(short, Err("has another number of signers than a quorum".to_owned()));
    let another = judge(&|vc| vc.stable.state_digest.0[0] ^= 1);
    assert_eq!(another, Err("is not that of the stable state".to_owned()));
    let unsigned = judge(&|vc| vc.stable.seq = Seq(16));
    assert_eq!(unsigned, Err("has another number of signers than a quorum".to_owned()));
}

#[test]
fn a_sample_of_certificates_has_its_signatures_checked() {
    let mut proofs = Proofs::default();
    let sampled: Vec<u64> = (0..800).filter(|_| proofs.sampled()).collect();
    assert_eq!(sampled, [0, 256, 512, 768]);
}

fn see(proofs: &mut Proofs, world: &World, state: Option<&Entity>, fact: FactKind) -> Option<Finding> {
    let (id, actor) = (EffectId(0), Some(css(2)));
    let kind = Kind::Fact(fact);
    let effect = Effect { id, step: 0, t: world.now(), actor, kind, cause: None, needs: vec![], rule: None };
    with(world, state, |sight| {
        proofs.observe(&effect, &Agreement::new(Quorum::new(4).expect("four are enough")), sight)
    })
}

fn facts(world: &World) -> [FactKind; 4] {
    let replica = replica(world, 2);
    let cert = replica.log().slot(Seq(1)).unwrap().prepared.clone().unwrap();
    let (view, seq, digest) = (cert.view.0, 1, cert.digest);
    let header = replica.chain().digest(Seq(1)).unwrap();
    [
        FactKind::Prepared { view, seq, digest },
        FactKind::Committed { view, seq, digest },
        FactKind::NewView { view, carried: 1 },
        FactKind::BlockAppended { height: 1, header, parent: Box::new(Digest::ZERO), count: 1, sigmas: vec![] },
    ]
}

/// A gateway that says what it does not hold.
#[test]
fn saying_without_holding_breaks_si_6_and_si_10() {
    let world = world();
    let [prepared, committed, new_view, appended] = facts(&world);
    for fact in [&prepared, &committed, &new_view, &appended] {
        assert_eq!(see(&mut Proofs::default(), &world, None, fact.clone()), None);
    }
    let mut early = World::new(Scenario::preset("one-liar").unwrap(), vec![]).unwrap();
    while early.entity(css(2)).is_none_or(|e| !matches!(e, Entity::Css(css) if css.replica().is_some())) {
        assert!(early.step(&mut Memo::new(), &mut Vec::new()));
    }
    let state = early.entity(css(2));
    for (fact, broken) in [(&prepared, "SI-6"), (&committed, "SI-6"), (&appended, "SI-10")] {
        let found = see(&mut Proofs::default(), &world, state, fact.clone());
        assert!(matches!(&found, Some(Finding::Broken { id, .. }) if *id == broken), "{found:?}");
    }
    let FactKind::Prepared { view, seq, .. } = prepared else { panic!() };
    let other = FactKind::Prepared { view, seq, digest: Digest([1; 32]) };
    assert!(matches!(see(&mut Proofs::default(), &world, None, other), Some(Finding::Broken { id: "SI-6", .. })));
}

fn block(world: &World, change: impl FnOnce(&mut Block)) -> Result<(), String> {
    let chain = replica(world, 2).chain();
    let mut block = (**chain.block(Seq(1)).unwrap()).clone();
    change(&mut block);
    let mut proofs = Proofs::default();
    proofs.block(css(2), &block, chain.header(Seq(0)).unwrap())?;
    with(world, None, |sight| proofs.ciphertexts(&block, sight))
}

fn txs(block: &mut Block) -> &mut Proposal {
    Arc::make_mut(block.proposal.as_mut().unwrap())
}

/// Makes header and proposal fit the ciphertexts again.
fn sealed(block: &mut Block) {
    let Proposal { header, txs, .. } = txs(block).clone();
    let fit = Proposal::build(header.network_id, header.seq, header.time, txs);
    (block.header.tx_root, block.header.count, block.header.proposal) =
        (fit.header.tx_root, fit.header.count, fit.digest());
    block.header.applied = fit.header.count;
    block.proposal = Some(Arc::new(fit));
}

#[test]
fn executed_blocks_are_what_their_headers_say_si_10() {
    let world = world();
    assert_eq!(block(&world, |_| {}), Ok(()));
    let root = Err("has another root than its ciphertexts".to_owned());
    assert_eq!(block(&world, |b| b.header.tx_root.0[0] ^= 1), root);
    assert_eq!(block(&world, |b| drop(txs(b).txs.pop())), root);
    let count = Err("has another count than its ciphertexts".to_owned());
    assert_eq!(block(&world, |b| b.header.count += 1), count);
    assert_eq!(block(&world, |b| txs(b).header.count += 1), count);
    let other = Err("holds another proposal than its header names".to_owned());
    assert_eq!(block(&world, |b| txs(b).header.time.0 += 1), other);
    let applied = Err("counts its applied ciphertexts wrongly".to_owned());
    assert_eq!(block(&world, |b| b.voids.push((0, VoidReason::Duplicate))), applied);
    let null = Err("is null and changes something".to_owned());
    assert_eq!(block(&world, |b| b.proposal = None), null);
    let chain = replica(&world, 2).chain();
    let mut empty = chain.preview(None);
    assert_eq!(Proofs::default().block(css(2), &empty, chain.head()), Ok(()));
    empty.header.nullacc.0[0] ^= 1;
    assert_eq!(Proofs::default().block(css(2), &empty, chain.head()), null);
}

#[test]
fn a_ticket_applied_twice_breaks_si_10() {
    let world = world();
    let twice = Err("applies a ticket for the second time".to_owned());
    let again = |b: &mut Block| {
        let tx = txs(b).txs[0].clone();
        txs(b).txs.push(tx);
        sealed(b);
    };
    assert_eq!(block(&world, again), twice);
    // In a later block of the same chain as well, but not on the chain of another gateway.
    let chain = replica(&world, 2).chain();
    let (block, parent) = (chain.block(Seq(1)).unwrap(), chain.header(Seq(0)).unwrap());
    let mut proofs = Proofs::default();
    assert_eq!(proofs.block(css(2), block, parent), Ok(()));
    assert_eq!(proofs.block(css(3), block, parent), Ok(()));
    assert_eq!(proofs.block(css(2), block, parent), twice);
}

#[test]
fn an_ordered_ciphertext_that_does_not_verify_breaks_si_10() {
    let world = world();
    let with_bytes = |change: &dyn Fn(&mut Vec<u8>, &mut Digest)| {
        block(&world, |b| {
            let tx = txs(b).txs[0].clone();
            let (mut bytes, mut nullifier) = (tx.bytes().to_vec(), tx.nullifier);
            change(&mut bytes, &mut nullifier);
            txs(b).txs[0] = Arc::new(Sigma::new(bytes, tx.id, nullifier, tx.epoch, tx.expires));
            sealed(b);
        })
    };
    assert_eq!(with_bytes(&|_, _| {}), Ok(()));
    let flipped = with_bytes(&|bytes, _| bytes[420] ^= 1).unwrap_err();
    assert!(flipped.starts_with("orders σ"), "{flipped}");
    let renamed = with_bytes(&|_, nullifier| nullifier.0[0] ^= 1);
    assert_eq!(renamed, Err("orders σ under another name or flow".to_owned()));
    let expired = block(&world, |b| {
        txs(b).header.time = Secs(txs(b).header.time.0 + 1_000);
        sealed(b);
    });
    assert!(expired.is_err_and(|text| text.ends_with("Expired")));
}
