//! FNV-1a, 64 bits (Fowler, Noll, Vo), over logits as little-endian f32.

/// The digest so far.
pub struct Digest(u64);

impl Digest {
    /// The digest of no bytes.
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds the logits of one position.
    pub fn update(&mut self, logits: &[f32]) {
        for byte in logits.iter().flat_map(|logit| logit.to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The digest.
    pub fn value(&self) -> u64 {
        self.0
    }
}
