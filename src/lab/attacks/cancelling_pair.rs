//! Cancelling pair: two wrongs that would make a right in a batch (A26; CLMMSC.md §7.2, §10).

use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::schnorr::Signature;
use crate::clmmsc::vote::{self, BatchItem};
use crate::clmmsc::weak::batches;
use crate::clmmsc::wire::{HEADER, SIGNED};
use crate::clmmsc::{Check, Class, Error, Failure, Flow, Role, group, verify};
use crate::lab::people::scalar;
use curve25519_dalek::scalar::Scalar;

pub(super) const ATTACKS: [Attack; 1] = [Attack {
    id: 26,
    title: "Cancel one error with another",
    role: "A gateway that fills a block, or a certificate of votes, with signatures nobody made.",
    moves: &[
        "take two valid ciphertexts, add δ to z of one and take it from z of the other",
        "do the same with two votes of a certificate",
        "hide the pair among valid ones, in every pair of places",
    ],
    expected: "the batch is refused, and V5 Signature, K1 Signature name both culprits",
    control: "all weights of the batch are 1",
    run: a26,
}];

/// How many signatures a batch holds.
const SIZE: usize = 5;

/// z + δ in the last 32 bytes.
fn shifted(signature: &[u8], delta: &Scalar) -> Vec<u8> {
    let mut out = signature.to_vec();
    let at = out.len() - 32;
    let z: [u8; 32] = out[at..].try_into().unwrap_or_default();
    let z = Scalar::from_bytes_mod_order(z) + delta;
    out[at..].copy_from_slice(z.as_bytes());
    out
}

fn a26(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("ev0", Class::Id, Role::Ev)?;
    let delta = group::scal(&scalar(&mut people.rng))?;
    ciphertexts(people, trial, &delta)?;
    votes(people, trial, &delta)
}

/// Pairs of different places in a batch.
fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..SIZE).flat_map(|a| (0..SIZE).map(move |b| (a, b))).filter(|(a, b)| a != b)
}

fn ciphertexts(people: &mut People, trial: &mut Trial, delta: &Scalar) -> Result<(), Stuck> {
    let made = (0..SIZE).map(|_| Ok(people.post(Flow::COMMAND, &[("ev0", b"7 kW")], 64, 0)?.made.bytes));
    let good = made.collect::<Result<Vec<_>, Error>>()?;
    let batch =
        |all: &[Vec<u8>], check: &dyn Fn(&[&[u8]]) -> bool| check(&all.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let honest = batch(&good, &|all| verify::verify_batch(&people.params, all));
    trial.holds(format!("{SIZE} honest ciphertexts, for comparison"), honest, "accepted");
    let (mut refused, mut accepted, mut count) = (0, 0, 0);
    for (a, b) in pairs() {
        let mut bad = good.clone();
        for (at, delta) in [(a, *delta), (b, -*delta)] {
            let signature = shifted(&bad[at][SIGNED..HEADER], &delta);
            bad[at][SIGNED..HEADER].copy_from_slice(&signature);
        }
        count += 1;
        refused += usize::from(!batch(&bad, &|all| verify::verify_batch(&people.params, all)));
        accepted += usize::from(batch(&bad, &|all| batches::verify_sigmas(&people.params, all)));
        if (a, b) == (0, 1) {
            trial.refused("z + δ of a ciphertext, alone", Check::V5, Error::Signature, people.gateway(&bad[a]));
            trial.refused("z − δ of the other, alone", Check::V5, Error::Signature, people.gateway(&bad[b]));
        }
    }
    let tried = format!("z + δ and z − δ in a batch of {SIZE} ciphertexts");
    trial.holds(&*tried, refused == count, format!("{refused} of {count} batches refused"));
    trial.breaks(tried, accepted == count, format!("{accepted} of {count} batches with two forgeries accepted"));
    Ok(())
}

fn votes(people: &mut People, trial: &mut Trial, delta: &Scalar) -> Result<(), Stuck> {
    let names: Vec<String> = (0..SIZE).map(|i| format!("css{i}")).collect();
    names.iter().try_for_each(|name| people.person(name, Class::Id, Role::Css))?;
    let body = b"commit block 4 in view 0";
    let m = vote::digest(&people.params, body);
    let mut good = Vec::new();
    for name in &names {
        let rand = people.bytes();
        good.push(vote::sign(&people.params, people.pair(name)?, body, &rand));
    }
    let batch = |all: &[Signature], check: &dyn Fn(&[BatchItem<'_>]) -> bool| {
        let item = |(name, signature): (&String, &Signature)| {
            Ok(BatchItem { voter: people.pair(name)?.public(), message: m, signature: *signature })
        };
        Ok::<_, Error>(check(&names.iter().zip(all).map(item).collect::<Result<Vec<_>, Error>>()?))
    };
    let honest = batch(&good, &vote::verify_batch)?;
    trial.holds(format!("{SIZE} honest votes, for comparison"), honest, "accepted");
    let (mut refused, mut accepted, mut count) = (0, 0, 0);
    for (a, b) in pairs() {
        let mut bad = good.clone();
        for (at, delta) in [(a, *delta), (b, -*delta)] {
            let signature = shifted(&bad[at], &delta);
            bad[at].copy_from_slice(&signature);
        }
        count += 1;
        refused += usize::from(!batch(&bad, &vote::verify_batch)?);
        accepted += usize::from(batch(&bad, &batches::verify_votes)?);
        if (a, b) == (0, 1) {
            let voter = people.pair(&names[a])?.public();
            let outcome = vote::verify(&people.params, voter, people.epoch(), body, &bad[a]);
            trial.refused(
                "z + δ of a vote, alone",
                Check::K1,
                Error::Signature,
                outcome.map_err(Failure::at(Check::K1)),
            );
        }
    }
    let tried = format!("z + δ and z − δ in a certificate of {SIZE} votes");
    trial.holds(&*tried, refused == count, format!("{refused} of {count} certificates refused"));
    trial.breaks(tried, accepted == count, format!("{accepted} of {count} certificates with two forgeries accepted"));
    Ok(())
}
