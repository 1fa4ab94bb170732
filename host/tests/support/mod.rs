//! The real binary, run as a user would, and files to run it on.
#![allow(dead_code)] // every test file uses its part
#![allow(unreachable_pub)]

#[cfg(feature = "connect")]
pub mod fake;
#[cfg(feature = "serve")]
pub mod server;
pub mod split;
#[cfg(all(target_os = "linux", feature = "demo"))]
pub mod terminal;

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The longest time for anything that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a program's end; `None` if that takes too long.
pub fn wait(child: &mut Child) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        if begun.elapsed() > PATIENCE {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The results of a run.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The one object of `--json`.
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "exactly one line: {self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The object behind `json: ` on stderr.
    pub fn stderr_json(&self) -> Value {
        let line = self.stderr.lines().find_map(|line| line.strip_prefix("json: "));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no json line: {self:?}"))).unwrap()
    }

    /// Asserts that the run failed with this code, a message on stderr with all `words`, and nothing on stdout.
    pub fn assert_fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} in {self:?}");
        }
        assert!(self.stderr.lines().any(|line| line.starts_with("error: ")), "{self:?}");
    }

    /// Asserts that the run succeeded and printed its marker.
    pub fn assert_ok(&self, command: &str) {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert!(self.stderr.contains(&format!("{command}_status: ok\n")), "{self:?}");
    }
}

/// The binary with a clean environment.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nanocamelid"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NANOCAMELID_") {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

/// Runs the binary with nothing on standard input.
pub fn run(args: &[&str]) -> Run {
    run_with(args, &[], b"")
}

/// Runs the binary with variables and standard input.
pub fn run_with(args: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Run {
    let mut command = command(args);
    command.envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // The program may end without having read everything.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("the binary ends");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// A model of the repository's fixtures.
pub fn arch(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/archs").join(format!("{name}.gguf"));
    assert!(path.exists(), "{} belongs to the repository", path.display());
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// A fixture's file with a chat template, in front of its other metadata.
pub fn with_template(name: &str, template: &[u8]) -> Vec<u8> {
    const STRING: u32 = 8;
    let entry = |key: &str, value: &[u8]| {
        let mut out = (key.len() as u64).to_le_bytes().to_vec();
        out.extend(key.as_bytes());
        out.extend(STRING.to_le_bytes());
        out.extend((value.len() as u64).to_le_bytes());
        out.extend(value);
        out
    };
    let mut entries = entry("tokenizer.chat_template", template);
    // The tensors behind them keep their alignment.
    let n_missing = 32 - (entries.len() + entry("test.padding", b"").len()) % 32;
    entries.extend(entry("test.padding", &vec![b' '; n_missing]));
    let mut file = std::fs::read(arch(name)).expect("the fixture");
    let n_entries = u64::from_le_bytes(file[16..24].try_into().expect("eight bytes")) + 2;
    file.splice(16..24, n_entries.to_le_bytes().into_iter().chain(entries));
    file
}

/// The ids recorded with a fixture.
pub fn arch_ids(name: &str) -> String {
    let path = arch(name).replace(".gguf", ".ids");
    let text = std::fs::read_to_string(path).expect("the ids belong to the repository");
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|p| !p.is_empty()).collect::<Vec<_>>().join(",")
}

/// A directory of one test, removed at its end.
pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nanocamelid-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    /// A file in it.
    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a temporary file");
        path.to_str().expect("a UTF-8 path").to_owned()
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a UTF-8 path").to_owned()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
