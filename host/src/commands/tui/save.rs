//! `/save` and `--session`: writes a conversation to a file, whole or not at all. Replaces only files that this chat
//! has written or read.

use crate::model_word::has_magic;
use crate::partial::{self, PARTIAL};
use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The age from which a file that is not whole may have been left behind.
const YOUNG: Duration = Duration::from_secs(60);

/// The files that this chat has written.
#[derive(Debug, Default)]
pub(super) struct Saved {
    files: Vec<Written>,
    /// Whether only their owner can read the files.
    is_private: bool,
}

/// A file as this chat left it. If the file has changed since, its content is somebody else's.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    path: PathBuf,
    n_bytes: u64,
    modified: Option<SystemTime>,
}

impl Written {
    fn new(path: PathBuf, metadata: &Metadata) -> Self {
        Self { path, n_bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// Why nothing was saved.
#[derive(Debug)]
pub(super) struct SaveError {
    path: PathBuf,
    kind: SaveErrorKind,
}

#[derive(Debug)]
enum SaveErrorKind {
    Directory,
    Model,
    /// A file, or anything else, that this chat has not written or that has changed since.
    Other,
    Io(io::Error),
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.kind {
            SaveErrorKind::Directory => write!(f, "{path}: is a directory; not saved"),
            SaveErrorKind::Model => write!(f, "{path}: is a model file; not saved"),
            SaveErrorKind::Other => {
                write!(f, "{path}: is there already, and not as this chat has saved it; not saved, give another name")
            }
            SaveErrorKind::Io(source) => write!(f, "{path}: {source}; not saved"),
        }
    }
}

impl Saved {
    /// Writes files that only their owner can read.
    pub(super) fn private() -> Self {
        Self { is_private: true, ..Self::default() }
    }

    /// Lets a file that was there already be replaced, as if this chat had written it. The path has no links.
    ///
    /// # Errors
    /// If the file is gone.
    pub(super) fn take_over(&mut self, path: &Path) -> io::Result<()> {
        self.files.push(Written::new(path.to_owned(), &fs::symlink_metadata(path)?));
        Ok(())
    }

    /// Writes `text` into a neighbour of `path`, which then takes its place.
    ///
    /// # Errors
    /// [`SaveError`]; then everything is as it was.
    pub(super) fn write(&mut self, path: &Path, text: &str) -> Result<(), SaveError> {
        let fail = |kind| SaveError { path: path.to_owned(), kind };
        let io_fail = |source| fail(SaveErrorKind::Io(source));
        let name = path.file_name().ok_or_else(|| fail(SaveErrorKind::Directory))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let place = folder.canonicalize().map_err(io_fail)?.join(name);
        let is_own = match fs::symlink_metadata(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(io_fail(error)),
            Ok(metadata) if self.files.contains(&Written::new(place.clone(), &metadata)) => true,
            Ok(_) => return Err(fail(kind_of(&place))),
        };
        let (partial, mut file) = partial::create(&place, self.is_private).map_err(io_fail)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| {
            file.sync_all()?;
            match is_own {
                true => fs::rename(&partial, &place)?,
                false => rename_to_new(&partial, &place)?,
            }
            Ok(Written::new(place.clone(), &fs::symlink_metadata(&place)?))
        });
        match written {
            Ok(written) => {
                self.files.retain(|old| old.path != place);
                self.files.push(written);
                // Whoever has left them unfinished is gone, and they would keep a conversation that nobody looks for.
                remove_abandoned(&place);
                Ok(())
            }
            Err(source) => {
                let _ = fs::remove_file(&partial);
                Err(match source.kind() {
                    io::ErrorKind::AlreadyExists => fail(SaveErrorKind::Other),
                    _ => io_fail(source),
                })
            }
        }
    }
}

/// Removes what processes that no longer run have left beside a file.
fn remove_abandoned(place: &Path) {
    let Some((folder, name)) = place.parent().zip(place.file_name().and_then(|name| name.to_str())) else { return };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_partial = entry.file_name().to_str().is_some_and(|found| is_partial_of(found, name));
        // A file that is young may have just been made and not been locked yet.
        let is_old = |metadata: &Metadata| {
            let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
            metadata.is_file() && age.is_some_and(|age| age > YOUNG)
        };
        if is_partial
            && entry.metadata().is_ok_and(|metadata| is_old(&metadata))
            && partial::is_abandoned(&entry.path())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a file has the name of what is being written for a file named `whole`: a number of a process and another.
fn is_partial_of(found: &str, whole: &str) -> bool {
    let numbers = found.strip_prefix(whole).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(PARTIAL));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|numbers| match numbers.split_once('-') {
        Some((process, number)) => is_number(process) && is_number(number),
        None => is_number(numbers),
    })
}

/// Gives a file a new name that no other file has.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    // A hard link fails if a file of that name exists by now; renaming would replace that file.
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // The file system has no hard links.
        Err(_) => fs::rename(from, to),
    }
}

/// What is at a path that must not be replaced.
fn kind_of(place: &Path) -> SaveErrorKind {
    match fs::metadata(place) {
        Ok(metadata) if metadata.is_dir() => SaveErrorKind::Directory,
        Ok(_) if has_magic(place) => SaveErrorKind::Model,
        _ => SaveErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nanocamelid-save-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn saving_again_replaces_and_leaves_nothing_behind() {
        let dir = Dir::new("again");
        let path = dir.0.join("talk.md");
        let mut saved = Saved::default();
        for text in ["one", "two", "three"] {
            saved.write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);
        assert!(saved.write(&dir.0.join("no/such/dir.md"), "x").is_err());
        // A file that somebody else has changed since is not replaced.
        fs::write(&path, "my own words").unwrap();
        assert!(saved.write(&path, "four").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "my own words");
        // A file that was removed can be written again.
        fs::remove_file(&path).unwrap();
        saved.write(&path, "five").unwrap();
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);
    }

    /// Files of killed processes, one of them with the number of this process: the one that another still writes stays.
    #[test]
    #[cfg(unix)]
    fn what_killed_processes_left_stops_nobody() {
        let dir = Dir::new("killed");
        let at = |name: &str| dir.0.join(name);
        let own = std::process::id();
        let age = |name: &str, seconds: u64| {
            fs::write(at(name), "half a conversation").unwrap();
            let file = fs::OpenOptions::new().write(true).open(at(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
            file
        };
        let (same, older) = (format!("talk.json.{own}-0.partial"), format!("talk.json.{own}.partial"));
        for name in [&*same, &*older, "talk.json.17-3.partial"] {
            age(name, 3600);
        }
        let written = age("talk.json.18-0.partial", 3600);
        written.lock().unwrap();
        let others = ["talk.json.19-0.partial", "talk.json.x.partial", "other.json.17-3.partial", "talk.json.partial"];
        age(others[0], 1);
        others[1..].iter().for_each(|name| drop(age(name, 3600)));
        let mut saved = Saved::private();
        for text in ["one", "two"] {
            saved.write(&at("talk.json"), text).unwrap();
            assert_eq!(fs::read_to_string(at("talk.json")).unwrap(), text);
        }
        let mut left: Vec<_> =
            fs::read_dir(&dir.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        let mut expected = [&others[..], &["talk.json", "talk.json.18-0.partial"]].concat();
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_not_this_chats_stays() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = Dir::new("others");
        let at = |name: &str| dir.0.join(name);
        fs::write(at("notes.md"), "notes of a year").unwrap();
        fs::write(at("model.gguf"), "GGUF and more").unwrap();
        for name in ["notes.md", "model.gguf"] {
            fs::set_permissions(at(name), fs::Permissions::from_mode(0o444)).unwrap();
        }
        symlink(at("model.gguf"), at("link.md")).unwrap();
        symlink(at("nothing"), at("dangling.md")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let before = fs::read_dir(&dir.0).unwrap().count();
        for (name, words) in [
            ("notes.md", "is there already"),
            ("model.gguf", "is a model file"),
            ("link.md", "is a model file"),
            ("dangling.md", "is there already"),
            ("folder", "is a directory"),
            ("folder/..", "is a directory"),
        ] {
            let error = Saved::default().write(&at(name), "x").unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(name), "{error}");
        }
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), before);
        assert_eq!(fs::read_to_string(at("notes.md")).unwrap(), "notes of a year");
        assert_eq!(fs::read_to_string(at("model.gguf")).unwrap(), "GGUF and more");
        // A file that came while the text was written is not replaced either.
        fs::write(at("new.partial"), "x").unwrap();
        let error = rename_to_new(&at("new.partial"), &at("notes.md")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
