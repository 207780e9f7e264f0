//! Voltcast runs the whole protocol of the paper: certificateless multi-message multi-receiver signcryption
//! ([`clmmsc`]), a consortium chain ([`ledger`]) agreed on with PBFT ([`pbft`]), the five actors ([`entities`]) and a
//! deterministic world around them ([`sim`]); [`scene`] turns a moment of a run into a picture and `page` shows it.
//!
//! A floor may use the floors below it, never those above (docs/architecture.md).

pub mod clmmsc;
pub mod entities;
pub mod lab;
pub mod ledger;
mod mutants;
#[cfg(feature = "page")]
pub mod page;
pub mod pbft;
pub mod scene;
pub mod sim;
