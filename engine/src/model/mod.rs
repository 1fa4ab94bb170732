//! A model: its numbers and its blocks, as views into the file's bytes.

mod description;
mod embedding;
mod pooler;

use crate::blocks::{Block, Layers};
use crate::compute::{Forms, Linear, Ranks, SEVERAL, Split, Vector};
use crate::config::{Architecture, Config, Norms, Reader, Rope};
use crate::gguf::{FileKind, Gguf};
use crate::peers::Share;
use crate::refusal::{ModelError, Reason};
use crate::tensors::{STREAM_UNIT, Tensors, global};
use alloc::vec::Vec;
use core::ops::Range;
pub(crate) use embedding::Embedding;
use nanocamelid_kernels::Matrix;
pub(crate) use pooler::Pooler;

/// A model, or a share of it: a range of its layers, or some rows of its matrices.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    /// The numbers of the whole model.
    pub config: Config,
    /// The distinct RoPE settings that blocks refer to.
    pub ropes: Vec<Rope>,
    /// The range of layers.
    pub range: Range<usize>,
    /// The share.
    pub share: Share<'a>,
    /// Present if the range starts with the first layer.
    pub(crate) embedding: Option<Embedding<'a>>,
    /// The blocks of the layers, first to last.
    pub(crate) blocks: Vec<Block<'a>>,
    /// Those of layers that other ranks hold: all ranks keep pages and snapshots alike, whatever their layers need.
    pub(crate) elsewhere: Vec<Block<'a>>,
    /// The last norm and the output matrix; present if the range ends with the last layer and the model makes logits.
    pub(crate) head: Option<Head<'a>>,
    /// Present if the range ends with the last layer.
    pub(crate) pooler: Option<Pooler<'a>>,
}

/// The last norm and the matrix that turn hidden states into logits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// `[n_embd]`.
    pub norm: Vector<'a>,
    /// `[n_vocab][n_embd]`, of which a rank has its rows; in tied models the embedding.
    pub output: Linear<'a>,
    /// How ranks share the vocabulary.
    pub split: Split<'a>,
}

impl<'a> Model<'a> {
    /// All layers, embedding and head.
    ///
    /// # Errors
    /// Every reason why this engine cannot run the file.
    pub fn new(gguf: &Gguf<'a>) -> Result<Self, ModelError<'a>> {
        Self::read(gguf, None, Share::Whole)
    }

    /// What one rank of a cluster holds.
    ///
    /// # Errors
    /// Those of [`Model::new`]; a model that cannot be shared so, or a share that is no share.
    #[cfg(feature = "ranks")]
    pub fn of_share(gguf: &Gguf<'a>, share: Share<'a>) -> Result<Self, ModelError<'a>> {
        Self::read(gguf, None, share)
    }

    /// A range of layers, so that the layers of one model can run on several machines. The embedding comes with the
    /// first layer, the head with the last layer.
    ///
    /// # Errors
    /// Those of [`Model::new`], and a range outside the model.
    pub fn with_layers(gguf: &Gguf<'a>, range: Range<usize>) -> Result<Self, ModelError<'a>> {
        Self::read(gguf, Some(range), Share::Whole)
    }

    fn read(gguf: &Gguf<'a>, range: Option<Range<usize>>, share: Share<'a>) -> Result<Self, ModelError<'a>> {
        let refused = |reason| ModelError { reasons: alloc::vec![reason] };
        if !share.is_valid() {
            return Err(refused(Reason::Share));
        }
        if let Some(kind) = FileKind::of(gguf) {
            return Err(refused(Reason::NotAModel(kind)));
        }
        let name = match gguf.value("general.architecture") {
            Some(value) => value.as_str().unwrap_or("(not a string)"),
            None => return Err(refused(Reason::MissingKey { architecture: "general", key: "architecture" })),
        };
        let architecture = Architecture::from_name(name).ok_or_else(|| refused(Reason::UnknownArchitecture(name)))?;
        let mut r = Reader::new(gguf, name);
        let read = Config::read(&mut r, architecture).and_then(|config| {
            let dense_width = pooler::read_dense_width(&mut r, &config);
            let (layers, ropes) = Layers::read(&mut r, gguf, &config)?;
            Ok((config, layers, ropes, dense_width?))
        });
        let (config, layers, ropes, dense_width) = match (read, r.into_reasons()) {
            (Ok(read), reasons) if reasons.is_empty() => read,
            (_, reasons) => return Err(ModelError { reasons }),
        };
        let (whole, n_layers) = (0..config.n_layers, config.n_layers);
        let split = Ranks::of_layers(share).split(n_layers, 1);
        let ranges: Vec<_> = match &range {
            Some(range) => alloc::vec![range.clone()],
            // A range that cannot be is refused on all ranks.
            None => (0..split.n_ranks()).map(|rank| split.range(rank)).collect(),
        };
        for Range { start, end } in ranges {
            if start >= end || end > n_layers {
                return Err(refused(Reason::LayerRange { start, end, n_layers }));
            }
            if layers.need_earlier_ones(start..end) {
                return Err(refused(Reason::Inseparable { start }));
            }
        }
        let range = range.unwrap_or(split.own());

        let mut tensors = Tensors::new(gguf, Ranks::of_rows(share));
        let token_embd = tensors.matrix(global("token_embd.weight"), config.n_embd, config.n_vocab);
        let embedding = Embedding::read(&mut tensors, &config, token_embd);
        let mut blocks = Vec::new();
        for layer in range.clone() {
            layers.read_layer(layer, &mut tensors, &mut blocks);
        }
        let mut elsewhere = Vec::new();
        if matches!(share, Share::Layers { .. }) {
            for layer in whole.clone().filter(|layer| !range.contains(layer)) {
                layers.read_layer(layer, &mut tensors, &mut elsewhere);
            }
        }
        let (mut head, mut pooler) = (None, None);
        if range.end == n_layers {
            let is_normed = config.traits.norms == Norms::Stream;
            let norm = if is_normed { None } else { read_last_norm(&mut tensors, &config) };
            if !config.is_encoder() {
                head = Head::read(&mut tensors, &config, norm, token_embd);
            }
            pooler = Pooler::read(&mut tensors, &config, norm, dense_width);
        }
        for name in ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"] {
            // These tensors were read with the RoPE settings; files repeat them per layer, under a name without a
            // layer.
            tensors.find(global(name));
        }
        if config.traits.norms == Norms::Stream {
            // A classifier behind BERT's pooling, which embeddings do not pass.
            for name in ["cls.weight", "cls.bias"] {
                tensors.find(global(name));
            }
        }
        if range == whole {
            tensors.ignore_blocks(n_layers..n_layers + config.n_further);
            tensors.refuse_leftovers();
        }
        let reasons = tensors.into_reasons();
        if !reasons.is_empty() {
            return Err(ModelError { reasons });
        }
        let embedding = embedding.filter(|_| range.start == 0);
        Ok(Self { config, ropes, range, share, embedding, blocks, elsewhere, head, pooler })
    }

    /// The part of the hidden values, and of the vocabulary, that this share computes with matrices of its own.
    pub fn rows(&self) -> [Range<usize>; 2] {
        let rows = Ranks::of_rows(self.share).split(self.config.n_embd, STREAM_UNIT).own();
        [rows, self.head.map_or(0..0, |head| head.split.own())]
    }

    /// The forms in which blocks read the embeddings of a batch's tokens, if some blocks do.
    pub(crate) fn embedding_inputs(&self) -> Option<Forms> {
        self.blocks.iter().filter_map(|block| block.op.embedding_inputs()).reduce(Forms::union)
    }

    /// Whether logits are for this rank, if others compute some or all of them.
    pub(crate) fn collects_logits(&self) -> bool {
        let (rank, n_ranks) = self.share.place();
        SEVERAL && rank == 0 && n_ranks > 1
    }

    /// Whether the input is hidden states (the range does not start at the first layer).
    pub fn takes_hidden(&self) -> bool {
        self.range.start > 0
    }
}

impl<'a> Head<'a> {
    fn read(
        tensors: &mut Tensors<'_, 'a>,
        config: &Config,
        norm: Option<Vector<'a>>,
        token_embd: Option<Matrix<'a>>,
    ) -> Option<Self> {
        let output = global("output.weight");
        let output = match tensors.exists(output) {
            true => tensors.linear(output, config.n_embd, config.n_vocab),
            // Tied: the embedding is the output matrix.
            false => token_embd.map(Linear::unbiased),
        };
        let split = tensors.ranks().split(config.n_vocab, STREAM_UNIT);
        Some(Self { norm: norm?, output: output?.share(split), split })
    }
}

/// The norm of the last hidden states; `None` if it was refused.
fn read_last_norm<'a>(tensors: &mut Tensors<'_, 'a>, config: &Config) -> Option<Vector<'a>> {
    // lfm2 files name it after the embedding, older and newer converters differ.
    let name = match config.traits.output_norm {
        "token_embd_norm" if tensors.exists(global("token_embd_norm.weight")) => "token_embd_norm.weight",
        _ => "output_norm.weight",
    };
    tensors.vector(global(name), config.n_embd)
}
