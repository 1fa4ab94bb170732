//! One file with every kind of value in it.

use crate::gguf_writer::{GgufWriter, Value, value_type};

/// A small file with every kind of value and several tensors.
pub fn sample() -> GgufWriter {
    let nested = {
        let inner = |v: u8| Value::array(value_type::U8, 2, &[v, v + 1]).payload;
        Value::array(value_type::ARRAY, 2, &[inner(1), inner(3)].concat())
    };
    GgufWriter::new()
        .entry("general.architecture", Value::string("llama"))
        .entry("general.alignment", Value::u32(32))
        .entry("a.u8", Value::raw(value_type::U8, [200]))
        .entry("a.i8", Value::raw(value_type::I8, [200]))
        .entry("a.u16", Value::raw(value_type::U16, [1, 2]))
        .entry("a.i16", Value::raw(value_type::I16, [1, 200]))
        .entry("a.i32", Value::i32(-5))
        .entry("a.f32", Value::f32(1e-5))
        .entry("a.bool", Value::bool(true))
        .entry("a.u64", Value::u64(7))
        .entry("a.i64", Value::raw(value_type::I64, [255; 8]))
        .entry("a.f64", Value::raw(value_type::F64, 0.5f64.to_le_bytes()))
        .entry("a.bools", Value::array(value_type::BOOL, 3, &[0, 1, 0]))
        .entry("a.nested", nested)
        .entry("tokens", Value::strings([&b"<s>"[..], b"a", b"", b"\xff\xfe"]))
        .entry("scores", Value::f32s([0.0, -1.0, -2.0, -3.0]))
        .tensor("token_embd.weight", &[32, 4], 2, vec![7; 4 * 18])
        .tensor("norm.weight", &[5], 0, vec![1; 20])
        .tensor("cube", &[2, 3, 2, 1], 1, vec![2; 24])
}
