//! In place of `constraint/` in a build without the feature `constraints`: no answer is held to a grammar, so the types
//! have no values, and the compiler leaves out what would use them.

/// Never made.
#[derive(Clone, Debug)]
pub enum Constraint {}

/// Never made.
#[derive(Clone, Debug)]
pub enum TokenSet {}

impl Constraint {
    /// Never called.
    pub fn mask(&mut self) -> &TokenSet {
        match *self {}
    }

    /// Never called.
    pub fn accept(&mut self, _: u32) -> bool {
        match *self {}
    }

    /// Never called.
    pub fn is_complete(&self) -> bool {
        match *self {}
    }
}

impl TokenSet {
    /// Never called.
    pub fn is_empty(&self) -> bool {
        match *self {}
    }

    /// Never called.
    pub(crate) fn copy(&self, _: &[f32], _: &mut [f32]) {
        match *self {}
    }
}
