//! What must hold for every file the parser accepts, however it came about.

use nanocamelid_engine::gguf::{Gguf, Value};

/// Walks everything a parsed file offers and checks that the parts agree with each other and with the bytes.
///
/// # Panics
/// If they do not.
pub fn check(gguf: &Gguf<'_>, bytes: &[u8]) {
    assert!(matches!(gguf.version(), 2 | 3));
    assert!(gguf.alignment().is_power_of_two());
    assert_eq!(gguf.file_bytes(), bytes.len() as u64);
    assert_eq!(gguf.data_offset() % gguf.alignment(), 0);
    for entry in gguf.metadata() {
        assert!(gguf.value(entry.key).is_some(), "{} is found", entry.key);
        walk(&entry.value);
    }
    let mut spans = Vec::new();
    for info in gguf.tensors() {
        let found = gguf.tensor(info.name).expect("a tensor is found by its name");
        assert_eq!(found.info_offset, info.info_offset);
        assert!(info.n_dims <= 4);
        assert_eq!(info.dims.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim)), Some(info.n_values()));
        assert!(info.offset >= gguf.data_offset() && info.offset % gguf.alignment() == 0);
        if let Some(weight_type) = info.weight_type() {
            let n_blocks = info.n_values() as usize / weight_type.block_len();
            assert_eq!(info.data().len(), n_blocks * weight_type.block_bytes());
        }
        if !info.data().is_empty() {
            let start = info.offset as usize;
            assert_eq!(bytes[start..][..info.data().len()].as_ptr(), info.data().as_ptr(), "data is the file's own");
            spans.push(start..start + info.data().len());
        }
    }
    spans.sort_unstable_by_key(|span| span.start);
    assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start), "tensors do not overlap");
}

fn walk(value: &Value<'_>) {
    if let Some(array) = value.as_array() {
        assert_eq!(array.iter().inspect(walk).count(), array.len());
        if let Some(strings) = array.strings() {
            assert_eq!(strings.count(), array.len());
        }
    }
    let _ = (value.as_u64(), value.as_i64(), value.as_f32(), value.as_bool(), value.as_str());
}
