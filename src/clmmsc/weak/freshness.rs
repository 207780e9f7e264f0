//! Cars that answer for old ciphertexts and for those of other receivers, and sessions that outlive their plug-in
//! (CLMMSC.md §8.1, §9; controls of A19, A30 and A36).

use crate::clmmsc::hash::{h32, label};
use crate::clmmsc::open::{EntryKey, decapsulate, release};
use crate::clmmsc::payload::PlugIn;
use crate::clmmsc::verify::VerifiedHeader;
use crate::clmmsc::{Error, Failure, KeyPair, Params, RecordId};

/// E2, E4 and E5: the car does not compare the ciphertext's time with that of its plugging in.
///
/// # Errors
/// The first failing check.
pub(crate) fn release_whenever(
    params: &Params,
    head: &VerifiedHeader,
    key: &KeyPair,
    pile: &RecordId,
) -> Result<EntryKey, Failure> {
    release(params, head, key, 0, pile, |_| None)
}

/// E5 alone: the car does not ask whether ciphertexts of this flow are for cars.
pub(crate) fn release_whatever(head: &VerifiedHeader, key: &KeyPair) -> EntryKey {
    decapsulate(head, key)
}

/// One session key for all plug-ins: neither the plug's challenge nor random bytes are in it (control of A30).
pub(crate) fn session_key(key: &KeyPair) -> [u8; 32] {
    h32(label::KSES, &[key.nonce_key()])
}

/// A pile that does not compare the challenge with the one it gave (control of A36).
///
/// # Errors
/// [`Error::NotYetValid`], [`Error::Expired`].
pub(crate) fn plug_in_anywhere(plug_in: &PlugIn, now: u64) -> Result<(), Error> {
    plug_in.check(Some(&plug_in.plug), now)
}
