//! Floor 5: the world around the actors: virtual clock, network, adversaries, interventions, trace, digest, invariants
//! (CONSENSUS.md §4).

pub mod adversary;
pub mod audit;
pub mod diagram;
pub mod export;
pub mod forensics;
pub mod inspect;
pub mod intervention;
pub mod invariants;
pub mod link;
pub mod memo;
pub mod network;
pub mod observer;
mod quantiles;
pub mod scenario;
pub mod state;
pub mod streams;
pub mod summary;
pub mod swarm;
pub mod timelines;
pub mod trace;
pub mod units;
pub mod world;
