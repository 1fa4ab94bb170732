//! A conversation that moves to a larger session continues with the same bits as if it had begun there.

use nanocamelid_engine::{Gguf, Model, Session, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::KvType;
use nanocamelid_tests::gguf_copy::copy;
use nanocamelid_tests::gguf_writer::Tensor;
use nanocamelid_tests::tables::best;
use nanocamelid_tests::{Fixture, bits, fixture, fixtures};

/// Runs `body` with a session of each of these context lengths over one model.
fn with_sessions(gguf: &[u8], contexts: [usize; 2], kv_type: KvType, body: impl FnOnce([Session<'_>; 2])) {
    let gguf = Gguf::parse(gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let kernels = best();
    let plans = contexts.map(|n_ctx| {
        let options = SessionOptions { n_ctx, n_batch: 64, kv_type, ..Default::default() };
        SessionPlan::new(&model, kernels, options).unwrap()
    });
    let [mut first, mut second] = plans.each_ref().map(|plan| vec![0xFFu8; plan.required_bytes()]);
    let [small, large] = plans;
    let small = small.start(&mut first).unwrap();
    let large = large.start(&mut second).unwrap();
    body([small, large]);
}

#[test]
fn a_grown_session_gives_the_bits_of_a_fresh_one() {
    for fixture in fixtures("archs") {
        let ids: Vec<u32> = fixture.ids.iter().copied().cycle().take(460).collect();
        for (n_small, n_ctx) in [(100, 128), (130, 131), (256, 256), (300, 384), (400, 400)] {
            with_sessions(&fixture.gguf, [n_ctx, 512], KvType::F16, |[mut small, mut large]| {
                large.prefill(&SingleThread, &ids).unwrap();
                let expected = bits(large.logits());
                small.prefill(&SingleThread, &ids[..n_small]).unwrap();
                assert!(large.adopt(&small), "{}", fixture.name);
                assert_eq!(large.position(), n_small);
                assert_eq!(bits(large.logits()), bits(small.logits()), "{} after {n_small}", fixture.name);
                let (middle, rest) = ids[n_small..].split_at(30);
                large.prefill(&SingleThread, middle).unwrap();
                large.prefill(&SingleThread, rest).unwrap();
                assert_eq!(bits(large.logits()), expected, "{} moved at {n_small}", fixture.name);
                // Truncation has the same result as in a session that began with this context.
                let kept = large.truncate(n_small - 1);
                assert!(kept == n_small - 1 || kept == 0, "{}", fixture.name);
                large.prefill(&SingleThread, &ids[kept..]).unwrap();
                assert_eq!(bits(large.logits()), expected, "{} truncated to {kept}", fixture.name);
            });
        }
    }
}

#[test]
fn what_was_forgotten_stays_forgotten() {
    let fixture = Fixture::read(&fixture("archs"), "llama");
    with_sessions(&fixture.gguf, [256, 512], KvType::F32, |[mut small, mut large]| {
        let ids: Vec<u32> = fixture.ids.iter().copied().cycle().take(200).collect();
        large.prefill(&SingleThread, &ids[..150]).unwrap();
        let expected = bits(large.logits());
        small.prefill(&SingleThread, &ids).unwrap();
        assert_eq!(small.truncate(140), 140);
        assert!(large.adopt(&small));
        large.prefill(&SingleThread, &ids[140..150]).unwrap();
        assert_eq!(bits(large.logits()), expected);
        // An empty session has nothing to bring.
        small.reset();
        assert!(large.adopt(&small));
        assert_eq!(large.position(), 0);
    });
}

#[test]
fn sessions_that_compute_differently_are_refused() {
    let fixture = Fixture::read(&fixture("archs"), "llama");
    // A shorter context, and another model with the same sizes.
    with_sessions(&fixture.gguf, [256, 128], KvType::F16, |[mut small, mut shorter]| {
        small.prefill(&SingleThread, &fixture.ids[..4]).unwrap();
        shorter.prefill(&SingleThread, &fixture.ids[..2]).unwrap();
        assert!(!shorter.adopt(&small));
        assert_eq!(shorter.position(), 0);
    });
    with_sessions(&fixture.gguf, [128, 128], KvType::F16, |[mut one, _]| {
        with_sessions(&fixture.gguf, [256, 256], KvType::F16, |[_, mut other]| {
            one.prefill(&SingleThread, &fixture.ids[..4]).unwrap();
            assert!(!other.adopt(&one));
        });
    });
}

/// With long and short factors of RoPE a longer context has other angles, so the old keys cannot be used.
#[test]
fn other_angles_are_refused() {
    let fixture = Fixture::read(&fixture("archs"), "phi3");
    let mut file = copy(&Gguf::parse(&fixture.gguf).unwrap());
    for (kind, factor) in [("short", 1.0_f32), ("long", 2.0)] {
        let data = [factor; 8].iter().flat_map(|f| f.to_le_bytes()).collect();
        let name = format!("rope_factors_{kind}.weight").into_bytes();
        file.tensors.push(Tensor { name, dims: vec![8], ggml_type: 0, data, ..Tensor::default() });
    }
    let bytes = file.finish().bytes;
    // The original context is 64.
    for (contexts, same) in [([32, 64], true), ([64, 65], false), ([128, 256], true)] {
        with_sessions(&bytes, contexts, KvType::F16, |[mut small, mut large]| {
            small.prefill(&SingleThread, &fixture.ids[..8]).unwrap();
            assert_eq!(large.adopt(&small), same, "{contexts:?}");
        });
    }
}
