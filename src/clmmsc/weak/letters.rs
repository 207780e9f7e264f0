//! Senders that leave traces in what everybody sees (CLMMSC.md §3.5, §5, §12.4; controls of A17, A18 and A35).

use crate::clmmsc::hash::{h64, label};
use crate::clmmsc::request::WIRE_MAGIC;
use crate::clmmsc::wire::{PLAIN_EXTRA, TAG};
use crate::clmmsc::{RecordId, hash};

/// An entry is as long as its message needs.
pub(crate) fn exact_length(message: &[u8]) -> u32 {
    (PLAIN_EXTRA + message.len()) as u32
}

/// A locator that follows from the record alone: no secret is in it.
pub(crate) fn public_tag(ctx: &[u8; 32], rid: &RecordId) -> [u8; TAG] {
    hash::first(&h64(label::EK, &[ctx, &rid.0]))
}

/// A request on its way without its box.
pub(crate) fn request_in_clear(inner: &[u8]) -> Vec<u8> {
    [&WIRE_MAGIC[..], inner].concat()
}
