//! Floor 6: claims and attacks as experiments that can fail.

#[cfg(feature = "attack-lab")]
pub mod attacks;
mod forge;
mod people;
pub mod vectors;
