//! JSON schemas as grammars: every answer is a document that is valid for the schema.
//!
//! The subset is that of OpenAI's structured outputs and more: types and lists of types, `enum`, `const`, `anyOf` (and
//! `oneOf`, which counts as `anyOf`: an answer may be valid for more than one), `allOf` of schemas that can be merged,
//! `$ref` into the schema itself with any recursion, objects, arrays, strings, numbers between bounds, `nullable`, and
//! schemas that are `true` or `false`. Whatever a schema says that is not supported is an error and is never ignored;
//! titles and other annotations change nothing.
//!
//! A document need not be all that a schema allows. Where nothing is lost by it, answers are held to the plainer ones:
//!
//! - Properties come in the order of the schema.
//! - `additionalProperties` counts as `false` where it is absent and there are `properties`.
//! - A schema without `type` is of the types that its keywords are for.
//! - White space and digits are bounded (see `json_parts.rs`).
//! - Keys of an object's additional properties have no escapes, and may repeat.

mod arrays;
mod formats;
mod merge;
mod numbers;
mod objects;
mod place;
mod strings;

use super::builder::{GrammarBuilder, Part, Rule};
use super::error::GrammarError;
use super::grammar::Grammar;
use super::json::Json;
use super::json_parts::{JsonParts, quoted};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use numbers::Decimal;
use place::Place;

impl Grammar {
    /// Documents that are valid for a JSON schema.
    ///
    /// # Errors
    /// [`GrammarError::Syntax`] if the schema is no JSON, and [`GrammarError::Schema`] with the place and the keyword
    /// of whatever is not supported or makes no sense.
    pub fn from_json_schema(schema: &str) -> Result<Self, GrammarError> {
        let mut builder = GrammarBuilder::new();
        let root = builder.json_schema(schema)?;
        builder.build(root)
    }
}

impl GrammarBuilder {
    /// A document that is valid for a JSON schema, without white space around it.
    ///
    /// # Errors
    /// As [`Grammar::from_json_schema`].
    pub fn json_schema(&mut self, schema: &str) -> Result<Part, GrammarError> {
        let root = Json::parse(schema)?;
        let json = JsonParts::new(self);
        let mut compiler = Compiler { builder: self, root: &root, json, references: BTreeMap::new(), open: Vec::new() };
        compiler.spend(schema.len() / BYTES, &Place::root(""))?;
        let part = compiler.schema(&root, &Place::root(""))?;
        // Compiled one after the other, not one within the other, so that a chain of references needs no deep stack.
        while let Some((pointer, rule)) = compiler.open.pop() {
            let place = Place::root(&pointer);
            let target = compiler.target(&pointer, &place)?;
            let body = compiler.schema(target, &place)?;
            compiler.builder.define(rule, body);
        }
        Ok(part)
    }
}

/// Steps down in a schema, at most; a property takes two.
const MAX_DEPTH: usize = 128;
/// Schemas that are compiled for one grammar, and values that are copied where schemas are merged, at most. This
/// bounds the time for schemas that name each other often.
const MAX_SPENT: usize = 200_000;
/// Bytes of text, and names that are compared with others, that count as much as a schema.
const BYTES: usize = 128;
const COMPARISONS: usize = 512;

/// Keywords that say nothing about which documents are valid.
const ANNOTATIONS: [&str; 14] = [
    "title",
    "description",
    "default",
    "examples",
    "example",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "deprecated",
    "readOnly",
    "writeOnly",
    "discriminator",
];

/// Keywords of all types.
const GENERAL: [&str; 8] = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "nullable"];

/// Types of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Object,
    Array,
    String,
    Number,
    Integer,
    Boolean,
    Null,
}

impl Type {
    const ALL: [(&'static str, Self); 7] = [
        ("object", Self::Object),
        ("array", Self::Array),
        ("string", Self::String),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("null", Self::Null),
    ];

    /// The supported keywords that are for values of this type only.
    fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::Object => &objects::KEYWORDS,
            Self::Array => &arrays::KEYWORDS,
            Self::String => &strings::KEYWORDS,
            Self::Number => &numbers::KEYWORDS,
            Self::Integer | Self::Boolean | Self::Null => &[],
        }
    }

    /// Whether a value is of this type. `1.0` is an integer to JSON Schema.
    fn is_of(self, value: &Json) -> bool {
        match value {
            Json::Null => self == Self::Null,
            Json::Bool(_) => self == Self::Boolean,
            Json::Text(_) => self == Self::String,
            Json::List(_) => self == Self::Array,
            Json::Object(_) => self == Self::Object,
            Json::Number(number) => {
                self == Self::Number
                    || (self == Self::Integer && Decimal::new(number).is_some_and(|number| number.is_whole()))
            }
        }
    }
}

fn is_annotation(keyword: &str) -> bool {
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

fn is_supported(keyword: &str) -> bool {
    let is_of_type = || Type::ALL.iter().any(|(_, of)| of.keywords().contains(&keyword));
    is_annotation(keyword) || GENERAL.contains(&keyword) || is_of_type()
}

/// A schema on its way into a grammar.
struct Compiler<'b, 's> {
    builder: &'b mut GrammarBuilder,
    root: &'s Json,
    json: JsonParts,
    /// Rules of the schemas that references point to.
    references: BTreeMap<String, Rule>,
    /// Those that are not compiled yet.
    open: Vec<(String, Rule)>,
}

impl<'s> Compiler<'_, 's> {
    fn spend(&mut self, n: usize, place: &Place<'_>) -> Result<(), GrammarError> {
        self.builder.spent = self.builder.spent.saturating_add(n);
        match (self.builder.is_too_large, self.builder.spent > MAX_SPENT) {
            (true, _) => Err(GrammarError::TooLarge),
            (_, true) => Err(place.error("", "the schema is too large")),
            _ => Ok(()),
        }
    }

    /// Each of some names is compared with each of others.
    fn spend_comparisons(&mut self, n: usize, n_others: usize, place: &Place<'_>) -> Result<(), GrammarError> {
        self.spend(n.saturating_mul(n_others) / COMPARISONS, place)
    }

    /// The values that are valid for a schema.
    fn schema(&mut self, schema: &Json, place: &Place<'_>) -> Result<Part, GrammarError> {
        self.spend(1, place)?;
        if place.depth() > MAX_DEPTH {
            return Err(place.error("", "the schema is nested too deeply"));
        }
        let members = match schema {
            Json::Bool(true) => return Ok(self.json.value(self.builder)),
            Json::Bool(false) => return Ok(self.builder.alternatives([])),
            Json::Object(members) => members,
            _ => return Err(place.error("", "a schema is an object, true or false")),
        };
        if let Some((keyword, _)) = members.iter().find(|(keyword, _)| !is_supported(keyword)) {
            return Err(place.error(keyword, "this keyword is not supported"));
        }
        if let Some(reference) = schema.get("$ref") {
            return self.reference(schema, reference, place);
        }
        if let Some(branches) = schema.get("allOf") {
            let merged = self.all_of(schema, branches, place)?;
            return self.schema(&merged, &place.same());
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(branches) = schema.get(keyword) {
                return self.any_of(schema, (keyword, branches), place);
            }
        }
        match schema.get("nullable") {
            None | Some(Json::Bool(false)) => self.plain(schema, place),
            Some(Json::Bool(true)) => {
                let (null, value) = (self.builder.literal("null"), self.plain(schema, place)?);
                Ok(self.builder.alternatives([null, value]))
            }
            Some(_) => Err(place.error("nullable", "expected true or false")),
        }
    }

    fn reference(&mut self, schema: &Json, target: &Json, place: &Place<'_>) -> Result<Part, GrammarError> {
        let pointer = self.pointer(target, place)?;
        let rest = without(schema, "$ref");
        if !rest.is_empty() {
            let target = self.target(pointer, place)?;
            let merged = self.merge(&Json::Object(rest), target, place)?;
            return self.schema(&merged, &place.same());
        }
        let rule = match self.references.get(pointer) {
            Some(&rule) => rule,
            None => {
                self.target(pointer, place)?;
                let rule = self.builder.rule(&alloc::format!("#{pointer}"));
                self.references.insert(pointer.into(), rule);
                self.open.push((pointer.into(), rule));
                rule
            }
        };
        Ok(self.builder.reference(rule))
    }

    /// The pointer in a reference.
    fn pointer<'r>(&self, reference: &'r Json, place: &Place<'_>) -> Result<&'r str, GrammarError> {
        let text = reference.as_text().ok_or_else(|| place.error("$ref", "expected a string"))?;
        match text.strip_prefix('#') {
            Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => Ok(pointer),
            _ => Err(place.error("$ref", "only references into the schema itself are supported, such as #/$defs/name")),
        }
    }

    /// The schema that a pointer leads to.
    fn target(&mut self, pointer: &str, place: &Place<'_>) -> Result<&'s Json, GrammarError> {
        let mut target = self.root;
        for key in pointer.split('/').skip(1) {
            self.spend_comparisons(1, target.len(), place)?;
            let key = key.replace("~1", "/").replace("~0", "~");
            let next = match target {
                Json::List(items) => key.parse().ok().and_then(|at: usize| items.get(at)),
                _ => target.get(&key),
            };
            target = next.ok_or_else(|| place.error("$ref", "the schema has nothing at this place"))?;
        }
        Ok(target)
    }

    fn any_of(
        &mut self,
        schema: &Json,
        (keyword, branches): (&str, &Json),
        place: &Place<'_>,
    ) -> Result<Part, GrammarError> {
        let rest = Json::Object(without(schema, keyword));
        let mut alternatives = Vec::new();
        for (i, branch) in list(keyword, branches, place)?.iter().enumerate() {
            let list = place.key(keyword);
            let place = list.item(i);
            alternatives.push(match &rest {
                Json::Object(rest) if rest.is_empty() => self.schema(branch, &place)?,
                rest => {
                    let merged = self.merge(rest, branch, &place)?;
                    self.schema(&merged, &place)?
                }
            });
        }
        Ok(self.builder.alternatives(alternatives))
    }

    /// A schema without references to others.
    fn plain(&mut self, schema: &Json, place: &Place<'_>) -> Result<Part, GrammarError> {
        let types = types(schema, place)?;
        let value = schema.get("const").map(core::slice::from_ref);
        let values = match schema.get("enum") {
            None => value,
            Some(values) => {
                let values = list("enum", values, place)?;
                Some(value.filter(|value| values.contains(&value[0])).unwrap_or(match value {
                    Some(_) => &[],
                    None => values,
                }))
            }
        };
        if let Some(values) = values {
            return self.values(schema, values, types.as_deref(), place);
        }
        let Some(types) = types else { return Ok(self.json.value(self.builder)) };
        let mut alternatives = Vec::new();
        for of in types {
            alternatives.push(match of {
                Type::Object => self.object(schema, place)?,
                Type::Array => self.array(schema, place)?,
                Type::String => self.string(schema, place)?,
                Type::Number | Type::Integer => self.number(schema, of, place)?,
                Type::Boolean => self.builder.one_of(&["true", "false"]),
                Type::Null => self.builder.literal("null"),
            });
        }
        Ok(self.builder.alternatives(alternatives))
    }

    /// One of these values, if it is of one of the types.
    fn values(
        &mut self,
        schema: &Json,
        values: &[Json],
        types: Option<&[Type]>,
        place: &Place<'_>,
    ) -> Result<Part, GrammarError> {
        let given = match schema.get("type") {
            Some(_) => types,
            None => None,
        };
        let is_other = |keyword: &str| !is_annotation(keyword) && !GENERAL.contains(&keyword);
        if let Json::Object(members) = schema
            && let Some((keyword, _)) = members.iter().find(|(keyword, _)| is_other(keyword))
        {
            return Err(place.error(keyword, "this keyword cannot be combined with enum or const"));
        }
        let (mut texts, mut parts) = (Vec::new(), Vec::new());
        for value in values.iter().filter(|value| given.is_none_or(|types| types.iter().any(|of| of.is_of(value)))) {
            match value {
                Json::Text(text) => texts.push(quoted(text)),
                Json::Number(number) => texts.push(number.clone()),
                value => parts.push(self.json.exactly(self.builder, value)),
            }
        }
        if !texts.is_empty() {
            parts.push(self.builder.one_of(&texts));
        }
        Ok(self.builder.alternatives(parts))
    }
}

/// The types that a schema names or, if it names none, those of its keywords; `None` if it has no such keywords either.
fn types(schema: &Json, place: &Place<'_>) -> Result<Option<Vec<Type>>, GrammarError> {
    let by_name = |name: &Json| {
        let found = Type::ALL.iter().find(|(known, _)| name.as_text() == Some(known));
        found.map(|(_, of)| *of).ok_or_else(|| place.error("type", "unknown type"))
    };
    let mut types = match schema.get("type") {
        Some(Json::List(names)) => {
            let mut types = Vec::new();
            for name in names {
                let of = by_name(name)?;
                // Each type once, however often it is named.
                if !types.contains(&of) {
                    types.push(of);
                }
            }
            types
        }
        Some(name) => Vec::from([by_name(name)?]),
        None => {
            let has = |of: Type| of.keywords().iter().any(|keyword| schema.get(keyword).is_some());
            let implied: Vec<Type> = Type::ALL.iter().map(|(_, of)| *of).filter(|of| has(*of)).collect();
            return Ok(Some(implied).filter(|implied| !implied.is_empty()));
        }
    };
    if types.contains(&Type::Number) {
        types.retain(|of| *of != Type::Integer);
    }
    Ok(Some(types))
}

/// A keyword's list.
fn list<'j>(keyword: &str, value: &'j Json, place: &Place<'_>) -> Result<&'j [Json], GrammarError> {
    match value {
        Json::List(items) if !items.is_empty() => Ok(items),
        _ => Err(place.error(keyword, "expected a list that is not empty")),
    }
}

/// A keyword's count; a maximum that no answer comes to is none.
fn count(schema: &Json, keyword: &str, place: &Place<'_>) -> Result<Option<u32>, GrammarError> {
    /// More than any answer has.
    const LARGE: u64 = 1 << 30;
    let Some(value) = schema.get(keyword) else { return Ok(None) };
    let number = match value {
        Json::Number(number) => Decimal::new(number).and_then(Decimal::whole),
        _ => None,
    };
    match number {
        Some(number) if number <= LARGE => Ok(Some(number as u32)),
        Some(_) if keyword.starts_with("max") => Ok(None),
        Some(_) => Err(place.error(keyword, "the number is too large")),
        None => Err(place.error(keyword, "expected a whole number that is not negative")),
    }
}

/// The members of a schema but one keyword and annotations.
fn without(schema: &Json, keyword: &str) -> Vec<(String, Json)> {
    match schema {
        Json::Object(members) => {
            members.iter().filter(|(name, _)| name != keyword && !is_annotation(name)).cloned().collect()
        }
        _ => Vec::new(),
    }
}
