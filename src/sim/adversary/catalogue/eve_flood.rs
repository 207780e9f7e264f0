//! The network between an actor and the others is the enemy: with each ciphertext come thirty that look like it and are signed by
//! nobody (Dolev and Yao 1983; WORLD.md §10). They cost their readers the public checks and nothing more. The actor itself stays honest.

use super::eve_splice::carrying;
use super::prelude::*;
use crate::clmmsc::wire::SIGNED;
use rand_core::Rng;

/// False ciphertexts for each true one.
const FLOOD: u32 = 30;

pub(super) const ABOUT: Description = Description::of(
    &[],
    "is behind a network that floods with false ciphertexts",
    "Each false ciphertext costs one look at its signature; none gets further.",
)
.fires(&["Signature"])
.omits();

#[derive(Clone, Default)]
pub(super) struct EveFlood;

impl Behaviour for EveFlood {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if let Some(bytes) = message.packet().and_then(Packet::sigma).filter(|_| message.strikes).cloned() {
            for _ in 0..FLOOD {
                let mut other = bytes.to_vec();
                cx.rng.fill_bytes(&mut other[SIGNED..SIGNED + 32]);
                out.extend(carrying(&message.output, other.into()));
            }
        }
        out.push(message.output);
    }
}
