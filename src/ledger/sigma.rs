//! A ciphertext as the ledger sees it: its bytes and the few public parts of them that ordering needs (CONSENSUS.md §2.4).
//!
//! The parts are a function of the bytes, computed by the scheme's parser; whoever builds a `Sigma` must take them from
//! there and never from a peer.

use super::hash::c32;
use super::kept::Kept;
use super::types::{Digest, Secs};
use core::fmt;
use std::sync::Arc;

/// One multicast ciphertext σ.
#[derive(Clone, PartialEq, Eq)]
pub struct Sigma {
    bytes: Arc<[u8]>,
    /// σ_id of CLMMSC.md.
    pub id: Digest,
    /// Record id of the one-time ticket.
    pub nullifier: Digest,
    /// Epoch of the ticket.
    pub epoch: u32,
    /// Last second at which σ may be accepted (created + ttl), unix.
    pub expires: Secs,
    leaf: Digest,
    /// The running hash over nullifiers with this one, which is the same at everybody who executes the same order.
    pub(super) taken: Kept<Digest, Digest>,
}

impl Sigma {
    /// From the bytes and the parts the scheme's parser found in them.
    pub fn new(bytes: impl Into<Arc<[u8]>>, id: Digest, nullifier: Digest, epoch: u32, expires: Secs) -> Self {
        let bytes = bytes.into();
        let leaf = Sigma::leaf_of(&id, &bytes);
        Sigma { bytes, id, nullifier, epoch, expires, leaf, taken: Kept::default() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes without copying them.
    pub fn shared_bytes(&self) -> Arc<[u8]> {
        self.bytes.clone()
    }

    /// Leaf of the tree of ciphertexts, hashed once per σ.
    pub fn leaf(&self) -> Digest {
        self.leaf
    }

    /// C32("txbytes"; bytes): what an inclusion proof carries instead of the bytes.
    pub fn bytes_hash(bytes: &[u8]) -> Digest {
        c32("txbytes", &[bytes])
    }

    /// Leaf hash recomputed from the bytes.
    pub fn leaf_of(id: &Digest, bytes: &[u8]) -> Digest {
        Sigma::leaf_of_hash(id, &Sigma::bytes_hash(bytes))
    }

    /// Leaf hash from the hash of the bytes.
    pub fn leaf_of_hash(id: &Digest, bytes_hash: &Digest) -> Digest {
        c32("txleaf", &[&id.0, &bytes_hash.0])
    }
}

impl fmt::Debug for Sigma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sigma({}, {} bytes)", self.id.short(8), self.bytes.len())
    }
}
