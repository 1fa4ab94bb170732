//! Attention over a chunked KV cache: the types and the cache layout. The arithmetic is in docs/NUMERICS.md.
//!
//! Every KV head has its own region of a layer's cache. Positions are grouped in chunks of [`CHUNK`]; position `p`
//! lies in chunk `p / CHUNK`, at slot `p % CHUNK`.
//!
//! Keys of a chunk are transposed in groups of [`GROUP`] slots, so that one vector holds one component of 16 keys and
//! scores need no horizontal sums: `k[group][component][slot % 16]`. Values stay rows: `v[slot][component]`.
//!
//! | type | keys of one group of 16 | value row |
//! |---|---|---|
//! | f32 | `[dim][16]` f32 | `[dim]` f32 |
//! | f16 | `[dim][16]` f16 | `[dim]` f16 |
//! | q8_0 | per 32 components: `[16]` f16 scales, then `[32][16]` i8 | per 32 components: f16 scale, then `[32]` i8 |

/// Positions that are reduced together before chunks are merged in order.
pub const CHUNK: usize = 128;
/// Keys that are stored interleaved.
pub const GROUP: usize = 16;

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum KvType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats, the default.
    #[default]
    F16,
    /// Blocks of 32 signed bytes with an f16 scale; the head size must be a multiple of 32.
    Q8_0,
}

impl KvType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Q8_0];

    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// Bytes of one key or value of `dim` components; `None` if the type cannot hold that size.
    pub const fn row_bytes(self, dim: usize) -> Option<usize> {
        match self {
            Self::F32 => dim.checked_mul(4),
            Self::F16 => dim.checked_mul(2),
            Self::Q8_0 => {
                if dim.is_multiple_of(32) {
                    (dim / 32).checked_mul(34)
                } else {
                    None
                }
            }
        }
    }
}

/// One chunk of one KV head against a tile of queries.
///
/// Queries come as `[token][head of the group]`: all `n_heads` query heads that share this KV head, for each token.
#[derive(Clone, Copy, Debug)]
pub struct Attend<'a> {
    /// Storage type of `keys` and `values`.
    pub kv_type: KvType,
    /// Components of a query and of a key.
    pub key_dim: usize,
    /// Components of a value.
    pub value_dim: usize,
    /// Query heads per KV head.
    pub n_heads: usize,
    /// Queries, `[n_tokens * n_heads][key_dim]`, already multiplied by the attention scale.
    pub queries: &'a [f32],
    /// Per token, which slots of this chunk it sees: `first..end`, `end <= CHUNK`. Empty ranges leave the state alone.
    pub ranges: &'a [(u32, u32)],
    /// The chunk's keys: `CHUNK * row_bytes(key_dim)` bytes in the layout above.
    pub keys: &'a [u8],
    /// The chunk's values: `CHUNK * row_bytes(value_dim)` bytes.
    pub values: &'a [u8],
    /// Scores become `cap * tanh(score / cap)` when this is set.
    pub softcap: Option<f32>,
}

/// Running softmax state of a tile of queries.
#[derive(Debug)]
pub struct AttentionState<'a> {
    /// Largest score so far, one per query; negative infinity before the first chunk.
    pub max: &'a mut [f32],
    /// Sum of `exp(score - max)`, one per query.
    pub sum: &'a mut [f32],
    /// Weighted values, `[n_queries][value_dim]`.
    pub out: &'a mut [f32],
}

impl AttentionState<'_> {
    /// The state before any chunk.
    pub fn reset(&mut self) {
        self.max.fill(f32::NEG_INFINITY);
        self.sum.fill(0.0);
        self.out.fill(0.0);
    }
}

impl Attend<'_> {
    /// Panics unless every length follows from the others.
    pub(crate) fn check(&self, state: &AttentionState<'_>) {
        let n_queries = self.ranges.len() * self.n_heads;
        assert_eq!(self.queries.len(), n_queries * self.key_dim, "queries are [n_tokens * n_heads][key_dim]");
        assert!(self.ranges.iter().all(|&(_, end)| end as usize <= CHUNK), "a range ends within its chunk");
        assert_eq!(Some(self.keys.len()), chunk_bytes(self.kv_type, self.key_dim), "keys are one chunk");
        assert_eq!(Some(self.values.len()), chunk_bytes(self.kv_type, self.value_dim), "values are one chunk");
        assert!(
            state.max.len() == n_queries && state.sum.len() == n_queries,
            "the state has a maximum and a sum per query"
        );
        assert_eq!(state.out.len(), n_queries * self.value_dim, "the state's output is [n_queries][value_dim]");
    }
}

/// Bytes of one chunk of keys or values of `dim` components.
fn chunk_bytes(kv_type: KvType, dim: usize) -> Option<usize> {
    kv_type.row_bytes(dim)?.checked_mul(CHUNK)
}

/// Panics unless a key or value of `dim` components can be stored at `slot` of a chunk of `chunk_len` bytes.
pub(crate) fn check_store(kv_type: KvType, slot: usize, dim: usize, chunk_len: usize) {
    assert!(slot < CHUNK, "slot {slot} of {CHUNK}");
    assert_eq!(Some(chunk_len), chunk_bytes(kv_type, dim), "a chunk holds {CHUNK} rows of {dim} components");
}
