//! Codebooks are written when a format is first multiplied: threads that all come first get the same products. This
//! happens once in a process, so the test has one of its own.

use nanocamelid_kernels::{
    ActivationType, Activations, Kernels, Matrix, QuantizedRows, QuantizedRowsMut, TileMut, WeightType, reference,
};
use nanocamelid_tests::random::Random;
use nanocamelid_tests::tables::{assert_same_bits, best};
use std::sync::Barrier;

const N_COLS: usize = 256;
const N_ROWS: usize = 16;

fn product(kernels: &Kernels, weight_type: WeightType, bytes: &[u8], x: &QuantizedRows<'_>) -> Vec<f32> {
    let w = Matrix::new(weight_type, bytes, N_ROWS, N_COLS).expect("a matrix");
    let mut out = vec![0.0; N_ROWS];
    let mut scratch = vec![0; kernels.scratch_bytes(N_COLS)];
    kernels.matmul(&w, &Activations::Quantized(*x), &mut TileMut::whole(&mut out, 1, N_ROWS), &mut scratch);
    out
}

#[test]
fn threads_that_come_first_get_the_same_products() {
    let mut random = Random(1);
    let values = random.values(N_COLS, 3.0);
    let (mut qs, mut scales, mut sums) = ([0; N_COLS], [0.0; 1], [0; N_COLS / 16]);
    let kind = ActivationType::Q8K;
    reference::TABLE.quantize(&values, &mut QuantizedRowsMut::new(kind, &mut qs, &mut scales, &mut sums, 1, N_COLS));
    let x = QuantizedRows::new(kind, &qs, &scales, &sums, 1, N_COLS);
    let kernels = best();
    use WeightType as T;
    for weight_type in [T::IQ1_S, T::IQ2_XXS, T::IQ2_XS, T::IQ2_S, T::IQ3_XXS, T::IQ3_S] {
        let mut bytes = random.bytes(N_ROWS * weight_type.block_bytes());
        for block in bytes.chunks_exact_mut(weight_type.block_bytes()) {
            block[..2].copy_from_slice(&0x1400u16.to_le_bytes());
        }
        let expected = product(&reference::TABLE, weight_type, &bytes, &x);
        assert!(expected.iter().any(|&x| x != 0.0), "{}", weight_type.name());
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    assert_same_bits(&product(kernels, weight_type, &bytes, &x), &expected, || {
                        format!("{} {}", kernels.name(), weight_type.name())
                    });
                });
            }
        });
    }
}
