//! What can be wrong with a file's header.

use core::fmt;
use nanocamelid_kernels::formats;

/// What is wrong, and at which byte of which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Which of the model's files, from 0.
    pub part: u16,
    /// Byte offset from the start of that file.
    pub offset: u64,
}

/// The ways in which a header can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The file does not start with `GGUF`.
    Magic,
    /// A version this parser does not read.
    Version(u32),
    /// A big-endian file.
    BigEndian,
    /// The input ends inside a value.
    Truncated,
    /// A count or length that the rest of the input cannot hold.
    CountTooLarge(u64),
    /// A name or key that is not UTF-8.
    Utf8,
    /// An unknown metadata value type.
    ValueType(u32),
    /// A boolean byte other than 0 or 1.
    Bool(u8),
    /// Arrays nested deeper than [`super::MAX_NESTING`].
    Nesting,
    /// The same metadata key twice.
    DuplicateKey,
    /// The same tensor name twice.
    DuplicateTensor,
    /// `general.alignment` is not a power of two.
    Alignment,
    /// A tensor with more than four dimensions.
    Dimensions(u32),
    /// A tensor type number that nobody has defined, or that ggml has withdrawn.
    TensorType(u32),
    /// A tensor's row is not a whole number of its format's blocks.
    PartialBlock,
    /// A tensor's offset is not aligned.
    TensorAlignment,
    /// A tensor reaches past the end of the file.
    TensorOutOfFile,
    /// Two tensors share bytes.
    TensorsOverlap,
    /// A size or an offset that overflows 64 bits.
    Overflow,
    /// Another GGUF file begins where this one ends.
    Glued,
    /// `split.no`, `split.count` or `split.tensors.count` is missing, of the wrong type, or contradicts the others.
    SplitKeys,
    /// The number of files given is not the number of parts that the model has.
    PartCount {
        /// Number of files given.
        given: usize,
        /// Number of parts of the model.
        expected: u16,
    },
    /// A file is another part of the model than its place in the list requires; parts count from 0.
    PartNumber {
        /// The part that was given.
        found: u16,
        /// The part that belongs here.
        expected: u16,
    },
    /// A file is not a part of the model that the first part belongs to.
    OtherModel,
    /// The parts together have another number of tensors than the model.
    TensorTotal {
        /// Tensors of all parts.
        found: u64,
        /// Tensors of the model.
        expected: u64,
    },
}

impl ErrorKind {
    /// The error at a byte of the model's first file. [`super::Gguf`] replaces the part number where another file is
    /// read.
    pub(super) const fn at(self, offset: u64) -> Error {
        Error { kind: self, part: 0, offset }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Magic => write!(f, "not a GGUF file (no GGUF magic)")?,
            ErrorKind::Version(v) => write!(f, "GGUF version {v} is not supported (2 and 3 are)")?,
            ErrorKind::BigEndian => write!(f, "a big-endian GGUF file; only little-endian ones are supported")?,
            ErrorKind::Truncated => write!(f, "the file ends inside a value")?,
            ErrorKind::CountTooLarge(n) => write!(f, "a count of {n} is more than the file can hold")?,
            ErrorKind::Utf8 => write!(f, "a name that is not UTF-8")?,
            ErrorKind::ValueType(t) => write!(f, "unknown metadata value type {t}")?,
            ErrorKind::Bool(b) => write!(f, "a boolean of {b} (0 or 1 expected)")?,
            ErrorKind::Nesting => write!(f, "metadata arrays are nested too deeply")?,
            ErrorKind::DuplicateKey => write!(f, "a metadata key occurs twice")?,
            ErrorKind::DuplicateTensor => write!(f, "a tensor name occurs twice")?,
            ErrorKind::Alignment => write!(f, "general.alignment is not a power of two")?,
            ErrorKind::Dimensions(n) => write!(f, "a tensor with {n} dimensions (at most 4)")?,
            ErrorKind::TensorType(t) => match formats::ggml_withdrawn(t) {
                Some((name, now)) => {
                    write!(f, "tensor type {name} ({t}) is no longer in use; take the model's {now} file")?
                }
                None => write!(f, "unknown tensor type {t}")?,
            },
            ErrorKind::PartialBlock => write!(f, "a tensor row is no whole number of its format's blocks")?,
            ErrorKind::TensorAlignment => write!(f, "a tensor's offset is not aligned")?,
            ErrorKind::TensorOutOfFile => write!(f, "a tensor reaches past the end of the file (truncated download?)")?,
            ErrorKind::TensorsOverlap => write!(f, "two tensors share bytes")?,
            ErrorKind::Overflow => write!(f, "a size overflows 64 bits")?,
            ErrorKind::Glued => write!(
                f,
                "another GGUF file begins inside this one; a model in several files is kept in several files"
            )?,
            ErrorKind::SplitKeys => write!(f, "split.no, split.count and split.tensors.count do not make sense")?,
            ErrorKind::PartCount { given, expected } => {
                write!(f, "the model is in {expected} file(s), and {given} of them given")?
            }
            ErrorKind::PartNumber { found, expected } => {
                let again = if found < expected { " again" } else { "" };
                write!(
                    f,
                    "part {} of the model{again}, where part {} belongs",
                    u32::from(found) + 1,
                    u32::from(expected) + 1
                )?
            }
            ErrorKind::OtherModel => write!(f, "not a part of the same model as the first part")?,
            ErrorKind::TensorTotal { found, expected } => {
                write!(f, "the parts have {found} tensors, the model has {expected}")?
            }
        }
        write!(f, ", at byte {}", self.offset)?;
        match self.part {
            0 => Ok(()),
            part => write!(f, " of part {}", u32::from(part) + 1),
        }
    }
}

impl core::error::Error for Error {}
