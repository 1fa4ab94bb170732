//! GGUF versions 2 and 3, parsed in place.
//!
//! Format: the GGUF specification in the ggml repository (docs/gguf.md). Only two indexes are built: one small record
//! per metadata key and one per tensor. Each record corresponds to at least 13 bytes of input, so the input's size
//! bounds the memory, whatever the counts in the file say.
//!
//! A large model may be split into several files, its parts. Each part has a header and tensors of its own; the first
//! part has the metadata.

mod cursor;
mod error;
mod file_type;
mod kind;
mod metadata;
mod split;
mod tensor;

pub use cursor::Cursor;
pub use error::{Error, ErrorKind};
pub use kind::FileKind;
pub use metadata::{Array, Entry, MAX_NESTING, Strings, Value, ValueType};
pub use tensor::TensorInfo;

use alloc::vec::Vec;
use split::Split;

/// First four bytes of every file.
pub const MAGIC: [u8; 4] = *b"GGUF";
/// Alignment of tensor data when `general.alignment` is absent.
pub const DEFAULT_ALIGNMENT: u64 = 32;
/// Most zero bytes after the last tensor that count as padding: one page.
const MAX_PADDING: usize = 4096;

/// The headers of a model's files: metadata and tensor index, borrowed from the files' bytes.
#[derive(Clone, Debug)]
pub struct Gguf<'a> {
    version: u32,
    alignment: u64,
    data_offset: u64,
    file_bytes: u64,
    n_parts: usize,
    metadata: Vec<Entry<'a>>,
    metadata_by_key: Vec<u32>,
    tensors: Vec<TensorInfo<'a>>,
    tensors_by_name: Vec<u32>,
}

impl<'a> Gguf<'a> {
    /// Parses the header of a model in one file and checks that every tensor lies inside `bytes`.
    ///
    /// # Errors
    /// The first fault, with its byte offset. A file that is one of several gives [`ErrorKind::PartCount`] or
    /// [`ErrorKind::PartNumber`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::parse_parts(&[bytes])
    }

    /// Parses the headers of a model's files, in order, and checks that every tensor lies inside its file. The metadata
    /// is that of the first file.
    ///
    /// # Errors
    /// The first fault, with its file and byte offset.
    pub fn parse_parts(parts: &[&'a [u8]]) -> Result<Self, Error> {
        let (first, others) = parts.split_first().ok_or(ErrorKind::Truncated.at(0))?;
        let mut gguf = Self::parse_one(first)?;
        let split = Split::of(&gguf)?;
        split.expect_part(0)?;
        if parts.len() != usize::from(split.count) {
            let kind = ErrorKind::PartCount { given: parts.len(), expected: split.count };
            return Err(kind.at(split.offset));
        }
        for (part, bytes) in (1..split.count).zip(others) {
            gguf.join(part, bytes, &split).map_err(|error| Error { part, ..error })?;
        }
        if let Some(expected) = split.n_tensors {
            let found = gguf.tensors.len() as u64;
            if found != expected {
                return Err(ErrorKind::TensorTotal { found, expected }.at(split.offset));
            }
        }
        if gguf.n_parts > 1 {
            gguf.tensors_by_name = index_tensors(&gguf.tensors)?;
        }
        Ok(gguf)
    }

    /// Adds the tensors of another file.
    fn join(&mut self, part: u16, bytes: &'a [u8], split: &Split) -> Result<(), Error> {
        let other = Self::parse_one(bytes)?;
        let theirs = Split::of(&other)?;
        // Some splitting programs write this key into every part, others into the first part only.
        let architecture = other.value("general.architecture");
        let is_ours = architecture.is_none_or(|theirs| self.value("general.architecture") == Some(theirs));
        if !is_ours || !theirs.is_of_one_model(split) {
            return Err(ErrorKind::OtherModel.at(theirs.offset));
        }
        theirs.expect_part(part)?;
        self.file_bytes += other.file_bytes;
        self.n_parts += 1;
        self.tensors.extend(other.tensors.into_iter().map(|info| info.of_part(part)));
        Ok(())
    }

    /// Parses one file, whether it is a whole model or a part.
    fn parse_one(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        if cursor.take(4)? != MAGIC {
            return Err(ErrorKind::Magic.at(0));
        }
        let version = cursor.u32()?;
        match version {
            2 | 3 => {}
            1 => return Err(ErrorKind::Version(1).at(4)),
            v if matches!(v.swap_bytes(), 1..=3) => return Err(ErrorKind::BigEndian.at(4)),
            v => return Err(ErrorKind::Version(v).at(4)),
        }
        let n_tensors = cursor.count(tensor::MIN_BYTES)?;
        let n_entries = cursor.count(metadata::MIN_BYTES)?;

        let mut metadata = Vec::with_capacity(n_entries);
        for _ in 0..n_entries {
            metadata.push(Entry::parse(&mut cursor)?);
        }
        let metadata_by_key = index_by_name(&metadata, |entry| (entry.key, 0, entry.offset), ErrorKind::DuplicateKey)?;
        let alignment = alignment(&metadata, &metadata_by_key)?;

        // The tensor count was bounded before the metadata was read; the bytes that are left now give a tighter bound.
        let mut tensors = Vec::with_capacity(n_tensors.min(cursor.remaining() / tensor::MIN_BYTES));
        for _ in 0..n_tensors {
            tensors.push(TensorInfo::parse(&mut cursor, alignment)?);
        }
        let tensors_by_name = index_tensors(&tensors)?;

        let header_end = cursor.offset();
        let data_offset = header_end.checked_next_multiple_of(alignment).ok_or(ErrorKind::Overflow.at(header_end))?;
        let mut gguf = Self {
            version,
            alignment,
            data_offset,
            file_bytes: bytes.len() as u64,
            n_parts: 1,
            metadata,
            metadata_by_key,
            tensors,
            tensors_by_name,
        };
        for info in &mut gguf.tensors {
            info.locate(bytes, data_offset)?;
        }
        gguf.reject_overlaps()?;
        gguf.reject_glue(bytes, header_end)?;
        Ok(gguf)
    }

    /// The format version, 2 or 3. Version, alignment and data offset are those of the first file.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Alignment of every tensor's data, in bytes.
    pub fn alignment(&self) -> u64 {
        self.alignment
    }

    /// Where tensor data starts, in bytes from the start of the file.
    pub fn data_offset(&self) -> u64 {
        self.data_offset
    }

    /// Length of all files together, in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Number of files that the model is split into.
    pub fn n_parts(&self) -> usize {
        self.n_parts
    }

    /// All metadata, in file order.
    pub fn metadata(&self) -> &[Entry<'a>] {
        &self.metadata
    }

    /// All tensors, in file order.
    pub fn tensors(&self) -> &[TensorInfo<'a>] {
        &self.tensors
    }

    /// The value of a metadata key.
    pub fn value(&self, key: &str) -> Option<Value<'a>> {
        let index = find(&self.metadata, &self.metadata_by_key, key, |entry| entry.key)?;
        Some(self.metadata[index].value)
    }

    /// A tensor by its full name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo<'a>> {
        self.tensor_index(name).map(|index| &self.tensors[index])
    }

    /// The index in [`Gguf::tensors`] of the tensor with this name.
    pub fn tensor_index(&self, name: &str) -> Option<usize> {
        find(&self.tensors, &self.tensors_by_name, name, |info| info.name)
    }

    /// Refuses two tensors over the same bytes: such a file is damaged or hostile.
    fn reject_overlaps(&self) -> Result<(), Error> {
        let mut spans: Vec<(u64, u64, u64)> = self
            .tensors
            .iter()
            .filter(|info| !info.data().is_empty())
            .map(|info| (info.offset, info.offset + info.data().len() as u64, info.info_offset))
            .collect();
        spans.sort_unstable();
        for pair in spans.windows(2) {
            if pair[1].0 < pair[0].1 {
                return Err(ErrorKind::TensorsOverlap.at(pair[1].2));
            }
        }
        Ok(())
    }

    /// Refuses another GGUF file after the padding: some users concatenate parts, as other kinds of split files allow.
    fn reject_glue(&self, bytes: &[u8], header_end: u64) -> Result<(), Error> {
        let ends = self.tensors.iter().map(|info| info.offset + info.data().len() as u64);
        let end = ends.fold(header_end, u64::max);
        let rest = usize::try_from(end).ok().and_then(|end| bytes.get(end..)).unwrap_or_default();
        let padding = rest.iter().take(MAX_PADDING).take_while(|&&byte| byte == 0).count();
        match rest[padding..].starts_with(&MAGIC) {
            true => Err(ErrorKind::Glued.at(end + padding as u64)),
            false => Ok(()),
        }
    }
}

/// The tensors' indexes, sorted by name, over all files.
fn index_tensors(tensors: &[TensorInfo<'_>]) -> Result<Vec<u32>, Error> {
    index_by_name(tensors, |info| (info.name, info.part, info.info_offset), ErrorKind::DuplicateTensor)
}

/// `general.alignment`, which must be a power of two. The specification requires a multiple of 8; files with smaller
/// alignments exist and are read correctly.
fn alignment(metadata: &[Entry<'_>], by_key: &[u32]) -> Result<u64, Error> {
    let Some(index) = find(metadata, by_key, "general.alignment", |entry| entry.key) else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    let entry = &metadata[index];
    match entry.value.as_u64() {
        Some(n) if n.is_power_of_two() && n <= u64::from(u32::MAX) => Ok(n),
        _ => Err(ErrorKind::Alignment.at(entry.offset)),
    }
}

/// Indexes of `items` sorted by name; a name that occurs twice is an error. `key` returns an item's name and its place:
/// part and offset.
fn index_by_name<'a, T>(
    items: &[T],
    key: impl Fn(&T) -> (&'a str, u16, u64),
    duplicate: ErrorKind,
) -> Result<Vec<u32>, Error> {
    // Counts are at most the input's length / 13; more than 2^32 entries would take a header of more than 50 GB.
    let n = u32::try_from(items.len()).map_err(|_| ErrorKind::Overflow.at(0))?;
    let mut order: Vec<u32> = (0..n).collect();
    order.sort_unstable_by_key(|&i| key(&items[i as usize]));
    for pair in order.windows(2) {
        let (first, second) = (key(&items[pair[0] as usize]), key(&items[pair[1] as usize]));
        if first.0 == second.0 {
            return Err(Error { kind: duplicate, part: second.1, offset: second.2 });
        }
    }
    Ok(order)
}

/// The index in `items` of the item with this name.
fn find<'a, T>(items: &[T], order: &[u32], name: &str, key: impl Fn(&T) -> &'a str) -> Option<usize> {
    let at = order.binary_search_by(|&i| key(&items[i as usize]).cmp(name)).ok()?;
    Some(order[at] as usize)
}
