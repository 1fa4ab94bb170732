//! A model in several files: every command takes the first file, and an error names the file at fault.

mod support;

use support::split::{name, write};
use support::{Run, TempDir, arch, arch_ids, command, run, run_with};

fn digest(path: &str, model: &str) -> String {
    let run = run(&["logits", path, "--ids", &arch_ids(model), "--digest", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    run.json()["digest"].as_str().unwrap().to_owned()
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn the_digest_is_that_of_the_whole() {
    let dir = TempDir::new("parts-digest");
    for model in ["llama", "gemma3", "qwen3moe", "lfm2"] {
        for n in [2, 5] {
            let parts = write(&dir, &read(&arch(model)), n);
            assert_eq!(digest(&parts[0], model), digest(&arch(model), model), "{model} in {n}");
        }
    }
}

#[test]
fn every_command_takes_the_first() {
    let dir = TempDir::new("parts-commands");
    let parts = write(&dir, &read(&arch("llama")), 3);
    let (first, whole) = (&parts[0], &arch("llama"));
    let messages = dir.file("messages.json", br#"[{"role": "user", "content": "hi"}]"#);
    for words in [
        &["chat", "FILE", "hi", "-n", "4", "--temp", "0"][..],
        &["generate", "FILE", "hi", "-n", "4"],
        &["tokenize", "FILE", "hello there"],
        &["template", "FILE", "--messages", &messages],
        &["smoke", "FILE"],
        &["ready", "FILE"],
    ] {
        let with = |file: &str| {
            let run = run(&words.iter().map(|&w| if w == "FILE" { file } else { w }).collect::<Vec<_>>());
            assert_eq!(run.code, Some(0), "{words:?}: {run:?}");
            run.stdout
        };
        let same = |text: String| {
            text.lines()
                .filter(|line| !["sec", "ms", "rss"].iter().any(|w| line.contains(w)))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(same(with(first)).replace(first, whole), same(with(whole)), "{words:?}");
    }
    let bench = run(&["bench", first, "-p", "8", "-n", "2", "-r", "1"]);
    assert_eq!(bench.code, Some(0), "{bench:?}");
    let evidence = run(&["evidence", first, "--contexts", "16", "--batches", "4"]);
    assert_eq!(evidence.code, Some(0), "{evidence:?}");
    let tui = run_with(&["tui", first, "-n", "2"], &[], b"hi\n/models\n");
    tui.assert_ok("tui");
    assert!(tui.stderr.contains(first.as_str()) && !tui.stderr.contains(&name(2, 3)), "{tui:?}");
    let variable = run_with(&["smoke", "1b"], &[("NANOCAMELID_SMOKE_GGUF", first)], b"");
    variable.assert_fails(2, &["1b_shape: mismatch", "llama.block_count: expected 16, found 3"]);
    assert!(!variable.stderr.contains("blk.0.attn_q.weight: expected 2048x2048, found absent"), "{variable:?}");
}

#[test]
fn sizes_count_all_files() {
    let dir = TempDir::new("parts-sizes");
    let parts = write(&dir, &read(&arch("llama")), 3);
    let report = run(&["inspect", &parts[0], "--json"]).json();
    let n_bytes: u64 = parts.iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
    assert_eq!((report["file_bytes"].as_u64(), report["n_parts"].as_u64()), (Some(n_bytes), Some(3)));
    assert_eq!(report["readiness"], "ready");
    let whole = run(&["inspect", &arch("llama"), "--json"]).json();
    assert_eq!((&report["n_tensors"], &report["tensor_types"]), (&whole["n_tensors"], &whole["tensor_types"]));
    assert_eq!(whole["n_parts"], 1);
}

#[test]
#[cfg(unix)]
fn an_output_path_that_is_the_model_is_refused() {
    let dir = TempDir::new("parts-out");
    let model = read(&arch("llama"));
    let parts = write(&dir, &model, 3);
    let whole = dir.file("whole.gguf", &model);
    let (hard, symbolic) = (dir.path("hard.bin"), dir.path("symbolic.bin"));
    std::fs::hard_link(&whole, &hard).unwrap();
    std::os::unix::fs::symlink(&whole, &symbolic).unwrap();
    let before: Vec<_> = parts.iter().map(|path| read(path)).collect();
    for (given, out) in [
        (&whole, &whole),
        (&whole, &hard),
        (&whole, &symbolic),
        (&symbolic, &whole),
        (&parts[0], &parts[0]),
        (&parts[0], &parts[2]),
    ] {
        run(&["logits", given, "--ids", "1,2", "--out", out]).assert_fails(2, &[out, "file of the model itself"]);
    }
    assert!(read(&whole) == model && parts.iter().map(|path| read(path)).eq(before), "nothing was written");
    let out = dir.file("logits.bin", b"old");
    run(&["logits", &whole, "--ids", "1,999999", "--out", &out]).assert_fails(2, &["token 999999"]);
    assert_eq!(read(&out), b"old");
    run(&["logits", &whole, "--ids", "1,2", "--out", &out]).assert_ok("logits");
    assert_eq!(read(&out).len(), 2 * 288 * 4);
}

fn inspect(path: &str) -> Run {
    run(&["inspect", path])
}

/// One line of message.
fn assert_refused(path: &str, words: &[&str]) {
    for command in ["inspect", "generate"] {
        let run = run(&[command, path, "hi"][..if command == "inspect" { 2 } else { 3 }]);
        run.assert_fails(2, words);
        assert_eq!(run.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{run:?}");
        assert!(run.stderr.lines().filter(|line| !line.starts_with("json: ")).count() <= 2, "{run:?}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let dir = TempDir::new("parts-wrong");
    let model = read(&arch("llama"));
    let parts = write(&dir, &model, 3);
    let (second, third) = (read(&parts[1]), read(&parts[2]));
    assert_refused(&parts[1], &[&name(2, 3), "part 2", &format!("give the first, {}", parts[0])]);
    assert_refused(&parts[2], &[&name(3, 3), "part 3", &format!("give the first, {}", parts[0])]);

    std::fs::remove_file(&parts[2]).unwrap();
    assert_refused(&parts[0], &[&parts[2], "no such file", "part 3 of the model's 3"]);
    dir.file(&name(3, 3), b"");
    assert_refused(&parts[0], &[&parts[2], "is empty", "part 3 of the model's 3"]);
    dir.file(&name(3, 3), &third[..third.len() - 200]);
    assert_refused(&parts[0], &[&parts[2], "past the end of the file"]);
    dir.file(&name(3, 3), &second);
    assert_refused(&parts[0], &[&parts[2], "part 2 of the model again, where part 3 belongs"]);
    dir.file(&name(2, 3), &third);
    assert_refused(&parts[0], &[&parts[1], "part 3 of the model, where part 2 belongs"]);
    let foreign = support::split::split(&read(&arch("lfm2")), 3);
    dir.file(&name(2, 3), &foreign[1]);
    assert_refused(&parts[0], &[&parts[1], "not a part of the same model"]);
    dir.file(&name(2, 3), &model);
    assert_refused(&parts[0], &[&parts[1], "not a part of the same model"]);
    dir.file(&name(2, 3), b"<!DOCTYPE html>");
    assert_refused(&parts[0], &[&parts[1]]);

    let glued = dir.file("glued.gguf", &[read(&parts[0]), second.clone(), third.clone()].concat());
    assert_refused(&glued, &["glued.gguf", "another GGUF file begins inside this one"]);
    let renamed = dir.file("renamed.gguf", &read(&parts[0]));
    assert_refused(&renamed, &["renamed.gguf", "first of a model's 3 files", "-00001-of-00003.gguf"]);
    let renamed = dir.file("later.gguf", &second);
    assert_refused(&renamed, &["later.gguf", "part 2 of a model", "give the first"]);
    // A name alone makes no part: a whole model may be called like one.
    let whole = dir.file("w-00001-of-00009.gguf", &model);
    assert_eq!(inspect(&whole).code, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_part_cut_short_while_it_is_used_is_named() {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::Stdio;
    // Enough parts that one's map lies next to another's.
    for cut in [1, 4, 7] {
        let dir = TempDir::new(&format!("parts-cut-{cut}"));
        let parts = write(&dir, &read(&arch("llama")), 8);
        let mut child = command(&["tui", &parts[0], "--temp", "0", "-n", "4"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("/help lists") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "the banner comes");
        }
        std::fs::OpenOptions::new().write(true).open(&parts[cut]).unwrap().set_len(0).unwrap();
        child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
        assert!(rest.contains(&format!("{}: the file was cut short", parts[cut])), "part {}: {rest}", cut + 1);
    }
}
