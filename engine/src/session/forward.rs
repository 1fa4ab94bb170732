//! The forward pass: one for all architectures, top to bottom.

use super::buffers::{Angles, Buffers, LayerCache};
use super::quantized::QuantizedBuffers;
use super::workers::{Product, Workers};
use super::{Input, Observer, attention, experts, ffn, short_conv};
use crate::config::{FfnConfig, MixerConfig};
use crate::model::{ActivationKinds, Ffn, Layer, Linear, Mixer, Model, Vector};
use alloc::vec::Vec;
use nanocamelid_kernels::reference::math;
use nanocamelid_kernels::{KvType, QuantizedRows};

/// An intermediate result, all tokens of the batch.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'p> {
    /// Which.
    pub stage: Stage,
    /// Layer, for results of one.
    pub layer: Option<usize>,
    /// The values.
    pub values: &'p [f32],
}

/// The results a pass shows, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Scaled embeddings.
    Embedding,
    /// What attention or convolution made, before its output projection.
    Mixed,
    /// The residual stream after the mixer.
    MixerOut,
    /// The residual stream after the feed-forward network.
    FfnOut,
    /// Logits of one token.
    Logits,
}

impl Stage {
    /// The field's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "inp_embd",
            Self::Mixed => "kqv_out",
            Self::MixerOut => "ffn_inp",
            Self::FfnOut => "l_out",
            Self::Logits => "result_output",
        }
    }
}

/// One batch on its way through the layers.
#[derive(Clone, Copy)]
pub(super) struct Pass<'p> {
    pub model: &'p Model<'p>,
    pub workers: Workers<'p>,
    pub kv_type: KvType,
    pub frequencies: &'p [(Vec<f64>, f64)],
    /// Position of the batch's first token.
    pub position: usize,
    pub n_tokens: usize,
}

impl<'p> Pass<'p> {
    /// Input to residual stream after the last layer of the range.
    pub(super) fn run(&self, b: &mut Buffers<'_>, input: Input<'_>, observer: Observer<'_>) {
        let n = self.n_tokens;
        let n_embd = self.model.config.n_embd;
        match input {
            Input::Tokens(tokens) => self.embed(tokens, &mut b.x[..n * n_embd]),
            Input::Hidden(hidden) => b.x[..n * n_embd].copy_from_slice(hidden),
        }
        observer(Probe { stage: Stage::Embedding, layer: None, values: &b.x[..n * n_embd] });
        self.angles(&mut b.angles);
        for (i, layer) in self.model.layers.iter().enumerate() {
            self.layer(b, i, layer, observer);
        }
    }

    /// Logits of token `i` of the batch.
    pub(super) fn head(&self, b: &mut Buffers<'_>, i: usize, observer: Observer<'_>) {
        let Some(head) = &self.model.head else { return };
        let config = &self.model.config;
        let n_embd = config.n_embd;
        // One token, whatever the batch was.
        let one = Pass { n_tokens: 1, ..*self };
        let x = &b.x[i * n_embd..][..n_embd];
        let wanted = ActivationKinds::of(&[head.output.weight]);
        one.norm(x, head.norm, &mut b.h[..n_embd], &mut b.acts, wanted);
        let kind = head.output.weight.weight_type().activation();
        let n_vocab = b.outputs.len() / 2;
        match b.acts.quantized(kind, 1, n_embd) {
            None => one.project(head.output, b.h, &b.acts, &mut b.outputs[..n_vocab], b.scratch),
            Some(quantized) => {
                let (h, rest) = b.h[..2 * n_embd].split_at_mut(n_embd);
                remainder(quantized, h, rest);
                self.quantize(&b.h[..2 * n_embd], n_embd, &mut b.acts, wanted);
                let layers = b.acts.view(kind, b.h, 2, n_embd);
                self.workers.layered(head.output, layers, b.outputs, b.scratch);
            }
        }
        let logits = &mut b.outputs[..n_vocab];
        if config.logit_scale != 1.0 {
            self.workers.kernels.scale(logits, config.logit_scale);
        }
        if let Some(cap) = config.logit_softcap {
            self.workers.kernels.softcap(logits, cap);
        }
        observer(Probe { stage: Stage::Logits, layer: None, values: logits });
    }

    fn layer(&self, b: &mut Buffers<'_>, i: usize, layer: &Layer<'_>, observer: Observer<'_>) {
        let config = &self.model.config;
        let (n, n_embd) = (self.n_tokens, config.n_embd);
        let index = self.model.range.start + i;
        fn probe(stage: Stage, layer: usize, values: &[f32]) -> Probe<'_> {
            Probe { stage, layer: Some(layer), values }
        }

        let inputs: &[_] = match &layer.mixer {
            Mixer::Attention(a) => &[a.q.weight, a.k.weight, a.v.weight],
            Mixer::ShortConv(c) => &[c.in_proj.weight],
        };
        let wanted = ActivationKinds::of(inputs);
        self.norm(&b.x[..n * n_embd], layer.attn_norm, &mut b.h[..n * n_embd], &mut b.acts, wanted);
        let output = match (&layer.mixer, &config.layers[index].mixer, &mut b.layers[i]) {
            (Mixer::Attention(a), MixerConfig::Attention(c), LayerCache::Attention { .. }) => {
                attention::attention(self, b, i, a, c);
                a.output
            }
            (Mixer::ShortConv(c), _, LayerCache::ShortConv { .. }) => {
                short_conv::short_conv(self, b, i, c);
                c.out_proj
            }
            _ => unreachable!("model, configuration and cache are made from one list of mixers"),
        };
        let mixed_width = output.weight.n_cols();
        observer(probe(Stage::Mixed, index, &b.mixed[..n * mixed_width]));
        self.quantize(&b.mixed[..n * mixed_width], mixed_width, &mut b.acts, ActivationKinds::of(&[output.weight]));
        self.project(output, b.mixed, &b.acts, &mut b.h[..n * n_embd], b.scratch);
        self.join(&mut b.x[..n * n_embd], &mut b.h[..n * n_embd], layer.post_attention_norm);
        observer(probe(Stage::MixerOut, index, &b.x[..n * n_embd]));

        let wanted = match &layer.ffn {
            Ffn::Dense(f) => ActivationKinds::of(&[f.gate.weight, f.up.weight]),
            Ffn::Experts(e) => e.input_kinds(self.model.n_experts()),
        };
        self.norm(&b.x[..n * n_embd], layer.ffn_norm, &mut b.h[..n * n_embd], &mut b.acts, wanted);
        match (&layer.ffn, config.layers[index].ffn) {
            (Ffn::Experts(e), FfnConfig::Experts { n_experts, n_used, .. }) => {
                experts::experts(self, b, e, &experts::Sizes { n_experts, n_used });
            }
            (Ffn::Dense(f), _) => {
                ffn::join_gates(self, f, b.h, &b.acts, &mut b.hidden, n, b.scratch);
                self.project(f.down, b.hidden.f32s, &b.hidden.acts, &mut b.h[..n * n_embd], b.scratch);
            }
            _ => unreachable!("model and configuration agree on experts"),
        }
        self.join(&mut b.x[..n * n_embd], &mut b.h[..n * n_embd], layer.post_ffw_norm);
        observer(probe(Stage::FfnOut, index, &b.x[..n * n_embd]));
    }

    /// Rows of the embedding, scaled.
    fn embed(&self, tokens: &[u32], x: &mut [f32]) {
        let config = &self.model.config;
        let Some(embedding) = self.model.token_embd else { return };
        let kernels = self.workers.kernels;
        self.workers.rows(tokens.iter().zip(x.chunks_mut(config.n_embd)), |(&token, row)| {
            kernels.dequantize(embedding.weight_type(), embedding.row(token as usize), row);
            if config.embedding_scale != 1.0 {
                kernels.scale(row, config.embedding_scale);
            }
        });
    }

    /// Cosines and sines of every position of the batch, once for all layers.
    fn angles(&self, angles: &mut [Angles<'_>]) {
        for (Angles { cos, sin }, (frequencies, magnitude)) in angles.iter_mut().zip(self.frequencies) {
            if frequencies.is_empty() {
                continue;
            }
            let start = self.position;
            let rows = cos.chunks_mut(frequencies.len()).zip(sin.chunks_mut(frequencies.len()));
            self.workers.rows(rows.take(self.n_tokens).enumerate(), |(t, (cos, sin))| {
                let position = (start + t) as f64;
                for ((cos, sin), frequency) in cos.iter_mut().zip(sin).zip(frequencies) {
                    let angle = position * frequency;
                    *cos = (libm::cos(angle) * magnitude) as f32;
                    *sin = (libm::sin(angle) * magnitude) as f32;
                }
            });
        }
    }

    /// `h = rms_norm(x) * weight`, and its quantized forms.
    pub(super) fn norm(
        &self,
        x: &[f32],
        weight: Vector<'_>,
        h: &mut [f32],
        acts: &mut QuantizedBuffers<'_>,
        wanted: ActivationKinds,
    ) {
        let (kernels, eps) = (self.workers.kernels, self.model.config.norm_eps);
        let n_cols = weight.len();
        let quantized = acts.rows_mut(wanted, self.n_tokens, n_cols);
        let rows = x.chunks(n_cols).zip(h.chunks_mut(n_cols)).zip(quantized);
        self.workers.rows(rows, |((x, h), quantized)| {
            kernels.rms_norm(x, Some(weight), eps, h);
            for mut row in quantized.into_iter().flatten() {
                kernels.quantize(h, &mut row);
            }
        });
    }

    /// The quantized forms of `x`, rows of `n_cols`.
    pub(super) fn quantize(&self, x: &[f32], n_cols: usize, acts: &mut QuantizedBuffers<'_>, wanted: ActivationKinds) {
        if !wanted.q8 && !wanted.q8k {
            return;
        }
        let kernels = self.workers.kernels;
        let quantized = acts.rows_mut(wanted, x.len() / n_cols, n_cols);
        self.workers.rows(x.chunks(n_cols).zip(quantized), |(x, quantized)| {
            for mut row in quantized.into_iter().flatten() {
                kernels.quantize(x, &mut row);
            }
        });
    }

    /// One product of the batch.
    pub(super) fn project(
        &self,
        linear: Linear<'_>,
        f32s: &[f32],
        acts: &QuantizedBuffers<'_>,
        out: &mut [f32],
        scratch: &mut [u8],
    ) {
        let kind = linear.weight.weight_type().activation();
        let n_tokens = out.len() / linear.weight.n_rows();
        let x = acts.view(kind, f32s, n_tokens, linear.weight.n_cols());
        self.workers.products([Product { linear, x, out }], scratch);
    }

    /// `x += residual_scale * post_norm(h)`.
    fn join(&self, x: &mut [f32], h: &mut [f32], post_norm: Option<Vector<'_>>) {
        let config = &self.model.config;
        let kernels = self.workers.kernels;
        self.workers.rows(x.chunks_mut(config.n_embd).zip(h.chunks_mut(config.n_embd)), |(x, h)| {
            if let Some(weight) = post_norm {
                kernels.rms_norm_in_place(h, weight, config.norm_eps);
            }
            if config.residual_scale == 1.0 {
                kernels.add(x, h);
            } else {
                kernels.add_scaled(x, config.residual_scale, h);
            }
        });
    }
}

/// What quantization left out: `rest[i] = h[i] - scale * q[i]`.
fn remainder(x: QuantizedRows<'_>, h: &[f32], rest: &mut [f32]) {
    let n = x.kind.block_len();
    for (((rest, h), qs), scale) in rest.chunks_mut(n).zip(h.chunks(n)).zip(x.qs.chunks(n)).zip(x.scales) {
        for ((rest, h), &q) in rest.iter_mut().zip(h).zip(qs) {
            *rest = math::fma(-f32::from(q), *scale, *h);
        }
    }
}
