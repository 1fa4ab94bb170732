//! Compares embeddings of texts with vectors that an independent engine recorded, and with themselves: batches, threads
//! and kernel tables must not change a bit.

use nanocamelid_engine::config::Pooling;
use nanocamelid_engine::session::normalize;
use nanocamelid_engine::{Executor, Gguf, Model, SessionError, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::{Kernels, KvType, WeightType, reference};
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::tables::{best, tables};
use nanocamelid_tests::tiny_model::{Sizes, tiny_model, tiny_model_of};
use nanocamelid_tests::{ScopedThreads, bits, fixture, fixtures, fnv1a, read_f32};
use std::fs;

/// Largest difference from a recorded value. The `exact` values come from f64 arithmetic with the GELU that BERT was
/// trained with. The others come from llama.cpp, which reads GELU's tanh form, rounded to f16, from a table.
fn bound(name: &str) -> f32 {
    if name.ends_with(".exact") { 2e-5 } else { 2e-3 }
}

/// Least cosine of two vectors.
const COSINE: f64 = 0.9999;

/// One model, a text, and its vector: pooled, not brought to length 1.
struct Embedded {
    name: String,
    gguf: Vec<u8>,
    ids: Vec<u32>,
    vector: Vec<f32>,
}

/// `MODEL.TEXT.ids` and `.embd.f32` beside `MODEL.gguf`.
fn recorded() -> Vec<Embedded> {
    let folder = fixture("embed");
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter_map(|name| name.strip_suffix(".ids").map(String::from)).collect();
    names.sort();
    assert!(!names.is_empty(), "{} holds no texts", folder.display());
    let read = |name: &String| {
        let model = name.split('.').next().unwrap_or(name);
        let ids = fs::read_to_string(folder.join(format!("{name}.ids"))).unwrap();
        Embedded {
            name: name.clone(),
            gguf: fs::read(folder.join(format!("{model}.gguf"))).unwrap(),
            ids: ids.trim().split(',').map(|id| id.parse().unwrap()).collect(),
            vector: read_f32(&folder.join(format!("{name}.embd.f32"))),
        }
    };
    names.iter().map(read).collect()
}

fn options(n_ctx: usize, n_batch: usize) -> SessionOptions {
    SessionOptions { n_ctx, n_batch, kv_type: KvType::F32, n_workers: 4, ..Default::default() }
}

/// The embedding of a text; the model's own pooling where none is given.
fn embed(
    gguf: &[u8],
    ids: &[u32],
    pooling: Option<Pooling>,
    kernels: &'static Kernels,
    n_batch: usize,
    executor: &dyn Executor,
) -> Vec<f32> {
    let gguf = Gguf::parse(gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let pooling = pooling.or(model.config.pooling).expect("a pooling");
    let plan = SessionPlan::new(&model, kernels, options(ids.len(), n_batch)).unwrap();
    let mut arena = vec![0xA5u8; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let mut vector = vec![f32::NAN; model.config.n_embd];
    session.embed(executor, ids, pooling, &mut vector).unwrap();
    vector
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn vectors_are_those_recorded() {
    let mut failures = Vec::new();
    for text in recorded() {
        let ours = embed(&text.gguf, &text.ids, None, best(), 512, &SingleThread);
        assert_eq!(ours.len(), text.vector.len(), "{}", text.name);
        let worst = ours.iter().zip(&text.vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let cosine = cosine(&ours, &text.vector);
        println!("{}: max abs difference {worst:.2e}, cosine {cosine:.7}", text.name);
        if !(worst <= bound(&text.name) && cosine > COSINE) {
            failures.push(text.name);
        }
    }
    assert_eq!(failures, Vec::<String>::new(), "beyond the bounds");
}

/// FNV-1a 64 over the little-endian f32 values, recorded once: the same on every machine.
const DIGESTS: &[(&str, u64)] = &[
    ("bert", 0x296c_3aba_6f21_aa69),
    ("bert.exact", 0x296c_3aba_6f21_aa69),
    ("bert.long", 0xc5ae_63fc_74ee_d2f0),
    ("gemma-embedding", 0xfef5_0d38_1634_3d2d),
    ("gemma-embedding.long", 0xb4cd_ff51_38e4_b867),
    ("nomic-bert", 0x56aa_899b_ecf0_3c5d),
    ("nomic-bert.long", 0x7226_607a_7493_e645),
];

#[test]
fn vectors_have_the_recorded_digests_on_every_machine() {
    let mut wrong = Vec::new();
    for text in recorded() {
        let vector = embed(&text.gguf, &text.ids, None, best(), 512, &SingleThread);
        let digest = fnv1a(vector.iter().flat_map(|value| value.to_le_bytes()));
        if !DIGESTS.contains(&(&text.name, digest)) {
            println!("    (\"{}\", {digest:#018x}),", text.name);
            wrong.push(text.name);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Networks whose rows no band size divides, with weights and embeddings in blocks.
#[test]
fn odd_widths_and_formats_do_not_move_a_bit() {
    let ids: Vec<u32> = (0..33).map(|i| 3 + i * 5 % 30).collect();
    for (kind, n_heads, n_ff, weight_type) in [
        ("bert", 2, 160, WeightType::Q8_0),
        ("bert", 2, 100, WeightType::F16),
        ("nomic-bert", 2, 288, WeightType::Q4_0),
        ("gemma-embedding", 6, 96, WeightType::Q8_0),
    ] {
        let sizes = Sizes { n_heads, n_ff, weight_type: Some(weight_type) };
        let bytes = tiny_model_of(kind, &sizes).finish().bytes;
        let of = |kernels, threads| bits(&embed(&bytes, &ids, None, kernels, 512, &ScopedThreads(threads)));
        let expected = of(&reference::TABLE, 1);
        for kernels in tables() {
            for threads in [1, 3] {
                assert_eq!(of(kernels, threads), expected, "{kind} in {} on {}", weight_type.name(), kernels.name());
            }
        }
    }
}

#[test]
fn threads_and_tables_do_not_move_a_bit() {
    for text in recorded() {
        let expected = bits(&embed(&text.gguf, &text.ids, None, best(), 512, &SingleThread));
        for kernels in tables() {
            for threads in [1, 3] {
                let ours = embed(&text.gguf, &text.ids, None, kernels, 7, &ScopedThreads(threads));
                assert_eq!(bits(&ours), expected, "{} on {}, {threads} threads", text.name, kernels.name());
            }
        }
    }
}

/// A decoder computes a text in batches; neither the hidden states nor their sum depend on the batch size.
#[test]
fn batches_do_not_move_a_bit() {
    for fixture in fixtures("archs").into_iter().filter(|f| ["qwen3", "gemma3", "qwen35", "lfm2"].contains(&&*f.name)) {
        for pooling in Pooling::ALL {
            let [one, seven, all] = [1, 7, 512].map(|n_batch| {
                bits(&embed(&fixture.gguf, &fixture.ids, Some(pooling), best(), n_batch, &ScopedThreads(2)))
            });
            assert_eq!(one, all, "{} {}", fixture.name, pooling.name());
            assert_eq!(seven, all, "{} {}", fixture.name, pooling.name());
        }
    }
}

/// The mean pooling equals the mean of the vectors of last pooling over each prefix of the text.
#[test]
fn a_mean_of_a_decoder_is_that_of_its_last_tokens() {
    let bytes = tiny_model("qwen3").finish().bytes;
    let ids = [3, 7, 1, 12, 5];
    let of = |ids: &[u32], pooling| embed(&bytes, ids, Some(pooling), best(), 4, &SingleThread);
    let last: Vec<Vec<f32>> = (1..=ids.len()).map(|n| of(&ids[..n], Pooling::Last)).collect();
    let mean: Vec<f32> = (0..last[0].len()).map(|i| last.iter().map(|v| v[i]).sum::<f32>() / 5.0).collect();
    assert!(cosine(&mean, &of(&ids, Pooling::Mean)) > 0.999_999);
    assert_eq!(bits(&of(&ids, Pooling::Cls)), bits(&last[0]));
}

/// In an encoder the first token sees the last; in a decoder it does not.
#[test]
fn only_encoders_look_ahead() {
    let first = |kind, ids: &[u32]| {
        let bytes = tiny_model(kind).finish().bytes;
        bits(&embed(&bytes, ids, Some(Pooling::Cls), best(), 512, &SingleThread))
    };
    assert_eq!(first("gemma3", &[3, 7, 9]), first("gemma3", &[3, 7, 10]));
    assert_ne!(first("gemma-embedding", &[3, 7, 9]), first("gemma-embedding", &[3, 7, 10]));
    // Both layers have a window of four, half of it on either side: two layers reach over four tokens.
    let far = |last| first("gemma-embedding", &[3, 7, 9, 11, 13, last]);
    assert_eq!(far(4), far(5));
    let near = |last| first("gemma-embedding", &[3, 7, 9, 11, last]);
    assert_ne!(near(4), near(5));
}

/// BERT adds the embeddings of the position and of the first token type to a token's embedding.
#[test]
fn positions_and_types_count() {
    let of = |file: &GgufWriter| bits(&embed(&file.finish().bytes, &[3, 3, 3], None, best(), 512, &SingleThread));
    let file = tiny_model("bert");
    let expected = of(&file);
    let change = |name: &str, row: usize| {
        let mut changed = file.clone();
        let tensor = changed.tensors.iter_mut().find(|tensor| tensor.name == name.as_bytes()).unwrap();
        let n_rows = tensor.dims[1] as usize;
        let row_bytes = tensor.data.len() / n_rows;
        tensor.data[row * row_bytes..][..row_bytes].fill(0x3c);
        of(&changed)
    };
    assert_ne!(change("token_types.weight", 0), expected);
    assert_eq!(change("token_types.weight", 1), expected);
    assert_ne!(change("position_embd.weight", 2), expected);
    assert_eq!(change("position_embd.weight", 3), expected);
}

#[test]
fn positions_without_an_embedding_are_refused() {
    let bytes = tiny_model("bert").finish().bytes;
    let gguf = Gguf::parse(&bytes).unwrap();
    let model = Model::new(&gguf).unwrap();
    assert!(SessionPlan::new(&model, best(), options(64, 64)).is_ok());
    let refused = SessionPlan::new(&model, best(), options(65, 65)).unwrap_err();
    assert_eq!(refused, SessionError::Positions { n_ctx: 65, n_positions: 64 });
}

/// An earlier text does not change the embedding of a later one.
#[test]
fn every_text_is_a_new_one() {
    for kind in ["gemma-embedding", "bert", "nomic-bert", "qwen3"] {
        let bytes = tiny_model(kind).finish().bytes;
        let gguf = Gguf::parse(&bytes).unwrap();
        let model = Model::new(&gguf).unwrap();
        let plan = SessionPlan::new(&model, best(), options(8, 3)).unwrap();
        let mut arena = vec![0u8; plan.required_bytes()];
        let mut session = plan.start(&mut arena).unwrap();
        let mut embed = |ids: &[u32]| {
            let mut vector = vec![0.0; model.config.n_embd];
            session.embed(&SingleThread, ids, Pooling::Mean, &mut vector).map(|()| bits(&vector))
        };
        let short = embed(&[4, 5]).unwrap();
        let long = embed(&[9, 8, 7, 6, 5, 4, 3, 2]).unwrap();
        assert_ne!(short, long);
        let too_long = embed(&[1; 9]);
        assert_eq!(too_long, Err(SessionError::ContextFull { n_ctx: 8, wanted: 9 }), "{kind}");
        assert_eq!(embed(&[]), Err(SessionError::Empty));
        let n_vocab = model.config.n_vocab;
        assert_eq!(embed(&[1, n_vocab as u32]), Err(SessionError::Token { token: n_vocab as u32, n_vocab }));
        assert_eq!(embed(&[4, 5]).unwrap(), short, "{kind}");
    }
}

/// Something else runs between two batches, and may end the embedding; the next one is a new one.
#[test]
fn embeddings_leave_time_for_something_else() {
    let bytes = tiny_model("qwen3").finish().bytes;
    let gguf = Gguf::parse(&bytes).unwrap();
    let model = Model::new(&gguf).unwrap();
    let plan = SessionPlan::new(&model, best(), options(8, 3)).unwrap();
    let mut arena = vec![0u8; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let mut embed = |most: usize| {
        let (mut n_beside, mut vector) = (0, vec![0.0; model.config.n_embd]);
        let mut beside = || {
            n_beside += 1;
            n_beside <= most
        };
        let ids = [9, 8, 7, 6, 5, 4, 3, 2];
        let whole = session.embed_beside(&SingleThread, &ids, Pooling::Mean, &mut vector, &mut beside).unwrap();
        (whole, n_beside, bits(&vector))
    };
    let first = embed(2);
    assert_eq!((first.0, first.1), (true, 2));
    for most in [0, 1] {
        let given_up = embed(most);
        assert_eq!((given_up.0, given_up.1), (false, most + 1));
    }
    assert_eq!(embed(9), first);
}

#[test]
fn an_encoder_has_no_logits() {
    let bytes = tiny_model("bert").finish().bytes;
    let gguf = Gguf::parse(&bytes).unwrap();
    let model = Model::new(&gguf).unwrap();
    let plan = SessionPlan::new(&model, best(), options(8, 8)).unwrap();
    let mut arena = vec![0u8; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    assert_eq!(session.prefill(&SingleThread, &[1]), Err(SessionError::NoHead));
    assert_eq!(session.prefill_each(&SingleThread, &[1], &mut |_, _| {}), Err(SessionError::NoHead));
}

#[test]
fn a_part_of_a_model_embeds_nothing() {
    let bytes = tiny_model("qwen3").finish().bytes;
    let gguf = Gguf::parse(&bytes).unwrap();
    for (range, expected) in [(0..1, SessionError::NoEnd), (1..2, SessionError::WrongInput)] {
        let model = Model::with_layers(&gguf, range).unwrap();
        let plan = SessionPlan::new(&model, best(), options(8, 8)).unwrap();
        let mut arena = vec![0u8; plan.required_bytes()];
        let mut session = plan.start(&mut arena).unwrap();
        let mut vector = vec![0.0; model.config.n_embd];
        assert_eq!(session.embed(&SingleThread, &[1], Pooling::Last, &mut vector), Err(expected));
    }
}

/// The pooling that the file names, or the message with which the file is refused.
fn pooling_of(file: &GgufWriter) -> Result<Option<Pooling>, String> {
    let bytes = file.finish().bytes;
    let gguf = Gguf::parse(&bytes).unwrap();
    Model::new(&gguf).map(|model| model.config.pooling).map_err(|error| error.to_string())
}

#[test]
fn poolings_are_read_or_refused_by_name() {
    for kind in ["gemma-embedding", "bert", "qwen3"] {
        let key = format!("{kind}.pooling_type");
        let mut file = tiny_model(kind);
        file.entries.retain(|(name, _)| *name != key.as_bytes());
        assert_eq!(pooling_of(&file), Ok(None), "{kind}");
        let known = [(0, None), (1, Some(Pooling::Mean)), (2, Some(Pooling::Cls)), (3, Some(Pooling::Last))];
        for (number, expected) in known {
            file.set(&key, Value::u32(number));
            assert_eq!(pooling_of(&file), Ok(expected), "{kind}");
        }
        file.set(&key, Value::u32(4));
        let refused = pooling_of(&file).unwrap_err();
        assert!(refused.contains("rank"), "{refused}");
        for bad in [Value::u32(5), Value::i32(-1), Value::string("mean")] {
            file.set(&key, bad);
            assert_eq!(
                pooling_of(&file).unwrap_err(),
                format!("metadata key {key} has an unusable type, length or value")
            );
        }
    }
}

#[test]
fn layers_behind_the_pooling_agree_or_are_refused() {
    let mut file = tiny_model("gemma-embedding");
    assert_eq!(pooling_of(&file), Ok(Some(Pooling::Mean)));
    file.set("gemma-embedding.dense_3_feat_in", Value::u32(5));
    assert!(pooling_of(&file).unwrap_err().contains("dense_3_feat_in"));
    let mut file = tiny_model("gemma-embedding");
    file.tensors.retain(|tensor| tensor.name != b"dense_3.weight");
    assert_eq!(pooling_of(&file).unwrap_err(), "tensor dense_3.weight is missing");
    // Many files have neither.
    file.tensors.retain(|tensor| tensor.name != b"dense_2.weight");
    assert_eq!(pooling_of(&file), Ok(Some(Pooling::Mean)));
}

#[test]
fn a_vector_is_brought_to_length_1() {
    let mut vector = [3.0, 0.0, -4.0];
    normalize(&mut vector);
    assert_eq!(vector, [0.6, 0.0, -0.8]);
    let mut zeros = [0.0; 4];
    normalize(&mut zeros);
    assert_eq!(zeros, [0.0; 4]);
    // Squares that no f32 holds.
    let scale = 2f32.powi(100);
    let mut large = [3.0 * scale, 4.0 * scale];
    normalize(&mut large);
    assert_eq!(large, [0.6, 0.8]);
}
