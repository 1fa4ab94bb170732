//! Every format's weights have the bits that the field's own dequantization gives: those of models
//! (tests/fixtures/quants) and, of low-bit formats, those of random blocks with every index, sign and scale
//! (tests/fixtures/blocks).

use nanocamelid_engine::Gguf;
use nanocamelid_kernels::WeightType;
use nanocamelid_tests::tables::tables;
use nanocamelid_tests::{fixture, read_f32};
use std::collections::BTreeSet;

/// Every table dequantizes a row to these values.
fn assert_bits(weight_type: WeightType, row: &[u8], expected: &[f32]) {
    for kernels in tables() {
        let mut out = vec![0.0; expected.len()];
        kernels.dequantize(weight_type, row, &mut out);
        for (c, (a, b)) in out.iter().zip(expected).enumerate() {
            assert_eq!(
                a.to_bits(),
                b.to_bits(),
                "{} {} column {c}: {a} is not {b}",
                kernels.name(),
                weight_type.name()
            );
        }
    }
}

#[test]
fn random_blocks_have_the_fields_bits() {
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(fixture("blocks")).expect("tests/fixtures/blocks") {
        let path = entry.expect("a directory entry").path();
        if path.extension().is_none_or(|e| e != "bin") {
            continue;
        }
        let name = path.file_stem().expect("a name").to_string_lossy();
        let named = WeightType::ALL.into_iter().find(|t| t.name() == name);
        let weight_type = named.unwrap_or_else(|| panic!("{name} is no format"));
        let blocks = std::fs::read(&path).expect("a readable fixture");
        assert_eq!(blocks.len(), 64 * weight_type.block_bytes());
        assert_bits(weight_type, &blocks, &read_f32(&path.with_extension("f32")));
        seen.insert(weight_type);
    }
    assert_eq!(seen.len(), 12, "formats covered");
}

#[test]
fn weights_have_the_fields_bits() {
    let mut seen = BTreeSet::new();
    let mut files = 0;
    for entry in std::fs::read_dir(fixture("quants")).expect("tests/fixtures/quants") {
        let path = entry.expect("a directory entry").path();
        if path.extension().is_none_or(|e| e != "gguf") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a readable fixture");
        let gguf = Gguf::parse(&bytes).expect("a valid fixture");
        let tensor = gguf.tensor("blk.0.attn_k.weight").expect("the tensor");
        let weight_type = tensor.weight_type().expect("a format we compute with");
        let expected = read_f32(&path.with_extension("attn_k.f32"));
        let n_cols = tensor.dims[0] as usize;
        let row_bytes = weight_type.row_bytes(n_cols).expect("whole blocks");
        for (row, expected) in tensor.data().chunks_exact(row_bytes).zip(expected.chunks_exact(n_cols)) {
            assert_bits(weight_type, row, expected);
        }
        assert_eq!(tensor.data().len() / row_bytes * n_cols, expected.len());
        seen.insert(weight_type);
        files += 1;
    }
    assert_eq!(files, 35, "fixture files");
    // No file holds Q8_K weights: the field uses it for activations only.
    let all: BTreeSet<_> = WeightType::ALL.into_iter().filter(|t| *t != WeightType::Q8_K).collect();
    assert_eq!(seen, all, "formats covered");
}
