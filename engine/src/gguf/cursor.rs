//! A reader that never reads past the end of its bytes.

use super::{Error, ErrorKind};

/// A position in a file's bytes.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The position, in bytes from the start of the file.
    pub fn offset(&self) -> u64 {
        self.at as u64
    }

    /// Number of bytes left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// An error at the current position.
    pub fn error(&self, kind: ErrorKind) -> Error {
        kind.at(self.offset())
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if fewer are left.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..n).ok_or(self.error(ErrorKind::Truncated))?;
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    pub fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    /// Reads a little-endian u32.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    pub fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    /// Reads a little-endian u64.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    pub fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads a u64 count of items of at least `min_bytes` each. A count that the rest of the input cannot hold is
    /// refused.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`], [`ErrorKind::CountTooLarge`].
    pub fn count(&mut self, min_bytes: usize) -> Result<usize, Error> {
        let at = self.offset();
        let n = self.u64()?;
        match usize::try_from(n) {
            Ok(count) if count <= self.remaining() / min_bytes.max(1) => Ok(count),
            _ => Err(ErrorKind::CountTooLarge(n).at(at)),
        }
    }

    /// Reads a length-prefixed byte string.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`], [`ErrorKind::CountTooLarge`].
    pub fn byte_string(&mut self) -> Result<&'a [u8], Error> {
        // Vocabularies are hundreds of thousands of strings: one look at the length suffices for those that are whole.
        if let Some((len, rest)) = self.bytes[self.at..].split_first_chunk()
            && let Ok(len) = usize::try_from(u64::from_le_bytes(*len))
            && let Some(string) = rest.get(..len)
        {
            self.at += 8 + len;
            return Ok(string);
        }
        let n = self.count(1)?;
        self.take(n)
    }

    /// Reads a length-prefixed UTF-8 string.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`], [`ErrorKind::CountTooLarge`], [`ErrorKind::Utf8`].
    pub fn string(&mut self) -> Result<&'a str, Error> {
        let at = self.offset();
        core::str::from_utf8(self.byte_string()?).map_err(|_| ErrorKind::Utf8.at(at))
    }
}
