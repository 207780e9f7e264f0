//! ChaCha20-Poly1305 (RFC 8439) with a zero nonce and no associated data (CLMMSC.md §2.2).
//!
//! Every key is derived for exactly one plaintext and all context is hashed into the key, so neither is needed.

use super::secret::Secret;
use chacha20poly1305::aead::{Aead, AeadInOut};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};

/// Bytes that sealing adds.
pub const OVERHEAD: usize = 16;

/// `AEAD_k(pt)`: ciphertext and 16-byte tag (§2.2).
pub fn seal(key: &[u8; 32], plain: &[u8]) -> Vec<u8> {
    // Encryption fails only beyond 256 GiB; the empty result would be refused by every reader.
    ChaCha20Poly1305::new(key.into()).encrypt(&Nonce::default(), plain).unwrap_or_default()
}

/// As [`seal`] for `buffer` = plaintext and [`OVERHEAD`] bytes to spare.
pub fn seal_in_place(key: &[u8; 32], buffer: &mut [u8]) {
    let Some(len) = buffer.len().checked_sub(OVERHEAD) else { return };
    let (plain, tag) = buffer.split_at_mut(len);
    let cipher = ChaCha20Poly1305::new(key.into());
    if let Ok(made) = cipher.encrypt_inout_detached(&Nonce::default(), &[], plain.into()) {
        tag.copy_from_slice(&made);
    }
}

/// Opens what [`seal`] made; `None` if it does not authenticate.
pub fn open(key: &[u8; 32], sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
    ChaCha20Poly1305::new(key.into()).decrypt(&Nonce::default(), sealed).ok().map(Secret::from)
}
