//! A KGC that hands out a partial key that is wrong by one bit (CLMMSC.md §3.4, WORLD.md §10). The user checks d·P = R + h·Ppub before it
//! accepts a key, refuses this one, and has none: no key is better than one that somebody else may know.

use super::prelude::*;
use crate::clmmsc::keys::IssuedItem;
use crate::clmmsc::kgc::{Issue, MasterKey};
use crate::clmmsc::{Error, Params};
use crate::sim::adversary::rogue;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Kgc],
    "hands out wrong partial keys",
    "The user's equation fails; it refuses the key, and no network begins without it.",
)
.fires(&["PartialKey"])
.stops();

#[derive(Clone, Default)]
pub(super) struct KgcWrongD;

impl Behaviour for KgcWrongD {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        rogue::issue_so(cx, aim, input, issue);
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        rogue::issue_well(cx);
    }
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
