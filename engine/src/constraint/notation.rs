//! Reads texts in a notation, and knows the line and column of an error.

use super::error::GrammarError;

/// A text and how far it is read.
#[derive(Clone, Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Passes a character, if there is one, and returns it as text.
    pub(super) fn advance(&mut self) -> &'t str {
        let start = self.at;
        self.next();
        &self.text[start..self.at]
    }

    /// Passes `expected` if it comes next.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let is_next = self.rest().starts_with(expected);
        self.at += if is_next { expected.len() } else { 0 };
        is_next
    }

    /// Passes the longest beginning whose characters are `wanted`.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !wanted(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    /// Passes everything up to and including a character of this line.
    pub(super) fn take_through(&mut self, last: char) -> Option<&'t str> {
        let rest = self.rest();
        let end = rest.find(['\n', last]).filter(|&end| rest[end..].starts_with(last))? + last.len_utf8();
        self.at += end;
        Some(&rest[..end])
    }

    /// A decimal number below 2^31.
    pub(super) fn number(&mut self) -> Result<u32, GrammarError> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        match digits.parse::<u32>() {
            Ok(number) if number <= u32::MAX / 2 => Ok(number),
            _ if digits.is_empty() => Err(self.error("expected a number")),
            _ => Err(Self { at: self.at - digits.len(), ..*self }.error("the number is too large")),
        }
    }

    /// What has been read since an earlier reader of the same text.
    pub(super) fn since(&self, earlier: &Self) -> &'t str {
        &self.text[earlier.at..self.at]
    }

    /// A character by its code point in `n_digits` hexadecimal digits.
    pub(super) fn hexadecimal(&mut self, n_digits: usize) -> Result<char, GrammarError> {
        let code = self.code(n_digits)?;
        char::from_u32(code).ok_or_else(|| self.error("no character has this code point"))
    }

    /// A number of `n_digits` hexadecimal digits, at most eight.
    pub(super) fn code(&mut self, n_digits: usize) -> Result<u32, GrammarError> {
        let mut code = 0;
        for _ in 0..n_digits {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else {
                return Err(self.error("expected a hexadecimal digit"));
            };
            self.advance();
            code = code << 4 | digit;
        }
        Ok(code)
    }

    /// An error here. It counts the lines before it, so it is made for what is an error only.
    pub(super) fn error(&self, problem: &'static str) -> GrammarError {
        let before = &self.text[..self.at];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        GrammarError::Syntax {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem,
        }
    }
}
