//! Beside and below the stage: inspector, log, and the menu that breaks things (PAGE.md §4.4, §4.5, §5.2).

mod chooser;
mod faults;
mod help;
mod inspector;
mod log;
mod message;
mod node;
mod popup;
mod power;
mod recovery;
mod waiting;

pub use chooser::Chooser;
pub use faults::FaultMenu;
pub use help::Help;
pub use inspector::Inspector;
pub use log::Log;
pub use power::Power;
pub use recovery::RecoveryBar;
