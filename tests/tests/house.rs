//! The house rules that a compiler does not hold: layering, where `unsafe` may stand, which packages come in.

use nanocamelid_tests::rust_source::{SourceFile, code_only, files_under, has_word, workspace_root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Everything that may stand at the top of the tree.
const TOP_LEVEL: [&str; 11] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "docs",
    "engine",
    "fuzz",
    "host",
    "kernels",
    "tests",
    "target",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace_root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn sources(folders: &[&str]) -> Vec<SourceFile> {
    let present = folders.iter().filter(|folder| workspace_root().join(folder).is_dir());
    present.flat_map(|folder| files_under(folder)).collect()
}

/// Fails with every offending place at once.
fn assert_none(offences: Vec<String>, rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

/// Names in the tables of a manifest whose headings end in `dependencies`.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in read(manifest).lines() {
        if let Some(heading) = line.strip_prefix('[') {
            inside = heading.trim_end_matches(']').ends_with("dependencies");
        } else if let Some((name, _)) = line.split_once(['=', '.']).filter(|_| inside && !line.starts_with('#')) {
            names.insert(name.trim().to_string());
        }
    }
    names
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(String::from).collect()
}

#[test]
fn the_top_of_the_tree_is_small() {
    let offences = std::fs::read_dir(workspace_root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    assert_none(offences, "unexpected at the top level");
}

#[test]
fn dependencies_point_down() {
    let ours = |manifest| -> BTreeSet<String> {
        dependencies(manifest).into_iter().filter(|name| name.starts_with("nanocamelid")).collect()
    };
    assert_eq!(ours("kernels/Cargo.toml"), set([]));
    assert_eq!(ours("engine/Cargo.toml"), set(["nanocamelid-kernels"]));
    assert_eq!(ours("host/Cargo.toml"), set(["nanocamelid-engine", "nanocamelid-kernels"]));
}

#[test]
fn the_lower_crates_have_no_std() {
    let kernels = read("kernels/src/lib.rs");
    let engine = read("engine/src/lib.rs");
    assert!(kernels.contains("#![no_std]") && engine.contains("#![no_std]"));
    assert!(engine.contains("#![forbid(unsafe_code)]"));
    let mut offences = Vec::new();
    for file in sources(&["kernels/src", "engine/src"]) {
        let forbidden: &[&str] =
            if file.path.starts_with("kernels") { &["std", "alloc", "nanocamelid_engine"] } else { &["std", "unsafe"] };
        for (i, line) in file.code.lines().enumerate() {
            for word in forbidden.iter().filter(|word| has_word(line, word)) {
                offences.push(format!("{}:{}: {word}", file.path, i + 1));
            }
        }
    }
    assert_none(offences, "not to be named in this crate");
}

/// Files in which `unsafe` stands, and how often.
fn unsafe_sites() -> BTreeMap<String, usize> {
    sources(&["kernels", "engine", "host", "tests", "fuzz"])
        .into_iter()
        .map(|file| (file.path, file.code.lines().filter(|line| has_word(line, "unsafe")).count()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[test]
fn unsafe_stands_only_where_the_audit_says() {
    let audit = read("docs/SAFETY.md");
    let listed: BTreeSet<String> = audit
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .map(|(path, _)| path.to_string())
        .collect();
    let found: BTreeSet<String> = unsafe_sites().into_keys().collect();
    assert_eq!(found, listed, "left: files with unsafe code; right: the table of docs/SAFETY.md");
}

/// An `unsafe` block or impl has its argument right above it; an `unsafe fn` has a `# Safety` section (or, in a trait impl,
/// the trait's).
#[test]
fn every_unsafe_has_its_argument() {
    let mut offences = Vec::new();
    for file in sources(&["kernels", "host", "tests", "fuzz"]) {
        let text: Vec<&str> = file.text.lines().collect();
        let mut inside_unsafe_impl = false;
        for (i, line) in file.code.lines().enumerate() {
            if line.starts_with('}') {
                inside_unsafe_impl = false;
            }
            if !has_word(line, "unsafe") || line.contains("unsafe_") || line.contains("#[unsafe(") {
                continue;
            }
            let declares = line.contains("unsafe fn") || line.contains("unsafe extern");
            // A pointer type such as `unsafe fn(u32)` or `unsafe extern "C" fn(u32)` declares nothing.
            if line.contains("unsafe fn(") || (declares && inside_unsafe_impl) {
                continue;
            }
            inside_unsafe_impl |= line.trim_start().starts_with("unsafe impl");
            let comment_above = text[..i].iter().rev().take_while(|above| {
                let above = above.trim_start();
                above.starts_with("//") || above.starts_with("#[")
            });
            let argued = comment_above.clone().any(|l| l.contains(if declares { "# Safety" } else { "SAFETY:" }))
                || comment_above.clone().any(|l| l.contains("SAFETY:"))
                || statement_above(&text, i).is_some_and(|l| l.contains("SAFETY:"));
            if !argued {
                offences.push(format!("{}:{}: {}", file.path, i + 1, text[i].trim()));
            }
        }
    }
    assert_none(offences, "unsafe without an argument right above it");
}

/// The comment above the statement that line `i` continues, if it does.
fn statement_above<'t>(text: &[&'t str], i: usize) -> Option<&'t str> {
    let start = text[..i].iter().rposition(|line| {
        let line = line.trim();
        line.is_empty() || line.ends_with([';', '{', '}']) || line.starts_with("//")
    })?;
    let run = text[..=start].iter().rev().take_while(|line| line.trim_start().starts_with("//"));
    run.copied().find(|line| line.contains("SAFETY:"))
}

#[test]
fn nothing_is_left_for_later() {
    // Written in halves so that this file does not find itself.
    let words = [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK")].map(|(a, b)| format!("{a}{b}"));
    let macros =
        [("todo", "!("), ("unimplemented", "!("), ("#[ign", "ore"), ("dbg", "!(")].map(|(a, b)| format!("{a}{b}"));
    let mut offences = Vec::new();
    for file in sources(&["kernels", "engine", "host", "tests", "fuzz"]) {
        for (i, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| has_word(line, word)) || macros.iter().any(|name| line.contains(name)) {
                offences.push(format!("{}:{}: {}", file.path, i + 1, line.trim()));
            }
        }
    }
    assert_none(offences, "unfinished");
}

#[test]
fn names_say_something() {
    let mut offences = Vec::new();
    for file in sources(&["kernels/src", "engine/src", "host/src"]) {
        let stem = Path::new(&file.path).file_stem().unwrap().to_str().unwrap();
        if ["utils", "util", "common", "helpers", "misc"].contains(&stem) {
            offences.push(file.path.clone());
        }
        for (i, line) in file.code.lines().enumerate() {
            if line.contains("fn get_") {
                offences.push(format!("{}:{}: {}", file.path, i + 1, line.trim()));
            }
        }
    }
    assert_none(offences, "a name that says nothing");
}

/// Every package that any crate of the workspace brings in is named, with its reason, in docs/DEPENDENCIES.md.
#[test]
fn every_direct_dependency_has_a_reason() {
    let reasons = read("docs/DEPENDENCIES.md");
    let manifests = ["kernels/Cargo.toml", "engine/Cargo.toml", "host/Cargo.toml", "tests/Cargo.toml"];
    let direct: BTreeSet<String> = manifests.iter().flat_map(|manifest| dependencies(manifest)).collect();
    let offences = direct
        .into_iter()
        .filter(|name| !name.starts_with("nanocamelid") && !reasons.contains(&format!("`{name}`")))
        .collect();
    assert_none(offences, "dependencies without a line in docs/DEPENDENCIES.md");
}

/// The lower crates stay small: what they may bring in is written here and nowhere else.
#[test]
fn the_lower_crates_bring_in_little() {
    let external = |manifest| -> BTreeSet<String> {
        dependencies(manifest).into_iter().filter(|name| !name.starts_with("nanocamelid")).collect()
    };
    let kernels = external("kernels/Cargo.toml");
    assert!(kernels.is_subset(&set(["bytemuck", "half", "libm"])), "{kernels:?}");
}

#[test]
fn the_reader_of_sources_sees_through_literals() {
    let text = "a /* unsafe /* x */ */ b // unsafe\n'\\'' \"unsafe \\\" unsafe\" r#\"unsafe\"# 'u' <'a> unsafe é";
    let code = code_only(text);
    assert_eq!(code.matches("unsafe").count(), 1, "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(code.contains("<'a>") && has_word(&code, "a") && !has_word("unsafely", "unsafe"));
}
