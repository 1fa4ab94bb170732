//! Files that people mistake for a model: the message names the kind of file, in one line.

mod support;

use support::split::entry;
use support::{TempDir, arch, run};

/// A GGUF file of one small tensor, or none, with these strings as metadata.
fn gguf(strings: &[(&str, &str)], tensor: Option<&str>) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(u64::from(tensor.is_some()).to_le_bytes());
    bytes.extend((strings.len() as u64).to_le_bytes());
    for (key, value) in strings {
        bytes.extend(entry(key, 8, &[&(value.len() as u64).to_le_bytes()[..], value.as_bytes()].concat()));
    }
    if let Some(name) = tensor {
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend([&1u32.to_le_bytes()[..], &4u64.to_le_bytes(), &0u32.to_le_bytes(), &0u64.to_le_bytes()].concat());
        bytes.resize(bytes.len().next_multiple_of(32) + 16, 0);
    }
    bytes
}

/// Every command prints the message in one line.
fn assert_called(path: &str, words: &[&str]) {
    for command in [&["chat", path, "hi"][..], &["generate", path, "hi"], &["tokenize", path, "hi"], &["ready", path]] {
        let run = run(command);
        run.assert_fails(2, words);
        let said: Vec<_> = run.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(said.len() == 1 && said[0].contains(path) && said[0].len() < path.len() + 300, "{run:?}");
    }
    let inspected = run(&["inspect", path]);
    assert_eq!(inspected.code, Some(2), "{inspected:?}");
    let all = format!("{}{}", inspected.stdout, inspected.stderr);
    assert!(words.iter().all(|word| all.contains(word)), "{inspected:?}");
}

#[test]
fn companions_of_a_model() {
    let dir = TempDir::new("companions");
    let file = |name: &str, strings: &[(&str, &str)], tensor: &str| dir.file(name, &gguf(strings, Some(tensor)));
    let (architecture, kind) = ("general.architecture", "general.type");
    let adapter = file("a.gguf", &[(architecture, "llama"), (kind, "adapter")], "blk.0.attn_q.weight.lora_a");
    assert_called(&adapter, &["LoRA adapter", "take that model's file"]);
    let older = file("o.gguf", &[(architecture, "llama"), ("adapter.type", "lora")], "blk.0.attn_q.weight.lora_a");
    assert_called(&older, &["LoRA adapter"]);
    let projector = file("p.gguf", &[(architecture, "clip"), (kind, "mmproj")], "v.patch_embd.weight");
    assert_called(&projector, &["mmproj", "image", "language model's own file"]);
    let matrix = file("i.gguf", &[(kind, "imatrix")], "blk.0.attn_q.weight.in_sum2");
    assert_called(&matrix, &["importance matrix", "take the model's own file"]);
    let vector =
        file("c.gguf", &[(architecture, "controlvector"), ("controlvector.model_hint", "llama")], "direction.1");
    assert_called(&vector, &["control vector", "take that model's file"]);
}

#[test]
fn a_vocabulary_has_no_weights_and_still_tokenizes() {
    let dir = TempDir::new("vocabulary");
    let model = std::fs::read(arch("llama")).unwrap();
    let parsed = nanocamelid_engine::Gguf::parse(&model).unwrap();
    let mut bytes = model[..parsed.tensors()[0].info_offset as usize].to_vec();
    bytes[8..16].fill(0);
    let path = dir.file("vocab.gguf", &bytes);
    run(&["chat", &path, "hi"]).assert_fails(2, &["vocabulary without weights", "take the file that has them"]);
    let (here, there) = (run(&["tokenize", &path, "hello"]), run(&["tokenize", &arch("llama"), "hello"]));
    assert_eq!((here.code, here.stdout), (Some(0), there.stdout));
}

#[test]
fn other_files() {
    let dir = TempDir::new("other-files");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 253113024\n";
    assert_called(&dir.file("lfs.gguf", pointer.as_bytes()), &["Git LFS pointer", "git lfs pull"]);
    assert_called(&dir.file("page.gguf", b"<!doctype html>\n<html>"), &["web page"]);
    assert_called(&dir.file("error.gguf", b"Entry not found"), &["not a GGUF file but a text: \"Entry not found\""]);
    assert_called(&dir.file("zip.gguf", b"PK\x03\x04....archive/data.pkl"), &["PyTorch", "GGUF conversion"]);
    assert_called(&dir.file("old.gguf", b"tjgg\x03\0\0\0"), &["old ggml format"]);
    assert_called(&dir.file("noise.gguf", &[0xfe; 100]), &["not a GGUF file (no GGUF magic)"]);
}

#[test]
fn tensor_types_have_names() {
    let dir = TempDir::new("types");
    let mut model = std::fs::read(arch("llama")).unwrap();
    let parsed = nanocamelid_engine::Gguf::parse(&model).unwrap();
    let info = parsed.tensor("blk.0.ffn_up.weight").unwrap();
    // After the name: dimensions, and then the type.
    let at = info.info_offset as usize + 8 + info.name.len() + 4 + 8 * info.n_dims;
    for (number, words) in [
        (31, &["Q4_0_4_4", "take the model's Q4_0 file"][..]),
        (38, &["IQ4_NL_8_8", "take the model's IQ4_NL file"]),
        (9, &["tensor blk.0.ffn_up.weight has type Q8_1, which is not supported"]),
        (999, &["unknown tensor type 999"]),
    ] {
        model[at..at + 4].copy_from_slice(&u32::to_le_bytes(number));
        let path = dir.file("type.gguf", &model);
        run(&["generate", &path, "hi"]).assert_fails(2, words);
        let inspected = run(&["inspect", &path]);
        let all = format!("{}{}", inspected.stdout, inspected.stderr);
        assert!(words.iter().all(|word| all.contains(word)), "{number}: {inspected:?}");
    }
}

#[test]
fn many_reasons_are_a_line() {
    let dir = TempDir::new("reasons");
    let path = dir.file("few.gguf", &gguf(&[("general.architecture", "llama")], Some("a.weight")));
    let run = run(&["generate", &path, "hi"]);
    run.assert_fails(2, &["unsupported: metadata key llama."]);
    assert!(run.stderr.contains(" more (inspect lists them)") && run.stderr.len() < path.len() + 400, "{run:?}");
}
