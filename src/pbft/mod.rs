//! Floor 3: agreement of the gateways on blocks, PBFT of OSDI'99 with the intersection quorum (CONSENSUS.md §2, §3).
//!
//! No I/O, no clock, no randomness: a replica is a function from inputs to outputs. Who wants to audit safety reads
//! `quorum`, `certificate`, `safety` and `new_view`.

pub mod certificate;
mod codec;
pub mod config;
pub mod io;
pub mod message;
pub mod quorum;
pub mod rule;
pub mod types;

pub use config::{Config, Genesis};
pub use io::{Input, Io, Output, Record, Timer};
pub use message::{Envelope, Kind, Message, Statement};
pub use quorum::{Quorum, ReplicaSet};
pub use rule::{About, Outcome, Reason, Rule};
pub use types::{NodeId, ReplicaId, Sig, Signer, Verifier, VerifyError, View};
