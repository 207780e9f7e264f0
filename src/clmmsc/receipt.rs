//! Receipts (CLMMSC.md §11.3): that an EV or its pile processed σ. They travel inside the signed upload of flow 4.

use super::hash::{h16, label};
use super::open::EntryKey;
use super::record::SigmaId;

/// Status: the car gave its key for σ to the pile.
pub const RELEASED: u8 = 0;

/// One receipt. Send them batched at fixed times: immediate ones help statistical disclosure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    pub sigma: SigmaId,
    pub status: u8,
    pub rc: [u8; 16],
}

impl Receipt {
    /// rc = H16("ack"; k_i, σ_id, \[status\]).
    pub fn new(k: &EntryKey, sigma: SigmaId, status: u8) -> Receipt {
        Receipt { sigma, status, rc: h16(label::ACK, &[k.as_bytes(), &sigma.0, &[status]]) }
    }
}
