//! Votes that say less than the scheme's about what they are for (CLMMSC.md §10; control of A38).

use crate::clmmsc::hash::{h64, label};
use crate::clmmsc::schnorr::Message;

/// M = H64("vm"; d): network, kind, view and height are not in it.
pub(crate) fn digest(block: &[u8; 32]) -> Message {
    h64(label::VM, &[block])
}
