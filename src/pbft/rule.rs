//! Every decision of a replica has a name: the rules of CONSENSUS.md §2.7, with the section of OSDI'99 each comes from
//! and one sentence for people.
//!
//! Two names are ours alone: TM-4 (rotation) and the reason `NewerView`.

use super::evidence::Class;
use super::message::Kind;
use super::types::{ReplicaId, VerifyError, View};
use crate::ledger::{Digest, Seq};
use serde::{Deserialize, Serialize};

macro_rules! rules {
    ($($name:ident $id:literal $section:literal $text:literal;)*) => {
        /// An acceptance rule.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        pub enum Rule { $($name),* }

        impl Rule {
            pub const ALL: &'static [Rule] = &[$(Rule::$name),*];

            /// The id in CONSENSUS.md §2.7, such as `PP-5`.
            pub fn id(self) -> &'static str {
                match self { $(Rule::$name => $id),* }
            }

            /// Section of OSDI'99, or of the spec where the rule is ours.
            pub fn section(self) -> &'static str {
                match self { $(Rule::$name => $section),* }
            }

            /// One sentence for the interface.
            pub fn text(self) -> &'static str {
                match self { $(Rule::$name => $text),* }
            }
        }
    };
}

rules! {
    Rq1 "RQ-1" "OSDI'99 §4.1" "A gateway takes σ only if it parses and passes public verification now.";
    Rq2 "RQ-2" "OSDI'99 §4.1" "The ticket of σ has not been used in an executed block.";
    Rq3 "RQ-3" "OSDI'99 §4.1" "σ is not already waiting in the pool.";
    Rq4 "RQ-4" "CONSENSUS §2.7" "The pool has room.";
    Ds1 "DS-1" "OSDI'99 §4.1" "A data set is signed by the gateway that collected it.";
    Ds2 "DS-2" "CONSENSUS §2.7" "A data set is no larger than a block.";
    Ds3 "DS-3" "OSDI'99 §4.1" "Each ciphertext of a data set is checked on its own; bad ones are dropped.";
    Env1 "ENV-1" "OSDI'99 §4.2" "The signed statement is of the message's kind and covers its content.";
    Env2 "ENV-2" "OSDI'99 §4.2" "The sender is a gateway of this network.";
    Env3 "ENV-3" "OSDI'99 §4.2" "The signature verifies under the sender's key.";
    Pp1 "PP-1" "OSDI'99 §4.2" "Only the primary of the view proposes.";
    Pp2 "PP-2" "OSDI'99 §4.2" "The proposal is for the current view.";
    Pp3 "PP-3" "CONSENSUS §3.13" "The primary entered the view by the same NEW-VIEW as we did.";
    Pp4 "PP-4" "OSDI'99 §4.2" "The slot lies inside the window.";
    Pp5 "PP-5" "OSDI'99 §4.2" "No other proposal was accepted for this view and slot.";
    Pp6 "PP-6" "OSDI'99 §4.4" "The slot is not fixed by the NEW-VIEW of this view.";
    Pp7 "PP-7" "OSDI'99 §4.2" "The proposal header is well formed and hashes to the signed digest.";
    Pp8 "PP-8" "paper §4.3" "The ciphertexts lead to the Merkle root in the header.";
    Pp9 "PP-9" "OSDI'99 §4.6" "The proposal's time is close to the local clock.";
    Pp10 "PP-10" "paper §4.3" "Every gateway verifies every ciphertext of the proposal itself.";
    Pp11 "PP-11" "CONSENSUS §2.7" "No ticket is used twice, here or in another open slot.";
    Pp12 "PP-12" "OSDI'99 §4.4" "The state at the low mark is present.";
    Pr1 "PR-1" "OSDI'99 §4.2" "The primary does not prepare its own proposal.";
    Pr2 "PR-2" "OSDI'99 §4.2" "The prepare is for the current view.";
    Pr3 "PR-3" "CONSENSUS §3.13" "The voter entered the view by the same NEW-VIEW as we did.";
    Pr4 "PR-4" "OSDI'99 §4.2" "The slot lies inside the window.";
    Pr5 "PR-5" "OSDI'99 §4.2" "Only the first prepare of a gateway for a view and slot counts.";
    Cm1 "CM-1" "OSDI'99 §4.2" "The commit is for the current view.";
    Cm2 "CM-2" "CONSENSUS §3.13" "The voter entered the view by the same NEW-VIEW as we did.";
    Cm3 "CM-3" "OSDI'99 §4.2" "The slot lies inside the window.";
    Cm4 "CM-4" "OSDI'99 §4.2" "Only the first commit of a gateway for a view and slot counts.";
    Pd1 "PD-1" "OSDI'99 §4.2" "Prepared: the proposal and prepares of a quorum agree.";
    Cl1 "CL-1" "OSDI'99 §4.2" "Committed: a quorum has prepared and says so.";
    X1 "X-1" "OSDI'99 §4.2" "Slots are executed in order, with their body.";
    X2 "X-2" "OSDI'99 §4.4" "A slot may be learned from a certificate of a quorum of commits and its body.";
    X3 "X-3" "CONSENSUS §2.4" "A ciphertext whose ticket is already spent is ordered without effect.";
    X4 "X-4" "OSDI'99 §4.2" "A slot commits only the proposal that was executed there.";
    Cp1 "CP-1" "OSDI'99 §4.3" "A checkpoint is about a multiple of K above the stable one.";
    Cp2 "CP-2" "OSDI'99 §4.3" "Only the first checkpoint of a gateway for a height counts.";
    Cp3 "CP-3" "OSDI'99 §4.3" "A quorum vouches for one state: it is stable, and what led to it may be forgotten.";
    Cp4 "CP-4" "OSDI'99 §4.3" "The own state is the stable one.";
    Cp5 "CP-5" "OSDI'99 §4.3" "f+1 others vouch for a state beyond ours: we are behind.";
    Vc1 "VC-1" "OSDI'99 §4.4" "A view change asks for a higher view than the sender did before.";
    Vc2 "VC-2" "OSDI'99 §4.4" "Its stable state is proven.";
    Vc3 "VC-3" "OSDI'99 §4.4" "Its prepared slots lie above the stable state, in order, from earlier views.";
    Vc4 "VC-4" "OSDI'99 §4.4" "Each prepared slot has a valid certificate.";
    Vc5 "VC-5" "OSDI'99 §4.5.2" "f+1 others have left for higher views: join the lowest of these.";
    Vc6 "VC-6" "OSDI'99 §4.5.2" "A quorum wants this view: wait for its NEW-VIEW only so long.";
    Nv1 "NV-1" "OSDI'99 §4.4" "Only the primary of a view opens it.";
    Nv2 "NV-2" "OSDI'99 §4.4" "The view is above ours.";
    Nv3 "NV-3" "OSDI'99 §4.4" "A quorum of distinct gateways asked for this view.";
    Nv4 "NV-4" "OSDI'99 §4.4" "Each of their view changes is valid.";
    Nv5 "NV-5" "OSDI'99 §4.4" "The carried slots are exactly those that follow from the view changes.";
    Nv6 "NV-6" "OSDI'99 §4.4" "The new primary signed each carried slot in the new view.";
    Nv7 "NV-7" "OSDI'99 §4.4" "A carried slot without its body waits until a signer sends it.";
    Tm1 "TM-1" "OSDI'99 §4.4" "A request was not served in time: ask for the next view.";
    Tm2 "TM-2" "OSDI'99 §4.5.2" "The NEW-VIEW did not come in time: ask for the view after it.";
    Tm3 "TM-3" "OSDI'99 §4.5.2" "The view makes progress: time-outs start small again.";
    Tm4 "TM-4" "CONSENSUS §3.10" "The primary has led its share of blocks: the next one takes over.";
    St1 "ST-1" "OSDI'99 §4.4" "An answer is taken only if it was asked for and proves itself.";
    Ev1 "EV-1" "CONSENSUS §3.13" "An accusation counts only if its statements convict by themselves, and once.";
    St2 "ST-2" "CONSENSUS §2.7" "Nobody is answered faster than can be of use.";
    Sf1 "SF-1" "OSDI'99 §4.2" "Never vote outside the current view.";
    Sf2 "SF-2" "OSDI'99 §4.2" "Never sign two digests for one view and slot.";
    Sf3 "SF-3" "OSDI'99 §4.2" "Never prepare as primary nor propose as backup.";
    Sf4 "SF-4" "OSDI'99 §4.2" "Never commit without a stored prepared certificate.";
    Sf5 "SF-5" "OSDI'99 §4.2" "Never vote outside the window.";
    Sf6 "SF-6" "OSDI'99 §4.4" "Never ask for a view that is not above the own one.";
    Sf7 "SF-7" "OSDI'99 §4.4" "Never open a view twice, nor with a NEW-VIEW that is not valid.";
    Sf8 "SF-8" "OSDI'99 §4.3" "Never vouch for a state or header other than the own one.";
    Sf9 "SF-9" "OSDI'99 §4.4" "Never vote while the state at the low mark is missing.";
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $(($($what:ty),*))?,)*) => {
        /// Why a rule refused or holds.
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        pub enum Reason { $($(#[$doc])* $name $(($($what),*))?),* }

        impl Reason {
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Its name, without what it is about.
            pub fn name(&self) -> &'static str {
                match self { $(Reason::$name { .. } => stringify!($name)),* }
            }
        }
    };
}

reasons! {
    BadCiphertext(VerifyError),
    AlreadyStored,
    DoubleUse,
    Duplicate,
    PoolFull,
    BadSignature,
    TooLarge,
    Malformed,
    UnknownSender,
    OtherNetwork,
    NotPrimary,
    StaleView,
    /// Held: the sender is in a view we have not entered yet.
    NewerView,
    OtherJustification,
    BelowWindow,
    AboveWindow,
    ConflictingProposal,
    SlotFixedByNewView,
    BadHeader,
    DigestMismatch,
    EmptyProposal,
    BadRoot,
    BadTime,
    InvalidCiphertext(u32, VerifyError),
    NullifierReused(u32),
    PrimaryPrepared,
    DuplicateVote,
    ConflictingVote,
    BadCertificate,
    /// Not a multiple of K.
    NotCheckpoint,
    /// The own state is not the stable one.
    Diverged,
    BadCheckpointProof,
    BadPreparedSet,
    ShortQuorum,
    BadViewChangeSet,
    WrongSelection(Seq),
    Unasked,
    BadEvidence,
    BadSnapshot,
    RateLimited,
    /// Held: the state at the low mark is missing.
    NotCaughtUp,
    /// Held: an earlier slot is missing.
    OutOfOrder,
    /// Held: the ciphertexts of the slot are missing.
    BodyMissing,
    /// The safety module would not sign.
    Refused(u8),
}

/// What a rule decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    Accept,
    Reject(Reason),
    /// Kept for later.
    Hold(Reason),
    /// Not a decision about a message but something that now holds.
    Note,
}

/// What a decision was about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum About {
    None,
    Sigma(Digest),
    /// A ciphertext that came in a data set or proposal of `from`.
    Item {
        sigma: Digest,
        from: ReplicaId,
    },
    DataSet {
        from: ReplicaId,
        number: u64,
        count: u32,
    },
    /// A proposal with `count` ciphertexts.
    Proposal {
        view: View,
        seq: Seq,
        digest: Digest,
        count: u32,
    },
    Slot {
        view: View,
        seq: Seq,
        digest: Digest,
    },
    /// A vote by `from`; with it `have` of `need` agree.
    Vote {
        kind: Kind,
        view: View,
        seq: Seq,
        digest: Digest,
        from: ReplicaId,
        have: u16,
        need: u16,
    },
    /// Any signed message, as its statement says.
    Message {
        kind: Kind,
        from: ReplicaId,
        view: View,
        seq: Seq,
        digest: Digest,
    },
    View(View),
    ViewChange {
        from: ReplicaId,
        target: View,
        have: u16,
        need: u16,
    },
    /// A gateway is accused of a fault.
    Fault {
        culprit: ReplicaId,
        class: Class,
    },
    /// The state after a slot.
    State {
        seq: Seq,
        digest: Digest,
    },
    /// A view that was entered with this many carried slots.
    Entered {
        view: View,
        carried: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_distinct_and_every_rule_explains_itself() {
        let ids: BTreeSet<_> = Rule::ALL.iter().map(|r| r.id()).collect();
        assert_eq!(ids.len(), Rule::ALL.len());
        assert!(Rule::ALL.iter().all(|r| r.text().ends_with('.') && r.section().contains('§')));
    }

    #[test]
    fn rules_reasons_and_subjects_survive_postcard() {
        let about = About::Slot { view: View(1), seq: Seq(2), digest: Digest([3; 32]) };
        let all = (Rule::Pp10, Outcome::Reject(Reason::InvalidCiphertext(7, VerifyError("Expired".into()))), about);
        let bytes = postcard::to_allocvec(&all).unwrap();
        assert_eq!(postcard::from_bytes::<(Rule, Outcome, About)>(&bytes).unwrap(), all);
    }
}
