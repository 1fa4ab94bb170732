//! Words on the command line that mean a model, and words that people take for one.

use crate::file_kind;
use crate::parts::PartName;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// Names of a directory's model files that an error lists at most.
const MAX_LISTED: usize = 8;

/// How GGUF files begin.
const MAGIC: &[u8] = b"GGUF";
/// Bytes from the start of a file that are read to recognize its kind.
const HEAD_BYTES: u64 = 4096;

/// Endings of model files that are not GGUF, and what they are.
const OTHER_FORMATS: &[(&str, &str)] = &[
    ("safetensors", "safetensors weights"),
    ("bin", "PyTorch or old ggml weights"),
    ("pt", "PyTorch weights"),
    ("pth", "PyTorch weights"),
    ("ckpt", "a training checkpoint"),
    ("onnx", "an ONNX graph"),
    ("tflite", "a TensorFlow Lite graph"),
    ("ggml", "an old ggml file"),
    ("npz", "NumPy arrays"),
    ("llamafile", "a llamafile"),
];

/// A word that is no model file, and what it is instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotAModel {
    given: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Weights in another format.
    OtherFormat(&'static str),
    /// The address of a file.
    Address(String),
    /// A repository of Hugging Face: `owner/name`.
    Repository(String),
    /// The name of a model in another program's store, like `llama3.2:1b`.
    StoreName,
    /// A directory and the model files in it.
    Directory(Vec<String>),
    /// A file without GGUF's magic, and what its first bytes say.
    OtherFile(Option<Cow<'static, str>>),
}

impl fmt::Display for NotAModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = &self.given;
        match &self.kind {
            Kind::OtherFormat(what) => write!(
                f,
                "'{given}' is {what}, no .gguf file; take the model's .gguf file, or convert it with llama.cpp's \
                 convert_hf_to_gguf.py"
            ),
            Kind::Address(address) => write!(
                f,
                "'{given}' is an address, and a .gguf file on this machine is wanted (nanocamelid opens no network \
                 connection); fetch the file first: curl -L -O {address}"
            ),
            Kind::Repository(repository) => write!(
                f,
                "'{given}' is a repository, and a .gguf file is wanted; fetch one of its files first: curl -L -O \
                 https://huggingface.co/{repository}/resolve/main/FILE.gguf"
            ),
            Kind::StoreName => write!(
                f,
                "'{given}' is a name in another program's store, and the path of a .gguf file is wanted (a file with \
                 GGUF's magic is taken whatever its name)"
            ),
            Kind::Directory(files) if files.is_empty() => {
                write!(f, "'{given}' is a directory without a .gguf file in it")
            }
            Kind::Directory(files) => {
                let listed = files[..files.len().min(MAX_LISTED)].join(", ");
                write!(f, "'{given}' is a directory; give one of the .gguf files in it: {listed}")?;
                match files.len().saturating_sub(MAX_LISTED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Kind::OtherFile(what) => {
                let what = what.as_deref().unwrap_or("a file, but no model: it does not begin with GGUF's magic");
                write!(f, "'{given}' is {what}; -f {given} would take a prompt from it")
            }
        }
    }
}

/// Whether a word names a model where other words may stand, too: it ends in `.gguf`, is an alias, or is a file that
/// begins with GGUF's magic whatever its name (stores of other programs name files by their digest).
pub(crate) fn names_model(word: &OsStr) -> bool {
    ends_in(word, "gguf")
        || word.to_str().is_some_and(|word| crate::resolve::alias(word).is_some())
        || has_magic(Path::new(word))
}

/// Recognizes a word that can only be a mistaken model, even where a prompt may stand. A longer text that mentions an
/// address or a file is a prompt.
pub(crate) fn certainly_not_a_model(word: &OsStr) -> Option<NotAModel> {
    let found = not_a_model(word)?;
    let text = found.given.to_lowercase();
    let is_certain = match &found.kind {
        Kind::OtherFormat(_) => true,
        Kind::Address(_) => text.ends_with(".gguf"),
        Kind::Repository(_) => is_at_hub(&text) || text.contains("gguf"),
        Kind::Directory(files) => !files.is_empty() || text.contains('/'),
        Kind::OtherFile(what) => what.is_some() && text.contains(['.', '/']),
        Kind::StoreName => false,
    };
    is_certain.then_some(found)
}

/// Recognizes a word that stands where only a model may stand.
pub(crate) fn not_a_model(word: &OsStr) -> Option<NotAModel> {
    let given = word.to_string_lossy().into_owned();
    let path = Path::new(word);
    let kind = if path.is_dir() {
        Kind::Directory(model_files(path))
    } else if given.is_empty() || given.contains(char::is_whitespace) {
        return None;
    } else if path.is_file() {
        let head = head(path);
        if head.starts_with(MAGIC) {
            return None;
        }
        let by_name = OTHER_FORMATS.iter().find(|(ending, _)| ends_in(word, ending));
        match (file_kind::of(&head), by_name) {
            (None, Some((_, what))) => Kind::OtherFormat(what),
            (what, _) => Kind::OtherFile(what),
        }
    } else if given.to_lowercase().contains(".gguf.") {
        Kind::OtherFormat("an archive or an unfinished download")
    } else if let Some((_, what)) = OTHER_FORMATS.iter().find(|(ending, _)| ends_in(word, ending)) {
        match is_address(&given) {
            true => Kind::Address(given.clone()),
            false => Kind::OtherFormat(what),
        }
    } else {
        remote(&given)?
    };
    Some(NotAModel { given, kind })
}

/// Addresses, repositories and names of stores.
fn remote(word: &str) -> Option<Kind> {
    let bare = word.split_once("://").map_or(word, |(_, rest)| rest);
    if is_at_hub(&word.to_lowercase()) {
        let at = bare.find('/')?;
        let parts: Vec<&str> = bare[at + 1..].split('/').filter(|part| !part.is_empty()).collect();
        return match parts[..] {
            [owner, name, "blob" | "resolve", ref rest @ ..] if !rest.is_empty() => {
                Some(Kind::Address(format!("https://huggingface.co/{owner}/{name}/resolve/{}", rest.join("/"))))
            }
            // The tag behind a colon picks one of the repository's files.
            [owner, name, ..] => Some(Kind::Repository(format!("{owner}/{}", name.split(':').next().unwrap_or(name)))),
            _ => None,
        };
    }
    if is_address(word) {
        return Some(Kind::Address(word.to_owned()));
    }
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    };
    let (name, tag) = word.split_once(':').map_or((word, None), |(name, tag)| (name, Some(tag)));
    if ends_in(OsStr::new(name), "gguf") || tag.is_some_and(|tag| !is_name(tag)) {
        return None;
    }
    match (name.split_once('/'), tag) {
        (Some((owner, name)), _) if is_name(owner) && is_name(name) && !owner.starts_with('.') => {
            Some(Kind::Repository(format!("{owner}/{name}")))
        }
        (None, Some(_)) if is_name(name) => Some(Kind::StoreName),
        _ => None,
    }
}

fn is_address(word: &str) -> bool {
    let scheme = word.split_once("://").map_or("", |(scheme, _)| scheme);
    ["http", "https", "hf", "ftp", "s3", "file"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Whether a lower-case word is an address at Hugging Face, with or without a scheme.
fn is_at_hub(word: &str) -> bool {
    let bare = word.split_once("://").map_or(word, |(_, rest)| rest);
    let host = bare.split('/').next().unwrap_or_default();
    bare.contains('/')
        && (matches!(host, "hf.co" | "huggingface.co" | "www.huggingface.co") || word.starts_with("hf://"))
}

fn ends_in(word: &OsStr, ending: &str) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
}

pub(crate) fn has_magic(path: &Path) -> bool {
    // Asked first, because opening a FIFO would wait for a writer.
    path.is_file() && head(path).starts_with(MAGIC)
}

/// The first bytes of a file; none if it cannot be read.
fn head(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = std::fs::File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut bytes));
    bytes
}

/// The model files of a directory by name; of a model in several files the first.
pub(crate) fn model_files(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let mut names: Vec<String> = names
        .filter(|name| ends_in(name, "gguf"))
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| !PartName::is_later(Path::new(name)))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(word: &str) -> String {
        not_a_model(OsStr::new(word)).map_or("nothing".into(), |found| found.to_string())
    }

    #[test]
    fn words_are_called_what_they_are() {
        for (word, expected) in [
            ("model.safetensors", "safetensors weights"),
            ("./pytorch_model.bin", "PyTorch"),
            ("hf.co/owner/repo", "https://huggingface.co/owner/repo/resolve/main/FILE.gguf"),
            ("hf.co/owner/repo:Q4_K_M", "curl -L -O https://huggingface.co/owner/repo/resolve"),
            ("https://huggingface.co/o/r", "is a repository"),
            (
                "https://huggingface.co/o/r/blob/main/m.gguf",
                "curl -L -O https://huggingface.co/o/r/resolve/main/m.gguf",
            ),
            ("owner/repo-GGUF", "is a repository"),
            ("https://host/m.gguf", "curl -L -O https://host/m.gguf"),
            ("llama3.2:1b", "another program's store"),
            ("m.gguf.part", "unfinished"),
            ("m.gguf", "nothing"),
            ("models/m.gguf", "nothing"),
            ("hello", "nothing"),
            ("why is and/or so?", "nothing"),
            ("10:30", "another program's store"),
            ("", "nothing"),
        ] {
            assert!(what(word).contains(expected), "{word}: {}", what(word));
        }
    }

    /// A question that somebody may well ask is a prompt.
    #[test]
    fn prompts_stay_prompts() {
        for word in ["and/or", "10:30", "what is https://x.y?", "https://example.com", "km/h", "hello", "a.b"] {
            assert_eq!(certainly_not_a_model(OsStr::new(word)), None, "{word}");
        }
        for word in ["m.safetensors", "hf.co/o/r", "https://host/m.gguf", "o/r-GGUF"] {
            assert!(certainly_not_a_model(OsStr::new(word)).is_some(), "{word}");
        }
    }
}
