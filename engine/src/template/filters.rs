//! Filters: `value|name(arguments)`. Those of texts, sequences and numbers have files of their own.

use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::interpreter::Interpreter;
use super::json;
use super::methods::items;
use super::number_filters::NUMBER_FILTERS;
use super::sequence_filters::SEQUENCE_FILTERS;
use super::text_filters::TEXT_FILTERS;
use super::value::{ListKind, Value};
use alloc::vec::Vec;

/// Filters of any value.
const FILTERS: [&str; 8] = ["default", "d", "tojson", "length", "count", "items", "list", "attr"];

/// Whether there is a filter of that name.
pub(super) fn is_filter(name: &str) -> bool {
    FILTERS.contains(&name)
        || [&TEXT_FILTERS[..], &SEQUENCE_FILTERS, &NUMBER_FILTERS].iter().any(|names| names.contains(&name))
}

impl<'t> Interpreter<'t> {
    pub(super) fn filter(&mut self, name: &str, value: Value, arguments: CallArguments<'t>) -> Outcome<Value> {
        if TEXT_FILTERS.contains(&name) {
            return self.text_filter(name, &value, arguments);
        }
        if SEQUENCE_FILTERS.contains(&name) {
            return self.sequence_filter(name, &value, arguments);
        }
        if NUMBER_FILTERS.contains(&name) {
            return self.number_filter(name, &value, arguments);
        }
        let budget = &self.budget;
        match name {
            "default" | "d" => {
                let [default, falsy] = arguments.bind("default", ["default_value", "boolean"])?;
                let replaces =
                    matches!(value, Value::Undefined) || falsy.is_some_and(|f| f.is_true()) && !value.is_true();
                if !replaces {
                    return Ok(value);
                }
                default.map_or_else(|| budget.literal(""), Ok)
            }
            "tojson" => {
                let [ensure_ascii, indent, separators, sort_keys] =
                    arguments.bind("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"])?;
                let flag = |value: Option<Value>| value.is_some_and(|value| value.is_true());
                let layout = json::layout(indent, separators, flag(sort_keys), flag(ensure_ascii), budget)?;
                json::to_json(&value, &layout, budget)
            }
            "length" | "count" => {
                let [] = arguments.bind("length", [])?;
                Ok(Value::Int(value.length(budget)? as i64))
            }
            "items" => {
                let [] = arguments.bind("items", [])?;
                let items = if matches!(value, Value::Undefined) { Vec::new() } else { items(&value, budget)? };
                budget.list(ListKind::Generator, items)
            }
            "list" => {
                let [] = arguments.bind("list", [])?;
                budget.list(ListKind::List, value.iterate(budget)?)
            }
            "attr" => {
                let [attribute] = arguments.bind("attr", ["name"])?;
                match attribute {
                    // Attributes only, no items: on data these are methods.
                    Some(Value::Text(attribute)) if !matches!(value, Value::Map(_)) => {
                        self.attribute(&value, attribute.as_str())
                    }
                    Some(_) => Ok(Value::Undefined),
                    None => Err(ErrorKind::Arguments("attr")),
                }
            }
            _ => Err(ErrorKind::Filter(name.into())),
        }
    }
}
