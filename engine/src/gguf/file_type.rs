//! `general.file_type`: the name that a quantizer gives its mix of tensor types.

use super::Gguf;

/// Names by number, as llama.cpp's `llama_ftype` counts them and file names spell them.
const NAMES: [&str; 42] = [
    "F32",
    "F16",
    "Q4_0",
    "Q4_1",
    "Q4_1_SOME_F16",
    "Q4_2",
    "Q4_3",
    "Q8_0",
    "Q5_0",
    "Q5_1",
    "Q2_K",
    "Q3_K_S",
    "Q3_K_M",
    "Q3_K_L",
    "Q4_K_S",
    "Q4_K_M",
    "Q5_K_S",
    "Q5_K_M",
    "Q6_K",
    "IQ2_XXS",
    "IQ2_XS",
    "Q2_K_S",
    "IQ3_XS",
    "IQ3_XXS",
    "IQ1_S",
    "IQ4_NL",
    "IQ3_S",
    "IQ3_M",
    "IQ2_S",
    "IQ2_M",
    "IQ4_XS",
    "IQ1_M",
    "BF16",
    "Q4_0_4_4",
    "Q4_0_4_8",
    "Q4_0_8_8",
    "TQ1_0",
    "TQ2_0",
    "MXFP4_MOE",
    "NVFP4",
    "Q1_0",
    "Q2_0",
];

impl Gguf<'_> {
    /// The file's name for its quantization, such as `Q4_K_M`; `None` if the file has no such key or the number is
    /// unknown.
    pub fn file_type(&self) -> Option<&'static str> {
        let number = self.value("general.file_type")?.as_u64()?;
        NAMES.get(usize::try_from(number).ok()?).copied()
    }
}
