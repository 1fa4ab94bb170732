//! JSON texts (RFC 8259), as schemas are written in.

use super::error::GrammarError;
use super::notation::Reader;
use alloc::string::String;
use alloc::vec::Vec;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// In the order of the text, without repeated keys.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Deepest nesting of a text that is read.
    const MAX_DEPTH: usize = 128;

    /// Reads a text that is one value.
    pub(super) fn parse(text: &str) -> Result<Self, GrammarError> {
        let mut reader = Reader::new(text);
        let value = value(&mut reader, 0)?;
        skip(&mut reader);
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err(reader.error("expected the end of the JSON text")),
        }
    }

    /// The value of a key; `None` for other values than objects.
    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Number of elements or members.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::List(items) => items.len(),
            Self::Object(members) => members.len(),
            _ => 0,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn skip(reader: &mut Reader<'_>) {
    reader.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
}

fn value(reader: &mut Reader<'_>, depth: usize) -> Result<Json, GrammarError> {
    if depth > Json::MAX_DEPTH {
        return Err(reader.error("the JSON text is nested too deeply"));
    }
    skip(reader);
    for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
        if reader.eat(word) {
            return Ok(value);
        }
    }
    match reader.peek() {
        Some('"') => Ok(Json::Text(string(reader)?)),
        Some('-' | '0'..='9') => number(reader),
        Some('[') => {
            let mut items = Vec::new();
            list(reader, ']', &mut |reader| {
                items.push(value(reader, depth + 1)?);
                Ok(())
            })?;
            Ok(Json::List(items))
        }
        Some('{') => {
            let mut members: Vec<(String, Json)> = Vec::new();
            let mut keys = alloc::collections::BTreeSet::new();
            list(reader, '}', &mut |reader| {
                skip(reader);
                let start = reader.clone();
                let key = string(reader)?;
                if !keys.insert(key.clone()) {
                    return Err(start.error("the key occurs twice"));
                }
                skip(reader);
                if !reader.eat(":") {
                    return Err(reader.error("expected :"));
                }
                members.push((key, value(reader, depth + 1)?));
                Ok(())
            })?;
            Ok(Json::Object(members))
        }
        _ => Err(reader.error("expected a JSON value")),
    }
}

/// What stands between brackets and is separated by commas.
fn list(
    reader: &mut Reader<'_>,
    close: char,
    item: &mut dyn FnMut(&mut Reader<'_>) -> Result<(), GrammarError>,
) -> Result<(), GrammarError> {
    reader.advance();
    skip(reader);
    if reader.peek() == Some(close) {
        reader.advance();
        return Ok(());
    }
    loop {
        item(reader)?;
        skip(reader);
        match reader.peek() {
            Some(',') => reader.advance(),
            Some(c) if c == close => {
                reader.advance();
                return Ok(());
            }
            _ => return Err(reader.error("expected , or a closing bracket")),
        };
    }
}

fn string(reader: &mut Reader<'_>) -> Result<String, GrammarError> {
    if !reader.eat("\"") {
        return Err(reader.error("expected a string"));
    }
    let mut text = String::new();
    loop {
        text.push_str(reader.take_while(|c| c >= ' ' && c != '"' && c != '\\'));
        if reader.eat("\"") {
            return Ok(text);
        }
        if !reader.eat("\\") {
            return Err(reader.error("expected \" at the end of a string"));
        }
        let c = match reader.peek() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('u') => {
                reader.advance();
                text.push(escaped(reader)?);
                continue;
            }
            _ => return Err(reader.error("unknown escape")),
        };
        reader.advance();
        text.push(c);
    }
}

/// The character of `\uXXXX`, or of two of these that are surrogates.
fn escaped(reader: &mut Reader<'_>) -> Result<char, GrammarError> {
    let start = reader.clone();
    let high = reader.code(4)?;
    let code = match high {
        0xd800..0xdc00 if reader.eat("\\u") => match reader.code(4)? {
            low @ 0xdc00..0xe000 => 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00),
            _ => high,
        },
        _ => high,
    };
    char::from_u32(code).ok_or_else(|| start.error("half of a surrogate pair"))
}

fn number(reader: &mut Reader<'_>) -> Result<Json, GrammarError> {
    let start = reader.clone();
    let is_digit = |c: char| c.is_ascii_digit();
    reader.eat("-");
    let whole = reader.take_while(is_digit);
    let mut is_number = whole == "0" || (!whole.is_empty() && !whole.starts_with('0'));
    if reader.eat(".") {
        is_number &= !reader.take_while(is_digit).is_empty();
    }
    if reader.eat("e") || reader.eat("E") {
        let _ = reader.eat("+") || reader.eat("-");
        is_number &= !reader.take_while(is_digit).is_empty();
    }
    match is_number {
        true => Ok(Json::Number(reader.since(&start).into())),
        false => Err(start.error("expected a number")),
    }
}
