//! Beside and below the stage: inspector, log, and the menu that breaks things (PAGE.md §4.4, §4.5, §5.2).

mod faults;
mod inspector;
mod log;
mod message;
mod node;
mod recovery;

pub use faults::{FaultMenu, Target};
pub use inspector::Inspector;
pub use log::Log;
pub use recovery::RecoveryBar;
