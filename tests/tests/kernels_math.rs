//! Compares the elementary functions of the one arithmetic with exact or more precise ones.

use nanocamelid_kernels::reference::math;
use nanocamelid_kernels::{CausalConv, StateStep, reference};
use nanocamelid_tests::random::Random;
use nanocamelid_tests::tables::tables;

#[track_caller]
fn check_fma(a: f32, b: f32, c: f32) {
    let (ours, exact) = (math::fma(a, b, c), a.mul_add(b, c));
    assert!(
        ours.to_bits() == exact.to_bits() || ours.is_nan() && exact.is_nan(),
        "fma({a:e}, {b:e}, {c:e}) = {ours:e}, not {exact:e}"
    );
}

#[test]
fn fma_rounds_once() {
    let edges = [
        0.0,
        1.0,
        1.0 + f32::EPSILON,
        1.0 - f32::EPSILON / 2.0,
        f32::MIN_POSITIVE,
        f32::MIN_POSITIVE * (1.0 - f32::EPSILON),
        f32::from_bits(1),
        f32::from_bits(3),
        f32::MAX,
        f32::MAX / 2.0,
        f32::INFINITY,
        f32::NAN,
        0.5,
        1.5,
        3.0,
        16_777_215.0,
        5.960_464_5e-8,
    ];
    let edges: Vec<f32> = edges.iter().flat_map(|&v| [v, -v]).collect();
    for &a in &edges {
        for &b in &edges {
            for &c in &edges {
                check_fma(a, b, c);
            }
        }
    }
    let mut random = Random(1);
    for _ in 0..3_000_000 {
        let (a, b) = (f32::from_bits(random.bits() as u32), f32::from_bits(random.bits() as u32));
        check_fma(a, b, f32::from_bits(random.bits() as u32));
        // Addends near the product, where cancellation and half-way cases are.
        let near = (a * b).to_bits() ^ (random.bits() as u32 & 0x8000_0fff);
        check_fma(a, b, f32::from_bits(near));
        let shifted = (a * b).to_bits().wrapping_sub((random.bits() as u32 % 60) << 23);
        check_fma(a, b, f32::from_bits(shifted));
    }
}

/// Largest error over a sweep, in units of the last place of the exact value.
fn max_ulps(range: std::ops::Range<f32>, ours: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
    let n = 2_000_000;
    let mut worst = 0.0f64;
    for i in 0..n {
        let x = range.start + (range.end - range.start) * (i as f32 / n as f32);
        let y = exact(f64::from(x));
        let ulp = f64::from(f32::from_bits((y as f32).to_bits() + 1)) - f64::from(y as f32);
        worst = worst.max(((f64::from(ours(x)) - y) / ulp).abs());
    }
    worst
}

#[test]
fn exp_is_within_an_ulp_or_so() {
    let worst = max_ulps(-87.3..88.37, math::exp, f64::exp);
    assert!(worst < 1.5, "exp is {worst} ulp off");
    assert_eq!(math::exp(0.0).to_bits(), 1.0f32.to_bits());
    assert_eq!(math::exp(-0.0).to_bits(), 1.0f32.to_bits());
    assert_eq!(math::exp(f32::NEG_INFINITY).to_bits(), 0);
    assert_eq!(math::exp(f32::INFINITY), math::exp(math::EXP_MAX));
    assert!(math::exp(f32::INFINITY).is_finite());
    assert!(math::exp(f32::from_bits(0x7f80_0001)).is_nan() && math::exp(-f32::NAN).is_nan());
    assert!(math::exp(math::EXP_MIN) >= f32::MIN_POSITIVE);
}

#[test]
fn gates_are_close_to_exact() {
    let silu = |x: f64| x / (1.0 + (-x).exp());
    let gelu = |x: f64| 0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044715 * x * x * x)).tanh());
    for i in -200_000..=200_000 {
        let x = i as f32 / 10_000.0;
        let wide = f64::from(x);
        assert!((f64::from(math::silu(x)) - silu(wide)).abs() <= 4e-7 * wide.abs().max(1e-6), "silu({x})");
        assert!((f64::from(math::gelu(x)) - gelu(wide)).abs() <= 4e-7 * wide.abs().max(1e-6), "gelu({x})");
        assert!((f64::from(math::tanh(x)) - wide.tanh()).abs() <= 3e-7, "tanh({x})");
    }
}

/// `erf` by a series of positive terms (Abramowitz and Stegun 7.1.6).
fn erf(z: f64) -> f64 {
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= 2.0 * z * z / f64::from(2 * n + 1);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * (-z * z).exp() * sum
}

#[test]
fn gelu_as_it_is_defined_is_close_to_exact() {
    for i in -60_000..=60_000 {
        let x = i as f32 / 10_000.0;
        let exact = 0.5 * f64::from(x) * (1.0 + erf(f64::from(x) / 2.0f64.sqrt()));
        let error = (f64::from(math::gelu_erf(x)) - exact).abs();
        assert!(error <= 3e-7 * f64::from(x).abs().max(1e-6), "gelu_erf({x}) is off by {error:e}");
    }
    for x in [20.0, 1e30, f32::INFINITY] {
        assert_eq!((math::gelu_erf(x), math::gelu_erf(-x)), (x, 0.0));
    }
    assert!(math::gelu_erf(f32::NAN).is_nan());
}

#[test]
fn layer_norms_are_close_to_exact() {
    let (kernels, mut random) = (&reference::TABLE, Random(9));
    for n in [1, 5, 64, 770] {
        // Far from zero, where a variance by squares would have few digits.
        let x: Vec<f32> = noise(n, &mut random).iter().map(|x| x + 30.0).collect();
        let (weight, bias) = (noise(n, &mut random), noise(n, &mut random));
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n as f64;
        let mut ours = x.clone();
        kernels.layer_norm_in_place(&mut ours, &bytes(&weight), &bytes(&bias), 1e-5);
        for (i, ours) in ours.iter().enumerate() {
            let normed = (f64::from(x[i]) - mean) / (variance + 1e-5).sqrt();
            let exact = normed * f64::from(weight[i]) + f64::from(bias[i]);
            assert!((f64::from(*ours) - exact).abs() < 2e-5, "{i} of {n}: {ours}, not {exact}");
        }
    }
}

#[test]
fn gates_of_gate_and_up_are_close_to_exact_in_every_table() {
    let gates: Vec<f32> = (-200..=200).map(|i| i as f32 / 16.0).collect();
    for up in [-9.0, -7.0, -1.0, 0.0, 0.3, 6.9, 8.0] {
        let expected = |gate: f32| {
            let (g, u) = (f64::from(gate.min(7.0)), f64::from(up).clamp(-7.0, 7.0));
            [g / (1.0 + (-1.702 * g).exp()) * (u + 1.0), f64::from(gate.max(0.0)).powi(2) * f64::from(up)]
        };
        let mut first: Option<Vec<f32>> = None;
        for kernels in tables() {
            let (mut swish, mut squared) = (gates.clone(), gates.clone());
            kernels.clamped_swish_mul(&mut swish, &mut vec![up; gates.len()]);
            kernels.squared_relu(&mut squared);
            kernels.multiply(&mut squared, &vec![up; gates.len()]);
            for (gate, ours) in gates.iter().zip(swish.iter().zip(&squared)) {
                for (ours, exact) in [ours.0, ours.1].into_iter().zip(expected(*gate)) {
                    assert!((f64::from(*ours) - exact).abs() <= 1e-6 * exact.abs().max(1.0), "{gate} {up}: {ours}");
                }
            }
            let ours = [swish, squared].concat();
            assert_eq!(first.get_or_insert_with(|| ours.clone()), &ours, "{}", kernels.name());
        }
    }
}

fn noise(n: usize, random: &mut Random) -> Vec<f32> {
    (0..n).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect()
}

fn bytes(values: &[f32]) -> Vec<[u8; 4]> {
    values.iter().map(|value| value.to_le_bytes()).collect()
}

#[test]
fn convolutions_weigh_a_channel_and_its_past() {
    let (kernels, mut random) = (&reference::TABLE, Random(5));
    for (n, n_taps) in [(1, 2), (3, 4), (20, 3)] {
        let (taps, bias) = (noise(n * n_taps, &mut random), noise(n, &mut random));
        let (file_taps, file_bias) = (bytes(&taps), bytes(&bias));
        let conv = CausalConv { taps: &file_taps, bias: Some(&file_bias) };
        let mut past = vec![0.0; n * (n_taps - 1)];
        let inputs: Vec<Vec<f32>> = (0..6).map(|_| noise(n, &mut random)).collect();
        for (t, x) in inputs.iter().enumerate() {
            let mut out = vec![f32::NAN; n];
            kernels.causal_conv(&conv, x, &mut past, &mut out);
            for c in 0..n {
                let weighed = |i: usize| match (t + 1 + i).checked_sub(n_taps) {
                    Some(at) => f64::from(inputs[at][c]) * f64::from(taps[c * n_taps + i]),
                    None => 0.0,
                };
                let exact = (0..n_taps).map(weighed).sum::<f64>() + f64::from(bias[c]);
                assert!((f64::from(out[c]) - exact).abs() < 1e-6, "{n} x {n_taps}, token {t}, channel {c}");
            }
        }
    }
}

#[test]
fn states_fade_and_take_in() {
    let (kernels, mut random) = (&reference::TABLE, Random(6));
    for (n_rows, n_state) in [(1, 1), (3, 16), (2, 40)] {
        let (mut state, mut exact) = (vec![0.0; n_rows * n_state], vec![0.0f64; n_rows * n_state]);
        for _ in 0..5 {
            let (into, out_of) = (noise(n_state, &mut random), noise(n_state, &mut random));
            let step = StateStep { keep: 0.75, step: 0.3, direct: -0.2, into: &into, out_of: &out_of };
            let (x, mut y) = (noise(n_rows, &mut random), vec![f32::NAN; n_rows]);
            kernels.state_step(&step, &x, &mut state, &mut y);
            for r in 0..n_rows {
                let mut answer = -0.2 * f64::from(x[r]);
                for j in 0..n_state {
                    let value = &mut exact[r * n_state + j];
                    *value = 0.75 * *value + 0.3 * f64::from(x[r]) * f64::from(into[j]);
                    answer += *value * f64::from(out_of[j]);
                }
                assert!((f64::from(y[r]) - answer).abs() < 1e-5, "{n_rows} x {n_state}, row {r}");
            }
        }
    }
}
