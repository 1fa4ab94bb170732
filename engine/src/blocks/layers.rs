//! Which blocks a layer has.

use super::{Attention, Dense, Experts, ShortConv};
use super::{Block, Op, attention, dense, experts, short_conv};
use crate::config::{Config, Norms, Reader, Refused, Rope};
use crate::gguf::Gguf;
use crate::tensors::{LayerTensors, Tensors};
use alloc::vec::Vec;

/// What the metadata says about the blocks of all layers.
pub(crate) struct Layers {
    n_embd: usize,
    norms: Norms,
    attention: attention::Metadata,
    /// There in architectures whose layers without KV heads are short convolutions.
    short_conv: Option<short_conv::Metadata>,
    ffn: Ffn,
}

enum Ffn {
    Dense(dense::Metadata),
    Experts(experts::Metadata),
}

impl Layers {
    /// Reads it, with the RoPE settings that attention blocks refer to.
    pub(crate) fn read<'a>(
        r: &mut Reader<'_, 'a>,
        gguf: &Gguf<'a>,
        config: &Config,
    ) -> Result<(Self, Vec<Rope>), Refused> {
        let (attention, ropes) = attention::Metadata::read(r, gguf, config)?;
        let ffn = match experts::Metadata::read(r, config)? {
            Some(experts) => Ffn::Experts(experts),
            None => Ffn::Dense(dense::Metadata::read(r, config)?),
        };
        let short_conv = if config.traits.short_conv { Some(short_conv::Metadata::read(r)?) } else { None };
        let layers = Self { n_embd: config.n_embd, norms: config.traits.norms, attention, short_conv, ffn };
        for layer in 0..config.n_layers {
            if layers.convolution(layer).is_none() {
                layers.attention.check(r, layer)?;
            }
        }
        Ok((layers, ropes))
    }

    fn convolution(&self, layer: usize) -> Option<&short_conv::Metadata> {
        self.short_conv.as_ref().filter(|_| self.attention.has_no_heads(layer))
    }

    /// Appends the blocks of a layer, as far as they are not refused.
    pub(crate) fn read_layer<'a>(&self, layer: usize, tensors: &mut Tensors<'_, 'a>, blocks: &mut Vec<Block<'a>>) {
        let mut t = LayerTensors::new(tensors, layer, self.n_embd);
        blocks.extend(self.block(&mut t, ["attn_norm.weight", "post_attention_norm.weight"], |t| {
            match self.convolution(layer) {
                Some(metadata) => ShortConv::read(metadata, t).map(Op::from),
                None => Attention::read(&self.attention, t).map(Op::from),
            }
        }));
        blocks.extend(self.block(&mut t, ["ffn_norm.weight", "post_ffw_norm.weight"], |t| match &self.ffn {
            Ffn::Dense(metadata) => Dense::read(metadata, t).map(Op::from),
            Ffn::Experts(metadata) => Experts::read(metadata, t).map(Op::from),
        }));
    }

    /// A block with its norms.
    fn block<'a, 't, 'g>(
        &self,
        tensors: &mut LayerTensors<'t, 'g, 'a>,
        [norm, post_norm]: [&'static str; 2],
        op: impl FnOnce(&mut LayerTensors<'t, 'g, 'a>) -> Option<Op<'a>>,
    ) -> Option<Block<'a>> {
        let norm = tensors.vector(norm, self.n_embd);
        let op = op(tensors);
        let post_norm = match self.norms {
            Norms::Pre => None,
            Norms::Sandwich => Some(tensors.vector(post_norm, self.n_embd)?),
        };
        Some(Block { layer: tensors.layer(), norm: norm?, op: op?, post_norm })
    }
}
