//! Floor 1: CLMMSC-R255, certificateless multi-message multi-receiver signcryption over ristretto255.
//!
//! | paper | here |
//! |---|---|
//! | msk, P_pub, Params | [`kgc::MasterKey`], [`params::Params`] |
//! | d_i, PR_i, f_i | [`record::Record`], [`keys::KeyPair`], [`pseudonym`] |
//! | secure channel | [`channel`] (box, seal), [`request`] |
//! | σ, M_i = f_i ‖ m_i | [`signcrypt`], [`wire`] |
//! | "CSS verifies the validity of σ" | [`verify`] |
//! | "CP locates the field, judges f_i = f_i'" | [`open`] |
//!
//! Beyond the paper: [`slice`] (one entry with its proof), [`receipt`], [`complaint`], [`ticket_opening`].
//!
//! All functions are pure: time (`now`, unix seconds) and randomness (`rand32`) are arguments. Secret-dependent
//! operations run in constant time, public ones may not. No function panics on bytes from outside.

pub mod aead;
pub mod channel;
pub mod check;
pub mod complaint;
pub mod error;
pub mod group;
pub mod hash;
pub mod keys;
pub mod kgc;
pub mod list;
pub mod merkle;
pub mod open;
pub mod params;
pub mod payload;
pub mod pseudonym;
mod reader;
pub mod receipt;
pub mod record;
pub mod request;
pub mod schnorr;
pub mod session;
pub mod signcrypt;
pub mod slice;
pub mod ticket_opening;
pub mod verify;
pub mod vote;
#[cfg(feature = "attack-lab")]
pub(crate) mod weak;
pub mod wire;

pub use check::{Check, Failure};
pub use error::Error;
pub use keys::{KeyPair, Ticket, UserSecret};
pub use params::{Params, Policy};
pub use record::{Class, Flow, PublicRecord, Record, RecordId, Role, SigmaId};
