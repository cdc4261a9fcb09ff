//! How this program allocates memory. A training step allocates and frees hundreds of megabytes; if the system's allocator
//! returns each piece to the kernel and gets it cleared again, this costs a fifth of a step (`docs/performance.md`).
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long};

use libmimalloc_sys::{mi_option_large_os_pages, mi_option_set};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2, which the crate has no name for.
const PURGE_DELAY: c_int = 15;

/// Keeps freed memory for the next step, on large pages where the system has some: for processes that compute and end.
/// The server, which stays and waits, returns memory to the system.
pub fn keep_for_the_next_step() {
    let settings: [(c_int, c_long); 2] = [(PURGE_DELAY, -1), (mi_option_large_os_pages, 1)];
    for (option, value) in settings {
        // SAFETY: sets one of mimalloc's numbers, which it reads anew at each use; any value is allowed.
        unsafe { mi_option_set(option, value) }
    }
}
