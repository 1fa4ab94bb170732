//! Runs statements: scopes, loops, macros, output. Expressions are in [`super::expression`].

use super::MAX_DEPTH;
use super::ast::{Body, Expression, For, Macro, Statement, StatementKind, Suffix, Target};
use super::budget::Budget;
use super::date::Date;
use super::error::{Error, ErrorKind, Outcome};
use super::expression::CallArguments;
use super::python::write_str;
use super::text::Text;
use super::value::{ListKind, Loop, Value};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

/// One level of names. Macros keep the levels they were defined in.
type Scope<'t> = Rc<RefCell<BTreeMap<&'t str, Value>>>;

pub(super) struct Interpreter<'t> {
    pub(super) budget: Budget,
    pub(super) date: Option<Date>,
    scopes: Vec<Scope<'t>>,
    macros: Vec<MacroInstance<'t>>,
    /// Recursive loops that have run, each with the names it saw.
    recursions: Vec<(&'t For, Vec<Scope<'t>>)>,
    out: Text,
    depth: u32,
    line: u32,
}

/// A macro and the names it sees.
#[derive(Clone)]
struct MacroInstance<'t> {
    definition: &'t Macro,
    scopes: Vec<Scope<'t>>,
}

/// How a body ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// Runs a template to its end.
pub(super) fn run<'t>(
    body: &'t Body,
    globals: impl IntoIterator<Item = (&'t str, Value)>,
    date: Option<Date>,
    budget: Budget,
) -> Result<Text, Error> {
    let globals = Rc::new(RefCell::new(globals.into_iter().collect()));
    let mut interpreter = Interpreter {
        budget,
        date,
        scopes: alloc::vec![globals],
        macros: Vec::new(),
        recursions: Vec::new(),
        out: Text::default(),
        depth: 0,
        line: 1,
    };
    match interpreter.body(body) {
        Ok(_) => Ok(interpreter.out),
        Err(kind) => Err(Error { kind, line: interpreter.line }),
    }
}

impl<'t> Interpreter<'t> {
    /// Runs `inner` one level deeper.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.depth == MAX_DEPTH {
            return Err(ErrorKind::Nesting);
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    pub(super) fn variable(&self, name: &str) -> Option<Value> {
        self.scopes.iter().rev().find_map(|scope| scope.borrow().get(name).cloned())
    }

    fn bind(&mut self, name: &'t str, value: Value) -> Outcome<()> {
        self.budget.take(size_of::<(&str, Value)>())?;
        if let Some(scope) = self.scopes.last() {
            scope.borrow_mut().insert(name, value);
        }
        Ok(())
    }

    /// Runs `inner` with names of its own.
    fn scoped<T>(&mut self, inner: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.budget.take(size_of::<RefCell<BTreeMap<&str, Value>>>())?;
        self.scopes.push(Rc::default());
        let result = inner(self);
        self.scopes.pop();
        result
    }

    /// Runs `inner` and gives back what it wrote.
    fn captured(&mut self, inner: impl FnOnce(&mut Self) -> Outcome<()>) -> Outcome<Value> {
        let outer = core::mem::take(&mut self.out);
        let result = inner(self);
        let text = core::mem::replace(&mut self.out, outer);
        result?;
        self.budget.text(text)
    }

    fn write(&mut self, value: &Value) -> Outcome<()> {
        write_str(value, &mut self.out, &self.budget)
    }

    fn body(&mut self, body: &'t Body) -> Outcome<Flow> {
        self.nested(|this| {
            for statement in body {
                this.line = statement.line;
                let flow = this.statement(statement)?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
            Ok(Flow::Next)
        })
    }

    fn statement(&mut self, statement: &'t Statement) -> Outcome<Flow> {
        self.budget.step(1)?;
        match &statement.kind {
            StatementKind::Data(text) => self.budget.push_literal(&mut self.out, text)?,
            StatementKind::Output(expression) => {
                let value = self.evaluate(expression)?;
                self.write(&value)?;
            }
            StatementKind::If { branches, otherwise } => {
                for (test, body) in branches {
                    if self.evaluate(test)?.is_true() {
                        return self.body(body);
                    }
                }
                return self.body(otherwise);
            }
            StatementKind::Print(expressions) => {
                for expression in expressions {
                    let value = self.evaluate(expression)?;
                    self.write(&value)?;
                }
            }
            StatementKind::For { iterable, each } => {
                let sequence = self.evaluate(iterable)?;
                return self.for_loop(&sequence, each, 0);
            }
            StatementKind::Set(target, expression) => {
                let value = self.evaluate(expression)?;
                self.assign(target, value)?;
            }
            StatementKind::SetBlock { name, filters, body } => {
                let value = self.filtered(filters, body)?;
                self.assign(name, value)?;
            }
            StatementKind::Filter { filters, body } => {
                let value = self.filtered(filters, body)?;
                self.write(&value)?;
            }
            StatementKind::Macro(definition) => {
                let instance = self.define(definition)?;
                self.bind(&definition.name, instance)?;
            }
            StatementKind::Call { caller, call } => {
                let Expression::Suffixed(base, suffixes) = call else { return Err(ErrorKind::Expected("a call")) };
                let Some((Suffix::Call(arguments), before)) = suffixes.split_last() else {
                    return Err(ErrorKind::Expected("a call"));
                };
                let callee = self.suffixed(base, before)?;
                let mut arguments = self.arguments(arguments)?;
                arguments.caller = Some(self.define(caller)?);
                let value = self.call(callee, arguments)?;
                self.write(&value)?;
            }
            StatementKind::With { bindings, body } => {
                let values: Vec<Value> = bindings.iter().map(|(_, e)| self.evaluate(e)).collect::<Outcome<_>>()?;
                return self.scoped(|this| {
                    for ((target, _), value) in bindings.iter().zip(values) {
                        this.assign(target, value)?;
                    }
                    this.body(body)
                });
            }
            StatementKind::Break => return Ok(Flow::Break),
            StatementKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// Runs a loop over a sequence, `depth0` loops of the same inside itself.
    fn for_loop(&mut self, sequence: &Value, each: &'t For, depth0: usize) -> Outcome<Flow> {
        let mut items = sequence.iterate(&self.budget)?;
        if let Some(condition) = &each.condition {
            let mut kept = Vec::new();
            for item in items {
                let keeps = self.scoped(|this| {
                    this.assign(&each.target, item.clone())?;
                    Ok(this.evaluate(condition)?.is_true())
                })?;
                if keeps {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.scoped(|this| this.body(&each.otherwise));
        }
        let n = items.len();
        let again = if each.recursive { Some(self.recursion(each)?) } else { None };
        let state = Rc::new(Loop { items, index0: Cell::new(0), depth0, again, last_changed: RefCell::new(None) });
        for index in 0..n {
            state.index0.set(index);
            let flow = self.scoped(|this| {
                this.bind("loop", Value::Loop(Rc::clone(&state)))?;
                this.assign(&each.target, state.items[index].clone())?;
                this.body(&each.body)
            })?;
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    /// Keeps a loop and the names it sees for `loop(sequence)`.
    fn recursion(&mut self, each: &'t For) -> Outcome<usize> {
        self.budget.take(size_of::<(&For, Vec<Scope<'_>>)>() + size_of::<Scope<'_>>() * self.scopes.len())?;
        self.recursions.push((each, self.scopes.clone()));
        Ok(self.recursions.len() - 1)
    }

    /// `loop(sequence)`: what the loop around writes for another sequence.
    pub(super) fn call_loop(&mut self, state: &Loop, arguments: CallArguments<'t>) -> Outcome<Value> {
        let [sequence] = arguments.bind("loop", ["iterable"])?;
        let sequence = sequence.ok_or(ErrorKind::Arguments("loop"))?;
        let (each, scopes) = self.recursions[state.again.ok_or(ErrorKind::Type("call"))?].clone();
        let (line, outer) = (self.line, core::mem::replace(&mut self.scopes, scopes));
        let result =
            self.nested(|this| this.captured(|this| this.for_loop(&sequence, each, state.depth0 + 1).map(drop)));
        self.scopes = outer;
        if result.is_ok() {
            self.line = line;
        }
        result
    }

    fn assign(&mut self, target: &'t Target, value: Value) -> Outcome<()> {
        match target {
            Target::Name(name) => self.bind(name, value),
            Target::Attribute(name, attribute) => {
                let Some(Value::Namespace(namespace)) = self.variable(name) else {
                    return Err(ErrorKind::Type("assignment to an attribute"));
                };
                super::functions::set_attribute(&namespace, attribute, value, &self.budget)
            }
            Target::Tuple(targets) => {
                let values = value.iterate(&self.budget)?;
                if values.len() != targets.len() {
                    return Err(ErrorKind::Type("unpacking"));
                }
                targets.iter().zip(values).try_for_each(|(target, value)| self.assign(target, value))
            }
        }
    }

    /// The output of a block through its filters.
    fn filtered(&mut self, filters: &'t [Suffix], body: &'t Body) -> Outcome<Value> {
        let value = self.captured(|this| this.scoped(|this| this.body(body)).map(drop))?;
        filters.iter().try_fold(value, |value, filter| self.suffix(value, filter))
    }

    fn define(&mut self, definition: &'t Macro) -> Outcome<Value> {
        self.budget.take(size_of::<MacroInstance<'_>>() + size_of::<Scope<'_>>() * self.scopes.len())?;
        self.macros.push(MacroInstance { definition, scopes: self.scopes.clone() });
        Ok(Value::Macro(self.macros.len() - 1))
    }

    pub(super) fn call_macro(&mut self, number: usize, arguments: CallArguments<'t>) -> Outcome<Value> {
        let MacroInstance { definition, scopes } = self.macros[number].clone();
        let (line, outer) = (self.line, core::mem::replace(&mut self.scopes, scopes));
        let result = self.nested(|this| {
            this.captured(|this| {
                this.scoped(|this| {
                    this.bind_parameters(definition, arguments)?;
                    this.body(&definition.body).map(drop)
                })
            })
        });
        self.scopes = outer;
        if result.is_ok() {
            self.line = line;
        }
        result
    }

    fn bind_parameters(&mut self, definition: &'t Macro, mut arguments: CallArguments<'t>) -> Outcome<()> {
        const WRONG: ErrorKind = ErrorKind::Arguments("macro");
        if let Some(caller) = arguments.caller.take() {
            self.bind("caller", caller)?;
        }
        let mut positional = arguments.positional.into_iter();
        for (name, default) in &definition.parameters {
            let named = arguments.keyword.iter().position(|(keyword, _)| keyword.as_str() == &**name);
            let value = match (positional.next(), named, default) {
                (Some(_), Some(_), _) => return Err(WRONG),
                (Some(value), ..) => value,
                (None, Some(at), _) => arguments.keyword.remove(at).1,
                (None, None, Some(default)) => self.evaluate(default)?,
                (None, None, None) => Value::Undefined,
            };
            self.bind(name, value)?;
        }
        // What is left over is for a macro that asks for it.
        if definition.uses_varargs {
            let varargs = self.budget.list(ListKind::Tuple, positional.by_ref().collect())?;
            self.bind("varargs", varargs)?;
        }
        if definition.uses_kwargs {
            let mut kwargs = Vec::new();
            for (name, value) in arguments.keyword.drain(..) {
                kwargs.push((name.into_text(&self.budget)?, value));
            }
            let kwargs = self.budget.map(kwargs)?;
            self.bind("kwargs", kwargs)?;
        }
        if positional.next().is_some() || !arguments.keyword.is_empty() { Err(WRONG) } else { Ok(()) }
    }
}
