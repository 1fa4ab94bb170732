//! Places in a schema, for errors.

use super::super::error::GrammarError;
use alloc::string::{String, ToString};

/// A place, as steps from the place where a reference points to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    step: Step<'p>,
    above: Option<&'p Place<'p>>,
    depth: usize,
}

#[derive(Clone, Copy, Debug)]
enum Step<'p> {
    /// A JSON pointer from the root of the schema.
    Pointer(&'p str),
    Key(&'p str),
    Item(usize),
    /// A schema that was merged stands where its first part stood.
    Same,
}

impl<'p> Place<'p> {
    pub(super) fn root(pointer: &'p str) -> Self {
        Self { step: Step::Pointer(pointer), above: None, depth: 0 }
    }

    fn below(&'p self, step: Step<'p>) -> Self {
        Self { step, above: Some(self), depth: self.depth + 1 }
    }

    pub(super) fn key(&'p self, key: &'p str) -> Self {
        self.below(Step::Key(key))
    }

    pub(super) fn item(&'p self, at: usize) -> Self {
        self.below(Step::Item(at))
    }

    pub(super) fn same(&'p self) -> Self {
        self.below(Step::Same)
    }

    /// Number of steps.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// An error in a keyword here; empty for the schema itself.
    pub(super) fn error(&self, keyword: &str, problem: &'static str) -> GrammarError {
        let mut pointer = String::new();
        self.write(&mut pointer);
        GrammarError::Schema { pointer, keyword: keyword.to_string(), problem }
    }

    fn write(&self, out: &mut String) {
        if let Some(above) = self.above {
            above.write(out);
        }
        match self.step {
            Step::Pointer(pointer) => out.push_str(pointer),
            Step::Key(key) => {
                out.push('/');
                out.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Step::Item(at) => {
                out.push('/');
                out.push_str(&at.to_string());
            }
            Step::Same => {}
        }
    }
}
