//! What one rendering may cost.

use super::error::{ErrorKind, Outcome};
use super::text::Text;
use super::value::{List, ListKind, Map, Value};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

/// Steps and bytes left. Memory is counted when it is taken and never given back, which bounds what is alive at once;
/// copying and comparing count too, so that time is bounded with it.
#[derive(Debug)]
pub(super) struct Budget {
    steps: Cell<u64>,
    bytes: Cell<u64>,
}

/// Bytes looked at for one step.
const SCAN_BYTES: usize = 64;

impl Budget {
    pub(super) fn new(steps: u64, bytes: u64) -> Self {
        Self { steps: Cell::new(steps), bytes: Cell::new(bytes) }
    }

    pub(super) fn step(&self, n: usize) -> Outcome<()> {
        self.steps.set(self.steps.get().checked_sub(n as u64).ok_or(ErrorKind::Steps)?);
        Ok(())
    }

    /// Looking at `n` bytes.
    pub(super) fn scan(&self, n: usize) -> Outcome<()> {
        self.step(n / SCAN_BYTES)
    }

    /// Before `n` bytes are taken.
    pub(super) fn take(&self, n: usize) -> Outcome<()> {
        self.bytes.set(self.bytes.get().checked_sub(n as u64).ok_or(ErrorKind::Memory)?);
        self.scan(n)
    }

    /// A new string. Its bytes were counted while it was put together or are no more than a counted string's.
    pub(super) fn text(&self, text: Text) -> Outcome<Value> {
        self.take(size_of::<Text>() + 2 * size_of::<usize>() + text.cost())?;
        Ok(Value::Text(Rc::new(text)))
    }

    /// A new string of the template's.
    pub(super) fn literal(&self, string: &str) -> Outcome<Value> {
        self.take(string.len())?;
        self.text(Text::literal(string))
    }

    pub(super) fn list(&self, kind: ListKind, items: Vec<Value>) -> Outcome<Value> {
        self.take(size_of::<List>() + size_of::<Value>() * items.len())?;
        Ok(Value::List(Rc::new(List::new(kind, items)?)))
    }

    pub(super) fn map(&self, entries: Vec<(Value, Value)>) -> Outcome<Value> {
        self.take(size_of::<Map>() + 2 * size_of::<Value>() * entries.len())?;
        Ok(Value::Map(Rc::new(Map::new(entries)?)))
    }

    /// Appends within the budget.
    pub(super) fn push(&self, out: &mut Text, other: &Text) -> Outcome<()> {
        self.take(other.cost())?;
        out.push(other);
        Ok(())
    }

    /// Appends template text within the budget.
    pub(super) fn push_literal(&self, out: &mut Text, string: &str) -> Outcome<()> {
        self.take(string.len())?;
        out.push_literal(string);
        Ok(())
    }
}
