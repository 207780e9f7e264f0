//! Batches whose items all weigh the same, so that errors may cancel (CLMMSC.md §7.2, §10; control of A26).

use crate::clmmsc::vote::{self, BatchItem};
use crate::clmmsc::{Params, verify};

/// 1, as a weight.
const ONE: [u8; 16] = 1u128.to_le_bytes();

/// Σ (z_j·P − N_j − e_j·…) = O over ciphertexts.
pub(crate) fn verify_sigmas(params: &Params, sigmas: &[&[u8]]) -> bool {
    verify::verify_batch_with(params, sigmas, &vec![ONE; sigmas.len()])
}

/// Σ (z_j·P − N_j − e_j·PK_j) = O over votes.
pub(crate) fn verify_votes(items: &[BatchItem<'_>]) -> bool {
    vote::verify_batch_with(items, &vec![ONE; items.len()])
}
