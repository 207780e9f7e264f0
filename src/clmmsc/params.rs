//! Public parameters (CLMMSC.md §3.1): Ppub and the policy, bound into one id.

use super::error::Error;
use super::group;
use super::hash::{h32, label};
use curve25519_dalek::ristretto::RistrettoPoint;
use serde::{Deserialize, Serialize};

/// Suite 1: ristretto255, SHA-512, ChaCha20-Poly1305.
pub const SUITE: u8 = 1;

/// Rules that all verifiers share; part of the parameters' id, so replicas cannot agree by accident.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// Seconds per epoch, at least 1.
    pub epoch_len: u32,
    /// Tolerated clock difference in seconds.
    pub skew: u32,
    /// Longest lifetime of a σ in seconds.
    pub ttl_max: u32,
    /// Largest σ in bytes.
    pub max_bytes: u64,
}

impl Policy {
    fn bytes(&self) -> [u8; 20] {
        let mut out = [0; 20];
        out[..4].copy_from_slice(&self.epoch_len.to_le_bytes());
        out[4..8].copy_from_slice(&self.skew.to_le_bytes());
        out[8..12].copy_from_slice(&self.ttl_max.to_le_bytes());
        out[12..].copy_from_slice(&self.max_bytes.to_le_bytes());
        out
    }
}

/// `params_id = H32("params"; [1], net, enc(Ppub), policy)` and what it covers.
#[derive(Clone, Debug)]
pub struct Params {
    pub net: String,
    pub policy: Policy,
    pub ppub: RistrettoPoint,
    pub id: [u8; 32],
}

impl Params {
    /// Checks and binds parameters: params_id = H32("params"; suite and network, enc(Ppub), policy) (§3.1). Cost: D.
    ///
    /// # Errors
    /// [`Error::PointEncoding`] for Ppub, [`Error::Count`] for an epoch of zero seconds.
    pub fn new(net: &str, ppub: &[u8; 32], policy: Policy) -> Result<Params, Error> {
        if policy.epoch_len == 0 {
            return Err(Error::Count);
        }
        let point = group::dec(ppub)?;
        let id = h32(label::PARAMS, &[&[SUITE], net.as_bytes(), ppub, &policy.bytes()]);
        Ok(Params { net: net.into(), policy, ppub: point, id })
    }

    /// Epoch of a time in unix seconds, not yet narrowed to the 32 bits of a header.
    pub fn epoch_wide(&self, unix: u64) -> u64 {
        unix / u64::from(self.policy.epoch_len)
    }

    /// Epoch of a time in unix seconds; times beyond the last epoch count as the last.
    pub fn epoch(&self, unix: u64) -> u32 {
        u32::try_from(self.epoch_wide(unix)).unwrap_or(u32::MAX)
    }

    /// When a nullifier of `epoch` may be forgotten (CLMMSC.md §7.1): strictly after this time, in unix seconds.
    pub fn prune_after(&self, epoch: u32) -> u64 {
        (u64::from(epoch) + 1)
            .saturating_mul(u64::from(self.policy.epoch_len))
            .saturating_add(u64::from(self.policy.ttl_max))
    }
}
