//! The mathematics behind the code: why each equation is as it is, and what goes wrong with a simpler one. The same texts
//! stand in `docs/notes/`.

#[doc = include_str!("../../docs/notes/1-keys.md")]
pub mod keys {}

#[doc = include_str!("../../docs/notes/2-signcryption.md")]
pub mod signcryption {}

#[doc = include_str!("../../docs/notes/3-verification.md")]
pub mod verification {}

#[doc = include_str!("../../docs/notes/4-opening.md")]
pub mod opening {}

#[doc = include_str!("../../docs/notes/5-extensions.md")]
pub mod extensions {}
