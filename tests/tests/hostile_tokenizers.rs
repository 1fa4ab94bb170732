//! Vocabularies with defects: each defect is refused by name, or is harmless.

use nanocamelid_engine::gguf::Gguf;
use nanocamelid_engine::tokenizer::{StreamDecoder, Tokenizer, TokenizerError};
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::gguf_writer::Value;
use nanocamelid_tests::vocabularies::{
    BYTE, CONTROL, NORMAL, SPM, USER_DEFINED, bpe, bytes_of, decode, encode, error, spm, with,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn defects_are_named() {
    let good = || spm(true, SPM);
    let changed = |key: &str, value: Value| {
        let mut writer = good();
        writer.set(key, value);
        error(&writer)
    };
    let n_tokens = 259 + SPM.len();
    for required in ["tokenizer.ggml.model", "tokenizer.ggml.tokens"] {
        let mut writer = good();
        writer.remove(required);
        assert_eq!(error(&writer), TokenizerError::Missing { key: required });
        assert_eq!(changed(required, Value::u32(1)), TokenizerError::WrongType { key: required });
    }
    let mut writer = bpe("gpt-2", &[], &[]);
    writer.remove("tokenizer.ggml.merges");
    assert_eq!(error(&writer), TokenizerError::Missing { key: "tokenizer.ggml.merges" });

    let message = changed("tokenizer.ggml.model", Value::string("t5")).to_string();
    assert_eq!(message, "tokenizer.ggml.model: the tokenizer \"t5\" is not supported (gpt2, gemma4 and llama are)");
    let message = error(&bpe("qwen9\n", &[], &[])).to_string();
    assert_eq!(message, "tokenizer.ggml.pre: the pre-tokenizer \"qwen9\\n\" is not supported");
    assert!(matches!(error(&bpe(&"x".repeat(1000), &[], &[])), TokenizerError::UnknownPreTokenizer(_)));

    let none = Value::strings::<&str>([]);
    assert_eq!(changed("tokenizer.ggml.tokens", none), TokenizerError::VocabularySize { n_tokens: 0 });
    for array in ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"] {
        let expected = TokenizerError::WrongLength { key: array, len: 3, n_tokens };
        assert_eq!(changed(array, Value::i32s([1, 1, 1])), expected);
        let strings = Value::strings(vec!["1"; n_tokens]);
        assert_eq!(changed(array, strings), TokenizerError::WrongType { key: array });
    }
    let mut kinds = vec![NORMAL; n_tokens];
    kinds[7] = 9;
    let expected = TokenizerError::TokenType { index: 7, number: 9 };
    assert_eq!(changed("tokenizer.ggml.token_type", Value::i32s(kinds)), expected);
    let mut kinds = vec![NORMAL; n_tokens];
    kinds[260] = BYTE;
    assert_eq!(changed("tokenizer.ggml.token_type", Value::i32s(kinds)), TokenizerError::ByteToken { index: 260 });
    let mut scores = vec![0.0; n_tokens];
    scores[5] = f32::NAN;
    assert_eq!(changed("tokenizer.ggml.scores", Value::f32s(scores)), TokenizerError::Score { index: 5 });

    for merge in ["", " ", "ab", "a ", " b", "a b c", "a  b"] {
        let mut writer = bpe("gpt-2", &["a b"], &[]);
        writer.set("tokenizer.ggml.merges", Value::strings(["a b", merge]));
        assert_eq!(error(&writer), TokenizerError::Merge { index: 1 }, "{merge:?}");
    }
    for id in [
        "tokenizer.ggml.bos_token_id",
        "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.eot_token_id",
        "tokenizer.ggml.eom_token_id",
        "tokenizer.ggml.unknown_token_id",
        "tokenizer.ggml.padding_token_id",
        "tokenizer.ggml.fim_pad_token_id",
    ] {
        for bad in [n_tokens as u64, 1 << 31, (1 << 32) - 1, 1 << 32, u64::MAX] {
            assert_eq!(changed(id, Value::u64(bad)), TokenizerError::IdOutOfRange { key: id, id: bad, n_tokens });
        }
        assert_eq!(changed(id, Value::i32(-1)), TokenizerError::WrongType { key: id });
        assert_eq!(changed(id, Value::string("1")), TokenizerError::WrongType { key: id });
    }
    assert_eq!(
        changed("tokenizer.ggml.add_bos_token", Value::u32(1)),
        TokenizerError::WrongType { key: "tokenizer.ggml.add_bos_token" }
    );
}

/// Texts that are hard on some part of the tokenizer.
fn hard_texts(n: usize) -> Vec<String> {
    ["a", "ab", " ", "\n", " a", "1", "!?", "中", "é", "A", "ÀA", "\0", "<s>", "a\u{301}", " \n", "12 "]
        .into_iter()
        .map(|unit| unit.repeat(n / unit.len()) + "x")
        .collect()
}

#[test]
fn hostile_vocabularies_are_harmless() {
    let huge = "a".repeat(1 << 20);
    let nested: Vec<String> = (1..700).map(|n| "a".repeat(n)).collect();
    let nested: Vec<(&str, i32)> = nested.iter().map(|piece| (piece.as_str(), USER_DEFINED)).collect();
    let nested_spm: Vec<(&str, i32, f32)> =
        nested.iter().map(|&(piece, _)| (piece, NORMAL, piece.len() as f32)).collect();
    let cycle = ["a b", "b a", "ab a", "ba b", "aba b", "a a", "aa a", "aa aa"];
    let mut not_utf8 = bpe("gpt-2", &[], &[]);
    let pieces: Vec<Vec<u8>> =
        (0..=255).map(|byte| vec![byte, 0xff, byte]).chain([vec![], vec![], b"a".to_vec()]).collect();
    not_utf8.set("tokenizer.ggml.tokens", Value::strings(&pieces));
    not_utf8.set("tokenizer.ggml.merges", Value::strings([&b"\xff \xfe"[..], b"a b", b"\x80 a"]));
    not_utf8.set("tokenizer.ggml.token_type", Value::i32s((0..259).map(|id| 1 + id % 4)));
    let equal = vec![("aa", CONTROL); 5000];
    let writers = [
        bpe("superbpe", &cycle, &[]),
        bpe("llama-bpe", &cycle, &equal),
        bpe("gpt-2", &cycle, &[(&huge, CONTROL)]),
        bpe("llama-bpe", &[], &nested[1..]),
        spm(true, &[(&huge, NORMAL, 1.0), ("a", NORMAL, f32::NEG_INFINITY), ("aa", NORMAL, f32::INFINITY)]),
        spm(false, &nested_spm),
        not_utf8,
    ];
    for writer in writers {
        let bytes = writer.finish().bytes;
        let gguf = Gguf::parse(&bytes).unwrap();
        let (tokenizer, allocations) = measure(|| Tokenizer::new(&gguf).unwrap());
        assert!(allocations.peak_bytes < 64 * 1024 + 4 * bytes.len() as i64, "{allocations:?} for {}", bytes.len());
        for text in hard_texts(20_000) {
            let (ids, allocations) = measure(|| encode(&tokenizer, &text, true));
            assert!(allocations.peak_bytes < 64 * 1024 + 128 * text.len() as i64, "{allocations:?} for {}", text.len());
            decode(&tokenizer, StreamDecoder::new(&tokenizer, true), &ids);
        }
    }
}

#[test]
fn a_megabyte_without_a_break_is_encoded() {
    let merges = ["a a", "aa aa", "a b", "Ġ Ġ", "Ċ Ċ", "1 1", "! ?", "ä ¸", "ä¸ Ń", "A A"];
    let pieces = ["▁", "▁▁", "a", "aa", "aaaa", "ab", "▁a", "1", "11", "中", "é"].map(|piece| (piece, NORMAL, -1.0));
    let mut unspaced = spm(true, &pieces);
    unspaced.set("tokenizer.ggml.add_space_prefix", Value::bool(false));
    let names = ["llama-bpe", "gpt-4o", "deepseek-llm", "superbpe"];
    for writer in names.map(|name| bpe(name, &merges, &[])).into_iter().chain([unspaced]) {
        with(&writer, |tokenizer| {
            for text in hard_texts(1 << 20) {
                assert!(bytes_of(tokenizer, &encode(tokenizer, &text, false)) == text.as_bytes());
            }
        });
    }
}

#[test]
fn flipped_bits_make_an_error_or_another_tokenizer() {
    let bpe = bpe("qwen2", &["a b", "Ġ ab", "é ½"], &[("<|im_end|>", CONTROL), ("ud", USER_DEFINED)]);
    let text = "<|im_end|> ab ud é中\n <s>  12";
    let (mut n_errors, mut n_tokenizers) = (0, 0);
    for writer in [bpe, spm(true, SPM)] {
        let mut bytes = writer.finish().bytes;
        for at in 0..bytes.len() {
            for bit in [0, 2, 5, 7] {
                bytes[at] ^= 1 << bit;
                if let Ok(gguf) = Gguf::parse(&bytes) {
                    match Tokenizer::new(&gguf) {
                        Ok(tokenizer) => {
                            n_tokenizers += 1;
                            let ids = encode(&tokenizer, text, true);
                            assert!(ids.iter().all(|&id| (id as usize) < tokenizer.n_vocab()));
                            decode(&tokenizer, StreamDecoder::new(&tokenizer, true), &ids);
                        }
                        Err(error) => {
                            n_errors += 1;
                            assert!(error.to_string().contains("tokenizer.ggml."), "{error}");
                        }
                    }
                }
                bytes[at] ^= 1 << bit;
            }
        }
    }
    assert!(n_errors > 1000 && n_tokenizers > 1000, "{n_errors} errors, {n_tokenizers} tokenizers");
}
