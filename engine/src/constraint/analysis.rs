//! What is known of every part of a grammar before it is compiled.

use super::builder::{Expression, GrammarBuilder, Part, Rule};
use super::error::GrammarError;
use alloc::vec;
use alloc::vec::Vec;

/// Facts about the parts, by their numbers.
pub(super) struct Analysis {
    /// Parts that the empty text matches.
    pub(super) is_nullable: Vec<bool>,
    /// Parts that some text matches. Others are left out, so that an answer can always be brought to an end.
    pub(super) is_productive: Vec<bool>,
}

/// When something holds of a part.
enum Holds {
    Always,
    Never,
    /// If it holds of all these parts.
    IfAll,
    /// If it holds of one of them.
    IfAny,
}

impl Analysis {
    /// # Errors
    /// A rule that is used and not defined, or that begins with itself.
    pub(super) fn new(builder: &GrammarBuilder) -> Result<Self, GrammarError> {
        let undefined = |expression: &Expression| match expression {
            Expression::Rule(rule) if builder.rules[rule.0 as usize].body.is_none() => Some(*rule),
            _ => None,
        };
        if let Some(rule) = builder.expressions.iter().find_map(undefined) {
            return Err(GrammarError::Undefined { rule: name(builder, rule) });
        }
        let is_nullable = least_solution(builder, |expression| match expression {
            Expression::Bytes(_) | Expression::Token { .. } => Holds::Never,
            Expression::Repeat { min: 0, .. } => Holds::Always,
            Expression::Sequence(_) | Expression::Rule(_) | Expression::Repeat { .. } => Holds::IfAll,
            Expression::Alternatives(_) => Holds::IfAny,
        });
        let is_productive = least_solution(builder, |expression| match expression {
            Expression::Bytes(set) if set.is_empty() => Holds::Never,
            Expression::Bytes(_) | Expression::Token { .. } | Expression::Repeat { min: 0, .. } => Holds::Always,
            Expression::Sequence(_) | Expression::Rule(_) | Expression::Repeat { .. } => Holds::IfAll,
            Expression::Alternatives(_) => Holds::IfAny,
        });
        let analysis = Self { is_nullable, is_productive };
        match analysis.left_recursive(builder) {
            Some(rule) => Err(GrammarError::LeftRecursive { rule: name(builder, rule) }),
            None => Ok(analysis),
        }
    }

    /// A rule that is reached from itself through the beginnings of parts.
    fn left_recursive(&self, builder: &GrammarBuilder) -> Option<Rule> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; builder.expressions.len()];
        // A part and which of its inner parts is next.
        let mut path: Vec<(Part, usize)> = Vec::new();
        for start in (0..builder.expressions.len() as u32).map(Part) {
            if marks[start.0 as usize] != Mark::New {
                continue;
            }
            marks[start.0 as usize] = Mark::Open;
            path.push((start, 0));
            while let Some((part, next)) = path.last_mut() {
                let at = part.0 as usize;
                let inner = inner(builder, &builder.expressions[at]);
                // Of a sequence, only what stands behind nullable parts is a beginning.
                let is_behind = |i: usize| match builder.expressions[at] {
                    Expression::Sequence(_) => i > 0 && !self.is_nullable[inner[i - 1].0 as usize],
                    _ => false,
                };
                match inner.get(*next).copied().filter(|_| !is_behind(*next)) {
                    None => {
                        marks[at] = Mark::Done;
                        path.pop();
                    }
                    Some(child) => {
                        *next += 1;
                        match marks[child.0 as usize] {
                            Mark::Done => {}
                            Mark::New => {
                                marks[child.0 as usize] = Mark::Open;
                                path.push((child, 0));
                            }
                            Mark::Open => {
                                // Only a rule leads to a part with a smaller or equal number, so each cycle has one.
                                let rule = path.iter().rev().find_map(|(part, _)| rule_of(builder, *part));
                                return rule;
                            }
                        }
                    }
                }
            }
        }
        None
    }
}

fn rule_of(builder: &GrammarBuilder, part: Part) -> Option<Rule> {
    match builder.expressions[part.0 as usize] {
        Expression::Rule(rule) => Some(rule),
        _ => None,
    }
}

fn name(builder: &GrammarBuilder, rule: Rule) -> alloc::string::String {
    builder.rules[rule.0 as usize].name.clone()
}

/// The parts inside a part; of a rule, its body.
fn inner<'b>(builder: &'b GrammarBuilder, expression: &'b Expression) -> &'b [Part] {
    match expression {
        Expression::Sequence(parts) | Expression::Alternatives(parts) => parts,
        Expression::Repeat { part, .. } => core::slice::from_ref(part),
        Expression::Rule(rule) => builder.rules[rule.0 as usize].body.as_slice(),
        Expression::Bytes(_) | Expression::Token { .. } => &[],
    }
}

/// The parts of which something must hold, given when it holds; time and memory are linear in the grammar.
fn least_solution(builder: &GrammarBuilder, holds: impl Fn(&Expression) -> Holds) -> Vec<bool> {
    let n = builder.expressions.len();
    // For each part, the parts that it is inside of, once for each time.
    let mut users: Vec<Vec<u32>> = vec![Vec::new(); n];
    let mut n_missing = vec![0_usize; n];
    let mut is_solved = vec![false; n];
    let mut open = Vec::new();
    for (at, expression) in builder.expressions.iter().enumerate() {
        let parts = inner(builder, expression);
        n_missing[at] = match holds(expression) {
            Holds::Always => 0,
            Holds::Never => continue,
            Holds::IfAll => parts.len(),
            Holds::IfAny if parts.is_empty() => continue,
            Holds::IfAny => 1,
        };
        if n_missing[at] == 0 {
            is_solved[at] = true;
            open.push(at);
        } else {
            parts.iter().for_each(|part| users[part.0 as usize].push(at as u32));
        }
    }
    while let Some(at) = open.pop() {
        for &user in &users[at] {
            let user = user as usize;
            n_missing[user] = n_missing[user].saturating_sub(1);
            if n_missing[user] == 0 && !is_solved[user] {
                is_solved[user] = true;
                open.push(user);
            }
        }
    }
    is_solved
}
