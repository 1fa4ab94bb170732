//! The workspace's own Rust sources, for tests that hold it to its house rules.

use std::path::{Path, PathBuf};

/// The folder of the workspace's `Cargo.toml`.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in the workspace").to_path_buf()
}

/// One source file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path from the workspace's root, with forward slashes.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its text with comments, strings and character literals blanked, line for line.
    pub code: String,
}

/// Every `.rs` file under a folder of the workspace, build outputs left out.
///
/// # Panics
/// If a folder or file cannot be read.
pub fn files_under(folder: &str) -> Vec<SourceFile> {
    let root = workspace_root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_string();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                let relative = path.strip_prefix(&root).expect("under the root").to_string_lossy().replace('\\', "/");
                found.push(SourceFile { path: relative, code: code_only(&text), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// `text` with comments and the contents of string and character literals replaced by spaces; newlines stay.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let inside_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let len = if rest.starts_with(b"//") {
            rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment_len(rest)
        } else if rest[0] == b'"' {
            string_len(rest)
        } else if let Some(len) = raw_string_len(rest).filter(|_| !inside_word) {
            len
        } else if let Some(len) = char_len(rest) {
            len
        } else {
            at += 1;
            continue;
        };
        for byte in &mut code[at..at + len] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += len;
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn block_comment_len(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn string_len(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of `r"..."`, `r#"..."#`, `br"..."` and so on; `None` if `rest` does not start with one.
fn raw_string_len(rest: &[u8]) -> Option<usize> {
    let prefix = if rest.starts_with(b"br") { 2 } else { usize::from(rest.starts_with(b"r")) };
    let hashes = rest[prefix..].iter().take_while(|&&b| b == b'#').count();
    if prefix == 0 || rest.get(prefix + hashes) != Some(&b'"') {
        return None;
    }
    let body = prefix + hashes + 1;
    let end = [&b"\""[..], &b"#".repeat(hashes)].concat();
    let len = rest[body..].windows(end.len()).position(|window| window == end).map(|at| body + at + end.len());
    Some(len.unwrap_or(rest.len()))
}

/// Length of a character literal; `None` if `rest` does not start with one (a lifetime does not).
fn char_len(rest: &[u8]) -> Option<usize> {
    if rest[0] != b'\'' {
        return None;
    }
    if rest.get(1) == Some(&b'\\') {
        return rest.iter().skip(3).position(|&b| b == b'\'').map(|at| at + 4);
    }
    let char_bytes = match rest.get(1)? {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    (rest.get(1 + char_bytes) == Some(&b'\'')).then_some(char_bytes + 2)
}

/// Whether `code` holds `word` as a whole identifier.
pub fn has_word(code: &str, word: &str) -> bool {
    let is_word_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    code.match_indices(word).any(|(at, _)| {
        let before = code.as_bytes()[..at].last().copied();
        let after = code.as_bytes().get(at + word.len()).copied();
        !before.is_some_and(is_word_byte) && !after.is_some_and(is_word_byte)
    })
}
