//! Floor 5: the world around the actors: virtual clock, network, adversaries, interventions, trace, digest, invariants
//! (CONSENSUS.md §4).

pub mod invariants;
pub mod link;
pub mod state;
pub mod trace;
