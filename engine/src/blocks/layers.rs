//! The blocks of each layer.

use super::{
    Attention, AttentionAndMamba, DeltaNet, Dense, DenseAndExperts, Experts, Mamba2, PerLayerInput, ShortConv,
};
use super::{Block, Op, attention, delta_net, dense, experts, mamba2, per_layer, short_conv};
use crate::config::{Config, Norms, Reader, Recurrence, Refused, Rope, Traits};
use crate::gguf::Gguf;
use crate::tensors::{LayerTensors, Tensors};
use alloc::vec::Vec;
use core::ops::Range;

/// The metadata about the blocks of all layers.
pub(crate) struct Layers {
    n_embd: usize,
    n_vocab: usize,
    traits: &'static Traits,
    attention: attention::Metadata,
    recurrence: RecurrenceMetadata,
    /// Present if some layer has a dense network.
    dense: Option<dense::Metadata>,
    experts: Option<experts::Metadata>,
    per_layer: Option<per_layer::Metadata>,
}

/// The metadata about mixers other than attention.
enum RecurrenceMetadata {
    None,
    ShortConv(short_conv::Metadata),
    Mamba2(mamba2::Metadata),
    BesideAttention(mamba2::Metadata),
    DeltaNet(delta_net::Metadata),
}

/// The names of a block's norms, those that there are.
#[derive(Default)]
struct Names {
    norm: Option<&'static str>,
    post_norm: Option<&'static str>,
    stream_norm: Option<&'static str>,
}

impl Layers {
    /// Reads the metadata, with the RoPE settings that attention blocks refer to.
    pub(crate) fn read<'a>(
        r: &mut Reader<'_, 'a>,
        gguf: &Gguf<'a>,
        config: &Config,
    ) -> Result<(Self, Vec<Rope>), Refused> {
        let (attention, ropes) = attention::Metadata::read(r, gguf, config)?;
        let experts = experts::Metadata::read(r, config)?;
        let traits = config.traits;
        let some_are_dense = experts.as_ref().is_none_or(|experts| experts.first_layer() > 0);
        let dense = match some_are_dense || traits.experts.beside_dense {
            true => Some(dense::Metadata::read(r, config)?),
            false => None,
        };
        let recurrence = match traits.recurrence {
            Recurrence::None => RecurrenceMetadata::None,
            Recurrence::Convolution => RecurrenceMetadata::ShortConv(short_conv::Metadata::read(r)?),
            Recurrence::StateSpace => RecurrenceMetadata::Mamba2(mamba2::Metadata::read(r, config.norm_eps)?),
            Recurrence::StateSpaceBesideAttention => {
                RecurrenceMetadata::BesideAttention(mamba2::Metadata::read(r, config.norm_eps)?)
            }
            Recurrence::DeltaRule(key_heads) => {
                RecurrenceMetadata::DeltaNet(delta_net::Metadata::read(r, config, key_heads)?)
            }
        };
        let per_layer = per_layer::Metadata::read(r, config);
        let (n_embd, n_vocab) = (config.n_embd, config.n_vocab);
        let layers = Self { n_embd, n_vocab, traits, attention, recurrence, dense, experts, per_layer };
        for layer in 0..config.n_layers {
            if layers.has_attention(layer) {
                layers.attention.check(r, layer)?;
            }
        }
        Ok((layers, ropes))
    }

    /// Whether a layer has attention or must have it.
    fn has_attention(&self, layer: usize) -> bool {
        match &self.recurrence {
            RecurrenceMetadata::None | RecurrenceMetadata::BesideAttention(_) => true,
            RecurrenceMetadata::ShortConv(_) | RecurrenceMetadata::Mamba2(_) => !self.attention.has_no_heads(layer),
            RecurrenceMetadata::DeltaNet(delta_net) => !delta_net.is_recurrent(layer),
        }
    }

    /// The mixer of a layer.
    fn mixer<'a>(&self, layer: usize, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Op<'a>> {
        let has_attention = self.has_attention(layer);
        match &self.recurrence {
            RecurrenceMetadata::ShortConv(conv) if !has_attention => ShortConv::read(conv, tensors).map(Op::from),
            RecurrenceMetadata::Mamba2(mamba) if !has_attention => Mamba2::read(mamba, tensors).map(Op::from),
            RecurrenceMetadata::DeltaNet(net) if !has_attention => DeltaNet::read(net, tensors).map(Op::from),
            RecurrenceMetadata::BesideAttention(mamba) => {
                AttentionAndMamba::read(&self.attention, mamba, tensors).map(Op::from)
            }
            _ => Attention::read(&self.attention, tensors).map(Op::from),
        }
    }

    /// Appends the one block of a layer.
    fn read_single<'a>(&self, tensors: &mut LayerTensors<'_, '_, 'a>, blocks: &mut Vec<Block<'a>>) {
        let layer = tensors.layer();
        blocks.extend(self.block(tensors, Names { norm: Some("attn_norm.weight"), ..Names::default() }, |t| {
            match &self.dense {
                Some(dense) if dense.n_ff(layer) > 0 => Dense::read(dense, t).map(Op::from),
                _ => self.mixer(layer, t),
            }
        }));
    }

    /// Whether layers in `range` need the cache of an earlier layer or tokens that only the first range receives.
    pub(crate) fn need_earlier_ones(&self, range: Range<usize>) -> bool {
        let mut sources = range.clone().filter_map(|layer| self.attention.source_layer(layer));
        range.start > 0 && (self.per_layer.is_some() || sources.any(|source| source < range.start))
    }

    /// Appends the blocks of a layer, except those that are refused.
    pub(crate) fn read_layer<'a>(&self, layer: usize, tensors: &mut Tensors<'_, 'a>, blocks: &mut Vec<Block<'a>>) {
        let mut t = LayerTensors::new(tensors, layer, [self.n_embd, self.n_vocab]);
        if self.traits.single_blocks {
            return self.read_single(&mut t, blocks);
        }
        let norms = self.traits.norms;
        let norm = |name| Some(name).filter(|_| matches!(norms, Norms::Pre | Norms::Sandwich));
        let post_norm = |name| Some(name).filter(|_| matches!(norms, Norms::Post | Norms::Sandwich));
        let stream_norm = |name| Some(name).filter(|_| norms == Norms::Stream);
        let is_beside_dense = self.traits.experts.beside_dense;
        let experts = self.experts.as_ref().filter(|experts| layer >= experts.first_layer());
        let experts = experts.filter(|_| !is_beside_dense || t.exists("ffn_gate_inp.weight"));
        // Some converters write the name without the ending.
        let ffn_norm = if t.exists("ffn_norm") { "ffn_norm" } else { self.traits.ffn_norm };
        // Experts beside a dense network have norms of their own for their inputs.
        let ffn_norm = norm(ffn_norm).filter(|_| !is_beside_dense || experts.is_none());
        let source = self.attention.source_layer(layer);
        // The first block of a layer is its mixer.
        let source = source.and_then(|source| blocks.iter().position(|block| block.layer == source));

        let names = Names {
            norm: norm("attn_norm.weight"),
            post_norm: post_norm("post_attention_norm.weight"),
            stream_norm: stream_norm("attn_output_norm.weight"),
        };
        let mixer = self.block(&mut t, names, |t| self.mixer(layer, t));
        blocks.extend(mixer.map(|mixer| Block { source, ..mixer }));
        let names = Names {
            norm: ffn_norm,
            post_norm: post_norm("post_ffw_norm.weight"),
            stream_norm: stream_norm("layer_output_norm.weight"),
        };
        blocks.extend(self.block(&mut t, names, |t| match experts {
            Some(experts) if is_beside_dense => DenseAndExperts::read(self.dense.as_ref()?, experts, t).map(Op::from),
            Some(metadata) => Experts::read(metadata, t).map(Op::from),
            None => Dense::read(self.dense.as_ref()?, t).map(Op::from),
        }));
        if let Some(metadata) = &self.per_layer {
            let read = |t: &mut LayerTensors<'_, '_, 'a>| PerLayerInput::read(metadata, t).map(Op::from);
            blocks.extend(self.block(&mut t, Names { post_norm: Some("post_norm.weight"), ..Names::default() }, read));
        }
        if let (Some(Some(scale)), Some(last)) = (t.optional_vector("layer_output_scale.weight", 1), blocks.last_mut())
        {
            last.stream_scale = f32::from_le_bytes(scale[0]);
        }
    }

    /// A block with its norms.
    fn block<'a, 't, 'g>(
        &self,
        tensors: &mut LayerTensors<'t, 'g, 'a>,
        names: Names,
        op: impl FnOnce(&mut LayerTensors<'t, 'g, 'a>) -> Option<Op<'a>>,
    ) -> Option<Block<'a>> {
        let (layer, n_embd, stream) = (tensors.layer(), self.n_embd, tensors.stream_split());
        let [norm, post_norm] = [names.norm, names.post_norm].map(|name| match name {
            Some(name) => tensors.vector(name, n_embd).map(Some),
            None => Some(None),
        });
        let stream_norm = match names.stream_norm {
            Some(name) => tensors.layer_norm(name, n_embd).map(Some),
            None => Some(None),
        };
        let (op, stream_scale) = (op(tensors)?, 1.0);
        let (norm, post_norm, stream_norm) = (norm?, post_norm?, stream_norm?);
        Some(Block { layer, stream, norm, op, post_norm, stream_norm, source: None, stream_scale })
    }
}
