//! A pile that claims it never got a command (WORLD.md §10). It did: the block is published to it like to everybody, and the chain
//! says so; its car is not charged.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Cp],
    "claims that it got no command",
    "Its car is not charged; the chain proves that the command was there.",
)
.fires(&[])
.omits();

#[derive(Clone, Default)]
pub(super) struct CpDenies;

impl Behaviour for CpDenies {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        let hears = matches!(input, Input::Deliver { packet: Packet::Area(_), .. });
        if hears && aim.strikes(cx, None) { Pass::Swallow } else { Pass::On }
    }
}
