//! Words that are no model, habits from other programs, and texts on standard input.

mod support;

use support::{Run, TempDir, arch, run, run_with};

fn model_bytes() -> Vec<u8> {
    std::fs::read(arch("llama")).unwrap()
}

/// Tokens of the prompt.
fn prompt_tokens(run: &Run) -> u64 {
    assert_eq!(run.code, Some(0), "{run:?}");
    run.stderr_json()["prompt_tokens"].as_u64().unwrap()
}

#[test]
fn a_word_that_is_no_model_is_called_what_it_is() {
    let dir = TempDir::new("words");
    let bin = dir.file("weights.bin", b"PK\x03\x04archive");
    let notes = dir.file("notes.txt", b"some notes");
    dir.file("b.gguf", b"GGUF");
    dir.file("m-00001-of-00002.gguf", b"GGUF");
    dir.file("m-00002-of-00002.gguf", b"GGUF");
    let directory = dir.0.to_string_lossy().into_owned();
    for (words, expected) in [
        (&["chat", "model.safetensors", "hi"][..], "safetensors weights, no .gguf file"),
        (&["chat", "model.safetensors"], "safetensors weights"),
        (&["generate", &bin, "hi"], "weights.bin' is"),
        (&["chat", &notes], "-f "),
        (&["chat", "./no-such.bin", "hi"], "no .gguf file"),
        (&["chat", "hf.co/owner/repo", "hi"], "https://huggingface.co/owner/repo/resolve/main/"),
        (&["chat", "hf.co/owner/repo:Q4_K_M"], "is a repository"),
        (&["chat", "owner/repo", "hi"], "is a repository"),
        (&["tokenize", "owner/repo", "hi"], "is a repository"),
        (&["inspect", "hf.co/owner/repo"], "is a repository"),
        (&["chat", "https://host/m.gguf", "hi"], "curl -L -O https://host/m.gguf"),
        (&["inspect", "https://host/m.gguf"], "curl -L -O https://host/m.gguf"),
        (&["chat", &directory, "hi"], "give one of the .gguf files in it: b.gguf, m-00001-of-00002.gguf\n"),
        (&["bench", &directory], "give one of the .gguf files in it"),
        (&["chat", "and/or", "what", "is", "that"], "needs quotes"),
        (&["chat", "m.gguf.part", "hi"], "unfinished download"),
        (&["inspect", &format!("{directory}/bb.gguf")], "did you mean"),
        (&["chat", "llama3.2:3b", "hi"], "another program's store"),
        (&["chat", "why", "is", "the", "sky", "blue"], "needs quotes: \"why is the sky blue\""),
        (&["tokenize", "why", "so"], "needs quotes: \"why so\""),
        (&["chat", "hi", "0.5", "3", "more"], "unexpected argument 'more'"),
    ] {
        let run = run(words);
        run.assert_fails(2, &[expected]);
        assert!(run.stderr.starts_with("error: "), "{run:?}");
    }
}

/// A question stays a prompt, whatever files are in the directory.
#[test]
fn prompts_that_look_like_other_things_are_answered() {
    for prompt in ["and/or", "10:30", "what is https://example.com", "models", "2.5"] {
        let run = run(&["chat", prompt, "-n", "1"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stderr.contains("\"model\":\"built-in demo\""), "{run:?}");
    }
}

#[test]
fn a_file_with_the_magic_is_a_model_whatever_its_name() {
    let dir = TempDir::new("blob");
    let blob = dir.file("sha256-0123abcd", &model_bytes());
    let messages = dir.file("messages.json", br#"[{"role": "user", "content": "hi"}]"#);
    for words in [
        &["chat", &blob, "hi", "-n", "1"][..],
        &["generate", &blob, "hi", "-n", "1"],
        &[&blob, "hi", "-n", "1"],
        &["template", &blob, "--messages", &messages],
    ] {
        let run = run(words);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stderr.contains("\"selected_source\":\"argument\""), "{run:?}");
    }
}

#[test]
fn habits_work_where_their_meaning_is_plain() {
    let model = arch("llama");
    let expected = run(&["chat", &model, "hi", "-n", "2", "--temp", "0", "--ctx", "64"]);
    assert_eq!(expected.code, Some(0), "{expected:?}");
    for words in [
        &["chat", "-m", &model, "-p", "hi", "-n", "2", "--temperature", "0", "--ctx-size", "64"][..],
        &["-m", &model, "-p", "hi", "--predict", "2", "--temperature=0", "--ctx_size=64"],
        &[&model, "hi", "--n_predict", "2", "--temp", "0", "-c", "64"],
        &["run", &model, "hi", "--max-tokens", "2", "--temp", "0", "--ctx", "64"],
        &["chat", &model, "hi", "-n2", "--temp", "0", "-c64", "-ngl", "99", "-fa", "on", "--no-mmap"],
        &["chat", "-fa", &model, "hi", "-n", "2", "--temp", "0", "-c", "64", "--seed", "-1"],
    ] {
        let run = run(words);
        assert_eq!((run.code, &run.stdout), (Some(0), &expected.stdout), "{run:?}");
    }
    let noted = run(&["chat", &model, "hi", "-n", "1", "--n-gpu-layers", "99"]);
    assert!(noted.stderr.contains("note: --n-gpu-layers changes nothing here"), "{noted:?}");
    let tui = run_with(&["run", &model], &[], b"");
    assert!(tui.code == Some(0) && tui.stderr.contains("tui_status: ok"), "{tui:?}");
    // A benchmark's -p is a length.
    let bench = run(&["bench", "-m", &model, "-p", "4", "-n", "1", "-r", "1"]);
    assert!(bench.stdout.contains("pp4"), "{bench:?}");
}

#[test]
fn habits_without_a_meaning_here_are_answered() {
    let model = arch("llama");
    for (words, expected) in [
        (&["llama-server"][..], "serve is the server"),
        (&["pull", "x"], "curl -L -O"),
        (&["list"], "/models"),
        (&["show", &model], "inspect"),
        (&["chat", &model, "hi", "-hf", "a/b"], "nothing is fetched from a network"),
        (&["chat", &model, "hi", "-ctk", "q8_0"], "--kv"),
        (&["chat", &model, "hi", "--mirostat", "2"], "--top-k"),
        (&["chat", &model, "hi", "-m", &model], "MODEL is given twice"),
        (&["chat", "-m", &model, "-p", "hi", "hello"], "PROMPT is given twice"),
        (&["chat", "-m", "", "hi"], "-m needs a value: MODEL"),
        (&["chat", "hi", "--temprature", "1"], "did you mean --temp?"),
        (&["help", "server"], "serve is the server"),
        (&["hello world"], "chat or generate"),
        (&["generate", &model, "hi", "0", "-2"], "MAX_TOKENS: '-2'"),
        (&["chat", "-m", &model, "-m", &model], "MODEL is given twice"),
        (&["chat", "-p", "a", "-p", "b"], "PROMPT is given twice"),
        (&["chat", "-m"], "-m needs a value: MODEL"),
        (&["probe", "--temperature", "1"], "it belongs to chat"),
        (&["probe", "-m", "x.gguf"], "unknown flag -m"),
    ] {
        run(words).assert_fails(2, &[expected]);
    }
}

#[test]
fn numbers_that_mean_choose_or_no_limit() {
    let model = arch("qwen2");
    let plan = |words: &[&str]| {
        let mut all = vec!["generate", &model, "hi", "--dry-run", "--json"];
        all.extend(words);
        let run = run_with(&all, &[("NANOCAMELID_CONTEXT_LIMIT", "256")], b"");
        assert_eq!(run.code, Some(0), "{run:?}");
        run.json()["json_on_success"].clone()
    };
    assert_eq!(plan(&[])["context_limit"], 256);
    // Zero on the command line wins over the environment, too.
    assert!(plan(&["--ctx", "0"])["context_limit"].is_null());
    let endless = run(&["generate", &model, "hi", "-n", "-1", "--temp", "0", "--ctx", "256"]);
    assert_eq!(endless.code, Some(0), "{endless:?}");
    let bounded = run(&["generate", &model, "hi", "--temp", "0", "--ctx", "256"]);
    assert!(endless.stdout.len() > bounded.stdout.len() && bounded.stderr.contains("\"generated_tokens\":128"));
    let argument = run(&["generate", &model, "hi", "0", "-1", "--ctx", "256"]);
    assert_eq!((argument.code, &argument.stdout), (Some(0), &endless.stdout), "{argument:?}");
    let smoke = run(&["smoke", &model, "model", "hi", "-n", "-1", "--ctx", "32"]);
    assert_eq!(smoke.code, Some(0), "{smoke:?}");
    let variable = run_with(&["probe"], &[("NANOCAMELID_CONTEXT_LIMIT", "0")], b"");
    assert_eq!(variable.code, Some(0), "{variable:?}");
    run(&["generate", &model, "hi", "-n", "-2"]).assert_fails(2, &["--n-predict: '-2'", "-1 for no limit"]);
}

#[test]
fn byte_order_marks_are_no_part_of_a_text() {
    let dir = TempDir::new("bom");
    let plain = prompt_tokens(&run_with(&["chat", "-n", "1"], &[], b"hello"));
    assert_eq!(prompt_tokens(&run_with(&["chat", "-n", "1"], &[], b"\xEF\xBB\xBFhello\r\n")), plain);
    let marked = dir.file("marked.txt", b"\xEF\xBB\xBFhello\n");
    assert_eq!(prompt_tokens(&run(&["chat", "-n", "1", "-f", &marked])), plain);
    let ids = run_with(&["tokenize", "--jsonl"], &[], b"\xEF\xBB\xBF\"a\"\n\"a\"\n");
    let lines: Vec<&str> = ids.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1], "{ids:?}");
    let wide = dir.file("wide.txt", b"\xFF\xFEh\0i\0");
    run(&["chat", "-f", &wide]).assert_fails(2, &["UTF-16"]);
}

#[test]
fn a_dash_is_standard_input() {
    let plain = prompt_tokens(&run(&["chat", "hello", "-n", "1"]));
    assert_eq!(prompt_tokens(&run_with(&["chat", "-n", "1", "-f", "-"], &[], b"hello")), plain);
    let messages = br#"[{"role": "user", "content": "hello"}]"#;
    let rendered = run_with(&["template", "--messages", "-"], &[], messages);
    assert!(rendered.code == Some(0) && rendered.stdout.contains("hello"), "{rendered:?}");
}

#[test]
fn text_beside_a_prompt_is_noted_and_not_read() {
    let note = "note: the text on standard input was not read";
    let piped = run_with(&["chat", "hello", "-n", "1"], &[], b"a text that matters");
    assert!(piped.code == Some(0) && piped.stderr.contains(note), "{piped:?}");
    for (words, input) in [(&["chat", "hello", "-n", "1"][..], &b""[..]), (&["chat", "-n", "1"], b"hello")] {
        let run = run_with(words, &[], input);
        assert!(run.code == Some(0) && !run.stderr.contains(note), "{run:?}");
    }
}
