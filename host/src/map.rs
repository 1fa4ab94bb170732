//! Memory that is not the heap: model files and the session's arena.

use crate::cli::nearest;
use crate::model_word;
use memmap2::{Mmap, MmapMut, MmapOptions};
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the system is asked to map at once. So many bytes may be read from disk for nothing.
#[cfg(target_os = "linux")]
const AHEAD_BYTES: usize = 1 << 20;

/// A file mapped read-only.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    map: Arc<Mmap>,
    /// When the file was last changed, where the system says that.
    #[cfg(feature = "disk-cache")]
    modified: Option<std::time::SystemTime>,
}

/// Why a file cannot be mapped.
#[derive(Debug)]
pub(crate) struct MapError {
    path: PathBuf,
    kind: MapErrorKind,
    /// Number (from 1) and count, if it is one of a model's several files.
    part: Option<(u32, u32)>,
}

#[derive(Debug)]
enum MapErrorKind {
    /// No such file; one in the same directory that may be meant.
    Missing(Option<PathBuf>),
    Directory,
    NotAFile,
    Empty,
    TooLarge(u64),
    Io(io::Error),
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.kind {
            MapErrorKind::Missing(None) => write!(f, "{path}: no such file"),
            MapErrorKind::Missing(Some(near)) => write!(f, "{path}: no such file; did you mean {}?", near.display()),
            MapErrorKind::Directory => write!(f, "{path}: is a directory, not a model file"),
            MapErrorKind::NotAFile => write!(f, "{path}: is not a regular file"),
            MapErrorKind::Empty => write!(f, "{path}: the file is empty"),
            MapErrorKind::TooLarge(n) => write!(f, "{path}: {n} bytes do not fit this machine's address space"),
            MapErrorKind::Io(source) => write!(f, "{path}: {source}"),
        }?;
        match self.part {
            Some((no, count)) => write!(f, " (part {no} of the model's {count})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for MapError {}

impl MapError {
    /// Whether the name is wrong, and not the machine at fault.
    pub(crate) fn is_callers_mistake(&self) -> bool {
        use io::ErrorKind::{InvalidFilename, NotADirectory, PermissionDenied};
        match &self.kind {
            MapErrorKind::Io(source) => matches!(source.kind(), InvalidFilename | NotADirectory | PermissionDenied),
            _ => true,
        }
    }

    /// The same error for a further part of a model, which the user did not name.
    pub(crate) fn of_part(self, no: u32, count: u32) -> Self {
        Self { part: Some((no, count)), ..self }
    }
}

/// The model file in a missing file's directory whose name is nearest to its.
fn near(path: &Path) -> Option<PathBuf> {
    let directory = path.parent()?;
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let files = model_word::model_files(here);
    let name = nearest(path.file_name()?.to_str()?, files.iter().map(String::as_str))?;
    Some(directory.join(name))
}

impl MappedFile {
    /// Maps a whole file. Nothing is read yet: pages come in as the model touches them.
    ///
    /// # Errors
    /// [`MapError`], which names the path.
    pub(crate) fn open(path: &Path) -> Result<Self, MapError> {
        let fail = |kind| MapError { path: path.to_owned(), kind, part: None };
        let io_fail = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => fail(MapErrorKind::Missing(near(path))),
            io::ErrorKind::IsADirectory => fail(MapErrorKind::Directory),
            _ => fail(MapErrorKind::Io(source)),
        };
        // Asked before opening, because opening a FIFO would wait for a writer.
        let metadata = std::fs::metadata(path).map_err(io_fail)?;
        if metadata.is_dir() {
            return Err(fail(MapErrorKind::Directory));
        }
        if !metadata.is_file() {
            return Err(fail(MapErrorKind::NotAFile));
        }
        match metadata.len() {
            0 => return Err(fail(MapErrorKind::Empty)),
            n if usize::try_from(n).is_err() => return Err(fail(MapErrorKind::TooLarge(n))),
            _ => {}
        }
        let file = File::open(path).map_err(io_fail)?;
        // SAFETY: the map is private and read-only, but another process may change the file. If the file is cut short,
        // touching the lost pages raises SIGBUS, and `signals::guard_map` turns SIGBUS into a message and an exit. If
        // bytes change, every number that bounds an access was copied by the parser before, and every bit pattern of a
        // weight is a valid number: results are wrong, but no access is out of bounds.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| fail(MapErrorKind::Io(source)))?;
        crate::signals::guard_map(&map, path);
        Ok(Self {
            path: path.to_owned(),
            map: Arc::new(map),
            #[cfg(feature = "disk-cache")]
            modified: file.metadata().and_then(|metadata| metadata.modified()).ok(),
        })
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// A part of the file's bytes; `None` if these bytes are none of this file's.
    pub(crate) fn stretch(&self, part: &[u8]) -> Option<Stretch> {
        let start = part.as_ptr().addr().checked_sub(self.map.as_ptr().addr())?;
        let end = start + part.len();
        (end <= self.map.len()).then(|| Stretch { map: self.map.clone(), bytes: start..end })
    }

    /// When the file was last changed, where the system says that.
    #[cfg(feature = "disk-cache")]
    pub(crate) fn modified(&self) -> Option<std::time::SystemTime> {
        self.modified
    }
}

/// What is read of a file that several boards share. All of it is advice: the system may ignore it.
#[cfg(feature = "cluster")]
impl MappedFile {
    /// From now on pages are read one here and one there, or again with their neighbours.
    pub(crate) fn scatter(&self, is_scattered: bool) {
        #[cfg(unix)]
        drop(self.map.advise(if is_scattered { memmap2::Advice::Random } else { memmap2::Advice::Normal }));
        #[cfg(not(unix))]
        let _ = is_scattered;
    }

    /// Begins to read a part of the file's bytes, and nothing around it. Other bytes are none of this file's.
    pub(crate) fn will_need(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Some(Stretch { map, bytes }) = self.stretch(part) {
            drop(map.advise_range(memmap2::Advice::WillNeed, bytes.start, bytes.len()));
        }
        #[cfg(not(unix))]
        let _ = part;
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        crate::signals::release_map(&self.map);
    }
}

/// A part of a mapped file, which stays mapped as long.
#[derive(Debug)]
pub(crate) struct Stretch {
    map: Arc<Mmap>,
    bytes: Range<usize>,
}

/// Fills the page tables for parts of files, in order, on a thread of its own. Without that, every page is mapped when
/// it is first touched, which takes longer and keeps the threads waiting that compute, although it lies in memory.
/// Where a page does not, the thread ends, because this is not the place to decide what is worth reading.
pub(crate) fn map_ahead(stretches: Vec<Stretch>) {
    let thread = std::thread::Builder::new().name("map".into());
    drop(thread.spawn(move || stretches.iter().all(Stretch::map_ahead)));
}

impl Stretch {
    /// Whether all of it was in memory and is mapped now.
    #[cfg(target_os = "linux")]
    fn map_ahead(&self) -> bool {
        let Self { map, bytes } = self;
        let n_read = faults().ru_majflt;
        bytes.clone().step_by(AHEAD_BYTES).all(|start| {
            let n_bytes = AHEAD_BYTES.min(bytes.end - start);
            // Linux before 5.14 refuses.
            map.advise_range(memmap2::Advice::PopulateRead, start, n_bytes).is_ok() && faults().ru_majflt == n_read
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn map_ahead(&self) -> bool {
        let Self { map: _, bytes: _ } = self;
        false
    }
}

/// The counts of this thread's page faults: minor ones, and major ones, which waited for a disk.
#[cfg(target_os = "linux")]
fn faults() -> libc::rusage {
    // SAFETY: all fields are integers, for which zeros are valid, and the call writes nothing but one such structure.
    unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage
    }
}

/// Whether two paths lead to the same file, also by symbolic or hard links. False if there is no such file.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::metadata(one), std::fs::metadata(other)) {
        #[cfg(unix)]
        (Ok(one), Ok(other)) => {
            use std::os::unix::fs::MetadataExt;
            (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        #[cfg(not(unix))]
        (Ok(_), Ok(_)) => {
            one.canonicalize().ok().is_some_and(|one| other.canonicalize().is_ok_and(|other| one == other))
        }
        _ => false,
    }
}

/// Zeroed memory that the system hands out page by page when it is touched.
#[derive(Debug)]
pub(crate) struct Arena {
    map: MmapMut,
}

impl Arena {
    /// `n_bytes` of zeroed memory, page-aligned.
    ///
    /// # Errors
    /// If the address space has not enough room.
    pub(crate) fn new(n_bytes: usize) -> io::Result<Self> {
        // No swap is reserved, so that a context that is never filled costs nothing, even where overcommit is strict.
        let map = MmapOptions::new().len(n_bytes.max(1)).no_reserve_swap().map_anon()?;
        Ok(Self { map })
    }

    /// The memory.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let dir = std::env::temp_dir().join(format!("nanocamelid-map-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let empty = dir.join("empty.gguf");
        File::create(&empty).unwrap();
        for (path, words) in [
            (dir.clone(), "is a directory"),
            (empty.join("x.gguf"), "ot a directory"),
            (empty, "is empty"),
            (dir.join("none.gguf"), "no such file"),
            (dir.join("long".repeat(100)), "ame too long"),
        ] {
            let error = MappedFile::open(&path).unwrap_err();
            assert!(error.is_callers_mistake());
            let message = error.to_string();
            assert!(message.contains(words) && message.contains(path.to_str().unwrap()), "{message}");
        }
        let good = dir.join("good.gguf");
        std::fs::write(&good, b"bytes").unwrap();
        assert_eq!(MappedFile::open(&good).unwrap().bytes(), b"bytes");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn links_lead_to_one_file() {
        let dir = std::env::temp_dir().join(format!("nanocamelid-links-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (file, hard, symbolic, copy) = (dir.join("file"), dir.join("hard"), dir.join("symbolic"), dir.join("copy"));
        std::fs::write(&file, b"bytes").unwrap();
        std::fs::hard_link(&file, &hard).unwrap();
        std::os::unix::fs::symlink(&hard, &symbolic).unwrap();
        std::fs::write(&copy, b"bytes").unwrap();
        for same in [&file, &hard, &symbolic, &dir.join("./../").join(dir.file_name().unwrap()).join("file")] {
            assert!(is_same_file(&file, same), "{}", same.display());
        }
        for other in [&copy, &dir, &dir.join("none")] {
            assert!(!is_same_file(&file, other) && !is_same_file(other, &file), "{}", other.display());
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_mapped_ahead_faults_no_more() {
        if crate::cli::environment::read("NANOCAMELID_EMULATOR").is_some() {
            return eprintln!("skipped: an emulator has page faults of its own");
        }
        let path = std::env::temp_dir().join(format!("nanocamelid-ahead-{}", std::process::id()));
        std::fs::write(&path, vec![1; 4 * AHEAD_BYTES]).unwrap();
        let file = MappedFile::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(file.stretch(&[1]).is_none());
        if !file.stretch(&file.bytes()[..4 * AHEAD_BYTES - 1]).unwrap().map_ahead() {
            return eprintln!("skipped: this system does not map ahead");
        }
        let before = faults().ru_minflt;
        assert_eq!(file.bytes().iter().step_by(1 << 10).map(|&byte| usize::from(byte)).sum::<usize>(), 4 << 10);
        assert_eq!(faults().ru_minflt, before);
    }

    #[test]
    fn an_arena_is_zeroed_and_untouched() {
        let mut arena = Arena::new(1 << 36).unwrap();
        assert_eq!((arena.bytes().len(), arena.bytes()[1 << 35]), (1 << 36, 0));
    }
}
