//! The numbered checks of the scheme: which rule refused, beside the error that says how (CLMMSC.md §3, §7, §8).

use super::error::Error;
use serde::{Deserialize, Serialize};

macro_rules! checks {
    ($($name:ident: $id:literal, $section:literal, $text:literal;)+) => {
        /// One check of the scheme; the order of the variants is the order in which checks are made.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum Check { $(#[doc = $text] $name),+ }

        impl Check {
            /// All checks.
            pub const ALL: &'static [Check] = &[$(Check::$name),+];

            /// Id shown and searched for, such as `V5`.
            pub fn id(self) -> &'static str {
                match self { $(Check::$name => $id),+ }
            }

            /// Where the check comes from.
            pub fn section(self) -> &'static str {
                match self { $(Check::$name => $section),+ }
            }

            /// One sentence for the interface.
            pub fn text(self) -> &'static str {
                match self { $(Check::$name => $text),+ }
            }
        }
    };
}

checks! {
    Q1: "Q1", "CLMMSC §3.6", "The request opens, is well formed and its parts have the right length.";
    Q2: "Q2", "CLMMSC §3.6", "Each public value is a group element that was never used before.";
    Q3: "Q3", "CLMMSC §3.6", "The requester is enrolled, or holds a record that was issued to it.";
    Q4: "Q4", "CLMMSC §3.6", "The requester proves that it knows the secret behind its request.";
    Q5: "Q5", "CLMMSC §3.6", "The gateway is pinned and the time of an attach is fresh and new.";
    A1: "A1", "CLMMSC §3.4", "The record is the one asked for: class, role, validity and X.";
    A2: "A2", "paper §4.1", "The partial private key fits: d·P = R + h·Ppub.";
    L1: "L1", "CLMMSC §3.7", "The list is well formed and holds only EV records valid in its epoch.";
    L2: "L2", "CLMMSC §3.7", "The list is signed by the KGC.";
    V1: "V1", "CLMMSC §7.1", "Format: length, version, flow, count and entry size of the header.";
    V2: "V2", "CLMMSC §7.1", "The one-time ticket has the right class, role and epoch.";
    V3: "V3", "CLMMSC §7.1", "The ciphertext is alive: created before now and not expired.";
    V4: "V4", "CLMMSC §7.1", "T, X' and R' are group elements.";
    V5: "V5", "paper §4.3", "The outer signature: z·P = N + e·(R' + h'·Ppub + g'·X' + b·T).";
    V6: "V6", "CLMMSC §7.1", "Tags ascend and the Merkle root over the entries is the signed one.";
    V7: "V7", "CLMMSC §7.1", "The ticket was not used before.";
    E1: "E1", "CLMMSC §8.1", "The EV verifies the header, V1 to V5.";
    E2: "E2", "CLMMSC §8.1", "The EV's own record has the receiver's role and is valid.";
    E3: "E3", "CLMMSC §8.1", "The ciphertext was made after this car was plugged in.";
    E4: "E4", "CLMMSC §8.1", "The EV did not answer for another pile.";
    E5: "E5", "CLMMSC §8.1", "The EV computes Z = sk·T and hands out only k_i.";
    R1: "R1", "CLMMSC §8.2", "The receiver verifies the whole ciphertext, V1 to V7.";
    R2: "R2", "CLMMSC §8.2", "The addressed record has the right role and is valid and fresh.";
    R3: "R3", "CLMMSC §8.2", "It was not opened before for this record.";
    R4: "R4", "paper §4.4", "The receiver locates its entry by binary search for its tag.";
    R5: "R5", "CLMMSC §8.2", "The entry authenticates under its key.";
    R6: "R6", "paper §4.4", "The pseudo-identity inside is the receiver's: f_i' = f_i.";
    R7: "R7", "CLMMSC §8.2", "Inner length and zero padding are right.";
    R8: "R8", "CLMMSC §8.2", "The capsule with the sender's record authenticates.";
    R9: "R9", "CLMMSC §8.2", "The sender has the right role, is valid and pinned.";
    R10: "R10", "paper §5.1(2)", "The sender's own signature α over ctx and root verifies.";
    R11: "R11", "CLMMSC §8.2", "The receiver remembers, then acts.";
    F1: "F1", "CLMMSC §9.3", "The session frame is expected, new and authentic.";
    P1: "P1", "CLMMSC §9.2", "The content has its layout, and the plug challenge is the pile's own.";
    K1: "K1", "CLMMSC §10", "The vote is a valid signature of a gateway that may vote.";
    S1: "S1", "CLMMSC §11.2", "The slice's entry leads to the signed root by its audit path.";
    C1: "C1", "CLMMSC §11.3", "The complaint proves that Z belongs to this record and this ciphertext.";
    T1: "T1", "CLMMSC §11.4", "The owner's own signed request asks for exactly this ticket.";
}

/// A refusal: the check that refused and how.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub check: Check,
    pub error: Error,
}

impl Failure {
    /// For `map_err`: ties an error to the check that made it.
    pub fn at(check: Check) -> impl Fn(Error) -> Failure {
        move |error| Failure { check, error }
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.check.id(), self.error)
    }
}

impl core::error::Error for Failure {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        failure.error
    }
}
