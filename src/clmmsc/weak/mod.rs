//! Deliberately weakened variants of the scheme, one fault each: the negative controls of the attack laboratory
//! (CLMMSC.md §14). An attack that the scheme withstands must succeed against its control, or the experiment shows
//! nothing.
//!
//! Nothing here is reachable from outside the crate, and nothing on the other floors but the laboratory may use it:
//! ```compile_fail,E0603
//! use voltcast::clmmsc::weak;
//! ```

pub(crate) mod acceptance;
pub(crate) mod batches;
pub(crate) mod claims;
pub(crate) mod coefficients;
pub(crate) mod desk;
pub(crate) mod dice;
pub(crate) mod freshness;
pub(crate) mod lax;
pub(crate) mod letters;
pub(crate) mod memory;
pub(crate) mod names;
pub(crate) mod opening;
pub(crate) mod outer;
pub(crate) mod unbound;
pub(crate) mod votes;
