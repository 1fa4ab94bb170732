//! Finds tensors in a file, checks their shapes and types, and notes which of them found a place.

use crate::compute::{Linear, Vector};
use crate::gguf::{Gguf, TensorInfo};
use crate::refusal::{Reason, TensorName};
use alloc::string::ToString;
use alloc::vec::Vec;
use nanocamelid_kernels::Matrix;

/// More reasons than this help nobody (a file with one wrong width has thousands).
const MAX_REASONS: usize = 16;

/// The tensors of a file.
pub(crate) struct Tensors<'g, 'a> {
    gguf: &'g Gguf<'a>,
    reasons: Vec<Reason<'a>>,
    /// One flag per tensor of the file: whether something took it.
    used: Vec<bool>,
}

/// The tensors of one layer, `blk.{layer}.{name}`.
pub(crate) struct LayerTensors<'t, 'g, 'a> {
    tensors: &'t mut Tensors<'g, 'a>,
    layer: usize,
    n_embd: usize,
}

/// The same matrix of every expert.
#[derive(Clone, Debug)]
pub(crate) enum ExpertMatrices<'a> {
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
    pub(crate) fn expert(&self, index: usize) -> Matrix<'a> {
        match self {
            Self::Merged { all, n_rows } => all.rows(index * n_rows, *n_rows),
            Self::Separate(matrices) => matrices[index],
        }
    }
}

/// A tensor that belongs to no layer.
pub(crate) fn global(name: &'static str) -> TensorName {
    TensorName { layer: None, name, expert: None }
}

/// The bias that goes with a weight's name.
fn bias_of(weight: &'static str) -> Option<&'static str> {
    Some(match weight {
        "attn_q.weight" => "attn_q.bias",
        "attn_k.weight" => "attn_k.bias",
        "attn_v.weight" => "attn_v.bias",
        "attn_qkv.weight" => "attn_qkv.bias",
        "attn_output.weight" => "attn_output.bias",
        "ffn_gate.weight" => "ffn_gate.bias",
        "ffn_up.weight" => "ffn_up.bias",
        "ffn_down.weight" => "ffn_down.bias",
        "output.weight" => "output.bias",
        _ => return None,
    })
}

impl<'g, 'a> Tensors<'g, 'a> {
    pub(crate) fn new(gguf: &'g Gguf<'a>) -> Self {
        Self { gguf, reasons: Vec::new(), used: alloc::vec![false; gguf.tensors().len()] }
    }

    /// What is wrong with them. Something that was read as `None` has its reason here.
    pub(crate) fn into_reasons(self) -> Vec<Reason<'a>> {
        self.reasons
    }

    pub(crate) fn exists(&self, tensor: TensorName) -> bool {
        self.gguf.tensor(&tensor.to_string()).is_some()
    }

    /// A matrix, with its bias if the file has one.
    pub(crate) fn linear(&mut self, tensor: TensorName, n_in: usize, n_out: usize) -> Option<Linear<'a>> {
        let weight = self.matrix(tensor, n_in, n_out);
        let bias = bias_of(tensor.name).map(|name| TensorName { name, ..tensor });
        let bias = match bias.filter(|&bias| self.exists(bias)) {
            Some(bias) => Some(self.vector(bias, n_out)?),
            None => None,
        };
        Some(Linear { weight: weight?, bias })
    }

    /// A matrix, `[n_out][n_in]`.
    pub(crate) fn matrix(&mut self, tensor: TensorName, n_in: usize, n_out: usize) -> Option<Matrix<'a>> {
        let info = self.shaped(tensor, [n_in as u64, n_out as u64, 1])?;
        self.as_matrix(tensor, info, n_in, n_out)
    }

    /// A small f32 vector.
    pub(crate) fn vector(&mut self, tensor: TensorName, n: usize) -> Option<Vector<'a>> {
        self.values(tensor, [n as u64, 1, 1])
    }

    /// A small f32 tensor.
    fn values(&mut self, tensor: TensorName, expected: [u64; 3]) -> Option<Vector<'a>> {
        let info = self.shaped(tensor, expected)?;
        if info.ggml_type != 0 {
            self.refuse(Reason::UnsupportedType { tensor, ggml_type: info.ggml_type });
            return None;
        }
        Some(info.data().as_chunks::<4>().0)
    }

    fn as_matrix(&mut self, tensor: TensorName, info: TensorInfo<'a>, n_in: usize, n_out: usize) -> Option<Matrix<'a>> {
        let matrix = info.weight_type().and_then(|t| Matrix::new(t, info.data(), n_out, n_in));
        if matrix.is_none() {
            self.refuse(Reason::UnsupportedType { tensor, ggml_type: info.ggml_type });
        }
        matrix
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

    /// Looks a tensor up and notes that it has a place.
    pub(crate) fn find(&mut self, tensor: TensorName) -> Option<TensorInfo<'a>> {
        let index = self.gguf.tensor_index(&tensor.to_string())?;
        self.used[index] = true;
        Some(self.gguf.tensors()[index])
    }

    /// A tensor nothing took would mean that the file computes something this engine does not.
    pub(crate) fn refuse_leftovers(&mut self) {
        for (info, used) in self.gguf.tensors().iter().zip(core::mem::take(&mut self.used)) {
            if !used {
                self.refuse(Reason::UnknownTensor(info.name));
            }
        }
    }

    fn refuse(&mut self, reason: Reason<'a>) {
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(reason);
        }
    }
}

impl<'t, 'g, 'a> LayerTensors<'t, 'g, 'a> {
    pub(crate) fn new(tensors: &'t mut Tensors<'g, 'a>, layer: usize, n_embd: usize) -> Self {
        Self { tensors, layer, n_embd }
    }

    /// Which layer this is.
    pub(crate) fn layer(&self) -> usize {
        self.layer
    }

    /// Width of the residual stream.
    pub(crate) fn n_embd(&self) -> usize {
        self.n_embd
    }

    fn named(&self, name: &'static str) -> TensorName {
        TensorName { layer: Some(self.layer), name, expert: None }
    }

    pub(crate) fn exists(&self, name: &'static str) -> bool {
        self.tensors.exists(self.named(name))
    }

    /// Whether a tensor is there and has so many rows.
    pub(crate) fn has_rows(&self, name: &'static str, n: usize) -> bool {
        let info = self.tensors.gguf.tensor(&self.named(name).to_string());
        info.is_some_and(|info| info.dims[1] == n as u64)
    }

    /// A matrix, with its bias if the file has one.
    pub(crate) fn linear(&mut self, name: &'static str, n_in: usize, n_out: usize) -> Option<Linear<'a>> {
        self.tensors.linear(self.named(name), n_in, n_out)
    }

    /// A matrix, `[n_out][n_in]`.
    pub(crate) fn matrix(&mut self, name: &'static str, n_in: usize, n_out: usize) -> Option<Matrix<'a>> {
        self.tensors.matrix(self.named(name), n_in, n_out)
    }

    /// A small f32 vector.
    pub(crate) fn vector(&mut self, name: &'static str, n: usize) -> Option<Vector<'a>> {
        self.tensors.vector(self.named(name), n)
    }

    /// A small f32 tensor of these extents, innermost first.
    pub(crate) fn values(&mut self, name: &'static str, expected: [u64; 3]) -> Option<Vector<'a>> {
        self.tensors.values(self.named(name), expected)
    }

    /// The matrices `[n_experts][n_out][n_in]` of a role, under the name of one tensor or of a tensor for each expert.
    pub(crate) fn expert_matrices(
        &mut self,
        [merged, separate]: [&'static str; 2],
        [n_in, n_out, n_experts]: [usize; 3],
    ) -> Option<ExpertMatrices<'a>> {
        let tensor = self.named(merged);
        let of = |expert| TensorName { layer: tensor.layer, name: separate, expert: Some(expert) };
        if !self.tensors.exists(tensor) && self.tensors.exists(of(0)) {
            let matrices: Option<Vec<_>> =
                (0..n_experts).map(|expert| self.tensors.matrix(of(expert), n_in, n_out)).collect();
            return matrices.map(ExpertMatrices::Separate);
        }
        let info = self.tensors.shaped(tensor, [n_in as u64, n_out as u64, n_experts as u64])?;
        let all = self.tensors.as_matrix(tensor, info, n_in, n_out.checked_mul(n_experts)?)?;
        Some(ExpertMatrices::Merged { all, n_rows: n_out })
    }
}
