//! Gated delta nets: the different forms that converters write, files that are refused, and sections of rotated pairs.

use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::KvType;
use nanocamelid_tests::gguf_copy::copy;
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::tables::best;
use nanocamelid_tests::tiny_model::{architecture, tiny_model};
use nanocamelid_tests::{Fixture, fixture};

fn recorded(name: &str) -> (Fixture, GgufWriter) {
    let fixture = Fixture::read(&fixture("archs"), name);
    let file = copy(&Gguf::parse(&fixture.gguf).unwrap());
    (fixture, file)
}

/// Logits at all positions.
fn logits(file: &GgufWriter, ids: &[u32]) -> Vec<f32> {
    let bytes = file.finish().bytes;
    let gguf = Gguf::parse(&bytes).unwrap();
    let model = Model::new(&gguf).unwrap_or_else(|error| panic!("{error}"));
    let options = SessionOptions { n_ctx: 64, n_batch: 9, kv_type: KvType::F32, ..Default::default() };
    let plan = SessionPlan::new(&model, best(), options).unwrap();
    let mut arena = vec![0xff; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let mut all = Vec::new();
    session.prefill_each(&SingleThread, ids, &mut |_, logits| all.extend_from_slice(logits)).unwrap();
    all
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The message with which a file is refused.
fn refusals(file: &GgufWriter) -> String {
    let bytes = file.finish().bytes;
    Model::new(&Gguf::parse(&bytes).unwrap()).map(|_| ()).expect_err("a defect").to_string()
}

#[track_caller]
fn assert_refused(kind: &str, key: &str, value: Option<Value>) {
    let mut file = tiny_model(kind);
    let name = format!("{}.{key}", architecture(kind));
    match value {
        Some(value) => file.set(&name, value),
        None => file.remove(&name),
    }
    assert!(refusals(&file).contains(&name), "{kind}, {key}: {}", refusals(&file));
}

/// The data of a tensor, which is taken out of the file, and its rows' bytes.
fn take(file: &mut GgufWriter, name: &str) -> (Vec<u8>, usize) {
    let at = file.tensors.iter().position(|tensor| tensor.name == name.as_bytes());
    let tensor = file.tensors.remove(at.unwrap_or_else(|| panic!("no tensor {name}")));
    assert_eq!(tensor.ggml_type, 0);
    (tensor.data, 4 * tensor.dims[0] as usize)
}

/// Interleaves the rows of several matrices into one: for every key head, so many rows of each matrix in turn.
fn weave(parts: &[(&[u8], usize)], row_bytes: usize, n_heads: usize) -> Vec<u8> {
    let mut woven = Vec::new();
    for head in 0..n_heads {
        for (data, n_rows) in parts {
            let n_bytes = n_rows * row_bytes;
            woven.extend_from_slice(&data[head * n_bytes..][..n_bytes]);
        }
    }
    woven
}

#[test]
fn projections_may_be_woven_by_key_head() {
    let (fixture, mut file) = recorded("qwen3next");
    let expected = logits(&file, &fixture.ids);
    for layer in 0..3 {
        let (qkv, row_bytes) = take(&mut file, &format!("blk.{layer}.attn_qkv.weight"));
        let (gates, _) = take(&mut file, &format!("blk.{layer}.attn_gate.weight"));
        // Two key heads of 16, each with two value heads.
        let (queries, rest) = qkv.split_at(32 * row_bytes);
        let (keys, values) = rest.split_at(32 * row_bytes);
        let woven = weave(&[(queries, 16), (keys, 16), (values, 32), (&gates, 32)], row_bytes, 2);
        file = file.tensor(format!("blk.{layer}.ssm_in.weight"), &[64, 192], 0, woven);
    }
    assert_eq!(logits(&file, &fixture.ids), expected);
}

#[test]
fn rates_may_be_woven_by_key_head() {
    let (fixture, mut file) = recorded("qwen35moe");
    let expected = logits(&file, &fixture.ids);
    for layer in 0..3 {
        let (alpha, row_bytes) = take(&mut file, &format!("blk.{layer}.ssm_alpha.weight"));
        let (beta, _) = take(&mut file, &format!("blk.{layer}.ssm_beta.weight"));
        let woven = weave(&[(&beta, 2), (&alpha, 2)], row_bytes, 2);
        file = file.tensor(format!("blk.{layer}.ssm_ba.weight"), &[64, 8], 0, woven);
    }
    assert_eq!(logits(&file, &fixture.ids), expected);
}

#[test]
fn layers_with_attention_are_named_or_counted() {
    let (fixture, mut file) = recorded("qwen35");
    let expected = logits(&file, &fixture.ids);
    // A file without the key means four.
    file.remove("qwen35.full_attention_interval");
    assert_eq!(logits(&file, &fixture.ids), expected);
    // A list that names the layers goes before the interval.
    file.set("qwen35.full_attention_interval", Value::u32(3));
    assert!(refusals(&file).contains("blk.2.attn_output.weight is missing"), "{}", refusals(&file));
    file.set("qwen35.attention.recurrent_layers", Value::i32s([1, 1, 1, 0, 1, 1, 1, 0]));
    assert_eq!(logits(&file, &fixture.ids), expected);
    for flags in [vec![1, 1, 1, 0, 1, 1, 1], vec![1, 1, 1, 0, 1, 1, 1, 0, 0], vec![]] {
        file.set("qwen35.attention.recurrent_layers", Value::i32s(flags));
        assert!(refusals(&file).contains("qwen35.attention.recurrent_layers"), "{}", refusals(&file));
    }
    file.set("qwen35.attention.recurrent_layers", Value::u32(1));
    assert!(refusals(&file).contains("qwen35.attention.recurrent_layers"), "{}", refusals(&file));
}

#[test]
fn blocks_behind_the_layers_take_no_part() {
    for name in ["qwen35moe", "qwen3next-mtp"] {
        let (fixture, file) = recorded(name);
        let expected = logits(&file, &fixture.ids);
        let mut without = file.clone();
        without.tensors.retain(|tensor| !tensor.name.starts_with(b"blk.4."));
        without.set(&format!("{name}.block_count").replace("-mtp", ""), Value::u32(4));
        without.remove(&format!("{name}.nextn_predict_layers").replace("-mtp", ""));
        if name == "qwen3next-mtp" {
            without.set("qwen3next.attention.recurrent_layers", Value::i32s([1, 1, 1, 0]));
        }
        assert_eq!(logits(&without, &fixture.ids), expected, "{name}");
        // Arrays with an entry for each block have one for that block too.
        let mut array = file.clone();
        let key = format!("{name}.attention.head_count_kv").replace("-mtp", "");
        array.set(&key, Value::i32s([1; 5]));
        assert_eq!(logits(&array, &fixture.ids), expected, "{name}");
        array.set(&key, Value::i32s([1; 4]));
        assert!(refusals(&array).contains(&key), "{}", refusals(&array));
        // A tensor of another block is still refused.
        let stray = file.tensor("blk.5.nextn.enorm.weight", &[64], 0, vec![0; 256]);
        assert!(refusals(&stray).contains("blk.5.nextn.enorm.weight has no place"), "{}", refusals(&stray));
    }
    for n in [2, 3, 1 << 31] {
        assert_refused("qwen35", "nextn_predict_layers", Some(Value::u32(n)));
    }
}

#[test]
fn widths_of_experts_may_follow_from_the_dense_one() {
    let (fixture, mut file) = recorded("qwen3next");
    let expected = logits(&file, &fixture.ids);
    // Two experts of 24 serve a token.
    file.set("qwen3next.feed_forward_length", Value::u32(48));
    file.remove("qwen3next.expert_feed_forward_length");
    assert_eq!(logits(&file, &fixture.ids), expected);
    file.set("qwen3next.feed_forward_length", Value::u32(32));
    file.set("qwen3next.expert_feed_forward_length", Value::u32(24));
    file.remove("qwen3next.expert_shared_feed_forward_length");
    assert_eq!(logits(&file, &fixture.ids), expected);
}

#[test]
fn experts_may_have_gate_and_up_in_one_tensor() {
    let (fixture, mut file) = recorded("qwen35moe");
    let expected = logits(&file, &fixture.ids);
    for layer in 0..4 {
        let (gate, row_bytes) = take(&mut file, &format!("blk.{layer}.ffn_gate_exps.weight"));
        let (up, _) = take(&mut file, &format!("blk.{layer}.ffn_up_exps.weight"));
        let fused = weave(&[(&gate, 24), (&up, 24)], row_bytes, 6);
        file = file.tensor(format!("blk.{layer}.ffn_gate_up_exps.weight"), &[64, 48, 6], 0, fused);
    }
    assert_eq!(logits(&file, &fixture.ids), expected);
}

#[test]
fn pairs_beyond_a_coordinates_section_do_not_turn() {
    let (fixture, mut file) = recorded("qwen35");
    let frequencies = |file: &GgufWriter| {
        let bytes = file.finish().bytes;
        Model::new(&Gguf::parse(&bytes).unwrap()).unwrap().ropes[0].frequencies(64)
    };
    let (expected, even) = (logits(&file, &fixture.ids), frequencies(&file));
    let key = "qwen35.rope.dimension_sections";
    file.remove(key);
    assert_eq!(logits(&file, &fixture.ids), expected);
    // Six pairs are dealt to three coordinates in turn.
    for (sections, turning) in [
        ([6, 0, 0, 0], [0, 3].as_slice()),
        ([2, 1, 3, 0], &[0, 1, 2, 3, 5]),
        ([1, 1, 1, 3], &[0, 1, 2]),
        ([1, 1, 1, 0], &[0, 1, 2, 3, 4, 5]),
    ] {
        file.set(key, Value::i32s(sections));
        let found = frequencies(&file);
        for pair in 0..6 {
            let frequency = if turning.contains(&pair) { even[pair] } else { 0.0 };
            assert_eq!(found[pair], frequency, "pair {pair} of {sections:?}");
        }
    }
    file.set(key, Value::i32s([6, 0, 0, 0]));
    assert!(furthest(&logits(&file, &fixture.ids), &expected) > 0.1);
    for sections in [vec![], vec![3, 3], vec![2, 2, 2, 0, 0], vec![0; 4], vec![0, 0, 0, 6], vec![-1, 3, 3, 0]] {
        assert_refused("qwen35", "rope.dimension_sections", Some(Value::i32s(sections)));
    }
    assert_refused("qwen35", "rope.dimension_sections", Some(Value::u32(2)));
    assert_refused("qwen35", "rope.dimension_sections", Some(Value::i32s([i32::MAX; 4])));
}

#[test]
fn numbers_that_do_not_fit_are_refused_by_name() {
    for kind in ["qwen35", "qwen35moe", "qwen3next", "qwen3next-woven"] {
        for key in ["conv_kernel", "state_size", "group_count", "time_step_rank", "inner_size"] {
            let key = format!("ssm.{key}");
            for value in [Some(Value::u32(0)), Some(Value::u32(u32::MAX)), Some(Value::string("8")), None] {
                assert_refused(kind, &key, value);
            }
        }
        // Four value heads are no multiple of three key heads, and 32 is 4 times 8.
        assert_refused(kind, "ssm.group_count", Some(Value::u32(3)));
        assert_refused(kind, "ssm.inner_size", Some(Value::u32(64)));
        assert_refused(kind, "ssm.conv_kernel", Some(Value::u32(65)));
    }
    assert_refused("qwen35", "full_attention_interval", Some(Value::u32(0)));
    for key in ["expert_count", "expert_used_count"] {
        assert_refused("qwen35moe", key, None);
    }
}

#[test]
fn tensors_of_another_shape_are_refused_by_name() {
    for kind in ["qwen35", "qwen35moe", "qwen3next", "qwen3next-woven"] {
        let file = tiny_model(kind);
        for (at, tensor) in file.tensors.iter().enumerate() {
            let name = String::from_utf8(tensor.name.clone()).unwrap();
            if name.starts_with("blk.2.") {
                // The last block predicts further tokens, and nobody reads its tensors.
                continue;
            }
            let mut changed = file.clone();
            // The tensor gets one row more, or one value more if it is a vector.
            let tensor = &mut changed.tensors[at];
            let last = tensor.dims.last_mut().unwrap();
            let row_bytes = tensor.data.len() / *last as usize;
            *last += 1;
            tensor.data.resize(tensor.data.len() + row_bytes, 0);
            assert!(refusals(&changed).contains(&format!("tensor {name} is ")), "{kind}: {}", refusals(&changed));
            changed.tensors.remove(at);
            // Without a woven matrix, the matrices that it stands for are missing.
            let missing = name.replace("ssm_in", "attn_qkv").replace("ssm_ba", "ssm_alpha");
            assert!(refusals(&changed).contains(&format!("tensor {missing} is missing")), "{kind}, {name}");
        }
    }
}
