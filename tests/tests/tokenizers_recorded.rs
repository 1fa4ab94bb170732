//! Compares every pre-tokenizer with the ids that llama.cpp gives 858 awkward texts. The vocabulary shows more than
//! where words end: some words are pieces that no merge makes, so a merge that should have been ignored changes ids.
//! Published vocabularies, and one like Gemma 4's, are compared where they are present.

use nanocamelid_engine::gguf::Gguf;
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::vocabularies::{BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED, byte_chars, encode, pieces, with};
use nanocamelid_tests::{fixture, fnv1a, shared_fixtures};
use serde_json::Value as Json;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Names of `tokenizer.ggml.pre`, and the FNV-1a digest of the ids: per text, joined by commas and ended by a newline.
#[rustfmt::skip]
const RECORDED: &[(&str, u64)] = &[
    ("a.x-4.0", 0xfda9_36bb_2db3_338f),
    ("bailingmoe", 0x7c69_db0b_9d75_98a0),
    ("bloom", 0xd283_3447_f334_a115),
    ("chatglm-bpe", 0x084e_d963_153e_b93a),
    ("codeshell", 0x713e_63b4_5442_d6b5),
    ("cohere2moe", 0x494b_2a4f_13df_77b0),
    ("deepseek-coder", 0xa86f_143a_bf83_7d2f),
    ("deepseek-r1-qwen", 0x7c69_db0b_9d75_98a0),
    ("deepseek-v3", 0xe49e_0885_83d2_8b7c),
    ("default", 0x3fa2_fcff_feb1_5d3f),
    ("exaone", 0x713e_63b4_5442_d6b5),
    ("falcon-h1", 0xdace_0de2_bff5_a798),
    ("gigachat", 0xfda9_36bb_2db3_338f),
    ("glm4", 0xdace_0de2_bff5_a798),
    ("gpt-4o", 0x45f2_284a_28df_4f9f),
    ("granite-docling", 0xfda9_36bb_2db3_338f),
    ("granite-embed-multi-97m", 0x8d58_5b7a_bfca_0eba),
    ("grok-2", 0x7c69_db0b_9d75_98a0),
    ("hy_v4", 0xe49e_0885_83d2_8b7c),
    ("jina-de", 0xfda9_36bb_2db3_338f),
    ("jina-v1-en", 0xfda9_36bb_2db3_338f),
    ("jina-v2-de", 0xfda9_36bb_2db3_338f),
    ("jina-v5-nano", 0xdace_0de2_bff5_a798),
    ("kimi-k2", 0x2702_1962_f186_1223),
    ("kormo", 0x7c69_db0b_9d75_98a0),
    ("llama-bpe", 0xdace_0de2_bff5_a798),
    ("llama3", 0xdace_0de2_bff5_a798),
    ("llama4", 0x45f2_284a_28df_4f9f),
    ("megrez", 0x7c69_db0b_9d75_98a0),
    ("mellum", 0xfda9_36bb_2db3_338f),
    ("minerva-7b", 0x713e_63b4_5442_d6b5),
    ("minicpm5", 0x4a76_3b1c_a9f9_11e9),
    ("mpt", 0xfda9_36bb_2db3_338f),
    ("phi-2", 0xfda9_36bb_2db3_338f),
    ("pixtral", 0xdace_0de2_bff5_a798),
    ("poro-chat", 0xd283_3447_f334_a115),
    ("seed-coder", 0xb6b5_4f14_6723_5b4c),
    ("smaug-bpe", 0x084e_d963_153e_b93a),
    ("smollm", 0x713e_63b4_5442_d6b5),
    ("solar-open", 0x7c69_db0b_9d75_98a0),
    ("spark2_5", 0xcc93_ad93_2a0e_c89e),
    ("superbpe", 0xb36d_1767_55b8_7216),
    ("talkie", 0x45f2_284a_28df_4f9f),
    ("trillion", 0xfda9_36bb_2db3_338f),
    ("viking", 0xace2_a5e6_fc83_bf38),
    ("youtu", 0xb3c2_14e1_7033_5b62),
];

fn json(path: &Path) -> Json {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn strings(json: &Json) -> Vec<String> {
    json.as_array().unwrap().iter().map(|string| string.as_str().unwrap().to_string()).collect()
}

#[test]
fn ids_of_a_made_up_vocabulary_equal_llama_cpp() {
    let vocabulary = json(&fixture("tokenizers/vocab.json"));
    let texts = strings(&json(&fixture("tokenizers/texts.json")));
    let mut tokens = strings(&vocabulary["tokens"]);
    let types = vec![NORMAL; tokens.len()].into_iter().chain([CONTROL; 2]);
    tokens.extend(["<|bos|>", "<|im_end|>"].map(String::from));
    let writer = GgufWriter::new()
        .entry("tokenizer.ggml.model", Value::string("gpt2"))
        .entry("tokenizer.ggml.tokens", Value::strings(&tokens))
        .entry("tokenizer.ggml.token_type", Value::i32s(types))
        .entry("tokenizer.ggml.merges", Value::strings(strings(&vocabulary["merges"])));
    for &(pre, recorded) in RECORDED {
        let mut writer = writer.clone();
        writer.set("tokenizer.ggml.pre", Value::string(pre));
        let digest = with(&writer, |tokenizer| {
            let line = |text| {
                let ids: Vec<String> = encode(tokenizer, text, false).iter().map(u32::to_string).collect();
                ids.join(",") + "\n"
            };
            fnv1a(texts.iter().flat_map(|text| line(text).into_bytes()))
        });
        assert_eq!(digest, recorded, "{pre}");
    }
}

/// Tokens found before anything else, for vocabularies that are to have some.
const USER: &[&str] = &[
    "<think>",
    "</think>",
    "<tool_call>",
    "  ",
    "    ",
    "\t\t",
    "\n\n\n",
    "HTTP",
    "==",
    " hello",
    "<|im_start|>",
    "\u{4e00}\u{4e8c}",
];

/// A published vocabulary.
struct Published {
    tokens: Vec<String>,
    types: Vec<i32>,
    scores: Vec<f32>,
    merges: Vec<String>,
}

fn published(path: &Path) -> Published {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let gguf = Gguf::parse(&bytes).unwrap();
    let array = |key: &str| gguf.value(&format!("tokenizer.ggml.{key}")).and_then(|value| value.as_array());
    let texts = |key| {
        let strings = array(key).and_then(|array| array.strings());
        strings.map(|strings| strings.map(|s| String::from_utf8(s.to_vec()).unwrap()).collect()).unwrap_or_default()
    };
    Published {
        tokens: texts("tokens"),
        merges: texts("merges"),
        types: array("token_type").unwrap().iter().map(|v| v.as_i64().unwrap() as i32).collect(),
        scores: array("scores").map(|array| array.iter().map(|v| v.as_f32().unwrap()).collect()).unwrap_or_default(),
    }
}

/// A byte-level vocabulary as one of characters, with U+2581 for spaces and tokens for bytes.
fn of_characters(of: &Published) -> Published {
    let bytes: HashMap<char, u8> =
        (0..=255).zip(byte_chars()).map(|(byte, c)| (c.chars().next().unwrap(), byte)).collect();
    let spelled = |piece: &str| {
        let bytes: Option<Vec<u8>> = piece.chars().map(|c| bytes.get(&c).copied()).collect();
        let text = String::from_utf8(bytes?).ok()?;
        (!text.contains(['\u{2581}', '\0'])).then(|| text.replace(' ', "\u{2581}")).filter(|text| !text.is_empty())
    };
    let mut tokens: Vec<String> = ["<pad>", "<eos>", "<bos>", "<unk>"].map(String::from).to_vec();
    let mut types = vec![CONTROL, CONTROL, CONTROL, UNKNOWN];
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    types.resize(tokens.len(), BYTE);
    let mut seen: HashSet<String> = tokens.iter().cloned().collect();
    tokens.extend(of.tokens.iter().filter_map(|piece| spelled(piece)).filter(|piece| seen.insert(piece.clone())));
    types.resize(tokens.len(), NORMAL);
    let merge = |merge: &String| {
        let (left, right) = merge.split_once(' ')?;
        let (left, right) = (spelled(left)?, spelled(right)?);
        let all_seen = seen.contains(&left) && seen.contains(&right) && seen.contains(&(left.clone() + &right));
        all_seen.then(|| format!("{left} {right}"))
    };
    let merges = of.merges.iter().filter_map(merge).collect();
    Published { tokens, types, merges, scores: Vec::new() }
}

/// The file whose ids were recorded under a name.
fn named(name: &str, vocabularies: &Path) -> GgufWriter {
    let is_spm = name.starts_with("spm");
    let mut vocabulary = published(&vocabularies.join(if is_spm { "llama-spm.gguf" } else { "gpt-2.gguf" }));
    let (model, pre) = match name {
        "model-gemma4" => ("gemma4", ""),
        "bpe-user-tokens" => ("gpt2", "llama-bpe"),
        "bpe-no-pre" => ("gpt2", ""),
        "bpe-default" => ("gpt2", "default"),
        _ if is_spm => ("llama", "default"),
        _ => ("gpt2", name),
    };
    let is_of_characters = matches!(name, "model-gemma4" | "granite-embed-multi-311m" | "sarvam-moe" | "mmbert");
    if is_of_characters {
        vocabulary = of_characters(&vocabulary);
    } else if !is_spm {
        vocabulary.tokens.extend(["<|bos|>", "<|im_end|>"].map(String::from));
        vocabulary.types.extend([CONTROL; 2]);
    }
    if name.ends_with("user-tokens") {
        let new: Vec<_> = USER.iter().filter(|user| !vocabulary.tokens.iter().any(|token| token == **user)).collect();
        vocabulary.tokens.extend(new.iter().map(|token| token.to_string()));
        vocabulary.types.resize(vocabulary.tokens.len(), USER_DEFINED);
        vocabulary.scores.resize(vocabulary.tokens.len(), -1000.0);
    }
    let mut writer = GgufWriter::new()
        .entry("tokenizer.ggml.model", Value::string(model))
        .entry("tokenizer.ggml.tokens", Value::strings(&vocabulary.tokens))
        .entry("tokenizer.ggml.token_type", Value::i32s(vocabulary.types));
    if !pre.is_empty() {
        writer = writer.entry("tokenizer.ggml.pre", Value::string(pre));
    }
    writer = match is_spm {
        true => writer.entry("tokenizer.ggml.scores", Value::f32s(vocabulary.scores)),
        false => writer.entry("tokenizer.ggml.merges", Value::strings(&vocabulary.merges)),
    };
    if name.starts_with("spm-no-prefix") {
        writer = writer.entry("tokenizer.ggml.add_space_prefix", Value::bool(false));
    }
    writer
}

#[test]
fn ids_of_published_vocabularies_equal_llama_cpp() {
    let Some(vocabularies) = shared_fixtures("tokenizers") else { return };
    let mut n_names = 0;
    for folder in ["pre", "pre-sharp"].map(|name| vocabularies.join(name)) {
        let texts = strings(&json(&folder.join("texts.json")));
        let names = json(&folder.join("names.json"));
        for (name, ids) in names.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with("sharp-")) {
            let recorded = std::fs::read_to_string(folder.join(format!("{}.ids", ids.as_str().unwrap()))).unwrap();
            with(&named(name, &vocabularies), |tokenizer| {
                for (text, ids) in texts.iter().zip(recorded.lines()) {
                    let ours: Vec<String> = encode(tokenizer, text, false).iter().map(u32::to_string).collect();
                    assert_eq!(ours.join(","), ids, "{name}: {text:?}");
                }
            });
            n_names += 1;
        }
    }
    assert!(n_names > 25, "only {n_names} names");
}

/// A small vocabulary of characters.
fn characters(model: &str, pre: &str) -> GgufWriter {
    let mut tokens = ["<pad>", "<eos>", "<bos>", "<unk>"].map(String::from).to_vec();
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    let mut types = vec![CONTROL, CONTROL, CONTROL, UNKNOWN];
    types.resize(tokens.len(), BYTE);
    tokens.extend(["a", "b", "\u{2581}", "ab", "\u{2581}a", "\n", "\n\n", "\u{e9}", "a\u{2581}"].map(String::from));
    types.resize(tokens.len(), NORMAL);
    GgufWriter::new()
        .entry("tokenizer.ggml.model", Value::string(model))
        .entry("tokenizer.ggml.pre", Value::string(pre))
        .entry("tokenizer.ggml.tokens", Value::strings(&tokens))
        .entry("tokenizer.ggml.token_type", Value::i32s(types))
        .entry("tokenizer.ggml.bos_token_id", Value::u32(2))
        .entry("tokenizer.ggml.add_bos_token", Value::bool(false))
        .entry("tokenizer.ggml.merges", Value::strings(["\u{2581} a", "a b", "a \u{2581}"]))
}

#[test]
fn words_of_characters() {
    let files = [("gemma4", "x"), ("gpt2", "gemma4"), ("gpt2", "granite-embed-multi-311m"), ("llama", "gemma4")];
    for (model, pre) in files {
        with(&characters(model, pre), |tokenizer| {
            assert_eq!(pieces(tokenizer, "ab ab"), "ab¦▁a¦b", "{model}, {pre}");
            assert_eq!(pieces(tokenizer, "b  a"), "b¦▁¦▁a");
            // Lines end words; a run of newlines is its token, or merges nothing.
            assert_eq!(pieces(tokenizer, "a\n\nb\n\n\n a"), "a¦\n\n¦b¦\n¦\n¦\n¦▁a");
            assert_eq!(pieces(tokenizer, "\u{e9}\u{e8}c"), "\u{e9}¦<0xC3>¦<0xA8>¦<0x63>");
            assert!(tokenizer.add_bos(), "{model}, {pre}: whatever the file says");
            let mut text = Vec::new();
            encode(tokenizer, "a \u{e8}\n", false).iter().for_each(|&id| tokenizer.decode_into(id, false, &mut text));
            assert_eq!(String::from_utf8(text).unwrap(), "a \u{e8}\n");
        });
    }
    with(&characters("gpt2", "sarvam-moe"), |tokenizer| {
        assert_eq!(pieces(tokenizer, "a\n\nb"), "a¦\n¦\n¦b");
        assert!(!tokenizer.add_bos());
    });
    // Every line begins with a space, and spaces begin words.
    with(&characters("gpt2", "mmbert"), |tokenizer| {
        assert_eq!(pieces(tokenizer, "a a\n\na\u{2581}b"), "▁a¦▁a¦\n\n¦▁a¦▁¦b");
        assert_eq!(pieces(tokenizer, " a"), "▁a");
        assert!(!tokenizer.add_bos());
    });
}
