//! Prefill, decode, truncate and sample allocate nothing: they use the arena and buffers that were made before.

use nanocamelid_engine::config::Pooling;
use nanocamelid_engine::sampler::{Sampler, SamplerParams};
use nanocamelid_engine::session::{Part, normalize};
use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::KvType;
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::tables::{best, tables};
use nanocamelid_tests::{Fixture, fixture, fixtures};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn nothing_allocates_between_tokens() {
    // All work runs on the calling thread, whose allocations are counted.
    for folder in ["archs", "quants"] {
        for f in fixtures(folder) {
            for kernels in tables() {
                let gguf = Gguf::parse(&f.gguf).unwrap();
                let model = Model::new(&gguf).unwrap();
                let options = SessionOptions { n_ctx: 256, n_batch: 16, n_outputs: 5, ..Default::default() };
                let plan = SessionPlan::new(&model, kernels, options).unwrap();
                let mut arena = vec![0u8; plan.required_bytes()];
                let mut session = plan.start(&mut arena).unwrap();
                let params = SamplerParams { temperature: 0.8, top_k: 40, repeat_penalty: 1.1, ..Default::default() };
                let mut sampler = Sampler::new(params, model.config.n_vocab).unwrap();
                let ((), allocations) = measure(|| {
                    let mut token = sampler.sample(session.prefill(&SingleThread, &f.ids).unwrap()).unwrap();
                    for _ in 0..8 {
                        sampler.accept(token);
                        token = sampler.sample(session.decode(&SingleThread, token).unwrap()).unwrap();
                    }
                    session.truncate(3);
                    session.prefill_each(&SingleThread, &f.ids, &mut |_, _| {}).unwrap();
                });
                assert_eq!(allocations.calls, 0, "{} on {}", f.name, kernels.name());
            }
        }
    }
}

#[test]
fn nothing_allocates_between_batches_of_several_slots() {
    for name in ["gemma4", "qwen35"] {
        let f = Fixture::read(&fixture("archs"), name);
        let gguf = Gguf::parse(&f.gguf).unwrap();
        let model = Model::new(&gguf).unwrap();
        let options = SessionOptions { n_ctx: 300, n_batch: 128, n_slots: 3, n_snapshots: 2, ..Default::default() };
        let plan = SessionPlan::new(&model, best(), options).unwrap();
        let mut arena = vec![0u8; plan.required_bytes()];
        let mut session = plan.start(&mut arena).unwrap();
        let text: Vec<u32> = f.ids.iter().copied().cycle().take(290).collect();
        let ((), allocations) = measure(|| {
            session.prefill(&SingleThread, &text).unwrap();
            for slot in [1, 2, 0] {
                let kept = session.resume(slot, &text);
                let part = |slot| Part { slot, tokens: &text[kept..kept + 1], n_logits: 1 };
                session.step(&SingleThread, &[part(slot)], &mut |_, _, _| {}).unwrap();
                session.truncate_slot(slot, 130);
            }
        });
        assert_eq!(allocations.calls, 0, "{name}");
    }
}

#[test]
fn nothing_allocates_while_a_text_is_embedded() {
    for name in ["bert", "gemma-embedding", "nomic-bert"] {
        let bytes = std::fs::read(fixture(&format!("embed/{name}.gguf"))).unwrap();
        let gguf = Gguf::parse(&bytes).unwrap();
        let model = Model::new(&gguf).unwrap();
        let options = SessionOptions { n_ctx: 64, n_batch: 16, kv_type: KvType::F32, ..Default::default() };
        let plan = SessionPlan::new(&model, best(), options).unwrap();
        let mut arena = vec![0u8; plan.required_bytes()];
        let mut session = plan.start(&mut arena).unwrap();
        let mut vector = vec![0.0; model.config.n_embd];
        let ((), allocations) = measure(|| {
            for ids in [&[2, 7, 8, 9, 3][..], &[2, 3], &[5; 64]] {
                session.embed(&SingleThread, ids, Pooling::Mean, &mut vector).unwrap();
                normalize(&mut vector);
            }
        });
        assert_eq!(allocations.calls, 0, "{name}");
    }
}

#[test]
fn a_model_allocates_no_copy_of_its_weights() {
    let bytes = std::fs::read(fixture("archs/mixtral.gguf")).unwrap();
    let ((), allocations) = measure(|| {
        let gguf = Gguf::parse(&bytes).unwrap();
        let model = Model::new(&gguf).unwrap();
        assert!(model.bytes_per_token() > 0);
    });
    // 2.6 MB of weights; the index and the layers' records are a few KB.
    assert!(allocations.peak_bytes < 64 << 10, "{} bytes", allocations.peak_bytes);
}
