//! Files that are not whole yet. Each stands beside the place that it takes once it is written, locked while its writer
//! runs. What a killed process has left behind is known by its name, and by a lock that is free.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The end of such a file's name, behind a dot, the number of the process, and another.
pub(crate) const PARTIAL: &str = ".partial";
/// Most names that are tried for a file.
const MAX_TRIES: usize = 1000;

/// A new file beside `place`, locked until it is closed. If `is_private`, only its owner can read it.
///
/// # Errors
/// Whatever the system says.
pub(crate) fn create(place: &Path, is_private: bool) -> io::Result<(PathBuf, File)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = is_private;
    let mut number = 0;
    loop {
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{number}{PARTIAL}", std::process::id()));
        let path = place.with_file_name(name);
        match options.open(&path) {
            // A process of the same number has left it, perhaps in another container, where it may still run.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < MAX_TRIES => number += 1,
            Err(error) => return Err(error),
            Ok(file) => {
                // Where files cannot be locked, none is taken for abandoned.
                let _ = file.try_lock();
                return Ok((path, file));
            }
        }
    }
}

/// Whether the writer of such a file is gone.
pub(crate) fn is_abandoned(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}
