//! Filters: `value|name(arguments)`.

use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::formatting::percent_format;
use super::interpreter::Interpreter;
use super::methods::items;
use super::operators::{arithmetic, slice};
use super::python::to_str;
use super::strings::{capitalized, join, replace, strip, text_argument, title};
use super::text::{Text, is_space};
use super::value::{ListKind, Value};
use super::{ast::Arithmetic, json};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cmp::Ordering;

impl<'t> Interpreter<'t> {
    pub(super) fn filter(&mut self, name: &'t str, value: Value, arguments: CallArguments<'t>) -> Outcome<Value> {
        if matches!(name, "map" | "select" | "reject" | "selectattr" | "rejectattr") {
            return self.lazy_filter(name, &value, arguments);
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
            "trim" => {
                let [characters] = arguments.bind("trim", ["chars"])?;
                strip(to_str(&value, budget)?.as_ref(), characters.as_ref(), (true, true), budget)
            }
            "string" | "safe" | "escape" | "e" | "upper" | "lower" | "capitalize" | "title" | "wordcount" => {
                let [] = arguments.bind("a text filter", [])?;
                self.text_filter(name, &value)
            }
            "replace" => {
                let [old, new, count] = arguments.bind("replace", ["old", "new", "count"])?;
                let (Some(old), Some(new)) = (old, new) else { return Err(ErrorKind::Arguments("replace")) };
                let count = count.and_then(|count| count.as_int()).and_then(|count| usize::try_from(count).ok());
                let text = to_str(&value, budget)?;
                replace(
                    &text,
                    to_str(&old, budget)?.as_ref(),
                    to_str(&new, budget)?.as_ref(),
                    count.unwrap_or(usize::MAX),
                    budget,
                )
            }
            "join" => {
                let [separator, attribute] = arguments.bind("join", ["d", "attribute"])?;
                let separator = text_argument(separator.as_ref(), "", budget)?;
                let mut items = value.iterate(budget)?;
                if let Some(attribute) = attribute {
                    items = items.iter().map(|item| self.path(item, &attribute)).collect::<Outcome<_>>()?;
                }
                join(&items, &separator, budget)
            }
            "format" => {
                let tuple = budget.list(ListKind::Tuple, arguments.positional)?;
                percent_format(to_str(&value, budget)?.as_ref(), &tuple, budget)
            }
            "indent" => self.indent(&value, arguments),
            "items" => {
                let [] = arguments.bind("items", [])?;
                if matches!(value, Value::Undefined) {
                    return budget.list(ListKind::List, Vec::new());
                }
                items(&value, budget)
            }
            "list" => {
                let [] = arguments.bind("list", [])?;
                budget.list(ListKind::List, value.iterate(budget)?)
            }
            "first" | "last" => {
                let [] = arguments.bind("first", [])?;
                let items = value.iterate(budget)?;
                Ok(if name == "first" { items.first() } else { items.last() }.cloned().unwrap_or(Value::Undefined))
            }
            "reverse" => {
                let [] = arguments.bind("reverse", [])?;
                if matches!(value, Value::Text(_)) {
                    return slice(&value, [None, None, Some(-1)], budget);
                }
                let mut items = value.iterate(budget)?;
                items.reverse();
                budget.list(ListKind::Generator, items)
            }
            "sort" | "unique" | "min" | "max" | "dictsort" => self.ordered(name, &value, arguments),
            "sum" => {
                let [attribute, start] = arguments.bind("sum", ["attribute", "start"])?;
                let mut sum = start.unwrap_or(Value::Int(0));
                for item in value.iterate(budget)? {
                    let item =
                        attribute.as_ref().map_or_else(|| Ok(item.clone()), |attribute| self.path(&item, attribute))?;
                    sum = arithmetic(Arithmetic::Add, &sum, &item, budget)?;
                }
                Ok(sum)
            }
            "batch" => {
                let [size, fill] = arguments.bind("batch", ["linecount", "fill_with"])?;
                let size = size.and_then(|n| n.as_int()).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
                let size = size.ok_or(ErrorKind::Arguments("batch"))?;
                let items = value.iterate(budget)?;
                let mut rows = Vec::new();
                for row in items.chunks(size) {
                    let mut row = row.to_vec();
                    if let Some(fill) = &fill {
                        budget.take(size.saturating_mul(size_of::<Value>()))?;
                        row.resize(size, fill.clone());
                    }
                    rows.push(budget.list(ListKind::List, row)?);
                }
                budget.list(ListKind::Generator, rows)
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
            "abs" | "int" | "float" | "round" => self.number_filter(name, &value, arguments),
            _ => Err(ErrorKind::Filter(name.into())),
        }
    }

    fn text_filter(&self, name: &str, value: &Value) -> Outcome<Value> {
        let budget = &self.budget;
        let text = to_str(value, budget)?;
        budget.take(text.cost())?;
        let escape = |string: &str| {
            string
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&#34;")
                .replace('\'', "&#39;")
        };
        match name {
            "upper" => budget.text(text.map(str::to_uppercase)),
            "lower" => budget.text(text.map(str::to_lowercase)),
            "capitalize" => budget.text(capitalized(&text)),
            "title" => budget.text(title(&text, |before| is_space(before) || "-({[<".contains(before))),
            "escape" | "e" => {
                budget.take(text.cost() * 5)?;
                budget.text(text.map(escape))
            }
            "wordcount" => {
                let words = text.as_str().split(|c: char| !(c.is_alphanumeric() || c == '_'));
                Ok(Value::Int(words.filter(|word| !word.is_empty()).count() as i64))
            }
            _ => Ok(Value::Text(text)),
        }
    }

    /// Indents every line but the first and, unless asked, blank ones.
    fn indent(&self, value: &Value, arguments: CallArguments<'_>) -> Outcome<Value> {
        let budget = &self.budget;
        let [width, first, blank] = arguments.bind("indent", ["width", "first", "blank"])?;
        let prefix = match width {
            None => Rc::new(Text::literal("    ")),
            Some(Value::Text(prefix)) => prefix,
            Some(width) => {
                let n = width.as_int().ok_or(ErrorKind::Arguments("indent"))?;
                arithmetic(Arithmetic::Multiply, &budget.literal(" ")?, &Value::Int(n), budget)?
                    .as_text()
                    .cloned()
                    .ok_or(ErrorKind::Arguments("indent"))?
            }
        };
        let (first, blank) = (first.is_some_and(|f| f.is_true()), blank.is_some_and(|b| b.is_true()));
        let text = to_str(value, budget)?;
        let mut out = Text::default();
        for (index, line) in text.as_str().split('\n').enumerate() {
            if index > 0 {
                budget.push_literal(&mut out, "\n")?;
            }
            if if index == 0 { first } else { blank || !line.is_empty() } {
                budget.push(&mut out, &prefix)?;
            }
            budget.push(&mut out, &text.part(line))?;
        }
        budget.text(out)
    }

    /// `a.b.0`: the attribute or item that `map` and its kin name.
    fn path(&self, item: &Value, attribute: &Value) -> Outcome<Value> {
        let Value::Text(path) = attribute else { return self.item(item, attribute) };
        let mut value = item.clone();
        for part in path.as_str().split('.') {
            value = match part.parse::<i64>() {
                Ok(index) => self.item(&value, &Value::Int(index))?,
                Err(_) => self.item(&value, &self.budget.literal(part)?)?,
            };
        }
        Ok(value)
    }

    /// Filters that Jinja evaluates lazily: their result is a generator.
    fn lazy_filter(&mut self, name: &'t str, value: &Value, mut arguments: CallArguments<'t>) -> Outcome<Value> {
        // As in Jinja: anything false, `none` too, is an empty sequence.
        let items = if value.is_true() { value.iterate(&self.budget)? } else { Vec::new() };
        let mut out = Vec::new();
        if name == "map" && arguments.positional.is_empty() {
            let [attribute, default] = arguments.bind("map", ["attribute", "default"])?;
            let attribute = attribute.ok_or(ErrorKind::Arguments("map"))?;
            for item in &items {
                let found = self.path(item, &attribute)?;
                out.push(match (&found, &default) {
                    (Value::Undefined, Some(default)) => default.clone(),
                    _ => found,
                });
            }
            return self.budget.list(ListKind::Generator, out);
        }
        let mut leading = |what| match arguments.positional.is_empty() {
            true => Err(ErrorKind::Arguments(what)),
            false => Ok(arguments.positional.remove(0)),
        };
        if name == "map" {
            let filter = leading("map")?;
            let filter = filter_name(&filter)?;
            for item in items {
                let arguments = CallArguments {
                    positional: arguments.positional.clone(),
                    keyword: arguments.keyword.clone(),
                    caller: None,
                };
                out.push(self.filter(filter, item, arguments)?);
            }
            return self.budget.list(ListKind::Generator, out);
        }
        let attribute = if name.ends_with("attr") { Some(leading("selectattr")?) } else { None };
        let test = leading("select").ok();
        for item in items {
            let tested =
                attribute.as_ref().map_or_else(|| Ok(item.clone()), |attribute| self.path(&item, attribute))?;
            let holds = match &test {
                None => tested.is_true(),
                Some(Value::Text(test)) => {
                    let arguments = CallArguments {
                        positional: arguments.positional.clone(),
                        keyword: arguments.keyword.clone(),
                        caller: None,
                    };
                    self.test(test.as_str(), &tested, arguments)?
                }
                Some(_) => return Err(ErrorKind::Arguments("select")),
            };
            if holds == name.starts_with("select") {
                out.push(item);
            }
        }
        self.budget.list(ListKind::Generator, out)
    }

    /// Filters that compare elements, by default without regard to case.
    fn ordered(&self, name: &str, value: &Value, arguments: CallArguments<'_>) -> Outcome<Value> {
        let budget = &self.budget;
        let flag = |value: Option<Value>| value.is_some_and(|value| value.is_true());
        if name == "dictsort" {
            let [case_sensitive, by, reverse] = arguments.bind("dictsort", ["case_sensitive", "by", "reverse"])?;
            let at = match by {
                None => 0,
                Some(Value::Text(by)) if by.as_str() == "key" => 0,
                Some(Value::Text(by)) if by.as_str() == "value" => 1,
                Some(_) => return Err(ErrorKind::Arguments("dictsort")),
            };
            let pairs = items(value, budget)?.iterate(budget)?;
            let sorted = self.sorted(pairs, Some(&Value::Int(at)), flag(case_sensitive), flag(reverse))?;
            return budget.list(ListKind::List, sorted);
        }
        let items = value.iterate(budget)?;
        if name == "sort" {
            let [reverse, case_sensitive, attribute] =
                arguments.bind("sort", ["reverse", "case_sensitive", "attribute"])?;
            let sorted = self.sorted(items, attribute.as_ref(), flag(case_sensitive), flag(reverse))?;
            return budget.list(ListKind::List, sorted);
        }
        let [case_sensitive, attribute] = arguments.bind("unique", ["case_sensitive", "attribute"])?;
        let case_sensitive = flag(case_sensitive);
        if name == "unique" {
            let mut seen: Vec<Value> = Vec::new();
            let mut unique = Vec::new();
            for item in items {
                let key = self.sort_key(&item, attribute.as_ref(), case_sensitive)?;
                let mut known = false;
                for other in &seen {
                    known |= other.equals(&key, budget)?;
                }
                if !known {
                    seen.push(key);
                    unique.push(item);
                }
            }
            return budget.list(ListKind::Generator, unique);
        }
        let wanted = if name == "min" { Ordering::Less } else { Ordering::Greater };
        let mut best: Option<(Value, Value)> = None;
        for item in items {
            let key = self.sort_key(&item, attribute.as_ref(), case_sensitive)?;
            let better = match &best {
                None => true,
                Some((_, most)) => key.compare(most, budget)? == Some(wanted),
            };
            if better {
                best = Some((item, key));
            }
        }
        Ok(best.map_or(Value::Undefined, |(item, _)| item))
    }

    fn sort_key(&self, item: &Value, attribute: Option<&Value>, case_sensitive: bool) -> Outcome<Value> {
        let key = attribute.map_or_else(|| Ok(item.clone()), |attribute| self.path(item, attribute))?;
        match &key {
            Value::Text(_) if !case_sensitive => self.text_filter("lower", &key),
            _ => Ok(key),
        }
    }

    fn sorted(
        &self,
        items: Vec<Value>,
        attribute: Option<&Value>,
        case_sensitive: bool,
        reverse: bool,
    ) -> Outcome<Vec<Value>> {
        let mut keyed: Vec<(Value, Value)> = Vec::with_capacity(items.len());
        for item in items {
            keyed.push((self.sort_key(&item, attribute, case_sensitive)?, item));
        }
        let mut failure = None;
        keyed.sort_by(|(a, _), (b, _)| {
            let order = a.compare(b, &self.budget).unwrap_or_else(|error| {
                failure.get_or_insert(error);
                None
            });
            let order = order.unwrap_or(Ordering::Equal);
            if reverse { order.reverse() } else { order }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
        }
    }

    fn number_filter(&self, name: &str, value: &Value, arguments: CallArguments<'_>) -> Outcome<Value> {
        let budget = &self.budget;
        match name {
            "abs" => {
                let [] = arguments.bind("abs", [])?;
                match (value, value.as_int()) {
                    (_, Some(n)) => n.checked_abs().map(Value::Int).ok_or(ErrorKind::Arithmetic),
                    (Value::Float(x), _) => Ok(Value::Float(x.abs())),
                    _ => Err(ErrorKind::Type("abs")),
                }
            }
            "int" => {
                let [default, base] = arguments.bind("int", ["default", "base"])?;
                if base.is_some_and(|base| base.as_int() != Some(10)) {
                    return Err(ErrorKind::Unsupported("int with another base"));
                }
                let from_float = |x: f64| (x.abs() < 9.0e18).then_some(x as i64);
                let parsed = match value {
                    Value::Text(text) => {
                        let digits = super::text::trim(text.as_str(), is_space);
                        digits.parse().ok().or_else(|| digits.parse::<f64>().ok().and_then(from_float))
                    }
                    Value::Float(x) => from_float(*x),
                    other => other.as_int(),
                };
                Ok(parsed.map(Value::Int).or(default).unwrap_or(Value::Int(0)))
            }
            "float" => {
                let [default] = arguments.bind("float", ["default"])?;
                let parsed = match value {
                    Value::Text(text) => super::text::trim(text.as_str(), is_space).parse().ok(),
                    other => other.as_f64(),
                };
                Ok(parsed.map(Value::Float).or(default).unwrap_or(Value::Float(0.0)))
            }
            _ => {
                let [precision, method] = arguments.bind("round", ["precision", "method"])?;
                let precision = precision.map_or(Some(0), |p| p.as_int()).ok_or(ErrorKind::Arguments("round"))?;
                let method = text_argument(method.as_ref(), "common", budget)?;
                let x = value.as_f64().ok_or(ErrorKind::Type("round"))?;
                let scale = libm::pow(10.0, precision as f64);
                Ok(Value::Float(match method.as_str() {
                    "common" => libm::rint(x * scale) / scale,
                    "ceil" => libm::ceil(x * scale) / scale,
                    "floor" => libm::floor(x * scale) / scale,
                    _ => return Err(ErrorKind::Arguments("round")),
                }))
            }
        }
    }
}

/// The filters that `map` may name: those that give one value for one value.
fn filter_name(name: &Value) -> Outcome<&'static str> {
    const NAMES: [&str; 22] = [
        "default",
        "d",
        "tojson",
        "length",
        "count",
        "trim",
        "string",
        "safe",
        "escape",
        "e",
        "upper",
        "lower",
        "capitalize",
        "title",
        "replace",
        "join",
        "list",
        "first",
        "last",
        "int",
        "float",
        "abs",
    ];
    let Value::Text(name) = name else { return Err(ErrorKind::Arguments("map")) };
    let known = NAMES.into_iter().find(|known| *known == name.as_str());
    known.ok_or_else(|| ErrorKind::Filter(name.as_str().into()))
}
