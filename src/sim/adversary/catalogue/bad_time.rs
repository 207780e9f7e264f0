//! Dates its block an hour ahead (CONSENSUS.md §5.2). A block's time decides which ciphertexts are valid and which tickets
//! are forgotten, so every backup compares it with its own clock (PP-9).

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "dates its block an hour ahead",
    "The block's clock and that of every backup are an hour apart; nobody prepares it.",
)
.fires(&["PP-9", "BadTime", "TM-1"]);

#[derive(Clone, Default)]
pub(super) struct BadTime;

impl Behaviour for BadTime {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if !message.strikes {
            return out.push(message.output);
        }
        let change = |honest: &Proposal| {
            let mut bad = Proposal::new(honest.header.clone(), honest.txs.clone());
            bad.header.time.0 += 3_600;
            Some(bad)
        };
        swap(cx, message.output, change, out);
    }
}
