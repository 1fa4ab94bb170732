//! Signals: a file cut short under its map, a trap in the program itself, Ctrl-C during an answer, the end of a session.
//!
//! Handlers only touch atomics and call functions that POSIX lists as async-signal-safe.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// One mapped file, and the next: as many as a model is in. A list only grows, so that a handler can walk it at any time; a
/// file that is released leaves its place to another.
struct GuardedMap {
    start: AtomicUsize,
    n_bytes: AtomicUsize,
    /// A NUL-terminated message, leaked: a handler may still read it.
    message: AtomicPtr<u8>,
    next: OnceLock<Box<Self>>,
}

impl GuardedMap {
    const fn new() -> Self {
        Self {
            start: AtomicUsize::new(0),
            n_bytes: AtomicUsize::new(0),
            message: AtomicPtr::new(std::ptr::null_mut()),
            next: OnceLock::new(),
        }
    }

    /// This one and those after it.
    fn iter(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |map| map.next.get().map(Box::as_ref))
    }

    /// Whether its place is now the caller's.
    fn take(&self) -> bool {
        self.start.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

static MAPS: GuardedMap = GuardedMap::new();

/// From now on an unreadable page of this map ends the program with a message that names the file.
pub(crate) fn guard_map(map: &[u8], path: &Path) {
    let message = format!("error: {}: the file was cut short or became unreadable while in use\n\0", path.display());
    let mut slot = &MAPS;
    while !slot.take() {
        slot = slot.next.get_or_init(|| Box::new(GuardedMap::new()));
    }
    slot.message.store(Box::leak(message.into_bytes().into_boxed_slice()).as_mut_ptr(), Ordering::Release);
    slot.n_bytes.store(map.len(), Ordering::Release);
    slot.start.store(map.as_ptr() as usize, Ordering::Release);
    imp::install_bus_handler();
}

/// The map is about to go.
pub(crate) fn release_map(map: &[u8]) {
    for slot in MAPS.iter() {
        if slot.start.load(Ordering::Acquire) == map.as_ptr() as usize {
            slot.n_bytes.store(0, Ordering::Release);
            slot.start.store(0, Ordering::Release);
        }
    }
}

/// A trap says where it is. Static binaries trap where others panic with a message, which is a fifth of their size; the
/// address finds the line in a copy with debug information (`addr2line`).
pub(crate) fn name_traps() {
    imp::name_traps();
}

/// SIGINT no longer ends the program: it waits until it is [taken](take_interrupt).
///
/// # Errors
/// If there is no descriptor left for it.
pub(crate) fn catch_interrupts() -> std::io::Result<()> {
    imp::catch_interrupts()
}

/// Whether SIGINT came since this was last asked.
pub(crate) fn take_interrupt() -> bool {
    imp::take_interrupt()
}

/// Readable while a SIGINT waits to be taken: for those who sleep until something comes.
#[cfg(unix)]
pub(crate) fn interrupts() -> Option<std::os::fd::BorrowedFd<'static>> {
    imp::interrupts()
}

/// SIGTERM, SIGHUP and SIGQUIT put the terminal back as it is now before they end the program.
pub(crate) fn restore_terminal_at_end() {
    imp::restore_terminal_at_end();
}

#[cfg(unix)]
mod imp {
    use super::{MAPS, Ordering};
    use std::io::{self, PipeReader, PipeWriter, Read};
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
    use std::sync::OnceLock;

    fn install(signal: i32, handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void), flags: i32) {
        // SAFETY: an all-zero sigaction is a valid value; the handler has the signature that SA_SIGINFO asks for and
        // keeps to async-signal-safe calls; a failure leaves the default action, which is acceptable.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | flags;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }

    /// Back to the default action, then once more, so that whoever waits for us sees the signal.
    fn die_of(signal: i32) {
        // SAFETY: both calls are async-signal-safe and take plain numbers.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }

    pub(super) fn install_bus_handler() {
        install(libc::SIGBUS, on_bus_error, 0);
    }

    extern "C" fn on_bus_error(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the system passes a valid siginfo; for SIGBUS its address field is set.
        let address = unsafe { (*info).si_addr() } as usize;
        // The last page of a map reaches past the file's end, and another file's map may begin right behind it: of those
        // that may hold the address, the one that starts last does.
        let mut found = (0, std::ptr::null_mut());
        for map in MAPS.iter() {
            let (start, n_bytes) = (map.start.load(Ordering::Acquire), map.n_bytes.load(Ordering::Acquire));
            let may_hold = start > 1 && address >= start && address - start < n_bytes.next_multiple_of(1 << 16);
            if may_hold && start > found.0 {
                found = (start, map.message.load(Ordering::Acquire));
            }
        }
        if !found.1.is_null() {
            // SAFETY: the message is NUL-terminated and never freed; write and _exit are async-signal-safe.
            unsafe {
                libc::write(2, found.1.cast(), libc::strlen(found.1.cast()));
                libc::_exit(1);
            }
        }
        die_of(signal);
    }

    pub(super) fn name_traps() {
        // x86-64 traps by an illegal instruction, AArch64 by a breakpoint.
        install(libc::SIGILL, on_trap, 0);
        install(libc::SIGTRAP, on_trap, 0);
    }

    extern "C" fn on_trap(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        const N_DIGITS: usize = 16;
        const TEXT: &[u8] = concat!(
            "\nerror: a bug in nanocamelid ",
            env!("CARGO_PKG_VERSION"),
            ", or an instruction that this CPU lacks, at 0x0000000000000000\n"
        )
        .as_bytes();
        // SAFETY: the system passes a valid siginfo.
        let mut address = unsafe { (*info).si_addr() } as usize as u64;
        let mut text = [0; TEXT.len()];
        text.copy_from_slice(TEXT);
        let end = TEXT.len() - 1;
        for digit in text[end - N_DIGITS..end].iter_mut().rev() {
            *digit = b"0123456789abcdef"[(address & 15) as usize];
            address >>= 4;
        }
        // SAFETY: write is async-signal-safe and borrows the array.
        unsafe {
            libc::write(2, text.as_ptr().cast(), text.len());
        }
        die_of(signal);
    }

    /// What the handler of SIGINT writes to and whoever waits reads from. A flag would not do: a signal between looking
    /// at it and falling asleep would be slept over.
    static INTERRUPTS: OnceLock<(PipeReader, PipeWriter)> = OnceLock::new();

    pub(super) fn catch_interrupts() -> io::Result<()> {
        let (reader, writer) = io::pipe()?;
        for end in [reader.as_raw_fd(), writer.as_raw_fd()] {
            // SAFETY: plain numbers; the descriptor is open. A full pipe holds enough interrupts.
            if unsafe { libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        let _ = INTERRUPTS.set((reader, writer));
        // Restarting: a blocked read of the terminal goes on.
        install(libc::SIGINT, on_interrupt, libc::SA_RESTART);
        Ok(())
    }

    extern "C" fn on_interrupt(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // Reading an initialized OnceLock is one atomic load.
        if let Some((_, writer)) = INTERRUPTS.get() {
            // SAFETY: write is async-signal-safe and borrows the array; it leaves errno to whatever was interrupted
            // unless the pipe is full, of interrupts that nobody wants.
            unsafe {
                libc::write(writer.as_raw_fd(), [0_u8].as_ptr().cast(), 1);
            }
        }
    }

    pub(super) fn take_interrupt() -> bool {
        // One read takes them all: nobody presses Ctrl-C that often.
        INTERRUPTS.get().is_some_and(|(reader, _)| matches!((&*reader).read(&mut [0; 64]), Ok(1..)))
    }

    pub(super) fn interrupts() -> Option<BorrowedFd<'static>> {
        INTERRUPTS.get().map(|(reader, _)| reader.as_fd())
    }

    static TERMINAL: OnceLock<libc::termios> = OnceLock::new();

    pub(super) fn restore_terminal_at_end() {
        // SAFETY: an all-zero termios is a valid value to be overwritten; file 0 is only asked.
        unsafe {
            let mut termios: libc::termios = std::mem::zeroed();
            if libc::tcgetattr(0, &mut termios) == 0 {
                let _ = TERMINAL.set(termios);
            }
        }
        install(libc::SIGTERM, on_end, 0);
        install(libc::SIGHUP, on_end, 0);
        install(libc::SIGQUIT, on_end, 0);
    }

    extern "C" fn on_end(signal: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // Reading an initialized OnceLock is one atomic load.
        if let Some(termios) = TERMINAL.get() {
            const RESET: &[u8] = b"\x1b[?2004l\x1b[0m\n";
            // SAFETY: tcsetattr and write are async-signal-safe; both borrow statics.
            unsafe {
                libc::tcsetattr(0, libc::TCSANOW, termios);
                libc::write(2, RESET.as_ptr().cast(), RESET.len());
            }
        }
        die_of(signal);
    }
}

#[cfg(not(unix))]
mod imp {
    pub(super) fn name_traps() {}
    pub(super) fn install_bus_handler() {}
    pub(super) fn catch_interrupts() -> std::io::Result<()> {
        Ok(())
    }
    pub(super) fn take_interrupt() -> bool {
        false
    }
    pub(super) fn restore_terminal_at_end() {}
}
