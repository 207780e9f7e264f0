//! A primary that does as if it had never heard of one ciphertext (CONSENSUS.md §5.2).
//!
//! Omission is suspicion, not proof: gateways that know the ciphertext relay it and watch its deadline.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "leaves one ciphertext out of its blocks",
    "The others have waited long enough for this one and elect the next primary.",
)
.fires(&["TM-1"])
.omits();

#[derive(Clone, Default)]
pub(super) struct HideCiphertext {
    hidden: Option<Digest>,
}

impl Behaviour for HideCiphertext {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        let Input::Deliver { packet, .. } = input else { return Pass::On };
        let leads = cx.replica().is_some_and(|replica| replica.is_primary());
        if !leads || !aim.strikes(cx, None) {
            return Pass::On;
        }
        let heard = match packet {
            Packet::Route(bytes) => parse_sigma(&cx.setup.params, bytes).map(|sigma| vec![sigma.id]),
            Packet::Pbft(message) => match &**message {
                Message::DataSet(set) => Some(set.items.iter().map(|sigma| sigma.id).collect()),
                _ => None,
            },
            _ => None,
        };
        let Some(heard) = heard else { return Pass::On };
        let hidden = *self.hidden.get_or_insert(heard.first().copied().unwrap_or_default());
        if heard.contains(&hidden) { Pass::Swallow } else { Pass::On }
    }
}
