//! GGUF files that accompany a language model but are not one.

use super::Gguf;
use core::fmt;

/// What a file contains instead of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Low-rank changes to another model's weights.
    Adapter,
    /// The encoder of images or sound that goes with a model.
    Projector,
    /// Statistics that a quantizer reads.
    ImportanceMatrix,
    /// Directions that are added to another model's hidden states.
    ControlVector,
    /// A tokenizer alone.
    Vocabulary,
}

impl FileKind {
    /// What the file declares itself to be; `None` for a model and for a file without such a declaration.
    pub fn of(gguf: &Gguf<'_>) -> Option<Self> {
        let text = |key: &str| gguf.value(key).and_then(|value| value.as_bytes()).unwrap_or_default();
        let has = |key: &str| gguf.value(key).is_some();
        // `general.type` is newer than the other keys, so older files lack it.
        match (text("general.type"), text("general.architecture")) {
            (b"adapter", _) => Some(Self::Adapter),
            (b"mmproj", _) | (_, b"clip") => Some(Self::Projector),
            (b"imatrix", _) => Some(Self::ImportanceMatrix),
            (_, b"controlvector") => Some(Self::ControlVector),
            _ if has("adapter.type") => Some(Self::Adapter),
            _ if has("imatrix.chunk_count") => Some(Self::ImportanceMatrix),
            _ if has("controlvector.model_hint") => Some(Self::ControlVector),
            _ if gguf.tensors().is_empty() && has("tokenizer.ggml.tokens") => Some(Self::Vocabulary),
            _ => None,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adapter => {
                "this is a LoRA adapter, which changes another model; take that model's file, with the adapter merged into it"
            }
            Self::Projector => {
                "this is the image or sound part (mmproj) that goes with a model; take the language model's own file"
            }
            Self::ImportanceMatrix => {
                "this is an importance matrix (imatrix), which a quantizer reads; take the model's own file"
            }
            Self::ControlVector => "this is a control vector, which steers another model; take that model's file",
            Self::Vocabulary => "this is a vocabulary without weights; take the file that has them",
        })
    }
}
