//! Arrays of a schema.

use super::super::builder::Part;
use super::super::error::GrammarError;
use super::super::json::Json;
use super::place::Place;
use super::{Compiler, count, list};
use alloc::vec::Vec;

pub(super) const KEYWORDS: [&str; 5] = ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"];

impl Compiler<'_, '_> {
    /// Arrays that are valid for a schema.
    pub(super) fn array(&mut self, schema: &Json, place: &Place<'_>) -> Result<Part, GrammarError> {
        let (min, max) = (count(schema, "minItems", place)?.unwrap_or(0), count(schema, "maxItems", place)?);
        if !matches!(schema.get("uniqueItems"), None | Some(Json::Bool(false))) {
            return Err(place.error("uniqueItems", "this keyword is not supported"));
        }
        let mut first = Vec::new();
        if let Some(items) = schema.get("prefixItems") {
            for (i, item) in list("prefixItems", items, place)?.iter().enumerate() {
                let list = place.key("prefixItems");
                first.push(self.schema(item, &list.item(i))?);
            }
        }
        let others = match schema.get("items") {
            Some(Json::List(_)) => return Err(place.error("items", "expected a schema; prefixItems has a list")),
            Some(item) => self.schema(item, &place.key("items"))?,
            // Behind the first ones nothing more is said, so nothing more comes if it need not.
            None if !first.is_empty() && min as usize <= first.len() => self.builder.alternatives([]),
            None => self.json.value(self.builder),
        };
        // Used several times, and therefore a rule: arrays of arrays would become twice as large with each level.
        let others = self.as_rule("items", others);
        let items = match first.is_empty() {
            true => self.json.separated(self.builder, others, (min, max)),
            false => self.behind(&first, 0, others, (min, max)),
        };
        Ok(self.json.enclosed(self.builder, "[", items, "]"))
    }

    /// The items from number `at` on, if `min` to `max` come in all: the rest of the `first` ones, then `others`.
    fn behind(&mut self, first: &[Part], at: usize, others: Part, (min, max): (u32, Option<u32>)) -> Part {
        let mut rest = {
            // At most 200000 items are compiled, so that their number fits.
            let n = first.len() as u32;
            let other = self.json.behind_comma(self.builder, others);
            match max.map(|max| max.checked_sub(n)) {
                Some(None) => self.builder.empty(),
                max => self.builder.repeat(other, min.saturating_sub(n), max.flatten()),
            }
        };
        for (i, &item) in first.iter().enumerate().skip(at).rev() {
            let item = if i == 0 { item } else { self.json.behind_comma(self.builder, item) };
            let all = self.builder.sequence([item, rest]);
            let part = match () {
                () if max.is_some_and(|max| i as u32 >= max) => self.builder.empty(),
                () if i as u32 >= min => self.builder.optional(all),
                () => all,
            };
            rest = self.as_rule("prefixItems", part);
        }
        rest
    }

    /// A rule for a part.
    pub(super) fn as_rule(&mut self, name: &str, part: Part) -> Part {
        let rule = self.builder.rule(name);
        self.builder.define(rule, part);
        self.builder.reference(rule)
    }
}
