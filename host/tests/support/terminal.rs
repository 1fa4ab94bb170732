//! A program behind a pseudo-terminal.

use super::PATIENCE;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A program on a terminal of its own.
pub struct Terminal {
    pub child: Child,
    /// The other end; none once the terminal has gone.
    keys: Option<File>,
    screen: Arc<Mutex<String>>,
    leaves: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// Takes what the program writes.
struct Reader {
    screen: Arc<Mutex<String>>,
    leaves: Arc<AtomicBool>,
}

impl Reader {
    /// Until the program has ended or the terminal goes.
    fn read(&self, mut output: File) {
        let mut bytes = [0; 4096];
        while !self.leaves.load(Ordering::Acquire) {
            let mut source = libc::pollfd { fd: output.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: the pollfd is lent for the call.
            if unsafe { libc::poll(&mut source, 1, 5) } == 0 {
                continue;
            }
            let Ok(n @ 1..) = output.read(&mut bytes) else { return };
            self.screen.lock().expect("the screen").push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    }
}

impl Terminal {
    pub fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = super::command(args);
        command.envs(variables.iter().copied());
        Self::spawn(command, None)
    }

    /// A command, with its stderr on the terminal too or elsewhere.
    pub fn spawn(mut command: Command, stderr: Option<File>) -> Self {
        // Both ends are closed in every child: a terminal goes when its last other end does.
        let master = File::options().read(true).write(true).open("/dev/ptmx").expect("a pseudo-terminal");
        let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open; the calls read an integer and a window size, and make a descriptor that
        // belongs to nobody else.
        let slave = unsafe {
            assert_eq!(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &0), 0);
            assert_eq!(libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &size), 0);
            let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
            let slave = libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags);
            assert!(slave >= 0, "the program's end");
            OwnedFd::from_raw_fd(slave)
        };
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm");
        }
        if !command.get_envs().any(|(name, _)| name == "NO_COLOR") {
            command.env_remove("NO_COLOR");
        }
        let slave = || Stdio::from(slave.try_clone().expect("a descriptor"));
        command.stdin(slave()).stdout(slave()).stderr(stderr.map_or_else(slave, Stdio::from));
        // SAFETY: between fork and exec only system calls are made: the signals that whoever runs the tests may have
        // ignored (`nohup`, `&`) end a program again, and a new session begins, whose terminal is file 0.
        unsafe {
            command.pre_exec(|| {
                for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("the binary starts");
        let output = master.try_clone().expect("a descriptor");
        let screen = Arc::new(Mutex::new(String::new()));
        let reader = Reader { screen: Arc::clone(&screen), leaves: Arc::default() };
        let leaves = Arc::clone(&reader.leaves);
        let thread = std::thread::spawn(move || reader.read(output));
        Self { child, keys: Some(master), screen, leaves, reader: Some(thread) }
    }

    /// Closes the terminal, as closing its window does.
    pub fn vanish(&mut self) {
        self.leaves.store(true, Ordering::Release);
        self.reader.take().expect("it is there").join().expect("the reader");
        self.keys = None;
    }

    fn descriptor(&self) -> i32 {
        self.keys.as_ref().expect("the terminal is there").as_raw_fd()
    }

    /// Whether the terminal edits lines and echoes keys, as it does for a shell.
    pub fn is_whole(&self) -> bool {
        // SAFETY: the descriptor is open and the structure is overwritten.
        let modes = unsafe {
            let mut modes: libc::termios = std::mem::zeroed();
            assert_eq!(libc::tcgetattr(self.descriptor(), &mut modes), 0);
            modes.c_lflag & (libc::ICANON | libc::ECHO)
        };
        let shown = self.shown();
        modes == libc::ICANON | libc::ECHO && shown.rfind("\x1b[?2004l") >= shown.rfind("\x1b[?2004h")
    }

    /// Waits until the editor has the terminal to itself.
    pub fn wait_for_editor(&self) {
        self.wait_for("\x1b[?2004h", 1);
        self.wait_for("> ", 1);
        assert!(!self.is_whole());
    }

    pub fn shown(&self) -> String {
        self.screen.lock().expect("the screen").clone()
    }

    /// Waits until `text` has been shown `n` times.
    pub fn wait_for(&self, text: &str, n: usize) {
        let started = Instant::now();
        while self.shown().matches(text).count() < n {
            assert!(started.elapsed() < PATIENCE, "no {text:?} in {:?}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until something has been said behind a question.
    pub fn wait_for_answer(&self, question: &str) {
        self.wait_for(question, 1);
        let started = Instant::now();
        while self.shown().rsplit(question).next().unwrap_or_default().trim().len() < 20 {
            assert!(started.elapsed() < PATIENCE, "no answer in {:?}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: plain numbers; the child is ours and has not been waited for.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    pub fn resize(&self, columns: u16) {
        let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open and the structure is only read.
        assert_eq!(unsafe { libc::ioctl(self.descriptor(), libc::TIOCSWINSZ, &size) }, 0);
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.as_mut().expect("the terminal is there").write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Waits for the end; the exit code, and everything that was shown.
    pub fn end(mut self) -> (Option<i32>, String) {
        (self.status().code(), self.shown())
    }

    /// Waits for the end, and for what was still to be shown.
    pub fn status(&mut self) -> ExitStatus {
        let Some(status) = super::wait(&mut self.child) else {
            let _ = self.child.kill();
            panic!("it did not end: {:?}", self.shown());
        };
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
        status
    }
}

/// A chat with a model that says the same thing over and over.
pub fn endless(variables: &[(&str, &str)]) -> Terminal {
    let terminal = Terminal::start(&["tui", &super::arch("gemma3"), "--temp", "0", "-c", "100000"], variables);
    terminal.wait_for("> ", 1);
    terminal
}
