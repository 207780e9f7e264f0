//! Adds a ciphertext with a broken signature to its data set (CONSENSUS.md §5.2). That item is dropped, the rest is kept.

use super::prelude::*;
use super::tampered_ciphertext::tampered;
use crate::pbft::message::DataSet;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "adds a broken ciphertext to its data set",
    "The broken item is dropped, the others are taken.",
)
.fires(&["RQ-1"]);

#[derive(Clone, Default)]
pub(super) struct PoisonedDataSet;

impl Behaviour for PoisonedDataSet {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let poisoned = match message.message().filter(|_| message.strikes).map(|m| &**m) {
            Some(Message::DataSet(set)) => poison(cx, set),
            _ => None,
        };
        match (poisoned, message.output) {
            (Some(set), Output::Send { to, .. }) => {
                out.push(Output::Send { to, packet: Packet::Pbft(Arc::new(Message::DataSet(set))) });
            }
            (_, output) => out.push(output),
        }
    }
}

/// The same set with a tampered copy of its first item behind it.
pub(super) fn poison(cx: &Cx<'_, '_>, set: &DataSet) -> Option<DataSet> {
    let mut items = set.items.clone();
    items.push(tampered(cx, items.first()?)?);
    let digest = DataSet::content_digest(&items);
    Some(DataSet { signed: cx.sign(Statement { digest, ..set.signed.statement })?, items })
}
