//! Tokens to expressions, by Jinja's precedence: conditional, or, and, not, comparison, `+ -`, `~`, `* / // %`, `**`,
//! sign, then attributes, calls, filters and tests.

use super::ast::{Arguments, Arithmetic, Comparison, Expression, Suffix};
use super::error::{ErrorKind, Outcome};
use super::lexer::Token;
use super::parser::Parser;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

impl Parser<'_> {
    /// An expression, or several with commas between.
    pub(super) fn tuple(&mut self) -> Outcome<Expression> {
        self.tuple_of(Self::expression)
    }

    /// The same where `if` would mean something else.
    pub(super) fn tuple_without_conditional(&mut self) -> Outcome<Expression> {
        self.tuple_of(|parser| parser.nested(Self::or))
    }

    fn tuple_of(&mut self, element: impl Fn(&mut Self) -> Outcome<Expression>) -> Outcome<Expression> {
        let first = element(self)?;
        if !self.is_operator(",") {
            return Ok(first);
        }
        let mut elements = alloc::vec![first];
        while self.take_operator(",") {
            if matches!(self.peek(), Token::VariableEnd | Token::BlockEnd) || self.is_operator(")") {
                break;
            }
            elements.push(element(self)?);
        }
        Ok(Expression::Tuple(elements))
    }

    /// One expression.
    pub(super) fn expression(&mut self) -> Outcome<Expression> {
        /// `a if b if c ...` nests to the left without nesting the parser.
        const MAX_CHAINED: u32 = 8;
        self.nested(|parser| {
            let mut value = parser.or()?;
            for chained in 0.. {
                if !parser.take_keyword("if") {
                    break;
                }
                if chained == MAX_CHAINED {
                    return Err(ErrorKind::Nesting);
                }
                let test = Box::new(parser.or()?);
                let otherwise = if parser.take_keyword("else") { Some(Box::new(parser.expression()?)) } else { None };
                value = Expression::Conditional { value: Box::new(value), test, otherwise };
            }
            Ok(value)
        })
    }

    fn or(&mut self) -> Outcome<Expression> {
        let mut operands = alloc::vec![self.and()?];
        while self.take_keyword("or") {
            operands.push(self.and()?);
        }
        Ok(single(operands, Expression::Or))
    }

    fn and(&mut self) -> Outcome<Expression> {
        let mut operands = alloc::vec![self.not()?];
        while self.take_keyword("and") {
            operands.push(self.not()?);
        }
        Ok(single(operands, Expression::And))
    }

    fn not(&mut self) -> Outcome<Expression> {
        if self.take_keyword("not") {
            return Ok(Expression::Not(Box::new(self.nested(Self::not)?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Outcome<Expression> {
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let operator = match self.peek() {
                Token::Operator("==") => Comparison::Equal,
                Token::Operator("!=") => Comparison::NotEqual,
                Token::Operator("<") => Comparison::Less,
                Token::Operator("<=") => Comparison::LessOrEqual,
                Token::Operator(">") => Comparison::Greater,
                Token::Operator(">=") => Comparison::GreaterOrEqual,
                Token::Name(name) if **name == *"in" => Comparison::In,
                Token::Name(name) if **name == *"not" => match self.peek_second() {
                    Token::Name(second) if **second == *"in" => {
                        self.next();
                        Comparison::NotIn
                    }
                    _ => break,
                },
                _ => break,
            };
            self.next();
            rest.push((operator, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Compare(Box::new(first), rest) })
    }

    fn sum(&mut self) -> Outcome<Expression> {
        self.arithmetic(&[("+", Arithmetic::Add), ("-", Arithmetic::Subtract)], Self::concat)
    }

    fn concat(&mut self) -> Outcome<Expression> {
        let mut operands = alloc::vec![self.product()?];
        while self.take_operator("~") {
            operands.push(self.product()?);
        }
        Ok(single(operands, Expression::Concat))
    }

    fn product(&mut self) -> Outcome<Expression> {
        let operators = [
            ("*", Arithmetic::Multiply),
            ("/", Arithmetic::Divide),
            ("//", Arithmetic::FloorDivide),
            ("%", Arithmetic::Modulo),
        ];
        self.arithmetic(&operators, Self::power)
    }

    fn power(&mut self) -> Outcome<Expression> {
        self.arithmetic(&[("**", Arithmetic::Power)], |parser| parser.unary(true))
    }

    /// Operands joined by any of the operators, from left to right.
    fn arithmetic(
        &mut self,
        operators: &[(&str, Arithmetic)],
        operand: impl Fn(&mut Self) -> Outcome<Expression>,
    ) -> Outcome<Expression> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let Some(&(_, operator)) = operators.iter().find(|(text, _)| self.is_operator(text)) {
            self.next();
            rest.push((operator, operand(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Arithmetic(Box::new(first), rest) })
    }

    fn unary(&mut self, with_filters: bool) -> Outcome<Expression> {
        let base = if self.take_operator("-") {
            Expression::Negative(Box::new(self.nested(|parser| parser.unary(false))?))
        } else if self.take_operator("+") {
            Expression::Positive(Box::new(self.nested(|parser| parser.unary(false))?))
        } else {
            self.primary()?
        };
        let mut suffixes = Vec::new();
        loop {
            if self.take_operator(".") {
                suffixes.push(match self.next() {
                    Token::Name(name) => Suffix::Attribute(name.clone()),
                    Token::Int(n) => Suffix::Index(Expression::Int(*n)),
                    _ => return Err(ErrorKind::Expected("an attribute's name")),
                });
            } else if self.take_operator("[") {
                suffixes.push(self.nested(Self::subscript)?);
            } else if self.is_operator("(") {
                suffixes.push(Suffix::Call(self.arguments()?));
            } else {
                break;
            }
        }
        if with_filters {
            self.filters_and_tests(&mut suffixes)?;
        }
        Ok(if suffixes.is_empty() { base } else { Expression::Suffixed(Box::new(base), suffixes) })
    }

    fn filters_and_tests(&mut self, suffixes: &mut Vec<Suffix>) -> Outcome<()> {
        loop {
            if self.take_operator("|") {
                suffixes.push(self.filter()?);
            } else if self.take_keyword("is") {
                suffixes.push(self.test()?);
            } else if self.is_operator("(") {
                suffixes.push(Suffix::Call(self.arguments()?));
            } else {
                return Ok(());
            }
        }
    }

    fn primary(&mut self) -> Outcome<Expression> {
        Ok(match self.next() {
            Token::Name(name) => match &**name {
                "true" | "True" => Expression::Bool(true),
                "false" | "False" => Expression::Bool(false),
                "none" | "None" => Expression::None,
                _ => Expression::Name(name.clone()),
            },
            Token::Text(first) => {
                let mut text = String::from(&**first);
                while let Token::Text(more) = self.peek() {
                    text.push_str(more);
                    self.next();
                }
                Expression::Text(text.into())
            }
            Token::Int(n) => Expression::Int(*n),
            Token::BigInt(digits) => Expression::BigInt(digits.clone()),
            Token::Float(x) => Expression::Float(*x),
            Token::Operator("(") => {
                if self.take_operator(")") {
                    return Ok(Expression::Tuple(Vec::new()));
                }
                let inner = self.tuple()?;
                self.expect_operator(")")?;
                inner
            }
            Token::Operator("[") => Expression::List(self.sequence("]", |parser| parser.expression())?),
            Token::Operator("{") => Expression::Map(self.sequence("}", |parser| {
                let key = parser.expression()?;
                parser.expect_operator(":")?;
                Ok((key, parser.expression()?))
            })?),
            _ => return Err(ErrorKind::Expected("an expression")),
        })
    }

    /// Elements with commas between, one allowed at the end, up to `end`.
    fn sequence<T>(&mut self, end: &'static str, element: impl Fn(&mut Self) -> Outcome<T>) -> Outcome<Vec<T>> {
        let mut elements = Vec::new();
        while !self.take_operator(end) {
            if !elements.is_empty() {
                self.expect_operator(",")?;
                if self.take_operator(end) {
                    break;
                }
            }
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// What stands in `[...]`.
    fn subscript(&mut self) -> Outcome<Suffix> {
        let ends_part = |parser: &Self| parser.is_operator(":") || parser.is_operator("]");
        let mut parts = [const { None }; 3];
        let mut n = 0;
        loop {
            if !ends_part(self) {
                parts[n] = Some(self.expression()?);
            }
            if n == 2 || !self.take_operator(":") {
                break;
            }
            n += 1;
        }
        if self.is_operator(",") {
            return Err(ErrorKind::Unsupported("a subscript with several parts"));
        }
        self.expect_operator("]")?;
        if n > 0 {
            return Ok(Suffix::Slice(Box::new(parts)));
        }
        let [index, ..] = parts;
        index.map(Suffix::Index).ok_or(ErrorKind::Expected("a subscript"))
    }

    /// What stands behind `is`.
    fn test(&mut self) -> Outcome<Suffix> {
        let negated = self.take_keyword("not");
        let name = self.name()?;
        let mut arguments = Arguments::default();
        let starts_argument = match self.peek() {
            Token::Operator("(") => {
                arguments = self.arguments()?;
                false
            }
            Token::Name(next) => !matches!(&**next, "else" | "or" | "and" | "is" | "if" | "not" | "in"),
            Token::Text(_) | Token::Int(_) | Token::BigInt(_) | Token::Float(_) | Token::Operator("[" | "{") => true,
            _ => false,
        };
        if starts_argument {
            // As in Jinja: a primary with its attributes and calls, no filters.
            arguments.positional.push(self.nested(|parser| parser.unary(false))?);
        } else if self.is_keyword("is") {
            return Err(ErrorKind::Expected("one test"));
        }
        Ok(Suffix::Test { name, arguments, negated })
    }

    /// `(a, b, *c, name=d, **e)`
    pub(super) fn arguments(&mut self) -> Outcome<Arguments> {
        let mut arguments = Arguments::default();
        self.expect_operator("(")?;
        let parsed = self.sequence(")", |parser| {
            if parser.take_operator("*") {
                return Ok((Argument::MorePositional, parser.expression()?));
            }
            if parser.take_operator("**") {
                return Ok((Argument::MoreKeyword, parser.expression()?));
            }
            if let (Token::Name(name), Token::Operator("=")) = (parser.peek(), parser.peek_second()) {
                parser.next();
                parser.next();
                return Ok((Argument::Keyword(name.clone()), parser.expression()?));
            }
            Ok((Argument::Positional, parser.expression()?))
        })?;
        for (argument, value) in parsed {
            let Arguments { positional, keyword, more_positional, more_keyword } = &mut arguments;
            // What Jinja allows behind what.
            match argument {
                Argument::Keyword(name) if more_keyword.is_none() => keyword.push((name, value)),
                Argument::Positional if keyword.is_empty() && more_positional.is_none() && more_keyword.is_none() => {
                    positional.push(value);
                }
                Argument::MorePositional if more_positional.is_none() && more_keyword.is_none() => {
                    *more_positional = Some(Box::new(value));
                }
                Argument::MoreKeyword if more_keyword.is_none() => *more_keyword = Some(Box::new(value)),
                _ => return Err(ErrorKind::Expected("arguments in order")),
            }
        }
        Ok(arguments)
    }
}

/// How an argument is given.
enum Argument {
    Positional,
    Keyword(Box<str>),
    MorePositional,
    MoreKeyword,
}

/// The operand alone, or the chain of them.
fn single(mut operands: Vec<Expression>, chain: impl FnOnce(Vec<Expression>) -> Expression) -> Expression {
    match operands.len() {
        1 => operands.swap_remove(0),
        _ => chain(operands),
    }
}
