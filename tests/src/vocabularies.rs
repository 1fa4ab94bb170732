//! Small vocabularies made here, and short ways to try them.

use crate::gguf_writer::{GgufWriter, Value};
use nanocamelid_engine::gguf::Gguf;
use nanocamelid_engine::template::Text;
use nanocamelid_engine::tokenizer::{StreamDecoder, Tokenizer, TokenizerError};

/// `tokenizer.ggml.token_type`: an ordinary piece.
pub const NORMAL: i32 = 1;
/// `tokenizer.ggml.token_type`: stands for what has no piece.
pub const UNKNOWN: i32 = 2;
/// `tokenizer.ggml.token_type`: a control token.
pub const CONTROL: i32 = 3;
/// `tokenizer.ggml.token_type`: found in texts as it is written.
pub const USER_DEFINED: i32 = 4;
/// `tokenizer.ggml.token_type`: never used.
pub const UNUSED: i32 = 5;
/// `tokenizer.ggml.token_type`: a byte, written `<0x0A>`.
pub const BYTE: i32 = 6;

/// Pieces with scores, as SentencePiece trains them.
pub const SPM: &[(&str, i32, f32)] = &[
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

/// The ids a text becomes.
pub fn encode(tokenizer: &Tokenizer<'_>, text: &str, parse_special: bool) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, parse_special, &mut ids);
    ids
}

/// The pieces a text becomes, special tokens parsed, with `¦` between them.
pub fn pieces(tokenizer: &Tokenizer<'_>, text: &str) -> String {
    let ids = encode(tokenizer, text, true);
    ids.iter().map(|&id| String::from_utf8_lossy(tokenizer.piece(id))).collect::<Vec<_>>().join("¦")
}

/// What a stream of ids shows, piece by piece.
pub fn decode(tokenizer: &Tokenizer<'_>, mut decoder: StreamDecoder, ids: &[u32]) -> String {
    let text: String = ids.iter().map(|&id| decoder.push(tokenizer, id).to_string()).collect();
    text + decoder.finish()
}

/// The byte-level alphabet.
pub fn byte_chars() -> Vec<String> {
    let mut moved = (256..).map(|code_point| char::from_u32(code_point).unwrap());
    let visible = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    (0..=255).map(|byte| if visible(byte) { char::from(byte) } else { moved.next().unwrap() }.to_string()).collect()
}

/// A byte-level vocabulary: the bytes, then what the merges make, then others.
pub fn bpe(pre: &str, merges: &[&str], others: &[(&str, i32)]) -> GgufWriter {
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
pub fn spm(with_bytes: bool, others: &[(&str, i32, f32)]) -> GgufWriter {
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

/// Works with the tokenizer of a file.
///
/// # Panics
/// If the file has a defect.
pub fn with<R>(writer: &GgufWriter, work: impl FnOnce(&Tokenizer<'_>) -> R) -> R {
    let bytes = writer.finish().bytes;
    work(&Tokenizer::new(&Gguf::parse(&bytes).unwrap()).unwrap())
}

/// The error with which the tokenizer of a defective file is refused.
///
/// # Panics
/// If the tokenizer is accepted.
pub fn error(writer: &GgufWriter) -> TokenizerError {
    let bytes = writer.finish().bytes;
    Tokenizer::new(&Gguf::parse(&bytes).unwrap()).expect_err("a defect that was put there on purpose is found")
}

/// The bytes of a sequence of ids, control tokens included.
pub fn bytes_of(tokenizer: &Tokenizer<'_>, ids: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ids.iter().for_each(|&id| tokenizer.decode_into(id, true, &mut bytes));
    bytes
}

/// Asserts that no control token takes a byte of a message. The ids are those of [`bpe`] without merges and with the
/// control tokens `tokens`: everything else is one byte.
pub fn assert_messages_are_text(name: &str, text: &Text, ids: &[u32], tokens: &[&str]) {
    let mut at = 0;
    for &id in ids {
        let len = id.checked_sub(256).map_or(1, |control| tokens[control as usize].len());
        let is_message = text.from_messages().iter().any(|range| range.start < at + len && at < range.end);
        assert!(id < 256 || !is_message, "{name}: {} at byte {at} of {:?}", tokens[id as usize - 256], text.as_str());
        at += len;
    }
    assert_eq!(at, text.len(), "{name}");
}
