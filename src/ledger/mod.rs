//! Floor 2: Merkle tree of ciphertexts, hash-linked blocks, the consortium chain (CONSENSUS.md §2.4, §3.12).

pub mod block;
pub mod chain;
pub mod codec;
pub mod hash;
mod kept;
pub mod proposal;
pub mod sigma;
pub mod state;
#[cfg(test)]
mod tests;
pub mod types;

pub use block::{Block, BlockHeader, VoidReason};
pub use chain::Chain;
pub use proposal::{Proposal, ProposalHeader};
pub use sigma::Sigma;
pub use state::{Policy, State, apply};
pub use types::{Digest, Micros, Secs, Seq};
