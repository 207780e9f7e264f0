//! One hash for everything: SHA-512 with a tag, a label and length-prefixed parts (CLMMSC.md §2.1).
//!
//! `H64(label; p1..pk) = SHA-512(LP("CLMMSC1") ‖ LP(label) ‖ u32(k) ‖ LP(p1) ‖ … ‖ LP(pk))` with `LP(b) = u32(len b) ‖ b`.
//! Every length and the number of parts precede the data, so the encoding is injective; each label has exactly one use.

use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

const TAG: &[u8] = b"CLMMSC1";

/// A label of the table of CLMMSC.md §2.1; there is no other way to name one.
#[derive(Clone, Copy, Debug)]
pub struct Label(pub(crate) &'static str);

macro_rules! labels {
    ($($name:ident = $text:literal;)+) => { $(pub(crate) const $name: Label = Label($text);)+ };
}

/// The labels. New uses need new labels, entered here.
pub(crate) mod label {
    use super::Label;
    labels! {
        PARAMS = "params"; H = "h"; G = "g"; RID = "rid";
        F_SIV = "f-siv"; F_STR = "f-str"; KGC_R = "kgc-r"; NK = "nk"; NONCE = "nonce"; CHAL = "chal"; POP = "pop";
        EPH = "eph"; EPH_T = "eph-t"; EPH_K = "eph-k"; EPH_A = "eph-a"; EPH_O = "eph-o";
        CTX = "ctx"; BIND = "bind"; KEM = "kem"; EK = "ek"; CAP = "cap"; LEAF = "leaf"; NODE = "node";
        IM = "im"; OM = "om"; SID = "sid";
        BATCH_O = "batch-o"; BATCH_V = "batch-v"; BATCH_D = "batch-d"; BW = "bw";
        REGM = "regm"; BOX_E = "box-e"; BOX = "box"; SEAL_E = "seal-e"; SEAL = "seal"; LM = "lm";
        KSES = "kses"; SES = "ses"; VM = "vm";
        EPH_D = "eph-d"; DM = "dm"; DLEQ = "dleq"; ACK = "ack";
    }
}

/// An H64 computation under way: parts may be fed piecewise.
pub(crate) struct Hasher(Sha512);

fn u32_len(len: usize) -> [u8; 4] {
    // Parts come from bounded wire formats; nothing longer than 4 GiB is ever held.
    (len as u32).to_le_bytes()
}

impl Hasher {
    pub(crate) fn new(label: Label, parts: usize) -> Self {
        let sha = Sha512::new()
            .chain_update(u32_len(TAG.len()))
            .chain_update(TAG)
            .chain_update(u32_len(label.0.len()))
            .chain_update(label.0)
            .chain_update(u32_len(parts));
        Hasher(sha)
    }

    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.0.update(u32_len(bytes.len()));
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 64] {
        self.0.finalize().into()
    }
}

/// H64 = SHA-512(LP("CLMMSC1") ‖ LP(label) ‖ u32(k) ‖ LP(p_1) ‖ .. ‖ LP(p_k)) (§2.1).
pub fn h64(label: Label, parts: &[&[u8]]) -> [u8; 64] {
    let mut hasher = Hasher::new(label, parts.len());
    parts.iter().for_each(|p| hasher.part(p));
    hasher.finish()
}

/// H32: the first 32 bytes of H64.
pub fn h32(label: Label, parts: &[&[u8]]) -> [u8; 32] {
    first(&Zeroizing::new(h64(label, parts)))
}

/// H16: the first 16 bytes of H64.
pub fn h16(label: Label, parts: &[&[u8]]) -> [u8; 16] {
    first(&Zeroizing::new(h64(label, parts)))
}

/// HS: H64 as a little-endian integer mod q (§2.1).
pub fn hs(label: Label, parts: &[&[u8]]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&Zeroizing::new(h64(label, parts)))
}

/// H64 under any label, for test vectors only.
#[doc(hidden)]
pub fn h64_any(label: &'static str, parts: &[&[u8]]) -> [u8; 64] {
    h64(Label(label), parts)
}

pub(crate) fn first<const N: usize>(bytes: &[u8; 64]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}
