//! Finds every tensor of a configuration in the file and checks its shape and type.

use super::Vector;
use super::{Attention, ExpertMatrices, Experts, Ffn, Gated, Head, Layer, Linear, Mixer, ShortConv};
use crate::config::{AttentionConfig, Config, FfnConfig, MixerConfig};
use crate::gguf::{Gguf, TensorInfo};
use crate::refusal::{Reason, TensorName};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use nanocamelid_kernels::Matrix;

/// More reasons than this help nobody (a file with one wrong width has thousands).
const MAX_REASONS: usize = 16;

pub(super) struct Loader<'l, 'a> {
    gguf: &'l Gguf<'a>,
    config: &'l Config,
    reasons: Vec<Reason<'a>>,
    /// One flag per tensor of the file: whether something took it.
    used: Vec<bool>,
}

/// Embedding, layers, head and the range they are for.
type Parts<'a> = (Option<Matrix<'a>>, Vec<Layer<'a>>, Option<Head<'a>>, Range<usize>);

fn named(layer: usize, name: &'static str) -> TensorName {
    TensorName { layer: Some(layer), name, expert: None }
}

fn global(name: &'static str) -> TensorName {
    TensorName { layer: None, name, expert: None }
}

/// The bias that goes with a weight's name.
fn bias_of(weight: &'static str) -> &'static str {
    match weight {
        "attn_q.weight" => "attn_q.bias",
        "attn_k.weight" => "attn_k.bias",
        "attn_v.weight" => "attn_v.bias",
        "attn_qkv.weight" => "attn_qkv.bias",
        "attn_output.weight" => "attn_output.bias",
        "ffn_gate.weight" => "ffn_gate.bias",
        "ffn_up.weight" => "ffn_up.bias",
        "ffn_down.weight" => "ffn_down.bias",
        "output.weight" => "output.bias",
        // No file has one under this name.
        _ => "",
    }
}

impl<'l, 'a> Loader<'l, 'a> {
    pub(super) fn new(gguf: &'l Gguf<'a>, config: &'l Config) -> Self {
        Self { gguf, config, reasons: Vec::new(), used: alloc::vec![false; gguf.tensors().len()] }
    }

    pub(super) fn into_reasons(self) -> Vec<Reason<'a>> {
        self.reasons
    }

    /// `None` means that there are reasons (which there may also be otherwise).
    pub(super) fn model(&mut self, range: Range<usize>) -> Option<Parts<'a>> {
        let (n_embd, n_vocab, n_layers) = (self.config.n_embd, self.config.n_vocab, self.config.n_layers());
        let token_embd = self.matrix(global("token_embd.weight"), n_embd, n_vocab);
        let layers: Vec<Option<Layer<'a>>> = range.clone().map(|i| self.layer(i)).collect();
        let head = (range.end == n_layers).then(|| self.head(token_embd));
        for name in ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"] {
            // Read with the configuration; files repeat them per layer without a layer in the name.
            self.find(global(name));
        }
        self.refuse_leftovers(&range);
        let head = match head {
            Some(head) => Some(head?),
            None => None,
        };
        let token_embd = if range.start == 0 { Some(token_embd?) } else { None };
        Some((token_embd, layers.into_iter().collect::<Option<_>>()?, head, range))
    }

    fn head(&mut self, token_embd: Option<Matrix<'a>>) -> Option<Head<'a>> {
        let (n_embd, n_vocab) = (self.config.n_embd, self.config.n_vocab);
        // lfm2 files name the last norm after the embedding, older and newer converters differ.
        let norm_name = match self.config.traits.output_norm {
            "token_embd_norm" if self.exists(global("token_embd_norm.weight")) => "token_embd_norm.weight",
            _ => "output_norm.weight",
        };
        let norm = self.vector(global(norm_name), n_embd);
        let tied = !self.exists(global("output.weight"));
        let output = if tied {
            token_embd.map(|weight| Linear { weight, bias: None })
        } else {
            self.linear(global("output.weight"), n_embd, n_vocab)
        };
        Some(Head { norm: norm?, output: output?, tied })
    }

    fn layer(&mut self, i: usize) -> Option<Layer<'a>> {
        let n_embd = self.config.n_embd;
        let layer = self.config.layers[i];
        let attn_norm = self.vector(named(i, "attn_norm.weight"), n_embd);
        let mixer = match layer.mixer {
            MixerConfig::Attention(attention) => self.attention(i, &attention).map(Mixer::Attention),
            MixerConfig::ShortConv { n_taps } => self.short_conv(i, n_taps).map(Mixer::ShortConv),
        };
        let ffn_norm = self.vector(named(i, "ffn_norm.weight"), n_embd);
        let ffn = match layer.ffn {
            FfnConfig::Dense { n_ff } => self.gated(i, n_ff).map(Ffn::Dense),
            FfnConfig::Experts { n_ff, n_experts, .. } => self.experts(i, n_ff, n_experts).map(Ffn::Experts),
        };
        let (post_attention_norm, post_ffw_norm) = if self.config.has_post_norms() {
            let attention = self.vector(named(i, "post_attention_norm.weight"), n_embd);
            let ffw = self.vector(named(i, "post_ffw_norm.weight"), n_embd);
            (Some(attention?), Some(ffw?))
        } else {
            (None, None)
        };
        Some(Layer {
            attn_norm: attn_norm?,
            mixer: mixer?,
            post_attention_norm,
            ffn_norm: ffn_norm?,
            ffn: ffn?,
            post_ffw_norm,
        })
    }

    fn attention(&mut self, i: usize, a: &AttentionConfig) -> Option<Attention<'a>> {
        let n_embd = self.config.n_embd;
        let widths = [a.n_heads * a.key_dim, a.n_kv_heads * a.key_dim, a.n_kv_heads * a.value_dim];
        let [q, k, v] = if self.exists(named(i, "attn_qkv.weight")) {
            let fused = self.linear(named(i, "attn_qkv.weight"), n_embd, widths.iter().sum())?;
            let (q, k) = (widths[0], widths[1]);
            [(0, q), (q, k), (q + k, widths[2])].map(|(first, n)| Some(fused.rows(first, n)))
        } else {
            let mut part = |name, width| self.linear(named(i, name), n_embd, width);
            [part("attn_q.weight", widths[0]), part("attn_k.weight", widths[1]), part("attn_v.weight", widths[2])]
        };
        let output = self.linear(named(i, "attn_output.weight"), a.n_heads * a.value_dim, n_embd);
        let qk_norm = if self.config.traits.qk_norm {
            let q = self.vector(named(i, "attn_q_norm.weight"), a.key_dim);
            let k = self.vector(named(i, "attn_k_norm.weight"), a.key_dim);
            Some((q?, k?))
        } else {
            None
        };
        Some(Attention { q: q?, k: k?, v: v?, output: output?, qk_norm })
    }

    fn short_conv(&mut self, i: usize, n_taps: usize) -> Option<ShortConv<'a>> {
        let n_embd = self.config.n_embd;
        let in_proj = self.linear(named(i, "shortconv.in_proj.weight"), n_embd, 3 * n_embd);
        let conv = self.values(named(i, "shortconv.conv.weight"), [n_taps as u64, n_embd as u64, 1]);
        let out_proj = self.linear(named(i, "shortconv.out_proj.weight"), n_embd, n_embd);
        Some(ShortConv { in_proj: in_proj?, conv: conv?, out_proj: out_proj? })
    }

    fn gated(&mut self, i: usize, n_ff: usize) -> Option<Gated<'a>> {
        let n_embd = self.config.n_embd;
        let fused = !self.exists(named(i, "ffn_gate.weight"))
            && self.find(named(i, "ffn_up.weight")).is_some_and(|info| info.dims[1] == 2 * n_ff as u64);
        let (gate, up) = if fused {
            // phi3: gate rows, then up rows, in one tensor.
            let both = self.linear(named(i, "ffn_up.weight"), n_embd, 2 * n_ff)?;
            (Some(both.rows(0, n_ff)), Some(both.rows(n_ff, n_ff)))
        } else {
            let gate = self.linear(named(i, "ffn_gate.weight"), n_embd, n_ff);
            (gate, self.linear(named(i, "ffn_up.weight"), n_embd, n_ff))
        };
        let down = self.linear(named(i, "ffn_down.weight"), n_ff, n_embd);
        Some(Gated { gate: gate?, up: up?, down: down? })
    }

    fn experts(&mut self, i: usize, n_ff: usize, n_experts: usize) -> Option<Experts<'a>> {
        let n_embd = self.config.n_embd;
        let router = self.matrix(named(i, "ffn_gate_inp.weight"), n_embd, n_experts);
        let gate = self.expert_matrices(i, ["ffn_gate_exps.weight", "ffn_gate.weight"], n_embd, n_ff, n_experts);
        let up = self.expert_matrices(i, ["ffn_up_exps.weight", "ffn_up.weight"], n_embd, n_ff, n_experts);
        let down = self.expert_matrices(i, ["ffn_down_exps.weight", "ffn_down.weight"], n_ff, n_embd, n_experts);
        Some(Experts { router: router?, gate: gate?, up: up?, down: down? })
    }

    fn expert_matrices(
        &mut self,
        i: usize,
        [merged, separate]: [&'static str; 2],
        n_in: usize,
        n_out: usize,
        n_experts: usize,
    ) -> Option<ExpertMatrices<'a>> {
        let first = TensorName { expert: Some(0), ..named(i, separate) };
        if !self.exists(named(i, merged)) && self.exists(first) {
            let matrices: Option<Vec<_>> = (0..n_experts)
                .map(|expert| self.matrix(TensorName { expert: Some(expert), ..named(i, separate) }, n_in, n_out))
                .collect();
            return matrices.map(ExpertMatrices::Separate);
        }
        let tensor = named(i, merged);
        let info = self.shaped(tensor, [n_in as u64, n_out as u64, n_experts as u64])?;
        let all = self.as_matrix(tensor, info, n_in, n_out.checked_mul(n_experts)?)?;
        Some(ExpertMatrices::Merged { all, n_rows: n_out })
    }

    fn linear(&mut self, tensor: TensorName, n_in: usize, n_out: usize) -> Option<Linear<'a>> {
        let weight = self.matrix(tensor, n_in, n_out);
        let bias = TensorName { name: bias_of(tensor.name), ..tensor };
        let bias = if !bias.name.is_empty() && self.exists(bias) { Some(self.vector(bias, n_out)?) } else { None };
        Some(Linear { weight: weight?, bias })
    }

    fn matrix(&mut self, tensor: TensorName, n_in: usize, n_out: usize) -> Option<Matrix<'a>> {
        let info = self.shaped(tensor, [n_in as u64, n_out as u64, 1])?;
        self.as_matrix(tensor, info, n_in, n_out)
    }

    fn as_matrix(&mut self, tensor: TensorName, info: TensorInfo<'a>, n_in: usize, n_out: usize) -> Option<Matrix<'a>> {
        let matrix = info.weight_type().and_then(|t| Matrix::new(t, info.data(), n_out, n_in));
        if matrix.is_none() {
            self.refuse(Reason::UnsupportedType { tensor, ggml_type: info.ggml_type });
        }
        matrix
    }

    fn vector(&mut self, tensor: TensorName, n: usize) -> Option<Vector<'a>> {
        self.values(tensor, [n as u64, 1, 1])
    }

    /// Small f32 tensors.
    fn values(&mut self, tensor: TensorName, expected: [u64; 3]) -> Option<Vector<'a>> {
        let info = self.shaped(tensor, expected)?;
        if info.ggml_type != 0 {
            self.refuse(Reason::UnsupportedType { tensor, ggml_type: info.ggml_type });
            return None;
        }
        Some(info.data().as_chunks::<4>().0)
    }

    fn shaped(&mut self, tensor: TensorName, expected: [u64; 3]) -> Option<TensorInfo<'a>> {
        let Some(info) = self.find(tensor) else {
            self.refuse(Reason::MissingTensor(tensor));
            return None;
        };
        if info.dims[..3] != expected || info.dims[3] != 1 {
            self.refuse(Reason::WrongShape { tensor, expected, found: info.dims });
            return None;
        }
        Some(info)
    }

    fn exists(&self, tensor: TensorName) -> bool {
        self.gguf.tensor(&full_name(tensor)).is_some()
    }

    /// Looks a tensor up and notes that it has a place.
    fn find(&mut self, tensor: TensorName) -> Option<TensorInfo<'a>> {
        let index = self.gguf.tensor_index(&full_name(tensor))?;
        self.used[index] = true;
        Some(self.gguf.tensors()[index])
    }

    fn refuse(&mut self, reason: Reason<'a>) {
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(reason);
        }
    }

    /// A tensor nothing took would mean that the file computes something this engine does not.
    fn refuse_leftovers(&mut self, range: &Range<usize>) {
        let whole = *range == (0..self.config.n_layers());
        for (info, used) in self.gguf.tensors().iter().zip(self.used.clone()) {
            if !used && whole {
                self.refuse(Reason::UnknownTensor(info.name));
            }
        }
    }
}

fn full_name(tensor: TensorName) -> String {
    format!("{tensor}")
}

impl<'a> Linear<'a> {
    /// Output rows `first .. first + n`.
    fn rows(&self, first: usize, n: usize) -> Self {
        Self { weight: self.weight.rows(first, n), bias: self.bias.map(|bias| &bias[first..first + n]) }
    }
}
