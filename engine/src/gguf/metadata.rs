//! Metadata: keys and typed values.

use super::{Cursor, Error, ErrorKind};

/// Least number of bytes of one entry: empty key (8), type (4), one byte of value.
pub(super) const MIN_BYTES: usize = 13;
/// Deepest nesting of arrays. Arrays of arrays are legal; no published file nests deeper than this.
pub const MAX_NESTING: u32 = 4;

/// The metadata value types, as numbered in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ValueType {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let error = |kind| cursor.error(kind);
        let number = cursor.clone().u32()?;
        let value_type = match number {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::String,
            9 => Self::Array,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            other => return Err(error(ErrorKind::ValueType(other))),
        };
        cursor.u32()?;
        Ok(value_type)
    }

    /// Number of bytes of one value; `None` for strings and arrays.
    pub fn fixed_bytes(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }
}

/// One key and its value.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// For example `llama.block_count`.
    pub key: &'a str,
    /// Its value.
    pub value: Value<'a>,
    /// Where the entry starts in the file.
    pub offset: u64,
}

impl<'a> Entry<'a> {
    pub(super) fn parse(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let offset = cursor.offset();
        let key = cursor.string()?;
        let value_type = ValueType::parse(cursor)?;
        let value = Value::parse(cursor, value_type, 0)?;
        Ok(Self { key, value, offset })
    }
}

/// A metadata value. Strings are bytes: real vocabularies hold pieces that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the names say it
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    U64(u64),
    I64(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    String(&'a [u8]),
    Array(Array<'a>),
}

impl<'a> Value<'a> {
    fn parse(cursor: &mut Cursor<'a>, value_type: ValueType, depth: u32) -> Result<Self, Error> {
        Ok(match value_type {
            ValueType::U8 => Self::U8(cursor.u8()?),
            ValueType::I8 => Self::I8(cursor.u8()? as i8),
            ValueType::U16 => Self::U16(fixed(cursor, u16::from_le_bytes)?),
            ValueType::I16 => Self::I16(fixed(cursor, i16::from_le_bytes)?),
            ValueType::U32 => Self::U32(cursor.u32()?),
            ValueType::I32 => Self::I32(fixed(cursor, i32::from_le_bytes)?),
            ValueType::U64 => Self::U64(cursor.u64()?),
            ValueType::I64 => Self::I64(fixed(cursor, i64::from_le_bytes)?),
            ValueType::F32 => Self::F32(fixed(cursor, f32::from_le_bytes)?),
            ValueType::F64 => Self::F64(fixed(cursor, f64::from_le_bytes)?),
            ValueType::Bool => {
                let error = |byte| cursor.error(ErrorKind::Bool(byte));
                match cursor.clone().u8()? {
                    byte @ (0 | 1) => {
                        cursor.u8()?;
                        Self::Bool(byte == 1)
                    }
                    byte => return Err(error(byte)),
                }
            }
            ValueType::String => Self::String(cursor.byte_string()?),
            ValueType::Array => Self::Array(Array::parse(cursor, depth)?),
        })
    }

    /// The value as u64, if the value is an integer that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U8(v) => Some(v.into()),
            Self::U16(v) => Some(v.into()),
            Self::U32(v) => Some(v.into()),
            Self::U64(v) => Some(v),
            Self::I8(v) => v.try_into().ok(),
            Self::I16(v) => v.try_into().ok(),
            Self::I32(v) => v.try_into().ok(),
            Self::I64(v) => v.try_into().ok(),
            _ => None,
        }
    }

    /// The value as i64, if the value is an integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::I8(v) => Some(v.into()),
            Self::I16(v) => Some(v.into()),
            Self::I32(v) => Some(v.into()),
            Self::I64(v) => Some(v),
            _ => self.as_u64()?.try_into().ok(),
        }
    }

    /// The value as f32, if the value is a float; f64 is rounded.
    pub fn as_f32(&self) -> Option<f32> {
        match *self {
            Self::F32(v) => Some(v),
            Self::F64(v) => Some(v as f32),
            _ => None,
        }
    }

    /// The value as a boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(v) => Some(v),
            _ => None,
        }
    }

    /// The bytes of a string, if the value is one.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Self::String(v) => Some(v),
            _ => None,
        }
    }

    /// The value as text, if the value is a string in UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The value as an array, if it is one.
    pub fn as_array(&self) -> Option<Array<'a>> {
        match *self {
            Self::Array(v) => Some(v),
            _ => None,
        }
    }
}

/// Reads `N` bytes and converts them with one of the standard conversions.
fn fixed<const N: usize, T>(cursor: &mut Cursor<'_>, convert: fn([u8; N]) -> T) -> Result<T, Error> {
    let mut bytes = [0; N];
    bytes.copy_from_slice(cursor.take(N)?);
    Ok(convert(bytes))
}

/// An array. Its elements stay in the file's bytes; parsing has checked all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    element: ValueType,
    len: usize,
    bytes: &'a [u8],
    depth: u32,
}

impl<'a> Array<'a> {
    fn parse(cursor: &mut Cursor<'a>, depth: u32) -> Result<Self, Error> {
        if depth >= MAX_NESTING {
            return Err(cursor.error(ErrorKind::Nesting));
        }
        let element = ValueType::parse(cursor)?;
        // An empty string is 8 bytes, an empty array 12.
        let min_bytes = element.fixed_bytes().unwrap_or(8);
        let len = cursor.count(min_bytes)?;
        let start = cursor.clone();
        match element.fixed_bytes() {
            // This product cannot overflow: `count` has checked that len * min_bytes bytes are left.
            Some(size) if element != ValueType::Bool => {
                cursor.take(len * size)?;
            }
            _ if element == ValueType::String => {
                for _ in 0..len {
                    cursor.byte_string()?;
                }
            }
            _ => {
                for _ in 0..len {
                    Value::parse(cursor, element, depth + 1)?;
                }
            }
        }
        let used = start.remaining() - cursor.remaining();
        let bytes = start.clone().take(used)?;
        Ok(Self { element, len, bytes, depth })
    }

    /// Type of the elements.
    pub fn element_type(&self) -> ValueType {
        self.element
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the array has no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements, in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let (element, depth) = (self.element, self.depth);
        let mut cursor = Cursor::new(self.bytes);
        // `parse` has read every element once, so none fails here; a failure would end the iteration.
        (0..self.len).map_while(move |_| Value::parse(&mut cursor, element, depth + 1).ok())
    }

    /// The elements, if they are strings.
    pub fn strings(&self) -> Option<Strings<'a>> {
        (self.element == ValueType::String).then(|| Strings { cursor: Cursor::new(self.bytes), left: self.len })
    }

    /// The elements, if they are of the type i32.
    pub fn i32s(&self) -> Option<impl Iterator<Item = i32> + use<'a>> {
        let bytes = self.bytes;
        (self.element == ValueType::I32).then(|| bytes.as_chunks().0.iter().map(|chunk| i32::from_le_bytes(*chunk)))
    }

    /// The elements as the file has them; strings and arrays with their lengths.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Iterator over an array of strings.
#[derive(Clone, Debug)]
pub struct Strings<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl Strings<'_> {
    /// Where the next string begins in [`Array::bytes`].
    pub fn offset(&self) -> u64 {
        self.cursor.offset()
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        self.cursor.byte_string().ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Strings<'_> {}
