//! Stub cryptography for runs that are only about agreement (CONSENSUS.md §4.6): signatures anybody could make.
//!
//! It replaces what costs time and nothing else: who signs what, and when a signature counts, stay as they are. Every
//! scenario that uses it says so, and every screen that shows such a run must too. Nothing real may accept it: only a
//! [`super::io::Bench`] told to does.

use super::packet::parse_sigma;
use crate::clmmsc::record::{Class, Flow, Record, Role};
use crate::clmmsc::wire::{HEADER, MAGIC, SIGNED, VERSION};
use crate::clmmsc::{Params, RecordId};
use crate::ledger::{Secs, Sigma};
use crate::pbft::{Sig, Signer, Statement, VerifyError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};

/// Whether a run's signatures are real.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crypto {
    #[default]
    Real,
    Stub,
}

/// First 64 bytes of SHA-512 over the key's name and the signed bytes.
pub fn signature(rid: &[u8; 32], bytes: &[u8]) -> Sig {
    Sig(Sha512::new().chain_update(rid).chain_update(bytes).finalize().into())
}

/// A gateway's stub key: its record id.
#[derive(Clone, Copy, Debug)]
pub struct StubKey(pub RecordId);

impl Signer for StubKey {
    fn sign(&self, st: &Statement) -> Sig {
        signature(&self.0.0, &st.bytes())
    }
}

/// What a stub ciphertext says: the public parts that ordering needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stub {
    /// Makes its ticket one of a kind.
    pub number: u64,
    /// Unix seconds.
    pub created: u64,
    pub ttl: u32,
    /// Receivers; each has an entry of zeros.
    pub receivers: u32,
}

/// Bytes of one entry of a stub ciphertext, as long as a real one of the smallest size.
const ENTRY: usize = 96;
/// Where the outer signature stands in the header.
const OUTER: core::ops::Range<usize> = SIGNED..HEADER;

fn outer(params: &Params, bytes: &[u8]) -> Sig {
    let entries = bytes.get(HEADER..).unwrap_or_default();
    let hash = Sha512::new().chain_update(params.id).chain_update(&bytes[..SIGNED.min(bytes.len())]);
    Sig(hash.chain_update(entries).finalize().into())
}

/// A stub ciphertext of flow 1 in the header layout of CLMMSC.md §6, with its outer signature; `None` never happens for
/// a header of full length.
pub fn sigma(params: &Params, what: &Stub) -> Option<Sigma> {
    let mut bytes = vec![0; HEADER + what.receivers as usize * ENTRY];
    let epoch = params.epoch(what.created);
    let mut unique = [0; 32];
    unique[..8].copy_from_slice(&what.number.to_le_bytes());
    let ticket = Record::new(Class::Ticket, Role::Csc, epoch, epoch, &unique, &[0; 32], &[0; 32]);
    for (at, part) in [
        (0, &MAGIC[..]),
        (4, &[VERSION, 0, Flow::COMMAND.code(), 0]),
        (8, &epoch.to_le_bytes()),
        (12, &what.created.to_le_bytes()),
        (20, &what.ttl.to_le_bytes()),
        (24, &what.receivers.to_le_bytes()),
        (64, &ticket.0),
    ] {
        bytes[at..at + part.len()].copy_from_slice(part);
    }
    let sig = outer(params, &bytes);
    bytes[OUTER].copy_from_slice(&sig.0);
    parse_sigma(params, &bytes)
}

/// Whether the outer signature is the stub's; depends on the bytes alone.
pub fn signed(params: &Params, sigma: &Sigma) -> bool {
    let bytes = sigma.bytes();
    bytes.get(OUTER).is_some_and(|sig| sig == outer(params, bytes).0)
}

/// The stub's V2 and V3: made in its epoch, not in the future, not expired.
///
/// # Errors
/// The name of the failing check, as the scheme's.
pub fn timely(params: &Params, sigma: &Sigma, at: Secs) -> Result<(), VerifyError> {
    let created = sigma.bytes().get(12..20).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    let early = created > at.0.saturating_add(params.policy.skew.into());
    let error = match () {
        () if params.epoch(created) != sigma.epoch => "EpochMismatch",
        () if early => "NotYetValid",
        () if at > sigma.expires => "Expired",
        () => return Ok(()),
    };
    Err(VerifyError(error.into()))
}
