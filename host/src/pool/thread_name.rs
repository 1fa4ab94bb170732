//! The name of a thread in static binaries.
//!
//! musl's `pthread_setname_np` prints the path of a file below `/proc` with `snprintf`, which brings all of `printf` into
//! the binary: 12 KB that nothing else needs. The function here has the same name and takes its place.

use std::ffi::{c_char, c_int};

/// Names the calling thread. std calls this function on a new thread, and for that thread only.
///
/// # Safety
/// `name` ends with a zero byte.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_setname_np(_thread: libc::pthread_t, name: *const c_char) -> c_int {
    // SAFETY: the kernel copies at most 16 bytes from `name` and stops at its zero byte.
    unsafe { libc::prctl(libc::PR_SET_NAME, name) }
}
