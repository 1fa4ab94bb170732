//! The folder of a cache, which several processes may use at the same time.
//!
//! A file is written under another name and then renamed, so a reader finds the whole file or none. No file is flushed
//! to the device: a file that a power failure has torn fails its checksum.

use super::pages;
use crate::error::Error;
use crate::partial::{self, PARTIAL};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// A file of the cache.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) n_bytes: u64,
    /// When the file was written or last used.
    pub(super) used: SystemTime,
}

impl Folder {
    /// The folder at `path`, made if there is none; only its owner can enter a new one.
    ///
    /// # Errors
    /// [`Error::Input`] if something else is there, [`Error::Io`] if it cannot be made or read.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let io_fail = |source| Error::io(format_args!("--cache {}", path.display()))(source);
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.recursive(true).create(path) {
            Err(_) if path.exists() && !path.is_dir() => {
                return Err(Error::Input { path: path.to_owned(), problem: "--cache: is not a folder".into() });
            }
            made => made.and_then(|()| fs::read_dir(path)).map_err(io_fail)?,
        };
        Ok(Self { path: path.to_owned() })
    }

    /// Where the folder lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a file of this name and length. Anything else of this name is never opened: a pipe would block.
    pub(super) fn has(&self, name: &str, n_bytes: usize) -> bool {
        fs::metadata(self.path.join(name)).is_ok_and(|found| found.is_file() && found.len() == n_bytes as u64)
    }

    /// Reads a file of this length. False if it cannot be read as a whole.
    pub(super) fn read(&self, name: &str, n_bytes: usize, into: &mut Vec<u8>) -> bool {
        into.resize(n_bytes, 0);
        File::open(self.path.join(name)).is_ok_and(|mut file| file.read_exact(into).is_ok())
    }

    /// Writes a whole file, which replaces one of the same name.
    ///
    /// # Errors
    /// Whatever the system says, for example that the disk is full; then nothing has changed.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (partial, mut file) = partial::create(&self.path.join(name), true)?;
        let written = file.write_all(bytes).and_then(|()| fs::rename(&partial, self.path.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&partial);
        }
        written
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Marks a file as used now, if it is there.
    pub(super) fn touch(&self, name: &str) {
        let path = self.path.join(name);
        if fs::metadata(&path).is_ok_and(|found| found.is_file())
            && let Ok(file) = File::open(path)
        {
            let _ = file.set_modified(SystemTime::now());
        }
    }

    /// All files of the cache. What a process has left unfinished is removed; other files are left alone.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(super) fn files(&self) -> io::Result<Vec<Found>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // Another process may have removed the file by now.
            let Ok(metadata) = entry.metadata() else { continue };
            let Some(name) = entry.file_name().to_str().filter(|_| metadata.is_file()).map(str::to_owned) else {
                continue;
            };
            if pages::is_file_name(&name) {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push(Found { name, n_bytes: metadata.len(), used });
            } else if is_partial(&name) && partial::is_abandoned(&entry.path()) {
                let _ = self.remove(&name);
            }
        }
        Ok(files)
    }
}

/// Whether this is the name of a file that is being written, or that its writer has left unfinished.
fn is_partial(name: &str) -> bool {
    let whole = name.strip_suffix(PARTIAL).and_then(|name| name.rsplit_once('.'));
    whole.is_some_and(|(name, _)| pages::is_file_name(name))
}
