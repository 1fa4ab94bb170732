//! What this API says of a model's file.

use super::super::served::Served;
use crate::commands::logits::Digest;
use crate::model_file;
use crate::output::shortest;
use crate::resolve::Place;
use nanocamelid_engine::Gguf;
use nanocamelid_engine::gguf::Value;
use serde_json::{Map, Value as Json, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The key of the chat template, which has a field of its own.
pub(super) const TEMPLATE: &str = "tokenizer.chat_template";
/// Longest list that is shown: those of layers are, those of a vocabulary are not.
const MAX_LIST: usize = 512;
/// Longest text that is shown.
const MAX_TEXT: usize = 64 << 10;
/// Bytes of each tensor that count for the digest.
const SAMPLE_BYTES: usize = 64;

/// Architecture, size and format.
pub(super) fn details(served: &Served) -> Json {
    let parsed = served.parsed;
    let family = model_file::architecture(&parsed.gguf);
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": in_words(n_parameters(&parsed.gguf)),
        "quantization_level": model_file::quantization(&parsed.gguf, &parsed.model).unwrap_or("unknown"),
    })
}

/// The file's metadata, without long lists and texts.
pub(super) fn info(gguf: &Gguf<'_>) -> Json {
    let entries = gguf.metadata().iter().filter(|entry| entry.key != TEMPLATE);
    let mut info: Map<_, _> = entries.filter_map(|entry| Some((entry.key.to_owned(), shown(entry.value)?))).collect();
    info.entry("general.parameter_count").or_insert_with(|| json!(n_parameters(gguf)));
    Json::Object(info)
}

fn shown(value: Value<'_>) -> Option<Json> {
    Some(match value {
        Value::U8(v) => json!(v),
        Value::I8(v) => json!(v),
        Value::U16(v) => json!(v),
        Value::I16(v) => json!(v),
        Value::U32(v) => json!(v),
        Value::I32(v) => json!(v),
        Value::U64(v) => json!(v),
        Value::I64(v) => json!(v),
        Value::F32(v) => shortest(v),
        Value::F64(v) => json!(v),
        Value::Bool(v) => json!(v),
        Value::String(bytes) if bytes.len() <= MAX_TEXT => json!(String::from_utf8_lossy(bytes)),
        Value::Array(list) if list.len() <= MAX_LIST => {
            list.iter().filter(|value| value.as_array().is_none()).filter_map(shown).collect()
        }
        Value::String(_) | Value::Array(_) => return None,
    })
}

/// Number of weights.
fn n_parameters(gguf: &Gguf<'_>) -> u64 {
    gguf.tensors().iter().map(|tensor| tensor.n_values()).sum()
}

/// A number of weights as people say it: `1.2B`, `270M`.
fn in_words(n: u64) -> String {
    let (unit, letter) = match n {
        1_000_000_000.. => (1e9, "B"),
        1_000_000.. => (1e6, "M"),
        1_000.. => (1e3, "K"),
        _ => return n.to_string(),
    };
    let number = n as f64 / unit;
    // Three digits at most, and no zero behind a point.
    let text = if number < 99.95 { format!("{number:.1}") } else { format!("{number:.0}") };
    format!("{}{letter}", text.strip_suffix(".0").unwrap_or(&text))
}

/// What tells this file from others, in the form of a SHA-256 sum, which clients show the beginning of: hashes of its
/// small metadata and of samples of its tensors. A sum over all bytes would take minutes on a small board.
pub(super) fn digest(served: &Served) -> String {
    let gguf = &served.parsed.gguf;
    let hash = |salt: u8| {
        let mut digest = Digest::new();
        digest.update(&[salt]);
        digest.update(&served.file.n_bytes().to_le_bytes());
        digest.update(info(gguf).to_string().as_bytes());
        for tensor in gguf.tensors() {
            digest.update(tensor.name.as_bytes());
            digest.update(tensor.type_name().as_bytes());
            digest.update(&tensor.data()[..tensor.data().len().min(SAMPLE_BYTES)]);
        }
        format!("{:016x}", digest.value())
    };
    (0..4).map(hash).collect()
}

/// When the file was last changed; for the model in the binary, when the server was started.
pub(super) fn modified(served: &Served) -> SystemTime {
    let started = UNIX_EPOCH + Duration::from_secs(served.created);
    match &served.file.resolved.place {
        Place::File(path) => std::fs::metadata(path).and_then(|data| data.modified()).unwrap_or(started),
        Place::Demo => started,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_weights_in_words() {
        for (n, words) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1K"),
            (270_000_000, "270M"),
            (1_235_814_432, "1.2B"),
            (8_030_261_248, "8B"),
            (99_960_000_000, "100B"),
            (671_026_419_200, "671B"),
        ] {
            assert_eq!(in_words(n), words);
        }
    }
}
