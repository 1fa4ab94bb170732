//! Source text to tokens, with Jinja's white-space control (`trim_blocks` and `lstrip_blocks` on).

use super::error::{Error, ErrorKind};
use super::text::is_space;
use super::{MAX_DIGITS, MAX_NAME_BYTES, MAX_SOURCE_BYTES};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Data(Box<str>),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(Box<str>),
    Text(Box<str>),
    Int(i64),
    /// The digits of an integer beyond 64 bits.
    BigInt(Box<str>),
    Float(f64),
    Operator(&'static str),
    End,
}

/// Longest first, so that `**` is not two `*`.
const OPERATORS: [&str; 25] = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",",
];

/// The tokens of a template, each with its line, ending with [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, u32)>, Error> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(Error { kind: ErrorKind::SourceTooLarge(source.len()), line: 1 });
    }
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    if source.ends_with('\n') {
        source.pop();
    }
    let mut lexer = Lexer { source: &source, at: 0, line: 1, line_starting: true, tokens: Vec::new() };
    match lexer.run() {
        Ok(()) => Ok(lexer.tokens),
        Err(kind) => Err(Error { kind, line: lexer.line }),
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: u32,
    /// Whether the last construct ended with a line break.
    line_starting: bool,
    tokens: Vec<(Token, u32)>,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    /// Moves past `n` bytes.
    fn advance(&mut self, n: usize) -> &'s str {
        let passed = &self.rest()[..n];
        self.at += n;
        self.line += passed.bytes().filter(|&b| b == b'\n').count() as u32;
        passed
    }

    fn advance_if(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.advance(prefix.len());
        }
        found
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((token, self.line));
    }

    fn run(&mut self) -> Result<(), ErrorKind> {
        while let Some(begin) = find_tag(self.rest()) {
            let tag = &self.rest()[begin..];
            if let Some(begin_bytes) = raw_tag(tag, "raw") {
                self.raw(begin, begin_bytes)?;
            } else if tag.starts_with("{#") {
                self.data(begin, true);
                self.comment()?;
            } else {
                let is_block = tag.starts_with("{%");
                self.data(begin, is_block);
                self.push(if is_block { Token::BlockBegin } else { Token::VariableBegin });
                self.advance(2);
                if !self.advance_if("-") {
                    self.advance_if("+");
                }
                self.inside(is_block)?;
            }
        }
        let n = self.rest().len();
        if n > 0 {
            self.push(Token::Data(self.rest().into()));
            self.advance(n);
        }
        self.push(Token::End);
        Ok(())
    }

    /// Emits the `n` bytes before a tag that starts there, stripped as the tag asks.
    fn data(&mut self, n: usize, strips_line: bool) {
        let text = &self.rest()[..n];
        let sign = self.rest().as_bytes().get(n + 2);
        let kept = match sign {
            Some(b'-') => text.trim_end_matches(is_space),
            Some(b'+') => text,
            _ if strips_line => {
                let line = text.rfind('\n').map_or(0, |at| at + 1);
                let blank = text[line..].chars().all(is_space);
                if blank && (line > 0 || self.line_starting) { &text[..line] } else { text }
            }
            _ => text,
        };
        if !kept.is_empty() {
            self.push(Token::Data(kept.into()));
        }
        self.advance(n);
    }

    /// After a tag's closing bracket: `-` takes all white space, otherwise a block takes one line break.
    fn after_tag(&mut self, minus: bool, takes_line_break: bool) {
        let rest = self.rest();
        let n = if minus {
            rest.len() - rest.trim_start_matches(is_space).len()
        } else {
            usize::from(takes_line_break && rest.starts_with('\n'))
        };
        self.line_starting = self.advance(n).ends_with('\n');
    }

    fn comment(&mut self) -> Result<(), ErrorKind> {
        self.advance(2);
        if !self.advance_if("-") {
            self.advance_if("+");
        }
        let n = self.rest().find("#}").ok_or(ErrorKind::Unclosed("a comment"))?;
        let sign = self.advance(n).bytes().last();
        self.advance(2);
        self.after_tag(sign == Some(b'-'), sign != Some(b'+'));
        Ok(())
    }

    fn raw(&mut self, begin: usize, begin_bytes: usize) -> Result<(), ErrorKind> {
        self.data(begin, true);
        let minus = self.advance(begin_bytes).ends_with("-%}");
        self.after_tag(minus, false);
        let rest = self.rest();
        let mut ends = rest.match_indices("{%").map(|(at, _)| at);
        let end = ends.find(|&at| raw_tag(&rest[at..], "endraw").is_some());
        let end = end.ok_or(ErrorKind::Unclosed("a raw block"))?;
        let end_bytes = raw_tag(&rest[end..], "endraw").ok_or(ErrorKind::Unclosed("a raw block"))?;
        self.data(end, true);
        let tag = self.advance(end_bytes);
        self.after_tag(tag.ends_with("-%}"), !tag.ends_with("+%}"));
        Ok(())
    }

    /// The tokens of a tag up to its end.
    fn inside(&mut self, is_block: bool) -> Result<(), ErrorKind> {
        let (end, token) = if is_block { ("%}", Token::BlockEnd) } else { ("}}", Token::VariableEnd) };
        let mut open: Vec<&str> = Vec::new();
        loop {
            let rest = self.rest();
            let n = rest.len() - rest.trim_start_matches(is_space).len();
            self.advance(n);
            let rest = self.rest();
            let Some(first) = rest.chars().next() else {
                return Err(ErrorKind::Unclosed(if is_block { "a {% tag" } else { "a {{ tag" }));
            };
            if open.is_empty() {
                let (minus, plus) = (first == '-', first == '+' && is_block);
                if rest[usize::from(minus || plus)..].starts_with(end) {
                    self.advance(end.len() + usize::from(minus || plus));
                    self.push(token);
                    self.after_tag(minus, is_block && !plus);
                    return Ok(());
                }
            }
            if first.is_ascii_digit() {
                self.number()?;
            } else if first == '_' || first.is_alphabetic() {
                let is_part = |c: char| c == '_' || c.is_alphanumeric();
                let n = rest.len() - rest.trim_start_matches(is_part).len();
                if n > MAX_NAME_BYTES {
                    return Err(ErrorKind::NameTooLong);
                }
                self.push(Token::Name(rest[..n].into()));
                self.advance(n);
            } else if first == '\'' || first == '"' {
                self.string(first)?;
            } else if let Some(operator) = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)) {
                match operator {
                    "(" => open.push(")"),
                    "[" => open.push("]"),
                    "{" => open.push("}"),
                    ")" | "]" | "}" if open.pop() != Some(operator) => return Err(ErrorKind::Character(first)),
                    _ => {}
                }
                self.push(Token::Operator(operator));
                self.advance(operator.len());
            } else {
                return Err(ErrorKind::Character(first));
            }
        }
    }

    /// A number as Python writes them: single `_` between digits, no leading zeros, other bases.
    fn number(&mut self) -> Result<(), ErrorKind> {
        let rest = self.rest();
        let integer = digits(rest, 10);
        let mut n = integer;
        // Behind a dot it is an index: `pairs.0.1`.
        let is_index = self.source[..self.at].ends_with('.');
        let fraction = rest[n..].strip_prefix('.').map_or(0, |rest| digits(rest, 10));
        if !is_index && fraction > 0 {
            n += 1 + fraction;
        }
        if !is_index && rest[n..].starts_with(['e', 'E']) {
            let signed = usize::from(rest[n + 1..].starts_with(['+', '-']));
            let exponent = digits(&rest[n + 1 + signed..], 10);
            n += if exponent > 0 { 1 + signed + exponent } else { 0 };
        }
        if n > integer {
            let text = self.advance(n).replace('_', "");
            let number = text.parse().map_err(|_| ErrorKind::Number)?;
            self.push(Token::Float(number));
            return Ok(());
        }
        let radix = match rest.as_bytes() {
            [b'0', b'x' | b'X', ..] => 16,
            [b'0', b'o' | b'O', ..] => 8,
            [b'0', b'b' | b'B', ..] => 2,
            _ => 10,
        };
        if radix != 10 {
            let part = &rest[2..];
            let n = digits(part.strip_prefix('_').unwrap_or(part), radix) + usize::from(part.starts_with('_'));
            let text = self.advance(2 + n)[2..].replace('_', "");
            let number = i64::from_str_radix(&text, radix).map_err(|_| ErrorKind::Number)?;
            self.push(Token::Int(number));
            return Ok(());
        }
        // A zero in front is a number of its own.
        let n = if rest.starts_with('0') { digits(&rest[..integer], 1) } else { integer };
        let text = self.advance(n).replace('_', "");
        if text.len() > MAX_DIGITS {
            return Err(ErrorKind::Number);
        }
        self.push(text.parse().map_or_else(|_| Token::BigInt(text.into()), Token::Int));
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<(), ErrorKind> {
        let unclosed = ErrorKind::Unclosed("a string");
        let line = self.line;
        self.advance(1);
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let Some(n) = rest.find([quote, '\\']) else { return Err(unclosed) };
            out.push_str(self.advance(n));
            if self.advance_if("\\") {
                let escaped = self.rest().chars().next().ok_or(ErrorKind::Unclosed("a string"))?;
                self.advance(escaped.len_utf8());
                self.escape(escaped, &mut out)?;
            } else {
                self.advance(1);
                self.tokens.push((Token::Text(out.into()), line));
                return Ok(());
            }
        }
    }

    /// Python's escapes; an unknown one keeps its backslash.
    fn escape(&mut self, escaped: char, out: &mut String) -> Result<(), ErrorKind> {
        let radix_digits = |lexer: &mut Self, radix: u32, most: usize| {
            let n = lexer.rest().chars().take(most).take_while(|c| c.is_digit(radix)).count();
            (u32::from_str_radix(lexer.advance(n), radix).unwrap_or(0), n)
        };
        let code = match escaped {
            '\n' => return Ok(()),
            'n' => 10,
            't' => 9,
            'r' => 13,
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'v' => 11,
            '\\' | '\'' | '"' => escaped as u32,
            '0'..='7' => {
                self.at -= 1;
                radix_digits(self, 8, 3).0
            }
            'x' | 'u' | 'U' => {
                let wanted = match escaped {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let (code, n) = radix_digits(self, 16, wanted);
                if n < wanted {
                    return Err(ErrorKind::Expected("hexadecimal digits in a string escape"));
                }
                code
            }
            'N' => return Err(ErrorKind::Unsupported("a named character escape")),
            other => {
                out.push('\\');
                out.push(other);
                return Ok(());
            }
        };
        out.push(char::from_u32(code).ok_or(ErrorKind::Expected("a Unicode character in a string escape"))?);
        Ok(())
    }
}

/// Bytes of the digits that `source` starts with; a single `_` may stand between two.
fn digits(source: &str, radix: u32) -> usize {
    // With radix 1, zeros.
    let is_digit = |at: usize| source[at..].starts_with(|c: char| c.is_digit(radix.max(2)) && (radix > 1 || c == '0'));
    let mut n = 0;
    while n < source.len() {
        n += match source.as_bytes()[n] {
            b'_' if n > 0 && is_digit(n + 1) => 2,
            byte if byte.is_ascii() && is_digit(n) => 1,
            _ => break,
        };
    }
    n
}

/// Where the next tag starts.
fn find_tag(source: &str) -> Option<usize> {
    let candidates = source.match_indices('{').map(|(at, _)| at);
    let bytes = source.as_bytes();
    candidates.into_iter().find(|&at| matches!(bytes.get(at + 1), Some(b'{' | b'%' | b'#')))
}

/// Bytes of `{% name %}` with its signs, if `source` starts with that.
fn raw_tag(source: &str, name: &str) -> Option<usize> {
    let inner = source.strip_prefix("{%")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.trim_start_matches(is_space).strip_prefix(name)?.trim_start_matches(is_space);
    let inner =
        inner.strip_prefix('-').or_else(|| inner.strip_prefix('+').filter(|_| name == "endraw")).unwrap_or(inner);
    let rest = inner.strip_prefix("%}")?;
    Some(source.len() - rest.len())
}
