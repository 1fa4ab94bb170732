//! A parsed template. Chains of operators and suffixes are flat lists: only real nesting nests.

use alloc::boxed::Box;
use alloc::vec::Vec;

pub(super) type Body = Vec<Statement>;

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) line: u32,
    pub(super) kind: StatementKind,
}

#[derive(Debug)]
pub(super) enum StatementKind {
    /// Text outside tags.
    Data(Box<str>),
    /// `{{ expression }}`
    Output(Expression),
    /// `{% print a, b %}`
    Print(Vec<Expression>),
    If {
        branches: Vec<(Expression, Body)>,
        otherwise: Body,
    },
    For {
        iterable: Expression,
        each: For,
    },
    Set(Target, Expression),
    /// `{% set name | filters %} body {% endset %}`
    SetBlock {
        name: Target,
        filters: Vec<Suffix>,
        body: Body,
    },
    Macro(Macro),
    /// `{% call(params) macro(...) %} body {% endcall %}`
    Call {
        caller: Macro,
        call: Expression,
    },
    Filter {
        filters: Vec<Suffix>,
        body: Body,
    },
    /// `{% with %}`, and `{% generation %}` with nothing to bind.
    With {
        bindings: Vec<(Target, Expression)>,
        body: Body,
    },
    Break,
    Continue,
}

/// A loop besides what it goes over.
#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) condition: Option<Expression>,
    pub(super) body: Body,
    pub(super) otherwise: Body,
    /// Whether `loop(sequence)` runs it again.
    pub(super) recursive: bool,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: Box<str>,
    pub(super) parameters: Vec<(Box<str>, Option<Expression>)>,
    pub(super) body: Body,
    /// Whether its body names `varargs` or `kwargs`, which take the arguments that no parameter does.
    pub(super) uses_varargs: bool,
    pub(super) uses_kwargs: bool,
}

/// What a `set` or a `for` assigns to.
#[derive(Debug)]
pub(super) enum Target {
    Name(Box<str>),
    /// `namespace.attribute`
    Attribute(Box<str>, Box<str>),
    Tuple(Vec<Target>),
}

#[derive(Debug)]
pub(super) enum Expression {
    None,
    Bool(bool),
    Int(i64),
    /// The digits of an integer beyond 64 bits.
    BigInt(Box<str>),
    Float(f64),
    Text(Box<str>),
    Name(Box<str>),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Positive(Box<Expression>),
    /// Operators of one precedence, from left to right.
    Arithmetic(Box<Expression>, Vec<(Arithmetic, Expression)>),
    /// `a ~ b ~ c`
    Concat(Vec<Expression>),
    /// `a < b <= c`: every neighbouring pair must hold.
    Compare(Box<Expression>, Vec<(Comparison, Expression)>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Conditional {
        value: Box<Expression>,
        test: Box<Expression>,
        otherwise: Option<Box<Expression>>,
    },
    Suffixed(Box<Expression>, Vec<Suffix>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

#[derive(Debug)]
pub(super) enum Suffix {
    Attribute(Box<str>),
    Index(Expression),
    /// `[start:stop:step]`
    Slice(Box<[Option<Expression>; 3]>),
    Call(Arguments),
    Filter(Box<str>, Arguments),
    Test {
        name: Box<str>,
        arguments: Arguments,
        negated: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Expression>,
    pub(super) keyword: Vec<(Box<str>, Expression)>,
    /// `*sequence`
    pub(super) more_positional: Option<Box<Expression>>,
    /// `**dictionary`
    pub(super) more_keyword: Option<Box<Expression>>,
}
