//! One schema out of two that both hold.

use super::super::error::GrammarError;
use super::super::json::Json;
use super::place::Place;
use super::{BYTES, Compiler, is_annotation, list, types, without};
use alloc::string::String;
use alloc::vec::Vec;

impl<'s> Compiler<'_, 's> {
    /// A schema whose `branches` all hold.
    pub(super) fn all_of(&mut self, schema: &Json, branches: &Json, place: &Place<'_>) -> Result<Json, GrammarError> {
        let mut merged = Json::Object(without(schema, "allOf"));
        for (i, branch) in list("allOf", branches, place)?.iter().enumerate() {
            let list = place.key("allOf");
            merged = self.merge(&merged, branch, &list.item(i))?;
        }
        Ok(merged)
    }

    /// A schema that is valid where both are. Properties and required names are joined; what else both say must be the
    /// same, or types that share some.
    ///
    /// # Errors
    /// A keyword of both that cannot be merged.
    pub(super) fn merge(&mut self, first: &Json, second: &Json, place: &Place<'_>) -> Result<Json, GrammarError> {
        self.spend(size(first) + size(second), place)?;
        let second = self.resolved(second, place)?;
        let (first, second) = match (first, second) {
            (Json::Bool(true), other) | (other, Json::Bool(true)) => return Ok(other.clone()),
            (Json::Bool(false), _) | (_, Json::Bool(false)) => return Ok(Json::Bool(false)),
            (Json::Object(first), Json::Object(second)) => (first, second),
            _ => return Err(place.error("", "a schema is an object, true or false")),
        };
        let mut merged: Vec<(String, Json)> = first.iter().filter(|(name, _)| !is_annotation(name)).cloned().collect();
        let is_closed = |members: &[(String, Json)]| {
            let is_other =
                |(name, value): &(String, Json)| name == "additionalProperties" && *value != Json::Bool(true);
            members.iter().any(is_other)
        };
        // What is additional to one of them is none of the other's properties.
        let has_properties = |members: &[(String, Json)]| members.iter().any(|(name, _)| name == "properties");
        if (is_closed(first) && has_properties(second)) || (is_closed(second) && has_properties(first)) {
            return Err(place.error("additionalProperties", "schemas with properties of their own cannot be merged"));
        }
        self.spend_comparisons(first.len(), second.len(), place)?;
        for (keyword, value) in second.iter().filter(|(name, _)| !is_annotation(name)) {
            let Some((_, known)) = merged.iter_mut().find(|(name, _)| name == keyword) else {
                merged.push((keyword.clone(), value.clone()));
                continue;
            };
            self.spend_comparisons(known.len(), value.len(), place)?;
            match (keyword.as_str(), &mut *known, value) {
                (_, known, value) if *known == *value => {}
                ("properties", Json::Object(known), Json::Object(others)) => join_properties(known, others),
                ("required", Json::List(known), Json::List(others)) => {
                    let new: Vec<Json> = others.iter().filter(|name| !known.contains(name)).cloned().collect();
                    known.extend(new);
                }
                ("allOf", Json::List(known), Json::List(others)) => known.extend_from_slice(others),
                ("items", known, value) => *known = both(known, value),
                ("enum", Json::List(known), Json::List(others)) => known.retain(|value| others.contains(value)),
                ("type", known, value) => *known = shared_types(known, value, place)?,
                _ => return Err(place.error(keyword, "two schemas with this keyword cannot be merged")),
            }
        }
        Ok(Json::Object(merged))
    }

    /// Follows a schema that is nothing but a reference.
    fn resolved<'j>(&mut self, schema: &'j Json, place: &Place<'_>) -> Result<&'j Json, GrammarError>
    where
        's: 'j,
    {
        let mut schema = schema;
        // Longer chains come back to where they were.
        for _ in 0..super::MAX_DEPTH {
            match schema.get("$ref") {
                Some(target) if without(schema, "$ref").is_empty() => {
                    schema = self.target(self.pointer(target, place)?, place)?;
                }
                _ => return Ok(schema),
            }
        }
        Err(place.error("$ref", "references lead to each other without end"))
    }
}

fn both(first: &Json, second: &Json) -> Json {
    Json::Object(Vec::from([("allOf".into(), Json::List(Vec::from([first.clone(), second.clone()])))]))
}

fn join_properties(known: &mut Vec<(String, Json)>, others: &[(String, Json)]) {
    for (name, value) in others {
        match known.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) if known == value => {}
            Some((_, known)) => *known = both(known, value),
            None => known.push((name.clone(), value.clone())),
        }
    }
}

fn shared_types(first: &Json, second: &Json, place: &Place<'_>) -> Result<Json, GrammarError> {
    let of = |value: &Json| types(&Json::Object(Vec::from([("type".into(), value.clone())])), place);
    let (first, second) = (of(first)?.unwrap_or_default(), of(second)?.unwrap_or_default());
    let is_shared = |of: super::Type| {
        let has = |types: &[super::Type]| {
            types.contains(&of) || (of == super::Type::Integer && types.contains(&super::Type::Number))
        };
        has(&first) && has(&second)
    };
    let shared = super::Type::ALL.iter().filter(|(_, of)| is_shared(*of));
    Ok(Json::List(shared.map(|(name, _)| Json::Text((*name).into())).collect()))
}

/// Number of values in a value; long texts count as several.
fn size(value: &Json) -> usize {
    1 + match value {
        Json::List(items) => items.iter().map(size).sum(),
        Json::Object(members) => members.iter().map(|(name, value)| name.len() / BYTES + size(value)).sum(),
        Json::Text(text) | Json::Number(text) => text.len() / BYTES,
        Json::Null | Json::Bool(_) => 0,
    }
}
