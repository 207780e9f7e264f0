//! What must not be seen: a value that is wiped on drop, never printed, and compared in constant time
//! (CLMMSC.md §17).
//!
//! The key types ([`UserSecret`](super::UserSecret), [`KeyPair`](super::KeyPair), [`Ticket`](super::Ticket),
//! [`EntryKey`](super::open::EntryKey), [`MasterKey`](super::kgc::MasterKey), [`Session`](super::session::Session)) keep
//! the same rules by themselves; [`Secret`] is for what has no type of its own: partial keys, codes, session keys,
//! decrypted content.

use core::fmt;
use core::ops::{Deref, DerefMut};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Secret bytes: `Secret<[u8; 32]>` for a key, `Secret<Vec<u8>>` for a plaintext.
///
/// There is nothing to print:
/// ```
/// # use voltcast::clmmsc::secret::Secret;
/// assert_eq!(format!("{:?}", Secret::from([7u8; 32])), "Secret(..)");
/// ```
/// ```compile_fail,E0277
/// # use voltcast::clmmsc::secret::Secret;
/// println!("{}", Secret::from([7u8; 32]));
/// ```
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Secret<T> {
        Secret(value)
    }
}

impl<T: Zeroize> Deref for Secret<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> DerefMut for Secret<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize + AsRef<[u8]>> AsRef<[u8]> for Secret<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> ZeroizeOnDrop for Secret<T> {}

impl<T: Zeroize> Zeroize for Secret<T> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Lengths are public; bytes of equal length are compared in constant time.
impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().ct_eq(other.0.as_ref()).into()
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_only_if_length_and_bytes_are() {
        let of = |bytes: &[u8]| Secret::from(bytes.to_vec());
        assert_eq!(of(b"abc"), of(b"abc"));
        assert_ne!(of(b"abc"), of(b"abd"));
        assert_ne!(of(b"abc"), of(b"ab"));
    }
}
