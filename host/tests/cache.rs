//! `--cache`: what was computed is found again after a restart, and nothing that happens to the files or the processes
//! changes a text.
#![cfg(all(unix, feature = "demo"))]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use support::{Run, TempDir, arch, command, run, run_with};

/// A prompt of several pages; each number makes another.
fn prompt(number: usize) -> String {
    let words = ["a", "fox", "named", "river", "and", "the", "lion", "walked"];
    let word = |i: usize| words[(i * (number % 97 + 3) + i * i / 7 + i * number / 97 + number) % words.len()];
    (0..230).map(word).collect::<Vec<_>>().join(" ")
}

/// The words of a greedy completion by the demonstration model.
const GENERATE: [&str; 7] = ["generate", "--temp", "0", "-n", "12", "-t", "1"];

/// A completion of a prompt, with more flags.
fn generate(prompt: &str, more: &[&str]) -> Run {
    run_with(&[&GENERATE, more].concat(), &[], prompt.as_bytes())
}

/// The text of a run, and how many of the prompt's tokens it found on disk.
fn result(run: &Run) -> (String, u64) {
    run.assert_ok("generate");
    let report = run.stderr_json();
    assert!(report["prompt_tokens"].as_u64().unwrap() > 256, "{report}");
    (report["text"].as_str().unwrap().to_owned(), report["cached_tokens"].as_u64().unwrap())
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_prompt_is_read_once() {
    let dir = TempDir::new("cache-once");
    let folder = dir.path("new/cache");
    let plain = result(&generate(&prompt(0), &[]));
    assert_eq!(plain.1, 0);
    let first = generate(&prompt(0), &["--cache", &folder]);
    assert_eq!(result(&first), plain);
    assert_eq!(first.stderr_json()["cache"], *folder);
    let (text, n_cached) = result(&generate(&prompt(0), &["--cache", &folder]));
    assert!(text == plain.0 && n_cached >= 256 && n_cached % 128 == 0, "{n_cached}");
    // By another command, with the variable, and a text that goes on differently.
    let longer = format!("{} and so on", prompt(0));
    let by_variable = run_with(&GENERATE, &[("NANOCAMELID_CACHE", &folder)], longer.as_bytes());
    assert_eq!(result(&by_variable).1, n_cached);
    assert_eq!(result(&by_variable).0, result(&generate(&longer, &[])).0);
    // Another type of cache is another cache.
    assert_eq!(result(&generate(&prompt(0), &["--cache", &folder, "--kv", "f32"])).1, 0);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let folder = Path::new(&folder);
    assert_eq!(mode(folder), 0o700);
    assert!(files(folder).iter().all(|name| mode(&folder.join(name)) == 0o600));
}

#[test]
fn every_kind_of_block_is_kept() {
    let dir = TempDir::new("cache-kinds");
    for name in ["gemma3", "qwen35", "falcon-h1", "lfm2"] {
        let text = prompt(1);
        let words = ["generate", &arch(name), &text, "--temp", "0", "-n", "12", "--ctx", "2048"];
        let folder = dir.path(name);
        let cached = [&words[..], &["--cache", &folder]].concat();
        let (plain, _) = result(&run(&words));
        assert_eq!(result(&run(&cached)), (plain.clone(), 0), "{name}");
        let (again, n_cached) = result(&run(&cached));
        assert!(again == plain && n_cached >= 128, "{name}: {n_cached}");
        // Drafts and a slot with checkpoints find the same pages.
        let drafted = result(&run(&[&cached[..], &["--draft", "ngram"]].concat()));
        assert_eq!(drafted, (plain, n_cached), "{name}");
    }
}

#[test]
fn a_killed_process_loses_only_what_was_not_written() {
    let n_kills = 200;
    let dir = TempDir::new("cache-kill");
    let folder = dir.path("cache");
    let started = Instant::now();
    let (expected, _) = result(&generate(&prompt(0), &["--cache", &folder]));
    // The longest wait before a kill. The time of a run varies, because other tests run at the same time, so the wait
    // grows with every kill and shrinks when a run ends first.
    let mut longest = started.elapsed();
    let (mut n_killed, mut number) = (0, 0);
    while n_killed < n_kills {
        number += 1;
        assert!(number < 10 * n_kills, "{n_killed} of {number} processes were killed before their end");
        let mut child = command(&[&GENERATE[..], &["--cache", &folder, "--", &prompt(number)]].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(longest * (number as u32 * 37 % 100) / 100);
        child.kill().unwrap();
        if child.wait().unwrap().code().is_some() {
            longest = longest * 9 / 10;
            continue;
        }
        longest = longest * 51 / 50;
        n_killed += 1;
        if n_killed % 20 == 0 || n_killed == n_kills {
            // The text that the killed process was given, and the text from before all kills.
            let again = generate(&prompt(number), &["--cache", &folder]);
            assert_eq!(result(&again).0, result(&generate(&prompt(number), &[])).0, "kill {n_killed}");
            assert!(!again.stderr.contains("note: --cache"), "{again:?}");
            let (text, n_cached) = result(&generate(&prompt(0), &["--cache", &folder]));
            assert!(text == expected && n_cached >= 256, "kill {n_killed}: {n_cached}");
        }
    }
    // A run that writes removes the files that were never finished.
    generate(&prompt(number + 1), &["--cache", &folder]).assert_ok("generate");
    assert!(files(Path::new(&folder)).iter().all(|name| name.ends_with(".kv")));
}

#[test]
fn processes_share_a_folder() {
    let dir = TempDir::new("cache-shared");
    let folder = dir.path("cache");
    let (expected, _) = result(&generate(&prompt(3), &[]));
    std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..4).map(|_| scope.spawn(|| result(&generate(&prompt(3), &["--cache", &folder])).0)).collect();
        assert!(runs.into_iter().all(|run| run.join().unwrap() == expected));
    });
    let (text, n_cached) = result(&generate(&prompt(3), &["--cache", &folder]));
    assert!(text == expected && n_cached >= 256);
}

/// A limit on the size of files stands for a full disk: writing fails in the middle of a page.
#[test]
fn a_full_disk_is_a_note() {
    let dir = TempDir::new("cache-full");
    let folder = dir.path("cache");
    let prompt = prompt(4);
    let (expected, _) = result(&generate(&prompt, &[]));
    let words = [&GENERATE[..], &["--cache", &folder, &prompt]].concat();
    let limited = Command::new("sh")
        .args(["-c", "ulimit -f 8; trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_nanocamelid")])
        .args(&words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let limited = Run { code: limited.status.code(), stdout: text(limited.stdout), stderr: text(limited.stderr) };
    assert_eq!(result(&limited), (expected, 0));
    assert_eq!(limited.stderr.matches("note: --cache").count(), 1, "{limited:?}");
    assert!(files(Path::new(&folder)).is_empty(), "nothing half written is left");
}

#[test]
fn the_folder_keeps_its_size() {
    let dir = TempDir::new("cache-size");
    let folder = dir.path("cache");
    for number in 0..6 {
        generate(&prompt(number), &["--cache", &folder, "--cache-size", "1M"]).assert_ok("generate");
        let sizes = files(Path::new(&folder)).into_iter().map(|name| Path::new(&folder).join(name).metadata().unwrap());
        let n_bytes: u64 = sizes.map(|metadata| metadata.len()).sum();
        assert!(n_bytes <= 1 << 20 && n_bytes > 100_000, "{n_bytes}");
    }
    assert!(result(&generate(&prompt(5), &["--cache", &folder])).1 >= 256, "the last is there");
}

#[test]
fn a_conversation_is_found_again() {
    let dir = TempDir::new("cache-chat");
    let folder = dir.path("cache");
    let long = format!("{}?", prompt(5));
    let chat = |more: &[&str]| run(&[&["chat", &long, "-n", "8"], more].concat()).stderr_json();
    let plain = chat(&[]);
    let tui = run_with(&["tui", "--cache", &folder, "-n", "8"], &[], format!("{long}\nAnd then?\n").as_bytes());
    let report = tui.stderr_json();
    assert!(report["turns"] == 2 && report["cached_tokens"].as_u64().unwrap() > 0, "{tui:?}");
    let cached = chat(&["--cache", &folder]);
    assert_eq!((&cached["text"], &plain["cached_tokens"]), (&plain["text"], &0.into()));
    assert!(cached["cached_tokens"].as_u64().unwrap() >= 256, "{cached}");
}

#[test]
fn mistakes_are_named() {
    let dir = TempDir::new("cache-mistakes");
    let file = dir.file("file", b"not a folder");
    generate("hello", &["--cache", &file]).assert_fails(2, &["--cache", "is not a folder"]);
    generate("hello", &["--cache", "/proc/cache"]).assert_fails(1, &["--cache /proc/cache"]);
    generate("hello", &["--cache", ""]).assert_fails(2, &["--cache", "must not be empty"]);
    for size in ["0", "1023K", "4GB", "much"] {
        let words = ["--cache-size", "number of bytes", "at least 1048576"];
        generate("hello", &["--cache-size", size]).assert_fails(2, &words);
    }
    let planned = generate("hello", &["--cache", &file, "--dry-run", "--json"]).json();
    assert_eq!(planned["json_on_success"]["cache"], *file);
    assert!(run(&["generate", "hello", "-n", "1"]).stderr_json()["cache"].is_null());
}
