//! Tokens to statements. Expressions are in [`super::expression_parser`].

use super::MAX_NESTING;
use super::ast::{Arguments, Body, Expression, For, Macro, Statement, StatementKind, Suffix, Target};
use super::error::{Error, ErrorKind, Outcome};
use super::lexer::{Token, tokens};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Parses a whole template.
pub(super) fn parse(source: &str) -> Result<Body, Error> {
    let tokens = tokens(source)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, loops: 0 };
    let line = |parser: &Parser<'_>| parser.line();
    parser.body(&[]).map_err(|kind| Error { kind, line: line(&parser) })
}

pub(super) struct Parser<'t> {
    tokens: &'t [(Token, u32)],
    at: usize,
    depth: u32,
    /// Loops around this place, within the same macro.
    loops: u32,
}

impl<'t> Parser<'t> {
    pub(super) fn peek(&self) -> &'t Token {
        // `Token::End` is last and never passed.
        &self.tokens[self.at].0
    }

    pub(super) fn peek_second(&self) -> &'t Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].0
    }

    fn line(&self) -> u32 {
        self.tokens[self.at].1
    }

    pub(super) fn next(&mut self) -> &'t Token {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn is_operator(&self, operator: &str) -> bool {
        matches!(self.peek(), Token::Operator(found) if *found == operator)
    }

    pub(super) fn take_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn expect_operator(&mut self, operator: &'static str) -> Outcome<()> {
        if self.take_operator(operator) { Ok(()) } else { Err(ErrorKind::Expected(operator)) }
    }

    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Token::Name(name) if **name == *keyword)
    }

    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn name(&mut self) -> Outcome<Box<str>> {
        match self.peek() {
            Token::Name(name) => {
                self.next();
                Ok(name.clone())
            }
            _ => Err(ErrorKind::Expected("a name")),
        }
    }

    /// Runs `parse` one level deeper.
    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.depth == MAX_NESTING {
            return Err(ErrorKind::Nesting);
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Statements up to one of the tags `ends`, whose name stays the next token; without `ends`, up to the end.
    fn body(&mut self, ends: &[&str]) -> Outcome<Body> {
        self.nested(|parser| {
            let mut body = Vec::new();
            loop {
                let line = parser.line();
                let kind = match parser.peek() {
                    Token::End if ends.is_empty() => return Ok(body),
                    Token::End => return Err(ErrorKind::Unclosed("a block")),
                    Token::Data(text) => {
                        parser.next();
                        StatementKind::Data(text.clone())
                    }
                    Token::VariableBegin => {
                        parser.next();
                        let expression = parser.tuple()?;
                        match parser.next() {
                            Token::VariableEnd => StatementKind::Output(expression),
                            _ => return Err(ErrorKind::Expected("'}}'")),
                        }
                    }
                    _ => {
                        parser.next();
                        let name = parser.name()?;
                        if ends.contains(&&*name) {
                            parser.at -= 1;
                            return Ok(body);
                        }
                        let kind = parser.statement(&name)?;
                        parser.block_end()?;
                        kind
                    }
                };
                body.push(Statement { line, kind });
            }
        })
    }

    /// A body and the name of the tag that ended it, which is passed.
    fn body_to(&mut self, ends: &[&str]) -> Outcome<(Body, Box<str>)> {
        self.block_end()?;
        let body = self.body(ends)?;
        Ok((body, self.name()?))
    }

    fn block_end(&mut self) -> Outcome<()> {
        match self.next() {
            Token::BlockEnd => Ok(()),
            _ => Err(ErrorKind::Expected("'%}'")),
        }
    }

    /// A statement whose tag's name has been read, up to the end of its last tag.
    fn statement(&mut self, tag: &str) -> Outcome<StatementKind> {
        match tag {
            "if" => self.if_statement(),
            "for" => self.for_statement(),
            "set" => self.set_statement(),
            "macro" => {
                let name = self.name()?;
                let parameters = self.parameters()?;
                Ok(StatementKind::Macro(self.macro_body(name, parameters, "endmacro")?))
            }
            "call" => {
                let parameters = if self.is_operator("(") { self.parameters()? } else { Vec::new() };
                let call = self.expression()?;
                let is_call = matches!(&call, Expression::Suffixed(_, suffixes)
                    if matches!(suffixes.last(), Some(Suffix::Call(_))));
                if !is_call {
                    return Err(ErrorKind::Expected("a call"));
                }
                Ok(StatementKind::Call { caller: self.macro_body("caller".into(), parameters, "endcall")?, call })
            }
            "filter" => {
                let mut filters = alloc::vec![self.filter()?];
                while self.take_operator("|") {
                    filters.push(self.filter()?);
                }
                Ok(StatementKind::Filter { filters, body: self.body_to(&["endfilter"])?.0 })
            }
            "with" => {
                let mut bindings = Vec::new();
                while !matches!(self.peek(), Token::BlockEnd) {
                    if !bindings.is_empty() {
                        self.expect_operator(",")?;
                    }
                    let target = self.target(false)?;
                    self.expect_operator("=")?;
                    bindings.push((target, self.expression()?));
                }
                Ok(StatementKind::With { bindings, body: self.body_to(&["endwith"])?.0 })
            }
            "print" => Ok(StatementKind::Print(self.all_expressions()?)),
            // Hugging Face's extension: marks the assistant's tokens for training and renders its body.
            "generation" => Ok(StatementKind::With { bindings: Vec::new(), body: self.body_to(&["endgeneration"])?.0 }),
            "break" if self.loops > 0 => Ok(StatementKind::Break),
            "continue" if self.loops > 0 => Ok(StatementKind::Continue),
            _ => Err(ErrorKind::Tag(tag.into())),
        }
    }

    fn if_statement(&mut self) -> Outcome<StatementKind> {
        let mut branches = Vec::new();
        loop {
            let test = self.tuple_without_conditional()?;
            let (body, end) = self.body_to(&["elif", "else", "endif"])?;
            branches.push((test, body));
            let otherwise = match &*end {
                "elif" => continue,
                "else" => self.body_to(&["endif"])?.0,
                _ => Vec::new(),
            };
            return Ok(StatementKind::If { branches, otherwise });
        }
    }

    fn for_statement(&mut self) -> Outcome<StatementKind> {
        let target = self.target(false)?;
        if !self.take_keyword("in") {
            return Err(ErrorKind::Expected("'in'"));
        }
        let iterable = self.tuple_without_conditional()?;
        let condition = if self.take_keyword("if") { Some(self.expression()?) } else { None };
        let recursive = self.take_keyword("recursive");
        self.loops += 1;
        let body = self.body_to(&["else", "endfor"]);
        self.loops -= 1;
        let (body, end) = body?;
        let otherwise = if &*end == "else" { self.body_to(&["endfor"])?.0 } else { Vec::new() };
        Ok(StatementKind::For { iterable, each: For { target, condition, body, otherwise, recursive } })
    }

    fn set_statement(&mut self) -> Outcome<StatementKind> {
        let target = self.target(true)?;
        if self.take_operator("=") {
            return Ok(StatementKind::Set(target, self.tuple()?));
        }
        let mut filters = Vec::new();
        while self.take_operator("|") {
            filters.push(self.filter()?);
        }
        Ok(StatementKind::SetBlock { name: target, filters, body: self.body_to(&["endset"])?.0 })
    }

    fn macro_body(
        &mut self,
        name: Box<str>,
        parameters: Vec<(Box<str>, Option<Expression>)>,
        end: &str,
    ) -> Outcome<Macro> {
        let loops = core::mem::take(&mut self.loops);
        let start = self.at;
        let body = self.body_to(&[end]);
        self.loops = loops;
        let body = body?.0;
        let tokens = &self.tokens[start..self.at];
        let uses =
            |wanted: &str| tokens.iter().any(|(token, _)| matches!(token, Token::Name(name) if **name == *wanted));
        Ok(Macro { name, parameters, body, uses_varargs: uses("varargs"), uses_kwargs: uses("kwargs") })
    }

    /// `(name, name=default, ...)`
    fn parameters(&mut self) -> Outcome<Vec<(Box<str>, Option<Expression>)>> {
        let mut parameters: Vec<(Box<str>, Option<Expression>)> = Vec::new();
        self.expect_operator("(")?;
        while !self.take_operator(")") {
            if !parameters.is_empty() {
                self.expect_operator(",")?;
                if self.take_operator(")") {
                    break;
                }
            }
            let name = self.name()?;
            let default = if self.take_operator("=") { Some(self.expression()?) } else { None };
            if default.is_none() && parameters.last().is_some_and(|(_, default)| default.is_some()) {
                return Err(ErrorKind::Expected("a default value"));
            }
            parameters.push((name, default));
        }
        Ok(parameters)
    }

    /// `a`, `a, b`, `(a, b)`, and in a `set` also `namespace.a`.
    fn target(&mut self, attributes: bool) -> Outcome<Target> {
        let first = self.single_target(attributes)?;
        if !self.is_operator(",") {
            return Ok(first);
        }
        let mut targets = alloc::vec![first];
        while self.take_operator(",") {
            if !matches!(self.peek(), Token::Name(name) if **name != *"in") && !self.is_operator("(") {
                break;
            }
            targets.push(self.single_target(attributes)?);
        }
        Ok(Target::Tuple(targets))
    }

    fn single_target(&mut self, attributes: bool) -> Outcome<Target> {
        if self.take_operator("(") {
            let inner = self.nested(|parser| parser.target(attributes))?;
            self.expect_operator(")")?;
            return Ok(inner);
        }
        let name = self.name()?;
        if matches!(&*name, "true" | "false" | "none" | "True" | "False" | "None" | "not" | "and" | "or" | "in" | "is")
        {
            return Err(ErrorKind::Expected("a name to assign to"));
        }
        if attributes && self.take_operator(".") {
            return Ok(Target::Attribute(name, self.name()?));
        }
        Ok(Target::Name(name))
    }

    /// What a `print` tag writes, one behind the other.
    fn all_expressions(&mut self) -> Outcome<Vec<Expression>> {
        let mut expressions = Vec::new();
        while !matches!(self.peek(), Token::BlockEnd) {
            if !expressions.is_empty() {
                self.expect_operator(",")?;
            }
            expressions.push(self.expression()?);
        }
        Ok(expressions)
    }

    /// A filter behind its `|`.
    pub(super) fn filter(&mut self) -> Outcome<Suffix> {
        let name = self.name()?;
        let arguments = if self.is_operator("(") { self.arguments()? } else { Arguments::default() };
        Ok(Suffix::Filter(name, arguments))
    }
}
