//! The gated half of a feed-forward network: `activate(gate(x)) * up(x)`, in the form that the down projection reads.

use super::buffers::Hidden;
use super::forward::Pass;
use super::quantized::QuantizedBuffers;
use super::workers::Gates;
use crate::config::Activation;
use crate::model::{ActivationKinds, Gated};
use nanocamelid_kernels::{ActivationType, Kernels};

/// Input (`f32s` and `acts`, `n_tokens`) to the input of the down projection (in `hidden`).
///
/// Blocks of 32 values are quantized band by band, as the projections make them. Blocks of 256 would need bands of as
/// many rows, which are more than a level-2 cache holds: those are quantized when all rows are there.
pub(super) fn join_gates(
    pass: &Pass<'_>,
    gated: &Gated<'_>,
    f32s: &[f32],
    acts: &QuantizedBuffers<'_>,
    hidden: &mut Hidden<'_>,
    n_tokens: usize,
    scratch: &mut [u8],
) {
    let [gate, up] = [gated.gate, gated.up].map(|linear| {
        let (kind, n_cols) = (linear.weight.weight_type().activation(), linear.weight.n_cols());
        (linear, acts.view(kind, f32s, n_tokens, n_cols))
    });
    let activate = match pass.model.config.activation {
        Activation::Silu => Kernels::silu_mul,
        Activation::Gelu => Kernels::gelu_mul,
    };
    let gates = Gates { gate, up, activate };
    let n_ff = gated.down.weight.n_cols();
    if gated.down.weight.weight_type().activation() == ActivationType::Q8 {
        pass.workers.gated_quantized(&gates, &mut hidden.acts, scratch);
    } else {
        let out = &mut hidden.f32s[..n_tokens * n_ff];
        pass.workers.gated(&gates, out, scratch);
        pass.quantize(out, n_ff, &mut hidden.acts, ActivationKinds::of(&[gated.down.weight]));
    }
}
