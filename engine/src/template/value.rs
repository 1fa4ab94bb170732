//! Values of the template language: Python's, as far as chat templates see them.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::functions::Function;
use super::integers::{self, BigInt};
use super::methods::Method;
use super::text::Text;
use crate::chat::Message;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

/// A value. Cloning copies a reference at most.
#[derive(Clone, Debug)]
pub enum Value {
    /// A name or attribute that is not there.
    Undefined,
    /// `none`.
    None,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer beyond 64 bits; [`Value::number`] makes one.
    BigInt(Rc<BigInt>),
    /// A float.
    Float(f64),
    /// A string.
    Text(Rc<Text>),
    /// A list, a tuple or what a lazy filter gives.
    List(Rc<List>),
    /// A dictionary.
    Map(Rc<Map>),
    /// What `namespace()` makes: the one thing that can be changed.
    #[doc(hidden)]
    Namespace(Rc<RefCell<Vec<(String, Value)>>>),
    /// `loop`.
    #[doc(hidden)]
    Loop(Rc<Loop>),
    /// A built-in function.
    #[doc(hidden)]
    Function(Function),
    /// A method together with its object.
    #[doc(hidden)]
    Method(Rc<(Value, Method)>),
    /// A macro, by its number in the running template.
    #[doc(hidden)]
    Macro(usize),
}

/// How Python made a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// `[a, b]`
    List,
    /// `(a, b)`
    Tuple,
    /// What `groupby` gives: a tuple whose items are also `grouper` and `list`.
    Group,
    /// `range(n)`
    Range,
    /// What `keys`, `values` or `items` of a dictionary give, by its name: no sequence, but it has a length.
    View(&'static str),
    /// The result of a lazy filter: has no length and is always true.
    Generator,
}

/// A sequence of plain data.
#[derive(Debug)]
pub struct List {
    kind: ListKind,
    items: Vec<Value>,
    depth: u32,
}

impl List {
    pub(super) fn new(kind: ListKind, items: Vec<Value>) -> Outcome<Self> {
        let depth = depth_above(items.iter())?;
        Ok(Self { kind, items, depth })
    }

    pub(super) fn kind(&self) -> ListKind {
        self.kind
    }

    /// Whether its elements have places.
    pub(super) fn is_sequence(&self) -> bool {
        !matches!(self.kind, ListKind::View(_) | ListKind::Generator)
    }

    /// Whether it is a list or tuple.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.kind, ListKind::List | ListKind::Tuple | ListKind::Group)
    }

    pub(super) fn items(&self) -> &[Value] {
        &self.items
    }
}

/// A dictionary in insertion order.
#[derive(Debug)]
pub struct Map {
    entries: Vec<(Value, Value)>,
    depth: u32,
}

impl Map {
    /// The last of equal keys wins at the first one's place, as in Python; the caller has made keys unique.
    pub(super) fn new(entries: Vec<(Value, Value)>) -> Outcome<Self> {
        let depth = depth_above(entries.iter().flat_map(|(key, value)| [key, value]))?;
        Ok(Self { entries, depth })
    }

    pub(super) fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    /// The value of a string key.
    pub(super) fn text_key(&self, key: &str, budget: &Budget) -> Outcome<Option<&Value>> {
        budget.step(self.entries.len())?;
        let found = self.entries.iter().find(|(k, _)| matches!(k, Value::Text(text) if text.as_str() == key));
        Ok(found.map(|(_, value)| value))
    }
}

/// Values nested deeper than this are refused: what walks them recurses.
const MAX_DEPTH: u32 = 48;

/// Depth of a container of these. Only plain data goes into containers: no cycles, and nothing that keeps a template's
/// state alive.
fn depth_above<'v>(children: impl Iterator<Item = &'v Value>) -> Outcome<u32> {
    let mut deepest = 0;
    for child in children {
        deepest = deepest.max(match child {
            Value::List(list) => list.depth,
            Value::Map(map) => map.depth,
            Value::Namespace(_) | Value::Loop(_) | Value::Method(_) => {
                return Err(ErrorKind::Unsupported("a namespace, loop or method inside a container"));
            }
            _ => 0,
        });
    }
    if deepest >= MAX_DEPTH { Err(ErrorKind::Nesting) } else { Ok(deepest + 1) }
}

/// State of a running `for`.
#[derive(Debug)]
pub struct Loop {
    pub(super) items: Vec<Value>,
    pub(super) index0: Cell<usize>,
    /// Loops around it that `loop(...)` has opened.
    pub(super) depth0: usize,
    /// What `loop(...)` runs again, by its number in the running template.
    pub(super) again: Option<usize>,
    /// Arguments of the last `loop.changed`.
    pub(super) last_changed: RefCell<Option<Vec<Value>>>,
}

impl Value {
    /// A string of the template's or of the program's, in which control tokens count.
    pub fn literal(string: impl Into<String>) -> Self {
        Self::Text(Rc::new(Text::literal(string)))
    }

    /// A string of a message's, in which nothing is a control token.
    pub fn message_text(string: impl Into<String>) -> Self {
        Self::Text(Rc::new(Text::message(string)))
    }

    /// The number that a text in JSON's notation stands for: an integer with all its digits, up to [`MAX_DIGITS`], or
    /// the nearest float. `None` for what is no number and for one beyond every float.
    ///
    /// [`MAX_DIGITS`]: super::MAX_DIGITS
    pub fn number(text: &str) -> Option<Self> {
        let is_part = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
        if !text.bytes().all(is_part) {
            return None;
        }
        if text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
            return text.parse().ok().filter(|x: &f64| x.is_finite()).map(Self::Float);
        }
        integers::parse(text)
    }

    /// A list.
    ///
    /// # Errors
    /// Nested too deeply.
    pub fn list(items: Vec<Self>) -> Result<Self, ErrorKind> {
        Ok(Self::List(Rc::new(List::new(ListKind::List, items)?)))
    }

    /// A dictionary with string keys of a message's. Of equal keys the last value counts.
    ///
    /// # Errors
    /// Nested too deeply.
    pub fn map(entries: Vec<(String, Self)>) -> Result<Self, ErrorKind> {
        let mut position = alloc::collections::BTreeMap::new();
        let mut unique: Vec<(Self, Self)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match position.get(&key) {
                Some(&at) => {
                    let entry: &mut (Self, Self) = &mut unique[at];
                    entry.1 = value;
                }
                None => {
                    unique.push((Self::message_text(key.as_str()), value));
                    position.insert(key, unique.len() - 1);
                }
            }
        }
        Ok(Self::Map(Rc::new(Map::new(unique)?)))
    }

    /// A conversation as the `messages` of a template.
    pub fn messages(messages: &[Message<'_>]) -> Self {
        let message = |message: &Message<'_>| {
            let entries = alloc::vec![
                (Self::literal("role"), Self::literal(message.role.as_str())),
                (Self::literal("content"), Self::message_text(message.content)),
            ];
            Self::Map(Rc::new(Map { entries, depth: 1 }))
        };
        let items = messages.iter().map(message).collect();
        Self::List(Rc::new(List { kind: ListKind::List, items, depth: 2 }))
    }

    /// Bytes of all strings in it: what a rendering's memory budget grows with. Containers that a caller built hold
    /// no value twice, so this walks each once.
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::BigInt(n) => n.as_str().len(),
            Self::List(list) => list.items.iter().map(Self::text_bytes).sum(),
            Self::Map(map) => map.entries.iter().map(|(k, v)| k.text_bytes() + v.text_bytes()).sum(),
            _ => 0,
        }
    }

    pub(super) fn as_text(&self) -> Option<&Rc<Text>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Python's `int`, of which `bool` is one, where it has 64 bits.
    pub(super) fn as_int(&self) -> Option<i64> {
        match *self {
            Self::Int(n) => Some(n),
            Self::Bool(b) => Some(i64::from(b)),
            _ => None,
        }
    }

    pub(super) fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Float(x) => Some(x),
            Self::BigInt(ref n) => Some(n.as_f64()),
            _ => self.as_int().map(|n| n as f64),
        }
    }

    /// Python's truth.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::None => false,
            Self::Bool(b) => *b,
            Self::Int(n) => *n != 0,
            Self::Float(x) => *x != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty() || list.kind == ListKind::Generator,
            Self::Map(map) => !map.entries.is_empty(),
            _ => true,
        }
    }

    /// Python's `len`.
    pub(super) fn length(&self, budget: &Budget) -> Outcome<usize> {
        match self {
            Self::Undefined => Ok(0),
            Self::Text(text) => {
                budget.scan(text.len())?;
                Ok(text.as_str().chars().count())
            }
            Self::List(list) if list.kind != ListKind::Generator => Ok(list.items.len()),
            Self::Map(map) => Ok(map.entries.len()),
            Self::Loop(state) => Ok(state.items.len()),
            _ => Err(ErrorKind::Type("length")),
        }
    }

    /// What `for` goes over: characters, elements or keys.
    pub(super) fn iterate(&self, budget: &Budget) -> Outcome<Vec<Self>> {
        match self {
            Self::Undefined => Ok(Vec::new()),
            Self::Text(text) => {
                budget.take(text.len() * size_of::<Self>())?;
                let mut buffer = [0; 4];
                let character = |(at, c): (usize, char)| {
                    let mut one = Text::default();
                    one.push_derived(c.encode_utf8(&mut buffer), text, at);
                    budget.text(one)
                };
                text.as_str().char_indices().map(character).collect()
            }
            Self::List(list) => {
                budget.take(list.items.len() * size_of::<Self>())?;
                Ok(list.items.clone())
            }
            Self::Map(map) => {
                budget.take(map.entries.len() * size_of::<Self>())?;
                Ok(map.entries.iter().map(|(key, _)| key.clone()).collect())
            }
            _ => Err(ErrorKind::Type("iteration")),
        }
    }
}
