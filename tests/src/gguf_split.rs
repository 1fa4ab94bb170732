//! A model in several files, as programs that split write it.

use crate::gguf_writer::{GgufWriter, Value, value_type};

/// The files of `model` in `n` parts: metadata in the first, tensors in equal runs, the three split keys in all.
pub fn split(model: &GgufWriter, n: u16) -> Vec<GgufWriter> {
    let run = model.tensors.len().div_ceil(n.into()).max(1);
    let part = |no: u16| {
        let entries = if no == 0 { model.entries.clone() } else { Vec::new() };
        let tensors = model.tensors.iter().skip(usize::from(no) * run).take(run).cloned().collect();
        // Only the first part says how its tensors are aligned.
        let alignment = if no == 0 { model.alignment } else { 32 };
        let mut file = GgufWriter { version: model.version, alignment, entries, tensors, ..GgufWriter::new() };
        file.set("split.no", u16(no));
        file.set("split.count", u16(n));
        file.set("split.tensors.count", Value::i32(model.tensors.len() as i32));
        file
    };
    (0..n).map(part).collect()
}

/// An unsigned 16-bit integer, the type of two of the keys.
pub fn u16(v: u16) -> Value {
    Value::raw(value_type::U16, v.to_le_bytes())
}

/// The bytes of each file.
pub fn bytes(files: &[GgufWriter]) -> Vec<Vec<u8>> {
    files.iter().map(|file| file.finish().bytes).collect()
}
