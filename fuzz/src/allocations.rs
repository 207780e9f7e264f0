//! No input may ask for memory that it does not bring: the largest single allocation is bounded by the input's length.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What one allocation may take beyond [`FACTOR`] times the input: tables of the group library, an error text.
const SLACK: usize = 1 << 20;
/// The greediest honest reader turns one byte into this many: a scenario line into its parsed form.
const FACTOR: usize = 256;

struct Measured;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Measured = Measured;

/// Runs `what` and panics if it made a larger allocation than an input of `len` bytes allows.
pub fn bounded(len: usize, what: impl FnOnce()) {
    LARGEST.store(0, Relaxed);
    what();
    let largest = LARGEST.load(Relaxed);
    assert!(largest <= SLACK + FACTOR * len, "{largest} bytes at once for an input of {len}");
}
