//! Floor 7: a moment of a run as a picture, purely (PAGE.md §2.4, §3).
//!
//! Everything here is a function of the trace: no clock, no browser, no randomness. Nothing is drawn without its effect.

pub mod faults;
pub mod layout;
pub mod stage;
pub mod timeline;
pub mod view;
pub mod warp;
pub mod words;
