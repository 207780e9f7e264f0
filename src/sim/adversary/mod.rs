//! Byzantine actors: the honest state machine inside a wrapper that owns its real keys (CONSENSUS.md §5).
//!
//! One file per behaviour. A behaviour may change, add or withhold what its own actor sends; it can sign for nobody else.

mod trigger;

pub use trigger::Trigger;

use serde::{Deserialize, Serialize};

/// The behaviours that exist, by the name used in scenario files and links.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BehaviourKind {
    EquivocatingPrimary,
    Silent,
    ForgedVote,
    TamperedCiphertext,
    WrongRoot,
}

impl BehaviourKind {
    pub const ALL: [BehaviourKind; 5] = [
        BehaviourKind::EquivocatingPrimary,
        BehaviourKind::Silent,
        BehaviourKind::ForgedVote,
        BehaviourKind::TamperedCiphertext,
        BehaviourKind::WrongRoot,
    ];

    pub fn name(self) -> &'static str {
        match self {
            BehaviourKind::EquivocatingPrimary => "equivocating_primary",
            BehaviourKind::Silent => "silent",
            BehaviourKind::ForgedVote => "forged_vote",
            BehaviourKind::TamperedCiphertext => "tampered_ciphertext",
            BehaviourKind::WrongRoot => "wrong_root",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// A few words for menus and the log.
    pub fn title(self) -> &'static str {
        match self {
            BehaviourKind::EquivocatingPrimary => "proposes two different blocks",
            BehaviourKind::Silent => "sends nothing",
            BehaviourKind::ForgedVote => "votes in others' names",
            BehaviourKind::TamperedCiphertext => "flips a bit of a ciphertext in its block",
            BehaviourKind::WrongRoot => "proposes a body that does not match its Merkle root",
        }
    }
}
