//! The list of float operations. Everything that has an entry per operation is made from it: the pointers of a table,
//! those of the reference, and the entry points compiled for the features of a table (`lanes/entry.rs`).

use crate::activations::QuantizedRowsMut;
use crate::attention::{Attend, AttentionState, KvType};
use crate::delta::DeltaStep;
use crate::recurrence::{CausalConv, StateStep};
use crate::table::RopeStyle;

/// `for_each_operation!([callback] arguments)` calls `callback!` with its arguments and a row per operation:
/// `fn name(arguments) -> result = specification, body;`. The specification is a function in [`crate::reference`]. The
/// body is a call in [`crate::lanes`], without the proof, which is its first argument.
macro_rules! for_each_operation {
    ([$($callback:tt)+] $($arguments:tt)*) => {
        $($callback)+! { $($arguments)*
            fn quantize_q8(x: &[f32], out: &mut QuantizedRowsMut<'_>)
                = quantize::quantize_q8, quantize::quantize_q8(x, out);
            fn quantize_q8k(x: &[f32], out: &mut QuantizedRowsMut<'_>)
                = quantize::quantize_q8k, quantize::quantize_q8k(x, out);
            fn rms_scale(x: &[f32], eps: f32) -> f32
                = norm::rms_scale, norm::rms_scale(x, eps);
            fn rms_norm(x: &[f32], weight: Option<&[[u8; 4]]>, eps: f32, out: &mut [f32])
                = norm::rms_norm, norm::rms_norm(x, weight, eps, out);
            fn softmax(x: &mut [f32])
                = norm::softmax, norm::softmax(x);
            fn rope(x: &mut [f32], cos: &[f32], sin: &[f32], style: RopeStyle)
                = rope::rope, rope::rope(x, cos, sin, style);
            fn silu_mul(gate: &mut [f32], up: &[f32])
                = elementwise::silu_mul, elementwise::zip(SiluMul, gate, up);
            fn sigmoid_mul(x: &mut [f32], gate: &[f32])
                = elementwise::sigmoid_mul, elementwise::zip(SigmoidMul, x, gate);
            fn gelu_mul(gate: &mut [f32], up: &[f32])
                = elementwise::gelu_mul, elementwise::zip(GeluMul, gate, up);
            fn gelu_erf(x: &mut [f32])
                = elementwise::gelu_erf, elementwise::map(GeluErf, x);
            fn add(x: &mut [f32], y: &[f32])
                = elementwise::add, elementwise::zip(Add, x, y);
            fn add_scaled(x: &mut [f32], a: f32, y: &[f32])
                = elementwise::add_scaled, elementwise::zip(AddScaled(a), x, y);
            fn scale(x: &mut [f32], a: f32)
                = elementwise::scale, elementwise::map(Scale(a), x);
            fn softcap(x: &mut [f32], cap: f32)
                = elementwise::softcap, elementwise::map(Softcap(cap), x);
            fn delta_step(step: &DeltaStep<'_>, band: &mut [f32], out: &mut [f32])
                = delta::delta_step, delta::delta_step(step, band, out);
            fn causal_conv(conv: &CausalConv<'_>, x: &[f32], past: &mut [f32], out: &mut [f32])
                = recurrence::causal_conv, recurrence::causal_conv(conv, x, past, out);
            fn state_step(step: &StateStep<'_>, x: &[f32], state: &mut [f32], y: &mut [f32])
                = recurrence::state_step, recurrence::state_step(step, x, state, y);
            fn attend(chunk: &Attend<'_>, state: &mut AttentionState<'_>)
                = attention::attend, attention::attend(chunk, state);
            fn merge(state: &mut AttentionState<'_>, later: &AttentionState<'_>)
                = attention::merge, online_softmax::merge(state, later);
            fn store_value(kv_type: KvType, dim: usize, slot: usize, value: &[f32], chunk: &mut [u8])
                = attention::store_value, store::store_value(kv_type, dim, slot, value, chunk);
        }
    };
}

/// The pointers of a table, and those of the reference.
macro_rules! pointers {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?
        = $module:ident::$specification:ident, $lanes:ident::$function:ident($($value:expr),*);)*) => {
        /// The float operations of one instruction set. [`Kernels`](crate::Kernels) checks their arguments.
        pub(crate) struct Operations {
            $(pub(crate) $name: fn($($ty),*) $(-> $ret)?,)*
        }

        impl Operations {
            /// The specification.
            pub(crate) const REFERENCE: Self = Self { $($name: crate::reference::$module::$specification,)* };
        }
    };
}

pub(crate) use for_each_operation;
self::for_each_operation!([pointers]);
