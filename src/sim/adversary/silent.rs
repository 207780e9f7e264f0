//! Sends nothing, from its trigger on (CONSENSUS.md §5.2 `silent`). A silent primary is a view change (TM-1), a silent
//! backup costs nothing as long as a quorum remains.

/// The message does not leave.
pub(super) fn act() {}
