//! Recognizes files that people mistake for a GGUF model, by their first bytes.

use std::borrow::Cow;

/// Magic bytes, their offset, and the kind of file that begins with them.
const MAGICS: &[(usize, &[u8], &str)] = &[
    (
        0,
        b"version https://git-lfs",
        "a Git LFS pointer, which stands for the model; `git lfs pull` fetches the file itself",
    ),
    (0, b"# xet version", "a Xet pointer, which stands for the model; download the file itself"),
    (0, b"lmgg", OLD),
    (0, b"fmgg", OLD),
    (0, b"tjgg", OLD),
    (0, b"algg", "a LoRA adapter of an old ggml format; take a model's .gguf file"),
    (0, b"\x1f\x8b", "a gzip archive; unpack it first"),
    (0, b"\xfd7zXZ\0", "an xz archive; unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it first"),
    (0, b"BZh", "a bzip2 archive; unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (0, b"Rar!", "a RAR archive; unpack it first"),
    (257, b"ustar", "a tar archive; unpack it first"),
    (0, b"MZqFpD", "a llamafile; take a model's .gguf file"),
    (0, b"\x89HDF", "an HDF5 (Keras) file; take a GGUF conversion of the model"),
    (4, b"TFL3", "a TensorFlow Lite file; take a GGUF conversion of the model"),
];
const OLD: &str = "a model in an old ggml format (ggml, ggmf, ggjt); take a .gguf file of it";
const PYTORCH: &str = "a PyTorch checkpoint; take a GGUF conversion of the model";
/// Characters of a text that are shown.
const MAX_SHOWN: usize = 60;

/// The kind of a file without GGUF's magic, with advice for the user; `None` if the bytes are not known.
pub(crate) fn of(bytes: &[u8]) -> Option<Cow<'static, str>> {
    let at = |offset: usize| bytes.get(offset..).unwrap_or_default();
    if let Some((.., what)) = MAGICS.iter().find(|(offset, magic, _)| at(*offset).starts_with(magic)) {
        return Some((*what).into());
    }
    let head = &bytes[..bytes.len().min(4096)];
    let what = match head {
        _ if head.starts_with(b"PK\x03\x04") => match head.windows(8).any(|w| w == b"data.pkl") {
            true => PYTORCH,
            false => "a ZIP archive; unpack it first",
        },
        // A pickle, which begins with its protocol.
        [0x80, 2..=5, ..] => PYTORCH,
        _ if is_safetensors(head) => "a safetensors file; take a GGUF conversion of the model",
        _ if is_importance_matrix(head) => {
            "an importance matrix (imatrix), which a quantizer reads; take the model's file"
        }
        _ if head.iter().all(|&byte| byte == 0) => "one that begins with zeros, as unfinished downloads do",
        _ => return text(head),
    };
    Some(what.into())
}

/// The length of a JSON object, and the object.
fn is_safetensors(head: &[u8]) -> bool {
    let length = head.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    (2..1 << 32).contains(&length) && head.get(8) == Some(&b'{')
}

/// A count of entries, the length of the first one's name, and the name of a weight.
fn is_importance_matrix(head: &[u8]) -> bool {
    let length = head.get(4..8).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])) as usize;
    (8..128).contains(&length) && head.get(8..8 + length).is_some_and(|name| name.ends_with(b".weight"))
}

/// A web page, or the beginning of whatever else the text says.
fn text(head: &[u8]) -> Option<Cow<'static, str>> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.contains(|c: char| c.is_control() && !c.is_whitespace()) || text.is_empty() {
        return None;
    }
    if text.starts_with('<') {
        return Some(
            "a web page (HTML), as sites send it in place of a file; use the link that downloads the file".into(),
        );
    }
    let line: String = text.lines().next()?.chars().take(MAX_SHOWN).collect();
    Some(format!("a text: \"{}\"", line.escape_debug()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_what_they_are() {
        let mut tar = vec![b'x'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let imatrix = [&2i32.to_le_bytes()[..], &19i32.to_le_bytes(), b"blk.0.attn_q.weight", &[1; 40]].concat();
        let safetensors = [&60u64.to_le_bytes()[..], b"{\"__metadata__\":{\"format\":\"pt\"}}"].concat();
        for (bytes, words) in [
            (&b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"[..], "Git LFS pointer"),
            (b"\n <!DOCTYPE HTML><html>", "web page"),
            (b"\xef\xbb\xbf<html>", "web page"),
            (b"<?xml version=\"1.0\"?><Error>", "web page"),
            (b"lmgg\x01\0", "old ggml"),
            (b"fmgg\x01\0", "old ggml"),
            (b"tjgg\x03\0", "old ggml"),
            (b"algg\x01\0", "LoRA adapter"),
            (b"PK\x03\x04\0\0\0\0archive/data.pklFB", "PyTorch"),
            (b"PK\x03\x04\0\0\0\0model.gguf", "ZIP archive"),
            (b"\x80\x02}q\0", "PyTorch"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (&tar, "tar archive"),
            (&safetensors, "safetensors"),
            (&imatrix, "importance matrix"),
            (&[0; 64], "zeros"),
            (b"Entry not found", "a text: \"Entry not found\""),
            (b"{\"error\":\"Invalid \x07", ""),
            (b"\xff\xfe\xfd\xfc rest", ""),
            (b"", "zeros"),
        ] {
            let found = of(bytes).unwrap_or_default();
            assert!(found.contains(words) && (!words.is_empty() || found.is_empty()), "{words}: {found}");
        }
        let long = "é".repeat(3000);
        assert!(of(long.as_bytes()).unwrap().starts_with("a text: \"éé"));
        assert!(!of(b"a \xc2\x9b31m b").unwrap_or_default().contains('\u{9b}'));
    }
}
