//! C64 and C32: SHA-512 with a label, injective over its parts (CONSENSUS.md §2.2).
//!
//! Same shape as the hash of the scheme under another first tag, so no label of one floor can collide with the other's.
//! Labels in use: network proposal null txleaf txnode txempty txbytes header voids nullacc state vc nv dataset fetch
//! replica.

use super::types::Digest;
use sha2::{Digest as _, Sha512};

const TAG: &[u8] = b"VOLTCAST-PBFT1";

fn length_prefixed(hash: &mut Sha512, part: &[u8]) {
    hash.update((part.len() as u32).to_le_bytes());
    hash.update(part);
}

/// SHA-512 over the tag, the label, the number of parts and each part behind its length.
pub fn c64(label: &str, parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Sha512::new();
    length_prefixed(&mut hash, TAG);
    length_prefixed(&mut hash, label.as_bytes());
    hash.update((parts.len() as u32).to_le_bytes());
    for part in parts {
        length_prefixed(&mut hash, part);
    }
    hash.finalize().into()
}

/// The first 32 bytes of [`c64`].
pub fn c32(label: &str, parts: &[&[u8]]) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(&c64(label, parts)[..32]);
    Digest(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_parts_or_labels_changes_the_hash() {
        let hashes = [
            c32("a", &[b"bc", b"d"]),
            c32("a", &[b"b", b"cd"]),
            c32("a", &[b"bcd"]),
            c32("a", &[b"bcd", b""]),
            c32("ab", &[b"c", b"d"]),
        ];
        for (i, h) in hashes.iter().enumerate() {
            assert!(hashes[i + 1..].iter().all(|other| other != h));
        }
    }
}
