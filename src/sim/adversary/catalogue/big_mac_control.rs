//! Sends a ciphertext that is meant to verify at some gateways only to all of them (CONSENSUS.md §5.2; Clement et al.,
//! *Making Byzantine Fault Tolerant Systems Tolerate Byzantine Faults*, NSDI 2009, the big MAC attack).
//!
//! A negative control: with one public signature instead of a vector of MACs the answer is the same everywhere.

use super::poisoned_data_set::poison;
use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "sends a half-valid ciphertext to everybody",
    "Impossible here: a signature is valid for everybody or for nobody, so all refuse it alike.",
)
.fires(&["RQ-1"]);

#[derive(Clone, Default)]
pub(super) struct BigMacControl;

impl Behaviour for BigMacControl {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let poisoned = match message.message().filter(|_| message.strikes).map(|m| &**m) {
            Some(Message::DataSet(set)) => poison(cx, set),
            _ => None,
        };
        out.push(message.output);
        out.extend(poisoned.map(|set| cx.to_others(Message::DataSet(set))));
    }
}
