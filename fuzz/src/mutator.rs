//! Structure-aware mutation: bytes decide how a well-formed model is changed, so that most results pass the checks of
//! the header and reach the code behind them.

use crate::choices::Choices;
use nanocamelid_engine::gguf::Gguf;
use nanocamelid_tests::gguf_copy;
use nanocamelid_tests::gguf_split;
use nanocamelid_tests::gguf_writer::{GgufWriter, Tensor, Value};
use nanocamelid_tests::random::Random;
use nanocamelid_tests::tiny_model::{KINDS, tiny_model};

/// Keys that the tiny models leave out and some architecture reads.
const MORE_KEYS: [&str; 13] = [
    "vocab_size",
    "attention.key_length",
    "attention.value_length",
    "rope.dimension_count",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "expert_count",
    "expert_used_count",
    "expert_feed_forward_length",
    "pooling_type",
];

/// A tiny model of some kind after at most 16 changes, with some figures and single bytes of the file overwritten. The
/// bytes decide all of this.
pub fn bent_model(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut file = tiny_model(KINDS[choices.below(KINDS.len())]);
    let n_changes = choices.below(17);
    spoiled(&mut file, n_changes, choices)
}

/// Where the header of another file may begin: magic and version.
const PART: &[u8] = b"GGUF\x03\0\0\0";
/// An input with more parts counts as one file.
const MAX_PARTS: usize = 8;

/// The files of a model in an input, where they stand one behind the other.
pub fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    let later = bytes.windows(PART.len()).enumerate().skip(1).filter(|(_, window)| *window == PART);
    let mut starts: Vec<usize> = std::iter::once(0).chain(later.map(|(at, _)| at)).take(MAX_PARTS).collect();
    starts.push(bytes.len());
    starts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}

/// A model in several files with a few changes, as [`mutated_file`] makes them to one.
pub fn mutated_parts(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    if seed % 4 != 3 {
        return mutated_file(bytes, seed);
    }
    let decisions = Random(seed.into()).bytes(128);
    let mut choices = Choices::new(&decisions);
    let gguf = Gguf::parse_parts(&parts(bytes)).ok().filter(|gguf| gguf.alignment() <= 4096)?;
    let mut whole = gguf_copy::copy(&gguf);
    whole.entries.retain(|(key, _)| !key.starts_with(b"split."));
    let mut files = gguf_split::split(&whole, 1 + choices.below(MAX_PARTS) as u16);
    for _ in 0..choices.below(3) {
        let (one, other) = (choices.below(files.len()), choices.below(files.len()));
        match choices.byte() % 4 {
            0 => files.swap(one, other),
            1 => drop(files.remove(one)),
            2 => files.insert(one, files[other].clone()),
            _ => {
                let key = ["split.no", "split.count", "split.tensors.count"][choices.below(3)];
                files[one].set(key, value(&mut choices));
            }
        }
        if files.is_empty() {
            return None;
        }
    }
    let bent = choices.below(files.len());
    let n_changes = choices.below(2);
    let last = |(i, file): (usize, &mut GgufWriter)| match i == bent {
        true => spoiled(file, n_changes, &mut choices),
        false => file.finish().bytes,
    };
    Some(files.iter_mut().enumerate().flat_map(last).collect())
}

/// A model file with a few changes, as libFuzzer's custom mutators make them: the same `seed` makes the same changes.
///
/// A file that parses is changed in its parts, or becomes a tiny model of another kind. `None` if the file does not
/// parse, and for every second seed; libFuzzer then changes plain bytes.
pub fn mutated_file(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    if seed.is_multiple_of(2) {
        return None;
    }
    let decisions = Random(seed.into()).bytes(128);
    let mut choices = Choices::new(&decisions);
    let mut file = match choices.byte() {
        0..8 => tiny_model(KINDS[choices.below(KINDS.len())]),
        _ => gguf_copy::copy(&Gguf::parse(bytes).ok().filter(|gguf| gguf.alignment() <= 4096)?),
    };
    let n_changes = 1 + choices.below(4) / 2;
    Some(spoiled(&mut file, n_changes, &mut choices))
}

/// The file's bytes after some changes to its parts, as long as there are decisions left, and then to its bytes.
fn spoiled(file: &mut GgufWriter, n_changes: usize, choices: &mut Choices<'_>) -> Vec<u8> {
    for _ in 0..n_changes {
        if choices.is_spent() {
            break;
        }
        bend(file, choices);
    }
    let mut written = file.finish();
    match choices.byte() % 16 {
        1 => {
            let figure = written.figures[choices.below(written.figures.len())];
            figure.patch(&mut written.bytes, choices.integer());
        }
        2 => {
            let at = choices.below(written.bytes.len().min(1 << 16));
            written.bytes[at] = choices.byte();
        }
        3 => written.bytes.truncate(choices.below(written.bytes.len().min(1 << 16))),
        _ => {}
    }
    written.bytes
}

/// The prefix of the keys of the file's architecture.
fn architecture(file: &GgufWriter) -> String {
    let keys = file.entries.iter().map(|(key, _)| String::from_utf8_lossy(key));
    let count = keys.into_iter().find_map(|key| Some(key.strip_suffix(".block_count")?.to_owned()));
    count.unwrap_or_else(|| "llama".to_owned())
}

/// One change to one part of a file.
fn bend(file: &mut GgufWriter, choices: &mut Choices<'_>) {
    match choices.byte() % 12 {
        0 | 1 => {
            let at = choices.below(file.entries.len());
            let value = value(choices);
            if let Some(entry) = file.entries.get_mut(at) {
                entry.1 = value;
            }
        }
        2 => {
            let key = format!("{}.{}", architecture(file), MORE_KEYS[choices.below(MORE_KEYS.len())]);
            file.set(&key, value(choices));
        }
        3 => {
            let at = choices.below(file.entries.len());
            if at < file.entries.len() {
                file.entries.remove(at);
            }
        }
        4 => bend_value(file, choices),
        5 => file.n_tensors = Some(choices.integer()),
        6 => file.n_entries = Some(choices.integer()),
        7 => {
            let at = choices.below(file.tensors.len());
            if at < file.tensors.len() {
                file.tensors.remove(at);
            }
        }
        8 => {
            let name = choices.bytes(8).to_vec();
            let copy = file.tensors.first().cloned().unwrap_or_default();
            file.tensors.push(Tensor { name, ..copy });
        }
        _ => {
            let at = choices.below(file.tensors.len());
            if let Some(tensor) = file.tensors.get_mut(at) {
                bend_tensor(tensor, choices);
            }
        }
    }
}

fn bend_tensor(tensor: &mut Tensor, choices: &mut Choices<'_>) {
    match choices.byte() % 6 {
        0 => tensor.ggml_type = choices.integer() as u32 % 64,
        1 => tensor.offset = Some(choices.integer()),
        2 => tensor.n_dims = Some(choices.byte().into()),
        3 => {
            let at = choices.below(tensor.dims.len());
            if let Some(dim) = tensor.dims.get_mut(at) {
                *dim = choices.integer();
            }
        }
        4 => tensor.data.fill(choices.byte()),
        _ => {
            let at = choices.below(tensor.data.len());
            let bytes = choices.bytes(8);
            if let Some(target) = tensor.data.get_mut(at..at + bytes.len()) {
                target.copy_from_slice(bytes);
            }
        }
    }
}

/// Overwrites bytes inside a value: elements, strings and their lengths.
fn bend_value(file: &mut GgufWriter, choices: &mut Choices<'_>) {
    let at = choices.below(file.entries.len());
    if let Some((_, value)) = file.entries.get_mut(at) {
        let start = choices.below(value.payload.len());
        let bytes = choices.bytes(4);
        if let Some(target) = value.payload.get_mut(start..start + bytes.len()) {
            target.copy_from_slice(bytes);
        }
    }
}

fn value(choices: &mut Choices<'_>) -> Value {
    const WORDS: [&str; 12] =
        ["", "llama", "gemma3", "lfm2", "gpt2", "qwen2", "default", "linear", "yarn", "llama3", "longrope", "none"];
    let n = choices.below(6);
    match choices.byte() % 8 {
        0 | 1 => Value::u32(choices.integer() as u32),
        2 => Value::u64(choices.integer()),
        3 => Value::f32(choices.float()),
        4 => Value::string(WORDS[choices.below(WORDS.len())]),
        5 => Value::i32s((0..n).map(|_| choices.integer() as i32).collect::<Vec<_>>()),
        6 => Value::f32s((0..n).map(|_| choices.float()).collect::<Vec<_>>()),
        _ => Value::raw((choices.byte() % 14).into(), choices.bytes(12)),
    }
}
