//! Successful runs of every command: exit code, streams, markers, and the same keys in a dry run as in the report.

mod support;

use serde_json::Value;
use support::{Run, TempDir, arch, arch_ids, run, run_with};

fn keys(object: &Value) -> Vec<String> {
    object.as_object().unwrap_or_else(|| panic!("no object: {object}")).keys().cloned().collect()
}

/// Runs a command as such, with `--json` and with `--dry-run`; checks markers and keys; returns the plain run.
fn check(command: &str, words: &[&str], input: &[u8]) -> Run {
    let with = |flags: &[&str]| {
        let all: Vec<&str> = [command].iter().chain(words).chain(flags).copied().collect();
        run_with(&all, &[], input)
    };
    let plain = with(&[]);
    plain.assert_ok(command);
    let report = plain.stderr_json();
    assert_eq!((report["command"].as_str(), report["status"].as_str()), (Some(command), Some("ok")));

    let json = with(&["--json"]);
    assert_eq!(json.code, Some(0), "{json:?}");
    assert_eq!(keys(&json.json()), keys(&report));
    assert!(!json.stderr.contains("json: "), "{json:?}");

    let dry = with(&["--dry-run"]);
    assert_eq!((dry.code, dry.stderr.as_str()), (Some(0), ""), "{dry:?}");
    assert!(dry.stdout.contains(&format!("status_on_success: {command}_status: ok\n")), "{dry:?}");
    let planned = dry.stdout.lines().find_map(|line| line.strip_prefix("json_on_success: ")).unwrap();
    assert_eq!(keys(&serde_json::from_str(planned).unwrap()), keys(&report), "{command}");
    plain
}

#[test]
fn generate_streams_the_answer_alone_on_stdout() {
    let model = arch("llama");
    let run = check("generate", &[&model, "hello there", "-n", "6", "--seed", "1"], b"");
    let report = run.stderr_json();
    assert_eq!(report["generated_tokens"], 6);
    assert_eq!(report["finish_reason"], "length");
    assert_eq!(report["architecture"], "llama");
    assert_eq!(report["quantization"], "F32");
    assert_eq!(run.stdout.trim_end_matches('\n'), report["text"].as_str().unwrap().trim_end_matches('\n'));
    for key in ["prefill_sec", "generation_sec", "tokens_per_sec", "ttft_ms", "load_sec", "peak_rss_bytes"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key}: {report}");
    }
}

#[test]
fn a_seed_repeats_and_threads_and_batches_change_nothing() {
    let model = arch("llama");
    let answer = |flags: &[&str]| {
        let mut words = vec!["generate", &model, "once upon a time", "-n", "24", "--temp", "0.9", "--seed", "7"];
        words.extend(flags);
        let run = run(&words);
        run.assert_ok("generate");
        run.stdout
    };
    let first = answer(&[]);
    for flags in
        [&["-t", "1"][..], &["-t", "4", "-b", "1"], &["-b", "3"], &["--kernel", "scalar"], &["--threads-batch", "3"]]
    {
        assert_eq!(answer(flags), first, "{flags:?}");
    }
    assert_ne!(answer(&["--seed", "8"][..0]), "", "something is said");
}

#[test]
fn the_seeds_positional_arguments_still_work() {
    let model = arch("llama");
    let report = run(&["generate", &model, "hello", "0", "5"]).stderr_json();
    assert_eq!(report["generated_tokens"], 5);
}

#[test]
fn stop_strings_end_the_answer_before_them() {
    let model = arch("llama");
    let all = run(&["generate", &model, "hello there", "-n", "12"]);
    let text = all.stderr_json()["text"].as_str().unwrap().to_owned();
    let stop: String = text.chars().skip(3).take(2).collect();
    let cut = run(&["generate", &model, "hello there", "-n", "12", "--stop", &stop]).stderr_json();
    assert_eq!(cut["finish_reason"], "stop_string");
    assert_eq!(cut["text"].as_str().unwrap(), &text[..text.find(&stop).unwrap()]);
}

#[test]
fn chat_through_a_named_format() {
    let run = check("chat", &[&arch("qwen2"), "hello", "-n", "5", "-s", "Be brief.", "--temp", "0"], b"");
    let report = run.stderr_json();
    assert_eq!((report["renderer"].as_str(), report["template_format"].as_str()), (Some("qwen_im"), Some("named")));
    // Piped standard input is the prompt.
    let piped = run_with(&["chat", &arch("qwen2"), "-n", "5", "-s", "Be brief.", "--temp", "0"], &[], b"hello\n");
    assert_eq!(piped.stdout, run.stdout);
    support::run(&["chat", &arch("phi3"), "hello"]).assert_fails(2, &["no chat format"]);
}

#[test]
fn inspect_reports() {
    let run = check("inspect", &[&arch("gemma3")], b"");
    for line in [
        "readiness: ready\n",
        "architecture: gemma3\n",
        "general.architecture = \"gemma3\"\n",
        "renderer: gemma_turn\n",
    ] {
        assert!(run.stdout.contains(line), "{line}: {run:?}");
    }
    let report = run.stderr_json();
    assert_eq!(report["config"]["n_embd"], 64);
    assert!(report["arena_bytes"].as_u64().unwrap() > 0);
    assert_eq!(report["state_bytes"], 0);
    // In each of six gated delta nets four heads of 16 x 16, and three taps of 128 channels.
    let recurrent = check("inspect", &[&arch("qwen35")], b"").stderr_json();
    assert_eq!(recurrent["state_bytes"], 6 * 4 * (4 * 16 * 16 + 3 * 128));
    // Gemma 4 looks up a table for all layers beside its embedding, which is its head, too.
    let run = check("inspect", &[&arch("gemma4")], b"");
    assert!(run.stdout.contains("looked_up_bytes: "), "{run:?}");
    let bytes = std::fs::read(arch("gemma4")).unwrap();
    let gguf = nanocamelid_engine::Gguf::parse(&bytes).unwrap();
    let table = gguf.tensor("per_layer_token_embd.weight").unwrap().data().len();
    assert_eq!(run.stderr_json()["looked_up_bytes"], table);
    // Of six experts two serve a token.
    let mixture = check("inspect", &[&arch("qwen3moe")], b"").stderr_json();
    let read = mixture["bytes_per_token"].as_u64().unwrap() + mixture["looked_up_bytes"].as_u64().unwrap();
    assert!(read < mixture["file_bytes"].as_u64().unwrap() * 3 / 4, "{mixture}");
}

#[test]
fn tokenize_in_every_way() {
    let model = arch("qwen2");
    let run = check("tokenize", &[&model, "hello"], b"");
    let ids = run.stderr_json()["ids"].clone();
    assert_eq!(run.stdout.lines().count(), ids.as_array().unwrap().len());
    let lines = run_with(&["tokenize", &model, "--jsonl"], &[], b"\"hello\"\n\"\"\n\"hello\"\n");
    assert_eq!(lines.stdout, format!("{ids}\n[]\n{ids}\n"));
    let dir = TempDir::new("tokenize");
    let file = dir.file("texts.jsonl", b"\"hello\"\n");
    let lines = run_with(&["tokenize", &model, "--jsonl", "-f", &file], &[], b"\"unread\"\n");
    assert_eq!(lines.stdout, format!("{ids}\n"));
    let bos = support::run(&["tokenize", &arch("llama"), "hello", "--bos"]).stderr_json();
    assert_eq!(bos["ids"][0], 1);
    run_with(&["tokenize", &model, "--jsonl"], &[], b"hello\n").assert_fails(2, &["line 1: not a JSON string"]);
    // Control tokens only where they are asked for.
    let plain = support::run(&["tokenize", &model, "<|im_start|>"]).stderr_json();
    let special = support::run(&["tokenize", &model, "<|im_start|>", "--special"]).stderr_json();
    assert!(plain["n_tokens"].as_u64() > Some(1) && special["n_tokens"] == 1, "{plain} {special}");
}

#[test]
fn template_from_a_file_and_from_a_model() {
    let dir = TempDir::new("template");
    let messages = dir.file("messages.json", br#"[{"role":"user","content":"Hi"}]"#);
    let source = dir.file(
        "t.jinja",
        b"{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}{{ strftime_now('%d %b %Y') }}",
    );
    let words = [source.as_str(), "--messages", &messages, "--bos-token", "<s>", "--date", "2026-07-26"];
    let run = check("template", &words, b"");
    assert_eq!(run.stdout, "<s>[user] Hi\n[assistant]26 Jul 2026");
    let mut closed = vec!["template"];
    closed.extend(words);
    closed.push("--no-generation-prompt");
    assert_eq!(support::run(&closed).stdout, "<s>[user] Hi\n26 Jul 2026");
    let named = support::run(&["template", &arch("qwen2"), "--messages", &messages]);
    named.assert_ok("template");
    assert!(named.stdout.contains("<|im_start|>user\nHi<|im_end|>"), "{named:?}");

    let refuses = dir.file("r.jinja", b"{{ raise_exception('no system here') }}");
    support::run(&["template", &refuses, "--messages", &messages]).assert_fails(2, &["no system here"]);
    let broken = dir.file("b.jinja", b"{% if %}");
    support::run(&["template", &broken, "--messages", &messages]).assert_fails(2, &["line 1"]);
    for role in ["", "<|user|>", "User", "im end"] {
        let bad = dir.file("role.json", format!(r#"[{{"role":"{role}","content":"Hi"}}]"#).as_bytes());
        support::run(&["template", &source, "--messages", &bad])
            .assert_fails(2, &["role.json", "message 0: a role has"]);
    }
    for (text, words) in [("{}", "not a JSON list"), ("[1]", "message 0"), ("nope", "not JSON")] {
        let bad = dir.file("bad.json", text.as_bytes());
        support::run(&["template", &source, "--messages", &bad]).assert_fails(2, &[words]);
    }
}

#[test]
fn logits_are_the_same_however_they_are_computed() {
    let dir = TempDir::new("logits");
    for name in ["llama", "qwen2", "gemma3"] {
        let (model, ids, out) = (arch(name), arch_ids(name), dir.path(&format!("{name}.f32")));
        let mut digests = Vec::new();
        for flags in
            [&["-b", "1", "-t", "1"][..], &["-b", "7", "-t", "2"], &["-b", "512", "-t", "4"], &["--kernel", "scalar"]]
        {
            let mut words = vec!["logits", &model, "--ids", &ids, "--out", &out, "--digest"];
            words.extend(flags);
            let run = run(&words);
            run.assert_ok("logits");
            let report = run.stderr_json();
            let bytes = std::fs::read(&out).unwrap();
            assert_eq!(
                bytes.len() as u64,
                report["n_tokens"].as_u64().unwrap() * report["n_vocab"].as_u64().unwrap() * 4
            );
            // FNV-1a 64, written out once more.
            let digest =
                bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
            assert_eq!(run.stdout, format!("digest: {digest:016x}\n"));
            digests.push(digest);
        }
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{name}: {digests:x?}");
    }
    check("logits", &[&arch("llama"), "--ids", "1,2,3", "--digest"], b"");
}

#[test]
fn probe_names_the_kernel_it_selects() {
    let run = check("probe", &[], b"");
    let report = run.stderr_json();
    assert!(run.stdout.contains(&format!("kernel: {}\n", report["kernel"].as_str().unwrap())), "{run:?}");
    let forced = support::run(&["probe", "--kernel", "scalar", "--json"]).json();
    assert_eq!(forced["kernel"], "scalar");
    let other = if cfg!(target_arch = "x86_64") { "i8mm" } else { "avx2" };
    support::run(&["probe", "--kernel", other]).assert_fails(2, &["this CPU cannot run", other, "scalar"]);
}

#[test]
fn bench_of_a_model() {
    let words = [
        arch("llama"),
        "-p".into(),
        "16".into(),
        "-n".into(),
        "4".into(),
        "-r".into(),
        "1".into(),
        "-t".into(),
        "1,2".into(),
        "-b".into(),
        "1,16".into(),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let run = check("bench", &words, b"");
    let report = run.stderr_json();
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for key in ["threads", "batch", "depth", "n_prompt", "n_gen"] {
        assert!(results[0][key].is_number(), "{key}: {report}");
    }
    for key in ["pp_tps", "pp_gmac_per_sec", "tg_tps", "tg_gb_per_sec", "read_gb_per_sec"] {
        assert!(results[0][key].as_f64().is_some_and(|rate| rate > 0.0), "{key}: {report}");
    }
    assert!(report["bytes_per_token"].as_u64().unwrap() > 100_000);
    assert!(
        ["| rate |", "| pp16 |", " GMAC/s |", "| tg4 |", " % of reading |"]
            .iter()
            .all(|text| run.stdout.contains(text)),
        "{run:?}"
    );
    let deep = support::run(&["bench", &arch("llama"), "-p", "0", "-n", "4", "-r", "1", "-d", "100"]).stderr_json();
    assert_eq!((deep["results"][0]["depth"].as_u64(), deep["results"][0]["pp_tps"].is_null()), (Some(100), true));
}

/// Each mode runs alone with what is asked of it, and refuses what it would otherwise leave out.
#[test]
fn bench_of_conversations() {
    let model = arch("qwen35");
    #[cfg(feature = "disk-cache")]
    let dir = support::TempDir::new("bench");
    #[cfg(feature = "disk-cache")]
    let folder = dir.path("");
    let sizes = ["bench", &*model, "-p", "150", "-n", "4", "-r", "1", "-t", "1", "-b", "3"];
    let modes: &[(&[&str], usize, &str)] = &[
        (&["--slots", "1,5"], 2, "tg_tps"),
        (&["--draft"], 2, "draft_tps"),
        (&["--cached"], 1, "cached_ms"),
        #[cfg(feature = "disk-cache")]
        (&["--restart", &folder], 1, "restarted_ms"),
    ];
    for (mode, n_results, key) in modes {
        let words = [&sizes[..], mode].concat();
        let run = support::run(&words);
        run.assert_ok("bench");
        let report = run.stderr_json();
        let results = report["results"].as_array().unwrap();
        assert_eq!(results.len(), *n_results, "{report}");
        for result in results {
            assert!(result[key].as_f64().is_some_and(|number| number > 0.0), "{key}: {report}");
            let n_batch = result["slots"].as_u64().unwrap_or(0).max(3);
            assert_eq!(result["batch"], n_batch, "{report}");
        }
        for (more, word) in [("-d", "--depth"), ("-b", "--batch"), ("-t", "--threads")] {
            let words = [&["bench", &*model, more, "2,4"], *mode].concat();
            support::run(&words).assert_fails(2, &[word, "exclude each other"]);
        }
    }
}

#[cfg(feature = "bench-kernels")]
#[test]
fn bench_of_the_kernels() {
    // Every product of two formats, with every table of this machine: equal bits, whatever is measured.
    let run = support::run(&["bench", "kernels", "Q4_0", "IQ1_S", "-r", "1", "--json"]);
    let report = run.json();
    let results = report["results"].as_array().unwrap();
    let checksums =
        |key: &str| results.iter().map(|row| row[key].to_string()).collect::<std::collections::BTreeSet<_>>();
    // One checksum for each of two formats with 1 to 8 and 64 tokens, from memory and from a cache.
    assert_eq!((checksums("checksum").len(), results.len() % 20), (18, 0), "{report}");
    assert_eq!((checksums("format").len(), checksums("n_tokens").len()), (2, 9), "{report}");
    for row in results {
        assert_eq!(row["equal"], true, "{row}");
        for key in ["ns_per_block", "gb_per_sec", "of_read", "gmac_per_sec"] {
            assert!(row[key].as_f64().is_some_and(|number| number > 0.0), "{key}: {row}");
        }
        assert_eq!(row["of_multiply"].as_f64().is_some(), row["kernel"] != "scalar", "{row}");
    }

    // The same product under its own name, with two threads.
    let run = check("bench", &["q8-dot", "-t", "2", "-r", "1"], b"");
    let report = run.stderr_json();
    assert!(run.stdout.starts_with("q8-dot, threads: 2\n") && run.stdout.contains("| ns/block |"), "{run:?}");
    for result in report["results"].as_array().unwrap() {
        assert_eq!(
            (&result["format"], &result["from"], &result["equal"]),
            (&"Q8_0".into(), &"cache".into(), &true.into())
        );
    }

    support::run(&["bench", "kernels", "Q4_X"]).assert_fails(2, &["FORMAT: 'Q4_X' is not one of", "did you mean Q4_"]);
    support::run(&["bench", "kernels", "Q4_0", "q6_k"]).assert_fails(2, &["did you mean Q6_K?"]);
    support::run(&["bench", "q8-dot", "Q4_0"]).assert_fails(2, &["exclude each other"]);
}

/// Without time nothing in the output depends on the machine, so instructions between lines can be counted.
#[cfg(feature = "bench-kernels")]
#[test]
fn products_that_are_counted() {
    let words = |n| ["bench", "kernels", "Q6_K", "F16", "--kernel", "scalar", "--products", n];
    let lines = support::run(&words("1")).stdout;
    assert_eq!(lines, support::run(&words("2")).stdout);
    let first: Vec<&str> = lines.lines().take(2).collect();
    assert!(first[0] == "kernel format tokens checksum" && first[1].starts_with("scalar F16 1 "), "{lines}");
    assert_eq!(lines.lines().count(), 1 + 2 * 9);
}

#[test]
fn smoke_is_exact_and_agrees_with_the_recorded_logits() {
    let model = arch("qwen2");
    let golden = model.replace(".gguf", "");
    let run = check("smoke", &[&model, "--golden", &golden, "--kv", "f32", "-n", "4"], b"");
    let report = run.stderr_json();
    assert_eq!(report["max_logit_delta"], "0.00000000");
    assert!(run.stderr.contains("max_logit_delta: 0.00000000\n"), "{run:?}");
    assert!(report["golden"]["max_abs"].as_f64().unwrap() < 2e-3, "{report}");
    assert_eq!(report["golden"]["top1_agreement"], 1.0);
    let raw = support::run(&["smoke", &model, "model", "some words", "3"]).stderr_json();
    assert_eq!((raw["mode"].as_str(), raw["generated_ids"].as_array().unwrap().len()), (Some("model"), 3));
    support::run(&["smoke", &model, "--golden", "/nonexistent/x"]).assert_fails(2, &["/nonexistent/x.ids"]);
    support::run(&["smoke", &arch("llama"), "--golden", &arch("gemma3").replace("gemma3.gguf", "nothing")])
        .assert_fails(2, &["nothing.ids"]);
}

#[test]
fn ready_and_evidence_bundle_the_others() {
    let model = arch("qwen2");
    let ready = check("ready", &[&model], b"");
    for marker in ["probe_status: ok", "inspect_status: ok", "smoke_status: ok", "chat_status: ok"] {
        assert!(ready.stderr.contains(marker), "{marker}: {ready:?}");
    }
    assert_eq!(ready.stdout, "", "the chat of a check is no answer");
    let report = ready.stderr_json();
    assert_eq!(report["inspect"]["readiness"], "ready");
    assert_eq!(report["smoke"]["max_logit_delta"], "0.00000000");
    let without = support::run(&["ready", &model, "--no-chat"]);
    assert!(!without.stderr.contains("chat_status"), "{without:?}");

    let evidence = check("evidence", &[&model, "--contexts", "32,64", "--batches", "1,16"], b"");
    let report = evidence.stderr_json();
    let contexts = report["contexts"].as_array().unwrap();
    assert_eq!(contexts.len(), 2);
    for context in contexts {
        let (cap, prompt) = (context["context_limit"].as_u64().unwrap(), context["prompt_tokens"].as_u64().unwrap());
        assert!(prompt + 4 == cap, "the prompt fills the cap: {context}");
        assert_eq!(context["max_logit_delta"], "0.00000000");
    }
    assert_eq!(report["batches"].as_array().unwrap().len(), 2);
    assert_eq!(report["ready"]["status"], "ok");
}

/// A dry run opens no file: the model file of this test does not exist.
#[test]
fn dry_runs_open_nothing() {
    for words in [
        &["chat", "/nonexistent/m.gguf", "hi"][..],
        &["generate", "/nonexistent/m.gguf", "hi"],
        #[cfg(feature = "constraints")]
        &["generate", "/nonexistent/m.gguf", "hi", "--json-schema", "/nonexistent/x.json"],
        &["tui", "/nonexistent/m.gguf"],
        &["inspect", "/nonexistent/m.gguf"],
        &["smoke", "1b", "chat", "hi", "4"],
        &["ready", "3b"],
        &["evidence", "/nonexistent/m.gguf"],
        &["bench", "/nonexistent/m.gguf"],
        &["logits", "/nonexistent/m.gguf", "--ids", "1", "--digest"],
        &["embed", "/nonexistent/m.gguf", "hi"],
        &["tokenize", "/nonexistent/m.gguf", "hi"],
        &["template", "/nonexistent/m.gguf", "--messages", "/nonexistent/x.json"],
    ] {
        let mut all = words.to_vec();
        all.push("--dry-run");
        let dry = run(&all);
        assert_eq!(dry.code, Some(0), "{dry:?}");
        assert!(dry.stdout.contains("selected_source: ") || words[0] == "bench", "{dry:?}");
    }
    // What the words alone show to be wrong is refused all the same.
    for words in [&["chat", "m.gguf", "hi"][..], &["smoke", "1b", "chat", "hi"], &["tokenize", "m.gguf", "hi"]] {
        let all = [words, &["-f", "/nonexistent/x.txt", "--dry-run"]].concat();
        run(&all).assert_fails(2, &["--file"]);
    }
}

#[test]
fn trace_and_verbose_go_to_stderr() {
    let model = arch("llama");
    let quiet = run(&["generate", &model, "hello", "-n", "3"]);
    let loud = run(&["generate", &model, "hello", "-n", "3", "--trace", "-v"]);
    assert_eq!(loud.stdout, quiet.stdout);
    assert!(loud.stderr.contains("trace: decode") && loud.stderr.contains("trace: prefill"), "{loud:?}");
    assert!(loud.stderr.contains("loaded in"), "{loud:?}");
    let by_variable = run_with(&["generate", &model, "hello", "-n", "3"], &[("NANOCAMELID_TRACE", "1")], b"");
    assert!(by_variable.stderr.contains("trace: decode"), "{by_variable:?}");
}

#[test]
#[cfg(feature = "demo")]
fn the_demo_answers() {
    let run = run(&["chat", "Say hello in one sentence."]);
    run.assert_ok("chat");
    let report = run.stderr_json();
    assert_eq!(report["selected_source"], "built-in demo");
    assert_eq!(report["finish_reason"], "stop", "{report}");
    assert!(!run.stdout.trim().is_empty(), "{run:?}");
    // A second run says the same: the demo is greedy.
    assert_eq!(support::run(&["chat", "Say hello in one sentence."]).stdout, run.stdout);
}
