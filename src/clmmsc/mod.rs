//! Floor 1: the scheme of CLMMSC.md, certificateless multi-message multi-receiver signcryption over ristretto255.

pub mod merkle;
