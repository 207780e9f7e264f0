//! Floor 3: agreement of the gateways on blocks, PBFT of OSDI'99 with the intersection quorum (CONSENSUS.md §2, §3).
//!
//! No I/O, no clock, no randomness: a replica is a function from inputs to outputs. Who wants to audit safety reads
//! `quorum`, `certificate`, `safety` and `new_view`.

mod accuse;
mod answer;
pub mod certificate;
pub mod checkpoint;
mod codec;
pub mod config;
pub mod coverage;
pub mod durable;
pub mod evidence;
pub mod follower;
pub mod io;
pub mod light;
mod liveness;
pub mod log;
pub mod message;
pub mod new_view;
mod normal;
pub mod pool;
pub mod proposal;
pub mod quorum;
pub mod replica;
mod request;
mod restart;
pub mod rule;
pub mod safety;
pub mod state_transfer;
pub mod types;
mod view_change;

pub use accuse::Faults;
pub use config::{Config, Genesis};
pub use coverage::Coverage;
pub use durable::Durable;
pub use evidence::{Class, Evidence};
pub use follower::Follower;
pub use io::{Input, Io, Output, Record, Timer};
pub use light::LightFollower;
pub use message::{Envelope, Kind, Message, Signed, Statement};
pub use quorum::{Quorum, ReplicaSet};
pub use replica::{Pending, Replica};
pub use rule::{About, Outcome, Reason, Rule};
pub use types::{NodeId, ReplicaId, Sig, Signer, Verifier, VerifyError, View};
