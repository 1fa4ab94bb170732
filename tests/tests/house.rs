//! The house rules that a compiler does not check: the layers, the files with `unsafe`, the packages, and the tables of
//! the documentation that repeat the code.

use nanocamelid_kernels::{Kernels, WeightType};
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

/// The modules of the engine from the file to the session; each may use only itself and those before it.
const MODULES: [&str; 11] = [
    "gguf",
    "executor",
    "peers",
    "candidates",
    "refusal",
    "config",
    "compute",
    "tensors",
    "blocks",
    "model",
    "session",
];

#[test]
fn modules_of_the_engine_point_down() {
    let mut offences = Vec::new();
    for (i, module) in MODULES.iter().enumerate() {
        let is_part = |path: &str| {
            let inside = path.strip_prefix("engine/src/").unwrap_or_default();
            inside.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        let files: Vec<SourceFile> = sources(&["engine/src"]).into_iter().filter(|file| is_part(&file.path)).collect();
        assert!(!files.is_empty(), "{module} is a module of the engine");
        for file in files {
            let used =
                file.code.split("crate::").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_alphabetic()).next());
            let allowed = |name: &str| MODULES[..=i].contains(&name);
            offences.extend(used.filter(|name| !allowed(name)).map(|name| format!("{}: {name}", file.path)));
        }
    }
    assert_none(offences, "a module of the engine uses one above it");
}

/// Only the folder with the blocks knows the kinds of blocks.
#[test]
fn blocks_own_themselves() {
    let list = read("engine/src/blocks/mod.rs");
    let (_, list) = list.split_once("\nkinds! {").expect("the list of kinds");
    let (list, _) = list.split_once("\n}").expect("the end of the list");
    let kinds: Vec<&str> =
        list.lines().filter_map(|line| line.split_once(" with ")).map(|(kind, _)| kind.trim()).collect();
    assert!(kinds.len() >= 4 && kinds.contains(&"Attention"), "{kinds:?}");
    let mut offences = Vec::new();
    for file in sources(&["engine/src", "host/src"]) {
        if file.path.starts_with("engine/src/blocks/") {
            continue;
        }
        for kind in kinds.iter().filter(|kind| has_word(&file.code, kind)) {
            offences.push(format!("{}: {kind}", file.path));
        }
    }
    assert_none(offences, "a kind of block is named outside engine/src/blocks");
}

/// The command line is made from a table of the commands; its code names no command.
#[test]
fn the_command_line_knows_no_command() {
    let files = sources(&["host/src/cli"]);
    assert!(files.len() > 10, "the command line stands in host/src/cli");
    let naming = files.into_iter().filter(|file| names_commands(&file.code));
    assert_none(naming.map(|file| file.path).collect(), "the command line uses a command");
    assert!(names_commands("use crate::commands::chat;") && names_commands("use crate::{error, commands};"));
    assert!(!names_commands("for command in commands { use_of(commands::<u8>()) }"));
}

/// Whether code imports or paths through the module of the commands.
fn names_commands(code: &str) -> bool {
    let paths = code.split("crate::").skip(1).filter_map(|rest| rest.split([';', '(', ')', '<', '>']).next());
    paths.into_iter().any(|path| has_word(path, "commands"))
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

/// An `unsafe` block or impl has its argument right above it; an `unsafe fn` has a `# Safety` section (or, in a trait
/// impl, the trait's).
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

/// Comments end at column 120, as the code does, and so do the sentences of the manual; rows of tables and listings may
/// be longer. No function of the kernels has so many parameters that a lint would have to be silenced.
#[test]
fn lines_end_at_column_120() {
    const COLUMNS: usize = 120;
    let mut offences = Vec::new();
    for file in sources(&["kernels/src", "engine/src", "host", "tests", "fuzz"]) {
        for (i, line) in file.text.lines().enumerate() {
            let is_long = line.trim_start().starts_with("//") && line.chars().count() > COLUMNS;
            let silences = file.path.starts_with("kernels") && line.contains("too_many_arguments");
            if is_long || silences {
                offences.push(format!("{}:{}: {}", file.path, i + 1, line.trim()));
            }
        }
    }
    for path in manual() {
        let mut is_listing = false;
        for (i, line) in read(&path).lines().enumerate() {
            is_listing ^= line.trim_start().starts_with("```");
            if !is_listing && !line.starts_with('|') && line.chars().count() > COLUMNS {
                offences.push(format!("{path}:{}: {line}", i + 1));
            }
        }
    }
    assert_none(offences, "too long");
}

/// Every page of the manual.
fn manual() -> Vec<String> {
    let folder = std::fs::read_dir(workspace_root().join("docs")).expect("docs/ is there");
    let names = folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let pages = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    pages.chain(["README.md".to_owned(), "host/demo/README.md".to_owned()]).collect()
}

/// Workers are pinned to cores, so a process starts them once: where settings are read, and for the two benchmarks that
/// compare their numbers.
#[test]
fn workers_are_started_in_one_place() {
    let starts = sources(&["host/src"]).into_iter().filter(|file| file.code.contains("Pool::new("));
    let places: BTreeSet<String> = starts.map(|file| file.path).filter(|path| !path.contains("/pool/")).collect();
    let bench = ["host/src/commands/bench/kernels/mod.rs", "host/src/commands/bench/model.rs"];
    assert_eq!(places, set([bench[0], bench[1], "host/src/settings.rs"]));
}

/// A function of the host takes no more parameters than the lint allows.
#[test]
fn the_host_silences_no_lint_on_parameters() {
    let offences = sources(&["host/src"]).into_iter().filter(|file| file.text.contains("too_many_arguments"));
    assert_none(offences.map(|file| file.path).collect(), "too many parameters");
}

/// docs/DEPENDENCIES.md names every package that a crate of the workspace depends on, with the reason.
#[test]
fn every_direct_dependency_has_a_reason() {
    let reasons = read("docs/DEPENDENCIES.md");
    let crates = ["kernels", "engine", "host", "tests", "tests/handshake"];
    let direct: BTreeSet<String> =
        crates.iter().flat_map(|folder| dependencies(&format!("{folder}/Cargo.toml"))).collect();
    let offences = direct
        .into_iter()
        .filter(|name| !name.starts_with("nanocamelid") && !reasons.contains(&format!("`{name}`")))
        .collect();
    assert_none(offences, "dependencies without a line in docs/DEPENDENCIES.md");
}

/// The lower crates stay small: this is the list of the packages they may depend on.
#[test]
fn the_lower_crates_bring_in_little() {
    for manifest in ["kernels/Cargo.toml", "engine/Cargo.toml"] {
        let mut external = dependencies(manifest);
        external.retain(|name| !name.starts_with("nanocamelid"));
        assert!(external.is_subset(&set(["bytemuck", "half", "libm"])), "{manifest}: {external:?}");
    }
}

/// The last table of docs/DEPENDENCIES.md names exactly the packages of Cargo.lock that the binary may need, on any
/// system.
#[test]
fn the_whole_tree_of_the_binary_is_listed() {
    let lock = read("Cargo.lock");
    let mut packages: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let quoted = |line: &'static str| package.split_once(line).and_then(|(_, rest)| rest.split('"').next());
        let name = quoted("name = \"").expect("a package has a name");
        let list = package.split_once("dependencies = [").map_or("", |(_, list)| list);
        // `name`, or `name version` where there are several.
        let names = list.split('"').skip(1).step_by(2).filter_map(|entry| entry.split(' ').next());
        packages.entry(name).or_default().extend(names);
    }
    let mut found = BTreeSet::new();
    let mut open = vec!["nanocamelid"];
    while let Some(name) = open.pop() {
        // loom is for tests only, which the lock file does not say.
        if name != "loom" && found.insert(name) {
            open.extend(&packages[name]);
        }
    }
    found.retain(|name| !name.starts_with("nanocamelid"));

    let reasons = read("docs/DEPENDENCIES.md");
    let (_, table) = reasons.split_once("## The whole tree").expect("a section on the whole tree");
    let rows = table.split("\n## ").next().unwrap_or_default().lines().filter(|line| line.starts_with("| `"));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    let listed: BTreeSet<&str> = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert_eq!(found, listed, "left: Cargo.lock; right: docs/DEPENDENCIES.md");
}

/// The folders of the instruction sets mirror each other, so that a reader of one knows the other. At least four fifths
/// of the modules in the smaller folder have a module of the same name in the other.
#[test]
fn instruction_sets_have_the_same_roles() {
    let modules = |isa: &str| -> BTreeSet<String> {
        let folder = format!("kernels/src/{isa}/");
        let paths = sources(&["kernels/src"]).into_iter().map(|file| file.path);
        let inner = paths.filter_map(|path| Some(path.strip_prefix(&folder)?.to_owned()));
        inner.map(|path| path.split(['/', '.']).next().unwrap_or_default().to_owned()).collect()
    };
    let (aarch64, x86_64) = (modules("aarch64"), modules("x86_64"));
    let shared = aarch64.intersection(&x86_64).count();
    let fewer = aarch64.len().min(x86_64.len());
    assert!(fewer > 0 && 5 * shared >= 4 * fewer, "{shared} of {fewer} are shared:\n{aarch64:?}\n{x86_64:?}");
}

/// Every kernel table is made in one place, and docs/KERNELS.md names every table and every format.
#[test]
fn every_table_and_format_is_documented() {
    let tables = read("docs/KERNELS.md");
    let makers: Vec<String> = ["aarch64", "x86_64"].map(|isa| read(&format!("kernels/src/{isa}/mod.rs"))).into();
    let mut offences = Vec::new();
    for name in Kernels::NAMES {
        if !tables.contains(&format!("\n| `{name}` | ")) {
            offences.push(format!("no row for {name} in docs/KERNELS.md"));
        }
        let made = makers.iter().filter(|source| source.contains(&format!("fn {name}_table("))).count();
        if made != usize::from(name != "scalar") {
            offences.push(format!("{made} functions {name}_table under kernels/src"));
        }
    }
    for weight_type in WeightType::ALL {
        if !has_word(&tables, weight_type.name()) {
            offences.push(format!("{} is not in docs/KERNELS.md", weight_type.name()));
        }
    }
    assert_none(offences, "tables of kernels");
}

/// One place of the program reads the environment, and docs/CLI.md lists exactly what it reads.
#[test]
fn the_environment_is_read_in_one_place_and_documented() {
    const PLACE: &str = "host/src/cli/environment.rs";
    let offences = sources(&["kernels/src", "engine/src", "host/src"])
        .into_iter()
        .filter(|file| file.path != PLACE && ["env::var", "env::vars"].iter().any(|call| file.code.contains(call)))
        .map(|file| file.path);
    assert_none(offences.collect(), "the environment is read elsewhere");

    let is_name = |word: &&str| {
        let own = word.strip_prefix("NANOCAMELID_");
        own.is_some_and(|rest| !rest.is_empty()) || ["NO_COLOR", "TERM"].contains(word)
    };
    let source = read(PLACE);
    let read_by_code: BTreeSet<&str> = source.split('"').filter(is_name).collect();
    let manual = read("docs/CLI.md");
    let (_, section) = manual.split_once("\nEnvironment:\n").expect("the help's section on the environment");
    let section = section.split("\n\n").next().unwrap_or_default();
    let first_words = section.lines().filter_map(|line| line.split_whitespace().next());
    let mut documented: BTreeSet<&str> = first_words.filter(is_name).collect();
    // Not a setting of this program: it stands in the text on colours.
    documented.extend(manual.contains("`TERM`").then_some("TERM"));
    assert_eq!(read_by_code, documented, "left: {PLACE}; right: docs/CLI.md");
}

#[test]
fn the_reader_of_sources_sees_through_literals() {
    let text = "a /* unsafe /* x */ */ b // unsafe\n'\\'' \"unsafe \\\" unsafe\" r#\"unsafe\"# 'u' <'a> unsafe é";
    let code = code_only(text);
    assert_eq!(code.matches("unsafe").count(), 1, "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(code.contains("<'a>") && has_word(&code, "a") && !has_word("unsafely", "unsafe"));
}
