//! A model: its configuration and its tensors, as views into the file's bytes.

mod loader;

use crate::config::Config;
use crate::gguf::Gguf;
use crate::refusal::{ModelError, Reason};
use alloc::vec::Vec;
use core::ops::Range;
use loader::Loader;
use nanocamelid_kernels::{ActivationType, Matrix, WeightType};

/// A small vector of little-endian f32 values at any alignment: a norm, a bias.
pub type Vector<'a> = &'a [[u8; 4]];

/// A matrix product and its bias.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    /// `[n_out][n_in]`.
    pub weight: Matrix<'a>,
    /// `[n_out]`.
    pub bias: Option<Vector<'a>>,
}

/// A model, or a range of its layers.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    /// The numbers.
    pub config: Config,
    /// Which layers are here.
    pub range: Range<usize>,
    /// `[n_vocab][n_embd]`; there if the range starts with the first layer.
    pub token_embd: Option<Matrix<'a>>,
    /// The layers of `range`.
    pub layers: Vec<Layer<'a>>,
    /// The last norm and the output matrix; there if the range ends with the last layer.
    pub head: Option<Head<'a>>,
}

/// What turns the last hidden state into logits.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// `[n_embd]`.
    pub norm: Vector<'a>,
    /// `[n_vocab][n_embd]`, the embedding itself in tied models.
    pub output: Linear<'a>,
    /// Whether the output matrix is the embedding.
    pub tied: bool,
}

/// One layer's tensors.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// Before the mixer.
    pub attn_norm: Vector<'a>,
    /// Attention or convolution.
    pub mixer: Mixer<'a>,
    /// After the mixer, in sandwich architectures.
    pub post_attention_norm: Option<Vector<'a>>,
    /// Before the feed-forward network.
    pub ffn_norm: Vector<'a>,
    /// Feed-forward network.
    pub ffn: Ffn<'a>,
    /// After the feed-forward network, in sandwich architectures.
    pub post_ffw_norm: Option<Vector<'a>>,
}

/// How a layer mixes tokens.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant)] // one per layer; boxing would cost an allocation each
pub enum Mixer<'a> {
    /// Attention.
    Attention(Attention<'a>),
    /// Short convolution.
    ShortConv(ShortConv<'a>),
}

/// Attention tensors. Fused projections are split into row ranges of the one matrix.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// `[n_heads * key_dim][n_embd]`.
    pub q: Linear<'a>,
    /// `[n_kv_heads * key_dim][n_embd]`.
    pub k: Linear<'a>,
    /// `[n_kv_heads * value_dim][n_embd]`.
    pub v: Linear<'a>,
    /// `[n_embd][n_heads * value_dim]`.
    pub output: Linear<'a>,
    /// Norms of each head's query and key, `[key_dim]`.
    pub qk_norm: Option<(Vector<'a>, Vector<'a>)>,
}

/// Short-convolution tensors (lfm2).
#[derive(Clone, Copy, Debug)]
pub struct ShortConv<'a> {
    /// `[3 * n_embd][n_embd]`: gate `b`, gate `c`, input `x`.
    pub in_proj: Linear<'a>,
    /// `[n_embd][n_taps]`, oldest tap first.
    pub conv: Vector<'a>,
    /// `[n_embd][n_embd]`.
    pub out_proj: Linear<'a>,
}

/// Feed-forward tensors.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // one per layer
pub enum Ffn<'a> {
    /// One gated network.
    Dense(Gated<'a>),
    /// A mixture of them.
    Experts(Experts<'a>),
}

/// A gated network.
#[derive(Clone, Copy, Debug)]
pub struct Gated<'a> {
    /// `[n_ff][n_embd]`.
    pub gate: Linear<'a>,
    /// `[n_ff][n_embd]`.
    pub up: Linear<'a>,
    /// `[n_embd][n_ff]`.
    pub down: Linear<'a>,
}

/// A mixture of gated networks.
#[derive(Clone, Debug)]
pub struct Experts<'a> {
    /// `[n_experts][n_embd]`.
    pub router: Matrix<'a>,
    /// Gate matrices.
    pub gate: ExpertMatrices<'a>,
    /// Up matrices.
    pub up: ExpertMatrices<'a>,
    /// Down matrices.
    pub down: ExpertMatrices<'a>,
}

impl Experts<'_> {
    /// Kinds of activations that router, gate and up matrices take.
    pub(crate) fn input_kinds(&self, n_experts: usize) -> ActivationKinds {
        let mut kinds = ActivationKinds::of(&[self.router]);
        for e in 0..n_experts {
            kinds = kinds.union(ActivationKinds::of(&[self.gate.expert(e), self.up.expert(e)]));
        }
        kinds
    }
}

/// The same matrix of every expert.
#[derive(Clone, Debug)]
pub enum ExpertMatrices<'a> {
    /// One tensor, expert after expert.
    Merged {
        /// All rows.
        all: Matrix<'a>,
        /// Rows of one expert.
        n_rows: usize,
    },
    /// A tensor for each expert (older Mixtral files).
    Separate(Vec<Matrix<'a>>),
}

impl<'a> ExpertMatrices<'a> {
    /// One expert's matrix.
    ///
    /// # Panics
    /// If there is no such expert.
    pub fn expert(&self, index: usize) -> Matrix<'a> {
        match self {
            Self::Merged { all, n_rows } => all.rows(index * n_rows, *n_rows),
            Self::Separate(matrices) => matrices[index],
        }
    }
}

impl<'a> Model<'a> {
    /// All layers, embedding and head.
    ///
    /// # Errors
    /// Every reason why this engine cannot run the file.
    pub fn new(gguf: &Gguf<'a>) -> Result<Self, ModelError<'a>> {
        let config = Config::from_gguf(gguf).map_err(|reasons| ModelError { reasons })?;
        let range = 0..config.n_layers();
        Self::build(gguf, config, range)
    }

    /// A range of layers, so that the layers of one model can live on several machines. The embedding comes with the
    /// first layer, the head with the last.
    ///
    /// # Errors
    /// As [`Model::new`], and a range outside the model.
    pub fn with_layers(gguf: &Gguf<'a>, range: Range<usize>) -> Result<Self, ModelError<'a>> {
        let config = Config::from_gguf(gguf).map_err(|reasons| ModelError { reasons })?;
        if range.start >= range.end || range.end > config.n_layers() {
            let reason = Reason::LayerRange { start: range.start, end: range.end, n_layers: config.n_layers() };
            return Err(ModelError { reasons: alloc::vec![reason] });
        }
        Self::build(gguf, config, range)
    }

    fn build(gguf: &Gguf<'a>, config: Config, range: Range<usize>) -> Result<Self, ModelError<'a>> {
        let mut loader = Loader::new(gguf, &config);
        let model = loader.model(range);
        let reasons = loader.into_reasons();
        match model {
            Some((token_embd, layers, head, range)) if reasons.is_empty() => {
                Ok(Self { config, range, token_embd, layers, head })
            }
            _ => Err(ModelError { reasons }),
        }
    }

    /// Whether hidden states go in (the range does not start at the first layer).
    pub fn takes_hidden(&self) -> bool {
        self.token_embd.is_none()
    }

    /// Every weight matrix that runs for every token (experts aside, which run when routed to).
    pub fn matrices(&self) -> impl Iterator<Item = Matrix<'a>> + '_ {
        self.layers.iter().flat_map(Layer::dense_matrices).chain(self.head.map(|head| head.output.weight))
    }

    /// Bytes of weights that one decoded token reads.
    pub fn bytes_per_token(&self) -> u64 {
        let bytes = |m: Matrix<'a>| m.bytes().len() as u64;
        let embedding_row = self.token_embd.map_or(0, |m| m.row_bytes() as u64);
        self.layers_sum(bytes) + self.head.map_or(0, |head| bytes(head.output.weight)) + embedding_row
    }

    /// Multiply-adds of the layers' matrices for one token: what prefill does for each (the head works for the last alone).
    pub fn layer_macs(&self) -> u64 {
        self.layers_sum(|m| (m.n_rows() * m.n_cols()) as u64)
    }

    /// The sum of something over the layers' matrices that serve one token.
    fn layers_sum(&self, of: impl Fn(Matrix<'a>) -> u64) -> u64 {
        let experts = |layer: &Layer<'a>| match &layer.ffn {
            Ffn::Experts(e) => {
                self.n_used_experts() as u64 * [&e.gate, &e.up, &e.down].map(|m| of(m.expert(0))).iter().sum::<u64>()
            }
            Ffn::Dense(_) => 0,
        };
        let dense = |layer: &Layer<'a>| layer.dense_matrices().map(&of).sum::<u64>();
        self.layers.iter().map(|layer| dense(layer) + experts(layer)).sum()
    }

    /// The weight format with the most bytes in layers and head: what people call the file's quantization.
    pub fn quantization(&self) -> Option<WeightType> {
        let mut bytes = [0u64; WeightType::COUNT];
        for layer in &self.layers {
            for m in layer.dense_matrices() {
                bytes[m.weight_type() as usize] += m.bytes().len() as u64;
            }
            if let Ffn::Experts(experts) = &layer.ffn {
                for m in [&experts.gate, &experts.up, &experts.down].map(|m| m.expert(0)) {
                    bytes[m.weight_type() as usize] += m.bytes().len() as u64 * self.n_experts() as u64;
                }
            }
        }
        let most = *bytes.iter().max()?;
        WeightType::ALL.into_iter().find(|&t| bytes[t as usize] == most && most > 0)
    }

    /// Experts that serve a token; 0 in dense models.
    pub fn n_used_experts(&self) -> usize {
        self.experts_config().map_or(0, |(_, n_used)| n_used)
    }

    /// Experts of a layer; 0 in dense models.
    pub fn n_experts(&self) -> usize {
        self.experts_config().map_or(0, |(n_experts, _)| n_experts)
    }

    fn experts_config(&self) -> Option<(usize, usize)> {
        self.config.layers.iter().find_map(|layer| match layer.ffn {
            crate::config::FfnConfig::Experts { n_experts, n_used, .. } => Some((n_experts, n_used)),
            crate::config::FfnConfig::Dense { .. } => None,
        })
    }

    /// Kinds of activations that the model's products take, those of down projections aside.
    pub(crate) fn input_kinds(&self) -> ActivationKinds {
        let mut kinds = ActivationKinds::default();
        for m in self.layers.iter().flat_map(Layer::input_matrices).chain(self.head.map(|head| head.output.weight)) {
            kinds.add(m.weight_type());
        }
        for layer in &self.layers {
            if let Ffn::Experts(experts) = &layer.ffn {
                kinds = kinds.union(experts.input_kinds(self.n_experts()));
            }
        }
        kinds
    }

    /// Kinds of activations that its down projections take.
    pub(crate) fn down_kinds(&self) -> ActivationKinds {
        let mut kinds = ActivationKinds::default();
        for layer in &self.layers {
            match &layer.ffn {
                Ffn::Dense(f) => kinds.add(f.down.weight.weight_type()),
                Ffn::Experts(e) => (0..self.n_experts()).for_each(|i| kinds.add(e.down.expert(i).weight_type())),
            }
        }
        kinds
    }
}

impl<'a> Layer<'a> {
    /// What runs for every token.
    fn dense_matrices(&self) -> impl Iterator<Item = Matrix<'a>> + use<'a> {
        let down = match &self.ffn {
            Ffn::Dense(f) => Some(f.down.weight),
            Ffn::Experts(_) => None,
        };
        self.input_matrices().chain(down)
    }

    /// Of these, all but a down projection.
    fn input_matrices(&self) -> impl Iterator<Item = Matrix<'a>> + use<'a> {
        let mixer = match &self.mixer {
            Mixer::Attention(a) => [Some(a.q.weight), Some(a.k.weight), Some(a.v.weight), Some(a.output.weight)],
            Mixer::ShortConv(c) => [Some(c.in_proj.weight), Some(c.out_proj.weight), None, None],
        };
        let ffn = match &self.ffn {
            Ffn::Dense(f) => [Some(f.gate.weight), Some(f.up.weight)],
            Ffn::Experts(e) => [Some(e.router), None],
        };
        mixer.into_iter().chain(ffn).flatten()
    }
}

/// Which forms of an activation are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ActivationKinds {
    pub f32: bool,
    pub q8: bool,
    pub q8k: bool,
}

impl ActivationKinds {
    pub(crate) fn of(matrices: &[Matrix<'_>]) -> Self {
        let mut kinds = Self::default();
        matrices.iter().for_each(|m| kinds.add(m.weight_type()));
        kinds
    }

    /// Whether blocks of 32 values are all there is.
    pub(crate) fn only_q8(self) -> bool {
        self == Self { q8: true, ..Self::default() }
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self { f32: self.f32 || other.f32, q8: self.q8 || other.q8, q8k: self.q8k || other.q8k }
    }

    fn add(&mut self, weight_type: WeightType) {
        match weight_type.activation() {
            ActivationType::F32 => self.f32 = true,
            ActivationType::Q8 => self.q8 = true,
            ActivationType::Q8K => self.q8k = true,
        }
    }
}
