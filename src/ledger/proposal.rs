//! What gateways vote on: an ordered list of ciphertexts under one digest (CONSENSUS.md §2.4).
//!
//! The digest covers the header only; a body must never be accepted without comparing its Merkle root as well.

use super::block::BlockHeader;
use super::codec::{Decoded, ParseSigma, Reader, Writer};
use super::hash::c32;
use super::kept::Kept;
use super::sigma::Sigma;
use super::types::{Digest, Secs, Seq};
use crate::clmmsc::merkle;
use std::sync::{Arc, LazyLock};

/// Version of proposal and block headers.
pub const VERSION: u8 = 1;

/// Digest of the empty slot, which has no body.
pub fn null_digest() -> Digest {
    static NULL: LazyLock<Digest> = LazyLock::new(|| c32("null", &[]));
    *NULL
}

/// Inner node of the tree of ciphertexts.
pub fn tx_node(left: &merkle::Hash, right: &merkle::Hash) -> merkle::Hash {
    c32("txnode", &[left, right]).0
}

/// Root over leaf hashes; an empty list has a root of its own.
pub fn root_of_leaves(leaves: &[merkle::Hash]) -> Digest {
    static EMPTY: LazyLock<Digest> = LazyLock::new(|| c32("txempty", &[]));
    merkle::root(leaves, &tx_node).map_or_else(|| *EMPTY, Digest)
}

/// The 93 bytes the digest covers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProposalHeader {
    pub version: u8,
    pub network_id: Digest,
    pub seq: Seq,
    /// Proposal time of the primary, unix seconds.
    pub time: Secs,
    pub count: u32,
    /// Sum of the lengths of the ciphertexts.
    pub bytes: u64,
    pub tx_root: Digest,
}

impl ProposalHeader {
    pub const LEN: usize = 93;

    pub fn write(&self, w: &mut Writer) {
        w.u8(self.version).digest(&self.network_id).u64(self.seq.0).u64(self.time.0);
        w.u32(self.count).u64(self.bytes).digest(&self.tx_root);
    }

    pub fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        Ok(ProposalHeader {
            version: r.u8()?,
            network_id: r.digest()?,
            seq: r.seq()?,
            time: r.secs()?,
            count: r.u32()?,
            bytes: r.u64()?,
            tx_root: r.digest()?,
        })
    }

    /// d = C32("proposal"; header bytes).
    pub fn digest(&self) -> Digest {
        let mut w = Writer::new();
        self.write(&mut w);
        c32("proposal", &[&w.0])
    }
}

/// Header and body. The body is not covered by the digest but through `tx_root`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    pub header: ProposalHeader,
    pub txs: Vec<Arc<Sigma>>,
    digest: Kept<ProposalHeader, Digest>,
    root: Kept<Vec<merkle::Hash>, Digest>,
    /// Of the header that its block gets, which is the same at everybody who executes it over the same parent.
    pub(super) block: Kept<BlockHeader, Digest>,
    /// Of the nullifiers after it, in the same way.
    pub(super) nullacc: Kept<Vec<(u32, Digest)>, Digest>,
}

impl Proposal {
    /// A header with a body, which need not fit it.
    pub fn new(header: ProposalHeader, txs: Vec<Arc<Sigma>>) -> Self {
        let (digest, root, block, nullacc) = (Kept::default(), Kept::default(), Kept::default(), Kept::default());
        Proposal { header, txs, digest, root, block, nullacc }
    }

    /// The proposal a correct primary makes of these ciphertexts.
    pub fn build(network_id: Digest, seq: Seq, time: Secs, txs: Vec<Arc<Sigma>>) -> Self {
        let header = ProposalHeader {
            version: VERSION,
            network_id,
            seq,
            time,
            count: txs.len() as u32,
            bytes: txs.iter().map(|tx| tx.bytes().len() as u64).sum(),
            tx_root: root_of_leaves(&leaves(&txs)),
        };
        Proposal::new(header, txs)
    }

    pub fn digest(&self) -> Digest {
        self.digest.of(&self.header, ProposalHeader::digest)
    }

    /// Count, bytes and Merkle root of the body are those of the header (rule PP-8).
    pub fn body_matches(&self) -> bool {
        self.header.count as usize == self.txs.len()
            && self.header.bytes == self.txs.iter().map(|tx| tx.bytes().len() as u64).sum::<u64>()
            && self.header.tx_root == self.root.of(&leaves(&self.txs), |leaves| root_of_leaves(leaves))
    }

    pub fn write(&self, w: &mut Writer) {
        self.header.write(w);
        w.list(&self.txs, |w, tx| {
            w.sigma(tx);
        });
    }

    pub fn read(r: &mut Reader<'_>, parser: &dyn ParseSigma) -> Decoded<Self> {
        Ok(Proposal::new(ProposalHeader::read(r)?, r.list(4, |r| r.sigma(parser))?))
    }
}

/// Leaf hashes of a body in order.
pub fn leaves(txs: &[Arc<Sigma>]) -> Vec<merkle::Hash> {
    txs.iter().map(|tx| tx.leaf().0).collect()
}
