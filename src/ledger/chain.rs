//! The consortium chain as one node holds it: blocks by height, an index of ciphertexts, the state (CONSENSUS.md §3.12).
//!
//! It grows by [`Chain::append`], which applies an agreed slot; it may begin above genesis, at a proven state, and then be
//! completed downwards along the parent links. Certificates live above, keyed by height.

use super::block::{Block, BlockHeader, VoidReason, voids_digest};
use super::proposal::{Proposal, leaves, null_digest, root_of_leaves, tx_node};
use super::sigma::Sigma;
use super::state::{Policy, State, Taken, apply};
use super::types::{Digest, Secs, Seq};
use crate::clmmsc::merkle;
use core::ops::RangeInclusive;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What became of an ordered ciphertext.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Applied,
    Void(VoidReason),
}

/// Position of a ciphertext in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub height: Seq,
    pub index: u32,
    pub fate: Fate,
}

/// Siblings from a ciphertext's leaf to the root of its block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MerklePath {
    pub index: u32,
    pub count: u32,
    pub siblings: Vec<merkle::Hash>,
}

impl MerklePath {
    /// Whether it leads from σ (by id and hash of its bytes) to `root`.
    pub fn proves(&self, root: &Digest, id: &Digest, bytes_hash: &Digest) -> bool {
        let leaf = Sigma::leaf_of_hash(id, bytes_hash);
        merkle::verify_path(&root.0, &leaf.0, self.index, self.count, &self.siblings, &tx_node)
    }
}

/// What is wrong at the first height that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No block is stored at this height.
    Missing,
    /// The header does not hash to the digest under which it was stored.
    Header,
    /// The header does not name its parent.
    Parent,
    /// The proposal does not hash to the digest in the header.
    Proposal,
    /// The ciphertexts do not lead to the root in the header.
    Root,
    /// The list of void ciphertexts is not the one in the header.
    Voids,
}

impl Fault {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Fault::Missing => "it is not there",
            Fault::Header => "its header is not the one that was stored",
            Fault::Parent => "it does not follow the block before",
            Fault::Proposal => "its proposal is not the one of its header",
            Fault::Root => "its ciphertexts do not lead to the root in its header",
            Fault::Voids => "its list of void ciphertexts is not the one of its header",
        }
    }
}

/// Whether proposal, ciphertexts and voids of a block are those of its header.
fn body_of(block: &Block) -> Result<(), Fault> {
    let header = &block.header;
    let proposal = block.proposal.as_ref().map_or_else(null_digest, |p| p.digest());
    let txs = block.proposal.iter().flat_map(|p| &p.txs);
    let leaves: Vec<merkle::Hash> = txs.map(|sigma| Sigma::leaf_of(&sigma.id, sigma.bytes()).0).collect();
    if header.proposal != proposal {
        Err(Fault::Proposal)
    } else if header.tx_root != root_of_leaves(&leaves) {
        Err(Fault::Root)
    } else if header.voids != voids_digest(&block.voids) {
        Err(Fault::Voids)
    } else {
        Ok(())
    }
}

/// Blocks from a base (genesis, or a proven state) to the head, with the state after the head.
#[derive(Clone, Debug)]
pub struct Chain {
    policy: Policy,
    /// The header below the first block held.
    base: BlockHeader,
    base_digest: Digest,
    /// The block i places above the base at index i − 1, with the digest it had when it was appended.
    blocks: VecDeque<(Digest, Arc<Block>)>,
    index: BTreeMap<Digest, (Seq, u32)>,
    /// Shared with the snapshots taken of it.
    state: Arc<State>,
}

impl Chain {
    pub fn new(policy: Policy, network_id: Digest, genesis_time: Secs) -> Self {
        Chain::at(policy, BlockHeader::genesis(network_id, genesis_time), Arc::default())
    }

    /// A chain that begins above a proven header, with the state after it.
    pub fn at(policy: Policy, base: BlockHeader, state: Arc<State>) -> Self {
        let base_digest = base.digest();
        Chain { policy, base, base_digest, blocks: VecDeque::new(), index: BTreeMap::new(), state }
    }

    /// Height below the first block held; 0 if the chain is whole.
    pub fn base(&self) -> Seq {
        self.base.height
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state after the head, shared.
    pub fn shared_state(&self) -> Arc<State> {
        self.state.clone()
    }

    /// Height of the last block; 0 for genesis.
    pub fn height(&self) -> Seq {
        Seq(self.base.height.0 + self.blocks.len() as u64)
    }

    /// Header of the last block.
    pub fn head(&self) -> &BlockHeader {
        self.blocks.back().map_or(&self.base, |(_, b)| &b.header)
    }

    /// Digest of the last block.
    pub fn head_digest(&self) -> Digest {
        self.blocks.back().map_or(self.base_digest, |(d, _)| *d)
    }

    pub fn header(&self, height: Seq) -> Option<&BlockHeader> {
        if height == self.base.height { Some(&self.base) } else { self.block(height).map(|b| &b.header) }
    }

    /// `None` above the head, and for the base and below: of the base only the header is held.
    pub fn block(&self, height: Seq) -> Option<&Arc<Block>> {
        self.entry(height).map(|(_, b)| b)
    }

    /// Digest of the block at `height`, as it was when appended.
    pub fn digest(&self, height: Seq) -> Option<Digest> {
        if height == self.base.height { Some(self.base_digest) } else { self.entry(height).map(|(d, _)| *d) }
    }

    fn entry(&self, height: Seq) -> Option<&(Digest, Arc<Block>)> {
        self.blocks.get(usize::try_from(height.0.checked_sub(self.base.height.0 + 1)?).ok()?)
    }

    /// Blocks of the given heights, as far as they exist.
    pub fn range(&self, heights: RangeInclusive<u64>) -> impl Iterator<Item = &Arc<Block>> {
        heights.map_while(|h| self.block(Seq(h)))
    }

    /// The block that [`Chain::append`] would link, without doing it.
    pub fn preview(&self, proposal: Option<&Arc<Proposal>>) -> Block {
        let parent = (self.head(), self.head_digest());
        apply(&self.policy, &mut self.state.around(proposal.map(|p| &**p)), parent, proposal)
    }

    /// Applies the next agreed slot (`None`: the null slot) and links its block.
    pub fn append(&mut self, proposal: Option<&Arc<Proposal>>) -> Arc<Block> {
        let parent = self.blocks.back().map_or((&self.base, self.base_digest), |(digest, b)| (&b.header, *digest));
        let block = Arc::new(apply(&self.policy, Arc::make_mut(&mut self.state), parent, proposal));
        self.index_block(&block);
        self.blocks.push_back((block.digest(), block.clone()));
        block
    }

    fn index_block(&mut self, block: &Block) {
        for (index, sigma) in (0u32..).zip(block.proposal.iter().flat_map(|p| &p.txs)) {
            let place = (block.header.height, index);
            let void = block.voids.iter().any(|(i, _)| *i == index);
            if void {
                self.index.entry(sigma.id).or_insert(place);
            } else {
                self.index.insert(sigma.id, place);
            }
        }
    }

    /// Completes the chain downwards by the block at its base, whose parent's header becomes the new base.
    ///
    /// # Errors
    /// What does not fit: the block must hash to what is linked, and `parent` be what it links to.
    pub fn prepend(&mut self, block: &Arc<Block>, parent: BlockHeader) -> Result<(), Fault> {
        if block.header.digest() != self.base_digest || block.header.height.0 == 0 {
            return Err(Fault::Header);
        }
        if parent.digest() != block.header.parent || parent.height.0 + 1 != block.header.height.0 {
            return Err(Fault::Parent);
        }
        body_of(block)?;
        self.blocks.push_front((self.base_digest, block.clone()));
        self.base_digest = block.header.parent;
        self.base = parent;
        self.index_block(block);
        Ok(())
    }

    /// Forgets the blocks up to a height; the header of the last one becomes the base.
    pub fn forget(&mut self, height: Seq) {
        while self.base.height < height {
            let Some((digest, block)) = self.blocks.pop_front() else { return };
            for sigma in block.proposal.iter().flat_map(|p| &p.txs) {
                if self.index.get(&sigma.id).is_some_and(|(h, _)| *h == block.header.height) {
                    self.index.remove(&sigma.id);
                }
            }
            self.base = block.header.clone();
            self.base_digest = digest;
        }
    }

    /// Where σ stands: where it was applied, else where it was first ordered and void.
    pub fn find(&self, sigma: &Digest) -> Option<Found> {
        let (height, index) = *self.index.get(sigma)?;
        let void = self.block(height)?.voids.iter().find(|(i, _)| *i == index);
        Some(Found { height, index, fate: void.map_or(Fate::Applied, |(_, why)| Fate::Void(*why)) })
    }

    /// Who took a live nullifier.
    pub fn by_nullifier(&self, nullifier: &Digest) -> Option<&Taken> {
        self.state.taken(nullifier)
    }

    /// Merkle path of a stored σ within its block.
    pub fn path(&self, sigma: &Digest) -> Option<MerklePath> {
        let (height, index) = *self.index.get(sigma)?;
        let proposal = self.block(height)?.proposal.as_ref()?;
        let siblings = merkle::path(&leaves(&proposal.txs), usize::try_from(index).ok()?, &tx_node)?;
        Some(MerklePath { index, count: proposal.header.count, siblings })
    }

    /// Recomputes every hash of the given heights from the stored bytes.
    ///
    /// # Errors
    /// The first height that does not hold, and what is wrong there.
    pub fn verify(&self, heights: RangeInclusive<u64>) -> Result<(), (Seq, Fault)> {
        for h in heights.map(Seq) {
            self.verify_one(h).map_err(|fault| (h, fault))?;
        }
        Ok(())
    }

    fn verify_one(&self, height: Seq) -> Result<(), Fault> {
        if height == self.base.height {
            return if self.base.digest() == self.base_digest { Ok(()) } else { Err(Fault::Header) };
        }
        let (stored, block) = self.entry(height).ok_or(Fault::Missing)?;
        let header = &block.header;
        let parent = self.digest(Seq(height.0 - 1)).ok_or(Fault::Missing)?;
        if header.digest() != *stored || header.height != height {
            Err(Fault::Header)
        } else if header.parent != parent {
            Err(Fault::Parent)
        } else {
            body_of(block)
        }
    }

    /// Changes a stored block behind the chain's back, as a corrupt disk would.
    #[cfg(test)]
    pub(crate) fn change_block(&mut self, height: Seq, change: &dyn Fn(&mut Block)) {
        change(Arc::make_mut(&mut self.blocks[(height.0 - self.base.height.0) as usize - 1].1));
    }

    /// Changes a stored block and links all that follow anew, as who rewrites history would.
    #[cfg(test)]
    pub(crate) fn rewrite(&mut self, height: Seq, change: &dyn Fn(&mut Block)) {
        self.change_block(height, change);
        let mut parent = self.base_digest;
        for (digest, block) in &mut self.blocks {
            let block = Arc::make_mut(block);
            let header = &mut block.header;
            header.parent = parent;
            header.proposal = block.proposal.as_ref().map_or_else(null_digest, |p| p.digest());
            let txs = block.proposal.iter().flat_map(|p| &p.txs);
            let leaves: Vec<merkle::Hash> = txs.map(|sigma| Sigma::leaf_of(&sigma.id, sigma.bytes()).0).collect();
            header.tx_root = root_of_leaves(&leaves);
            header.voids = voids_digest(&block.voids);
            parent = header.digest();
            *digest = parent;
        }
        self.index.clear();
        self.blocks.clone().iter().for_each(|(_, block)| self.index_block(block));
    }

    /// C32("state"; height, block digest, nullacc) at the head.
    pub fn state_digest(&self) -> Digest {
        self.head().state_digest_of(&self.head_digest())
    }
}
