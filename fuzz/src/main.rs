//! Every fuzz target: the name of the program says which of [`targets::TARGETS`] it runs.
#![no_main]

#[path = "allocations.rs"]
mod allocations;
#[path = "targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    allocations::bounded(data.len(), || targets::run(env!("CARGO_BIN_NAME"), data));
});
