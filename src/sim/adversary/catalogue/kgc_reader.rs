//! A KGC that tries all it holds on each ciphertext that it routes (CLMMSC.md §12, WORLD.md §10). Half a key is no key: with its
//! own it finds no entry, as anybody else would.

use super::prelude::*;
use crate::clmmsc::open::{decapsulate, locate};
use crate::clmmsc::verify::VerifiedSigma;
use crate::entities::fact::FactKind;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Kgc],
    "tries to read what it routes",
    "It finds no entry that its key opens; what it routes stays closed to it.",
)
.fires(&[])
.omits();

#[derive(Clone, Default)]
pub(super) struct KgcReader {
    seen: Option<Arc<[u8]>>,
}

impl Behaviour for KgcReader {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        if let (Input::Deliver { packet: Packet::Submit { sigma, .. }, .. }, true) = (input, aim.strikes(cx, None)) {
            self.seen = Some(sigma.clone());
        }
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, out: &mut Vec<Output>) {
        let (Some(sigma), Entity::Kgc(kgc)) = (self.seen.take(), &*cx.entity) else { return };
        let Ok(verified) = VerifiedSigma::verify(&cx.setup.params, &sigma, cx.setup.unix(cx.now).0) else { return };
        if locate(&verified, &decapsulate(verified.head(), kgc.key())).is_err() {
            let kind = FactKind::NotAReceiver { sigma: Digest(verified.id().0) };
            out.push(Output::Fact { kind, rule: None });
        }
    }
}
