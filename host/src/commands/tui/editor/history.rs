//! The entered lines, and the file that keeps them from chat to chat, if one is named.
//!
//! Several chats append to the file at once. A chat that writes holds the file's lock, and checks under the lock
//! whether another chat has replaced the file.

use super::history_format::{Contents, HEADING, begins_as_history, escape, read};
use crate::output;
use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Number of entries that the file keeps, and number of further entries before the oldest are removed.
const MAX_ENTRIES: usize = 1000;
const MAX_EXTRA: usize = 100;
/// A longer text is a document that nobody types again; the file does not keep it.
const MAX_ENTRY_BYTES: usize = 64 << 10;
/// Only the end of a larger file is read and kept.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// Only the user may read the file.
const MODE: u32 = 0o600;
/// Another chat holds the lock for a moment only.
const LOCK_TRIES: usize = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// All entries, the oldest first.
#[derive(Debug, Default)]
pub(in crate::commands::tui) struct History {
    entries: Vec<String>,
    file: Option<HistoryFile>,
}

impl History {
    /// Reads the file, if one is named. If the file cannot be used, the reason becomes a note and the history stays in
    /// memory only.
    pub(in crate::commands::tui) fn load(path: Option<PathBuf>) -> Self {
        let Some(path) = path else { return Self::default() };
        let mut file = HistoryFile { path, n_entries: 0 };
        match file.load() {
            Ok(entries) => Self { entries, file: Some(file) },
            Err(error) => {
                file.note(&error);
                Self::default()
            }
        }
    }

    pub(super) fn entries(&self) -> &[String] {
        &self.entries
    }

    /// Adds an entry, unless it is empty or repeats the last one. Entries that begin with a space are not written to
    /// the file.
    pub(super) fn push(&mut self, entry: &str) {
        if entry.trim().is_empty() || self.entries.last().is_some_and(|last| last == entry) {
            return;
        }
        self.entries.push(entry.to_owned());
        if entry.starts_with(' ') || entry.len() > MAX_ENTRY_BYTES {
            return;
        }
        if let Some(file) = &mut self.file
            && let Err(error) = file.append(entry)
        {
            file.note(&error);
            self.file = None;
        }
    }
}

#[derive(Debug)]
enum HistoryError {
    NotAFile,
    /// The file does not begin like a history file, and must not be changed.
    Foreign,
    InUse,
    Io(io::Error),
}

impl From<io::Error> for HistoryError {
    fn from(source: io::Error) -> Self {
        Self::Io(source)
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile => f.write_str("is not a regular file"),
            Self::Foreign => f.write_str("is another program's file"),
            Self::InUse => f.write_str("is locked by another program"),
            Self::Io(source) => source.fmt(f),
        }
    }
}

#[derive(Debug)]
struct HistoryFile {
    path: PathBuf,
    /// As far as this chat knows.
    n_entries: usize,
}

impl HistoryFile {
    fn note(&self, error: &HistoryError) {
        output::note(format_args!("note: {}: {error}; the history stays in memory", self.path.display()));
    }

    fn load(&mut self) -> Result<Vec<String>, HistoryError> {
        // A link stays one when the file is replaced.
        match self.path.canonicalize() {
            Ok(path) => self.path = path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        check_kind(&self.path)?;
        let mut file = File::open(&self.path)?;
        lock(&file)?;
        let Contents { mut entries, n_unreadable } = read(&mut file, MAX_FILE_BYTES)?.ok_or(HistoryError::Foreign)?;
        let is_large = entries.len() > MAX_ENTRIES || file.metadata()?.len() > MAX_FILE_BYTES;
        drop(file);
        if n_unreadable > 0 {
            let path = self.path.display();
            output::note(format_args!("note: {path}: {n_unreadable} lines of the history are broken and left out"));
        }
        self.n_entries = entries.len();
        entries.drain(..entries.len().saturating_sub(MAX_ENTRIES));
        if is_large {
            self.shorten(&self.open()?)?;
            self.n_entries = entries.len();
        }
        Ok(entries)
    }

    fn append(&mut self, entry: &str) -> Result<(), HistoryError> {
        let mut file = self.open()?;
        let n_bytes = file.metadata()?.len();
        let mut text = String::new();
        if n_bytes == 0 {
            text += HEADING;
        } else {
            if !begins_as_history(&mut file)? {
                return Err(HistoryError::Foreign);
            }
            // A chat that was killed, or a disk that was full, may have left a part of a line.
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                text.push('\n');
            }
        }
        escape(entry, &mut text);
        // Appended in one go.
        file.write_all(text.as_bytes())?;
        self.n_entries += 1;
        if self.n_entries > MAX_ENTRIES + MAX_EXTRA || n_bytes > MAX_FILE_BYTES {
            self.shorten(&file)?;
            self.n_entries = MAX_ENTRIES;
        }
        Ok(())
    }

    /// The file, made if it is not there, locked until it is dropped.
    fn open(&self) -> Result<File, HistoryError> {
        loop {
            check_kind(&self.path)?;
            let file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(&self.path)?;
            lock(&file)?;
            let (locked, named) = (file.metadata()?, fs::metadata(&self.path));
            // Another chat may have replaced it while this one waited for the lock.
            if named.is_ok_and(|named| (named.dev(), named.ino()) == (locked.dev(), locked.ino())) {
                if locked.mode() & 0o077 != 0 {
                    let _ = file.set_permissions(Permissions::from_mode(MODE));
                }
                return Ok(file);
            }
        }
    }

    /// Replaces the file, which is locked, by one with its newest entries.
    fn shorten(&self, file: &File) -> Result<(), HistoryError> {
        let mut file = file;
        let entries = read(&mut file, MAX_FILE_BYTES)?.ok_or(HistoryError::Foreign)?.entries;
        let mut text = String::from(HEADING);
        let mut n_bytes = 0;
        let newest = entries.iter().rev().take(MAX_ENTRIES).take_while(|entry| {
            n_bytes += entry.len() as u64;
            n_bytes < MAX_FILE_BYTES / 2
        });
        let first = entries.len() - newest.count();
        entries[first..].iter().for_each(|entry| escape(entry, &mut text));
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let partial = self.path.with_file_name(name);
        let written = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&partial).and_then(|mut new| {
            new.write_all(text.as_bytes())?;
            new.sync_all()?;
            fs::rename(&partial, &self.path)
        });
        written.map_err(|error| {
            let _ = fs::remove_file(&partial);
            error.into()
        })
    }
}

/// Opening anything else might wait for somebody at its other end.
fn check_kind(path: &Path) -> Result<(), HistoryError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(HistoryError::NotAFile),
        _ => Ok(()),
    }
}

/// Takes the file's lock, where the file system has locks.
fn lock(file: &File) -> Result<(), HistoryError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
    Err(HistoryError::InUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nanocamelid-history-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn load(path: &Path) -> History {
        History::load(Some(path.to_owned()))
    }

    #[test]
    fn entries_come_back_as_they_were() {
        let dir = Dir::new("back");
        let path = dir.at("history");
        let entries = ["one", "two\nlines\\n and \r", "日本 🦙", "# no heading", "\\"];
        let mut history = load(&path);
        assert!(!path.exists(), "nothing said, nothing kept");
        entries.iter().for_each(|entry| history.push(entry));
        history.push("\\");
        history.push("  ");
        history.push(" a secret");
        history.push(&"x".repeat(MAX_ENTRY_BYTES + 1));
        assert_eq!(history.entries().len(), entries.len() + 2);
        assert_eq!(load(&path).entries(), entries);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);
        // Other users must not read the file, whoever made it.
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        load(&path).push("more");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        // An empty file is a new one.
        fs::write(dir.at("empty"), b"").unwrap();
        load(&dir.at("empty")).push("first");
        assert_eq!(load(&dir.at("empty")).entries(), ["first"]);
    }

    #[test]
    fn what_is_no_history_stays_as_it_is() {
        let dir = Dir::new("foreign");
        for (name, bytes) in [("notes", &b"notes of a year\n"[..]), ("model", b"GGUF\x03\0\0\0"), ("part", b"# his")] {
            fs::write(dir.at(name), bytes).unwrap();
            let mut history = load(&dir.at(name));
            history.push("hello");
            assert_eq!(history.entries(), ["hello"]);
            assert_eq!(fs::read(dir.at(name)).unwrap(), bytes, "{name}");
        }
        for path in [Path::new("/dev/null"), &dir.0, &dir.at("no/such/folder")] {
            let mut history = load(path);
            history.push("hello");
            assert!(history.file.is_none(), "{}", path.display());
        }
    }

    #[test]
    fn a_line_that_was_cut_off_does_not_run_into_the_next() {
        let dir = Dir::new("cut");
        fs::write(dir.at("history"), HEADING.to_owned() + "one\n\\x\nha").unwrap();
        let mut history = load(&dir.at("history"));
        assert_eq!(history.entries(), ["one", "ha"]);
        history.push("two");
        assert_eq!(load(&dir.at("history")).entries(), ["one", "ha", "two"]);
    }

    #[test]
    fn the_newest_entries_stay() {
        let dir = Dir::new("newest");
        let (path, link) = (dir.at("history"), dir.at("link"));
        let many: String = (0..MAX_ENTRIES + 50).map(|i| format!("entry {i}\n")).collect();
        fs::write(&path, HEADING.to_owned() + &many).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut history = load(&link);
        assert_eq!((history.entries().len(), history.entries()[0].as_str()), (MAX_ENTRIES, "entry 50"));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), MAX_ENTRIES + 1);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        for i in 0..3 * MAX_EXTRA {
            history.push(&format!("new {i}"));
            let n_lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(n_lines <= MAX_ENTRIES + MAX_EXTRA + 1, "{n_lines}");
        }
        // By bytes too, and without reading all of it.
        let large = "y".repeat(MAX_ENTRY_BYTES) + "\n";
        fs::write(&path, HEADING.to_owned() + &large.repeat(300) + "last\n").unwrap();
        assert_eq!(load(&path).entries().last().unwrap(), "last");
        assert!(fs::metadata(&path).unwrap().len() <= MAX_FILE_BYTES / 2 + HEADING.len() as u64);
        assert!(load(&path).entries().len() > 50);
    }

    #[test]
    fn several_chats_at_once() {
        let dir = Dir::new("several");
        let path = dir.at("history");
        const N: usize = 500;
        std::thread::scope(|scope| {
            for chat in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    let mut history = load(path);
                    (0..N).for_each(|i| history.push(&format!("chat {chat} says\n{i}")));
                    assert!(history.file.is_some());
                });
            }
        });
        let entries = load(&path).entries().to_vec();
        assert_eq!(entries.len(), MAX_ENTRIES);
        for chat in 0..4 {
            let own: Vec<usize> = entries
                .iter()
                .filter_map(|entry| entry.strip_prefix(&format!("chat {chat} says\n")).map(|i| i.parse().unwrap()))
                .collect();
            assert!(own.is_sorted(), "{own:?}");
            assert!(own.windows(2).all(|pair| pair[0] + 1 == pair[1]), "none is lost: {own:?}");
        }
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);
    }
}
