//! The numbers of a model as a whole, which no block owns, read from the metadata and checked once.

mod architecture;
mod pooling;
mod reader;
mod rope;

pub use architecture::Architecture;
pub(crate) use architecture::{
    DefaultScales, ExpertTraits, HeadScale, KeyHeads, Norms, QkNorm, Recurrence, RopeLayers, SelectionBias, Traits,
    WindowTraits,
};
pub use pooling::Pooling;
pub(crate) use reader::{Reader, Refused};
pub(crate) use rope::read as read_ropes;
pub use rope::{Rope, RopeScaling};

/// The gate of a feed-forward network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `silu(gate) * up`.
    Silu,
    /// `gelu(gate) * up`, tanh form.
    Gelu,
    /// `gelu(gate)`, as it is defined, by the normal distribution's function (Hendrycks and Gimpel 2016,
    /// arXiv:1606.08415); times `up` where there is a gate.
    GeluErf,
    /// `max(gate, 0)^2 * up`.
    SquaredRelu,
    /// `g * sigmoid(1.702 g) * (u + 1)`, `g` the gate up to 7 and `u` up within 7 of 0 (gpt-oss).
    ClampedSwish,
}

/// The numbers of a whole model.
#[derive(Clone, Debug)]
pub struct Config {
    /// The architecture.
    pub architecture: Architecture,
    /// Number of layers.
    pub n_layers: usize,
    /// Blocks of the file behind the layers: they predict further tokens, and the forward pass does not use them.
    pub(crate) n_further: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Number of rows of the embedding.
    pub n_vocab: usize,
    /// The context length that the model was trained for.
    pub n_ctx_train: usize,
    /// The epsilon of every norm.
    pub norm_eps: f32,
    /// Soft-cap of logits.
    pub logit_softcap: Option<f32>,
    /// Factor on embeddings.
    pub embedding_scale: f32,
    /// Factor on each block's output before the output is added to the residual stream.
    pub residual_scale: f32,
    /// Factor on logits.
    pub logit_scale: f32,
    /// The gate of feed-forward networks.
    pub activation: Activation,
    /// How the file wants embeddings of texts made, if it says so.
    pub pooling: Option<Pooling>,
    pub(crate) traits: &'static Traits,
}

/// Upper bound of widths: far above any model's, and low enough that a product of two widths does not overflow.
pub(crate) const MAX_WIDTH: u64 = 1 << 20;
const MAX_LAYERS: u64 = 1 << 12;
const MAX_VOCAB: u64 = 1 << 24;

impl Config {
    /// Reads the metadata.
    pub(crate) fn read(r: &mut Reader<'_, '_>, architecture: Architecture) -> Result<Self, Refused> {
        let traits = architecture.traits();
        let n_layers = r.required("block_count", 1, MAX_LAYERS);
        let n_embd = r.required("embedding_length", 1, MAX_WIDTH);
        let n_ctx_train = r.required("context_length", 1, 1 << 32);
        // Some files have the epsilon only under the name for the other kind of norm.
        let norm_eps = match r.optional_float("attention.layer_norm_epsilon", 0.0, 1.0) {
            Some(eps) if r.value("attention.layer_norm_rms_epsilon").is_none() => Ok(eps),
            _ => r.required_float("attention.layer_norm_rms_epsilon", 0.0, 1.0),
        };
        let n_vocab = r.vocab_size(MAX_VOCAB);
        // These numbers size everything else; with one of them missing, further reasons would mislead.
        let n_embd = n_embd?;
        let n_blocks = n_layers?;
        let n_further = match traits.predicts_further {
            true => r.optional("nextn_predict_layers", 0, n_blocks as u64 - 1).unwrap_or(0),
            false => 0,
        };
        r.set_further_blocks(n_further);
        let pooling = Pooling::read(r);
        let n_layers = n_blocks - n_further;
        let [embedding, residual, logit] = match traits.scales {
            DefaultScales::None => [1.0; 3],
            DefaultScales::SqrtWidth => [libm::sqrtf(n_embd as f32), 1.0, 1.0],
            DefaultScales::MiniCpm => [12.0, 1.4 / libm::sqrtf(n_layers as f32), 256.0 / n_embd as f32],
        };
        let is_squared_relu = r.value("hidden_activation").and_then(|value| value.as_str()) == Some("relu2");
        Ok(Self {
            architecture,
            n_layers,
            n_further,
            n_embd,
            n_vocab: n_vocab?,
            n_ctx_train: n_ctx_train?,
            norm_eps: norm_eps?,
            logit_softcap: r.softcap("final_logit_softcapping", traits.softcaps.1),
            embedding_scale: r.scale("embedding_scale").unwrap_or(embedding),
            residual_scale: r.scale("residual_scale").unwrap_or(residual),
            logit_scale: r.scale("logit_scale").map_or(logit, |scale| 1.0 / scale),
            activation: if is_squared_relu { Activation::SquaredRelu } else { traits.activation },
            pooling: pooling?,
            traits,
        })
    }

    /// Whether tokens see those behind them too. Such a model makes embeddings and no logits, and takes a text whole.
    pub fn is_encoder(&self) -> bool {
        self.traits.encoder
    }
}
