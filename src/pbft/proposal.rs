//! Rules about the content of a proposal (PP-7 to PP-11, CONSENSUS.md §2.7). Checks that depend on the log stay in the
//! replica.

use super::config::Config;
use super::rule::{Reason, Rule};
use super::types::Verifier;
use crate::ledger::proposal::{VERSION, null_digest};
use crate::ledger::{Digest, Proposal, Secs, Seq};
use std::collections::BTreeSet;

/// PP-7 and PP-8: the body is the one named by `digest` for this slot. Also the test of every fetched body.
///
/// # Errors
/// The first rule that fails.
pub fn check_body(cfg: &Config, p: &Proposal, seq: Seq, digest: &Digest) -> Result<(), (Rule, Reason)> {
    let h = &p.header;
    let fail = |reason| Err((Rule::Pp7, reason));
    if h.count == 0 || *digest == null_digest() {
        return fail(Reason::EmptyProposal);
    }
    let well_formed = h.version == VERSION
        && h.network_id == cfg.network_id
        && h.seq == seq
        && u64::from(h.count) <= cfg.policy.batch_max
        && h.bytes <= cfg.policy.batch_bytes;
    if !well_formed {
        return fail(Reason::BadHeader);
    }
    if p.digest() != *digest {
        return fail(Reason::DigestMismatch);
    }
    if !p.body_matches() {
        return Err((Rule::Pp8, Reason::BadRoot));
    }
    Ok(())
}

/// PP-9: the proposal's time is close to ours.
///
/// # Errors
/// `BadTime`.
pub fn check_time(cfg: &Config, p: &Proposal, local: Secs) -> Result<(), (Rule, Reason)> {
    if p.header.time.0.abs_diff(local.0) <= cfg.drift { Ok(()) } else { Err((Rule::Pp9, Reason::BadTime)) }
}

/// PP-10: every ciphertext verifies at the proposal's time, at every gateway.
///
/// # Errors
/// The first ciphertext that does not.
pub fn check_ciphertexts(p: &Proposal, verify: &mut dyn Verifier) -> Result<(), (Rule, Reason)> {
    for (index, sigma) in (0u32..).zip(&p.txs) {
        verify.ciphertext(sigma, p.header.time).map_err(|e| (Rule::Pp10, Reason::InvalidCiphertext(index, e)))?;
    }
    Ok(())
}

/// PP-11: no ticket twice, and none that `used` knows.
///
/// # Errors
/// The first ciphertext whose ticket is used.
pub fn check_nullifiers(p: &Proposal, used: impl Fn(&Digest) -> bool) -> Result<(), (Rule, Reason)> {
    let mut seen = BTreeSet::new();
    for (index, sigma) in (0u32..).zip(&p.txs) {
        if !seen.insert(sigma.nullifier) || used(&sigma.nullifier) {
            return Err((Rule::Pp11, Reason::NullifierReused(index)));
        }
    }
    Ok(())
}
