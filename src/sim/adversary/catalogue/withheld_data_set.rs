//! A gateway that keeps the ciphertexts of its area for itself (CONSENSUS.md §5.2).
//!
//! The routing KGC, the client of OSDI'99 §4.1, misses its stored-receipt and asks all gateways.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "keeps its ciphertexts for itself",
    "Without a receipt in time the KGC asks all gateways, and another one brings the ciphertext in.",
)
.fires(&[])
.omits();

#[derive(Clone, Default)]
pub(super) struct WithheldDataSet;

impl Behaviour for WithheldDataSet {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let data_set = matches!(message.message().map(|m| &**m), Some(Message::DataSet(_)));
        if !(data_set && message.strikes) {
            out.push(message.output);
        }
    }
}
