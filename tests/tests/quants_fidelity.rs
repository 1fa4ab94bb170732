//! Compares every weight format and mix with exact arithmetic: the mean KL divergence from the logits of f64 arithmetic
//! on the dequantized weights must not exceed that of an independent engine on the same file.

use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::{Kernels, KvType, reference};
use nanocamelid_tests::tables::{best, tables};
use nanocamelid_tests::{Fixture, fixture, fixtures, read_f32};

fn logits(fixture: &Fixture, kernels: &'static Kernels, kv_type: KvType) -> Vec<f32> {
    let gguf = Gguf::parse(&fixture.gguf).unwrap();
    let model = Model::new(&gguf).unwrap_or_else(|e| panic!("{}: {e}", fixture.name));
    let options = SessionOptions { n_ctx: 64, n_batch: 64, kv_type, ..Default::default() };
    let plan = SessionPlan::new(&model, kernels, options).unwrap();
    let mut arena = vec![0u8; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let mut all = Vec::new();
    session.prefill_each(&SingleThread, &fixture.ids, &mut |_, l| all.extend_from_slice(l)).unwrap();
    all
}

/// Mean over positions of KL(exact || ours), in nats.
fn mean_kl(exact: &[f32], ours: &[f32], n_tokens: usize) -> f64 {
    let n_vocab = exact.len() / n_tokens;
    let log_softmax = |row: &[f32]| -> Vec<f64> {
        let max = row.iter().fold(f64::MIN, |m, &l| m.max(f64::from(l)));
        let sum: f64 = row.iter().map(|&l| (f64::from(l) - max).exp()).sum();
        row.iter().map(|&l| f64::from(l) - max - sum.ln()).collect()
    };
    let rows = exact.chunks(n_vocab).zip(ours.chunks(n_vocab));
    let total: f64 = rows
        .map(|(exact, ours)| {
            let (p, q) = (log_softmax(exact), log_softmax(ours));
            p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>()
        })
        .sum();
    total / n_tokens as f64
}

#[test]
fn no_format_is_further_from_exact_than_the_independent_engine() {
    let kernels = best();
    let mut worse = Vec::new();
    println!("{:10} {:>12} {:>12}", "format", "ours", "theirs");
    for f in fixtures("quants") {
        let exact = read_f32(&fixture(&format!("quants/{}.exact.f32", f.name)));
        let ours = mean_kl(&exact, &logits(&f, kernels, KvType::F32), f.ids.len());
        let theirs = mean_kl(&exact, &f.logits, f.ids.len());
        println!("{:10} {ours:12.3e} {theirs:12.3e}", f.name);
        // F32: both are rounding noise around zero.
        if ours > theirs.max(1e-9) {
            worse.push(f.name);
        }
    }
    assert_eq!(worse, Vec::<String>::new());
}

#[test]
fn tables_agree_on_every_format() {
    let scalar = &reference::TABLE;
    for f in fixtures("quants") {
        for kv_type in KvType::ALL {
            let expected = logits(&f, scalar, kv_type);
            for kernels in tables() {
                let ours = logits(&f, kernels, kv_type);
                let same = ours.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{} on {} with a {} cache", f.name, kernels.name(), kv_type.name());
            }
        }
    }
}

#[test]
fn kv_types_cost_the_fidelity_the_docs_state() {
    let kernels = best();
    let f = Fixture::read(&fixture("quants"), "F32");
    let exact = read_f32(&fixture("quants/F32.exact.f32"));
    for (kv_type, bound) in [(KvType::F32, 1e-9), (KvType::F16, 1e-6), (KvType::Q8_0, 1e-3)] {
        let kl = mean_kl(&exact, &logits(&f, kernels, kv_type), f.ids.len());
        println!("{}: {kl:.2e}", kv_type.name());
        assert!(kl <= bound, "{}: {kl:.2e} > {bound:.0e}", kv_type.name());
    }
}
