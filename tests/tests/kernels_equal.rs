//! The vector operations of every table return the reference's bits.

use nanocamelid_kernels::{
    ActivationType, Attend, AttentionState, CHUNK, CausalConv, DeltaStep, Kernels, KvType, QuantizedRowsMut, RopeStyle,
    StateStep, reference,
};
use nanocamelid_tests::random::Random;
use nanocamelid_tests::tables::{assert_same_bits, tables};

const LENGTHS: [usize; 14] = [1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 32, 33, 64, 255];

const SPECIAL: [f32; 22] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    -f32::NAN,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    1e-45,
    -1e-45,
    88.376,
    88.377,
    -88.377,
    -87.3365,
    -87.337,
    7.888609e-31,
    7.8886085e-31,
    65520.0,
    5.9e-8,
];

/// Values of every size, now and then a special one.
fn values(random: &mut Random, n: usize, special: bool) -> Vec<f32> {
    (0..n)
        .map(|_| match random.below(if special { 8 } else { 6 }) {
            0 => random.unit() * 100.0,
            1 => random.unit() * 1e-4,
            2 => random.unit() * 1e-36,
            6 => SPECIAL[random.below(SPECIAL.len())],
            7 => f32::from_bits(random.bits() as u32),
            _ => random.unit() * 4.0,
        })
        .collect()
}

/// Runs `check` for every table, length and several inputs, with and without special values.
fn for_all(check: impl Fn(&Kernels, &mut Random, usize, bool)) {
    for kernels in tables() {
        let mut random = Random(7);
        for n in LENGTHS {
            for round in 0..12 {
                check(kernels, &mut random, n, round % 3 == 2);
            }
        }
    }
}

#[test]
fn elementwise_operations() {
    type Zip = fn(&Kernels, &mut [f32], &[f32]);
    let operations: [(&str, Zip); 9] = [
        ("silu_mul", |k, x, y| k.silu_mul(x, y)),
        ("sigmoid_mul", |k, x, y| k.sigmoid_mul(x, y)),
        ("gelu_mul", |k, x, y| k.gelu_mul(x, y)),
        ("gelu_erf", |k, x, _| k.gelu_erf(x)),
        ("add", |k, x, y| k.add(x, y)),
        ("add_scaled", |k, x, y| k.add_scaled(x, y[0], y)),
        ("scale", |k, x, y| k.scale(x, y[0])),
        ("softcap", |k, x, y| k.softcap(x, 30.0 + y[0].abs())),
        ("softmax", |k, x, _| k.softmax(x)),
    ];
    for (name, operation) in operations {
        for_all(|kernels, random, n, special| {
            let (x, y) = (values(random, n, special), values(random, n, special));
            let (mut ours, mut expected) = (x.clone(), x.clone());
            operation(kernels, &mut ours, &y);
            operation(&reference::TABLE, &mut expected, &y);
            assert_same_bits(&ours, &expected, || format!("{} {name} of {n}, x = {x:?}, y = {y:?}", kernels.name()));
        });
    }
}

#[test]
fn exp_of_many_values() {
    for kernels in tables() {
        let mut random = Random(3);
        for _ in 0..2000 {
            let mut x: Vec<f32> = (0..64).map(|_| f32::from_bits(random.bits() as u32)).collect();
            let mut expected = x.clone();
            let ones = [1.0; 64];
            kernels.silu_mul(&mut x, &ones);
            reference::TABLE.silu_mul(&mut expected, &ones);
            assert_same_bits(&x, &expected, || format!("{} silu", kernels.name()));
        }
    }
}

#[test]
fn rms_norm() {
    for_all(|kernels, random, n, special| {
        let (x, w) = (values(random, n, special), values(random, n, special));
        let w: Vec<[u8; 4]> = w.iter().map(|v| v.to_le_bytes()).collect();
        for weight in [None, Some(&w[..])] {
            let (mut ours, mut expected) = (vec![0.0; n], vec![0.0; n]);
            kernels.rms_norm(&x, weight, 1e-5, &mut ours);
            reference::TABLE.rms_norm(&x, weight, 1e-5, &mut expected);
            assert_same_bits(&ours, &expected, || format!("{} rms_norm of {n}", kernels.name()));
        }
    });
}

#[test]
fn layer_norm() {
    for_all(|kernels, random, n, special| {
        let [x, w, b] = [0; 3].map(|_| values(random, n, special));
        let [w, b] = [w, b].map(|values| values.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        let (mut ours, mut expected) = (x.clone(), x);
        kernels.layer_norm_in_place(&mut ours, &w, &b, 1e-5);
        reference::TABLE.layer_norm_in_place(&mut expected, &w, &b, 1e-5);
        assert_same_bits(&ours, &expected, || format!("{} layer_norm of {n}", kernels.name()));
    });
}

#[test]
fn rope() {
    for_all(|kernels, random, n, special| {
        let x = values(random, 2 * n + 3, special);
        let (cos, sin) = (values(random, n, special), values(random, n, special));
        for style in [RopeStyle::Norm, RopeStyle::Neox] {
            let (mut ours, mut expected) = (x.clone(), x.clone());
            kernels.rope(&mut ours, &cos, &sin, style);
            reference::TABLE.rope(&mut expected, &cos, &sin, style);
            assert_same_bits(&ours, &expected, || format!("{} rope {style:?} of {n}", kernels.name()));
        }
    });
}

#[test]
fn quantize() {
    for kernels in tables() {
        let mut random = Random(11);
        for kind in [ActivationType::Q8, ActivationType::Q8K] {
            for round in 0..200 {
                let n_cols = kind.block_len() * (1 + random.below(5));
                let mut x = values(&mut random, n_cols, round % 4 == 3);
                match round % 8 {
                    0 => x.fill(0.0),
                    1 => x.iter_mut().for_each(|v| *v *= 1e-31),
                    2 => x.iter_mut().for_each(|v| *v *= 1e36),
                    // Halves, so that rounding half to even shows.
                    4 => x.iter_mut().for_each(|v| *v = (*v * 3.0).round() / 2.0),
                    5 => x[0] = 63.5,
                    _ => {}
                }
                let run = |kernels: &Kernels| {
                    let (mut qs, mut scales) = (vec![99; n_cols], vec![99.0; n_cols / kind.block_len()]);
                    let mut sums = vec![99; n_cols / kind.sum_len()];
                    kernels.quantize(&x, &mut QuantizedRowsMut::new(kind, &mut qs, &mut scales, &mut sums, 1, n_cols));
                    (qs, scales, sums)
                };
                let (ours, expected) = (run(kernels), run(&reference::TABLE));
                assert_eq!((&ours.0, &ours.2), (&expected.0, &expected.2), "{} {kind:?} {x:?}", kernels.name());
                assert_same_bits(&ours.1, &expected.1, || format!("{} {kind:?} scales of {x:?}", kernels.name()));
            }
        }
    }
}

#[test]
fn delta_steps() {
    for kernels in tables() {
        let mut random = Random(11);
        for key_dim in [1, 3, 4, 7, 16, 24, 64, 128] {
            for width in 1..=16 {
                let special = width % 4 == 3;
                let mut ours = vec![0.0; 16 * key_dim];
                let mut expected = ours.clone();
                for token in 0..5 {
                    let mut vector = |n| values(&mut random, n, special && token > 2);
                    let (key, query, value) = (vector(key_dim), vector(key_dim), vector(width));
                    let [decay, beta] = [0, 1].map(|_| random.unit().abs());
                    let step = DeltaStep { key: &key, query: &query, value: &value, decay, beta };
                    let (mut out, mut expected_out) = (vec![9.0; width], vec![9.0; width]);
                    kernels.delta_step(&step, &mut ours, &mut out);
                    reference::TABLE.delta_step(&step, &mut expected, &mut expected_out);
                    let what = || format!("{} {key_dim} x {width}, token {token}", kernels.name());
                    assert_same_bits(&out, &expected_out, what);
                    // Columns beyond the band's hold what nobody reads.
                    for (row, (ours, expected)) in ours.chunks(16).zip(expected.chunks(16)).enumerate() {
                        assert_same_bits(&ours[..width], &expected[..width], || format!("{} row {row}", what()));
                    }
                }
            }
        }
    }
}

#[test]
fn causal_convolutions() {
    for_all(|kernels, random, n, special| {
        for n_taps in [2, 3, 4, 5] {
            let [taps, bias] = [n * n_taps, n].map(|n| values(random, n, special));
            let [taps, bias] = [taps, bias].map(|v| v.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>());
            let conv = CausalConv { taps: &taps, bias: (n_taps % 2 == 0).then_some(&bias[..]) };
            let mut ours = values(random, n * (n_taps - 1), special);
            let mut expected = ours.clone();
            for token in 0..3 {
                let x = values(random, n, special);
                let (mut out, mut expected_out) = (vec![9.0; n], vec![8.0; n]);
                kernels.causal_conv(&conv, &x, &mut ours, &mut out);
                reference::TABLE.causal_conv(&conv, &x, &mut expected, &mut expected_out);
                let what = || format!("{} {n} x {n_taps}, token {token}", kernels.name());
                assert_same_bits(&out, &expected_out, what);
                assert_same_bits(&ours, &expected, || format!("{}, past", what()));
            }
        }
    });
}

#[test]
fn state_steps() {
    for_all(|kernels, random, n_state, special| {
        let n_rows = 1 + random.below(5);
        let mut ours = vec![0.0; n_rows * n_state];
        let mut expected = ours.clone();
        for token in 0..3 {
            let mut vector = |n| values(random, n, special && token > 0);
            let (x, into, out_of, numbers) = (vector(n_rows), vector(n_state), vector(n_state), vector(3));
            let [keep, step, direct] = [0, 1, 2].map(|i| numbers[i]);
            let step = StateStep { keep, step, direct, into: &into, out_of: &out_of };
            let (mut y, mut expected_y) = (vec![9.0; n_rows], vec![8.0; n_rows]);
            kernels.state_step(&step, &x, &mut ours, &mut y);
            reference::TABLE.state_step(&step, &x, &mut expected, &mut expected_y);
            let what = || format!("{} {n_rows} x {n_state}, token {token}", kernels.name());
            assert_same_bits(&y, &expected_y, what);
            assert_same_bits(&ours, &expected, || format!("{}, state", what()));
        }
    });
}

/// A delta net's matrix that has stored a value for each of several orthogonal keys returns the decayed values.
#[test]
fn a_delta_step_corrects_what_the_matrix_says_of_a_key() {
    let mut band = vec![0.0; 4 * 16];
    let unit = |i: usize| std::array::from_fn::<f32, 4, _>(|j| if i == j { 1.0 } else { 0.0 });
    let tell = |band: &mut [f32], i: usize, value: [f32; 2], decay, beta, asked: usize| {
        let mut found = [0.0; 2];
        let step = DeltaStep { key: &unit(i), query: &unit(asked), value: &value, decay, beta };
        reference::TABLE.delta_step(&step, band, &mut found);
        found
    };
    assert_eq!(tell(&mut band, 1, [3.0, -2.0], 0.5, 1.0, 1), [3.0, -2.0]);
    // Another key changes nothing of the first, but time does.
    assert_eq!(tell(&mut band, 2, [8.0, 8.0], 0.5, 1.0, 1), [1.5, -1.0]);
    // What was 8 has faded to 4, and half of what lacks to 6 is added.
    assert_eq!(tell(&mut band, 2, [6.0, 4.0], 0.5, 0.5, 2), [5.0, 4.0]);
    assert_eq!(tell(&mut band, 0, [0.0, 0.0], 1.0, 1.0, 1), [0.75, -0.5]);
}

/// A chunk's keys and values, stored through `kernels`; slots beyond `n_stored` keep what memory held before.
fn stored(
    kernels: &Kernels,
    random: &mut Random,
    kv_type: KvType,
    dims: (usize, usize),
    n_stored: usize,
) -> (Vec<u8>, Vec<u8>) {
    let bytes = |dim| CHUNK * kv_type.row_bytes(dim).expect("a size the type can hold");
    let (mut keys, mut values) = (vec![0xff; bytes(dims.0)], vec![0xff; bytes(dims.1)]);
    for slot in 0..n_stored {
        kernels.store_key(kv_type, slot, &random.values(dims.0, 2.0), &mut keys);
        kernels.store_value(kv_type, slot, &random.values(dims.1, 2.0), &mut values);
    }
    (keys, values)
}

#[test]
fn stored_keys_and_values() {
    for kernels in tables() {
        for kv_type in KvType::ALL {
            for dims in [(32, 64), (64, 32), (128, 96)] {
                let ours = stored(kernels, &mut Random(5), kv_type, dims, 100);
                let expected = stored(&reference::TABLE, &mut Random(5), kv_type, dims, 100);
                assert!(ours == expected, "{} {} {dims:?}", kernels.name(), kv_type.name());
            }
        }
    }
}

#[derive(Clone, Debug)]
struct State {
    max: Vec<f32>,
    sum: Vec<f32>,
    out: Vec<f32>,
}

impl State {
    fn new(n_queries: usize, dim: usize) -> Self {
        let mut state = Self { max: vec![9.0; n_queries], sum: vec![9.0; n_queries], out: vec![9.0; n_queries * dim] };
        state.view().reset();
        state
    }

    fn view(&mut self) -> AttentionState<'_> {
        AttentionState { max: &mut self.max, sum: &mut self.sum, out: &mut self.out }
    }

    #[track_caller]
    fn assert_same(&self, reference: &Self, what: impl Fn() -> String) {
        assert_same_bits(&self.sum, &reference.sum, || format!("{} sum", what()));
        assert_same_bits(&self.out, &reference.out, || format!("{} out", what()));
        for (q, (a, b)) in self.max.iter().zip(&reference.max).enumerate() {
            // The maximum decides nothing any more where a score was NaN, and nothing depends on the sign of a zero.
            assert!(a == b || self.sum[q].is_nan(), "{}: maximum of query {q}", what());
        }
    }
}

#[test]
fn attention() {
    let mut random = Random(13);
    for kernels in tables() {
        for kv_type in KvType::ALL {
            let sizes: &[(usize, usize)] = match kv_type {
                KvType::Q8_0 => &[(32, 32), (64, 64), (128, 96)],
                _ => &[(64, 64), (8, 8), (20, 33), (80, 48), (128, 128)],
            };
            for &dims in sizes {
                for (n_tokens, n_heads) in [(1, 1), (1, 7), (1, 4), (3, 3), (8, 2), (17, 1), (5, 8)] {
                    let softcap = [None, Some(20.0)][random.below(2)];
                    let (mut ours, mut expected) =
                        (State::new(n_tokens * n_heads, dims.1), State::new(n_tokens * n_heads, dims.1));
                    // Three chunks: full for everybody, causal, and ranges of every kind.
                    for round in 0..3 {
                        let start = random.below(CHUNK - n_tokens);
                        let ranges: Vec<(u32, u32)> = (0..n_tokens)
                            .map(|t| match round {
                                0 => (0, CHUNK as u32),
                                1 => (0, (start + t) as u32),
                                _ => {
                                    let (a, b) = (random.below(CHUNK + 1), random.below(CHUNK + 1));
                                    if random.below(4) == 0 {
                                        (b.max(a) as u32, b.min(a) as u32)
                                    } else {
                                        (b.min(a) as u32, b.max(a) as u32)
                                    }
                                }
                            })
                            .collect();
                        let n_stored = if round == 1 { start + n_tokens } else { CHUNK };
                        let (keys, mut values) = stored(&reference::TABLE, &mut random, kv_type, dims, n_stored);
                        if round == 2 {
                            // Any bytes are somebody's value.
                            let at = random.below(values.len() - 64);
                            values[at..at + 64].copy_from_slice(&random.bytes(64));
                        }
                        let queries = random.values(n_tokens * n_heads * dims.0, 1.0);
                        let chunk = Attend {
                            kv_type,
                            key_dim: dims.0,
                            value_dim: dims.1,
                            n_heads,
                            queries: &queries,
                            ranges: &ranges,
                            keys: &keys,
                            values: &values,
                            softcap,
                        };
                        kernels.attend(&chunk, &mut ours.view());
                        reference::TABLE.attend(&chunk, &mut expected.view());
                        let what = || {
                            format!("{} {} {dims:?} {n_tokens} x {n_heads} {ranges:?}", kernels.name(), kv_type.name())
                        };
                        ours.assert_same(&expected, what);

                        // The chunk alone, merged afterwards, comes to the same.
                        let (mut alone, mut merged) = (State::new(n_tokens * n_heads, dims.1), ours.clone());
                        kernels.attend(&chunk, &mut alone.view());
                        kernels.merge(&mut merged.view(), &alone.view());
                        let mut merged_expected = expected.clone();
                        reference::TABLE.merge(&mut merged_expected.view(), &alone.view());
                        merged.assert_same(&merged_expected, what);
                    }
                }
            }
        }
    }
}

#[test]
fn chunks_alone_and_merged_equal_chunks_in_a_row() {
    let mut random = Random(17);
    for kernels in tables() {
        let dims = (64, 64);
        let (mut in_a_row, mut merged) = (State::new(6, 64), State::new(6, 64));
        for _ in 0..4 {
            let (keys, values) = stored(kernels, &mut random, KvType::F16, dims, CHUNK);
            let queries = random.values(6 * 64, 1.0);
            let chunk = Attend {
                kv_type: KvType::F16,
                key_dim: 64,
                value_dim: 64,
                n_heads: 2,
                queries: &queries,
                ranges: &[(0, 128), (5, 5), (3, 77)],
                keys: &keys,
                values: &values,
                softcap: None,
            };
            kernels.attend(&chunk, &mut in_a_row.view());
            let mut alone = State::new(6, 64);
            kernels.attend(&chunk, &mut alone.view());
            kernels.merge(&mut merged.view(), &alone.view());
        }
        merged.assert_same(&in_a_row, || kernels.name().to_owned());
    }
}
