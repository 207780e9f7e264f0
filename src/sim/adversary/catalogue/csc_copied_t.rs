//! A CSC that puts the one-time key T of an older ciphertext into its own (CLMMSC.md §0 choice 3, WORLD.md §10), to make a car
//! disclose what opens the older one. T is in the outer key, so its sender must know t: V5 fails in public.

use super::prelude::*;

/// Where T stands in a header.
const T: core::ops::Range<usize> = 32..64;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Csc],
    "copies the one-time key of an older ciphertext",
    "The outer signature fails for everybody: whoever names T must know its secret.",
)
.fires(&["Signature"]);

#[derive(Clone, Default)]
pub(super) struct CscCopiedT {
    old: Option<Vec<u8>>,
}

impl Behaviour for CscCopiedT {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if let (Some(Packet::Submit { gateways, sigma }), Output::Send { to, .. }, true) =
            (message.packet(), &message.output, message.strikes)
        {
            let key = sigma.get(T).map(<[u8]>::to_vec);
            if let (Some(old), Some(_)) = (&self.old, &key) {
                let mut copied = sigma.to_vec();
                copied[T].copy_from_slice(old);
                out.push(Output::Send {
                    to: *to,
                    packet: Packet::Submit { gateways: gateways.clone(), sigma: copied.into() },
                });
            }
            self.old = self.old.take().or(key);
        }
        out.push(message.output);
    }
}
