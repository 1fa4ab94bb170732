//! Evaluates expressions.

use super::ast::{Arguments, Comparison, Expression, Suffix};
use super::budget::Budget;
use super::comparison::lookup;
use super::error::{ErrorKind, Outcome};
use super::functions::Function;
use super::integers;
use super::interpreter::Interpreter;
use super::methods::Method;
use super::operators::{arithmetic, contains, negative, slice};
use super::python::write_str;
use super::text::Text;
use super::value::{ListKind, Value};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// The name of a keyword argument.
#[derive(Clone)]
pub(super) enum Keyword<'t> {
    /// It stands in the template.
    Name(&'t str),
    /// A key of what `**` took apart, which may be a message's.
    Key(Rc<Text>),
}

impl Keyword<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Key(key) => key.as_str(),
        }
    }

    /// The name as a string of its origin.
    pub(super) fn into_text(self, budget: &Budget) -> Outcome<Value> {
        match self {
            Self::Name(name) => budget.literal(name),
            Self::Key(key) => Ok(Value::Text(key)),
        }
    }
}

/// Evaluated arguments of a call.
#[derive(Default)]
pub(super) struct CallArguments<'t> {
    pub(super) positional: Vec<Value>,
    pub(super) keyword: Vec<(Keyword<'t>, Value)>,
    /// The body of a `{% call %}`.
    pub(super) caller: Option<Value>,
}

impl CallArguments<'_> {
    /// The arguments in the order of their names.
    pub(super) fn bind<const N: usize>(self, callee: &'static str, names: [&str; N]) -> Outcome<[Option<Value>; N]> {
        const { assert!(N <= 8) };
        let wrong = ErrorKind::Arguments(callee);
        if self.positional.len() > N || self.caller.is_some() {
            return Err(wrong);
        }
        let mut bound = [const { None }; N];
        for (slot, value) in bound.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.keyword {
            match names.iter().position(|known| name.as_str() == *known) {
                Some(at) if bound[at].is_none() => bound[at] = Some(value),
                _ => return Err(wrong),
            }
        }
        Ok(bound)
    }
}

impl<'t> Interpreter<'t> {
    pub(super) fn evaluate(&mut self, expression: &'t Expression) -> Outcome<Value> {
        self.budget.step(1)?;
        self.nested(|this| this.expression(expression))
    }

    fn all(&mut self, expressions: &'t [Expression]) -> Outcome<Vec<Value>> {
        expressions.iter().map(|expression| self.evaluate(expression)).collect()
    }

    fn expression(&mut self, expression: &'t Expression) -> Outcome<Value> {
        match expression {
            Expression::None => Ok(Value::None),
            Expression::Bool(b) => Ok(Value::Bool(*b)),
            Expression::Int(n) => Ok(Value::Int(*n)),
            Expression::BigInt(digits) => {
                self.budget.take(digits.len())?;
                integers::parse(digits).ok_or(ErrorKind::Number)
            }
            Expression::Float(x) => Ok(Value::Float(*x)),
            Expression::Text(text) => self.budget.literal(text),
            Expression::Name(name) => Ok(self
                .variable(name)
                .or_else(|| Function::find(name, self.date.is_some()).map(Value::Function))
                .unwrap_or(Value::Undefined)),
            Expression::List(items) => {
                let items = self.all(items)?;
                self.budget.list(ListKind::List, items)
            }
            Expression::Tuple(items) => {
                let items = self.all(items)?;
                self.budget.list(ListKind::Tuple, items)
            }
            Expression::Map(entries) => {
                let mut unique: Vec<(Value, Value)> = Vec::new();
                for (key, value) in entries {
                    let (key, value) = (self.evaluate(key)?, self.evaluate(value)?);
                    super::functions::insert(&mut unique, key, value, &self.budget)?;
                }
                self.budget.map(unique)
            }
            Expression::Not(operand) => Ok(Value::Bool(!self.evaluate(operand)?.is_true())),
            Expression::Negative(operand) => negative(&self.evaluate(operand)?),
            Expression::Positive(operand) => match self.evaluate(operand)? {
                value @ (Value::Int(_) | Value::BigInt(_) | Value::Float(_)) => Ok(value),
                _ => Err(ErrorKind::Type("+")),
            },
            Expression::Arithmetic(first, rest) => {
                let mut value = self.evaluate(first)?;
                for (operator, operand) in rest {
                    let operand = self.evaluate(operand)?;
                    value = arithmetic(*operator, &value, &operand, &self.budget)?;
                }
                Ok(value)
            }
            Expression::Concat(operands) => {
                let mut out = Text::default();
                for operand in operands {
                    let value = self.evaluate(operand)?;
                    write_str(&value, &mut out, &self.budget)?;
                }
                self.budget.text(out)
            }
            Expression::Compare(first, rest) => self.comparison(first, rest),
            Expression::And(operands) => self.first_with_truth(operands, false),
            Expression::Or(operands) => self.first_with_truth(operands, true),
            Expression::Conditional { value, test, otherwise } => {
                if self.evaluate(test)?.is_true() {
                    return self.evaluate(value);
                }
                otherwise.as_ref().map_or(Ok(Value::Undefined), |otherwise| self.evaluate(otherwise))
            }
            Expression::Suffixed(base, suffixes) => self.suffixed(base, suffixes),
        }
    }

    /// The first operand of that truth, else the last: Python's `and` and `or`.
    fn first_with_truth(&mut self, operands: &'t [Expression], truth: bool) -> Outcome<Value> {
        let mut value = Value::Undefined;
        for operand in operands {
            value = self.evaluate(operand)?;
            if value.is_true() == truth {
                break;
            }
        }
        Ok(value)
    }

    fn comparison(&mut self, first: &'t Expression, rest: &'t [(Comparison, Expression)]) -> Outcome<Value> {
        let mut left = self.evaluate(first)?;
        for (operator, right) in rest {
            let right = self.evaluate(right)?;
            let holds = match operator {
                Comparison::Equal => left.equals(&right, &self.budget)?,
                Comparison::NotEqual => !left.equals(&right, &self.budget)?,
                Comparison::In => contains(&right, &left, &self.budget)?,
                Comparison::NotIn => !contains(&right, &left, &self.budget)?,
                _ => {
                    let order = left.compare(&right, &self.budget)?;
                    order.is_some_and(|order| match operator {
                        Comparison::Less => order.is_lt(),
                        Comparison::LessOrEqual => order.is_le(),
                        Comparison::Greater => order.is_gt(),
                        _ => order.is_ge(),
                    })
                }
            };
            if !holds {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    pub(super) fn suffixed(&mut self, base: &'t Expression, suffixes: &'t [Suffix]) -> Outcome<Value> {
        let mut value = self.evaluate(base)?;
        // Remembers what may turn out to be undefined, for the message.
        let mut name = match base {
            Expression::Name(name) => &**name,
            _ => "value",
        };
        for suffix in suffixes {
            let uses_value =
                matches!(suffix, Suffix::Attribute(_) | Suffix::Index(_) | Suffix::Slice(_) | Suffix::Call(_));
            if uses_value && matches!(value, Value::Undefined) {
                return Err(ErrorKind::Undefined(name.into()));
            }
            value = self.suffix(value, suffix)?;
            name = match suffix {
                Suffix::Attribute(name) | Suffix::Index(Expression::Text(name)) => name,
                _ => "value",
            };
        }
        Ok(value)
    }

    pub(super) fn suffix(&mut self, value: Value, suffix: &'t Suffix) -> Outcome<Value> {
        self.budget.step(1)?;
        match suffix {
            Suffix::Attribute(name) => self.attribute(&value, name),
            Suffix::Index(index) => {
                let index = self.evaluate(index)?;
                self.item(&value, &index)
            }
            Suffix::Slice(parts) => {
                let mut bounds = [None; 3];
                for (bound, part) in bounds.iter_mut().zip(&**parts) {
                    let Some(part) = part else { continue };
                    *bound = match self.evaluate(part)? {
                        Value::None => None,
                        other => Some(other.as_int().ok_or(ErrorKind::Type("slice"))?),
                    };
                }
                slice(&value, bounds, &self.budget)
            }
            Suffix::Call(arguments) => {
                let arguments = self.arguments(arguments)?;
                self.call(value, arguments)
            }
            Suffix::Filter(name, arguments) => {
                let arguments = self.arguments(arguments)?;
                self.filter(name, value, arguments)
            }
            Suffix::Test { name, arguments, negated } => {
                let arguments = self.arguments(arguments)?;
                Ok(Value::Bool(self.test(name, &value, arguments)? != *negated))
            }
        }
    }

    pub(super) fn arguments(&mut self, arguments: &'t Arguments) -> Outcome<CallArguments<'t>> {
        let mut positional = self.all(&arguments.positional)?;
        let named = arguments.keyword.iter().map(|(name, value)| Ok((Keyword::Name(name), self.evaluate(value)?)));
        let mut keyword: Vec<(Keyword<'t>, Value)> = named.collect::<Outcome<_>>()?;
        if let Some(more) = &arguments.more_positional {
            positional.extend(self.evaluate(more)?.iterate(&self.budget)?);
        }
        if let Some(more) = &arguments.more_keyword {
            let Value::Map(map) = self.evaluate(more)? else { return Err(ErrorKind::Type("**")) };
            for (name, value) in map.entries() {
                let name = name.as_text().ok_or(ErrorKind::Type("**"))?;
                self.budget.take(size_of::<(Keyword<'_>, Value)>())?;
                self.budget.step(keyword.len())?;
                if keyword.iter().any(|(known, _)| known.as_str() == name.as_str()) {
                    return Err(ErrorKind::Arguments("**"));
                }
                keyword.push((Keyword::Key(Rc::clone(name)), value.clone()));
            }
        }
        Ok(CallArguments { positional, keyword, caller: None })
    }

    pub(super) fn call(&mut self, callee: Value, arguments: CallArguments<'t>) -> Outcome<Value> {
        match callee {
            Value::Function(function) => self.call_function(function, arguments),
            Value::Method(bound) => self.call_method(&bound.0, bound.1, arguments),
            Value::Macro(number) => self.call_macro(number, arguments),
            Value::Loop(state) => self.call_loop(&state, arguments),
            _ => Err(ErrorKind::Type("call")),
        }
    }

    /// `value.name`: an attribute, else an item, else undefined.
    pub(super) fn attribute(&self, value: &Value, name: &str) -> Outcome<Value> {
        if let Some(method) = Method::find(value, name) {
            return Ok(Value::Method(Rc::new((value.clone(), method))));
        }
        Ok(match value {
            Value::Undefined => return Err(ErrorKind::Undefined(name.into())),
            Value::Map(map) => map.text_key(name, &self.budget)?.cloned().unwrap_or(Value::Undefined),
            Value::Namespace(namespace) => {
                let namespace = namespace.borrow();
                self.budget.step(namespace.len())?;
                namespace.iter().find(|(key, _)| key == name).map_or(Value::Undefined, |(_, value)| value.clone())
            }
            Value::Loop(state) => state.attribute(name),
            Value::List(list) if list.kind() == ListKind::Group => {
                let at = ["grouper", "list"].into_iter().position(|known| known == name);
                at.map_or(Value::Undefined, |at| list.items()[at].clone())
            }
            _ => Value::Undefined,
        })
    }

    /// `value[index]`: an item, else an attribute, else undefined.
    pub(super) fn item(&self, value: &Value, index: &Value) -> Outcome<Value> {
        match (value, index) {
            (Value::Undefined, _) => return Err(ErrorKind::Undefined("value".into())),
            (Value::Map(map), _) => {
                if let Some(found) = lookup(map.entries(), index, &self.budget)? {
                    return Ok(found.clone());
                }
            }
            (Value::List(list), _) if list.is_sequence() => {
                if let Some(index) = index.as_int() {
                    return Ok(
                        position(index, list.items().len()).map_or(Value::Undefined, |at| list.items()[at].clone())
                    );
                }
            }
            (Value::Text(text), _) => {
                if let Some(index) = index.as_int() {
                    self.budget.scan(text.len())?;
                    let string = text.as_str();
                    let mut characters = string.char_indices();
                    let found = match usize::try_from(index) {
                        Ok(index) => characters.nth(index),
                        Err(_) => usize::try_from(-(index + 1)).ok().and_then(|back| characters.nth_back(back)),
                    };
                    return match found {
                        Some((at, c)) => self.budget.text(text.slice(at..at + c.len_utf8())),
                        None => Ok(Value::Undefined),
                    };
                }
            }
            _ => {}
        }
        match index {
            Value::Text(name) => self.attribute(value, name.as_str()),
            _ => Ok(Value::Undefined),
        }
    }
}

/// A Python index, counted from the end if negative.
fn position(index: i64, len: usize) -> Option<usize> {
    let len = i64::try_from(len).ok()?;
    let at = if index < 0 { index.checked_add(len)? } else { index };
    (0..len).contains(&at).then_some(at as usize)
}
