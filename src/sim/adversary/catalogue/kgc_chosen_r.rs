//! A KGC that chooses R = c·P − X, so that it knows what the public key hides (CLMMSC.md §3.4, WORLD.md §10). The user checks d·P = R + h·Ppub before it
//! accepts a key, refuses this one, and has none: no key is better than one that somebody else may know.

use super::prelude::*;
use crate::clmmsc::keys::IssuedItem;
use crate::clmmsc::kgc::{Issue, MasterKey};
use crate::clmmsc::{Error, Params, Record, group};
use crate::sim::adversary::rogue;
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

impl Behaviour for KgcChosenR {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        rogue::issue_so(cx, aim, input, issue);
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        rogue::issue_well(cx);
    }
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
