//! A CSC whose inner signature is over something else (CLMMSC.md §5, WORLD.md §10): it wants its command obeyed and not be
//! held to it. Public verification passes, as nobody in public sees the inner signature; every receiver refuses at R10.

use super::prelude::*;
use crate::clmmsc::Flow;
use crate::clmmsc::signcrypt::{Envelope, Item, signcrypt, signcrypt_disowned};
use crate::sim::adversary::rogue;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Csc],
    "signs its commands with a wrong inner signature",
    "The block is stored, but no pile obeys: nobody owns up to the command.",
)
.fires(&["InnerSignature"])
.stops();

#[derive(Clone, Default)]
pub(super) struct CscBadAlpha;

impl Behaviour for CscBadAlpha {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        // The routing list is signed well, or the KGC would pass nothing on.
        let how =
            Arc::new(|params: &_, env: &Envelope, key: &_, ticket, items: &[Item<'_>], rand: &_| match env.flow {
                Flow::COMMAND => signcrypt_disowned(params, env, key, ticket, items, rand),
                _ => signcrypt(params, env, key, ticket, items, rand),
            });
        rogue::command_so(cx, aim, input, how);
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        rogue::command_well(cx);
    }
}
