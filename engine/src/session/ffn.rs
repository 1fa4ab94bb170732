//! The gated half of a feed-forward network: `activate(gate(x)) * up(x)`, in the form that the down projection reads.

use super::buffers::Hidden;
use super::forward::Pass;
use super::quantized::QuantizedBuffers;
use crate::config::Activation;
use crate::model::{ActivationKinds, Gated, Linear};
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
    let view = |linear: &Linear<'_>| {
        acts.view(linear.weight.weight_type().activation(), f32s, n_tokens, linear.weight.n_cols())
    };
    let activate = match pass.model.config.activation {
        Activation::Silu => Kernels::silu_mul,
        Activation::Gelu => Kernels::gelu_mul,
    };
    let (linears, inputs) = ([gated.gate, gated.up], [view(&gated.gate), view(&gated.up)]);
    let n_ff = gated.down.weight.n_cols();
    if gated.down.weight.weight_type().activation() == ActivationType::Q8 {
        pass.workers.gated_quantized(linears, inputs, &mut hidden.acts, scratch, activate);
    } else {
        let out = &mut hidden.f32s[..n_tokens * n_ff];
        pass.workers.gated(linears, inputs, out, scratch, activate);
        pass.quantize(out, n_ff, &mut hidden.acts, ActivationKinds::of(&[gated.down.weight]));
    }
}
