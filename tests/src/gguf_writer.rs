//! A GGUF writer for tests: well-formed unless told otherwise.
//!
//! Every figure of the header can be wrong, and [`GgufWriter::finish`] returns the offset of each, so that a test can
//! write hostile values to all of them.

/// A metadata value as it lies in the file: the number of its type, and its bytes.
#[derive(Clone, Debug)]
pub struct Value {
    /// The type's number in the GGUF specification.
    pub value_type: u32,
    /// The bytes after the type.
    pub payload: Vec<u8>,
    /// Figures within the payload: offset, width in bytes, meaning.
    figures: Vec<(usize, usize, FigureKind)>,
}

/// Type numbers of metadata values.
#[allow(missing_docs)] // the names say it
pub mod value_type {
    pub const U8: u32 = 0;
    pub const I8: u32 = 1;
    pub const U16: u32 = 2;
    pub const I16: u32 = 3;
    pub const U32: u32 = 4;
    pub const I32: u32 = 5;
    pub const F32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const STRING: u32 = 8;
    pub const ARRAY: u32 = 9;
    pub const U64: u32 = 10;
    pub const I64: u32 = 11;
    pub const F64: u32 = 12;
}

impl Value {
    /// A value of any type from its bytes.
    pub fn raw(value_type: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { value_type, payload: payload.into(), figures: Vec::new() }
    }

    /// An unsigned 32-bit integer, the usual type of a hyperparameter.
    pub fn u32(v: u32) -> Self {
        Self::raw(value_type::U32, v.to_le_bytes())
    }

    /// An unsigned 64-bit integer.
    pub fn u64(v: u64) -> Self {
        Self::raw(value_type::U64, v.to_le_bytes())
    }

    /// A signed 32-bit integer.
    pub fn i32(v: i32) -> Self {
        Self::raw(value_type::I32, v.to_le_bytes())
    }

    /// A 32-bit float.
    pub fn f32(v: f32) -> Self {
        Self::raw(value_type::F32, v.to_le_bytes())
    }

    /// A boolean.
    pub fn bool(v: bool) -> Self {
        Self::raw(value_type::BOOL, [u8::from(v)])
    }

    /// A string, which need not be UTF-8.
    pub fn string(v: impl AsRef<[u8]>) -> Self {
        let mut value = Self::raw(value_type::STRING, []);
        value.push_string(v.as_ref());
        value
    }

    /// An array of `len` elements of a type from their bytes; the length may be wrong.
    pub fn array(element_type: u32, len: u64, elements: &[u8]) -> Self {
        let mut value = Self::raw(value_type::ARRAY, element_type.to_le_bytes());
        value.figures.push((0, 4, FigureKind::ValueType));
        value.figures.push((4, 8, FigureKind::ArrayLen));
        value.payload.extend(len.to_le_bytes());
        value.payload.extend(elements);
        value
    }

    /// An array of strings.
    pub fn strings<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> Self {
        let mut value = Self::array(value_type::STRING, 0, &[]);
        let mut len = 0u64;
        for string in strings {
            value.push_string(string.as_ref());
            len += 1;
        }
        value.payload[4..12].copy_from_slice(&len.to_le_bytes());
        value
    }

    /// An array of 32-bit floats.
    pub fn f32s(values: impl IntoIterator<Item = f32>) -> Self {
        let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        Self::array(value_type::F32, bytes.len() as u64 / 4, &bytes)
    }

    /// An array of signed 32-bit integers.
    pub fn i32s(values: impl IntoIterator<Item = i32>) -> Self {
        let bytes: Vec<u8> = values.into_iter().flat_map(i32::to_le_bytes).collect();
        Self::array(value_type::I32, bytes.len() as u64 / 4, &bytes)
    }

    fn push_string(&mut self, string: &[u8]) {
        self.figures.push((self.payload.len(), 8, FigureKind::StringLen));
        self.payload.extend((string.len() as u64).to_le_bytes());
        self.payload.extend(string);
    }
}

/// A tensor to write; `None` means the true figure.
#[derive(Clone, Debug, Default)]
pub struct Tensor {
    /// Its name, which need not be UTF-8.
    pub name: Vec<u8>,
    /// Extents, fastest-varying first.
    pub dims: Vec<u64>,
    /// The number of dimensions the file claims.
    pub n_dims: Option<u32>,
    /// The type's number in the GGUF specification.
    pub ggml_type: u32,
    /// The offset the file claims.
    pub offset: Option<u64>,
    /// The data itself.
    pub data: Vec<u8>,
}

/// The meaning of a figure in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum FigureKind {
    Version,
    TensorCount,
    EntryCount,
    KeyLen,
    ValueType,
    StringLen,
    ArrayLen,
    NameLen,
    DimCount,
    Dim,
    TensorType,
    TensorOffset,
}

/// The place of a figure.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// The meaning of the figure.
    pub kind: FigureKind,
    /// Bytes from the start of the file.
    pub offset: usize,
    /// 4 or 8 bytes.
    pub width: usize,
}

impl Figure {
    /// Overwrites the figure with the low bytes of `value`.
    pub fn patch(&self, bytes: &mut [u8], value: u64) {
        bytes[self.offset..][..self.width].copy_from_slice(&value.to_le_bytes()[..self.width]);
    }

    /// The figure as it stands.
    pub fn read(&self, bytes: &[u8]) -> u64 {
        let mut value = [0; 8];
        value[..self.width].copy_from_slice(&bytes[self.offset..][..self.width]);
        u64::from_le_bytes(value)
    }
}

/// A finished file.
#[derive(Clone, Debug)]
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// The figures of the header, in file order.
    pub figures: Vec<Figure>,
    /// The offset of the header's end.
    pub header_bytes: usize,
}

/// The file to be; `None` means the true figure.
#[derive(Clone, Debug)]
pub struct GgufWriter {
    /// `GGUF`.
    pub magic: [u8; 4],
    /// 3.
    pub version: u32,
    /// The number of tensors the file claims.
    pub n_tensors: Option<u64>,
    /// The number of metadata entries the file claims.
    pub n_entries: Option<u64>,
    /// The alignment tensors are laid out with; writing `general.alignment` is up to the caller.
    pub alignment: usize,
    /// Keys and values.
    pub entries: Vec<(Vec<u8>, Value)>,
    /// The tensors.
    pub tensors: Vec<Tensor>,
}

impl Default for GgufWriter {
    fn default() -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            n_tensors: None,
            n_entries: None,
            alignment: 32,
            entries: Vec::new(),
            tensors: Vec::new(),
        }
    }
}

impl GgufWriter {
    /// An empty, well-formed file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry.
    pub fn entry(mut self, key: impl AsRef<[u8]>, value: Value) -> Self {
        self.entries.push((key.as_ref().to_vec(), value));
        self
    }

    /// Adds a tensor of true figures.
    pub fn tensor(mut self, name: impl AsRef<[u8]>, dims: &[u64], ggml_type: u32, data: Vec<u8>) -> Self {
        let name = name.as_ref().to_vec();
        self.tensors.push(Tensor { name, dims: dims.to_vec(), ggml_type, data, ..Tensor::default() });
        self
    }

    /// Replaces the value of a key, or adds it.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.entries.iter_mut().find(|(k, _)| k == key.as_bytes()) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key.as_bytes().to_vec(), value)),
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|(k, _)| k != key.as_bytes());
    }

    /// The tensor of that name.
    pub fn tensor_mut(&mut self, name: &str) -> Option<&mut Tensor> {
        self.tensors.iter_mut().find(|tensor| tensor.name == name.as_bytes())
    }

    /// The file's bytes and where its figures lie.
    pub fn finish(&self) -> Written {
        let mut out = Output::default();
        out.bytes.extend(self.magic);
        out.u32(FigureKind::Version, self.version);
        out.u64(FigureKind::TensorCount, self.n_tensors.unwrap_or(self.tensors.len() as u64));
        out.u64(FigureKind::EntryCount, self.n_entries.unwrap_or(self.entries.len() as u64));
        for (key, value) in &self.entries {
            out.u64(FigureKind::KeyLen, key.len() as u64);
            out.bytes.extend(key);
            out.u32(FigureKind::ValueType, value.value_type);
            let start = out.bytes.len();
            out.figures.extend(value.figures.iter().map(|&(at, width, kind)| Figure {
                kind,
                offset: start + at,
                width,
            }));
            out.bytes.extend(&value.payload);
        }
        let mut next_offset = 0;
        for tensor in &self.tensors {
            out.u64(FigureKind::NameLen, tensor.name.len() as u64);
            out.bytes.extend(&tensor.name);
            out.u32(FigureKind::DimCount, tensor.n_dims.unwrap_or(tensor.dims.len() as u32));
            for &dim in &tensor.dims {
                out.u64(FigureKind::Dim, dim);
            }
            out.u32(FigureKind::TensorType, tensor.ggml_type);
            out.u64(FigureKind::TensorOffset, tensor.offset.unwrap_or(next_offset as u64));
            next_offset = (next_offset + tensor.data.len()).next_multiple_of(self.alignment);
        }
        let header_bytes = out.bytes.len();
        for tensor in &self.tensors {
            let start = out.bytes.len().next_multiple_of(self.alignment);
            out.bytes.resize(start, 0);
            out.bytes.extend(&tensor.data);
        }
        Written { bytes: out.bytes, figures: out.figures, header_bytes }
    }
}

#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    figures: Vec<Figure>,
}

impl Output {
    fn u32(&mut self, kind: FigureKind, value: u32) {
        self.figures.push(Figure { kind, offset: self.bytes.len(), width: 4 });
        self.bytes.extend(value.to_le_bytes());
    }

    fn u64(&mut self, kind: FigureKind, value: u64) {
        self.figures.push(Figure { kind, offset: self.bytes.len(), width: 8 });
        self.bytes.extend(value.to_le_bytes());
    }
}
