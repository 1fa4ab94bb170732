//! The reasons why a file cannot be run.

use crate::gguf::FileKind;
use crate::peers::MAX_RANKS;
use alloc::vec::Vec;
use core::fmt;
use nanocamelid_kernels::formats;

/// All reasons together, so that a user can mend a file or a choice at once.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelError<'a> {
    /// At least one.
    pub reasons: Vec<Reason<'a>>,
}

/// A tensor of the model, `blk.{layer}.{name}` or just `{name}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorName {
    /// The layer, for tensors of a layer.
    pub layer: Option<usize>,
    /// For example `attn_q.weight`.
    pub name: &'static str,
    /// The expert, in files with a tensor for each expert.
    pub expert: Option<usize>,
    /// `bias`, `scale` or `input_scale`, for a tensor that accompanies the named one.
    pub companion: Option<&'static str>,
}

/// One reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason<'a> {
    /// The file is something else that belongs to a model.
    NotAModel(FileKind),
    /// `general.architecture` is not one that this engine runs.
    UnknownArchitecture(&'a str),
    /// A required metadata key is absent.
    MissingKey {
        /// The architecture, the key's prefix.
        architecture: &'a str,
        /// The key without the prefix.
        key: &'static str,
    },
    /// A metadata value has the wrong type, length or range.
    BadKey {
        /// The architecture, the key's prefix.
        architecture: &'a str,
        /// The key without the prefix.
        key: &'static str,
    },
    /// The embedding width is not a multiple of the number of heads, and no head size is given.
    HeadsDoNotDivide {
        /// Embedding width.
        n_embd: usize,
        /// Query heads.
        n_heads: usize,
    },
    /// The number of query heads is not a multiple of the number of KV heads.
    KvHeadsDoNotDivide {
        /// Query heads.
        n_heads: usize,
        /// KV heads.
        n_kv_heads: usize,
    },
    /// The number of rotated components exceeds the head, or is odd.
    RopeDimension {
        /// Rotated components.
        n_rot: usize,
        /// Components of a head.
        key_dim: usize,
    },
    /// A RoPE scaling type that this engine does not know.
    RopeScalingType(&'a str),
    /// A RoPE factor tensor of the wrong type, length or values.
    RopeFactors(&'static str),
    /// The pooling makes a rank of a pair of texts, not an embedding of one.
    Ranker,
    /// A tensor is absent.
    MissingTensor(TensorName),
    /// A tensor's shape differs from the shape that the metadata requires.
    WrongShape {
        /// The tensor.
        tensor: TensorName,
        /// Extents that the metadata requires.
        expected: [u64; 3],
        /// Extents in the file.
        found: [u64; 4],
    },
    /// The engine does not compute with the tensor's type, or not in this place.
    UnsupportedType {
        /// The tensor.
        tensor: TensorName,
        /// GGUF type number.
        ggml_type: u32,
    },
    /// A tensor that this engine does not use in this architecture.
    UnknownTensor(&'a str),
    /// A layer range that reads what only earlier layers have.
    Inseparable {
        /// First layer.
        start: usize,
    },
    /// A layer range outside the model.
    LayerRange {
        /// First layer.
        start: usize,
        /// One past the last.
        end: usize,
        /// Number of layers of the model.
        n_layers: usize,
    },
    /// A rank that is not there, too many ranks, or a rank with a share of 0.
    Share,
}

impl fmt::Display for TensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "blk.{layer}.")?;
        }
        let Some((stem, ending)) = self.name.rsplit_once('.') else { return f.write_str(self.name) };
        f.write_str(stem)?;
        if let Some(expert) = self.expert {
            write!(f, ".{expert}")?;
        }
        write!(f, ".{}", self.companion.unwrap_or(ending))
    }
}

struct Shape<'s>(&'s [u64]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.0.iter().rposition(|&d| d != 1).map_or(1, |last| last + 1);
        for (i, dim) in self.0[..used].iter().enumerate() {
            write!(f, "{}{dim}", if i == 0 { "" } else { "x" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAModel(kind) => write!(f, "{kind}"),
            Self::UnknownArchitecture(name) => write!(f, "architecture '{}' is not supported", name.escape_debug()),
            Self::MissingKey { architecture, key } => write!(f, "metadata key {architecture}.{key} is missing"),
            Self::BadKey { architecture, key } => {
                write!(f, "metadata key {architecture}.{key} has an unusable type, length or value")
            }
            Self::HeadsDoNotDivide { n_embd, n_heads } => {
                write!(f, "embedding width {n_embd} is no multiple of {n_heads} heads, and no key length is given")
            }
            Self::KvHeadsDoNotDivide { n_heads, n_kv_heads } => {
                write!(f, "{n_heads} query heads are no multiple of {n_kv_heads} KV heads")
            }
            Self::RopeDimension { n_rot, key_dim } => {
                write!(f, "RoPE cannot rotate {n_rot} components of heads of {key_dim}")
            }
            Self::RopeScalingType(name) => write!(f, "RoPE scaling '{}' is not supported", name.escape_debug()),
            Self::RopeFactors(name) => {
                write!(f, "tensor {name} is no f32 vector of positive factors of the right length")
            }
            Self::Ranker => write!(f, "pooling type 4 (rank) ranks pairs of texts, which is not supported"),
            Self::MissingTensor(tensor) => write!(f, "tensor {tensor} is missing"),
            Self::WrongShape { tensor, expected, found } => {
                write!(f, "tensor {tensor} is {}, expected {}", Shape(found), Shape(expected))
            }
            Self::UnsupportedType { tensor, ggml_type } => {
                write!(f, "tensor {tensor} has type {}, which is not supported there", formats::ggml_name(*ggml_type))
            }
            Self::UnknownTensor(name) => {
                write!(f, "tensor {} has no place in this architecture", name.escape_debug())
            }
            Self::Inseparable { start } => {
                write!(f, "layers from {start} on read what earlier layers keep and cannot run without them")
            }
            Self::LayerRange { start, end, n_layers } => {
                write!(f, "layers {start}..{end} are no range of a model of {n_layers} layers")
            }
            Self::Share => write!(f, "these are no shares of 1 to {MAX_RANKS} ranks"),
        }
    }
}

impl fmt::Display for ModelError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, reason) in self.reasons.iter().enumerate() {
            write!(f, "{}{reason}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl core::error::Error for ModelError<'_> {}
