//! What can be wrong with a file's header.

use core::fmt;

/// What is wrong, and at which byte of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Byte offset from the start of the file.
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
    /// A tensor type number nobody has defined.
    TensorType(u32),
    /// A tensor's row is no whole number of its format's blocks.
    PartialBlock,
    /// A tensor's offset is not aligned.
    TensorAlignment,
    /// A tensor reaches past the end of the file.
    TensorOutOfFile,
    /// Two tensors share bytes.
    TensorsOverlap,
    /// A size or an offset that overflows 64 bits.
    Overflow,
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
            ErrorKind::TensorType(t) => write!(f, "unknown tensor type {t}")?,
            ErrorKind::PartialBlock => write!(f, "a tensor row is no whole number of its format's blocks")?,
            ErrorKind::TensorAlignment => write!(f, "a tensor's offset is not aligned")?,
            ErrorKind::TensorOutOfFile => write!(f, "a tensor reaches past the end of the file (truncated download?)")?,
            ErrorKind::TensorsOverlap => write!(f, "two tensors share bytes")?,
            ErrorKind::Overflow => write!(f, "a size overflows 64 bits")?,
        }
        write!(f, ", at byte {}", self.offset)
    }
}

impl core::error::Error for Error {}
