//! Short convolution (LFM2): `out = c * conv(b * x)`, a causal depthwise convolution over a few tokens.

use super::buffers::{Buffers, LayerCache};
use super::forward::Pass;
use crate::model::ShortConv;

/// Normed input (in `h` and `acts`) to the gated convolution (in `mixed`), advancing the layer's state.
pub(super) fn short_conv(pass: &Pass<'_>, b: &mut Buffers<'_>, layer: usize, conv: &ShortConv<'_>) {
    let (n, n_embd) = (pass.n_tokens, pass.model.config.n_embd);
    let bcx = &mut b.q[..n * 3 * n_embd];
    pass.project(conv.in_proj, b.h, &b.acts, bcx, b.scratch);
    let LayerCache::ShortConv { state } = &mut b.layers[layer] else {
        unreachable!("convolution layers have a state");
    };
    let n_taps = state.len() / n_embd + 1;
    // Sequential over tokens: the work is a few operations per channel, and the state is carried along.
    for (bcx, out) in bcx.chunks(3 * n_embd).zip(b.mixed.chunks_mut(n_embd)) {
        let (gate_in, rest) = bcx.split_at(n_embd);
        let (gate_out, x) = rest.split_at(n_embd);
        for (channel, out) in out.iter_mut().enumerate() {
            let gated = gate_in[channel] * x[channel];
            let taps = &conv.conv[channel * n_taps..][..n_taps];
            let mut sum = 0.0;
            for (past, tap) in taps[..n_taps - 1].iter().enumerate() {
                sum += state[past * n_embd + channel] * f32::from_le_bytes(*tap);
            }
            sum += gated * f32::from_le_bytes(taps[n_taps - 1]);
            *out = gate_out[channel] * sum;
            for past in 1..n_taps - 1 {
                state[(past - 1) * n_embd + channel] = state[past * n_embd + channel];
            }
            state[(n_taps - 2) * n_embd + channel] = gated;
        }
    }
}
