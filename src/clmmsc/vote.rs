//! Vote signatures of the gateways (CLMMSC.md §10): the same certificateless keys, no second signature library.

use super::error::Error;
use super::group;
use super::hash::{h64, label};
use super::keys::{KeyPair, batch_weights, weight_scalar};
use super::params::Params;
use super::record::{BASE, Class, PublicRecord, Role};
use super::schnorr::{self, Message, Name, Signature};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};

/// M = H64("vm"; params_id, body).
pub fn digest(params: &Params, body: &[u8]) -> Message {
    h64(label::VM, &[&params.id, body])
}

/// Signs a consensus message (§10). Cost: F + C; `rand32` zero makes it deterministic.
pub fn sign(params: &Params, key: &KeyPair, body: &[u8], rand32: &[u8; 32]) -> Signature {
    schnorr::sign(Name::Vote, key, &digest(params, body), rand32)
}

/// The voter's record: class ID, role CSS, valid at the epoch of the block in question.
///
/// # Errors
/// [`Error::VoteRecord`].
pub fn check_voter(voter: &PublicRecord, epoch: u32) -> Result<(), Error> {
    let may = voter.record.is(Class::Id, Role::Css) && voter.record.valid_at(epoch);
    if may { Ok(()) } else { Err(Error::VoteRecord) }
}

/// Verifies one vote over `body`: N = z·P − e·PK (§10). Cost: M2 + C; membership of the validator set is the caller's.
///
/// # Errors
/// [`Error::VoteRecord`], [`Error::ScalarEncoding`], [`Error::Signature`].
pub fn verify(params: &Params, voter: &PublicRecord, epoch: u32, body: &[u8], sig: &Signature) -> Result<(), Error> {
    check_voter(voter, epoch)?;
    schnorr::verify_cached(Name::Vote, voter, &digest(params, body), sig)
}

/// Both sides of the vote equation N = z·P − e·PK, encoded: as sent, and recomputed.
///
/// # Errors
/// [`Error::ScalarEncoding`].
pub fn equation(
    params: &Params,
    voter: &PublicRecord,
    body: &[u8],
    sig: &Signature,
) -> Result<([u8; 32], [u8; 32]), Error> {
    let recomputed = schnorr::commitment(Name::Vote, voter, &digest(params, body), sig)?;
    Ok((schnorr::halves(sig).0, group::enc(&recomputed)))
}

/// One vote of a batch.
pub struct BatchItem<'a> {
    pub voter: &'a PublicRecord,
    pub message: Message,
    pub signature: Signature,
}

/// Weights of a vote batch: seed H64("batch-v"; rid ‖ sig ‖ M, ..).
pub fn batch_vote_weights(items: &[BatchItem<'_>]) -> Vec<[u8; 16]> {
    let joined: Vec<Vec<u8>> =
        items.iter().map(|i| [i.voter.rid.0.as_slice(), &i.signature, &i.message].concat()).collect();
    let parts: Vec<&[u8]> = joined.iter().map(Vec::as_slice).collect();
    batch_weights(&h64(label::BATCH_V, &parts), items.len())
}

/// Σ w_j(z_j·P − N_j − e_j·PK_j) = O. An N or z that does not decode fails the batch.
pub fn verify_batch(items: &[BatchItem<'_>]) -> bool {
    verify_batch_with(items, &batch_vote_weights(items))
}

/// The same with these weights.
pub(super) fn verify_batch_with(items: &[BatchItem<'_>], weights: &[[u8; 16]]) -> bool {
    let (mut base, mut scalars, mut points) = (Scalar::ZERO, Vec::new(), Vec::new());
    for (item, weight) in items.iter().zip(weights) {
        let (n, z) = schnorr::halves(&item.signature);
        let (Ok(big_n), Ok(z)) = (group::dec(&n), group::scal(&z)) else { return false };
        let w = weight_scalar(weight);
        let e = schnorr::challenge(Name::Vote, &item.voter.rid, &n, &item.message);
        base += w * z;
        scalars.extend([-w, -(w * e)]);
        points.extend([big_n, item.voter.pk]);
    }
    scalars.push(base);
    points.push(BASE);
    RistrettoPoint::vartime_multiscalar_mul(scalars, points) == RistrettoPoint::identity()
}
