//! Signals: a file cut short under its map, a trap in the program itself, Ctrl-C during an answer, the end of a
//! session.
//!
//! Handlers only touch atomics and call functions that POSIX lists as async-signal-safe.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// One mapped file, and a link to the next. There is one per file of a model. A list only grows, so a handler can walk
/// it at any time; the place of a released file is used again for another.
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

    /// Claims the place; false if it is in use.
    fn take(&self) -> bool {
        self.start.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

static MAPS: GuardedMap = GuardedMap::new();

/// From this call on, an access to an unreadable page of this map ends the program with a message that names the file.
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

/// Marks the map as released, before it is unmapped.
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

/// A pipe that is readable while a SIGINT waits to be taken, for callers that sleep in `poll`.
#[cfg(unix)]
pub(crate) fn interrupts() -> Option<std::os::fd::BorrowedFd<'static>> {
    imp::interrupts()
}

/// A terminal whose modes this program changes: `keys` is set back to `before` and `screen` no longer marks pasted
/// text, by whatever signal the program ends, while the terminal is [said to be changed](terminal_is_changed). Both
/// descriptors stay open as long as it is. There is one such terminal; a second one is not guarded.
#[cfg(unix)]
pub(crate) fn guard_terminal(keys: std::os::fd::RawFd, screen: std::os::fd::RawFd, before: libc::termios) {
    imp::guard_terminal(keys, screen, before);
}

/// Whether the guarded terminal is in modes of this program's own.
#[cfg(unix)]
pub(crate) fn terminal_is_changed(is_changed: bool) {
    imp::terminal_is_changed(is_changed);
}

#[cfg(unix)]
mod imp {
    use super::{MAPS, Ordering};
    use std::io::{self, PipeReader, PipeWriter, Read};
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicBool;

    fn install(signal: i32, handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void), flags: i32) {
        // SAFETY: an all-zero sigaction is a valid value; the handler has the signature that SA_SIGINFO asks for and
        // keeps to async-signal-safe calls; a failure leaves the default action, which is acceptable.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | flags;
            // No handler interrupts another, and SIGTTOU does not stop one that sets the terminal.
            libc::sigfillset(&mut action.sa_mask);
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }

    /// Restores the default action and raises the signal again, so that the parent process sees the signal.
    fn die_of(signal: i32) {
        // SAFETY: both calls are async-signal-safe and take plain numbers.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }

    /// Whether a thread has begun to end the program.
    static IS_ENDING: AtomicBool = AtomicBool::new(false);

    /// Restores the terminal and lets one thread go on, which says why the program ends. Several workers may hit a lost
    /// page at the same time; the others wait here for the end.
    fn begin_the_end() {
        if IS_ENDING.swap(true, Ordering::AcqRel) {
            loop {
                // SAFETY: async-signal-safe, takes nothing.
                unsafe { libc::pause() };
            }
        }
        restore_terminal();
    }

    pub(super) fn install_bus_handler() {
        install(libc::SIGBUS, on_bus_error, 0);
    }

    extern "C" fn on_bus_error(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        begin_the_end();
        // SAFETY: the system passes a valid siginfo; for SIGBUS its address field is set.
        let address = unsafe { (*info).si_addr() } as usize;
        // The last page of a map reaches past the file's end, and another file's map may begin right behind. Of the
        // maps that may contain the address, the one with the greatest start does.
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
        begin_the_end();
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

    /// The pipe that the handler of SIGINT writes to and that waiting code reads from. A flag would not do: a signal
    /// between the look at the flag and the sleep would be missed.
    static INTERRUPTS: OnceLock<(PipeReader, PipeWriter)> = OnceLock::new();

    pub(super) fn catch_interrupts() -> io::Result<()> {
        let (reader, writer) = io::pipe()?;
        for end in [reader.as_raw_fd(), writer.as_raw_fd()] {
            // SAFETY: the call takes plain numbers, and the descriptor is open. A full pipe holds enough interrupts.
            if unsafe { libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        let _ = INTERRUPTS.set((reader, writer));
        // With SA_RESTART a blocked read of the terminal goes on.
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
        // One read takes all interrupts: nobody presses Ctrl-C more often than the buffer holds.
        INTERRUPTS.get().is_some_and(|(reader, _)| matches!((&*reader).read(&mut [0; 64]), Ok(1..)))
    }

    pub(super) fn interrupts() -> Option<BorrowedFd<'static>> {
        INTERRUPTS.get().map(|(reader, _)| reader.as_fd())
    }

    struct Terminal {
        keys: RawFd,
        screen: RawFd,
        before: libc::termios,
    }

    static TERMINAL: OnceLock<Terminal> = OnceLock::new();
    static IS_CHANGED: AtomicBool = AtomicBool::new(false);

    pub(super) fn guard_terminal(keys: RawFd, screen: RawFd, before: libc::termios) {
        /// Signals that end a program and have no handler of their own here.
        const ENDS: [i32; 9] = [
            libc::SIGHUP,
            libc::SIGQUIT,
            libc::SIGTERM,
            libc::SIGABRT,
            libc::SIGFPE,
            libc::SIGALRM,
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGXCPU,
        ];
        if TERMINAL.set(Terminal { keys, screen, before }).is_err() {
            return;
        }
        for signal in ENDS {
            let action = action_of(signal);
            // A signal that whoever started the program wants ignored (nohup) stays so.
            if action.is_some_and(|action| action.sa_sigaction == libc::SIG_DFL) {
                install(signal, on_end, 0);
            }
        }
        install_bus_handler();
        // The standard library's handler says that a stack has overflowed. It comes second, on the stack made for it.
        if let Some(action) = action_of(libc::SIGSEGV) {
            let _ = SEGV_ACTION.set(action);
            install(libc::SIGSEGV, on_bad_address, libc::SA_ONSTACK);
        }
    }

    fn action_of(signal: i32) -> Option<libc::sigaction> {
        // SAFETY: an all-zero sigaction is a valid value to be overwritten; no action is set.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            (libc::sigaction(signal, std::ptr::null(), &mut action) == 0).then_some(action)
        }
    }

    pub(super) fn terminal_is_changed(is_changed: bool) {
        IS_CHANGED.store(is_changed, Ordering::Release);
    }

    /// Called by handlers. A terminal that another job uses now is left alone.
    fn restore_terminal() {
        const RESET: &[u8] = b"\x1b[?2004l\x1b[0m\r\n";
        // Reading an initialized OnceLock is one atomic load.
        let Some(terminal) = TERMINAL.get().filter(|_| IS_CHANGED.swap(false, Ordering::AcqRel)) else { return };
        // SAFETY: tcgetpgrp, getpgrp, tcsetattr and write are async-signal-safe and borrow statics; the descriptors
        // are open while the terminal is changed.
        unsafe {
            let owner = libc::tcgetpgrp(terminal.keys);
            // -1: it is no job's terminal, or has gone.
            if owner == -1 || owner == libc::getpgrp() {
                libc::tcsetattr(terminal.keys, libc::TCSANOW, &terminal.before);
                libc::write(terminal.screen, RESET.as_ptr().cast(), RESET.len());
            }
        }
    }

    extern "C" fn on_end(signal: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        restore_terminal();
        die_of(signal);
    }

    static SEGV_ACTION: OnceLock<libc::sigaction> = OnceLock::new();

    extern "C" fn on_bad_address(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        restore_terminal();
        // SAFETY: the system passes a valid siginfo.
        let is_sent = unsafe { (*info).si_code } <= 0;
        match SEGV_ACTION.get().filter(|_| !is_sent) {
            Some(action) => {
                // SAFETY: the action was read by sigaction and in force before. The access is repeated after this
                // handler, and fails.
                unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) };
            }
            None => die_of(signal),
        }
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
}
