//! The formats by name, with their sizes.

use super::for_each_format;
use crate::activations::ActivationType;

/// Type numbers of the GGUF specification that this crate does not compute with: number, name, weights per block, bytes
/// per block.
const OTHER_TYPES: [(u32, &str, usize, usize); 6] =
    [(9, "Q8_1", 32, 36), (24, "I8", 1, 1), (25, "I16", 1, 2), (26, "I32", 1, 4), (27, "I64", 1, 8), (28, "F64", 1, 8)];

fn other_type(number: u32) -> Option<&'static (u32, &'static str, usize, usize)> {
    OTHER_TYPES.iter().find(|row| row.0 == number)
}

/// Type numbers that the field has given up: number, name, and the type that such files are made in now. Names with
/// four or more weights side by side are rows interleaved for one CPU; programs that want that do it at load now.
const WITHDRAWN: [(u32, &str, &str); 8] = [
    (4, "Q4_2", "Q4_0"),
    (5, "Q4_3", "Q4_1"),
    (31, "Q4_0_4_4", "Q4_0"),
    (32, "Q4_0_4_8", "Q4_0"),
    (33, "Q4_0_8_8", "Q4_0"),
    (36, "IQ4_NL_4_4", "IQ4_NL"),
    (37, "IQ4_NL_4_8", "IQ4_NL"),
    (38, "IQ4_NL_8_8", "IQ4_NL"),
];

/// Name and successor of a type number that was given up.
pub fn ggml_withdrawn(number: u32) -> Option<(&'static str, &'static str)> {
    WITHDRAWN.iter().find(|row| row.0 == number).map(|row| (row.1, row.2))
}

/// Weights and bytes per block of a GGUF type number, computable or not.
pub fn ggml_block(number: u32) -> Option<(usize, usize)> {
    match WeightType::from_ggml(number) {
        Some(weight_type) => Some((weight_type.block_len(), weight_type.block_bytes())),
        None => other_type(number).map(|row| (row.2, row.3)),
    }
}

/// The field's name of a GGUF type number.
pub fn ggml_name(number: u32) -> &'static str {
    match WeightType::from_ggml(number) {
        Some(weight_type) => weight_type.name(),
        None => other_type(number).map_or("unknown", |row| row.1),
    }
}

/// [`WeightType`] from the list of formats.
macro_rules! weight_type {
    ($(($name:ident, $number:literal, $len:literal, $bytes:literal, $shape:ident, $module:ident::$block:ident))*) => {
        /// The weight formats this crate computes with. The discriminants index kernel tables.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types, missing_docs)] // the field's own names
        pub enum WeightType {
            $($name,)*
        }

        impl WeightType {
            /// Every format, in discriminant order.
            pub const ALL: [Self; [$($number),*].len()] = [$(Self::$name),*];

            /// The number GGUF files use.
            pub const fn ggml_type(self) -> u32 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// The field's name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Weights per block.
            pub const fn block_len(self) -> usize {
                match self {
                    $(Self::$name => $len,)*
                }
            }

            /// Bytes per block.
            pub const fn block_bytes(self) -> usize {
                match self {
                    $(Self::$name => $bytes,)*
                }
            }
        }

        // Blocks are read where they lie, at any address.
        const _: () = {
            $(
                assert!(size_of::<super::$module::$block>() == $bytes);
                assert!(align_of::<super::$module::$block>() == 1);
            )*
        };
    };
}

for_each_format!([weight_type]);

impl WeightType {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The format of a GGUF type number, if this crate computes with it.
    pub fn from_ggml(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.ggml_type() == number)
    }

    /// The kind of activations its products take.
    pub const fn activation(self) -> ActivationType {
        match self.block_len() {
            1 => ActivationType::F32,
            256 => ActivationType::Q8K,
            _ => ActivationType::Q8,
        }
    }

    /// Bytes of a row of `n_cols` weights; `None` if that is no whole number of blocks.
    pub const fn row_bytes(self, n_cols: usize) -> Option<usize> {
        if n_cols.is_multiple_of(self.block_len()) {
            (n_cols / self.block_len()).checked_mul(self.block_bytes())
        } else {
            None
        }
    }
}
