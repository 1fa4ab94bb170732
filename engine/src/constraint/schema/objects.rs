//! Objects of a schema.

use super::super::builder::{Part, Rule};
use super::super::byte_set::CharSet;
use super::super::error::GrammarError;
use super::super::json::Json;
use super::super::json_parts::{plain, quote, quoted};
use super::super::regex;
use super::place::Place;
use super::{BYTES, COMPARISONS, Compiler, count};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

pub(super) const KEYWORDS: [&str; 7] = [
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
];

/// A property with its value.
struct Member<'j> {
    name: &'j str,
    value: Part,
    is_required: bool,
}

impl Compiler<'_, '_> {
    /// Objects that are valid for a schema.
    pub(super) fn object(&mut self, schema: &Json, place: &Place<'_>) -> Result<Part, GrammarError> {
        let properties: &[(_, _)] = match schema.get("properties") {
            None => &[],
            Some(Json::Object(members)) => members,
            Some(_) => return Err(place.error("properties", "expected an object")),
        };
        let required = match schema.get("required") {
            None => Vec::new(),
            Some(Json::List(names)) => names
                .iter()
                .map(|name| name.as_text().ok_or_else(|| place.error("required", "expected names")))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(place.error("required", "expected a list")),
        };
        if properties.is_empty() && required.is_empty() {
            return self.map(schema, place);
        }
        for keyword in ["patternProperties", "propertyNames", "minProperties", "maxProperties"] {
            if schema.get(keyword).is_some() {
                return Err(place.error(keyword, "supported only in objects without properties and required"));
            }
        }
        self.spend_comparisons(properties.len() + required.len(), required.len(), place)?;
        let additional = schema.get("additionalProperties");
        let others = match additional {
            None | Some(Json::Bool(false)) => None,
            Some(value) => {
                let value = self.schema(value, &place.key("additionalProperties"))?;
                Some(self.as_rule("additionalProperties", value))
            }
        };
        let mut members = Vec::new();
        for (name, value) in properties {
            let properties = place.key("properties");
            let value = self.schema(value, &properties.key(name))?;
            members.push(Member { name, value, is_required: required.contains(&name.as_str()) });
        }
        for name in required {
            if members.iter().any(|member| member.name == name) {
                continue;
            }
            // Nothing is said about the value but what holds of all other properties.
            let value = match (additional, others) {
                (_, Some(value)) => value,
                (None, None) => self.json.value(self.builder),
                (Some(_), None) => return Err(place.error("required", "a name that no property may have")),
            };
            members.push(Member { name, value, is_required: true });
        }
        let other = match others {
            None => self.builder.alternatives([]),
            Some(value) => {
                let key = self.other_key(&members, place)?;
                self.json.member(self.builder, key, value)
            }
        };
        let members = self.members(&members, other);
        Ok(self.json.enclosed(self.builder, "{", members, "}"))
    }

    /// The members in order, then any number of others. Rule `i` is one member or more from number `i` on.
    fn members(&mut self, members: &[Member<'_>], other: Part) -> Part {
        let mut some = self.json.separated(self.builder, other, (1, None));
        let mut is_needed = false;
        for member in members.iter().rev() {
            let key = self.builder.literal(&quoted(member.name));
            let this = self.json.member(self.builder, key, member.value);
            let rest = self.json.behind_comma(self.builder, some);
            let rest = if is_needed { rest } else { self.builder.optional(rest) };
            let this = self.builder.sequence([this, rest]);
            let either = if member.is_required { this } else { self.builder.alternatives([this, some]) };
            is_needed |= member.is_required;
            some = self.as_rule(member.name, either);
        }
        if is_needed { some } else { self.builder.optional(some) }
    }

    /// An object whose keys are not known.
    fn map(&mut self, schema: &Json, place: &Place<'_>) -> Result<Part, GrammarError> {
        let (min, max) = (count(schema, "minProperties", place)?.unwrap_or(0), count(schema, "maxProperties", place)?);
        let additional = schema.get("additionalProperties");
        let mut key = self.builder.reference(self.json.string);
        if let Some(names) = schema.get("propertyNames") {
            key = self.string(names, &place.key("propertyNames"))?;
        }
        let value = match (schema.get("patternProperties"), additional) {
            (None, None) if schema.get("properties").is_some() => self.builder.alternatives([]),
            (None, None) => self.json.value(self.builder),
            (None, Some(value)) => self.schema(value, &place.key("additionalProperties"))?,
            (Some(Json::Object(patterns)), None | Some(Json::Bool(false))) => {
                let [(pattern, value)] = patterns.as_slice() else {
                    return Err(place.error("patternProperties", "expected exactly one pattern"));
                };
                let patterns = place.key("patternProperties");
                let contents = regex::pattern(self.builder, self.json, pattern).map_err(|error| match error {
                    GrammarError::Syntax { problem, .. } => patterns.error(pattern, problem),
                    other => other,
                })?;
                key = quote(self.builder, contents);
                self.schema(value, &patterns.key(pattern))?
            }
            (Some(_), _) => {
                return Err(place.error("patternProperties", "expected an object, and no additionalProperties"));
            }
        };
        let value = self.as_rule("additionalProperties", value);
        let member = self.json.member(self.builder, key, value);
        let members = self.json.separated(self.builder, member, (min, max));
        Ok(self.json.enclosed(self.builder, "{", members, "}"))
    }

    /// A key, without escapes, that no member has. Each beginning of a name is a rule: what may follow it.
    fn other_key(&mut self, members: &[Member<'_>], place: &Place<'_>) -> Result<Part, GrammarError> {
        let plain = plain();
        let is_plain = |name: &&str| name.chars().all(|c| plain.contains(c));
        let mut names: Vec<&str> = members.iter().map(|member| member.name).filter(is_plain).collect();
        // Each beginning of a name is compared with all longer ones.
        let work = |name: &&str| name.len() + name.len().saturating_pow(3) / (BYTES * COMPARISONS);
        self.spend(names.iter().map(work).sum(), place)?;
        names.sort_unstable();
        let mut rules: BTreeMap<&str, Rule> = BTreeMap::new();
        for name in &names {
            for end in (0..=name.len()).filter(|&end| name.is_char_boundary(end)) {
                rules.entry(&name[..end]).or_insert_with(|| self.builder.rule("the key of another property"));
            }
        }
        let mark = self.builder.literal("\"");
        let any = self.builder.char_set(&plain);
        let any = self.builder.repeat(any, 0, None);
        let any = self.builder.sequence([any, mark]);
        for (&beginning, &rule) in &rules {
            let mut alternatives = Vec::new();
            let mut known = Vec::new();
            // In order, longer beginnings follow shorter ones at once.
            let longer = rules.range(beginning..).skip(1).take_while(|(text, _)| text.starts_with(beginning));
            for (text, &next) in longer {
                let mut rest = text[beginning.len()..].chars();
                if let (Some(c), None) = (rest.next(), rest.next()) {
                    known.push((c as u32, c as u32));
                    let (c, next) = (self.builder.characters(&[(c, c)]), self.builder.reference(next));
                    alternatives.push(self.builder.sequence([c, next]));
                }
            }
            if names.binary_search(&beginning).is_err() {
                alternatives.push(mark);
            }
            let others = self.builder.char_set(&CharSet::new(known).complement().intersection(&plain));
            alternatives.push(self.builder.sequence([others, any]));
            let body = self.builder.alternatives(alternatives);
            self.builder.define(rule, body);
        }
        let start = match rules.get("") {
            Some(&rule) => self.builder.reference(rule),
            None => any,
        };
        Ok(self.builder.sequence([mark, start]))
    }
}
