//! Published vocabularies against the ids that llama.cpp gives.

use nanocamelid_engine::gguf::Gguf;
use nanocamelid_engine::tokenizer::Tokenizer;
use nanocamelid_tests::shared_fixtures;
use nanocamelid_tests::vocabularies::encode;
use std::path::{Path, PathBuf};

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == extension));
    files.sort();
    files
}

#[test]
fn ids_equal_llama_cpp() {
    let Some(folder) = shared_fixtures("tokenizers") else { return };
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
