//! A digest that tells a model file from every other file, made without reading all of the file.

use crate::model_file::ModelFile;
use hmac_sha256::Hash;
use nanocamelid_engine::Gguf;
use std::time::UNIX_EPOCH;
use xxhash_rust::xxh64::xxh64;

/// Bytes of a sample of a tensor.
const SAMPLE_BYTES: usize = 64;

/// A SHA-256 digest.
pub(crate) type Digest = [u8; 32];

/// The digest of a model: of the lengths and headers of its files, with all metadata and the names, shapes and places
/// of all tensors, and of samples of every tensor from its beginning, middle and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModelDigest(Digest);

impl ModelDigest {
    /// The digest of an open model.
    pub(crate) fn new(file: &ModelFile, gguf: &Gguf<'_>) -> Self {
        let mut hash = Hash::new();
        for (n_bytes, header) in headers(file, gguf) {
            hash.update((n_bytes as u64).to_le_bytes());
            // A vocabulary is megabytes, and nobody gains by making two files with the same header's checksum.
            hash.update(xxh64(header, 0).to_le_bytes());
        }
        for tensor in gguf.tensors() {
            let bytes = tensor.data();
            let last = bytes.len().saturating_sub(SAMPLE_BYTES);
            for start in [0, last / 2, last] {
                hash.update(&bytes[start..bytes.len().min(start + SAMPLE_BYTES)]);
            }
        }
        Self(hash.finalize())
    }

    /// The digest of an open model and of the times at which its files were last changed, which tells a file from
    /// itself before a change that no sample shows.
    pub(crate) fn with_times(file: &ModelFile, gguf: &Gguf<'_>) -> Self {
        let mut hash = Hash::new();
        hash.update(Self::new(file, gguf).bytes());
        for modified in file.modified() {
            // The sign, and nanoseconds. Where there is no time, the sign says so.
            let (sign, time) = match modified.map(|time| time.duration_since(UNIX_EPOCH)) {
                Some(Ok(after)) => (1, after.as_nanos()),
                Some(Err(before)) => (2, before.duration().as_nanos()),
                None => (0, 0),
            };
            hash.update([sign]);
            hash.update(time.to_le_bytes());
        }
        Self(hash.finalize())
    }

    /// The digest itself.
    pub(crate) fn bytes(&self) -> &Digest {
        &self.0
    }
}

/// A digest as 64 hexadecimal digits.
pub(crate) fn in_hexadecimal(digest: &Digest) -> String {
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

/// The length of every file of a model, and its header: all in front of the first tensor.
pub(crate) fn headers<'a>(file: &'a ModelFile, gguf: &Gguf<'_>) -> impl Iterator<Item = (usize, &'a [u8])> {
    file.parts().into_iter().enumerate().map(|(part, bytes)| {
        let starts = gguf.tensors().iter().filter(|tensor| usize::from(tensor.part) == part);
        let start = starts.map(|tensor| tensor.offset).min().unwrap_or(u64::MAX);
        (bytes.len(), &bytes[..usize::try_from(start).unwrap_or(usize::MAX).min(bytes.len())])
    })
}
