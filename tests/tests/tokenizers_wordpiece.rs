//! WordPiece against the ids that llama.cpp gives awkward texts: in lower case without accents, in lower case, and as
//! they are written.

use nanocamelid_engine::gguf::Gguf;
use nanocamelid_tests::fixture;
use nanocamelid_tests::gguf_copy;
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::tiny_model::tiny_model;
use nanocamelid_tests::vocabularies::{encode, with};
use serde_json::Value as Json;

const LOWERCASE: &str = "tokenizer.ggml.normalizer.lowercase";
const STRIP_ACCENTS: &str = "tokenizer.ggml.normalizer.strip_accents";

/// The vocabulary that the ids are of.
fn vocabulary() -> GgufWriter {
    let bytes = std::fs::read(fixture("embed/bert.gguf")).expect("the model belongs to the repository");
    let mut file = gguf_copy::copy(&Gguf::parse(&bytes).unwrap());
    file.tensors.clear();
    file
}

#[test]
fn ids_equal_llama_cpp() {
    let path = fixture("tokenizers/wordpiece.json");
    let recorded: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let texts: Vec<&str> = recorded["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert!(texts.len() > 250);
    let [plain, mut cased, mut accents] = [0; 3].map(|_| vocabulary());
    cased.set(LOWERCASE, Value::bool(false));
    accents.set(STRIP_ACCENTS, Value::bool(false));
    for (name, file) in [("bert", &plain), ("cased", &cased), ("accents", &accents)] {
        let expected = recorded[name].as_array().unwrap();
        assert_eq!(expected.len(), texts.len());
        with(file, |tokenizer| {
            let mut wrong = 0;
            for (text, expected) in texts.iter().zip(expected) {
                let ids = encode(tokenizer, text, false);
                if serde_json::json!(ids) != *expected {
                    println!("{name}, {text:?}: {ids:?}, not {expected}");
                    wrong += 1;
                }
            }
            assert_eq!(wrong, 0, "{name}");
        });
    }
}

#[test]
fn a_whole_text_stands_between_its_marks() {
    with(&vocabulary(), |tokenizer| {
        let mut ids = Vec::new();
        assert_eq!(tokenizer.encode_whole("hello world", &mut ids), 2);
        let pieces: Vec<&[u8]> = ids.iter().map(|&id| tokenizer.piece(id)).collect();
        assert_eq!(pieces, [&b"[CLS]"[..], "\u{2581}hello".as_bytes(), "\u{2581}world".as_bytes(), b"[SEP]"]);
        ids.clear();
        assert_eq!(tokenizer.encode_whole(" \n", &mut ids), 0);
        assert_eq!(ids.len(), 2);
    });
    // A vocabulary without the marks' usual places, whose file does not name them.
    let mut file = tiny_model("bert");
    for key in ["bos", "seperator", "unknown"] {
        file.remove(&format!("tokenizer.ggml.{key}_token_id"));
    }
    with(&file, |tokenizer| {
        let mut ids = Vec::new();
        assert_eq!(tokenizer.encode_whole("the !", &mut ids), 1);
        assert_eq!(ids.iter().map(|&id| tokenizer.piece(id)).collect::<Vec<_>>(), ["\u{2581}the".as_bytes()]);
    });
}

/// The longest piece counts even where a shorter one would let the rest be made up.
#[test]
fn the_longest_piece_counts() {
    let vocabulary = ["[UNK]", "\u{2581}a", "\u{2581}ab", "bc", "c", "\u{2581}abcd", "\u{2581}abcde", ""];
    let file = GgufWriter::new()
        .entry("tokenizer.ggml.model", Value::string("bert"))
        .entry("tokenizer.ggml.tokens", Value::strings(vocabulary))
        .entry("tokenizer.ggml.unknown_token_id", Value::u32(0));
    with(&file, |tokenizer| {
        for (text, expected) in [
            ("a", &[1][..]),
            ("abc", &[2, 4]),
            ("abbc", &[2, 3]),
            ("ABCD abcde", &[5, 6]),
            ("abcdef", &[0]),
            ("acc ab", &[1, 4, 4, 2]),
            ("b", &[0]),
        ] {
            assert_eq!(encode(tokenizer, text, false), expected, "{text}");
        }
    });
}

/// Thousands of pieces that begin with each other: in a word that all but the longest begin, the next one counts.
#[test]
fn the_longest_of_nested_pieces_counts() {
    let pieces: Vec<String> = (0..4000).map(|n| format!("\u{2581}{}", "a".repeat(n + 1))).collect();
    let file = GgufWriter::new()
        .entry("tokenizer.ggml.model", Value::string("bert"))
        .entry("tokenizer.ggml.tokens", Value::strings(&pieces))
        .entry("tokenizer.ggml.unknown_token_id", Value::u32(0));
    with(&file, |tokenizer| {
        let text = format!("{} ", "a".repeat(3999)).repeat(100) + "aaab";
        let ids = encode(tokenizer, &text, false);
        assert_eq!(ids, [vec![3998; 100], vec![0]].concat());
    });
}
