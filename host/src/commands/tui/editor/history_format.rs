//! The history file as text: a heading, then an entry a line, with `\n`, `\r` and `\\` for a line's end, a carriage
//! return and a backslash.

use std::io::{self, Read, Seek, SeekFrom};

/// The heading of the file; a file without the heading is not changed.
pub(super) const HEADING: &str = "# history of nanocamelid's terminal chat, 1\n";

/// The content of a file.
pub(super) struct Contents {
    pub(super) entries: Vec<String>,
    /// Lines that are no entries.
    pub(super) n_unreadable: usize,
}

/// Whether a file is a history file.
pub(super) fn begins_as_history(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut heading = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(HEADING.len() as u64).read_to_end(&mut heading)?;
    Ok(heading == HEADING.as_bytes())
}

/// The entries in the last `max_bytes` of a file; `None` if the file is no history file.
pub(super) fn read(file: &mut (impl Read + Seek), max_bytes: u64) -> io::Result<Option<Contents>> {
    let mut contents = Contents { entries: Vec::new(), n_unreadable: 0 };
    let n_bytes = file.seek(SeekFrom::End(0))?;
    if n_bytes == 0 {
        return Ok(Some(contents));
    }
    if !begins_as_history(file)? {
        return Ok(None);
    }
    let start = n_bytes.saturating_sub(max_bytes).max(HEADING.len() as u64);
    // The byte in front says whether a line starts there.
    file.seek(SeekFrom::Start(start - 1))?;
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    let lines = bytes.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty());
    for line in lines {
        match std::str::from_utf8(line).ok().and_then(unescaped) {
            Some(entry) => contents.entries.push(entry),
            None => contents.n_unreadable += 1,
        }
    }
    Ok(Some(contents))
}

/// Adds an entry's line.
pub(super) fn escape(entry: &str, line: &mut String) {
    for c in entry.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\\' => line.push_str("\\\\"),
            c => line.push(c),
        }
    }
    line.push('\n');
}

fn unescaped(line: &str) -> Option<String> {
    let mut entry = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        entry.push(match c {
            '\\' => match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            '\0' => return None,
            c => c,
        });
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn contents(bytes: &[u8], max_bytes: u64) -> Option<(Vec<String>, usize)> {
        let contents = read(&mut Cursor::new(bytes), max_bytes).unwrap()?;
        Some((contents.entries, contents.n_unreadable))
    }

    #[test]
    fn entries_are_lines() {
        for entry in ["one", "two\nlines\\n and \r", "日本 🦙", "\\", "# no heading"] {
            let mut text = HEADING.to_owned();
            escape(entry, &mut text);
            assert_eq!(text.lines().count(), 2);
            assert_eq!(contents(text.as_bytes(), 999), Some((vec![entry.to_owned()], 0)));
        }
        assert_eq!(contents(b"", 999), Some((vec![], 0)));
        assert_eq!(contents(b"GGUF", 999), None);
        assert_eq!(contents(&HEADING.as_bytes()[1..], 999), None);
    }

    #[test]
    fn broken_lines_are_left_out() {
        // The last line was cut off.
        let text = [HEADING.as_bytes(), b"one\n\xff\xfe\n\0\0\n\n\\x\nha"].concat();
        assert_eq!(contents(&text, 999), Some((vec!["one".into(), "ha".into()], 3)));
    }

    #[test]
    fn of_a_large_file_the_end_is_read() {
        let text = HEADING.to_owned() + "one\ntwo\nthree\n";
        for (max_bytes, entries) in [(14, 3), (13, 2), (10, 2), (9, 1), (6, 1), (5, 0), (0, 0)] {
            let (read, n_unreadable) = contents(text.as_bytes(), max_bytes).unwrap();
            assert_eq!((read.len(), n_unreadable), (entries, 0), "{max_bytes}: {read:?}");
        }
    }
}
