//! The bytes of σ (CLMMSC.md §6): the one home of its offsets.
//!
//! Lengths are computed in u64: on a 32-bit machine n·(32 + L) wraps.

use super::record::{Flow, RECORD_LEN, Record};

/// Header length in bytes.
pub const HEADER: usize = 452;
/// The part of the header that the outer signature covers.
pub const SIGNED: usize = 388;
/// The part of the header that ctx covers: fixed fields, T, ticket.
pub const CONTEXT: usize = 170;
/// The fixed fields before T.
pub const FIXED: usize = 32;
/// Locator tag of an entry.
pub const TAG: usize = 16;
/// Bytes of an entry beside its plaintext: locator tag and AEAD tag.
pub const ENTRY_EXTRA: usize = 32;
/// Bytes of a plaintext beside the message: kS, f, length.
pub const PLAIN_EXTRA: usize = 52;
/// Sender record, α and AEAD tag.
pub const CAPSULE: usize = 186;
/// Most receivers.
pub const MAX_RECEIVERS: u32 = 1 << 20;
pub const MAGIC: &[u8; 4] = b"CLM1";
pub const VERSION: u8 = 1;

/// Entry sizes: 64·2^k (k = 0..14) and 96·2^k (k = 0..13), ascending.
pub fn buckets() -> impl Iterator<Item = u32> {
    (0..15).flat_map(|k| [Some(64 << k), (k < 14).then_some(96 << k)]).flatten()
}

/// The smallest bucket of §5 step 2 that holds `need` bytes.
pub fn bucket(need: u64) -> Option<u32> {
    buckets().find(|l| u64::from(*l) >= need)
}

/// Total length of a σ in bytes: 452 + n·(32 + L) (§6).
pub fn total_len(n: u32, l: u32) -> u64 {
    HEADER as u64 + u64::from(n) * (ENTRY_EXTRA as u64 + u64::from(l))
}

/// The header's fields as they stand; nothing is checked by reading them.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub flow: Flow,
    pub epoch: u32,
    /// Unix seconds.
    pub created: u64,
    /// Seconds.
    pub ttl: u32,
    /// Receivers.
    pub n: u32,
    /// Plaintext bytes per entry.
    pub l: u32,
    pub t: [u8; 32],
    pub ticket: Record,
    pub root: [u8; 32],
    pub capsule: [u8; CAPSULE],
    pub outer: [u8; 64],
}

/// Bytes `at..at + N` of a buffer known to be long enough; zeros if it is not.
pub(crate) fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|b| b.try_into().ok()).unwrap_or([0; N])
}

impl Header {
    /// Reads at least 452 bytes whose flow byte has been checked.
    pub(crate) fn read(bytes: &[u8], flow: Flow) -> Header {
        Header {
            flow,
            epoch: u32::from_le_bytes(take(bytes, 8)),
            created: u64::from_le_bytes(take(bytes, 12)),
            ttl: u32::from_le_bytes(take(bytes, 20)),
            n: u32::from_le_bytes(take(bytes, 24)),
            l: u32::from_le_bytes(take(bytes, 28)),
            t: take(bytes, FIXED),
            ticket: Record(take::<RECORD_LEN>(bytes, 64)),
            root: take(bytes, CONTEXT),
            capsule: take(bytes, 202),
            outer: take(bytes, SIGNED),
        }
    }
}

/// One named range of bytes, for people who look at them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldSpec {
    pub offset: usize,
    pub len: usize,
    pub name: &'static str,
    /// The paper's or the specification's symbol.
    pub symbol: &'static str,
    pub text: &'static str,
}

pub(crate) const fn field(
    offset: usize,
    len: usize,
    name: &'static str,
    symbol: &'static str,
    text: &'static str,
) -> FieldSpec {
    FieldSpec { offset, len, name, symbol, text }
}

/// The header, byte by byte.
pub const HEADER_FIELDS: &[FieldSpec] = &[
    field(0, 4, "format", "", "The letters CLM1 name this format."),
    field(4, 1, "version", "", "Version of the format."),
    field(5, 1, "suite", "", "Set of algorithms: ristretto255, SHA-512, ChaCha20-Poly1305."),
    field(6, 1, "flow", "", "Who sends to whom: 1 is the CSC to electric vehicles."),
    field(7, 1, "flags", "", "Reserved, zero."),
    field(8, 4, "epoch", "", "Epoch of creation; the ticket is valid in this epoch only."),
    field(12, 8, "created", "", "Time of creation in unix seconds, coarse on purpose."),
    field(20, 4, "lifetime", "ttl", "Seconds until the ciphertext expires."),
    field(24, 4, "receivers", "n", "Number of entries; nothing says for whom."),
    field(28, 4, "entry size", "L", "Padded size of every message, the same for all."),
    field(
        32,
        32,
        "one-time key",
        "T = t·P",
        "Each receiver combines T with its private key to find its own entry key.",
    ),
    field(64, 1, "ticket class", "", "2: a one-time sender ticket."),
    field(65, 1, "ticket role", "", "Role of the sender; which sender of that role stays hidden."),
    field(66, 4, "ticket valid from", "", "First epoch of the ticket."),
    field(70, 4, "ticket valid to", "", "Last epoch of the ticket."),
    field(74, 32, "ticket pseudonym", "f'", "One-time pseudo-identity; only the KGC can open it."),
    field(106, 32, "ticket X", "X'", "Public half of the sender's own secret for this ticket."),
    field(138, 32, "ticket R", "R'", "Public half of the KGC's contribution to this ticket."),
    field(170, 32, "root", "root", "Merkle root over all entries: no entry can be changed, dropped or moved."),
    field(202, 170, "capsule", "", "Sender's record and inner signature, sealed: only receivers learn who sent."),
    field(372, 16, "capsule tag", "", "Authenticates the capsule."),
    field(388, 32, "signature N", "N", "Commitment of the outer signature."),
    field(420, 32, "signature z", "z", "Response of the outer signature: z·P = N + e·(R' + h'·Ppub + g'·X' + b·T)."),
];

/// A record, byte by byte (CLMMSC.md §3.2).
pub const RECORD_FIELDS: &[FieldSpec] = &[
    field(0, 1, "class", "", "1 identity, 2 one-time ticket, 3 session."),
    field(1, 1, "role", "", "What its owner may be: KGC, CSC, CSS, CP or EV."),
    field(2, 4, "valid from", "", "First epoch of its validity."),
    field(6, 4, "valid to", "", "Last epoch of its validity."),
    field(10, 32, "pseudo-identity", "f_i", "The owner's name; only the KGC can open that of a car."),
    field(42, 32, "user's half", "X_i", "x·P; the owner alone knows x."),
    field(74, 32, "KGC's half", "R_i", "r·P; d = r + h·s is the partial private key."),
];

/// The parts of entry j, relative to its start, for plaintext size `l`.
pub fn entry_fields(l: usize) -> [FieldSpec; 3] {
    [
        field(0, TAG, "tag", "", "Locator: its receiver finds it by binary search, to others it is noise."),
        field(TAG, l, "ciphertext", "M_i", "f_i and the message m_i under a key that only one receiver can compute."),
        field(TAG + l, 16, "entry tag", "", "Authenticates this entry."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cover_the_header_without_gap_or_overlap() {
        let mut at = 0;
        for f in HEADER_FIELDS {
            assert_eq!(f.offset, at, "{}", f.name);
            at += f.len;
        }
        assert_eq!(at, HEADER);
    }

    #[test]
    fn buckets_ascend_and_lengths_do_not_wrap() {
        let all: Vec<u32> = buckets().collect();
        assert!(all.windows(2).all(|w| w[0] < w[1]));
        assert_eq!((all.len(), all[0], all[all.len() - 1]), (29, 64, 1 << 20));
        assert_eq!(total_len(522_248, 8192), 452 + 522_248 * 8224);
        assert_eq!(bucket((1 << 20) + 1), None);
    }
}
