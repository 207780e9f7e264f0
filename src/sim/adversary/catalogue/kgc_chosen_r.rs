//! A KGC that chooses R = c·P − X, so that it knows what the public key hides (CLMMSC.md §3.4, WORLD.md §10).
//! The user's check d·P = R + h·Ppub refuses it.

use super::prelude::*;
use crate::clmmsc::keys::IssuedItem;
use crate::clmmsc::kgc::{Issue, MasterKey};
use crate::clmmsc::{Error, Params, Record, group};
use crate::entities::kgc::Issuer;
use crate::sim::adversary::rogue::OtherKeys;
use curve25519_dalek::ristretto::RistrettoPoint;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Kgc],
    "chooses keys whose secret it knows",
    "The user's equation fails: with R made from X there is no d, and the key is refused.",
)
.fires(&["PartialKey"])
.stops();

#[derive(Clone, Default)]
pub(super) struct KgcChosenR;

impl OtherKeys for KgcChosenR {
    const ISSUER: Issuer = issue;
}

/// R = c·P − X, and c in the place of d.
fn issue(
    master: &MasterKey,
    params: &Params,
    what: &Issue,
    x: &[u8; 32],
    rand32: &[u8; 32],
) -> Result<IssuedItem, Error> {
    let (record, c) = master.issue(params, what, x, rand32)?;
    let r = RistrettoPoint::mul_base(&group::scal(&c)?) - group::dec(x)?;
    let chosen = Record::new(what.class, what.role, what.from, what.to, &record.f(), x, &group::enc(&r));
    Ok((chosen, c))
}
