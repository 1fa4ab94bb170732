//! Strings of a schema.

use super::super::builder::Part;
use super::super::error::GrammarError;
use super::super::json::Json;
use super::super::json_parts::quote;
use super::super::regex;
use super::place::Place;
use super::{Compiler, count, formats};

pub(super) const KEYWORDS: [&str; 4] = ["minLength", "maxLength", "pattern", "format"];

impl Compiler<'_, '_> {
    /// Strings that are valid for a schema.
    pub(super) fn string(&mut self, schema: &Json, place: &Place<'_>) -> Result<Part, GrammarError> {
        let (min, max) = (count(schema, "minLength", place)?, count(schema, "maxLength", place)?);
        let is_measured = min.is_some_and(|min| min > 0) || max.is_some();
        let text = |keyword| match schema.get(keyword) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(place.error(keyword, "expected a string")),
        };
        let contents = match (text("pattern")?, text("format")?) {
            (Some(_), Some(_)) => return Err(place.error("pattern", "cannot be combined with format")),
            (Some(_), None) if is_measured => {
                return Err(place.error("pattern", "cannot be combined with minLength or maxLength"));
            }
            (None, Some(_)) if is_measured => {
                return Err(place.error("format", "cannot be combined with minLength or maxLength"));
            }
            (Some(pattern), None) => regex::pattern(self.builder, self.json, pattern).map_err(|error| match error {
                GrammarError::Syntax { problem, .. } => place.error("pattern", problem),
                other => other,
            })?,
            (None, Some(format)) => {
                let pattern = formats::pattern(format);
                let pattern = pattern.ok_or_else(|| place.error("format", "this format is not supported"))?;
                regex::pattern(self.builder, self.json, &pattern)?
            }
            (None, None) if !is_measured => return Ok(self.builder.reference(self.json.string)),
            (None, None) => self.builder.repeat(self.json.character, min.unwrap_or(0), max),
        };
        Ok(quote(self.builder, contents))
    }
}
