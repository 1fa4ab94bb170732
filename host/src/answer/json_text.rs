//! The characters of JSON texts.

/// Appends one character of a string, with JSON's escape where JSON needs one.
pub(super) fn push_escaped(c: char, out: &mut String) {
    match c {
        '"' | '\\' => out.extend(['\\', c]),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        _ => out.push(c),
    }
}

/// Appends a string with its quotation marks.
pub(super) fn push_string(text: &str, out: &mut String) {
    out.push('"');
    text.chars().for_each(|c| push_escaped(c, out));
    out.push('"');
}

/// JSON's white space.
pub(super) fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\n' | '\r' | '\t')
}
