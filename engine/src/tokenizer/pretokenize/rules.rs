//! The alternatives of the published regular expressions, each as a deterministic scanner.
//!
//! Where an expression needs backtracking, the scanner directly finds the match that backtracking would find. `\s`,
//! `\p{L}`, `\p{M}`, `\p{N}`, `\p{P}`, `\p{S}` are the Unicode classes.

use super::super::unicode::{Class, class, is_letter, is_number};
use super::ranges;
use super::scan::{any_spaced, literal, one, prefixed, run, run_up_to, some, spaced, within};

/// Matches at a position and returns the end of the match, which is never empty.
pub(super) type Rule = fn(&str, usize) -> Option<usize>;

fn is_newline(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

fn is_mark(c: char) -> bool {
    class(c) == Class::Mark
}

fn is_letter_or_mark(c: char) -> bool {
    matches!(class(c), Class::Letter | Class::Mark)
}

fn is_punctuation(c: char) -> bool {
    class(c) == Class::Punctuation
}

fn is_punctuation_or_symbol(c: char) -> bool {
    matches!(class(c), Class::Punctuation | Class::Symbol)
}

/// `[^\s\p{L}\p{N}]`
fn is_other(c: char) -> bool {
    !matches!(class(c), Class::Letter | Class::Number) && !c.is_whitespace()
}

/// `[^\r\n\p{L}\p{N}]`
fn may_lead_word(c: char) -> bool {
    !matches!(class(c), Class::Letter | Class::Number) && !is_newline(c)
}

// Contractions.

fn contraction_if(text: &str, at: usize, equal: fn(&[u8], &[u8]) -> bool) -> Option<usize> {
    let rest = text.as_bytes()[at..].strip_prefix(b"'")?;
    let suffixes: [&[u8]; 7] = [b"s", b"t", b"re", b"ve", b"m", b"ll", b"d"];
    suffixes.iter().find_map(|&suffix| equal(rest.get(..suffix.len())?, suffix).then(|| at + 1 + suffix.len()))
}

/// `'s|'t|'re|'ve|'m|'ll|'d`
pub(super) fn contraction(text: &str, at: usize) -> Option<usize> {
    contraction_if(text, at, |a, b| a == b)
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)`, for ASCII letters.
pub(super) fn contraction_any_case(text: &str, at: usize) -> Option<usize> {
    contraction_if(text, at, |a, b| a.eq_ignore_ascii_case(b))
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)?` after a word.
fn with_contraction(text: &str, end: usize) -> usize {
    contraction_any_case(text, end).unwrap_or(end)
}

// Letters.

/// ` ?\p{L}+`
pub(super) fn spaced_letters(text: &str, at: usize) -> Option<usize> {
    spaced(text, at, is_letter)
}

/// `\s?\p{L}+`
pub(super) fn any_spaced_letters(text: &str, at: usize) -> Option<usize> {
    any_spaced(text, at, is_letter)
}

/// `[^\r\n\p{L}\p{N}]?\p{L}+`
pub(super) fn word(text: &str, at: usize) -> Option<usize> {
    prefixed(text, at, may_lead_word, |at| some(text, at, is_letter))
}

/// `[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+`
pub(super) fn marked_word(text: &str, at: usize) -> Option<usize> {
    prefixed(text, at, may_lead_word, |at| some(text, at, is_letter_or_mark))
}

/// `[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?`
///
/// Published with `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`; llama.cpp takes all letters as one
/// class.
pub(super) fn marked_word_contraction(text: &str, at: usize) -> Option<usize> {
    marked_word(text, at).map(|end| with_contraction(text, end))
}

/// `[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+`
pub(super) fn marked_word_after_plain(text: &str, at: usize) -> Option<usize> {
    let may_lead = |c| !matches!(class(c), Class::Letter | Class::Punctuation | Class::Symbol) && !is_newline(c);
    prefixed(text, at, may_lead, |at| some(text, at, is_letter_or_mark))
}

/// ``[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+``
pub(super) fn ascii_word_after_punctuation(text: &str, at: usize) -> Option<usize> {
    let start = one(text, at, |c| c.is_ascii_punctuation())?;
    some(text, start, |c| c.is_ascii_alphabetic())
}

/// `[^\r\n\p{L}\p{N}]?U*L+|[^\r\n\p{L}\p{N}]?U+L*` where `U` is a letter other than a-z and `L` one other than A-Z.
///
/// Published with the categories of upper and lower case; llama.cpp distinguishes case in ASCII only.
fn cased_word_of(text: &str, at: usize, is_part: fn(char) -> bool) -> Option<usize> {
    let is_upper = |c: char| is_part(c) && !c.is_ascii_lowercase();
    let is_lower = |c: char| is_part(c) && !c.is_ascii_uppercase();
    let lower_last = |at| {
        let upper_end = run(text, at, is_upper);
        // With no L after the run of U, the run shrinks until it ends in a character that is both U and L.
        some(text, upper_end, is_lower).or_else(|| {
            let (offset, c) = text[at..upper_end].char_indices().rfind(|&(_, c)| is_lower(c))?;
            Some(at + offset + c.len_utf8())
        })
    };
    let upper_first = |at| some(text, at, is_upper).map(|end| run(text, end, is_lower));
    prefixed(text, at, may_lead_word, lower_last).or_else(|| prefixed(text, at, may_lead_word, upper_first))
}

/// [`cased_word_of`] letters.
pub(super) fn cased_word(text: &str, at: usize) -> Option<usize> {
    cased_word_of(text, at, is_letter)
}

/// [`cased_word_of`] letters, then `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`.
pub(super) fn cased_word_contraction(text: &str, at: usize) -> Option<usize> {
    cased_word_of(text, at, is_letter).map(|end| with_contraction(text, end))
}

/// [`cased_word_of`] letters and marks, then `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`.
pub(super) fn cased_marked_word_contraction(text: &str, at: usize) -> Option<usize> {
    cased_word_of(text, at, is_letter_or_mark).map(|end| with_contraction(text, end))
}

/// `[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+`: words with single spaces between them.
pub(super) fn phrase(text: &str, at: usize) -> Option<usize> {
    let syllable = |at| one(text, at, is_letter).map(|end| run(text, end, is_mark));
    let body = |at| {
        let mut end = syllable(at)?;
        while let Some(next) = prefixed(text, end, |c| c == ' ', syllable) {
            end = next;
        }
        Some(end)
    };
    prefixed(text, at, may_lead_word, body)
}

/// `\p{Han}+`
pub(super) fn han(text: &str, at: usize) -> Option<usize> {
    some(text, at, |c| within(c, ranges::HAN))
}

/// `[^\r\n\p{L}\p{N}]?[\p{L}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?`
pub(super) fn word_without_han(text: &str, at: usize) -> Option<usize> {
    let is_part = |c| is_letter(c) && !within(c, ranges::HAN);
    prefixed(text, at, may_lead_word, |at| some(text, at, is_part)).map(|end| with_contraction(text, end))
}

// Numbers.

/// `\p{N}`
pub(super) fn number(text: &str, at: usize) -> Option<usize> {
    one(text, at, is_number)
}

/// `\p{N}{1,3}`
pub(super) fn up_to_3_numbers(text: &str, at: usize) -> Option<usize> {
    let end = run_up_to(text, at, 3, is_number);
    (end > at).then_some(end)
}

/// `\p{N}+`
pub(super) fn numbers(text: &str, at: usize) -> Option<usize> {
    some(text, at, is_number)
}

/// ` ?\p{N}+`
pub(super) fn spaced_numbers(text: &str, at: usize) -> Option<usize> {
    spaced(text, at, is_number)
}

/// `[0-9][0-9][0-9]`
pub(super) fn three_digits(text: &str, at: usize) -> Option<usize> {
    let end = run_up_to(text, at, 3, |c| c.is_ascii_digit());
    (end == at + 3).then_some(end)
}

// Everything else that is not white space.

/// ` ?[^\s\p{L}\p{N}]+`
pub(super) fn others(text: &str, at: usize) -> Option<usize> {
    spaced(text, at, is_other)
}

/// ` ?[^\s\p{L}\p{N}]+[\r\n]*`
pub(super) fn others_newlines(text: &str, at: usize) -> Option<usize> {
    others(text, at).map(|end| run(text, end, is_newline))
}

/// ` ?[^\s\p{L}\p{N}]+[\r\n/]*`
pub(super) fn others_newlines_slashes(text: &str, at: usize) -> Option<usize> {
    others(text, at).map(|end| run(text, end, |c| is_newline(c) || c == '/'))
}

/// ` ?[^\s\p{L}\p{N}]+[\r\n/]?`
pub(super) fn others_newline_or_slash(text: &str, at: usize) -> Option<usize> {
    others(text, at).map(|end| one(text, end, |c| is_newline(c) || c == '/').unwrap_or(end))
}

/// ` ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*`
pub(super) fn unmarked_others_newlines(text: &str, at: usize) -> Option<usize> {
    spaced(text, at, |c| is_other(c) && !is_mark(c)).map(|end| run(text, end, is_newline))
}

/// ` ?[\p{P}\p{S}]+`
pub(super) fn punctuation_symbols(text: &str, at: usize) -> Option<usize> {
    spaced(text, at, is_punctuation_or_symbol)
}

/// ` ?[\p{P}\p{S}]+[\r\n]*`
pub(super) fn punctuation_symbols_newlines(text: &str, at: usize) -> Option<usize> {
    punctuation_symbols(text, at).map(|end| run(text, end, is_newline))
}

/// `\s?\p{P}+`
pub(super) fn any_spaced_punctuation(text: &str, at: usize) -> Option<usize> {
    any_spaced(text, at, is_punctuation)
}

/// `[\p{P}\$\+<=>\^~\|]+`
pub(super) fn punctuation_ascii_symbols(text: &str, at: usize) -> Option<usize> {
    some(text, at, |c| is_punctuation(c) || matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '~' | '|'))
}

/// ``[\p{P}\$\+<=>\^~\|`]+``
pub(super) fn punctuation_ascii_symbols_backtick(text: &str, at: usize) -> Option<usize> {
    some(text, at, |c| is_punctuation(c) || c.is_ascii_punctuation())
}

/// ``[\p{P}!-/:-@\[-`{-~]``
pub(super) fn one_punctuation(text: &str, at: usize) -> Option<usize> {
    one(text, at, |c| is_punctuation(c) || c.is_ascii_punctuation())
}

/// ` ?[^(\s|.,!?…。，、।۔،)]+`
pub(super) fn not_sentence_punctuation(text: &str, at: usize) -> Option<usize> {
    let ends = |c| matches!(c, '(' | '|' | '.' | ',' | '!' | '?' | '…' | '。' | '，' | '、' | '।' | '۔' | '،' | ')');
    spaced(text, at, |c| !ends(c) && !c.is_whitespace())
}

// White space.

/// `[\r\n]`
pub(super) fn newline(text: &str, at: usize) -> Option<usize> {
    one(text, at, is_newline)
}

/// `\s*[\r
/// ]+`, and `\s*[\r
/// ]`, which matches the same text: up to the last newline of the white space.
pub(super) fn spaces_newlines(text: &str, at: usize) -> Option<usize> {
    let end = run(text, at, char::is_whitespace);
    text[at..end].rfind(is_newline).map(|offset| at + offset + 1)
}

/// `\s+(?!\S)|\s+`: white space without its last character, if something follows that could take that character.
pub(super) fn spaces(text: &str, at: usize) -> Option<usize> {
    let end = some(text, at, char::is_whitespace)?;
    if end == text.len() {
        return Some(end);
    }
    let (offset, _) = text[at..end].char_indices().next_back()?;
    Some(if offset > 0 { at + offset } else { end })
}

/// `\s{512}(?!\S)|\s{256}(?!\S)|..|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}`
pub(super) fn cascading_spaces(text: &str, at: usize) -> Option<usize> {
    let followed = |n| {
        let end = run_up_to(text, at, n, char::is_whitespace);
        let n_found = text[at..end].chars().count();
        (n_found == n && one(text, end, |c| !c.is_whitespace()).is_none()).then_some(end)
    };
    [512, 256, 128, 64, 32, 16, 8, 4, 2, 1]
        .into_iter()
        .find_map(followed)
        .or_else(|| one(text, at, char::is_whitespace))
}

// Explicit ranges.

/// `[一-龥぀-ゟ゠-ヿ]+`
pub(super) fn cjk(text: &str, at: usize) -> Option<usize> {
    some(text, at, |c| within(c, ranges::CJK))
}

/// `[一-龥ࠀ-一가-퟿]+`
pub(super) fn deepseek_cjk(text: &str, at: usize) -> Option<usize> {
    some(text, at, |c| within(c, ranges::DEEPSEEK_CJK))
}

/// `\s?[A-Za-zµÀ-ÖØ-öø-ƺ..]+`
pub(super) fn deepseek_letters(text: &str, at: usize) -> Option<usize> {
    any_spaced(text, at, |c| within(c, ranges::DEEPSEEK_LETTERS))
}

/// `\s?[!-/:-~！-／：-～‘-‟　-。]+`
pub(super) fn deepseek_punctuation(text: &str, at: usize) -> Option<usize> {
    any_spaced(text, at, |c| within(c, ranges::DEEPSEEK_PUNCTUATION))
}

/// `[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+`
pub(super) fn youtu_scripts(text: &str, at: usize) -> Option<usize> {
    let scripts = [ranges::HANGUL, ranges::CJK_PUNCTUATION, ranges::BOPOMOFO, ranges::CJK];
    scripts.into_iter().find_map(|script| some(text, at, |c| within(c, script)))
}

/// `[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+`
pub(super) fn afmoe_scripts(text: &str, at: usize) -> Option<usize> {
    some(text, at, |c| within(c, ranges::AFMOE_SCRIPTS))
}

// Chameleon's tokens and indentation.

/// `<sentinel:[0-9]+>`
pub(super) fn sentinel(text: &str, at: usize) -> Option<usize> {
    let digits = literal(text, at, "<sentinel:")?;
    literal(text, some(text, digits, |c| c.is_ascii_digit())?, ">")
}

/// `IMGIMG[A-I]{1,4}Z`
pub(super) fn image(text: &str, at: usize) -> Option<usize> {
    let letters = literal(text, at, "IMGIMG")?;
    let end = run_up_to(text, letters, 4, |c| matches!(c, 'A'..='I'));
    if end > letters { literal(text, end, "Z") } else { None }
}

/// `[\t\n]|    |  `
pub(super) fn indentation(text: &str, at: usize) -> Option<usize> {
    one(text, at, |c| matches!(c, '\t' | '\n'))
        .or_else(|| literal(text, at, "    "))
        .or_else(|| literal(text, at, "  "))
}

/// `[^\n]+|[\n]+`
pub(super) fn line(text: &str, at: usize) -> Option<usize> {
    some(text, at, |c| c != '\n').or_else(|| some(text, at, |c| c == '\n'))
}
