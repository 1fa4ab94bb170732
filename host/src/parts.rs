//! File names of a model in several files: `NAME-00001-of-00003.gguf` and on.

use std::path::{Path, PathBuf};

/// The place of a file among the files of a model, from its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartName {
    path: PathBuf,
    stem: String,
    /// From 1.
    pub(crate) no: u32,
    pub(crate) count: u32,
}

impl PartName {
    /// Reads the name; `None` if the name is not that of a part.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
        let (rest, count) = name.rsplit_once("-of-")?;
        let (stem, no) = rest.rsplit_once('-')?;
        let number = |digits: &str| match digits.len() == 5 && digits.bytes().all(|b| b.is_ascii_digit()) {
            true => digits.parse().ok(),
            false => None,
        };
        let (no, count) = (number(no)?, number(count)?);
        (1..=count).contains(&no).then(|| Self { path: path.to_owned(), stem: stem.to_owned(), no, count })
    }

    /// The path of another part.
    pub(crate) fn part(&self, no: u32) -> PathBuf {
        self.path.with_file_name(format!("{}-{no:05}-of-{:05}.gguf", self.stem, self.count))
    }

    /// Whether a file is a part behind the first. Lists leave such files out, so that they show a model once.
    pub(crate) fn is_later(path: &Path) -> bool {
        Self::of(path).is_some_and(|name| name.no > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        let name = PartName::of(Path::new("d/my-model-00002-of-00012.gguf")).unwrap();
        assert_eq!((name.no, name.count), (2, 12));
        assert_eq!(name.part(1), Path::new("d/my-model-00001-of-00012.gguf"));
        for other in [
            "model.gguf",
            "m-00002-of-00012.bin",
            "m-2-of-3.gguf",
            "m-00000-of-00003.gguf",
            "m-00004-of-00003.gguf",
            "m-000010-of-00003.gguf",
            "m-+0001-of-00003.gguf",
            "00001-of-00003.gguf",
            "",
        ] {
            assert_eq!(PartName::of(Path::new(other)), None, "{other}");
        }
        assert!(PartName::is_later(Path::new("m-00002-of-00003.gguf")));
        assert!(!PartName::is_later(Path::new("m-00001-of-00003.gguf")) && !PartName::is_later(Path::new("m.gguf")));
    }
}
