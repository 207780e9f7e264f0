//! A CSC whose inner signature is over something else (CLMMSC.md §5, WORLD.md §10): it wants its command obeyed and not be
//! held to it. Public verification passes, as nobody in public sees the inner signature; every receiver refuses at R10.

use super::prelude::*;
use crate::clmmsc::signcrypt::{signcrypt, signcrypt_disowned};

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
        if let (Input::Timer(TimerId::Plan), Entity::Csc(csc)) = (input, &mut *cx.entity) {
            csc.signcrypt_by(signcrypt_disowned);
            if !aim.strikes(cx, None) {
                restore(cx);
            }
        }
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        restore(cx);
    }
}

fn restore(cx: &mut Cx<'_, '_>) {
    if let Entity::Csc(csc) = &mut *cx.entity {
        csc.signcrypt_by(signcrypt);
    }
}
