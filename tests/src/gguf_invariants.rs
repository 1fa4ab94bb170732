//! The invariants of every file that the parser accepts.

use nanocamelid_engine::gguf::{Gguf, Value};

/// Checks that all parts of a parsed file agree with each other and with the bytes.
///
/// # Panics
/// If two parts disagree.
pub fn check(gguf: &Gguf<'_>, parts: &[&[u8]]) {
    assert!(matches!(gguf.version(), 2 | 3));
    assert!(gguf.alignment().is_power_of_two());
    assert_eq!(gguf.n_parts(), parts.len());
    assert_eq!(gguf.file_bytes(), parts.iter().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert_eq!(gguf.data_offset() % gguf.alignment(), 0);
    for entry in gguf.metadata() {
        assert!(gguf.value(entry.key).is_some(), "{} is found", entry.key);
        walk(&entry.value);
    }
    let mut spans = Vec::new();
    for info in gguf.tensors() {
        let found = gguf.tensor(info.name).expect("a tensor is found by its name");
        assert_eq!((found.part, found.info_offset), (info.part, info.info_offset));
        assert!(info.n_dims <= 4);
        assert_eq!(info.dims.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim)), Some(info.n_values()));
        assert!(info.part > 0 || info.offset >= gguf.data_offset() && info.offset % gguf.alignment() == 0);
        if let Some(weight_type) = info.weight_type() {
            let n_blocks = info.n_values() as usize / weight_type.block_len();
            assert_eq!(info.data().len(), n_blocks * weight_type.block_bytes());
        }
        if !info.data().is_empty() {
            let start = info.offset as usize;
            let file = parts[usize::from(info.part)];
            assert_eq!(file[start..][..info.data().len()].as_ptr(), info.data().as_ptr(), "data is the file's own");
            spans.push((info.part, start, start + info.data().len()));
        }
    }
    spans.sort_unstable();
    assert!(spans.windows(2).all(|p| p[0].0 < p[1].0 || p[0].2 <= p[1].1), "tensors do not overlap");
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
