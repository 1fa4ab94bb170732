//! The choice of a model, and the ways in which a file can be wrong.

mod support;

use support::{TempDir, arch, run, run_with};

#[test]
fn resolution_is_reported() {
    let (llama, qwen) = (arch("llama"), arch("qwen2"));
    let plan = |words: &[&str], variables: &[(&str, &str)]| {
        let mut all = vec!["inspect"];
        all.extend(words);
        all.extend(["--dry-run", "--json"]);
        let run = run_with(&all, variables, b"");
        assert_eq!(run.code, Some(0), "{run:?}");
        let plan = run.json()["json_on_success"].clone();
        (plan["model"].as_str().unwrap().to_owned(), plan["selected_source"].as_str().unwrap().to_owned())
    };
    let both = [("NANOCAMELID_MODEL_GGUF", llama.as_str()), ("NANOCAMELID_SMOKE_GGUF", qwen.as_str())];
    assert_eq!(plan(&["a/b.gguf"], &both), ("a/b.gguf".into(), "argument".into()));
    assert_eq!(plan(&["1b"], &both), (qwen.clone(), "NANOCAMELID_SMOKE_GGUF".into()));
    assert_eq!(plan(&["3b"], &both[..1]), (llama.clone(), "NANOCAMELID_MODEL_GGUF".into()));
    assert_eq!(plan(&[], &both), (llama.clone(), "NANOCAMELID_MODEL_GGUF".into()));
    assert_eq!(plan(&["llama32-1b"], &[("NANOCAMELID_WORKSPACE", "/w")]).1, "workspace");
    let dir = TempDir::new("workspace");
    std::fs::create_dir(dir.0.join("models")).unwrap();
    let q8 = dir.file("models/Llama-3.2-3B-Instruct-Q8_0.gguf", b"x");
    assert_eq!(plan(&["3b"], &[("NANOCAMELID_WORKSPACE", dir.0.to_str().unwrap())]), (q8, "workspace".into()));
    if cfg!(feature = "demo") {
        assert_eq!(plan(&[], &[]), ("built-in demo".into(), "built-in demo".into()));
    }
}

#[test]
fn files_that_are_no_models() {
    let dir = TempDir::new("files");
    let llama = std::fs::read(arch("llama")).unwrap();
    let mut other_version = llama.clone();
    other_version[4] = 9;
    let mut unknown = llama.clone();
    let at = unknown.windows(12).position(|w| w == b"architecture").unwrap() + 12 + 12;
    unknown[at..at + 5].copy_from_slice(b"zebra");
    for (path, words) in [
        (dir.path("none.gguf"), "no such file"),
        (dir.0.to_str().unwrap().to_owned(), "is a directory"),
        (dir.file("empty.gguf", b""), "is empty"),
        (dir.file("text.gguf", b"I am not a model"), "not a GGUF file"),
        (dir.file("short.gguf", b"GG"), "ends inside a value"),
        (dir.file("version.gguf", &other_version), "version 9"),
        (dir.file("cut.gguf", &llama[..llama.len() / 2]), "past the end of the file"),
        (dir.file("zebra.gguf", &unknown), "zebra"),
    ] {
        for command in ["inspect", "ready", "bench"] {
            let run = run(&[command, &path]);
            assert_eq!(run.code, Some(2), "{run:?}");
            let all = format!("{}{}", run.stdout, run.stderr);
            assert!(all.contains(words) && (all.contains(&path) || command == "inspect"), "{command}: {run:?}");
        }
        if path.ends_with(".gguf") {
            run(&["chat", &path, "hi"]).assert_fails(2, &[words, &path]);
            run(&["logits", &path, "--ids", "1", "--digest"]).assert_fails(2, &[words, &path]);
            let json = run(&["generate", &path, "hi", "--json"]);
            assert_eq!(json.code, Some(2));
            assert!(json.json()["error"].as_str().unwrap().contains(words), "{json:?}");
        }
    }
}

#[test]
fn inspect_explains_what_cannot_run() {
    let dir = TempDir::new("unsupported");
    let mut bytes = std::fs::read(arch("llama")).unwrap();
    // Another name for a tensor: one that is missing and one too many.
    let at = bytes.windows(18).position(|w| w == b"blk.0.attn_q.weigh").unwrap();
    bytes[at + 4] = b'9';
    let path = dir.file("renamed.gguf", &bytes);
    let run = run(&["inspect", &path, "--json"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    let report = run.json();
    assert_eq!((report["status"].as_str(), report["readiness"].as_str()), (Some("unsupported"), Some("unsupported")));
    assert!(report["reasons"].to_string().contains("blk.0.attn_q.weight is missing"), "{report}");
    assert_eq!(report["architecture"], "llama");
}

#[test]
fn a_profile_names_every_field_that_differs() {
    let run = run(&["inspect", &arch("llama"), "--expect", "1b"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("1b_shape: mismatch\n"), "{run:?}");
    for field in
        ["llama.block_count: expected 16, found 3", "tokenizer.ggml.tokens: expected 128256, found 288", "blk.15."]
    {
        assert!(run.stderr.contains(field), "{field}: {run:?}");
    }
    support::run(&["chat", &arch("llama"), "hi", "--expect", "1b"]).assert_fails(2, &["not the profile 1b"]);
    run_with(&["smoke", "1b"], &[("NANOCAMELID_SMOKE_GGUF", &arch("llama"))], b"")
        .assert_fails(2, &["1b_shape: mismatch"]);
}

#[test]
fn sizes_that_do_not_fit() {
    let model = arch("llama");
    let long = "word ".repeat(600);
    run(&["generate", &model, &long, "-c", "64"]).assert_fails(2, &["tokens and the context holds 64"]);
    run(&["logits", &model, "--ids", "1,2,3,4,5,6,7,8,9,10", "-c", "8", "--digest"])
        .assert_fails(2, &["10 tokens and the context holds 8"]);
    run(&["logits", &model, "--ids", "1,99999", "--digest"]).assert_fails(2, &["99999"]);
    let longer = run(&["generate", &model, "hi", "-c", "2048", "-n", "2"]);
    longer.assert_ok("generate");
    assert!(longer.stderr.contains("was made for 512"), "{longer:?}");
    run(&["generate", &model, ""]).assert_fails(2, &["prompt is empty"]);
    run(&["generate", &model]).assert_fails(2, &["prompt is empty"]);
}

/// A context that memory cannot hold: what it needs, what is free, and what would fit.
#[test]
fn a_context_larger_than_memory() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/nanocamelid-demo.gguf");
    let n_ctx = 1 << 24;
    let cache =
        n_ctx * run(&["inspect", model, "--kv", "f32", "--json"]).json()["kv_bytes_per_token"].as_u64().unwrap();
    match run(&["probe", "--json"]).json()["ram_available_bytes"].as_u64() {
        Some(available) if available < cache => {}
        _ => return eprintln!("skipped: {cache} bytes of memory are free here, or nobody knows"),
    }
    let refused = run(&["generate", model, "hi", "-c", &n_ctx.to_string(), "--kv", "f32"]);
    refused.assert_fails(2, &["the session needs ", " are free; what fits: --ctx "]);
    // A context that the message says would fit does fit; half of it, because other programs use memory too.
    let fits: u64 = refused.stderr.split("--ctx ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    run(&["generate", model, "hi", "-n", "1", "-c", &(fits / 2).to_string(), "--kv", "f32"]).assert_ok("generate");
}

#[test]
fn prompt_files() {
    let dir = TempDir::new("prompts");
    let model = arch("llama");
    let good = dir.file("good.txt", b"hello there\n");
    let from_file = run(&["generate", &model, "-f", &good, "-n", "4"]);
    from_file.assert_ok("generate");
    assert_eq!(from_file.stdout, run(&["generate", &model, "hello there", "-n", "4"]).stdout);
    assert_eq!(from_file.stdout, run_with(&["generate", &model, "-n", "4"], &[], b"hello there\n").stdout);
    let bad = dir.file("bad.txt", b"abc\xff");
    run(&["generate", &model, "-f", &bad]).assert_fails(2, &[&bad, "not UTF-8 at byte 3"]);
    run(&["generate", &model, "-f", &dir.path("none.txt")]).assert_fails(2, &["no such file"]);
    run(&["generate", &model, "-f", dir.0.to_str().unwrap()]).assert_fails(2, &["is a directory"]);
    run(&["generate", &model, "hi", "-f", &good]).assert_fails(2, &["exclude each other"]);
    run_with(&["generate", &model], &[], b"\xff\xfe").assert_fails(2, &["standard input", "not UTF-8"]);
}
