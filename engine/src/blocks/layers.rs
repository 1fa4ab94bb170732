//! Which blocks a layer has.

use super::{Attention, Dense, Experts, ShortConv};
use super::{Block, Op, attention, dense, experts, short_conv};
use crate::config::{Config, Norms, Reader, Refused, Rope, Traits};
use crate::gguf::Gguf;
use crate::tensors::{LayerTensors, Tensors};
use alloc::vec::Vec;

/// What the metadata says about the blocks of all layers.
pub(crate) struct Layers {
    n_embd: usize,
    traits: &'static Traits,
    attention: attention::Metadata,
    /// There in architectures whose layers without KV heads are short convolutions.
    short_conv: Option<short_conv::Metadata>,
    /// There if some layer has such a network.
    dense: Option<dense::Metadata>,
    experts: Option<experts::Metadata>,
}

impl Layers {
    /// Reads it, with the RoPE settings that attention blocks refer to.
    pub(crate) fn read<'a>(
        r: &mut Reader<'_, 'a>,
        gguf: &Gguf<'a>,
        config: &Config,
    ) -> Result<(Self, Vec<Rope>), Refused> {
        let (attention, ropes) = attention::Metadata::read(r, gguf, config)?;
        let experts = experts::Metadata::read(r, config)?;
        let dense = match experts.as_ref().is_none_or(|experts| experts.first_layer() > 0) {
            true => Some(dense::Metadata::read(r, config)?),
            false => None,
        };
        let traits = config.traits;
        let short_conv = if traits.short_conv { Some(short_conv::Metadata::read(r)?) } else { None };
        let layers = Self { n_embd: config.n_embd, traits, attention, short_conv, dense, experts };
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
        let experts = self.experts.as_ref().filter(|experts| layer >= experts.first_layer());
        blocks.extend(self.block(&mut t, [self.traits.ffn_norm, "post_ffw_norm.weight"], |t| match experts {
            Some(metadata) => Experts::read(metadata, t).map(Op::from),
            None => Dense::read(self.dense.as_ref()?, t).map(Op::from),
        }));
    }

    /// A block with its norms.
    fn block<'a, 't, 'g>(
        &self,
        tensors: &mut LayerTensors<'t, 'g, 'a>,
        [norm, post_norm]: [&'static str; 2],
        op: impl FnOnce(&mut LayerTensors<'t, 'g, 'a>) -> Option<Op<'a>>,
    ) -> Option<Block<'a>> {
        let mut optional = |there: bool, name| match there {
            true => tensors.vector(name, self.n_embd).map(Some),
            false => Some(None),
        };
        let norm = optional(self.traits.norms != Norms::Post, norm);
        let post_norm = optional(self.traits.norms != Norms::Pre, post_norm);
        let op = op(tensors);
        Some(Block { layer: tensors.layer(), n_embd: self.n_embd, norm: norm?, op: op?, post_norm: post_norm? })
    }
}
