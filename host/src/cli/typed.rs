//! Kinds of values, with the types in which commands receive them.

use super::value::{Date, Kind, Value};
use std::marker::PhantomData;
use std::path::Path;

/// A kind whose values are a `T`. Only this module creates kinds, so that kind and type agree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<T: ?Sized> {
    kind: Kind,
    value: PhantomData<T>,
}

impl<T: ?Sized> Of<T> {
    const fn new(kind: Kind) -> Self {
        Self { kind, value: PhantomData }
    }

    pub(crate) const fn kind(self) -> Kind {
        self.kind
    }
}

impl Of<()> {
    pub(crate) const SWITCH: Self = Self::new(Kind::Switch);
}

/// Any UTF-8 text.
pub(crate) const TEXT: Of<str> = Of::new(Kind::Text);
/// A path.
pub(crate) const PATH: Of<Path> = Of::new(Kind::Path);
/// Token ids.
pub(crate) const IDS: Of<[u32]> = Of::new(Kind::Ids);
/// CPUs.
pub(crate) const CPUS: Of<[usize]> = Of::new(Kind::Cpus);
/// A day.
pub(crate) const DATE: Of<Date> = Of::new(Kind::Date);
/// The origin of web pages.
#[cfg(feature = "serve")]
pub(crate) const ORIGIN: Of<str> = Of::new(Kind::Origin);

/// One of these words.
pub(crate) const fn choice(words: &'static [&'static str]) -> Of<str> {
    Of::new(Kind::Choice(words))
}

/// A whole number.
pub(crate) const fn count(min: u64, max: u64) -> Of<usize> {
    Of::new(Kind::Count { min, max })
}

/// A whole number of 64 bits on any machine.
pub(crate) const fn wide_count(min: u64, max: u64) -> Of<u64> {
    Of::new(Kind::Count { min, max })
}

/// A whole number, or no limit, which is the largest.
pub(crate) const fn limit(min: u64, max: u64) -> Of<usize> {
    Of::new(Kind::Limit { min, max })
}

/// A number of bytes.
#[cfg_attr(not(feature = "disk-cache"), expect(dead_code, reason = "for the flags of the cache"))]
pub(crate) const fn bytes(min: u64) -> Of<u64> {
    Of::new(Kind::Bytes { min })
}

/// A number.
pub(crate) const fn number(min: f32, max: f32) -> Of<f32> {
    Of::new(Kind::Number { min, max })
}

/// Whole numbers.
pub(crate) const fn counts(min: u64, max: u64) -> Of<[usize]> {
    Of::new(Kind::Counts { min, max })
}

/// A value as commands receive it.
pub(crate) trait Typed {
    /// A copy of a small value, or a reference to a large one.
    type Seen<'v>;

    /// `None` for a value of another type.
    fn seen(value: &Value) -> Option<Self::Seen<'_>>;
}

macro_rules! typed {
    ($($type:ty => $seen:ty, $pattern:pat => $value:expr;)*) => {
        $(impl Typed for $type {
            type Seen<'v> = $seen;

            fn seen(value: &Value) -> Option<Self::Seen<'_>> {
                match value {
                    $pattern => Some($value),
                    _ => None,
                }
            }
        })*
    };
}

typed! {
    usize => usize, Value::Count(n) => usize::try_from(*n).unwrap_or(usize::MAX);
    u64 => u64, Value::Count(n) => *n;
    f32 => f32, Value::Number(x) => *x;
    str => &'v str, Value::Text(text) => text;
    Path => &'v Path, Value::Path(path) => path;
    [usize] => &'v [usize], Value::Counts(list) | Value::Cpus(list) => list;
    [u32] => &'v [u32], Value::Ids(ids) => ids;
    Date => Date, Value::Date(date) => *date;
}
