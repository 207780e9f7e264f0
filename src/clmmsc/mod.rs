//! Floor 1: CLMMSC-R255, certificateless multi-message multi-receiver signcryption over ristretto255.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use voltcast::clmmsc::{keys::Wanted, kgc::*, open::*, signcrypt::*, verify::VerifiedSigma, *};
//! let kgc = MasterKey::new(&[1; 64], [2; 32]);
//! let params = kgc.params("doc", Policy { epoch_len: 3600, skew: 30, ttl_max: 600, max_bytes: 1 << 20 })?;
//! let enrol = |class, role, uid| {
//!     let (user, what) = (UserSecret::from_wide(&[uid as u8; 64]), Issue { class, role, from: 0, to: 0, uid, ctr: 0 });
//!     let (rec, d) = kgc.issue(&params, &what, &user.public(), &[3; 32])?; // d·P = R + h·Ppub
//!     KeyPair::accept(&params, &Wanted { class, role, from: 0, to: 0 }, &user, &rec, &d)
//! };
//! let (csc, car) = (enrol(Class::Id, Role::Csc, 1)?, enrol(Class::Id, Role::Ev, 2)?);
//! let ticket = Ticket::new(enrol(Class::Ticket, Role::Csc, 3)?)?; // a key pair for one ciphertext
//! let envelope = Envelope { flow: Flow::COMMAND, created: 100, ttl: 60, floor: 64, pad_to: 0 };
//! let made = signcrypt(&params, &envelope, &csc, ticket, &[Item { to: car.public(), message: b"7 kW" }], &[4; 32])?;
//! let sigma = VerifiedSigma::verify(&params, &made.bytes.into(), 101)?; // anybody, with public parameters only
//! let who = Receiver { record: car.record(), pinned: Pinned::Any, since: 0, nullifiers: &|_| None, opened: &|_, _| false };
//! let k = decapsulate(sigma.head(), &car); // the car alone: Z = sk·T
//! assert_eq!(*open(&params, &sigma, &who, &k)?.message, b"7 kW"); // the pile: f_i' = f_i, and who sent it
//! # Ok(())
//! # }
//! ```
//!
//! # Notation
//!
//! | symbol | what | bytes | paper | here |
//! |---|---|---|---|---|
//! | `P`, `q`, `O` | base point, prime order and neutral element of ristretto255 (RFC 9496) | | §2.1 | [`record::BASE`], [`group`] |
//! | `s`, `Ppub = s·P` | master secret and public key of the KGC | 32 | `msk`, `P_pub` | [`kgc::MasterKey`], [`params::Params`] |
//! | `params_id` | hash of suite, network, `Ppub` and policy | 32 | `Params` | [`params::Params`] |
//! | `x`, `X = x·P` | the user's half | 32 | | [`keys::UserSecret`] |
//! | `R`, `d = r + h·s` | the KGC's half | 32 | `PR_i`, `d_i` | [`kgc::MasterKey::issue`] |
//! | `f` | pseudo-identity | 32 | `f_i` | [`pseudonym`] |
//! | `rec`, `rid` | record and its hash | 106, 32 | | [`record::Record`], [`record::RecordId`] |
//! | `h`, `g` | coefficients, hashes of params and record | 32 | | [`record::Record::h`], [`record::Record::g`] |
//! | `sk = d + g·x`, `PK = R + h·Ppub + g·X` | full key pair | 32 | private key in two parts | [`keys::KeyPair`], [`record::PublicRecord`] |
//! | `nk` | nonce key of a key pair | 32 | | [`keys::KeyPair`] |
//! | `X', R', f', sk'` | the same of a one-time ticket; its `rid` is the nullifier | | | [`keys::Ticket`] |
//! | `t`, `T = t·P` | one-time key of a σ | 32 | | [`signcrypt`] |
//! | `ctx` | hash of header\[0..170\]: parameters, flow, time, sizes, `T`, ticket | 32 | | [`verify::context`] |
//! | `b` | hash of `ctx`; the outer key is `sk' + b·t` | 32 | | [`verify`] |
//! | `Z_i = t·PK_i = sk_i·T` | point shared with receiver i | 32 | | [`signcrypt`], [`open::decapsulate`] |
//! | `k_i`, `tag_i`, `ke_i` | entry key, and what is derived from it | 32, 16, 32 | | [`open::EntryKey`] |
//! | `kS` | key of the capsule, inside every entry | 16 | | [`signcrypt`] |
//! | `α` | the sender's own signature, inside the capsule | 64 | "only the receiver can restore the sender's identity" | [`open`] |
//! | `N, z`, `e` | a Schnorr signature and its challenge | 64, 32 | | [`schnorr`] |
//! | `σ`, `σ_id` | the ciphertext, and its id without the outer signature | 452 + n·(32 + L), 32 | `σ` | [`wire`], [`verify::sigma_id`] |
//! | `M_i = f_i ‖ m_i` | what an entry holds | L | `M_i` | [`signcrypt::Item`] |
//!
//! # Cost
//!
//! F fixed-base and V variable-base multiplication in constant time, Mk product of k points in variable time (public data
//! only), D decoding, C encoding of a point.
//!
//! | operation | cost | where |
//! |---|---|---|
//! | issue one record | 1 F | [`kgc::MasterKey::issue`] |
//! | accept it | D + 2 F + M1 | [`keys::KeyPair::accept`] |
//! | derive `PK`, once per record | 2 D + M3 | [`record::Record::derive`] |
//! | signcrypt for n receivers | n V + 3 F + n batched C | [`signcrypt::signcrypt`] |
//! | verify σ | 3 D + M5 + C, and hashing the body | [`verify::VerifiedSigma::verify`] |
//! | verify m at once, each | 4 D + M(4m+2)/m | [`verify::verify_batch`] |
//! | the car's part of opening | verify the header + 1 V + 1 C | [`open::release`] |
//! | the pile's part | log2 n comparisons + 2 D + M4 + C | [`open::open`] |
//! | sign, verify a vote | 1 F, M2 + C | [`vote`] |
//! | make, check a complaint | 2 V + F, 2 M2 + M3 | [`complaint`] |
//!
//! # Where to read on
//!
//! [`notes`] derives the equations and says what breaks without them: [keys](notes::keys),
//! [signcryption](notes::signcryption), [verification](notes::verification), [opening](notes::opening) and
//! [extensions](notes::extensions). Registration is in [`request`] and [`channel`]; the seven flows in [`record::Flow`]
//! and [`payload`]. Beyond the paper: [`mod@slice`] (one entry with its proof), [`receipt`], [`complaint`],
//! [`ticket_opening`].
//!
//! All functions are pure: time (`now`, unix seconds) and randomness (`rand32`) are arguments. Secret-dependent
//! operations run in constant time, public ones may not; secrets are wiped on drop and never printed ([`secret`]). No
//! function panics on bytes from outside.

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
pub mod notes;
pub mod open;
pub mod params;
pub mod payload;
pub mod pseudonym;
mod reader;
pub mod receipt;
pub mod receivers;
pub mod record;
pub mod request;
pub mod schnorr;
pub mod secret;
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
