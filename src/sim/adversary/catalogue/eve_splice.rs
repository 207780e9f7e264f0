//! The network between an actor and the others is the enemy: it puts the entries of one ciphertext under the header of another
//! (Dolev and Yao 1983; WORLD.md §10). The actor itself stays honest.

use super::prelude::*;
use crate::clmmsc::wire::HEADER;

pub(super) const ABOUT: Description = Description::of(
    &[],
    "is behind a network that splices ciphertexts",
    "Entries under another header do not hash to its signed root.",
)
.fires(&["Root"])
.omits();

#[derive(Clone, Default)]
pub(super) struct EveSplice {
    last: Option<Arc<[u8]>>,
}

impl Behaviour for EveSplice {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let bytes = message.packet().and_then(Packet::sigma).filter(|_| message.strikes).cloned();
        if let Some(spliced) = bytes.and_then(|bytes| splice(&bytes, self.last.replace(bytes.clone())))
            && let Some(output) = carrying(&message.output, spliced.into())
        {
            out.push(output);
        }
        out.push(message.output);
    }
}

/// Entries of the other ciphertext if they fit, else the own ones the other way round.
fn splice(bytes: &[u8], other: Option<Arc<[u8]>>) -> Option<Vec<u8>> {
    let mut spliced = bytes.to_vec();
    let entries = spliced.get_mut(HEADER..)?;
    match other.filter(|other| other.len() == bytes.len()) {
        Some(other) => entries.copy_from_slice(&other[HEADER..]),
        None => entries.reverse(),
    }
    Some(spliced)
}

/// The same packet with another ciphertext.
pub(super) fn carrying(output: &Output, bytes: Arc<[u8]>) -> Option<Output> {
    let mut output = output.clone();
    let (Output::Send { packet, .. } | Output::Fan { packet, .. }) = &mut output else { return None };
    match packet {
        Packet::Submit { sigma, .. } | Packet::Route(sigma) | Packet::Area(sigma) | Packet::Direct(sigma) => {
            *sigma = bytes
        }
        _ => return None,
    }
    Some(output)
}
