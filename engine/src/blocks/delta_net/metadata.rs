//! The metadata about the gated delta nets of all layers.

use crate::compute::Split;
use crate::config::{Config, KeyHeads, MAX_WIDTH, Reader, Refused};
use crate::tensors::LayerTensors;
use alloc::vec::Vec;
use nanocamelid_kernels::delta::BAND;

/// If the metadata does not list the layers, every layer of this interval has attention.
const ATTENTION_INTERVAL: usize = 4;

/// The metadata of all gated delta nets.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(super) numbers: Numbers,
    /// Whether each layer has one; the others have attention.
    is_recurrent: Vec<bool>,
}

/// The numbers of one gated delta net.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    /// Components of a head: of its queries, keys and values.
    pub head_dim: usize,
    /// Heads of queries and of keys; divides `n_value_heads`.
    pub n_key_heads: usize,
    pub n_value_heads: usize,
    pub key_heads: KeyHeads,
    /// Taps of the convolution, that of the present token included.
    pub n_taps: usize,
    pub norm_eps: f32,
}

impl Metadata {
    pub(crate) fn read(r: &mut Reader<'_, '_>, config: &Config, key_heads: KeyHeads) -> Result<Self, Refused> {
        let n_taps = r.required("ssm.conv_kernel", 2, 64);
        let head_dim = r.required("ssm.state_size", 1, 4096);
        let n_key_heads = r.required("ssm.group_count", 1, 4096);
        let n_value_heads = r.required("ssm.time_step_rank", 1, MAX_WIDTH);
        let width = r.required("ssm.inner_size", 1, MAX_WIDTH);
        let is_recurrent = read_layers(r, config);
        let (head_dim, n_key_heads, n_value_heads) = (head_dim?, n_key_heads?, n_value_heads?);
        if width? != n_value_heads * head_dim {
            return Err(r.bad("ssm.inner_size"));
        }
        if !n_value_heads.is_multiple_of(n_key_heads) {
            return Err(r.bad("ssm.group_count"));
        }
        let norm_eps = config.norm_eps;
        let numbers = Numbers { head_dim, n_key_heads, n_value_heads, key_heads, n_taps: n_taps?, norm_eps };
        Ok(Self { numbers, is_recurrent: is_recurrent? })
    }

    /// Whether a layer has a gated delta net.
    pub(crate) fn is_recurrent(&self, layer: usize) -> bool {
        self.is_recurrent[layer]
    }
}

/// The layers with a gated delta net: those that the file lists, or all except one in every interval.
fn read_layers(r: &mut Reader<'_, '_>, config: &Config) -> Result<Vec<bool>, Refused> {
    const KEY: &str = "attention.recurrent_layers";
    let n_layers = config.n_layers;
    if let Some(value) = r.value(KEY) {
        // The array has entries for the blocks behind the layers too.
        let fits = value.as_array().is_some_and(|array| array.len() == n_layers + config.n_further);
        let flags = if fits { r.flags(KEY, n_layers)? } else { None };
        return flags.ok_or_else(|| r.bad(KEY));
    }
    let interval = r.optional("full_attention_interval", 1, 1 << 12).unwrap_or(ATTENTION_INTERVAL);
    Ok((0..n_layers).map(|layer| !(layer + 1).is_multiple_of(interval)).collect())
}

impl Numbers {
    /// Width of all queries, or of all keys.
    pub(super) fn key_width(&self) -> usize {
        self.n_key_heads * self.head_dim
    }

    /// Width of all values.
    pub(super) fn value_width(&self) -> usize {
        self.n_value_heads * self.head_dim
    }

    /// Channels of the convolution: queries, keys, values.
    pub(super) fn n_channels(&self) -> usize {
        2 * self.key_width() + self.value_width()
    }

    /// So many of the key heads, with their value heads.
    pub(super) fn of(self, n_key_heads: usize) -> Self {
        Self { n_key_heads, n_value_heads: n_key_heads * self.group(), ..self }
    }

    /// Value heads that share a key head; 1 where a rank has no heads.
    pub(super) fn group(&self) -> usize {
        self.n_value_heads.checked_div(self.n_key_heads).unwrap_or(1)
    }

    /// How ranks share the values of all value heads: each has those of its key heads.
    pub(super) fn values<'a>(&self, tensors: &LayerTensors<'_, '_, 'a>) -> Split<'a> {
        let width = self.head_dim * self.group();
        match self.key_heads {
            KeyHeads::Tiled => tensors.split(self.key_width(), self.head_dim).repeated(self.group()),
            KeyHeads::Grouped => tensors.split(self.value_width(), width),
        }
    }

    /// The key head that a value head reads.
    pub(super) fn key_head(&self, value_head: usize) -> usize {
        match self.key_heads {
            KeyHeads::Tiled => value_head % self.n_key_heads,
            KeyHeads::Grouped => value_head / self.group(),
        }
    }

    /// Number of columns of a head's state that form one band: the largest up to [`BAND`] that divides the head.
    pub(super) fn band_width(&self) -> usize {
        (1..=BAND).rev().find(|&width| self.head_dim.is_multiple_of(width)).unwrap_or(1)
    }

    /// Values of all heads' states, `[n_value_heads][head_dim / band_width][head_dim][BAND]`.
    pub(super) fn n_state(&self) -> usize {
        (self.value_width() / self.band_width()).saturating_mul(self.head_dim * BAND)
    }
}
