//! Unicode general categories, as far as pre-tokenizers distinguish them.
//!
//! Unicode 15.1, the version that llama.cpp uses: a code point assigned in a later version is [`Class::Other`] here
//! too. White space needs no table: [`char::is_whitespace`] is the property that `\s` means.

use super::unicode_table::RUNS;

/// The first letter of a general category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Separators, controls, unassigned.
    Other,
    /// `\p{L}`
    Letter,
    /// `\p{M}`
    Mark,
    /// `\p{N}`
    Number,
    /// `\p{P}`
    Punctuation,
    /// `\p{S}`
    Symbol,
}

/// A table for ASCII, which most texts consist of.
static ASCII: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut code_point = 0;
    while code_point < 128 {
        classes[code_point] = search(code_point as u32);
        code_point += 1;
    }
    classes
};

/// The class of a character.
pub(super) fn class(c: char) -> Class {
    match ASCII.get(c as usize) {
        Some(&class) => class,
        None => search(c as u32),
    }
}

pub(super) fn is_letter(c: char) -> bool {
    class(c) == Class::Letter
}

pub(super) fn is_number(c: char) -> bool {
    class(c) == Class::Number
}

/// Binary search for the last run that starts at or before `code_point`; the first run starts at 0.
const fn search(code_point: u32) -> Class {
    let (mut low, mut high) = (0, RUNS.len());
    while high - low > 1 {
        let middle = (low + high) / 2;
        if RUNS[middle] >> 3 <= code_point {
            low = middle;
        } else {
            high = middle;
        }
    }
    match RUNS[low] & 7 {
        1 => Class::Letter,
        2 => Class::Mark,
        3 => Class::Number,
        4 => Class::Punctuation,
        5 => Class::Symbol,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::unicode_table::COUNTS;
    use super::*;

    #[test]
    fn every_class_has_as_many_code_points_as_the_standard_says() {
        let mut counts = [0; 6];
        for code_point in 0..0x11_0000 {
            counts[search(code_point) as usize] += 1;
        }
        assert_eq!(counts, COUNTS);
    }

    #[test]
    fn classes_of_some_characters() {
        for (c, expected) in [
            ('a', Class::Letter),
            ('_', Class::Punctuation),
            ('$', Class::Symbol),
            ('7', Class::Number),
            ('²', Class::Number),
            ('\u{301}', Class::Mark),
            ('中', Class::Letter),
            ('।', Class::Punctuation),
            ('😀', Class::Symbol),
            ('\u{a0}', Class::Other),
            ('\u{378}', Class::Other),
            // Assigned in 15.1 and in 16.0.
            ('\u{2ebf0}', Class::Letter),
            ('\u{a7cb}', Class::Other),
        ] {
            assert_eq!(class(c), expected, "{c:?}");
        }
    }
}
