//! All behaviours, one per file: the attack and its source in the module comment, what it does, and what must come of it.
//!
//! A new one is a file with a constant `ABOUT` and a type named like its kind, and its line in the two lists below.

mod amnesia;
mod bad_checkpoint;
mod bad_seal;
mod bad_state;
mod bad_time;
mod big_mac_control;
mod colluding_set;
mod cp_denies;
mod cp_false_meter;
mod cp_leak;
mod cp_old_header;
mod cp_old_key;
mod crash_midway;
mod csc_bad_alpha;
mod csc_borrowed_record;
mod csc_copied_t;
mod csc_garbage_entry;
mod csc_over_cap;
mod csc_ticket_reuse;
mod double_vote;
mod early_commit;
mod early_new_view_proposal;
mod empty_blocks;
mod equivocating_new_view;
mod equivocating_primary;
mod equivocating_votes;
mod ev_forwards_key;
mod ev_rewrap;
mod ev_wrong_role;
mod eve_flood;
mod eve_replay;
mod eve_splice;
mod evidence_framing;
mod false_certificate;
mod flooding_data_set;
mod forged_vote;
mod hide_ciphertext;
mod kgc_chosen_r;
mod kgc_minted_ticket;
mod kgc_misroute;
mod kgc_reader;
mod kgc_substitution;
mod kgc_wrong_d;
mod lying_view_change;
mod new_view_forgery;
mod nullifier_reuse;
mod poisoned_data_set;
mod primary_prepares;
mod replayed_votes;
mod selective_primary;
mod seq_jump;
mod silent;
mod slow_primary;
mod small_scope;
mod spurious_view_change;
mod stored_again;
mod tampered_ciphertext;
mod twins;
mod withheld_data_set;
mod withhold_body;
mod wrong_root;

use super::{Behaviour, Description, Expect};
use crate::entities::actor::Role;
use serde::{Deserialize, Serialize};

/// What the files of behaviours need.
mod prelude {
    pub use crate::entities::actor::{ActorId, Role};
    pub use crate::entities::packet::parse_sigma;
    pub use crate::entities::{Entity, Input, Output, Packet, TimerId};
    pub use crate::ledger::{Digest, Proposal, Secs, Seq};
    pub use crate::pbft::{Kind, Message, NodeId, Quorum, ReplicaId, Signed, Statement, View};
    pub use crate::sim::adversary::cx::{proposal_of, swap};
    pub use crate::sim::adversary::{Aim, Behaviour, Cx, Description, Outgoing, Pass};
    pub use std::collections::{BTreeMap, BTreeSet};
    pub use std::sync::Arc;
}

macro_rules! catalogue {
    ($($kind:ident $file:ident),* $(,)?) => {
        /// The behaviours that exist, by the name used in scenario files and links.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum BehaviourKind {
            $($kind),*
        }

        impl BehaviourKind {
            pub const ALL: [BehaviourKind; [$(stringify!($file)),*].len()] = [$(BehaviourKind::$kind),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(BehaviourKind::$kind => stringify!($file)),*
                }
            }

            pub fn about(self) -> &'static Description {
                match self {
                    $(BehaviourKind::$kind => &$file::ABOUT),*
                }
            }

            /// A fresh one.
            pub(super) fn start(self) -> Box<dyn Behaviour> {
                match self {
                    $(BehaviourKind::$kind => Box::<$file::$kind>::default()),*
                }
            }
        }
    };
}

catalogue! {
    Silent silent,
    CrashMidway crash_midway,
    EquivocatingPrimary equivocating_primary,
    EquivocatingVotes equivocating_votes,
    DoubleVote double_vote,
    PrimaryPrepares primary_prepares,
    ForgedVote forged_vote,
    ReplayedVotes replayed_votes,
    EarlyCommit early_commit,
    TamperedCiphertext tampered_ciphertext,
    WrongRoot wrong_root,
    BadTime bad_time,
    NullifierReuse nullifier_reuse,
    StoredAgain stored_again,
    WithheldDataSet withheld_data_set,
    PoisonedDataSet poisoned_data_set,
    FloodingDataSet flooding_data_set,
    HideCiphertext hide_ciphertext,
    SlowPrimary slow_primary,
    SelectivePrimary selective_primary,
    WithholdBody withhold_body,
    SeqJump seq_jump,
    EmptyBlocks empty_blocks,
    EarlyNewViewProposal early_new_view_proposal,
    NewViewForgery new_view_forgery,
    EquivocatingNewView equivocating_new_view,
    LyingViewChange lying_view_change,
    FalseCertificate false_certificate,
    SpuriousViewChange spurious_view_change,
    BadCheckpoint bad_checkpoint,
    BadState bad_state,
    BadSeal bad_seal,
    EvidenceFraming evidence_framing,
    ColludingSet colluding_set,
    Twins twins,
    Amnesia amnesia,
    SmallScope small_scope,
    BigMacControl big_mac_control,
    CscGarbageEntry csc_garbage_entry,
    CscBadAlpha csc_bad_alpha,
    CscBorrowedRecord csc_borrowed_record,
    CscCopiedT csc_copied_t,
    CscTicketReuse csc_ticket_reuse,
    CscOverCap csc_over_cap,
    KgcWrongD kgc_wrong_d,
    KgcChosenR kgc_chosen_r,
    KgcSubstitution kgc_substitution,
    KgcMintedTicket kgc_minted_ticket,
    KgcMisroute kgc_misroute,
    KgcReader kgc_reader,
    CpOldHeader cp_old_header,
    CpOldKey cp_old_key,
    CpLeak cp_leak,
    CpDenies cp_denies,
    CpFalseMeter cp_false_meter,
    EvWrongRole ev_wrong_role,
    EvRewrap ev_rewrap,
    EvForwardsKey ev_forwards_key,
    EveReplay eve_replay,
    EveSplice eve_splice,
    EveFlood eve_flood,
}

impl BehaviourKind {
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// A few words for menus and the log.
    pub fn title(self) -> &'static str {
        self.about().title
    }

    /// What must come of it.
    pub fn expect(self) -> Expect {
        self.about().expect
    }

    /// Who can do it; nobody named means anybody.
    pub fn roles(self) -> &'static [Role] {
        self.about().roles
    }

    /// Whether an actor of this role can do it.
    pub fn fits(self, role: Role) -> bool {
        self.roles().is_empty() || self.roles().contains(&role)
    }

    /// The behaviours that an actor of this role can follow.
    pub fn of(role: Role) -> impl Iterator<Item = BehaviourKind> {
        Self::ALL.into_iter().filter(move |kind| kind.fits(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_behaviour_says_what_it_is_and_is_written_by_its_name() {
        for kind in BehaviourKind::ALL {
            let (name, about) = (kind.name(), kind.about());
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{name}\""));
            assert_eq!(BehaviourKind::parse(name), Some(kind));
            assert!(!about.title.is_empty() && about.title.len() <= 70, "{name}");
            assert!(about.expect.sentence.ends_with('.'), "{name}");
        }
    }

    /// A file that is not listed would be a behaviour that nobody can ask for.
    #[test]
    fn every_file_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sim/adversary/catalogue");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            files.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
        files.retain(|file| file != "mod");
        files.sort();
        let mut names = BehaviourKind::ALL.map(BehaviourKind::name);
        names.sort_unstable();
        assert_eq!(files, names);
    }
}
