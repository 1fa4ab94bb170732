//! Finds tensors in a file, checks their shapes and types, and records which tensors are used.

use crate::compute::{Forms, LayerNorm, Linear, Ranks, Split, Vector};
use crate::gguf::{Gguf, TensorInfo};
use crate::refusal::{Reason, TensorName};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::ops::Range;
use nanocamelid_kernels::Matrix;

/// Most reasons that are kept: a file with one wrong width has thousands, and a user reads few.
const MAX_REASONS: usize = 16;

/// Rows of a matrix that stay on one rank together: enough for the kernels' bands.
pub(crate) const STREAM_UNIT: usize = 32;

/// The tensors of a file.
pub(crate) struct Tensors<'g, 'a> {
    gguf: &'g Gguf<'a>,
    ranks: Ranks<'a>,
    reasons: Vec<Reason<'a>>,
    /// For each tensor of the file, whether it is used.
    used: Vec<bool>,
}

/// The tensors of one layer, `blk.{layer}.{name}`.
pub(crate) struct LayerTensors<'t, 'g, 'a> {
    tensors: &'t mut Tensors<'g, 'a>,
    layer: usize,
    n_embd: usize,
    n_vocab: usize,
}

/// The same matrix of every expert, with biases and scales.
#[derive(Clone, Debug)]
pub(crate) struct ExpertLinears<'a> {
    matrices: ExpertMatrices<'a>,
    /// `[n_experts][n_bias]`, of which this matrix has the values `first_bias..`.
    bias: Option<Vector<'a>>,
    n_bias: usize,
    first_bias: usize,
    /// `[n_experts]`.
    scale: Option<Vector<'a>>,
}

#[derive(Clone, Debug)]
enum ExpertMatrices<'a> {
    /// One tensor, expert after expert.
    Merged {
        /// All rows.
        all: Matrix<'a>,
        /// Number of rows of one expert, and the range of these rows that is this matrix.
        stride: usize,
        rows: Range<usize>,
    },
    /// One tensor for each expert (older Mixtral files).
    Separate(Vec<Matrix<'a>>),
}

impl<'a> ExpertLinears<'a> {
    fn new(matrices: ExpertMatrices<'a>, n_out: usize) -> Self {
        Self { matrices, bias: None, n_bias: n_out, first_bias: 0, scale: None }
    }

    /// One expert's matrix.
    pub(crate) fn expert(&self, index: usize) -> Linear<'a> {
        let weight = match &self.matrices {
            ExpertMatrices::Merged { all, stride, rows } => all.rows(index * stride + rows.start, rows.len()),
            ExpertMatrices::Separate(matrices) => matrices[index],
        };
        let n_out = weight.n_rows();
        let bias = self.bias.map(|bias| &bias[index * self.n_bias + self.first_bias..][..n_out]);
        Linear::new(weight, self.scale.map_or(1.0, |scale| f32::from_le_bytes(scale[index])), bias)
    }

    /// The rows of each expert's matrix that a rank computes.
    pub(crate) fn share(self, split: Split<'_>) -> Self {
        let own = split.own();
        let matrices = match self.matrices {
            ExpertMatrices::Merged { all, stride, rows } => {
                ExpertMatrices::Merged { all, stride, rows: rows.start + own.start..rows.start + own.end }
            }
            ExpertMatrices::Separate(matrices) => {
                ExpertMatrices::Separate(matrices.iter().map(|matrix| matrix.rows(own.start, own.len())).collect())
            }
        };
        Self { matrices, first_bias: self.first_bias + own.start, ..self }
    }
}

/// A tensor that belongs to no layer.
pub(crate) fn global(name: &'static str) -> TensorName {
    TensorName { layer: None, name, expert: None, companion: None }
}

impl<'g, 'a> Tensors<'g, 'a> {
    /// The tensors whose rows these ranks share.
    pub(crate) fn new(gguf: &'g Gguf<'a>, ranks: Ranks<'a>) -> Self {
        Self { gguf, ranks, reasons: Vec::new(), used: alloc::vec![false; gguf.tensors().len()] }
    }

    /// The ranks that share the rows.
    pub(crate) fn ranks(&self) -> Ranks<'a> {
        self.ranks
    }

    /// All faults. Every tensor that was read as `None` has its reason here.
    pub(crate) fn into_reasons(self) -> Vec<Reason<'a>> {
        self.reasons
    }

    pub(crate) fn exists(&self, tensor: TensorName) -> bool {
        self.gguf.tensor(&tensor.to_string()).is_some()
    }

    /// A matrix, with its bias and its scale if the file has them.
    pub(crate) fn linear(&mut self, tensor: TensorName, n_in: usize, n_out: usize) -> Option<Linear<'a>> {
        let weight = self.matrix(tensor, n_in, n_out);
        self.ignore_input_scale(tensor);
        let bias = self.companion(tensor, "bias", [n_out as u64, 1, 1]);
        let scale = self.companion(tensor, "scale", [1; 3])?;
        Some(Linear::new(weight?, scale.map_or(1.0, |scale| f32::from_le_bytes(scale[0])), bias?))
    }

    /// The small f32 tensor that accompanies another, if the file has it; `None` if it was refused.
    fn companion(&mut self, of: TensorName, name: &'static str, expected: [u64; 3]) -> Option<Option<Vector<'a>>> {
        let tensor = TensorName { companion: Some(name), ..of };
        if self.exists(tensor) { self.values(tensor, expected).map(Some) } else { Some(None) }
    }

    /// Gives the scale that some engines quantize a matrix' input with its place: activations find theirs here.
    fn ignore_input_scale(&mut self, of: TensorName) {
        self.find(TensorName { companion: Some("input_scale"), ..of });
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

    /// The weight and the bias of a layer norm.
    pub(crate) fn layer_norm(&mut self, tensor: TensorName, n: usize) -> Option<LayerNorm<'a>> {
        let weight = self.vector(tensor, n);
        let bias = self.vector(TensorName { companion: Some("bias"), ..tensor }, n);
        Some(LayerNorm { weight: weight?, bias: bias? })
    }

    /// How many rows a matrix has; 0 if it is not there.
    pub(crate) fn n_rows(&self, tensor: TensorName) -> usize {
        let info = self.gguf.tensor(&tensor.to_string());
        info.map_or(0, |info| usize::try_from(info.dims[1]).unwrap_or(0))
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

    /// Looks a tensor up and marks it as used.
    pub(crate) fn find(&mut self, tensor: TensorName) -> Option<TensorInfo<'a>> {
        let index = self.gguf.tensor_index(&tensor.to_string())?;
        self.used[index] = true;
        Some(self.gguf.tensors()[index])
    }

    /// Marks the tensors of blocks that the forward pass does not use as used.
    pub(crate) fn ignore_blocks(&mut self, blocks: Range<usize>) {
        for (info, used) in self.gguf.tensors().iter().zip(&mut self.used) {
            let number = info.name.strip_prefix("blk.").and_then(|rest| rest.split('.').next());
            *used |= number.and_then(|number| number.parse().ok()).is_some_and(|number| blocks.contains(&number));
        }
    }

    /// Refuses unused tensors: an unused tensor would mean that the file computes something this engine does not.
    pub(crate) fn refuse_leftovers(&mut self) {
        for (info, used) in self.gguf.tensors().iter().zip(core::mem::take(&mut self.used)) {
            if !used {
                self.refuse(Reason::UnknownTensor(info.name));
            }
        }
    }

    /// Records a reason once; layers that share a tensor would repeat it.
    fn refuse(&mut self, reason: Reason<'a>) {
        if self.reasons.len() < MAX_REASONS && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

impl<'t, 'g, 'a> LayerTensors<'t, 'g, 'a> {
    pub(crate) fn new(tensors: &'t mut Tensors<'g, 'a>, layer: usize, [n_embd, n_vocab]: [usize; 2]) -> Self {
        Self { tensors, layer, n_embd, n_vocab }
    }

    /// The layer's number.
    pub(crate) fn layer(&self) -> usize {
        self.layer
    }

    /// Width of the residual stream.
    pub(crate) fn n_embd(&self) -> usize {
        self.n_embd
    }

    /// How ranks share `n` columns, in units of `unit`.
    pub(crate) fn split(&self, n: usize, unit: usize) -> Split<'a> {
        self.tensors.ranks.split(n, unit)
    }

    /// How ranks share an input of `n` columns, in whole blocks of the forms that its readers read.
    pub(crate) fn input_split(&self, n: usize, forms: Forms) -> Split<'a> {
        self.split(n, forms.block_len().max(STREAM_UNIT))
    }

    /// How ranks share the residual stream that a block computes.
    pub(crate) fn stream_split(&self) -> Split<'a> {
        self.split(self.n_embd, STREAM_UNIT)
    }

    /// The rows that this rank computes of a matrix whose product goes to the residual stream, `[own n_embd][n_in]`.
    pub(crate) fn output(&mut self, name: &'static str, n_in: usize) -> Option<Linear<'a>> {
        let split = self.stream_split();
        self.linear(name, n_in, self.n_embd).map(|linear| linear.share(split))
    }

    fn named(&self, name: &'static str) -> TensorName {
        TensorName { layer: Some(self.layer), name, expert: None, companion: None }
    }

    pub(crate) fn exists(&self, name: &'static str) -> bool {
        self.tensors.exists(self.named(name))
    }

    /// Whether a tensor is present and has `n` rows.
    pub(crate) fn has_rows(&self, name: &'static str, n: usize) -> bool {
        let info = self.tensors.gguf.tensor(&self.named(name).to_string());
        info.is_some_and(|info| info.dims[1] == n as u64)
    }

    /// A matrix, with its bias and its scale if the file has them.
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

    /// The weight and the bias of a layer norm.
    pub(crate) fn layer_norm(&mut self, name: &'static str, n: usize) -> Option<LayerNorm<'a>> {
        self.tensors.layer_norm(self.named(name), n)
    }

    /// A matrix that all layers share, with its bias and its scale if the file has them.
    pub(crate) fn model_linear(&mut self, name: &'static str, n_in: usize, n_out: usize) -> Option<Linear<'a>> {
        self.tensors.linear(global(name), n_in, n_out)
    }

    /// A small f32 vector that all layers share.
    pub(crate) fn model_vector(&mut self, name: &'static str, n: usize) -> Option<Vector<'a>> {
        self.tensors.vector(global(name), n)
    }

    /// An embedding that all layers share, `[n_vocab][width]`, in a format that can be cut into parts of `part` values.
    pub(crate) fn embedding(&mut self, name: &'static str, width: usize, part: usize) -> Option<Matrix<'a>> {
        let (tensor, n_vocab) = (global(name), self.n_vocab);
        let matrix = self.tensors.matrix(tensor, width, n_vocab)?;
        if matrix.weight_type().row_bytes(part).is_none() {
            self.tensors.refuse(Reason::UnsupportedType { tensor, ggml_type: matrix.weight_type().ggml_type() });
            return None;
        }
        Some(matrix)
    }

    /// Marks a tensor as used that this layer does not read.
    pub(crate) fn ignore(&mut self, name: &'static str) {
        for companion in [None, Some("bias"), Some("scale"), Some("input_scale")] {
            self.tensors.find(TensorName { companion, ..self.named(name) });
        }
    }

    /// A small f32 tensor of these extents, innermost first.
    pub(crate) fn values(&mut self, name: &'static str, expected: [u64; 3]) -> Option<Vector<'a>> {
        self.tensors.values(self.named(name), expected)
    }

    /// A small f32 vector, if the file has it; `None` if it was refused.
    pub(crate) fn optional_vector(&mut self, name: &'static str, n: usize) -> Option<Option<Vector<'a>>> {
        if self.exists(name) { self.vector(name, n).map(Some) } else { Some(None) }
    }

    /// The matrices `[n_experts][n_out][n_in]` of a role, under the name of one tensor or of a tensor for each expert.
    pub(crate) fn expert_linears(
        &mut self,
        [merged, separate]: [&'static str; 2],
        [n_in, n_out, n_experts]: [usize; 3],
    ) -> Option<ExpertLinears<'a>> {
        let tensor = self.named(merged);
        let of = |expert| TensorName { name: separate, expert: Some(expert), ..tensor };
        if !self.tensors.exists(tensor) && self.tensors.exists(of(0)) {
            let matrices: Option<Vec<_>> =
                (0..n_experts).map(|expert| self.tensors.matrix(of(expert), n_in, n_out)).collect();
            return Some(ExpertLinears::new(ExpertMatrices::Separate(matrices?), n_out));
        }
        let all = self.expert_rows(tensor, [n_in, n_out, n_experts]);
        let bias = self.tensors.companion(tensor, "bias", [n_out as u64, n_experts as u64, 1]);
        let scale = self.tensors.companion(tensor, "scale", [n_experts as u64, 1, 1])?;
        let matrices = ExpertMatrices::Merged { all: all?, stride: n_out, rows: 0..n_out };
        Some(ExpertLinears { bias: bias?, scale, ..ExpertLinears::new(matrices, n_out) })
    }

    /// Two roles' matrices `[n_experts][n_out][n_in]` in one tensor: each expert's rows of the first, then of the
    /// second.
    pub(crate) fn fused_expert_linears(
        &mut self,
        name: &'static str,
        [n_in, n_out, n_experts]: [usize; 3],
    ) -> [Option<ExpertLinears<'a>>; 2] {
        let tensor = self.named(name);
        let all = self.expert_rows(tensor, [n_in, 2 * n_out, n_experts]);
        let scale = self.tensors.companion(tensor, "scale", [n_experts as u64, 1, 1]);
        [0..n_out, n_out..2 * n_out].map(|rows| {
            let matrices = ExpertMatrices::Merged { all: all?, stride: 2 * n_out, rows };
            Some(ExpertLinears { scale: scale?, ..ExpertLinears::new(matrices, n_out) })
        })
    }

    /// One tensor with the matrices of all experts, as one matrix.
    fn expert_rows(&mut self, tensor: TensorName, [n_in, n_out, n_experts]: [usize; 3]) -> Option<Matrix<'a>> {
        self.tensors.ignore_input_scale(tensor);
        let info = self.tensors.shaped(tensor, [n_in as u64, n_out as u64, n_experts as u64])?;
        self.tensors.as_matrix(tensor, info, n_in, n_out.checked_mul(n_experts)?)
    }
}
