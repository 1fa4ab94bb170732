//! The pages of a text as files: names that stand for the model and for all tokens up to a page's end, and what a file
//! begins and ends with.
//!
//! A file is a header, the bytes that the session keeps, and a checksum of both. The header follows from model,
//! settings and tokens alone, so a reader makes the header that it expects and compares: there is nothing to parse, and
//! no number of a file sizes anything.

use crate::model_digest::{Digest, ModelDigest, in_hexadecimal};
use crate::owned_session::OwnedSession;
use hmac_sha256::Hash;
use nanocamelid_engine::session::{KEPT_VERSION, Kept, PAGE};
use xxhash_rust::xxh64::xxh64;

/// The first bytes of every file.
const MAGIC: [u8; 16] = *b"NanoCamelid page";
/// The format of files. What the session keeps has a version of its own.
const FORMAT: u32 = 1;
/// The order of bytes within a number differs between machines; this number tells them apart.
const BYTE_ORDER: u32 = 0x0102_0304;
/// Bytes of a checksum.
const CHECKSUM_BYTES: usize = size_of::<u64>();

/// The pages of a text, for one model and the settings of one session.
pub(super) struct Pages {
    tokens: Vec<u32>,
    model: ModelDigest,
    kv_type: &'static str,
    /// The digest before the first page, then those of all pages.
    digests: Vec<Digest>,
    /// Bytes that the session keeps of a page, by kind.
    n_kept: [usize; Kept::ALL.len()],
}

impl Pages {
    /// The full pages of `tokens`.
    pub(super) fn new(model: ModelDigest, session: &mut OwnedSession<'_>, tokens: Vec<u32>) -> Self {
        let mut hash = Hash::new();
        for number in [BYTE_ORDER, FORMAT, KEPT_VERSION] {
            hash.update(number.to_ne_bytes());
        }
        hash.update(model.bytes());
        session.describe_kept(&mut |bytes| hash.update(bytes));
        let mut digests = vec![hash.finalize()];
        for page in tokens.chunks_exact(PAGE) {
            let mut hash = Hash::new();
            hash.update(digests[digests.len() - 1]);
            page.iter().for_each(|token| hash.update(token.to_le_bytes()));
            digests.push(hash.finalize());
        }
        let n_kept = Kept::ALL.map(|kept| session.kept_bytes(kept));
        Self { tokens, model, kv_type: session.kv_type().name(), digests, n_kept }
    }

    /// Number of full pages.
    pub(super) fn n(&self) -> usize {
        self.digests.len() - 1
    }

    /// The digest of all tokens up to a page's end.
    pub(super) fn digest(&self, page: usize) -> &Digest {
        &self.digests[page + 1]
    }

    /// All tokens up to a page's end.
    pub(super) fn tokens(&self, page: usize) -> &[u32] {
        &self.tokens[..(page + 1) * PAGE]
    }

    /// The name of the file.
    pub(super) fn file_name(&self, page: usize, kept: Kept) -> String {
        file_name(self.digest(page), kept)
    }

    /// The first bytes of the file.
    pub(super) fn header(&self, page: usize, kept: Kept) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        let n_positions = ((page + 1) * PAGE) as u32;
        for number in [BYTE_ORDER, FORMAT, KEPT_VERSION, kept as u32, n_positions] {
            header.extend(number.to_ne_bytes());
        }
        header.extend((self.n_kept(kept) as u64).to_le_bytes());
        let mut kv_type = [0; 8];
        kv_type[..self.kv_type.len()].copy_from_slice(self.kv_type.as_bytes());
        header.extend(kv_type);
        header.extend(self.model.bytes());
        header.extend(self.digests[page]);
        header.extend(self.tokens[page * PAGE..(page + 1) * PAGE].iter().flat_map(|token| token.to_le_bytes()));
        header
    }

    /// Bytes that the session keeps of a page.
    pub(super) fn n_kept(&self, kept: Kept) -> usize {
        self.n_kept[kept as usize]
    }

    /// Bytes of a whole file.
    pub(super) fn file_bytes(&self, kept: Kept) -> usize {
        const HEADER_BYTES: usize = MAGIC.len() + 5 * 4 + 8 + 8 + 2 * size_of::<Digest>() + PAGE * 4;
        HEADER_BYTES + self.n_kept(kept) + CHECKSUM_BYTES
    }
}

/// The name of a file: the digest in hexadecimal, and the kind of what is kept.
fn file_name(digest: &Digest, kept: Kept) -> String {
    let mut name = in_hexadecimal(digest);
    name.push('.');
    name.push_str(extension(kept));
    name
}

/// The names of a page's files, of every kind.
pub(super) fn file_names(digest: &Digest) -> [String; Kept::ALL.len()] {
    Kept::ALL.map(|kept| file_name(digest, kept))
}

fn extension(kept: Kept) -> &'static str {
    match kept {
        Kept::Pages => "kv",
        Kept::Windows => "window",
        Kept::States => "state",
    }
}

/// Whether this may be the name of a file of the cache.
pub(super) fn is_file_name(name: &str) -> bool {
    let is_digest = |digest: &str| {
        digest.len() == 2 * size_of::<Digest>() && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    name.split_once('.').is_some_and(|(digest, kind)| is_digest(digest) && Kept::ALL.map(extension).contains(&kind))
}

/// Ends a file.
pub(super) fn seal(bytes: &mut Vec<u8>) {
    bytes.extend(xxh64(bytes, 0).to_le_bytes());
}

/// Whether a file is whole and begins with this header.
pub(super) fn is_sealed(bytes: &[u8], header: &[u8]) -> bool {
    bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .is_some_and(|(content, checksum)| content.starts_with(header) && xxh64(content, 0).to_le_bytes() == *checksum)
}
