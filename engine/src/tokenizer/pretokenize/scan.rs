//! The elements of regular expressions: one character, a run, an optional prefix.
//!
//! A position is a byte offset at a character boundary; a match is the position after it.

/// `[..]`: one character.
pub(super) fn one(text: &str, at: usize, accept: impl Fn(char) -> bool) -> Option<usize> {
    let c = text[at..].chars().next()?;
    accept(c).then(|| at + c.len_utf8())
}

/// `[..]*`: the end of the run that starts at `at`.
pub(super) fn run(text: &str, at: usize, accept: impl Fn(char) -> bool) -> usize {
    text[at..].char_indices().find(|&(_, c)| !accept(c)).map_or(text.len(), |(offset, _)| at + offset)
}

/// `[..]{0,n}`
pub(super) fn run_up_to(text: &str, at: usize, n: usize, accept: impl Fn(char) -> bool) -> usize {
    text[at..].chars().take(n).take_while(|&c| accept(c)).map(char::len_utf8).sum::<usize>() + at
}

/// `[..]+`
pub(super) fn some(text: &str, at: usize, accept: impl Fn(char) -> bool) -> Option<usize> {
    let end = run(text, at, accept);
    (end > at).then_some(end)
}

/// `p?b`, greedy: with the prefix if the body matches after the prefix, else without.
pub(super) fn prefixed(
    text: &str,
    at: usize,
    prefix: impl Fn(char) -> bool,
    body: impl Fn(usize) -> Option<usize>,
) -> Option<usize> {
    one(text, at, prefix).and_then(&body).or_else(|| body(at))
}

/// ` ?[..]+`
pub(super) fn spaced(text: &str, at: usize, accept: impl Fn(char) -> bool) -> Option<usize> {
    prefixed(text, at, |c| c == ' ', |at| some(text, at, &accept))
}

/// `\s?[..]+`
pub(super) fn any_spaced(text: &str, at: usize, accept: impl Fn(char) -> bool) -> Option<usize> {
    prefixed(text, at, char::is_whitespace, |at| some(text, at, &accept))
}

/// A literal.
pub(super) fn literal(text: &str, at: usize, expected: &str) -> Option<usize> {
    text[at..].starts_with(expected).then(|| at + expected.len())
}

/// `[..]` of explicit ranges. White space is never in one: llama.cpp turns all of it into one control character first.
pub(super) fn within(c: char, ranges: &[(char, char)]) -> bool {
    ranges.iter().any(|&(first, last)| first <= c && c <= last) && !c.is_whitespace()
}
