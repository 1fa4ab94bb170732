//! The tools of a request: their names, and the types of their arguments.

use super::json_text;
use super::value::{self, Dialect};
use serde_json::{Value as Json, json};

/// Most references that are followed for one argument.
const MAX_REFERENCES: usize = 16;
/// Most alternatives of one argument that are looked at.
const MAX_ALTERNATIVES: usize = 256;

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    /// The name that the model writes.
    pub(crate) name: String,
    /// The purpose of the tool, for the model.
    pub(crate) description: Option<String>,
    /// JSON schema of the arguments, an object.
    pub(crate) parameters: Json,
}

impl Tool {
    /// A tool with a name, a description (a string or null) and a schema (an object or null, for no arguments).
    ///
    /// # Errors
    /// Says which of them is wrong.
    pub(crate) fn new(name: &Json, description: &Json, parameters: &Json) -> Result<Self, String> {
        let name = name.as_str().ok_or("name: expected a string")?;
        if !is_name(name) {
            return Err(format!("name: {name:?} is no name (1 to {MAX_NAME_BYTES} letters, digits, _ - . / :)"));
        }
        let description = match description {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            _ => return Err("description: expected a string".into()),
        };
        let parameters = match parameters {
            Json::Null => json!({"type": "object", "properties": {}}),
            Json::Object(_) => parameters.clone(),
            _ => return Err("parameters: expected an object".into()),
        };
        Ok(Self { name: name.into(), description, parameters })
    }

    /// A tool of OpenAI's chat API: `{"type": "function", "function": {"name", "description", "parameters"}}`.
    ///
    /// # Errors
    /// Says which key is missing or has the wrong type.
    pub(crate) fn parse(json: &Json) -> Result<Self, String> {
        match json["type"].as_str() {
            Some("function") => {}
            Some(other) => return Err(format!("type: only \"function\" is known, not {other:?}")),
            None => return Err("type: expected \"function\"".into()),
        }
        let function = &json["function"];
        if !function.is_object() {
            return Err("function: expected an object".into());
        }
        Self::new(&function["name"], &function["description"], &function["parameters"])
            .map_err(|problem| format!("function.{problem}"))
    }

    /// The tool as templates read it. They expect a description, so there is one even if it says nothing.
    pub(crate) fn json(&self) -> Json {
        let description = self.description.as_deref().unwrap_or_default();
        let function = json!({"name": self.name, "description": description, "parameters": self.parameters});
        json!({"type": "function", "function": function})
    }

    /// The types that the schema of an argument allows.
    fn kinds(&self, argument: &str) -> Kinds {
        let properties = self.parameters.get("properties");
        let Some(schema) = properties.and_then(|properties| properties.get(argument)) else { return Kinds::ANY };
        let mut kinds = Kinds::NONE;
        let mut schemas = vec![schema];
        let mut n_references = 0;
        for n in 0.. {
            let Some(schema) = schemas.pop() else { break };
            if n == MAX_ALTERNATIVES {
                return Kinds::ANY;
            }
            if let Some(path) = schema.get("$ref").and_then(Json::as_str) {
                n_references += 1;
                let target = path.strip_prefix('#').and_then(|path| self.parameters.pointer(path));
                match target.filter(|_| n_references <= MAX_REFERENCES) {
                    Some(target) => schemas.push(target),
                    None => return Kinds::ANY,
                }
            } else if let Some(kind) = schema.get("type") {
                let names = kind.as_array().map_or(std::slice::from_ref(kind), Vec::as_slice);
                names.iter().for_each(|name| kinds = kinds.and(Kinds::named(name.as_str().unwrap_or_default())));
                if schema.get("nullable") == Some(&Json::Bool(true)) {
                    kinds = kinds.and(Kinds::NULL);
                }
            } else if let Some(values) = schema.get("enum").and_then(Json::as_array) {
                values.iter().for_each(|value| kinds = kinds.and(Kinds::of(value)));
            } else if let Some(value) = schema.get("const") {
                kinds = kinds.and(Kinds::of(value));
            } else if let Some(any) = schema.get("anyOf").or(schema.get("oneOf")).and_then(Json::as_array) {
                schemas.extend(any);
            } else {
                return Kinds::ANY;
            }
        }
        kinds
    }
}

/// The tool with this name.
pub(super) fn find<'t>(tools: &'t [Tool], name: &str) -> Option<&'t Tool> {
    tools.iter().find(|tool| tool.name == name)
}

/// Whether an argument is text and nothing else, so that its value needs no parsing.
pub(super) fn is_text(tool: Option<&Tool>, argument: &str) -> bool {
    tool.is_some_and(|tool| tool.kinds(argument) == Kinds::TEXT)
}

/// The JSON of an argument that a model wrote as bare text. The text is read as JSON or as a Python literal if the
/// schema allows the type that comes of it, or if the schema says nothing; otherwise it is a string.
pub(super) fn argument(tool: Option<&Tool>, name: &str, text: &str) -> String {
    let kinds = tool.map_or(Kinds::ANY, |tool| tool.kinds(name));
    if let Some(json) = value::whole(text, Dialect::Python) {
        let is_literal = match json.as_bytes().first() {
            // A bare word is a string to Python's reader, and here the text as a whole.
            Some(b'"') => text.trim_start().starts_with(['"', '\'']),
            _ => true,
        };
        let kind = Kinds::of(&serde_json::from_str(&json).unwrap_or_default());
        // With a schema that allows no text, the nearest thing to the model's meaning is what it wrote.
        if is_literal && (kinds.has(kind) || !kinds.has(Kinds::TEXT)) {
            return json;
        }
    }
    let mut json = String::new();
    json_text::push_string(text, &mut json);
    json
}

/// Longest name of a tool, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 128;

/// Whether a text may be the name of a tool.
pub(super) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.chars().all(is_name_char)
}

/// Characters of a tool's name: those of OpenAI's API, and the separators of servers that serve many tools.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':')
}

/// A set of JSON's types.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kinds(u8);

impl Kinds {
    const NONE: Self = Self(0);
    const TEXT: Self = Self(1);
    const NUMBER: Self = Self(2);
    const BOOL: Self = Self(4);
    const NULL: Self = Self(8);
    const LIST: Self = Self(16);
    const OBJECT: Self = Self(32);
    const ANY: Self = Self(63);

    fn named(name: &str) -> Self {
        match name {
            "string" => Self::TEXT,
            "number" | "integer" => Self::NUMBER,
            "boolean" => Self::BOOL,
            "null" => Self::NULL,
            "array" => Self::LIST,
            "object" => Self::OBJECT,
            _ => Self::ANY,
        }
    }

    fn of(value: &Json) -> Self {
        match value {
            Json::String(_) => Self::TEXT,
            Json::Number(_) => Self::NUMBER,
            Json::Bool(_) => Self::BOOL,
            Json::Null => Self::NULL,
            Json::Array(_) => Self::LIST,
            Json::Object(_) => Self::OBJECT,
        }
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
