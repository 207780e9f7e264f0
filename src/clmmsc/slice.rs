//! Slices (CLMMSC.md §11.2): one entry of σ with the proof that it is there, and absence by two neighbours.
//!
//! Wire: `"CLP1" ‖ header[452] ‖ u32 j ‖ entry_j ‖ siblings from leaf to root`. A slice cannot show that tags ascend, so
//! absence counts only for a σ that is known to have passed V6 (on chain it has). Asking for a slice by tag links the one
//! who asks to the entry; the whole broadcast stays the usual way.

use super::check::{Check, Failure};
use super::error::Error;
use super::merkle;
use super::params::Params;
use super::record::SigmaId;
use super::verify::{VerifiedHeader, VerifiedSigma, leaf_hash, node_hash};
use super::wire::{ENTRY_EXTRA, HEADER, TAG, take};

/// First bytes of a slice.
pub const MAGIC: &[u8; 4] = b"CLP1";
/// Magic, header and index.
const FIXED: usize = 4 + HEADER + 4;

/// An entry that is proven to be number `index` of a ciphertext whose header passed V1–V5.
#[derive(Clone, Debug)]
pub struct Slice {
    head: VerifiedHeader,
    index: u32,
    entry: Vec<u8>,
}

/// The slice of entry `index` (§11.2): hashes only; `None` if there is no such entry.
pub fn make(sigma: &VerifiedSigma, index: u32) -> Option<Vec<u8>> {
    let path = merkle::path(&sigma.leaves(), index as usize, &node_hash)?;
    let mut out = MAGIC.to_vec();
    out.extend(sigma.header_bytes());
    out.extend(index.to_le_bytes());
    out.extend(sigma.entry(index));
    path.iter().for_each(|sibling| out.extend(sibling));
    Some(out)
}

impl Slice {
    /// Checks a slice at time `now` (unix seconds): one header check and a path of hashes.
    ///
    /// # Errors
    /// In this order: [`Error::Length`] (too short), [`Error::Magic`], V1–V5 of the header, [`Error::Path`] (no such
    /// entry), [`Error::Length`] (not exactly the bytes), [`Error::Path`] (another root).
    pub fn verify(params: &Params, bytes: &[u8], now: u64) -> Result<Slice, Failure> {
        let refuse = |error| Failure { check: Check::S1, error };
        if bytes.len() < FIXED {
            return Err(refuse(Error::Length));
        }
        if &bytes[..4] != MAGIC {
            return Err(refuse(Error::Magic));
        }
        let head = VerifiedHeader::verify(params, &bytes[4..4 + HEADER], now)?;
        let (n, l) = (head.header().n, head.header().l as usize);
        let index = u32::from_le_bytes(take(bytes, 4 + HEADER));
        let steps = merkle::path_len(index, n).ok_or(refuse(Error::Path))? as usize;
        let entry_end = FIXED + l + ENTRY_EXTRA;
        if bytes.len() != entry_end + 32 * steps {
            return Err(refuse(Error::Length));
        }
        let entry = bytes[FIXED..entry_end].to_vec();
        let path: Vec<[u8; 32]> = (0..steps).map(|i| take(bytes, entry_end + 32 * i)).collect();
        let leaf = leaf_hash(head.context(), index, &entry);
        if !merkle::verify_path(&head.header().root, &leaf, index, n, &path, &node_hash) {
            return Err(refuse(Error::Path));
        }
        Ok(Slice { head, index, entry })
    }

    pub fn head(&self) -> &VerifiedHeader {
        &self.head
    }

    pub fn index(&self) -> u32 {
        self.index
    }

    /// tag ‖ ciphertext ‖ authentication tag.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    fn tag(&self) -> &[u8] {
        &self.entry[..TAG]
    }

    fn sigma(&self) -> SigmaId {
        self.head.id()
    }
}

/// Whether slices prove that no entry of their σ, which is known to have passed V6, carries `tag`: two neighbours around
/// it, the first entry above it, or the last one below it.
pub fn proves_absence(slices: &[Slice], tag: &[u8; TAG]) -> bool {
    match slices {
        [one] => {
            let first = one.index == 0 && tag[..] < *one.tag();
            let last = one.index + 1 == one.head.header().n && *one.tag() < tag[..];
            first || last
        }
        [left, right] => {
            let neighbours = left.sigma() == right.sigma() && left.index.checked_add(1) == Some(right.index);
            neighbours && *left.tag() < tag[..] && tag[..] < *right.tag()
        }
        _ => false,
    }
}
