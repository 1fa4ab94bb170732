//! Standard streams that wait. The program that started this one may have left them non-blocking, because the flag
//! belongs to the pipe or terminal. "Would block" is then no failure, and the bytes moved so far count.

use std::io::{self, BufRead, Read, Write};

/// Where streams are not waited for, any stream will do.
#[cfg(not(unix))]
use std::any::Any as AsFd;
#[cfg(unix)]
use std::os::fd::AsFd;

/// A stream whose calls never fail with "would block"; they wait instead.
#[derive(Debug)]
pub(crate) struct Waiting<S>(S);

/// Standard input.
pub(crate) fn stdin() -> Waiting<io::StdinLock<'static>> {
    Waiting(io::stdin().lock())
}

/// Standard output.
pub(crate) fn stdout() -> Waiting<io::StdoutLock<'static>> {
    Waiting(io::stdout().lock())
}

/// Standard error.
pub(crate) fn stderr() -> Waiting<io::StderrLock<'static>> {
    Waiting(io::stderr().lock())
}

/// The operation that a stream must be ready for.
#[derive(Clone, Copy)]
enum Ready {
    Reading,
    Writing,
}

impl<S: AsFd> Waiting<S> {
    /// Repeats `call` until it does not block. A call that fails has moved no bytes, so repeating it loses nothing.
    fn until_done<T>(&mut self, ready: Ready, mut call: impl FnMut(&mut S) -> io::Result<T>) -> io::Result<T> {
        loop {
            match call(&mut self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(&self.0, ready)?,
                result => return result,
            }
        }
    }
}

impl<S: AsFd + Write> Write for Waiting<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.until_done(Ready::Writing, |stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.until_done(Ready::Writing, S::flush)
    }
}

impl<S: AsFd + Read> Read for Waiting<S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.until_done(Ready::Reading, |stream| stream.read(bytes))
    }
}

impl<S: AsFd + BufRead> BufRead for Waiting<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let n = self.until_done(Ready::Reading, |stream| stream.fill_buf().map(<[u8]>::len))?;
        // The buffer is filled and not read again. An end of file would be read again: a terminal would wait for a
        // second one.
        if n == 0 { Ok(&[]) } else { self.0.fill_buf() }
    }

    fn consume(&mut self, n: usize) {
        self.0.consume(n);
    }
}

/// Whether text waits on standard input: something in a pipe, or more of a file. A terminal, a device such as
/// `/dev/null` and a closed pipe have none. Nothing is read.
#[cfg(unix)]
pub(crate) fn input_waits() -> bool {
    use std::os::unix::fs::FileTypeExt;
    let Ok(metadata) = std::fs::metadata("/dev/fd/0") else { return false };
    let kind = metadata.file_type();
    if kind.is_file() {
        let info = std::fs::read_to_string("/proc/self/fdinfo/0").unwrap_or_default();
        let position = info.lines().find_map(|line| line.strip_prefix("pos:")?.trim().parse::<u64>().ok());
        return position.is_some_and(|position| position < metadata.len());
    }
    (kind.is_fifo() || kind.is_socket())
        && poll(&io::stdin(), Ready::Reading, 0).is_ok_and(|events| events & libc::POLLIN != 0)
}

/// Other systems are not asked.
#[cfg(not(unix))]
pub(crate) fn input_waits() -> bool {
    false
}

/// Sleeps until the stream is ready or has come to an end; a signal may wake it earlier.
#[cfg(unix)]
fn wait(stream: &impl AsFd, ready: Ready) -> io::Result<()> {
    match poll(stream, ready, -1) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// Which of the events `ready` have come within `timeout` milliseconds; -1 waits without end.
#[cfg(unix)]
fn poll(stream: &impl AsFd, ready: Ready, timeout: i32) -> io::Result<i16> {
    use std::os::fd::AsRawFd;
    let events = match ready {
        Ready::Reading => libc::POLLIN,
        Ready::Writing => libc::POLLOUT,
    };
    let mut source = libc::pollfd { fd: stream.as_fd().as_raw_fd(), events, revents: 0 };
    // SAFETY: the one pollfd is lent for the call; its descriptor is borrowed from the stream and so open.
    match unsafe { libc::poll(&mut source, 1, timeout) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(source.revents),
    }
}

/// Only Unix hands non-blocking streams to a program.
#[cfg(not(unix))]
fn wait(_stream: &impl AsFd, _ready: Ready) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}
