//! The terminal: its modes, its keys as bytes, its width.

use crate::signals;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Pasted text comes between brackets, so that its line ends are no Enter.
const PASTE_BRACKETS_ON: &str = "\x1b[?2004h";
const PASTE_BRACKETS_OFF: &str = "\x1b[?2004l";

/// A terminal that hands over every key as it is pressed.
///
/// The terminal stays in one mode for the whole session, also during an answer: a switch between modes can lose keys.
/// Nothing is echoed, Ctrl-C and Ctrl-Z are bytes in the order in which they were pressed, Ctrl-\ is still a signal.
#[derive(Debug)]
pub(super) struct Tty {
    keys: File,
    screen: File,
    before: libc::termios,
}

impl Tty {
    /// Standard input's terminal, its modes unchanged. Prompt and echo go to the terminal, not to a stdout that may be
    /// a file.
    pub(super) fn open() -> io::Result<Self> {
        let keys = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let screen = match OpenOptions::new().write(true).open("/dev/tty") {
            Ok(screen) => screen,
            Err(_) if io::stderr().is_terminal() => File::from(io::stderr().as_fd().try_clone_to_owned()?),
            Err(error) => return Err(error),
        };
        // SAFETY: an all-zero termios is a valid value; tcgetattr overwrites it, the descriptor is open.
        let before = unsafe {
            let mut modes: libc::termios = std::mem::zeroed();
            checked(libc::tcgetattr(keys.as_raw_fd(), &mut modes))?;
            modes
        };
        signals::guard_terminal(keys.as_raw_fd(), screen.as_raw_fd(), before);
        Ok(Self { keys, screen, before })
    }

    /// Delivers every key by itself and without echo. Output keeps its line ends. Keys already typed stay.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        let mut modes = self.before;
        modes.c_iflag &= !(libc::BRKINT | libc::ICRNL | libc::INPCK | libc::ISTRIP | libc::IXON);
        modes.c_lflag &= !(libc::ECHO | libc::ICANON | libc::IEXTEN);
        modes.c_cc[libc::VINTR] = libc::_POSIX_VDISABLE;
        modes.c_cc[libc::VSUSP] = libc::_POSIX_VDISABLE;
        modes.c_cc[libc::VMIN] = 1;
        modes.c_cc[libc::VTIME] = 0;
        // Said first: a signal in between then restores unchanged modes, which does no harm.
        signals::terminal_is_changed(true);
        self.set(&modes)?;
        self.write(PASTE_BRACKETS_ON)
    }

    /// Restores the terminal as it was found. Each half is done even if the other fails.
    pub(super) fn leave(&mut self) -> io::Result<()> {
        let written = self.write(PASTE_BRACKETS_OFF);
        let set = self.set(&self.before);
        signals::terminal_is_changed(false);
        written.and(set)
    }

    fn set(&self, modes: &libc::termios) -> io::Result<()> {
        // SAFETY: the descriptor is open and the structure complete. TCSANOW throws no waiting key away.
        checked(unsafe { libc::tcsetattr(self.keys.as_raw_fd(), libc::TCSANOW, modes) })
    }

    /// Stops the job as Ctrl-Z does elsewhere; returns when it goes on.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        self.leave()?;
        // SAFETY: the call takes plain numbers, and the signal goes to this program's own process group.
        unsafe { libc::kill(0, libc::SIGTSTP) };
        self.enter()
    }

    /// Characters in a row.
    pub(super) fn columns(&self) -> usize {
        // SAFETY: an all-zero winsize is a valid value; the call writes one at most, the descriptor is open.
        let columns = unsafe {
            let mut size: libc::winsize = std::mem::zeroed();
            match libc::ioctl(self.keys.as_raw_fd(), libc::TIOCGWINSZ, &mut size) {
                0 => size.ws_col,
                _ => 0,
            }
        };
        if columns == 0 { 80 } else { usize::from(columns) }
    }

    /// Waits for keys, at most for `time` if it is given. False if no key has come by then. A signal that this program
    /// handles ends the wait with [`io::ErrorKind::Interrupted`], and so does a SIGINT that came before the wait and
    /// has not been taken.
    pub(super) fn wait(&self, time: Option<Duration>) -> io::Result<bool> {
        let milliseconds = time.map_or(-1, |time| i32::try_from(time.as_millis()).unwrap_or(i32::MAX));
        // A negative descriptor is passed over.
        let interrupts = signals::interrupts().map_or(-1, |pipe| pipe.as_raw_fd());
        let mut sources =
            [self.keys.as_raw_fd(), interrupts].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        // SAFETY: the pollfds are lent for the call.
        let n_ready = unsafe { libc::poll(sources.as_mut_ptr(), sources.len() as libc::nfds_t, milliseconds) };
        checked(n_ready.min(0))?;
        let [keys, interrupts] = sources.map(|source| source.revents != 0);
        if interrupts { Err(io::ErrorKind::Interrupted.into()) } else { Ok(keys) }
    }

    /// The keys that wait; none at all means that the terminal has gone.
    pub(super) fn read<'b>(&mut self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let n = self.keys.read(buffer)?;
        Ok(&buffer[..n])
    }

    /// Writes on the screen.
    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        self.screen.write_all(text.as_bytes())
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

/// Whether standard input's terminal has gone. Its keys are not touched.
pub(in crate::commands::tui) fn has_hung_up() -> bool {
    let mut source = libc::pollfd { fd: io::stdin().as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: the pollfd is lent for the call. Without events only a hangup or an error is reported.
    unsafe { libc::poll(&mut source, 1, 0) > 0 }
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
