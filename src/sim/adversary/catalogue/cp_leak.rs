//! A pile that passes on what it opened (CLMMSC.md §13, WORLD.md §10): its neighbour, and whoever listens, reads this one command in
//! clear. That cannot be hindered, but it is one message: the pile has no key to any other.

use super::prelude::*;
use crate::entities::command::Command;
use crate::entities::fact::FactKind;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Cp],
    "passes on the commands that it opened",
    "The neighbour reads this one command and no other: the pile had the key to no more.",
)
.fires(&[]);

#[derive(Clone, Default)]
pub(super) struct CpLeak;

impl Behaviour for CpLeak {
    fn after(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, out: &mut Vec<Output>) {
        let opened = out.iter().find_map(|output| match output {
            Output::Fact { kind: FactKind::Opened { sigma, flow: 1, error: None }, .. } => Some(*sigma),
            _ => None,
        });
        let (Some(sigma), Entity::Cp(cp)) = (opened, &*cx.entity) else { return };
        // A command has one encoding, so this is the message as it was opened.
        let Some(message) = cp.order().map(|profile| Command::Profile(profile.clone()).encode()) else { return };
        if aim.strikes(cx, None) {
            cx.give_away(sigma, message.into(), out);
        }
    }
}
