//! Reads texts from a stream with one JSON string per line.

use crate::error::Error;
use crate::prompt;
use crate::streams;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Calls `take` with every text of a file, or of standard input without a file and for `-`; with the name of the source
/// and the number of the text's line.
///
/// # Errors
/// A file that cannot be opened; those of [`each`].
pub(crate) fn of(
    file: Option<&Path>,
    take: &mut dyn FnMut(&Path, usize, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    match file.filter(|path| *path != Path::new("-")) {
        Some(path) => each(BufReader::new(prompt::open(path)?), path, &mut |number, text| take(path, number, text)),
        None => {
            let path = Path::new(prompt::STANDARD_INPUT);
            each(streams::stdin(), path, &mut |number, text| take(path, number, text))
        }
    }
}

/// Calls `each` with every text of a stream as it comes, and with the number of its line, counted from 1. Lines of
/// white space are skipped.
///
/// # Errors
/// A line that is not UTF-8, not a JSON string, or too long; an error of `each`.
fn each(
    mut source: impl BufRead,
    path: &Path,
    each: &mut dyn FnMut(usize, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut line = Vec::new();
    for number in 1.. {
        let problem = |what: &str| Error::Input { path: path.to_owned(), problem: format!("line {number}: {what}") };
        line.clear();
        let n = source.by_ref().take(prompt::MAX_BYTES + 1).read_until(b'\n', &mut line);
        if n.map_err(Error::io(path.display()))? == 0 {
            break;
        }
        if line.len() as u64 > prompt::MAX_BYTES {
            return Err(problem(&format!("more than {} bytes", prompt::MAX_BYTES)));
        }
        let text = std::str::from_utf8(&line).map_err(|_| problem("not UTF-8"))?;
        let text = if number == 1 { prompt::without_byte_order_mark(text) } else { text };
        if text.trim().is_empty() {
            continue;
        }
        let text: String =
            serde_json::from_str(text.trim_end()).map_err(|error| problem(&format!("not a JSON string: {error}")))?;
        each(number, &text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &[u8]) -> Result<Vec<(usize, String)>, String> {
        let mut texts = Vec::new();
        let mut take = |number, text: &str| {
            texts.push((number, text.to_owned()));
            Ok(())
        };
        each(source, Path::new("lines"), &mut take).map_err(|error| error.to_string())?;
        Ok(texts)
    }

    #[test]
    fn lines_are_texts_with_their_numbers() {
        let expected = Ok(vec![(1, "a".into()), (3, "b\nc".into()), (4, String::new())]);
        assert_eq!(texts("\u{feff}\"a\"\r\n \n\"b\\nc\"\n\"\"".as_bytes()), expected);
        assert_eq!(texts(b""), Ok(Vec::new()));
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(texts(b"\"a\"\n\xff\n"), Err("lines: line 2: not UTF-8".into()));
        let error = texts(b"\"a\"\n\nhello\n").unwrap_err();
        assert!(error.starts_with("lines: line 3: not a JSON string"), "{error}");
        // A mark is dropped only at the start of a stream.
        assert!(texts("\"a\"\n\u{feff}\"b\"\n".as_bytes()).unwrap_err().contains("line 2"));
    }
}
