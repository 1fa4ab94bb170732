//! Compares every architecture with logits that an independent engine recorded, and with itself: batch splits, threads
//! and kernel tables must not change a bit.

use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::{Kernels, KvType, WeightType, reference};
use nanocamelid_tests::tables::{best, optimized};
use nanocamelid_tests::tiny_model::{Sizes, tiny_model, tiny_model_of};
use nanocamelid_tests::{Fixture, ScopedThreads, argmax, fixture, fixtures, is_emulated};

/// Largest difference from a recorded logit. Gemma 4 differs more, because llama.cpp computes GELU through f16 in two
/// networks of each layer.
fn bound(name: &str) -> f32 {
    if name.starts_with("gemma4") { 3e-3 } else { 2e-3 }
}

fn options(n_batch: usize) -> SessionOptions {
    SessionOptions { n_ctx: 96, n_batch, n_outputs: 3, kv_type: KvType::F32, n_workers: 4, ..Default::default() }
}

/// Logits at every position, computed with this batch size.
fn logits(fixture: &Fixture, kernels: &'static Kernels, n_batch: usize, threads: usize) -> Vec<f32> {
    logits_of(&fixture.name, &fixture.gguf, &fixture.ids, kernels, n_batch, threads)
}

fn logits_of(
    name: &str,
    gguf: &[u8],
    ids: &[u32],
    kernels: &'static Kernels,
    n_batch: usize,
    threads: usize,
) -> Vec<f32> {
    let gguf = Gguf::parse(gguf).unwrap_or_else(|e| panic!("{name}: {e}"));
    let model = Model::new(&gguf).unwrap_or_else(|e| panic!("{name}: {e}"));
    let plan = SessionPlan::new(&model, kernels, options(n_batch)).unwrap();
    let mut arena = vec![0xA5u8; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let mut all = Vec::new();
    session.prefill_each(&ScopedThreads(threads), ids, &mut |_, l| all.extend_from_slice(l)).unwrap();
    all
}

/// Asserts that every optimized table returns the scalar table's bits, in several batches and on several threads.
fn assert_no_bit_moves(name: &str, gguf: &[u8], ids: &[u32]) {
    let scalar = &reference::TABLE;
    let expected = logits_of(name, gguf, ids, scalar, 512, 1);
    assert!(expected.iter().all(|logit| logit.is_finite()), "{name}");
    for kernels in optimized() {
        // Batch sizes on several threads and on one. How work is split among threads does not depend on the table, so
        // the best one shows that, and the others compute every batch size once. An emulator has no time for both.
        let (several, one) = ([(1, 2), (7, 3), (512, 4)], [(1, 1), (7, 1), (512, 1)]);
        let splits = match (kernels.name() == best().name(), is_emulated()) {
            (false, _) => one.to_vec(),
            (true, true) => several.to_vec(),
            (true, false) => [several, one].concat(),
        };
        for (n_batch, threads) in splits {
            let ours = logits_of(name, gguf, ids, kernels, n_batch, threads);
            let same = ours.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{name}: {} batch {n_batch} threads {threads}", kernels.name());
        }
    }
}

/// All architectures, or where an emulator takes minutes, one for each kind of block.
fn subjects() -> Vec<Fixture> {
    let kinds = ["llama32", "gemma3", "gemma4", "gpt-oss", "granitehybrid", "lfm2", "qwen35", "qwen3moe"];
    let some = || kinds.map(|name| Fixture::read(&fixture("archs"), name)).into();
    let subjects = if is_emulated() { some() } else { fixtures("archs") };
    assert!(subjects.len() >= kinds.len(), "a kind has another name");
    subjects
}

#[test]
fn logits_are_within_the_bound_of_an_independent_engine() {
    let scalar = &reference::TABLE;
    let mut failures = Vec::new();
    for fixture in subjects() {
        let ours = logits(&fixture, scalar, 512, 1);
        assert_eq!(ours.len(), fixture.logits.len(), "{}", fixture.name);
        let worst = ours.iter().zip(&fixture.logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{}: max abs difference {worst:.2e}", fixture.name);
        if worst > bound(&fixture.name) {
            failures.push(fixture.name);
        }
    }
    assert_eq!(failures, Vec::<String>::new(), "beyond the bound");
}

#[test]
fn greedy_continuations_are_equal() {
    let kernels = best();
    for fixture in subjects() {
        let gguf = Gguf::parse(&fixture.gguf).unwrap();
        let model = Model::new(&gguf).unwrap();
        let plan = SessionPlan::new(&model, kernels, options(512)).unwrap();
        let mut arena = vec![0u8; plan.required_bytes()];
        let mut session = plan.start(&mut arena).unwrap();
        let mut next = argmax(session.prefill(&SingleThread, &fixture.ids).unwrap());
        let mut ids = Vec::new();
        for _ in 0..fixture.greedy.len() {
            ids.push(next);
            next = argmax(session.decode(&SingleThread, next).unwrap());
        }
        assert_eq!(ids, fixture.greedy, "{}", fixture.name);
    }
}

#[test]
fn batches_threads_and_tables_do_not_move_a_bit() {
    for fixture in subjects() {
        assert_no_bit_moves(&fixture.name, &fixture.gguf, &fixture.ids);
    }
}

/// Networks and biases whose rows no band size divides, and experts whose inputs are quantized.
#[test]
fn odd_widths_do_not_move_a_bit() {
    let ids: Vec<u32> = (0..33).map(|i| 3 + i * 5 % 30).collect();
    for (kind, n_heads, n_ff, weight_type) in [
        ("llama", 2, 160, WeightType::Q8_0),
        ("llama", 2, 288, WeightType::Q4_0),
        ("llama", 2, 100, WeightType::F16),
        ("qwen2", 26, 96, WeightType::Q4_0),
        ("qwen2", 41, 96, WeightType::F32),
        ("mixtral", 2, 160, WeightType::Q8_0),
        ("qwen3moe", 2, 96, WeightType::Q4_0),
        ("qwen35moe", 6, 96, WeightType::Q8_0),
        ("qwen3next-woven", 2, 160, WeightType::Q4_0),
    ] {
        let sizes = Sizes { n_heads, n_ff, weight_type: Some(weight_type) };
        let name = format!("{kind}, {n_heads} heads, {n_ff} wide, {}", weight_type.name());
        assert_no_bit_moves(&name, &tiny_model_of(kind, &sizes).finish().bytes, &ids);
    }
}

#[test]
fn the_work_of_a_token_is_counted() {
    let macs = |kind| Model::new(&Gguf::parse(&tiny_model(kind).finish().bytes).unwrap()).unwrap().layer_macs();
    // Everything is 32 wide but one KV head of 16. Of two layers the first does all: q and output, k and v; gate, up
    // and down. In the last one a token of a prompt leaves its keys and values.
    let keys_values = 2 * 32 * 16;
    assert_eq!(macs("llama"), 2 * 32 * 32 + keys_values + 3 * 32 * 32 + keys_values);
    // A router for four experts, of which two serve a token.
    assert_eq!(macs("mixtral"), 2 * 32 * 32 + keys_values + 32 * 4 + 2 * 3 * 32 * 32 + keys_values);
    // The last layer reads what the first keeps, which is all that a token of a prompt must leave.
    assert_eq!(macs("gemma4"), keys_values);
    // In an encoder every token goes to the end; BERT's networks have no gate.
    assert_eq!(macs("gemma-embedding"), 2 * (2 * 32 * 32 + keys_values + 3 * 32 * 32));
    assert_eq!(macs("bert"), 2 * (2 * 32 * 32 + keys_values + 2 * 32 * 32));
}

#[test]
fn blocks_describe_themselves() {
    let facts = |kind| Model::new(&Gguf::parse(&tiny_model(kind).finish().bytes).unwrap()).unwrap().facts();
    let heads = [("n_heads", 2), ("n_kv_heads", 1), ("key_dim", 16), ("value_dim", 16)];
    assert_eq!(facts("llama"), [&heads[..], &[("n_ff", 32)]].concat());
    assert_eq!(facts("mixtral"), [&heads[..], &[("n_ff", 32), ("n_experts", 4), ("n_experts_used", 2)]].concat());
    assert_eq!(facts("lfm2"), [&[("n_convolution_layers", 1), ("n_ff", 32)], &heads[..]].concat());
    let net = [("ssm_state_size", 8), ("n_ssm_key_heads", 2), ("n_ssm_value_heads", 4), ("n_recurrent_layers", 1)];
    assert_eq!(facts("qwen35"), [&net[..], &[("n_ff", 32)], &heads[..]].concat());
    // Both layers of gemma3 are windowed, and the first layer of gemma2.
    for (kind, n_windowed) in [("gemma3", 2), ("gemma2", 1)] {
        let windows = [("sliding_window", 4), ("n_windowed_layers", n_windowed)];
        assert_eq!(facts(kind), [&heads[..], &windows, &[("n_ff", 32)]].concat(), "{kind}");
    }
}

#[test]
fn what_a_token_costs_is_counted() {
    let file = |kind| tiny_model(kind).finish().bytes;
    let kv_bytes = |kind| {
        let bytes = file(kind);
        Model::new(&Gguf::parse(&bytes).unwrap()).unwrap().kv_bytes_per_token(KvType::F16)
    };
    // A key and a value of 16 in each of two layers; windowed layers and convolutions do not grow.
    let layer = 2 * 16 * 2;
    assert_eq!(["llama", "gemma2", "gemma3", "lfm2"].map(kv_bytes), [2 * layer, layer, 0, layer]);

    let state_bytes = |kind| {
        let bytes = file(kind);
        Model::new(&Gguf::parse(&bytes).unwrap()).unwrap().state_bytes()
    };
    // Two taps of 32 channels. Two taps of 64 channels and a state of 8 for each of 32 rows. The same two taps, and in
    // each of four heads 8 rows of a band of 16 columns, of which 8 are used.
    let expected = [0, 2 * 32 * 4, (2 * 64 + 32 * 8) * 4, (2 * 64 + 4 * 8 * 16) * 4];
    assert_eq!(["gemma2", "lfm2", "granitehybrid", "qwen35"].map(state_bytes), expected);

    let dense = file("qwen3");
    let gguf = Gguf::parse(&dense).unwrap();
    let model = Model::new(&gguf).unwrap();
    let [weights, experts] = model.weights();
    assert!(experts.is_empty() && !model.has_experts());
    // Seven matrices in each layer, and the head; the row of the embedding comes on top.
    assert_eq!(weights.len(), 2 * 7 + 1);
    let bytes: usize = weights.iter().map(|matrix| matrix.len()).sum();
    let embedding_row = gguf.tensor("token_embd.weight").unwrap().data().len() / model.config.n_vocab;
    assert_eq!(model.bytes_per_token(), (bytes + embedding_row) as u64);
    assert_eq!(model.weight_bytes(), bytes as u64);

    let mixture = file("mixtral");
    let gguf = Gguf::parse(&mixture).unwrap();
    let model = Model::new(&gguf).unwrap();
    let [weights, experts] = model.weights();
    let n_bytes = |slices: &[&[u8]]| slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
    let (n_experts, n_used) = (4, 2);
    assert_eq!(experts.len(), 2 * 3 * n_experts);
    assert!(model.has_experts());
    assert_eq!(model.weight_bytes(), n_bytes(&weights) + n_bytes(&experts));
    let embedding_row = (gguf.tensor("token_embd.weight").unwrap().data().len() / model.config.n_vocab) as u64;
    let of_a_token = n_bytes(&experts) / n_experts as u64 * n_used;
    assert_eq!(model.bytes_per_token(), n_bytes(&weights) + of_a_token + embedding_row);
}
