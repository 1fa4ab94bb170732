//! Turns a parsed file into a writer, so that a test can change a real model.

use crate::gguf_writer::{GgufWriter, Tensor, Value, value_type};
use nanocamelid_engine::gguf::{self, Gguf, ValueType};

/// A writer that would write `gguf` again.
pub fn copy(gguf: &Gguf<'_>) -> GgufWriter {
    let entries = gguf.metadata().iter().map(|entry| (entry.key.as_bytes().to_vec(), value(&entry.value))).collect();
    let tensors = gguf.tensors().iter().map(|info| Tensor {
        name: info.name.as_bytes().to_vec(),
        dims: info.dims[..info.n_dims].to_vec(),
        ggml_type: info.ggml_type,
        data: info.data().to_vec(),
        ..Tensor::default()
    });
    GgufWriter {
        version: gguf.version(),
        alignment: gguf.alignment() as usize,
        entries,
        tensors: tensors.collect(),
        ..GgufWriter::default()
    }
}

fn value(v: &gguf::Value<'_>) -> Value {
    use value_type as t;
    match *v {
        gguf::Value::U8(v) => Value::raw(t::U8, v.to_le_bytes()),
        gguf::Value::I8(v) => Value::raw(t::I8, v.to_le_bytes()),
        gguf::Value::U16(v) => Value::raw(t::U16, v.to_le_bytes()),
        gguf::Value::I16(v) => Value::raw(t::I16, v.to_le_bytes()),
        gguf::Value::U32(v) => Value::u32(v),
        gguf::Value::I32(v) => Value::i32(v),
        gguf::Value::U64(v) => Value::u64(v),
        gguf::Value::I64(v) => Value::raw(t::I64, v.to_le_bytes()),
        gguf::Value::F32(v) => Value::f32(v),
        gguf::Value::F64(v) => Value::raw(t::F64, v.to_le_bytes()),
        gguf::Value::Bool(v) => Value::bool(v),
        gguf::Value::String(v) => Value::string(v),
        gguf::Value::Array(array) if array.element_type() == ValueType::String => {
            Value::strings(array.strings().expect("an array of strings"))
        }
        gguf::Value::Array(array) => {
            let elements: Vec<u8> = array.iter().flat_map(|element| value(&element).payload).collect();
            Value::array(array.element_type() as u32, array.len() as u64, &elements)
        }
    }
}

impl GgufWriter {
    /// Removes a tensor and returns it.
    ///
    /// # Panics
    /// If there is no such tensor.
    pub fn take_tensor(&mut self, name: &str) -> Tensor {
        let at = self.tensors.iter().position(|tensor| tensor.name == name.as_bytes());
        self.tensors.remove(at.unwrap_or_else(|| panic!("no {name}")))
    }
}
