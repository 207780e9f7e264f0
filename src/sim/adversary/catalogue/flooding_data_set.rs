//! Sends its data set a hundred times over (CONSENSUS.md §5.2), to drown those of the others in the primary's pool.
//!
//! It can sign no ciphertext of others, and what it has counts once.

use super::prelude::*;
use crate::pbft::message::DataSet;

/// Copies of each data set.
const COPIES: u64 = 100;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "sends its data set a hundred times",
    "What is in the pool already is refused; the shares of the others stay theirs.",
)
.fires(&[]);

#[derive(Clone, Default)]
pub(super) struct FloodingDataSet;

impl Behaviour for FloodingDataSet {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let flood = match message.message().filter(|_| message.strikes).map(|m| &**m) {
            Some(Message::DataSet(set)) => again(cx, set),
            _ => Vec::new(),
        };
        out.push(message.output);
        let to = cx.others();
        out.extend(
            flood
                .into_iter()
                .map(|set| Output::Fan { to: to.clone(), packet: Packet::Pbft(Arc::new(Message::DataSet(set))) }),
        );
    }
}

fn again(cx: &Cx<'_, '_>, set: &DataSet) -> Vec<DataSet> {
    let numbered = |k| {
        let statement = Statement { seq: Seq(set.signed.statement.seq.0.saturating_add(k)), ..set.signed.statement };
        Some(DataSet { signed: cx.sign(statement)?, items: set.items.clone() })
    };
    (1..=COPIES).filter_map(numbered).collect()
}
