//! The terminal chat through a pseudo-terminal, as a person would use it.
#![cfg(all(target_os = "linux", feature = "demo"))]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::TempDir;

/// A program on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    screen: Arc<Mutex<String>>,
}

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

impl Terminal {
    fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let (mut master, mut slave) = (0, 0);
        let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: openpty writes two descriptors and reads a window size; the name and the modes may be absent.
        let made = unsafe { libc::openpty(&mut master, &mut slave, std::ptr::null_mut(), std::ptr::null_mut(), &size) };
        assert_eq!(made, 0, "a pseudo-terminal");
        // SAFETY: both descriptors were just made and belong to nobody else.
        let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let mut command = support::command(args);
        command.env("TERM", "xterm").env_remove("NO_COLOR").envs(variables.iter().copied());
        let slave = || Stdio::from(slave.try_clone().expect("a descriptor"));
        command.stdin(slave()).stdout(slave()).stderr(slave());
        // SAFETY: between fork and exec only two system calls are made: a new session, whose terminal is file 0.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("the binary starts");
        let keys = File::from(master);
        let mut output = keys.try_clone().expect("a descriptor");
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails once the program has ended.
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                shown.lock().expect("the screen").push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        Self { child, keys, screen }
    }

    fn shown(&self) -> String {
        self.screen.lock().expect("the screen").clone()
    }

    /// Waits until `text` has been shown `n` times.
    fn wait_for(&self, text: &str, n: usize) {
        let started = Instant::now();
        while self.shown().matches(text).count() < n {
            assert!(started.elapsed() < PATIENCE, "no {text:?} in {:?}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Waits for the end; the exit code.
    fn end(mut self) -> (Option<i32>, String) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child") {
                std::thread::sleep(Duration::from_millis(50));
                return (status.code(), self.shown());
            }
            if started.elapsed() > PATIENCE {
                let _ = self.child.kill();
                panic!("it did not end: {:?}", self.shown());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_conversation() {
    let dir = TempDir::new("tui");
    let saved = dir.path("talk.md");
    // No prompt and a terminal: chat is the terminal chat.
    let mut terminal = Terminal::start(&["chat"], &[]);
    terminal.wait_for("> ", 1);
    terminal.press("What is GGUF?\r");
    terminal.wait_for("tokens/s", 1);
    // History: the last line again.
    terminal.press("\x1b[A\r");
    terminal.wait_for("tokens/s", 2);
    // Pasted lines are one question.
    terminal.press("\x1b[200~Hello,\nwho are you?\x1b[201~");
    terminal.wait_for("who are you?", 1);
    terminal.press("\r");
    terminal.wait_for("tokens/s", 3);
    terminal.press("/temp 0.5\r/temp\r");
    terminal.wait_for("temperature 0.5", 1);
    terminal.press("/model /nonexistent/x.gguf\r");
    terminal.wait_for("still using built-in demo", 1);
    terminal.press(&format!("/save {saved}\r"));
    terminal.wait_for("saved to", 1);
    // Ctrl-C at the prompt throws the line away, Ctrl-D leaves.
    terminal.press("half a line\x03");
    terminal.wait_for("Ctrl-D or /exit leaves", 1);
    terminal.press("\x04");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("tui_status: ok") || shown.contains("chat_status: ok"), "{shown}");
    assert!(shown.contains("\x1b[2m"), "telemetry is dim on a terminal: {shown}");
    let talk = std::fs::read_to_string(&saved).unwrap();
    assert_eq!(talk.matches("## User").count(), 3, "{talk}");
    assert!(talk.contains("## User\n\nHello,\nwho are you?\n"), "{talk}");
}

#[test]
fn ctrl_c_stops_the_answer_and_not_the_program() {
    let mut terminal =
        Terminal::start(&["tui", "--temp", "5", "--kernel", "scalar", "-t", "1", "-c", "100000"], &[("NO_COLOR", "1")]);
    terminal.wait_for("> ", 1);
    terminal.press("Tell me a story.\r");
    terminal.wait_for("Tell me a story.", 1);
    // On a busy machine a key may come before the answer has begun, so it is pressed until the answer stops.
    let started = Instant::now();
    while !terminal.shown().contains("tokens/s") {
        assert!(started.elapsed() < PATIENCE, "not stopped: {}", terminal.shown());
        std::thread::sleep(Duration::from_millis(300));
        terminal.press("\x03");
    }
    // Keys typed while the terminal changes its mode are lost, so they are typed again until they are answered.
    while terminal.shown().matches("tokens/s").count() < 2 {
        assert!(started.elapsed() < PATIENCE, "no second answer: {}", terminal.shown());
        for keys in ["/tokens 3\r", "Hi\r", "\x03"] {
            terminal.press(keys);
            std::thread::sleep(Duration::from_millis(300));
        }
    }
    terminal.press("/exit\r");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("\x1b[2m"), "NO_COLOR: {shown}");
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let terminal = Terminal::start(&["tui"], &[]);
    terminal.wait_for("> ", 1);
    let modes = |terminal: &Terminal| {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is open and the structure is overwritten.
        unsafe {
            let mut modes: libc::termios = std::mem::zeroed();
            assert_eq!(libc::tcgetattr(terminal.keys.as_raw_fd(), &mut modes), 0);
            modes.c_lflag & (libc::ICANON | libc::ECHO)
        }
    };
    let started = Instant::now();
    while modes(&terminal) != 0 {
        assert!(started.elapsed() < PATIENCE, "the editor sets the terminal raw");
        std::thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: plain numbers; the child is ours and has not been waited for.
    unsafe { libc::kill(terminal.child.id() as i32, libc::SIGTERM) };
    let keys = terminal.keys.try_clone().unwrap();
    let screen = Arc::clone(&terminal.screen);
    let (code, shown) = terminal.end();
    assert_eq!(code, None, "ended by the signal: {shown}");
    let after = Terminal { child: std::process::Command::new("true").spawn().unwrap(), keys, screen };
    assert_eq!(modes(&after), libc::ICANON | libc::ECHO, "as before");
    after.end();
}
