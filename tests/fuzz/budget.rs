//! What an input may cost: time and memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// The system's allocator, keeping count of what each thread holds.
pub struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn hold(bytes: isize) {
    HELD.set(HELD.get() + bytes);
    MOST.set(MOST.get().max(HELD.get()));
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size() as isize);
        // SAFETY: the caller's promises are those asked here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        hold(layout.size() as isize);
        // SAFETY: the caller's promises are those asked here.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both live while the contents move.
        hold(size as isize);
        hold(-(layout.size() as isize));
        // SAFETY: the caller's promises are those asked here.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-(layout.size() as isize));
        // SAFETY: the caller's promises are those asked here.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What a call cost: its time, and the most bytes it held at once.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub time: Duration,
    pub bytes: usize,
}

/// The outcome and the cost of `call`.
pub fn measured<T>(call: impl FnOnce() -> T) -> (T, Cost) {
    let before = HELD.get();
    MOST.set(before);
    let start = Instant::now();
    let outcome = call();
    let cost = Cost {
        time: start.elapsed(),
        bytes: usize::try_from(MOST.get() - before).unwrap_or(0),
    };
    (outcome, cost)
}
