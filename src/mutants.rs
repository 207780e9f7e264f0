//! Canaries: the classic bugs of PBFT implementations (CONSENSUS.md §7), built in on purpose, to show that the tests notice.
//!
//! A bug is chosen by the environment when a test program starts, so that one build serves them all. Without the feature
//! `mutants` the choice is the constant `false` and nothing of this is in the program; with the feature `page` it does
//! not compile. Nothing outside tests may use it.

#[cfg(all(feature = "mutants", feature = "page"))]
compile_error!("the page must not be built with deliberate bugs: leave out the feature `mutants`");

/// Whether the bug of this name is built in and chosen. Each name stands in one place of the source.
macro_rules! mutant {
    ($name:literal) => {
        cfg!(feature = "mutants") && $crate::mutants::chosen($name)
    };
}
pub(crate) use mutant;

/// Names the bug that is switched on.
#[cfg(feature = "mutants")]
const CHOICE: &str = "VOLTCAST_MUTANT";

/// Whether the environment chooses this bug.
#[cfg(feature = "mutants")]
pub(crate) fn chosen(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var(CHOICE).ok()).as_deref() == Some(name)
}

/// There are none in this build.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn chosen(_: &str) -> bool {
    false
}
