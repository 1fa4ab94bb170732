//! A model in several files: what each file says about the whole model.
//!
//! The keys are those of llama.cpp's `gguf-split`. A file is a whole model if the keys are absent or the count is 1 or
//! 0; 0 is what merging leaves.

use super::{Error, ErrorKind, Gguf};

/// The split keys of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    /// The part's number, from 0.
    no: u16,
    /// Number of parts of the model; 1 for a whole model.
    pub(super) count: u16,
    /// Number of tensors of the whole model, if it has several parts and the file says so.
    pub(super) n_tensors: Option<u64>,
    /// Offset of the keys in the file, for error messages.
    pub(super) offset: u64,
}

impl Split {
    /// Reads the keys of one file.
    ///
    /// # Errors
    /// [`ErrorKind::SplitKeys`].
    pub(super) fn of(gguf: &Gguf<'_>) -> Result<Self, Error> {
        let entry = |name: &str| gguf.metadata().iter().find(|entry| entry.key == name);
        let (no, count) = (entry("split.no"), entry("split.count"));
        let offset = no.or(count).map_or(0, |entry| entry.offset);
        let number = |name: &str| match entry(name) {
            Some(entry) => entry.value.as_u64().map(Some).ok_or(ErrorKind::SplitKeys.at(entry.offset)),
            None => Ok(None),
        };
        let small = |name: &str| match number(name)?.unwrap_or(0).try_into() {
            Ok(n) => Ok::<u16, Error>(n),
            Err(_) => Err(ErrorKind::SplitKeys.at(offset)),
        };
        let (no, count) = (small("split.no")?, small("split.count")?.max(1));
        if no >= count {
            return Err(ErrorKind::SplitKeys.at(offset));
        }
        let n_tensors = if count > 1 { number("split.tensors.count")? } else { None };
        Ok(Self { no, count, n_tensors, offset })
    }

    /// Checks that the file is part number `expected`.
    ///
    /// # Errors
    /// [`ErrorKind::PartNumber`] if it is another part.
    pub(super) fn expect_part(&self, expected: u16) -> Result<(), Error> {
        match self.no == expected {
            true => Ok(()),
            false => Err(ErrorKind::PartNumber { found: self.no, expected }.at(self.offset)),
        }
    }

    /// Whether two files with these keys are parts of one model.
    pub(super) fn is_of_one_model(&self, other: &Self) -> bool {
        self.count == other.count && self.n_tensors == other.n_tensors
    }
}
