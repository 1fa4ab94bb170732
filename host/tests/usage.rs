//! Help, man page, completions and parser say the same; mistakes are named.

mod support;

use support::{arch, run, run_with};

/// Commands, read from the overview as a user would.
fn commands() -> Vec<String> {
    let overview = run(&["--help"]).stdout;
    let list = overview.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Long flags that a help text lists.
fn flags(help: &str) -> Vec<String> {
    let list = help.split_once("\nFlags:\n").unwrap().1;
    let words = list.lines().filter(|line| line.starts_with("  ")).flat_map(|line| {
        line.split_whitespace().take(2).filter(|word| word.starts_with("--")).map(str::to_owned).collect::<Vec<_>>()
    });
    words.collect()
}

#[test]
fn every_command_has_help_and_every_text_knows_its_flags() {
    let man = run(&["man"]).stdout;
    let [bash, zsh, fish] = ["bash", "zsh", "fish"].map(|shell| run(&["completions", shell]).stdout);
    let commands = commands();
    for expected in [
        "probe",
        "inspect",
        "generate",
        "chat",
        "tui",
        "smoke",
        "ready",
        "evidence",
        "bench",
        "embed",
        "tokenize",
        "template",
        "logits",
        "help",
        "version",
        "completions",
        "man",
    ] {
        assert!(commands.iter().any(|c| c == expected), "{expected}");
    }
    for command in &commands {
        let help = run(&[command, "--help"]);
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{command}");
        assert_eq!(run(&["help", command]).stdout, help.stdout);
        assert_eq!(run(&[command, "--help", "--json"]).json(), run(&["help", command, "--json"]).json());
        assert!(help.stdout.contains(&format!("Usage: nanocamelid {command}")));
        assert!(man.contains(&format!(".SS nanocamelid {command}")), "{command} in the man page");
        assert!(bash.contains(&format!("        {command}) ")), "{command} for bash");
        assert!(zsh.contains(&format!("        {command})")), "{command} for zsh");
        let flags = flags(&help.stdout);
        assert!(flags.contains(&"--help".into()) && flags.contains(&"--json".into()), "{command}: {flags:?}");
        let section = man.split_once(&format!(".SS nanocamelid {command}")).unwrap().1;
        let section = section.split(".SS ").next().unwrap();
        let bash_line = bash.lines().find(|line| line.contains(&format!(" {command}) flags="))).unwrap();
        for flag in flags {
            let roff = flag.replace('-', "\\-");
            assert!(section.contains(&roff), "{command} {flag} in the man page");
            assert!(bash_line.contains(&flag), "{command} {flag} for bash");
            let name = flag.trim_start_matches('-');
            assert!(
                fish.contains(&format!("__fish_seen_subcommand_from {command}'"))
                    && fish.contains(&format!("-l {name}")),
                "{command} {flag} for fish"
            );
            // The parser knows it: misspelled it is refused with this name.
            let wrong = run(&[command, &format!("{flag}x")]);
            assert_eq!(wrong.code, Some(2), "{command} {flag}x: {wrong:?}");
            assert!(wrong.stderr.contains("unknown flag"), "{wrong:?}");
            assert!(wrong.stderr.contains("did you mean --"), "{wrong:?}");
        }
    }
}

#[test]
fn completion_scripts_are_valid() {
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let dir = support::TempDir::new(shell);
        let script = dir.file("script", run(&["completions", shell]).stdout.as_bytes());
        match std::process::Command::new(shell).args(check).arg(&script).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => eprintln!("skipped: no {shell} here"),
        }
    }
}

#[test]
fn bash_completes_commands_flags_and_choices() {
    let dir = support::TempDir::new("completion");
    let script = dir.file("script", run(&["completions", "bash"]).stdout.as_bytes());
    let complete = |words: &str| {
        let program = format!(
            "source {script}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); _nanocamelid; echo \"${{COMPREPLY[@]}} (${{#COMPREPLY[@]}})\""
        );
        let output = std::process::Command::new("bash").args(["-c", &program]).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Ok(first) = complete("nanocamelid pro") else { return eprintln!("skipped: no bash here") };
    assert_eq!(first, "probe (1)");
    assert_eq!(complete("nanocamelid chat --thr").unwrap(), "--threads --threads-batch (2)");
    assert_eq!(complete("nanocamelid chat --kernel avx").unwrap(), "avx2 avxvnni avx512vnni (3)");
    // A name with a space is one completion.
    let model = dir.file("my model.gguf", b"");
    let start = model.strip_suffix(" model.gguf").unwrap();
    assert_eq!(complete(&format!("nanocamelid bench {start}")).unwrap(), format!("{model} (1)"));
    assert_eq!(complete("nanocamelid smoke mod").unwrap(), "model (1)");
}

#[test]
fn version_and_overview() {
    let expected = format!("nanocamelid {}\n", env!("CARGO_PKG_VERSION"));
    for words in [&["--version"][..], &["-V"], &["version"]] {
        assert_eq!(run(words).stdout, expected);
    }
    assert_eq!(run(&["version", "--json"]).json()["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["help"]).stdout, run(&["-h"]).stdout);
}

#[test]
fn mistakes_on_the_command_line() {
    let model = arch("llama");
    for (words, expected) in [
        (&[][..], "no command given"),
        (&["caht"], "did you mean chat?"),
        (&["frobnicate"], "unknown command 'frobnicate'"),
        (&["chat", "--thraeds", "2"], "did you mean --threads?"),
        (&["chat", "--max-words", "2"], "unknown flag --max-words"),
        (&["probe", "--ids", "1"], "it belongs to logits"),
        (&["chat", "--threads"], "--threads needs a value"),
        (&["chat", "--threads", "0"], "--threads: '0'"),
        (&["chat", "--threads", "two"], "--threads: 'two'"),
        (&["chat", "--ctx", "4"], "--ctx: '4'"),
        (&["chat", "--temp", "-1"], "--temp: '-1'"),
        (&["chat", "--top-p", "1.5"], "--top-p: '1.5'"),
        (&["chat", "--kv", "f61"], "did you mean f16?"),
        (&["chat", "--kernel", "dotprd"], "did you mean dotprod?"),
        (&["chat", "--cores", "3-1"], "backwards"),
        (&["chat", "--stop", "", "hi"], "stop string is empty"),
        (&["chat", "-v", "-v"], "given twice"),
        (&["chat", "--dry-run=yes"], "takes no value"),
        (&["chat", &model, "hi", "warm"], "TEMP: 'warm'"),
        (&["chat", &model, "hi", "0.5", "0"], "MAX_TOKENS: '0'"),
        (&["inspect", &model, "more"], "unexpected argument 'more'"),
        (&["logits", &model], "--ids"),
        (&["logits", &model, "--ids", "1,2"], "--out or --digest"),
        (&["logits", &model, "--ids", "1,x", "--digest"], "--ids: '1,x'"),
        (&["tokenize", &model, "--special", "--no-special", "hi"], "exclude each other"),
        (&["tokenize", &model, "--jsonl", "hi"], "exclude each other"),
        (&["template", &model], "--messages"),
        (&["template", &model, "--messages", "x", "--date", "2026-02-30"], "--date: '2026-02-30'"),
        (&["bench", "-p", "0", "-n", "0"], "exclude each other"),
        (&["bench", "-t", "1,0"], "--threads: '1,0'"),
        (&["completions", "tcsh"], "is not one of bash, zsh, fish"),
        (&["help", "chatt"], "did you mean chat?"),
    ] {
        run(words).assert_fails(2, &[expected]);
    }
}

/// `--json` prints one object, whatever happens.
#[test]
fn mistakes_as_json() {
    for (words, expected) in [
        (&["chat", "--json", "--json"][..], "given twice"),
        (&["chat", "--threads", "0", "--json"], "--threads: '0'"),
        (&["caht", "--json"], "did you mean chat?"),
        (&["probe", "--kernel", "scalr", "--json"], "did you mean scalar?"),
    ] {
        let run = run(words);
        assert_eq!(run.code, Some(2), "{run:?}");
        let object = run.json();
        assert_eq!(object["status"], "error");
        assert!(object["error"].as_str().unwrap().contains(expected), "{run:?}");
    }
    // Behind `--` it is a word.
    run(&["inspect", "--", "a", "--json"]).assert_fails(2, &["unexpected argument '--json'"]);
}

/// Numbers are checked before the model is opened.
#[test]
fn numbers_come_first() {
    let run = run(&["chat", "/nonexistent/model.gguf", "hi", "--threads", "0"]);
    run.assert_fails(2, &["--threads: '0'"]);
    assert!(!run.stderr.contains("no such file"), "{run:?}");
}

#[test]
fn variables_are_flags_twins() {
    let model = arch("llama");
    let plan = |variables: &[(&str, &str)], flags: &[&str]| {
        let mut words = vec!["chat", &model, "hi", "--dry-run", "--json"];
        words.extend(flags);
        let run = run_with(&words, variables, b"");
        assert_eq!(run.code, Some(0), "{run:?}");
        run.json()["json_on_success"].clone()
    };
    for (variable, value, key, expected) in [
        ("NANOCAMELID_CONTEXT_LIMIT", "256", "context_limit", "256"),
        ("NANOCAMELID_PREFILL_BATCH", "7", "prefill_batch", "7"),
        ("NANOCAMELID_THREADS", "3", "threads", "3"),
        ("NANOCAMELID_RAYON_THREADS", "3", "threads", "3"),
        ("NANOCAMELID_Q8_DOT_KERNEL", "scalar", "kernel", "\"scalar\""),
        ("NANOCAMELID_KV_CACHE_F16", "0", "kv_type", "\"f32\""),
        ("NANOCAMELID_KV_CACHE_F16", "on", "kv_type", "\"f16\""),
        ("NANOCAMELID_WORKER_CORES", "0", "threads", "1"),
    ] {
        assert_eq!(plan(&[(variable, value)], &[])[key].to_string(), expected, "{variable}");
    }
    // A flag wins, and the newer of two names.
    assert_eq!(plan(&[("NANOCAMELID_THREADS", "3")], &["-t", "2"])["threads"], 2);
    assert_eq!(plan(&[("NANOCAMELID_THREADS", "3"), ("NANOCAMELID_RAYON_THREADS", "4")], &[])["threads"], 3);
    for (variable, value, words) in [
        ("NANOCAMELID_THREADS", "many", &["NANOCAMELID_THREADS", "'many'"][..]),
        ("NANOCAMELID_KV_CACHE_F16", "ture", &["NANOCAMELID_KV_CACHE_F16", "did you mean true?"]),
        ("NANOCAMELID_TRACE", "onn", &["NANOCAMELID_TRACE", "did you mean on?"]),
        ("NANOCAMELID_Q8_DOT_KERNEL", "dotprdo", &["NANOCAMELID_Q8_DOT_KERNEL", "did you mean dotprod?"]),
    ] {
        run_with(&["chat", &model, "hi"], &[(variable, value)], b"").assert_fails(2, words);
    }
    let misspelled = run_with(&["version"], &[("NANOCAMELID_THREDS", "2")], b"");
    assert_eq!(misspelled.code, Some(0));
    assert!(misspelled.stderr.contains("did you mean NANOCAMELID_THREADS?"), "{misspelled:?}");
}

/// docs/CLI.md contains the help texts, and so every command, flag and variable.
#[test]
fn the_documentation_shows_the_help_texts() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CLI.md");
    let page = std::fs::read_to_string(path).expect("docs/CLI.md belongs to the repository");
    assert!(page.contains(run(&["help"]).stdout.trim_end()), "the overview differs: paste `nanocamelid help`");
    for command in commands() {
        let help = run(&["help", &command]).stdout;
        assert!(page.contains(help.trim_end()), "{command} differs: paste `nanocamelid help {command}`");
    }
}

/// An error names CPUs that do not exist; workers that should be pinned never run unpinned.
#[test]
#[cfg(target_os = "linux")]
fn cores_that_are_not_there() {
    for list in ["4000", "0,4000", "0-4095"] {
        let refused = run(&["generate", &arch("llama"), "hi", "-n", "2", "--cores", list]);
        refused.assert_fails(2, &["error: --cores: ", if list == "0-4095" { "-4095" } else { "4000" }]);
    }
    support::run_with(&["probe"], &[("NANOCAMELID_WORKER_CORES", "4000")], b"").assert_fails(2, &["--cores: ", "4000"]);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned();
    let first: String = mask.chars().take_while(char::is_ascii_digit).collect();
    let pinned = run(&["probe", "--cores", &first]);
    pinned.assert_ok("probe");
    assert!(pinned.stdout.contains(&format!("worker_cores: {first}\n")), "{pinned:?}");
}
