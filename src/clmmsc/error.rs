//! The error names of CLMMSC.md §18. A name keeps its meaning wherever it is used; what led to it is a
//! [`Check`](super::check::Check).

use serde::{Deserialize, Serialize};

macro_rules! errors {
    ($($name:ident: $text:literal),+ $(,)?) => {
        /// Why something was refused. `Display` gives the bare name of the specification, [`Error::text`] a sentence.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum Error { $(#[doc = $text] $name),+ }

        impl Error {
            /// All names, in the order of the specification.
            pub const ALL: &'static [Error] = &[$(Error::$name),+];

            /// The name of CLMMSC.md §18.
            pub fn name(self) -> &'static str {
                match self { $(Error::$name => stringify!($name)),+ }
            }

            /// One sentence for people.
            pub fn text(self) -> &'static str {
                match self { $(Error::$name => $text),+ }
            }
        }
    };
}

errors! {
    Length: "The number of bytes does not fit.",
    Magic: "The first bytes do not name this format.",
    Version: "The version is unknown.",
    Suite: "The set of algorithms is unknown.",
    Flow: "The flow is not one of 1 to 7.",
    Flags: "A reserved byte is not zero.",
    Count: "The number of items is out of range.",
    Bucket: "The entry size is not one of the fixed sizes.",
    TicketClass: "The outer record is not a one-time ticket.",
    TicketRole: "The ticket belongs to another role than this flow's sender.",
    EpochMismatch: "The epoch is not that of the time of creation.",
    TicketValidity: "The ticket is not valid in exactly this epoch.",
    Ttl: "The lifetime is zero or too long.",
    NotYetValid: "The time of creation lies in the future.",
    Expired: "The lifetime is over.",
    PointEncoding: "32 bytes are no group element, or the neutral one.",
    ScalarEncoding: "32 bytes are no scalar, or zero.",
    Signature: "The two sides of the signature equation differ.",
    TagOrder: "The tags of the entries do not ascend strictly.",
    Root: "The Merkle root of the entries differs from the header's.",
    Duplicate: "The same ciphertext is already known.",
    TicketReuse: "The one-time ticket was used for another ciphertext.",
    RecordRole: "The record's role or class is not the receiver's of this flow.",
    RecordValidity: "The record is not valid in this epoch.",
    Stale: "It was made before the car was plugged in, or too long ago.",
    Replay: "It was answered or opened before.",
    NotAReceiver: "No entry carries this receiver's tag.",
    EntryAuth: "The entry does not authenticate under its key.",
    PseudonymMismatch: "The pseudo-identity inside is not the receiver's: f_i' differs from f_i.",
    Padding: "The inner length or the padding is wrong.",
    CapsuleAuth: "The capsule does not authenticate under its key.",
    SenderRole: "The sender inside has the wrong role or class.",
    SenderValidity: "The sender's record is not valid in this epoch.",
    Unpinned: "The record is not in the pinned directory.",
    InnerSignature: "The sender's own signature does not verify.",
    SealAuth: "The sealed part does not authenticate.",
    Kind: "The kind is unknown or not expected here.",
    RecordFormat: "Class, role or validity of a record break the format rule.",
    DuplicateKey: "A public value is repeated or already known.",
    Enrolment: "User number, role or one-time code is not registered.",
    RequesterRecord: "The requester's record was not issued to it or is not valid now.",
    RecordMismatch: "The issued record is not the one asked for.",
    PartialKey: "d·P differs from R + h·Ppub.",
    Pseudonym: "The pseudo-identity does not open.",
    FrameAuth: "The session frame does not authenticate.",
    Payload: "The content breaks its layout.",
    PlugChallenge: "The challenge is not the one this plug gave.",
    VoteRecord: "The voter is not a gateway that may vote in this epoch.",
    SenderInput: "The sender's own input is refused.",
    Path: "The audit path does not lead from this entry to the signed root.",
    Dleq: "The proof that Z belongs to this record and this ciphertext does not verify.",
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Error {}
