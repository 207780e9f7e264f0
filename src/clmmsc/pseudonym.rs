//! Pseudo-identities f_i (paper §4.1, CLMMSC.md §3.3): deterministic authenticated encryption of the real identity.
//!
//! To all but the KGC f is pseudorandom and two f of one car are unlinkable.

use super::error::Error;
use super::hash::{h16, label};
use super::record::{Class, Role};
use subtle::ConstantTimeEq;

/// What a pseudo-identity hides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The KGC's number for the real identity.
    pub uid: u64,
    /// First epoch of the record.
    pub valid_from: u32,
    /// Counts from 0 and never repeats for (class, role, uid, valid_from).
    pub ctr: u32,
}

fn tag(kf: &[u8; 32], kind: &[u8; 2], plain: &[u8; 16]) -> [u8; 16] {
    h16(label::F_SIV, &[kf, kind, plain])
}

fn mask(kf: &[u8; 32], tag: &[u8; 16], text: &[u8; 16]) -> [u8; 16] {
    let stream = h16(label::F_STR, &[kf, tag]);
    core::array::from_fn(|i| text[i] ^ stream[i])
}

/// f = t ‖ (pt xor H16("f-str"; kf, t)) with t = H16("f-siv"; kf, \[class, role\], pt).
pub fn make(kf: &[u8; 32], class: Class, role: Role, identity: &Identity) -> [u8; 32] {
    let mut plain = [0; 16];
    plain[..8].copy_from_slice(&identity.uid.to_le_bytes());
    plain[8..12].copy_from_slice(&identity.valid_from.to_le_bytes());
    plain[12..].copy_from_slice(&identity.ctr.to_le_bytes());
    let t = tag(kf, &[class as u8, role as u8], &plain);
    let mut f = [0; 32];
    f[..16].copy_from_slice(&t);
    f[16..].copy_from_slice(&mask(kf, &t, &plain));
    f
}

/// Opens f (only the KGC can): pt = f\[16..32\] ⊕ H16("f-str"; kf, f\[0..16\]) (§3.3).
///
/// # Errors
/// [`Error::Pseudonym`] if f was not made for this class and role under kf.
pub fn open(kf: &[u8; 32], class: Class, role: Role, f: &[u8; 32]) -> Result<Identity, Error> {
    let (mut t, mut hidden) = ([0; 16], [0; 16]);
    t.copy_from_slice(&f[..16]);
    hidden.copy_from_slice(&f[16..]);
    let plain = mask(kf, &t, &hidden);
    if !bool::from(tag(kf, &[class as u8, role as u8], &plain).ct_eq(&t)) {
        return Err(Error::Pseudonym);
    }
    let word = |at: usize| u32::from_le_bytes([plain[at], plain[at + 1], plain[at + 2], plain[at + 3]]);
    let uid = u64::from(word(0)) | u64::from(word(4)) << 32;
    Ok(Identity { uid, valid_from: word(8), ctr: word(12) })
}
