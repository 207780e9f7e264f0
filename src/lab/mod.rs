//! Floor 6: claims and attacks as experiments that can fail.

pub mod vectors;
