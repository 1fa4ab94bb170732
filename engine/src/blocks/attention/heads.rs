//! The heads of an attention block: number, width and window.

use super::super::{Fact, KvPages, Sizes};
use nanocamelid_kernels::KvType;
use nanocamelid_kernels::attention::CHUNK;

/// Queries of one attention tile: enough to share each key and value many times, few enough to stay in L1.
pub(super) const TILE_QUERIES: usize = 32;

/// Shapes and window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Components of a query and a key.
    pub key_dim: usize,
    /// Components of a value.
    pub value_dim: usize,
    /// Number of positions that a token sees, including its own; all positions if `None`. Half of a bidirectional
    /// window lies on either side of the token.
    pub window: Option<usize>,
    /// Tokens see those behind them too. Then a text is one batch, and its keys and values are all stored before the
    /// first query is answered.
    pub bidirectional: bool,
    /// Soft-cap of scores.
    pub softcap: Option<f32>,
}

impl Heads {
    /// Width of a token's queries, keys and values.
    pub(super) fn widths(&self) -> [usize; 3] {
        [self.n_heads * self.key_dim, self.n_kv_heads * self.key_dim, self.n_kv_heads * self.value_dim]
    }

    /// So many of the KV heads, with their query heads.
    pub(super) fn of(self, n_kv_heads: usize) -> Self {
        Self { n_heads: n_kv_heads * self.group(), n_kv_heads, ..self }
    }

    /// Query heads that share a KV head; 1 where a rank has no heads.
    pub(super) fn group(&self) -> usize {
        self.n_heads.checked_div(self.n_kv_heads).unwrap_or(1)
    }

    /// Tokens of one attention tile.
    pub(super) fn tile_tokens(&self) -> usize {
        (TILE_QUERIES / self.group()).max(1)
    }

    /// Bytes of worker scratch for one attention tile: queries, running maxima and sums, outputs.
    pub(super) fn tile_bytes(&self) -> usize {
        self.tile_tokens() * self.group() * (self.key_dim + 2 + self.value_dim) * size_of::<f32>()
    }

    /// The pages of a slot that the keys and values take. Where tokens see those behind them too, all are kept.
    pub(super) fn pages(&self) -> KvPages {
        match self.window {
            Some(window) if !self.bidirectional => KvPages::Window(window),
            _ => KvPages::All,
        }
    }

    /// The most chunks of a slot that a token of a batch sees.
    pub(super) fn chunks(&self, sizes: &Sizes) -> usize {
        self.pages().of_slot(sizes.n_ctx, sizes.n_batch)
    }

    /// Bytes of cache that one more position of context costs; the error is a head size that this type cannot hold.
    pub(super) fn bytes_per_position(&self, kv_type: KvType) -> Result<usize, usize> {
        let bytes = |dim| kv_type.row_bytes(dim).ok_or(dim);
        let position = self.n_kv_heads * (bytes(self.key_dim)? + bytes(self.value_dim)?);
        Ok(if self.window.is_some() && !self.bidirectional { 0 } else { position })
    }

    /// First position that the token at `position` sees.
    pub(super) fn first_seen(&self, position: usize) -> usize {
        match self.window {
            None => 0,
            Some(window) if self.bidirectional => position.saturating_sub(window / 2),
            Some(window) => (position + 1).saturating_sub(window),
        }
    }

    /// One past the last position that the token at `position` sees, of `n` that are stored.
    pub(super) fn end_seen(&self, position: usize, n: usize) -> usize {
        match self.window {
            _ if !self.bidirectional => position + 1,
            None => n,
            Some(window) => position.saturating_add(window / 2 + 1).min(n),
        }
    }

    /// The slots of `chunk` that the token at `position` sees, of `n` positions that are stored.
    pub(super) fn range(&self, chunk: usize, position: usize, n: usize) -> (u32, u32) {
        let within = |p: usize| (p.saturating_sub(chunk * CHUNK)).min(CHUNK) as u32;
        let (first, end) = (within(self.first_seen(position)), within(self.end_seen(position, n)));
        (first, end.max(first))
    }

    pub(super) fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("n_heads", self.n_heads));
        tell(Fact::Number("n_kv_heads", self.n_kv_heads));
        tell(Fact::Number("key_dim", self.key_dim));
        tell(Fact::Number("value_dim", self.value_dim));
        if let Some(window) = self.window {
            tell(Fact::Number("sliding_window", window));
            tell(Fact::Count("n_windowed_layers"));
        }
    }
}
