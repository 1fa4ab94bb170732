//! Filters of sequences.

use super::ast::Arithmetic;
use super::budget::Budget;
use super::comparison::sorted;
use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::interpreter::Interpreter;
use super::methods::items;
use super::operators::{arithmetic, slice};
use super::text_filters::changed;
use super::value::{ListKind, Value};
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Their names.
pub(super) const SEQUENCE_FILTERS: [&str; 17] = [
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "first",
    "last",
    "reverse",
    "sum",
    "batch",
    "slice",
    "groupby",
    "sort",
    "unique",
    "min",
    "max",
    "dictsort",
];

impl<'t> Interpreter<'t> {
    pub(super) fn sequence_filter(
        &mut self,
        name: &str,
        value: &Value,
        arguments: CallArguments<'t>,
    ) -> Outcome<Value> {
        let budget = &self.budget;
        match name {
            "last" if matches!(value, Value::List(list) if list.kind() == ListKind::Generator) => {
                Err(ErrorKind::Type("last"))
            }
            "map" | "select" | "reject" | "selectattr" | "rejectattr" => self.lazy_filter(name, value, arguments),
            "first" | "last" => {
                let [] = arguments.bind("first", [])?;
                let items = value.iterate(budget)?;
                Ok(if name == "first" { items.first() } else { items.last() }.cloned().unwrap_or(Value::Undefined))
            }
            "reverse" => {
                let [] = arguments.bind("reverse", [])?;
                if matches!(value, Value::Text(_)) {
                    return slice(value, [None, None, Some(-1)], budget);
                }
                let mut items = value.iterate(budget)?;
                items.reverse();
                budget.list(ListKind::Generator, items)
            }
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
            "batch" => batch(value, arguments, budget),
            "slice" => columns(value, arguments, budget),
            "groupby" => self.groups(value, arguments),
            _ => self.ordered(name, value, arguments),
        }
    }

    /// `a.b.0`: the attribute or item that `map` and its kin name.
    pub(super) fn path(&self, item: &Value, attribute: &Value) -> Outcome<Value> {
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
    fn lazy_filter(&mut self, name: &str, value: &Value, mut arguments: CallArguments<'t>) -> Outcome<Value> {
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
            let Value::Text(filter) = &filter else { return Err(ErrorKind::Arguments("map")) };
            for item in items {
                let arguments = CallArguments {
                    positional: arguments.positional.clone(),
                    keyword: arguments.keyword.clone(),
                    caller: None,
                };
                out.push(self.nested(|this| this.filter(filter.as_str(), item, arguments))?);
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

    /// Elements with the same attribute, ordered by that: pairs of the attribute and a list.
    fn groups(&self, value: &Value, arguments: CallArguments<'_>) -> Outcome<Value> {
        let budget = &self.budget;
        let [attribute, default, case_sensitive] =
            arguments.bind("groupby", ["attribute", "default", "case_sensitive"])?;
        let attribute = attribute.ok_or(ErrorKind::Arguments("groupby"))?;
        let case_sensitive = case_sensitive.is_some_and(|value| value.is_true());
        let mut keyed = Vec::new();
        for item in value.iterate(budget)? {
            let key = match (self.path(&item, &attribute)?, &default) {
                (Value::Undefined, Some(default)) => default.clone(),
                (key, _) => key,
            };
            keyed.push(budget.list(ListKind::Group, alloc::vec![key, item])?);
        }
        let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
        for pair in self.sorted(keyed, Some(&Value::Int(0)), case_sensitive, false)? {
            let [key, item] = pair.iterate(budget)?.try_into().map_err(|_| ErrorKind::Type("groupby"))?;
            let compared = self.sort_key(&key, None, case_sensitive)?;
            match groups.last_mut() {
                Some((_, last, items)) if last.equals(&compared, budget)? => items.push(item),
                _ => groups.push((key, compared, alloc::vec![item])),
            }
        }
        let group =
            |(key, _, items)| budget.list(ListKind::Group, alloc::vec![key, budget.list(ListKind::List, items)?]);
        let groups = groups.into_iter().map(group).collect::<Outcome<_>>()?;
        budget.list(ListKind::List, groups)
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
            let pairs = items(value, budget)?;
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
                if matches!(&key, Value::Map(_)) || matches!(&key, Value::List(l) if l.kind() == ListKind::List) {
                    return Err(ErrorKind::Type("unique"));
                }
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

    /// What elements are ordered by; texts count as lower case unless asked. An attribute may be several, with commas.
    fn sort_key(&self, item: &Value, attribute: Option<&Value>, case_sensitive: bool) -> Outcome<Value> {
        if let Some(Value::Text(names)) = attribute
            && names.as_str().contains(',')
        {
            let names = names.as_str().split(',');
            let key = |name: &str| self.sort_key(item, Some(&self.budget.literal(name)?), case_sensitive);
            return self.budget.list(ListKind::List, names.map(key).collect::<Outcome<_>>()?);
        }
        let key = attribute.map_or_else(|| Ok(item.clone()), |attribute| self.path(item, attribute))?;
        match &key {
            Value::Text(_) if !case_sensitive => changed("lower", &key, &self.budget),
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
        let keyed = sorted(keyed, reverse, &self.budget)?;
        Ok(keyed.into_iter().map(|(_, item)| item).collect())
    }
}

/// How many rows or columns, and what fills up the short ones.
fn division(arguments: CallArguments<'_>, callee: &'static str, name: &str) -> Outcome<(usize, Option<Value>)> {
    let [n, fill] = arguments.bind(callee, [name, "fill_with"])?;
    let n = n.and_then(|n| n.as_int()).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    // As in Jinja: filling up with none is not filling up.
    Ok((n.ok_or(ErrorKind::Arguments(callee))?, fill.filter(|fill| !matches!(fill, Value::None))))
}

/// Rows of so many elements.
fn batch(value: &Value, arguments: CallArguments<'_>, budget: &Budget) -> Outcome<Value> {
    let (size, fill) = division(arguments, "batch", "linecount")?;
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

/// So many columns, the first ones longer by one where they do not come out even.
fn columns(value: &Value, arguments: CallArguments<'_>, budget: &Budget) -> Outcome<Value> {
    let (n, fill) = division(arguments, "slice", "slices")?;
    budget.take(n.saturating_mul(size_of::<Value>()))?;
    let items = value.iterate(budget)?;
    let (length, n_longer) = (items.len() / n, items.len() % n);
    let mut rest = &items[..];
    let mut columns = Vec::new();
    for column in 0..n {
        let (taken, left) = rest.split_at(length + usize::from(column < n_longer));
        rest = left;
        let filled = fill.iter().filter(|_| column >= n_longer).cloned();
        columns.push(budget.list(ListKind::List, taken.iter().cloned().chain(filled).collect())?);
    }
    budget.list(ListKind::Generator, columns)
}
