//! Blocks: the hash-linked record of executed slots (CONSENSUS.md §2.4).
//!
//! A header is a function of the ordered proposals alone: it must depend on no view, no certificate and no clock of the
//! node that executes.

use super::codec::{Decoded, Malformed, ParseSigma, Reader, Writer};
use super::hash::c32;
use super::proposal::{Proposal, VERSION, null_digest, root_of_leaves};
use super::sigma::Sigma;
use super::state::State;
use super::types::{Digest, Secs, Seq};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

/// Why an ordered ciphertext had no effect (rule X-3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum VoidReason {
    /// Its nullifier was already taken.
    Duplicate,
    /// Its proposal waited longer than `max_lag` for execution.
    Stale,
}

/// Void entries of a block: index in the body and why, ascending.
pub type Voids = Vec<(u32, VoidReason)>;

fn write_voids(w: &mut Writer, voids: &Voids) {
    w.list(voids, |w, (index, reason)| {
        w.u32(*index).u8(match reason {
            VoidReason::Duplicate => 1,
            VoidReason::Stale => 2,
        });
    });
}

fn read_voids(r: &mut Reader<'_>) -> Decoded<Voids> {
    let voids = r.list(5, |r| {
        let index = r.u32()?;
        match r.u8()? {
            1 => Ok((index, VoidReason::Duplicate)),
            2 => Ok((index, VoidReason::Stale)),
            _ => Err(Malformed),
        }
    })?;
    if voids.is_sorted_by(|a, b| a.0 < b.0) { Ok(voids) } else { Err(Malformed) }
}

/// C32("voids"; list).
pub fn voids_digest(voids: &Voids) -> Digest {
    static NONE: LazyLock<Digest> = LazyLock::new(|| digest_of(&Voids::new()));
    if voids.is_empty() { *NONE } else { digest_of(voids) }
}

fn digest_of(voids: &Voids) -> Digest {
    let mut w = Writer::new();
    write_voids(&mut w, voids);
    c32("voids", &[&w.0])
}

/// The 217 linked bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockHeader {
    pub version: u8,
    pub network_id: Digest,
    /// Equal to the slot's seq; null slots have a header too, so heights have no gaps.
    pub height: Seq,
    pub time: Secs,
    pub parent: Digest,
    pub proposal: Digest,
    pub tx_root: Digest,
    pub count: u32,
    pub applied: u32,
    pub voids: Digest,
    pub nullacc: Digest,
}

impl BlockHeader {
    pub const LEN: usize = 217;

    /// Height 0: no parent, a null proposal, no nullifiers.
    pub fn genesis(network_id: Digest, time: Secs) -> Self {
        BlockHeader {
            version: VERSION,
            network_id,
            height: Seq(0),
            time,
            parent: Digest::ZERO,
            proposal: null_digest(),
            tx_root: root_of_leaves(&[]),
            count: 0,
            applied: 0,
            voids: voids_digest(&Vec::new()),
            nullacc: State::default().nullacc(),
        }
    }

    pub fn write(&self, w: &mut Writer) {
        w.u8(self.version).digest(&self.network_id).u64(self.height.0).u64(self.time.0).digest(&self.parent);
        w.digest(&self.proposal).digest(&self.tx_root).u32(self.count).u32(self.applied);
        w.digest(&self.voids).digest(&self.nullacc);
    }

    pub fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        Ok(BlockHeader {
            version: r.u8()?,
            network_id: r.digest()?,
            height: r.seq()?,
            time: r.secs()?,
            parent: r.digest()?,
            proposal: r.digest()?,
            tx_root: r.digest()?,
            count: r.u32()?,
            applied: r.u32()?,
            voids: r.digest()?,
            nullacc: r.digest()?,
        })
    }

    /// The header's 217 bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.0
    }

    /// Block digest, C32("header"; bytes).
    pub fn digest(&self) -> Digest {
        c32("header", &[&self.bytes()])
    }

    /// State digest after this block, C32("state"; s, block digest, nullacc).
    pub fn state_digest(&self) -> Digest {
        self.state_digest_of(&self.digest())
    }

    /// The same if the block digest is at hand.
    pub(super) fn state_digest_of(&self, digest: &Digest) -> Digest {
        c32("state", &[&self.height.0.to_le_bytes(), &digest.0, &self.nullacc.0])
    }
}

/// Header, ordered proposal (none for a null slot) and what had no effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    pub header: BlockHeader,
    pub proposal: Option<Arc<Proposal>>,
    pub voids: Voids,
}

impl Block {
    /// The header's digest.
    pub fn digest(&self) -> Digest {
        let proposal = self.proposal.as_ref();
        proposal.map_or_else(|| self.header.digest(), |p| p.block.of(&self.header, BlockHeader::digest))
    }

    /// Id and hash of the bytes of every ciphertext in order: what the leaves of `tx_root` are made of.
    pub fn leaf_parts(&self) -> Vec<(Digest, Digest)> {
        self.proposal.iter().flat_map(|p| &p.txs).map(|tx| (tx.id, Sigma::bytes_hash(tx.bytes()))).collect()
    }

    pub fn write(&self, w: &mut Writer) {
        self.header.write(w);
        w.u8(u8::from(self.proposal.is_some()));
        if let Some(proposal) = &self.proposal {
            proposal.write(w);
        }
        write_voids(w, &self.voids);
    }

    pub fn read(r: &mut Reader<'_>, parser: &dyn ParseSigma) -> Decoded<Self> {
        let header = BlockHeader::read(r)?;
        let proposal = if r.flag()? { Some(Arc::new(Proposal::read(r, parser)?)) } else { None };
        Ok(Block { header, proposal, voids: read_voids(r)? })
    }
}
