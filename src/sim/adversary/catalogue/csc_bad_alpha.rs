//! A CSC whose inner signature is over something else (CLMMSC.md §5, WORLD.md §10): it wants its command obeyed and not be
//! held to it. Public verification passes, as nobody in public sees the inner signature; every receiver refuses at R10.

use super::prelude::*;
use crate::clmmsc::schnorr::{self, Message, Name, Signature};
use crate::clmmsc::signcrypt::{Envelope, Item, Sign, signcrypt_signed_by};
use crate::clmmsc::{Flow, RecordId};
use crate::sim::adversary::rogue;
use curve25519_dalek::scalar::Scalar;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Csc],
    "signs its commands with a wrong inner signature",
    "The block is stored, but no pile obeys: nobody owns up to the command.",
)
.fires(&["InnerSignature"])
.stops();

#[derive(Clone, Default)]
pub(super) struct CscBadAlpha;

impl Behaviour for CscBadAlpha {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        // The routing list is signed well, or the KGC would pass nothing on.
        let how = Arc::new(|params: &_, env: &Envelope, key: &_, ticket, items: &[Item<'_>], rand: &_| {
            let sign: Sign<'_> = if env.flow == Flow::COMMAND { &disown } else { &schnorr::sign_with };
            signcrypt_signed_by(params, env, key, ticket, items, rand, sign)
        });
        rogue::command_so(cx, aim, input, how);
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        rogue::command_well(cx);
    }
}

/// The inner signature is over another message; arguments as [`schnorr::sign_with`].
fn disown(name: Name, rid: &RecordId, sk: &Scalar, nk: &[u8; 32], m: &Message, rand: &[u8; 32]) -> Signature {
    let mut other = *m;
    other[0] ^= u8::from(name == Name::Inner);
    schnorr::sign_with(name, rid, sk, nk, &other, rand)
}
