//! Tokenizers: published vocabularies against the ids that llama.cpp gives, and small ones built here against the rules.

use std::path::{Path, PathBuf};

use nanocamelid_engine::gguf::Gguf;
use nanocamelid_engine::tokenizer::{StreamDecoder, TokenKind, Tokenizer, TokenizerError};
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::random::Random;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// Vocabularies are other people's data: they lie next to the checkout, or where the environment says.
fn shared_fixtures() -> Option<PathBuf> {
    let folder = match std::env::var_os("NANOCAMELID_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
    }
    .join("tokenizers");
    folder.is_dir().then_some(folder)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == extension));
    files.sort();
    files
}

#[test]
fn ids_equal_llama_cpp() {
    let Some(folder) = shared_fixtures() else {
        eprintln!("skipped: no shared/fixtures/tokenizers next to the checkout");
        return;
    };
    let goldens = files(&folder, "jsonl");
    assert!(!goldens.is_empty(), "no .jsonl in {}", folder.display());
    for golden in goldens {
        let bytes = std::fs::read(golden.with_extension("gguf")).unwrap();
        let tokenizer = Tokenizer::new(&Gguf::parse(&bytes).unwrap()).unwrap();
        let mut n_texts = 0;
        for line in std::fs::read_to_string(&golden).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = row["text"].as_str().unwrap();
            let expected: Vec<u32> =
                row["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
            assert_eq!(encode(&tokenizer, text, false), expected, "{}: {text:?}", golden.display());
            n_texts += 1;
        }
        assert!(n_texts > 400, "{}: only {n_texts} texts", golden.display());
    }
}

fn encode(tokenizer: &Tokenizer<'_>, text: &str, parse_special: bool) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, parse_special, &mut ids);
    ids
}

/// The pieces a text becomes, special tokens parsed, with `¦` between them.
fn pieces(tokenizer: &Tokenizer<'_>, text: &str) -> String {
    let ids = encode(tokenizer, text, true);
    ids.iter().map(|&id| String::from_utf8_lossy(tokenizer.piece(id))).collect::<Vec<_>>().join("¦")
}

fn decode(tokenizer: &Tokenizer<'_>, mut decoder: StreamDecoder, ids: &[u32]) -> String {
    let text: String = ids.iter().map(|&id| decoder.push(tokenizer, id).to_string()).collect();
    text + decoder.finish()
}

/// The byte-level alphabet.
fn byte_chars() -> Vec<String> {
    let mut moved = (256..).map(|code_point| char::from_u32(code_point).unwrap());
    let visible = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    (0..=255).map(|byte| if visible(byte) { char::from(byte) } else { moved.next().unwrap() }.to_string()).collect()
}

/// A byte-level vocabulary: the bytes, then what the merges make, then others.
fn bpe(pre: &str, merges: &[&str], others: &[(&str, i32)]) -> GgufWriter {
    let mut tokens = byte_chars();
    for merge in merges {
        let token = merge.replace(' ', "");
        if !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    let mut kinds = vec![NORMAL; tokens.len()];
    for &(token, kind) in others {
        tokens.push(token.to_string());
        kinds.push(kind);
    }
    GgufWriter::new()
        .entry("tokenizer.ggml.model", Value::string("gpt2"))
        .entry("tokenizer.ggml.pre", Value::string(pre))
        .entry("tokenizer.ggml.tokens", Value::strings(tokens))
        .entry("tokenizer.ggml.token_type", Value::i32s(kinds))
        .entry("tokenizer.ggml.merges", Value::strings(merges))
}

/// A SentencePiece vocabulary: unknown, BOS, EOS, bytes if asked for, then others.
fn spm(with_bytes: bool, others: &[(&str, i32, f32)]) -> GgufWriter {
    let mut tokens = ["<unk>", "<s>", "</s>"].map(str::to_string).to_vec();
    let mut kinds = vec![UNKNOWN, CONTROL, CONTROL];
    if with_bytes {
        tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
        kinds.resize(tokens.len(), BYTE);
    }
    let mut scores = vec![0.0; tokens.len()];
    for &(token, kind, score) in others {
        tokens.push(token.to_string());
        kinds.push(kind);
        scores.push(score);
    }
    GgufWriter::new()
        .entry("tokenizer.ggml.model", Value::string("llama"))
        .entry("tokenizer.ggml.tokens", Value::strings(tokens))
        .entry("tokenizer.ggml.token_type", Value::i32s(kinds))
        .entry("tokenizer.ggml.scores", Value::f32s(scores))
}

fn with<R>(writer: &GgufWriter, work: impl FnOnce(&Tokenizer<'_>) -> R) -> R {
    let bytes = writer.finish().bytes;
    work(&Tokenizer::new(&Gguf::parse(&bytes).unwrap()).unwrap())
}

fn error(writer: &GgufWriter) -> TokenizerError {
    let bytes = writer.finish().bytes;
    Tokenizer::new(&Gguf::parse(&bytes).unwrap()).expect_err("a defect that was put there on purpose is found")
}

#[test]
fn merges_go_by_rank() {
    with(&bpe("gpt-2", &["b c", "a b", "c d", "a bc"], &[]), |tokenizer| {
        assert_eq!(pieces(tokenizer, "abcd"), "abc¦d");
        assert_eq!(pieces(tokenizer, "abd"), "ab¦d");
        assert_eq!(pieces(tokenizer, "acd bc"), "a¦cd¦Ġ¦bc");
    });
}

#[test]
fn words_that_are_pieces_do_not_merge_under_llama_bpe() {
    let others = [("hello", NORMAL)];
    with(&bpe("gpt-2", &["h e"], &others), |tokenizer| assert_eq!(pieces(tokenizer, "hello"), "he¦l¦l¦o"));
    with(&bpe("llama-bpe", &["h e"], &others), |tokenizer| assert_eq!(pieces(tokenizer, "hello"), "hello"));
}

#[test]
fn merges_may_go_by_way_of_texts_that_are_no_tokens() {
    let mut writer = bpe("gpt-2", &[], &[("abc", NORMAL)]);
    writer.set("tokenizer.ggml.merges", Value::strings(["a b", "ab c", "x y"]));
    with(&writer, |tokenizer| assert_eq!(pieces(tokenizer, "abc ab xy"), "abc¦Ġ¦a¦b¦Ġ¦x¦y"));
}

#[test]
fn longer_special_tokens_are_found_first() {
    let others = [("ab", USER_DEFINED), ("bcd", USER_DEFINED), ("<x>", CONTROL), ("<x><x>", CONTROL), ("de", CONTROL)];
    with(&bpe("gpt-2", &[], &others), |tokenizer| {
        // "ab" is further left, but shorter.
        assert_eq!(pieces(tokenizer, "abcd"), "a¦bcd");
        assert_eq!(pieces(tokenizer, "abab"), "ab¦ab");
        assert_eq!(pieces(tokenizer, "<x><x><x>"), "<x><x>¦<x>");
        assert_eq!(pieces(tokenizer, "abcde"), "a¦bcd¦e");
        assert_eq!(pieces(tokenizer, "de"), "de");
        // Without parsing there are only the user-defined ones.
        let ids = encode(tokenizer, "<x>ab", false);
        assert_eq!(ids, ["<", "x", ">", "ab"].map(|piece| tokenizer.token_id(piece).unwrap()));
    });
}

#[test]
fn equally_long_special_tokens_are_found_by_id() {
    let found = |others: &[(&str, i32)]| with(&bpe("gpt-2", &[], others), |tokenizer| pieces(tokenizer, "abc"));
    assert_eq!(found(&[("ab", USER_DEFINED), ("bc", USER_DEFINED)]), "ab¦c");
    assert_eq!(found(&[("bc", USER_DEFINED), ("ab", USER_DEFINED)]), "a¦bc");
}

#[test]
fn phi_3_special_tokens_take_the_white_space_after_them() {
    let mut writer = spm(true, &[("<|end|>", CONTROL, 0.0), ("▁", NORMAL, 0.0), ("x", NORMAL, 0.0)]);
    with(&writer, |tokenizer| assert_eq!(pieces(tokenizer, "<|end|> \n x"), "<|end|>¦▁¦▁¦<0x0A>¦▁¦x"));
    writer.set("general.name", Value::string("Phi-3-mini-4k-instruct"));
    with(&writer, |tokenizer| {
        assert_eq!(pieces(tokenizer, "<|end|> \n x"), "<|end|>¦▁¦x");
        assert_eq!(pieces(tokenizer, "<|end|> \n "), "<|end|>");
        assert_eq!(pieces(tokenizer, "<s> x"), "<s>¦▁¦▁¦x");
    });
}

#[test]
fn mask_tokens_take_the_white_space_before_them() {
    with(&bpe("jina-v2-es", &[], &[("<mask>", CONTROL)]), |tokenizer| {
        assert_eq!(pieces(tokenizer, "a \t<mask> b"), "a¦<mask>¦Ġ¦b");
        assert_eq!(pieces(tokenizer, " <mask>"), "<mask>");
    });
}

/// Pieces with scores, as SentencePiece trains them.
const SPM: &[(&str, i32, f32)] = &[
    ("▁", NORMAL, -9.0),
    ("a", NORMAL, -9.0),
    ("b", NORMAL, -9.0),
    ("ab", NORMAL, -2.0),
    ("ba", NORMAL, -2.0),
    ("aba", NORMAL, -3.0),
    ("▁a", NORMAL, -1.0),
    ("▁▁", NORMAL, -4.0),
    ("▁▁▁▁", USER_DEFINED, 0.0),
    ("<tag>", USER_DEFINED, 0.0),
    ("é", NORMAL, -9.0),
];

#[test]
fn best_score_merges_first() {
    with(&spm(true, SPM), |tokenizer| {
        // The space goes with a before a goes with b.
        assert_eq!(pieces(tokenizer, "ab"), "▁a¦b");
        // Equal scores: the leftmost.
        assert_eq!(pieces(tokenizer, "bab"), "▁¦ba¦b");
        assert_eq!(pieces(tokenizer, "b aba"), "▁¦b¦▁a¦ba");
        assert_eq!(pieces(tokenizer, "bb   b"), "▁¦b¦b¦▁▁¦▁¦b");
        assert_eq!(pieces(tokenizer, ""), "");
        assert_eq!(pieces(tokenizer, " "), "▁▁");
    });
}

#[test]
fn characters_without_a_piece_become_bytes_or_unknown() {
    with(&spm(true, SPM), |tokenizer| {
        assert_eq!(pieces(tokenizer, "é中\n"), "▁¦é¦<0xE4>¦<0xB8>¦<0xAD>¦<0x0A>");
        let ids = encode(tokenizer, "é中\n", false);
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, false), &ids), "é中\n");
    });
    with(&spm(false, SPM), |tokenizer| assert_eq!(pieces(tokenizer, "é中中"), "▁¦é¦<unk>¦<unk>"));
}

#[test]
fn a_space_goes_before_text_that_starts_or_follows_a_special_token() {
    let mut writer = spm(true, SPM);
    with(&writer, |tokenizer| {
        assert_eq!(pieces(tokenizer, "a<tag>a<s>b"), "▁a¦<tag>¦▁a¦<s>¦▁¦b");
        let unparsed = encode(tokenizer, "a<s>b", false);
        assert!(!unparsed.contains(&1));
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, true), &unparsed), "a<s>b");
    });
    writer.set("tokenizer.ggml.add_space_prefix", Value::bool(false));
    with(&writer, |tokenizer| assert_eq!(pieces(tokenizer, "a<tag>a"), "a¦<tag>¦a"));
}

#[test]
fn user_defined_pieces_are_found_as_they_are_written() {
    with(&spm(true, SPM), |tokenizer| {
        // U+2581 in the text itself; spaces are turned into it only afterwards.
        assert_eq!(pieces(tokenizer, "▁▁▁▁"), "▁▁▁▁");
        let ids = encode(tokenizer, "<tag>", false);
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, false), &ids), "<tag>");
    });
}

#[test]
fn the_space_before_a_text_is_taken_off_again() {
    with(&spm(true, SPM), |tokenizer| {
        let ids = encode(tokenizer, " a b", false);
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, false), &ids), " a b");
        assert_eq!(decode(tokenizer, StreamDecoder::continuing(false), &ids), "  a b");
        // Only off the very first token.
        let with_bos: Vec<u32> = [1].into_iter().chain(encode(tokenizer, "a", false)).collect();
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, false), &with_bos), " a");
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, true), &with_bos), "<s> a");
    });
}

#[test]
fn kinds_decode_as_what_they_are() {
    let others = [("<c>", CONTROL), ("<u>", USER_DEFINED), ("<n>", UNUSED), ("<k>", UNKNOWN), ("<0x41>", BYTE)];
    with(&bpe("gpt-2", &[], &others), |tokenizer| {
        let id = |piece| tokenizer.token_id(piece).unwrap();
        let show = |piece, special| {
            let mut bytes = Vec::new();
            tokenizer.decode_into(id(piece), special, &mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            ["<c>", "<u>", "<n>", "<k>", "<0x41>", "Ġ"].map(|piece| show(piece, false)),
            ["", "<u>", "", "", "A", " "]
        );
        assert_eq!(
            ["<c>", "<u>", "<n>", "<k>", "<0x41>", "Ġ"].map(|piece| show(piece, true)),
            ["<c>", "<u>", "", "<k>", "A", " "]
        );
        assert_eq!(tokenizer.kind(id("<k>")), TokenKind::Unknown);
        let outside = tokenizer.n_vocab() as u32;
        assert_eq!((tokenizer.kind(outside), tokenizer.piece(outside)), (TokenKind::Undefined, &b""[..]));
        let mut bytes = Vec::new();
        tokenizer.decode_into(u32::MAX, true, &mut bytes);
        assert!(bytes.is_empty());
    });
}

#[test]
fn characters_across_tokens_come_whole() {
    with(&bpe("gpt-2", &[], &[]), |tokenizer| {
        let ids = encode(tokenizer, "é😀", false);
        let mut decoder = StreamDecoder::new(tokenizer, false);
        let came: Vec<String> = ids.iter().map(|&id| decoder.push(tokenizer, id).to_string()).collect();
        assert_eq!(came, ["", "é", "", "", "", "😀"]);
        assert_eq!(decoder.finish(), "");
        decoder.push(tokenizer, ids[2]);
        assert_eq!(decoder.push(tokenizer, ids[0]), "\u{fffd}");
        assert_eq!(decoder.finish(), "\u{fffd}");
    });
}

#[test]
fn streams_equal_lossy_decoding_of_the_whole() {
    with(&bpe("gpt-2", &["ð Ł", "Ġ â", "ĺ Ģ"], &[]), |tokenizer| {
        // Bytes that begin, continue and break characters, and what merges make of some.
        let bytes = [b'a', 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0xed, 0xa0, 0xff, 0xc0];
        let mut tokens = bytes.map(|byte| byte_chars()[usize::from(byte)].clone()).to_vec();
        tokens.extend(["ðŁ", "Ġâ", "ĺĢ"].map(str::to_string));
        let tokens: Vec<u32> = tokens.iter().map(|piece| tokenizer.token_id(piece).unwrap()).collect();
        let mut random = Random(3);
        for _ in 0..2000 {
            let ids: Vec<u32> = (0..random.below(12)).map(|_| tokens[random.below(tokens.len())]).collect();
            let streamed = decode(tokenizer, StreamDecoder::new(tokenizer, false), &ids);
            assert_eq!(streamed, String::from_utf8_lossy(&bytes_of(tokenizer, &ids)));
        }
    });
}

fn bytes_of(tokenizer: &Tokenizer<'_>, ids: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ids.iter().for_each(|&id| tokenizer.decode_into(id, true, &mut bytes));
    bytes
}

#[test]
fn ends_of_generation_are_known_by_role_and_by_piece() {
    let ends = |writer: &GgufWriter| {
        with(writer, |tokenizer| {
            let pieces = tokenizer
                .end_of_generation()
                .iter()
                .map(|&id| String::from_utf8_lossy(tokenizer.piece(id)).into_owned());
            assert!(tokenizer.end_of_generation().iter().all(|&id| tokenizer.is_end_of_generation(id)));
            pieces.collect::<Vec<_>>()
        })
    };
    let others = [("<|im_end|>", NORMAL), ("<|x|>", CONTROL), ("<|fim_pad|>", CONTROL), ("<|file_sep|>", CONTROL)];
    let mut writer = bpe("qwen2", &[], &others);
    assert_eq!(ends(&writer), ["<|im_end|>", "<|fim_pad|>", "<|file_sep|>"]);
    with(&writer, |tokenizer| assert_eq!(tokenizer.kind(256), TokenKind::Control));
    writer.set("tokenizer.ggml.eos_token_id", Value::u32(257));
    writer.set("tokenizer.ggml.eot_token_id", Value::u32(0));
    assert_eq!(ends(&writer), ["Ā", "<|im_end|>", "<|x|>", "<|fim_pad|>", "<|file_sep|>"]);

    // In harmony only the message ends with <|end|>.
    let harmony = [("<|return|>", CONTROL), ("<|call|>", CONTROL), ("<|end|>", CONTROL), ("<|start|>", CONTROL)];
    let writer = bpe("gpt-4o", &[], &harmony);
    assert_eq!(ends(&writer), ["<|return|>", "<|call|>"]);
    with(&writer, |tokenizer| assert_eq!(tokenizer.kind(258), TokenKind::UserDefined));
    assert_eq!(ends(&bpe("gpt-4o", &[], &harmony[2..])), ["<|end|>"]);
}

#[test]
fn defaults_are_those_of_the_model() {
    with(&spm(true, SPM), |tokenizer| {
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
        assert!(tokenizer.add_bos() && !tokenizer.add_eos());
        assert!(tokenizer.is_end_of_generation(2));
    });
    with(&bpe("llama-bpe", &[], &[]), |tokenizer| {
        assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.add_bos()), (None, None, false));
    });
    let mut writer = bpe("llama-bpe", &[], &[("<s>", CONTROL)]);
    writer.set("tokenizer.ggml.bos_token_id", Value::u32(256));
    with(&writer, |tokenizer| assert!(tokenizer.add_bos()));
    writer.set("tokenizer.ggml.pre", Value::string("qwen2"));
    with(&writer, |tokenizer| assert!(!tokenizer.add_bos()));
    writer.set("tokenizer.ggml.add_bos_token", Value::bool(true));
    with(&writer, |tokenizer| assert!(tokenizer.add_bos()));
    writer.remove("tokenizer.ggml.pre");
    with(&writer, |tokenizer| assert_eq!(pieces(tokenizer, "<s>"), "<s>"));
}

#[test]
fn protected_text_never_becomes_a_control_token() {
    // In both vocabularies text could merge into one.
    let mut kinds = vec![NORMAL; 258];
    kinds[257] = CONTROL;
    let mut bpe = bpe("superbpe", &["< s", "<s >"], &[]);
    bpe.set("tokenizer.ggml.token_type", Value::i32s(kinds));
    let spm = spm(true, &["▁", "<", "s", ">", "<s"].map(|piece| (piece, NORMAL, -1.0)));
    for writer in [bpe, spm] {
        with(&writer, |tokenizer| {
            let control = tokenizer.token_id("<s>").unwrap();
            assert_eq!(tokenizer.kind(control), TokenKind::Control);
            let mut ids = Vec::new();
            let second = 3..6;
            tokenizer.encode_protected("<s><s>", std::slice::from_ref(&second), &mut ids);
            assert_eq!(ids.iter().filter(|&&id| id == control).count(), 1);
            assert_eq!(decode(tokenizer, StreamDecoder::continuing(true), &ids).replace(' ', ""), "<s><s>");
        });
    }
}

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
    assert_eq!(message, "tokenizer.ggml.model: the tokenizer \"t5\" is not supported (gpt2 and llama are)");
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

    let twice = [("same", NORMAL), ("other", NORMAL), ("same", NORMAL)];
    assert_eq!(error(&bpe("gpt-2", &[], &twice)), TokenizerError::DuplicateToken { first: 256, second: 258 });
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

/// Texts that are hard on something.
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
    let writers = [
        bpe("superbpe", &cycle, &[]),
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
