//! Profiles of published models: the facts that an audit expects of a file.

/// A published model, as its file must describe it.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Also the name for `--expect`; the first of `aliases`.
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    /// File names in the workspace, best first.
    pub(crate) files: [&'static str; 2],
    pub(crate) architecture: &'static str,
    pub(crate) n_layers: u64,
    pub(crate) n_embd: u64,
    pub(crate) n_heads: u64,
    pub(crate) n_kv_heads: u64,
    pub(crate) n_ff: u64,
    pub(crate) n_ctx: u64,
    pub(crate) n_rot: u64,
    pub(crate) rope_base: f32,
    pub(crate) n_vocab: u64,
    pub(crate) renderer: &'static str,
}

/// Meta's Llama 3.2 Instruct models, from their published configurations.
pub(crate) static PROFILES: [Profile; 2] = [
    Profile {
        name: "1b",
        aliases: &["1b", "llama32-1b", "llama-3.2-1b"],
        files: ["Llama-3.2-1B-Instruct-Q4_0.gguf", "Llama-3.2-1B-Instruct-Q8_0.gguf"],
        architecture: "llama",
        n_layers: 16,
        n_embd: 2048,
        n_heads: 32,
        n_kv_heads: 8,
        n_ff: 8192,
        n_ctx: 131_072,
        n_rot: 64,
        rope_base: 500_000.0,
        n_vocab: 128_256,
        renderer: "llama3_instruct",
    },
    Profile {
        name: "3b",
        aliases: &["3b", "llama32-3b", "llama-3.2-3b"],
        files: ["Llama-3.2-3B-Instruct-Q4_0.gguf", "Llama-3.2-3B-Instruct-Q8_0.gguf"],
        architecture: "llama",
        n_layers: 28,
        n_embd: 3072,
        n_heads: 24,
        n_kv_heads: 8,
        n_ff: 8192,
        n_ctx: 131_072,
        n_rot: 128,
        rope_base: 500_000.0,
        n_vocab: 128_256,
        renderer: "llama3_instruct",
    },
];
