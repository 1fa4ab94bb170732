//! The gated delta rule (Yang et al. 2024, arXiv:2412.06464): a matrix that fades, is asked for the value of a key, and
//! is told by how much the answer was wrong. The arithmetic is in docs/NUMERICS.md.
//!
//! The columns of a head's matrix, one for each component of its values, know nothing of each other. They are kept in
//! bands of [`BAND`], each band row by row: `[key_dim][BAND]`, so that one vector holds a row of a band.

/// Columns of a matrix that are kept together.
pub const BAND: usize = 16;

/// One token and one band of a value head's matrix.
#[derive(Clone, Copy, Debug)]
pub struct DeltaStep<'a> {
    /// The key, `[key_dim]`.
    pub key: &'a [f32],
    /// The query, `[key_dim]`, already scaled.
    pub query: &'a [f32],
    /// The components of the value that belong to the band, at most [`BAND`].
    pub value: &'a [f32],
    /// What the matrix is multiplied by before the token is taken in.
    pub decay: f32,
    /// How much of the error is corrected.
    pub beta: f32,
}

impl DeltaStep<'_> {
    pub(crate) fn check(&self, band: &[f32], out: &[f32]) {
        assert!(self.query.len() == self.key.len() && band.len() == self.key.len() * BAND, "a row for each component");
        assert!(self.value.len() == out.len() && out.len() <= BAND, "an output for each component of a band");
    }
}
