//! A KGC that hands out a partial key that is wrong by one bit (CLMMSC.md §3.4, WORLD.md §10).
//! The user's check d·P = R + h·Ppub refuses it.

use super::prelude::*;
use crate::clmmsc::keys::IssuedItem;
use crate::clmmsc::kgc::{Issue, MasterKey};
use crate::clmmsc::{Error, Params};
use crate::entities::kgc::Issuer;
use crate::sim::adversary::rogue::OtherKeys;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Kgc],
    "hands out wrong partial keys",
    "The user's equation fails; it refuses the key, and no network begins without it.",
)
.fires(&["PartialKey"])
.stops();

#[derive(Clone, Default)]
pub(super) struct KgcWrongD;

impl OtherKeys for KgcWrongD {
    const ISSUER: Issuer = issue;
}

fn issue(
    master: &MasterKey,
    params: &Params,
    what: &Issue,
    x: &[u8; 32],
    rand32: &[u8; 32],
) -> Result<IssuedItem, Error> {
    let (record, d) = master.issue(params, what, x, rand32)?;
    let mut wrong = *d;
    wrong[0] ^= 1;
    Ok((record, wrong.into()))
}
