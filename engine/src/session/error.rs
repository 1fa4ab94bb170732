//! What a session refuses.

use core::fmt;
use nanocamelid_kernels::KvType;

/// Why a session could not be made or could not go on. After an error the session is as it was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// The input is empty.
    Empty,
    /// The context has no room for the input.
    ContextFull {
        /// Number of positions of the session.
        n_ctx: usize,
        /// Number of positions that the input would need.
        wanted: usize,
    },
    /// A token id outside the vocabulary.
    Token {
        /// The id.
        token: u32,
        /// Number of rows of the embedding.
        n_vocab: usize,
    },
    /// A batch larger than the session's.
    Batch {
        /// Number of tokens given.
        n_tokens: usize,
        /// Most tokens of a batch.
        n_batch: usize,
    },
    /// A part of a batch whose slot does not exist or has two parts, or that asks for more logits than it has tokens.
    Part {
        /// The slot.
        slot: usize,
        /// Number of slots.
        n_slots: usize,
    },
    /// Tokens were given to a model that starts with a later layer, or hidden states to a model that starts with the
    /// first layer, or the hidden states are not a whole number of rows.
    WrongInput,
    /// Logits were requested from a model without a head.
    NoHead,
    /// An embedding asked of a range of layers that does not end with the last.
    NoEnd,
    /// The arena is smaller than the plan says.
    Arena {
        /// Bytes needed.
        required: usize,
        /// Bytes given.
        given: usize,
    },
    /// The model is the share of another rank, or of another number of ranks.
    Peers {
        /// The rank and the number of ranks that the session was to be started among.
        place: (usize, usize),
        /// Those of the model's share.
        share: (usize, usize),
    },
    /// A context or batch of 0, or a session too large for this machine's address space.
    Size,
    /// A context of more positions than the model has embeddings of.
    Positions {
        /// Positions asked for.
        n_ctx: usize,
        /// Those that have an embedding.
        n_positions: usize,
    },
    /// The KV type cannot hold heads of this size.
    KvType {
        /// The requested type.
        kv_type: KvType,
        /// Number of components of a head.
        dim: usize,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "there is nothing to process"),
            Self::ContextFull { n_ctx, wanted } => {
                write!(f, "the context holds {n_ctx} tokens and {wanted} are needed")
            }
            Self::Token { token, n_vocab } => write!(f, "token {token} is outside the vocabulary of {n_vocab}"),
            Self::Batch { n_tokens, n_batch } => write!(f, "{n_tokens} tokens in a batch of at most {n_batch}"),
            Self::Part { slot, n_slots } => write!(
                f,
                "slot {slot} of {n_slots}: there is no such slot, it occurs twice, or it asks for more logits than tokens"
            ),
            Self::WrongInput => write!(f, "the input does not fit the model's first layer"),
            Self::NoHead => write!(f, "there is no output head: this model, or range of layers, makes no logits"),
            Self::NoEnd => write!(f, "this range of layers does not end with the last, which embeddings are made of"),
            Self::Arena { required, given } => write!(f, "the arena has {given} bytes and {required} are needed"),
            Self::Peers { place: (rank, n), share: (of_rank, of_n) } => {
                write!(f, "a session of rank {rank} of {n} with the model of rank {of_rank} of {of_n}")
            }
            Self::Size => write!(f, "context and batch must be at least 1 and fit this machine's memory"),
            Self::Positions { n_ctx, n_positions } => {
                write!(f, "a context of {n_ctx} tokens, and the model has embeddings of {n_positions} positions")
            }
            Self::KvType { kv_type, dim } => {
                write!(f, "a {} KV cache cannot hold heads of {dim} components", kv_type.name())
            }
        }
    }
}

impl core::error::Error for SessionError {}
