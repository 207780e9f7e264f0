//! Floor 2: Merkle tree of ciphertexts, hash-linked blocks, the consortium chain (CONSENSUS.md §2.4, §3.12).

pub mod types;

pub use types::{Digest, Micros, Secs, Seq};
