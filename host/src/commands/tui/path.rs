//! A path as a person types it or a terminal pastes it for a dropped file.

use crate::cli::environment;
use std::path::PathBuf;

/// The path that a command's argument names. If no file has exactly that name, quotes and backslashes mean what they
/// mean in a shell. Spaces need no quotes. `~/` is the home directory.
pub(super) fn read(argument: &str) -> PathBuf {
    let literal = environment::expand_home(argument.into());
    match unquoted(argument) {
        Some(text) if !literal.exists() => environment::expand_home(text.into()),
        _ => literal,
    }
}

/// The text without the quoting of POSIX shells (Shell Command Language, 2.2); `None` if a quote stays open. On Windows
/// a backslash separates the parts of a path and quotes nothing.
fn unquoted(text: &str) -> Option<String> {
    let escapes = !cfg!(windows);
    let mut out = String::new();
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', None) if escapes => out.push(rest.next()?),
            ('\\', Some('"')) if escapes => match rest.next()? {
                escaped @ ('"' | '\\' | '$' | '`') => out.push(escaped),
                other => out.extend(['\\', other]),
            },
            (c, _) => out.push(c),
        }
    }
    quote.is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(windows))]
    fn quoting_of_shells() {
        for (typed, meant) in [
            ("a b.gguf", Some("a b.gguf")),
            ("'a b.gguf'", Some("a b.gguf")),
            ("\"a b.gguf\"", Some("a b.gguf")),
            ("a\\ b\\(1\\).gguf", Some("a b(1).gguf")),
            ("'it'\\''s.gguf'", Some("it's.gguf")),
            ("\"\\\"x\\\" \\a\"", Some("\"x\" \\a")),
            ("'a\\b'", Some("a\\b")),
            ("it's.gguf", None),
            ("a\\", None),
        ] {
            assert_eq!(unquoted(typed).as_deref(), meant, "{typed}");
        }
        // An open quote is part of the name.
        assert_eq!(read("it's.gguf"), PathBuf::from("it's.gguf"));
        assert_eq!(read("'a b.gguf'"), PathBuf::from("a b.gguf"));
    }

    #[test]
    fn a_file_with_quotes_in_its_name_is_found_by_it() {
        let dir = std::env::temp_dir().join(format!("nanocamelid-quotes-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("'x'.gguf");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(read(path.to_str().unwrap()), path);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
