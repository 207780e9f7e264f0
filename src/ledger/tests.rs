//! Tests of blocks, state and chain with made-up ciphertexts: the ledger looks only at their parts.

use super::block::VoidReason;
use super::chain::{Chain, Fate, Fault, Found};
use super::codec::{Reader, Writer};
use super::hash::c32;
use super::proposal::{Proposal, null_digest, root_of_leaves};
use super::sigma::Sigma;
use super::state::Policy;
use super::types::{Digest, Secs, Seq};
use super::{Block, BlockHeader, ProposalHeader};
use std::sync::Arc;

const NET: Digest = Digest([7; 32]);

fn policy() -> Policy {
    Policy { batch_max: 64, batch_bytes: 1 << 20, epoch_secs: 3600, skew: 30, ttl_max: 600, max_lag: 3600 }
}

/// Bytes: u16 number, u16 nullifier, u32 epoch.
fn parse(bytes: &[u8]) -> Option<Sigma> {
    let b: [u8; 8] = bytes.try_into().ok()?;
    let epoch = u32::from_le_bytes([b[4], b[5], b[6], b[7]]);
    let expires = Secs(u64::from(epoch) * 3600 + 600);
    Some(Sigma::new(b.to_vec(), c32("id", &[&b]), c32("nul", &[&b[2..8]]), epoch, expires))
}

fn sigma(number: u16, nullifier: u16, epoch: u32) -> Arc<Sigma> {
    let mut w = Writer::new();
    w.u16(number).u16(nullifier).u32(epoch);
    Arc::new(parse(&w.0).unwrap())
}

fn proposal(seq: u64, time: u64, txs: Vec<Arc<Sigma>>) -> Arc<Proposal> {
    Arc::new(Proposal::build(NET, Seq(seq), Secs(time), txs))
}

fn chain() -> Chain {
    Chain::new(policy(), NET, Secs(1000))
}

/// Three blocks: two ciphertexts, a null slot, one ciphertext and one duplicate.
fn three_blocks() -> Chain {
    let mut c = chain();
    c.append(Some(&proposal(1, 1001, vec![sigma(1, 1, 0), sigma(2, 2, 0)])));
    c.append(None);
    c.append(Some(&proposal(3, 1003, vec![sigma(3, 3, 0), sigma(4, 2, 0), sigma(5, 5, 0)])));
    c
}

#[test]
fn encoded_headers_have_the_lengths_of_the_spec() {
    let mut w = Writer::new();
    proposal(1, 1, vec![]).header.write(&mut w);
    assert_eq!(w.0.len(), ProposalHeader::LEN);
    assert_eq!(chain().head().bytes().len(), BlockHeader::LEN);
}

#[test]
fn blocks_are_linked_and_null_slots_have_headers() {
    let c = three_blocks();
    assert_eq!(c.height(), Seq(3));
    for h in 1..=3 {
        assert_eq!(c.header(Seq(h)).unwrap().parent, c.header(Seq(h - 1)).unwrap().digest());
    }
    let null = c.header(Seq(2)).unwrap();
    assert_eq!((null.count, null.proposal, null.time), (0, null_digest(), Secs(1001)));
    assert_eq!(null.tx_root, root_of_leaves(&[]));
    assert_eq!(c.verify(0..=3), Ok(()));
}

#[test]
fn a_taken_nullifier_voids_and_the_first_use_stays_found() {
    let c = three_blocks();
    assert_eq!(c.block(Seq(3)).unwrap().voids, vec![(1, VoidReason::Duplicate)]);
    let fate = Fate::Void(VoidReason::Duplicate);
    assert_eq!(c.find(&sigma(4, 2, 0).id), Some(Found { height: Seq(3), index: 1, fate }));
    assert_eq!(c.find(&sigma(2, 2, 0).id), Some(Found { height: Seq(1), index: 1, fate: Fate::Applied }));
    assert_eq!(c.by_nullifier(&sigma(2, 2, 0).nullifier).unwrap().by.unwrap().0, sigma(2, 2, 0).id);
    assert_eq!(c.header(Seq(3)).unwrap().applied, 2);
    assert_eq!(c.find(&sigma(9, 9, 0).id), None);
}

#[test]
fn the_same_nullifier_twice_in_one_block_applies_once() {
    let mut c = chain();
    c.append(Some(&proposal(1, 1001, vec![sigma(1, 1, 0), sigma(2, 1, 0)])));
    assert_eq!(c.block(Seq(1)).unwrap().voids, vec![(1, VoidReason::Duplicate)]);
}

#[test]
fn a_proposal_that_waited_too_long_is_void_as_a_whole() {
    let mut c = chain();
    c.append(Some(&proposal(1, 1000 + 3601, vec![sigma(1, 1, 1)])));
    c.append(Some(&proposal(2, 1000, vec![sigma(2, 2, 0), sigma(3, 3, 0)])));
    let block = c.block(Seq(2)).unwrap();
    assert_eq!(block.voids, vec![(0, VoidReason::Stale), (1, VoidReason::Stale)]);
    assert_eq!((block.header.applied, block.header.time), (0, Secs(4601)), "block time never falls");
    assert_eq!(c.by_nullifier(&sigma(2, 2, 0).nullifier), None);
}

#[test]
fn old_epochs_are_pruned_exactly_when_nothing_of_them_can_pass() {
    let last = 3600 + 30 + 600 + 3600;
    for (time, live) in [(last, 2), (last + 1, 1)] {
        let mut c = chain();
        c.append(Some(&proposal(1, 1000, vec![sigma(1, 1, 0)])));
        c.append(Some(&proposal(2, time, vec![sigma(2, 2, 2)])));
        assert_eq!(c.state().live(), live, "at {time}");
        assert_eq!(c.by_nullifier(&sigma(1, 1, 0).nullifier).is_some(), live == 2);
        assert_eq!(c.head().nullacc, c.state().nullacc());
    }
}

#[test]
fn the_nullifier_accumulator_depends_on_order_and_epoch() {
    let acc = |txs: Vec<Arc<Sigma>>| {
        let mut c = chain();
        c.append(Some(&proposal(1, 1001, txs)));
        c.head().nullacc
    };
    let ab = acc(vec![sigma(1, 1, 0), sigma(2, 2, 0)]);
    assert_ne!(ab, acc(vec![sigma(2, 2, 0), sigma(1, 1, 0)]));
    assert_ne!(ab, acc(vec![sigma(1, 1, 0), sigma(2, 2, 1)]));
    assert_eq!(ab, acc(vec![sigma(1, 1, 0), sigma(2, 2, 0)]));
}

#[test]
fn equal_slots_give_equal_chains() {
    assert_eq!(three_blocks().head_digest(), three_blocks().head_digest());
    assert_eq!(three_blocks().state_digest(), three_blocks().head().state_digest());
}

#[test]
fn every_stored_ciphertext_has_a_proof_and_no_other_passes_with_it() {
    let c = three_blocks();
    for tx in &c.block(Seq(3)).unwrap().proposal.as_ref().unwrap().txs {
        let path = c.path(&tx.id).unwrap();
        let root = c.header(Seq(3)).unwrap().tx_root;
        assert!(path.proves(&root, &tx.id, &Sigma::bytes_hash(tx.bytes())));
        assert!(!path.proves(&root, &tx.id, &Sigma::bytes_hash(b"other")));
        assert!(!path.proves(&c.header(Seq(1)).unwrap().tx_root, &tx.id, &Sigma::bytes_hash(tx.bytes())));
    }
    assert_eq!(c.path(&Digest([9; 32])), None);
}

#[test]
fn tampering_names_the_height() {
    let tamper = |height: u64, change: &dyn Fn(&mut Block)| {
        let mut c = three_blocks();
        c.change_block(Seq(height), change);
        c.verify(0..=3)
    };
    let other = |block: &mut Block| {
        let p = Arc::make_mut(block.proposal.as_mut().unwrap());
        let old = p.txs[0].clone();
        let mut bytes = old.bytes().to_vec();
        bytes[0] ^= 1;
        p.txs[0] = Arc::new(Sigma::new(bytes, old.id, old.nullifier, old.epoch, old.expires));
    };
    assert_eq!(tamper(1, &other), Err((Seq(1), Fault::Root)));
    assert_eq!(tamper(3, &other), Err((Seq(3), Fault::Root)));
    assert_eq!(tamper(2, &|b| b.header.time.0 += 1), Err((Seq(2), Fault::Header)));
    assert_eq!(tamper(3, &|b| b.voids.clear()), Err((Seq(3), Fault::Voids)));
    let retimed = |b: &mut Block| Arc::make_mut(b.proposal.as_mut().unwrap()).header.time.0 += 1;
    assert_eq!(tamper(1, &retimed), Err((Seq(1), Fault::Proposal)));
    assert_eq!(three_blocks().verify(2..=9), Err((Seq(4), Fault::Missing)));
}

#[test]
fn blocks_round_trip_and_cut_or_longer_bytes_are_refused() {
    let c = three_blocks();
    for block in c.range(1..=3) {
        let mut w = Writer::new();
        block.write(&mut w);
        let read = |bytes: &[u8]| {
            let mut r = Reader::new(bytes);
            let block = Block::read(&mut r, &parse)?;
            r.end().map(|()| block)
        };
        assert_eq!(read(&w.0).as_ref(), Ok(&**block));
        for len in 0..w.0.len() {
            assert!(read(&w.0[..len]).is_err(), "cut at {len}");
        }
        w.u8(0);
        assert!(read(&w.0).is_err());
    }
}
