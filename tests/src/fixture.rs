//! Recorded answers of an independent engine, kept in `tests/fixtures`.

use std::fs;
use std::path::Path;

/// A model with the results of the independent engine.
#[derive(Debug)]
pub struct Fixture {
    /// File stem.
    pub name: String,
    /// The model file.
    pub gguf: Vec<u8>,
    /// A prompt.
    pub ids: Vec<u32>,
    /// Logits at every position of the prompt, `[n_tokens][n_vocab]`.
    pub logits: Vec<f32>,
    /// The greedy continuation.
    pub greedy: Vec<u32>,
}

impl Fixture {
    /// `NAME.gguf` and its companions in a folder.
    pub fn read(folder: &Path, name: &str) -> Self {
        let path = |extension: &str| folder.join(format!("{name}.{extension}"));
        let ids = |extension: &str| {
            let text = fs::read_to_string(path(extension)).unwrap();
            text.trim().split(',').map(|id| id.trim().parse().unwrap()).collect()
        };
        Self {
            name: name.to_string(),
            gguf: fs::read(path("gguf")).unwrap(),
            ids: ids("ids"),
            logits: crate::read_f32(&path("logits.f32")),
            greedy: ids("greedy"),
        }
    }
}

/// All fixtures of a folder under `tests/fixtures`, by name.
pub fn fixtures(folder: &str) -> Vec<Fixture> {
    let folder = crate::fixture(folder);
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".gguf").map(str::to_string))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{} holds no models", folder.display());
    names.iter().map(|name| Fixture::read(&folder, name)).collect()
}
