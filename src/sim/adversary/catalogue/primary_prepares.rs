//! A primary that adds a PREPARE to its own proposal (CONSENSUS.md §5.2): its pre-prepare was its vote, and a second one
//! would let it count twice.

use super::prelude::*;

pub(super) const ABOUT: Description =
    Description::of(&[Role::Css], "prepares its own proposal", "Refused: its pre-prepare was its vote.")
        .fires(&["PR-1", "PV"]);

#[derive(Clone, Default)]
pub(super) struct PrimaryPrepares;

impl Behaviour for PrimaryPrepares {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let prepare = proposal_of(&message.output)
            .filter(|_| message.strikes)
            .and_then(|(_, signed, _)| cx.sign(Statement { kind: Kind::Prepare, ..signed.statement }));
        out.push(message.output);
        out.extend(prepare.map(|signed| cx.to_others(Message::Prepare(signed))));
    }
}
