//! The whole table: what lines of words mean.

#[cfg(feature = "bench-kernels")]
use super::bench;
use super::{COMMANDS, meant, smoke};
use crate::cli::table::{self, MAX_TOKENS_ARGUMENT, PROMPT, TEMP_ARGUMENT};
use crate::cli::{Invocation, UsageError, parse, synonyms};
use crate::output::Report;
use std::ffi::{OsStr, OsString};

fn parse_line(line: &str) -> Result<Invocation, UsageError> {
    parse(COMMANDS, meant, line.split(' ').filter(|w| !w.is_empty()).map(OsString::from).collect())
}

#[test]
fn a_word_is_the_model_only_if_it_looks_like_one() {
    let chat = parse_line("chat hello 0.5 12").unwrap();
    assert_eq!((chat.model.as_deref(), chat.argument(&PROMPT)), (None, Some("hello")));
    assert_eq!((chat.argument(&TEMP_ARGUMENT), chat.argument(&MAX_TOKENS_ARGUMENT)), (Some(0.5), Some(12)));
    for model in ["x/y.gguf", "1b", "llama-3.2-1b", "3b", "A.GGUF"] {
        let chat = parse_line(&format!("chat {model} hello")).unwrap();
        assert_eq!((chat.model.as_deref(), chat.argument(&PROMPT)), (Some(OsStr::new(model)), Some("hello")));
    }
    assert_eq!(parse_line("inspect somewhere").unwrap().model.as_deref(), Some(OsStr::new("somewhere")));
    let line = parse_line("smoke 1b model 2+2 4").unwrap();
    assert_eq!((line.argument(&smoke::MODE), line.argument(&smoke::PROMPT)), (Some("model"), Some("2+2")));
}

#[test]
fn flags_in_every_spelling() {
    for line in [
        "chat -t 3 --temp=0.5 hi",
        "chat hi --threads=3 --temp 0.5",
        "chat -t3 hi --temp 0.5",
        "chat -t=3 hi --temp=0.5",
    ] {
        let chat = parse_line(line).unwrap();
        assert_eq!((chat.get(&table::THREADS), chat.get(&table::TEMP)), (Some(3), Some(0.5)), "{line}");
    }
    let chat = parse_line("chat --stop a --stop b -- --hi").unwrap();
    assert_eq!((chat.all(&table::STOP), chat.argument(&PROMPT)), (vec!["a", "b"], Some("--hi")));
}

#[test]
fn other_words_for_a_command() {
    for (line, name) in [
        ("--help", "help"),
        ("-V", "version"),
        ("run 1b", "tui"),
        ("run 1b hi", "chat"),
        ("run -t 2", "tui"),
        ("run 1b -n 5 --session talk.json", "tui"),
        ("run -m x.gguf", "tui"),
        ("run -m x.gguf hi", "chat"),
        ("run 1b -p hi", "chat"),
        ("run 1b -f prompt.txt -n 5", "chat"),
        ("x.gguf hi", "chat"),
        ("-m x.gguf -p hi", "chat"),
        ("-p hi", "chat"),
        ("--model=x.gguf hi", "chat"),
    ] {
        assert_eq!(parse_line(line).map(|line| line.command.name).map_err(|e| e.to_string()), Ok(name), "{line}");
    }
}

#[test]
fn mistakes() {
    for (line, words) in [
        ("", "no command"),
        ("chta", "did you mean chat?"),
        ("run 1b why is this", "needs quotes"),
        ("run 1b --session talk.json --tmep 1", "unknown flag --tmep for tui"),
        ("chat --kernal neon", "did you mean --kernel?"),
        ("chat --golden x", "belongs to smoke"),
        ("chat -x", "unknown flag -x"),
        ("chat --json=1", "takes no value"),
        ("chat --temp", "needs a value"),
        ("chat --temp 1 --temp 2", "given twice"),
        ("chat --temp 1 --temp", "given twice"),
        ("chat --json --json", "given twice"),
        ("chat --stop a --stop", "--stop needs a value"),
        ("chat -t 0 hi", "--threads: '0' is not a whole number from 1 to 256"),
        ("chat --temp nan hi", "--temp: 'nan'"),
        ("chat --kernel noen hi", "did you mean neon?"),
        ("chat hi warm", "TEMP: 'warm'"),
        ("chat hi 0.5 3 more", "unexpected argument 'more'"),
        ("logits --ids 1,x m.gguf", "--ids: '1,x'"),
        ("completions", "needs bash|zsh|fish"),
        ("completions bsh", "did you mean bash?"),
    ] {
        let message = parse_line(line).unwrap_err().to_string();
        assert!(message.contains(words), "{line}: {message}");
    }
}

/// A name that two commands read differently is read by each in its own way.
#[test]
fn flags_of_the_same_name_are_told_apart() {
    let line = parse_line("bench -t 1,2").unwrap();
    assert_eq!((line.get(&table::BENCH_THREADS), line.get(&table::THREADS)), (Some(&[1, 2][..]), None));
    assert!(line.has(&table::BENCH_THREADS) && !line.has(&table::THREADS));
    #[cfg(feature = "bench-kernels")]
    assert_eq!(parse_line("bench q8-dot").unwrap().argument(&bench::MICRO), Some("q8-dot"));
}

#[cfg(feature = "bench-kernels")]
#[test]
fn words_from_a_list_may_repeat() {
    let line = parse_line("bench kernels Q4_0 Q6_K -r 2").unwrap();
    assert_eq!(line.argument(&bench::MICRO), Some("kernels"));
    assert_eq!((line.every(&bench::FORMAT), &line.model), (vec!["Q4_0", "Q6_K"], &None));
    let line = parse_line("bench m.gguf").unwrap();
    assert_eq!((line.every(&bench::FORMAT).len(), line.model.as_deref()), (0, Some("m.gguf".as_ref())));
    assert!(parse_line("bench kernels Q4_0 m.gguf Q6_K").is_err());
}

/// Within a command every flag, letter, argument and key has one meaning.
#[test]
fn rows_name_nothing_twice() {
    for command in COMMANDS {
        let mut names: Vec<String> = command.all_flags().map(|flag| flag.key.to_owned()).collect();
        names.extend(command.all_flags().filter_map(|flag| Some(format!("-{}", flag.short?))));
        names.extend(command.arguments.iter().map(|argument| argument.name.to_owned()));
        names.extend(command.keys.iter().map(|key| format!("key {key}")));
        let n = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), n, "{}", command.name);
    }
}

#[test]
fn every_synonym_leads_somewhere() {
    for (_, long) in synonyms::flags() {
        assert!(COMMANDS.iter().any(|command| command.all_flags().any(|flag| flag.long() == long)), "--{long}");
    }
    for command in COMMANDS {
        assert_eq!(synonyms::command(command.name), None);
    }
}

#[test]
fn choices_are_all_of_their_kind() {
    for kv_type in nanocamelid_kernels::KvType::ALL {
        assert_eq!(parse_line(&format!("chat --kv {}", kv_type.name())).unwrap().get(&table::KV), Some(kv_type.name()));
    }
    for profile in &crate::profile::PROFILES {
        let line = parse_line(&format!("chat --expect {}", profile.name)).unwrap();
        assert_eq!(line.get(&table::EXPECT), Some(profile.name));
    }
}

#[test]
fn a_report_has_the_keys_of_its_row() {
    let mut report = Report::new(&smoke::COMMAND);
    report.set("mode", "chat");
    // Other commands have this one.
    report.set("readiness", "ready");
    let object = report.to_json();
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys[..2], ["command", "status"]);
    assert_eq!(keys[2..], *smoke::COMMAND.keys);
    assert_eq!(object["mode"], "chat");
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "no command reports moed")]
fn a_key_of_no_command_is_noticed() {
    Report::new(&smoke::COMMAND).set("moed", "chat");
}

#[cfg(not(feature = "connect"))]
#[test]
fn a_build_without_a_client_says_so() {
    let error = parse_line("tui --connect board1:8080").unwrap_err().to_string();
    assert!(error.contains("--connect: this build asks no server"), "{error}");
}

/// Variables are set for all runs; a command that refuses flags must know which ones its line gives.
#[cfg(feature = "connect")]
#[test]
fn flags_of_the_line_are_known() {
    let line = parse_line("tui --connect board1 -t 2 --stop a --stop b").unwrap();
    let typed: Vec<_> = line.typed().map(|flag| flag.key).collect();
    assert_eq!(typed, ["--connect", "--threads", "--stop", "--stop"]);
}
