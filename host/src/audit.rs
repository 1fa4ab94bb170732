//! Compares a file with a [`Profile`].

use crate::profile::Profile;
use nanocamelid_engine::Gguf;
use std::fmt;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) field: String,
    pub(crate) expected: String,
    /// `absent` if the file has no such field.
    pub(crate) found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.field, self.expected, self.found)
    }
}

/// Every field in which the file differs from the profile. `renderer` is the chat format found for the file.
pub(crate) fn audit(gguf: &Gguf<'_>, renderer: Option<&str>, profile: &Profile) -> Vec<Mismatch> {
    let mut audit = Audit { gguf, mismatches: Vec::new() };
    let p = profile;
    audit.text("general.architecture", p.architecture);
    let key = |name: &str| format!("{}.{name}", p.architecture);
    for (name, expected) in [
        ("block_count", p.n_layers),
        ("embedding_length", p.n_embd),
        ("attention.head_count", p.n_heads),
        ("attention.head_count_kv", p.n_kv_heads),
        ("feed_forward_length", p.n_ff),
        ("context_length", p.n_ctx),
        ("rope.dimension_count", p.n_rot),
    ] {
        audit.count(&key(name), expected);
    }
    let base = gguf.value(&key("rope.freq_base")).and_then(|v| v.as_f32());
    audit.compare(key("rope.freq_base"), Some(p.rope_base), base);
    let n_vocab = gguf.value("tokenizer.ggml.tokens").and_then(|v| v.as_array()).map(|a| a.len() as u64);
    audit.compare("tokenizer.ggml.tokens".into(), Some(p.n_vocab), n_vocab);
    audit.compare("renderer".into(), Some(p.renderer), renderer);
    audit.tensors(p);
    audit.mismatches
}

struct Audit<'g, 'a> {
    gguf: &'g Gguf<'a>,
    mismatches: Vec<Mismatch>,
}

impl Audit<'_, '_> {
    fn compare<T: PartialEq + fmt::Display>(&mut self, field: String, expected: Option<T>, found: Option<T>) {
        if expected != found {
            let show = |value: Option<T>| value.map_or("absent".into(), |v| v.to_string());
            self.mismatches.push(Mismatch { field, expected: show(expected), found: show(found) });
        }
    }

    fn text(&mut self, key: &str, expected: &str) {
        let found = self.gguf.value(key);
        self.compare(key.into(), Some(expected), found.as_ref().and_then(|v| v.as_str()));
    }

    fn count(&mut self, key: &str, expected: u64) {
        let found = self.gguf.value(key).and_then(|v| v.as_u64());
        self.compare(key.into(), Some(expected), found);
    }

    fn tensor(&mut self, name: String, expected: &[u64]) {
        // Trailing extents of 1 carry no information.
        let trim = |dims: &[u64]| {
            let used = dims.iter().rposition(|&d| d != 1).map_or(1, |last| last + 1);
            dims[..used.min(dims.len())].iter().map(u64::to_string).collect::<Vec<_>>().join("x")
        };
        let found = self.gguf.tensor(&name).map(|info| trim(&info.dims));
        self.compare(name, Some(trim(expected)), found);
    }

    fn tensors(&mut self, p: &Profile) {
        let n_kv = p.n_embd / p.n_heads * p.n_kv_heads;
        self.tensor("token_embd.weight".into(), &[p.n_embd, p.n_vocab]);
        self.tensor("output_norm.weight".into(), &[p.n_embd]);
        for layer in 0..p.n_layers {
            for (name, dims) in [
                ("attn_norm", &[p.n_embd][..]),
                ("attn_q", &[p.n_embd, p.n_embd]),
                ("attn_k", &[p.n_embd, n_kv]),
                ("attn_v", &[p.n_embd, n_kv]),
                ("attn_output", &[p.n_embd, p.n_embd]),
                ("ffn_norm", &[p.n_embd]),
                ("ffn_gate", &[p.n_embd, p.n_ff]),
                ("ffn_up", &[p.n_embd, p.n_ff]),
                ("ffn_down", &[p.n_ff, p.n_embd]),
            ] {
                self.tensor(format!("blk.{layer}.{name}.weight"), dims);
            }
        }
    }
}
