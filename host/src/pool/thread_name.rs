//! The name of a thread in a static binary.
//!
//! std names each new thread from within, with `pthread_setname_np`. musl's function of that name can also name other
//! threads: it writes to a file whose path it prints with `snprintf`, which brings in all of `printf`, 12 KB that
//! nothing else needs. The linker takes the function of the program instead.

use std::ffi::{c_char, c_int};

/// Names the calling thread, with at most 15 bytes before the zero. As POSIX functions do, it returns 0 or the error's
/// number.
///
/// # Errors
/// `ENOSYS` for another thread than the caller, which std never names; else what `prctl(2)` says.
///
/// # Safety
/// `name` ends with a zero byte.
// SAFETY: the function keeps the contract of musl's function of this name.
#[cfg_attr(target_env = "musl", unsafe(no_mangle))]
unsafe extern "C" fn pthread_setname_np(thread: libc::pthread_t, name: *const c_char) -> c_int {
    // SAFETY: both functions take plain values.
    if unsafe { libc::pthread_equal(thread, libc::pthread_self()) } == 0 {
        return libc::ENOSYS;
    }
    // SAFETY: the caller says that `name` ends with a zero byte; the system reads at most 16 bytes of it.
    match unsafe { libc::prctl(libc::PR_SET_NAME, name) } {
        0 => 0,
        _ => std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOSYS),
    }
}

#[cfg(test)]
mod tests {
    use super::pthread_setname_np;

    #[test]
    fn names_the_calling_thread_only() {
        let comm = || std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        // SAFETY: takes nothing.
        let starter = unsafe { libc::pthread_self() };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // SAFETY: a C string ends with a zero byte.
                assert_eq!(unsafe { pthread_setname_np(libc::pthread_self(), c"worker-7".as_ptr()) }, 0);
                assert_eq!(comm(), "worker-7\n");
                // SAFETY: a C string ends with a zero byte; the thread is only compared.
                assert_eq!(unsafe { pthread_setname_np(starter, c"worker-8".as_ptr()) }, libc::ENOSYS);
            });
        });
        assert_ne!(comm(), "worker-8\n");
    }
}
