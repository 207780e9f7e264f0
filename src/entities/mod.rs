//! Floor 4: the paper's five actors (KGC, CSC, CSS, CP, EV) as state machines without I/O (WORLD.md §3).

pub mod actor;
pub mod fact;
