//! Every format's weights have the bits that the field's own dequantization gives (tests/fixtures/quants).

use nanocamelid_engine::Gguf;
use nanocamelid_kernels::{Kernels, WeightType};
use nanocamelid_tests::{features, fixture, read_f32};
use std::collections::BTreeSet;

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
        for kernels in Kernels::all(features::detect()) {
            let mut out = vec![0.0; n_cols];
            for (r, expected) in expected.chunks_exact(n_cols).enumerate() {
                kernels.dequantize(weight_type, &tensor.data()[r * row_bytes..][..row_bytes], &mut out);
                for (c, (a, b)) in out.iter().zip(expected).enumerate() {
                    assert_eq!(
                        a.to_bits(),
                        b.to_bits(),
                        "{}: {} row {r} column {c}: {a} is not {b}",
                        path.display(),
                        kernels.name()
                    );
                }
            }
        }
        assert_eq!(tensor.data().len() / row_bytes * n_cols, expected.len());
        seen.insert(weight_type);
        files += 1;
    }
    assert_eq!(files, 20, "fixture files");
    // No file holds Q8_K weights: the field uses it for activations only.
    let all: BTreeSet<_> = WeightType::ALL.into_iter().filter(|t| *t != WeightType::Q8_K).collect();
    assert_eq!(seen, all, "formats covered");
}
