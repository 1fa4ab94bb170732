//! The flags and commands of llama.cpp and ollama, and their names here. The parser and the errors use this one table.

/// What a foreign flag means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Means {
    /// The MODEL argument.
    Model,
    /// The PROMPT argument, or TEXT.
    Prompt,
    /// The flag of this long name, with the same values.
    Flag(&'static str),
    /// A flag that would not change an answer here: accepted, with a note that says why.
    Nothing(Takes, &'static str),
    /// A feature that this program lacks: refused, with what exists instead.
    Absent(&'static str),
}

/// The value of a flag that has no meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// No value.
    Nothing,
    /// A value.
    Value,
    /// `on`, `off`, `auto` or nothing.
    Toggle,
}

/// Values of [`Takes::Toggle`].
pub(crate) const TOGGLE: &[&str] = &["on", "off", "auto", "0", "1", "true", "false"];

const CPU_ONLY: &str = "the processor computes every layer";
const MAPPED: &str = "weights are read from the mapped file";
const BUILT_IN: &str = "that is how it always works";
const SAMPLING: &str = "the samplers are --temp, --top-k, --top-p, --min-p and three penalties";
const FROM_FILE: &str = "the model file says how positions are rotated and scaled";
const NETWORK: &str = "nothing is fetched from a network; get the file with curl -L -O ADDRESS and give its path";

/// Foreign flags, dashes included, and their meanings.
const FLAGS: &[(&[&str], Means)] = &[
    (&["-m", "--model"], Means::Model),
    (&["-p", "--prompt"], Means::Prompt),
    (&["--ctx-size", "--n-ctx", "--num-ctx", "--context", "--context-size"], Means::Flag("ctx")),
    (&["--temperature"], Means::Flag("temp")),
    (&["--predict", "--max-tokens", "--max-new-tokens", "--num-predict"], Means::Flag("n-predict")),
    (&["--batch-size"], Means::Flag("batch")),
    (&["-tb"], Means::Flag("threads-batch")),
    (&["-sys", "--system-prompt"], Means::Flag("system")),
    (&["-r", "--reverse-prompt"], Means::Flag("stop")),
    (&["-C", "--cpu-range", "-Cr"], Means::Flag("cores")),
    (
        &["-ngl", "--n-gpu-layers", "--gpu-layers", "-dev", "--device", "-mg", "--main-gpu", "-ts", "--tensor-split"],
        Means::Nothing(Takes::Value, CPU_ONLY),
    ),
    (&["-sm", "--split-mode"], Means::Nothing(Takes::Value, CPU_ONLY)),
    (&["-nkvo", "--no-kv-offload"], Means::Nothing(Takes::Nothing, CPU_ONLY)),
    (&["-fa", "--flash-attn"], Means::Nothing(Takes::Toggle, "attention never stores a matrix of scores")),
    (&["--mmap", "--no-mmap", "--mlock"], Means::Nothing(Takes::Nothing, MAPPED)),
    (&["-ub", "--ubatch-size"], Means::Nothing(Takes::Value, "--batch is the number of tokens computed at once")),
    (&["--numa", "--prio", "--poll"], Means::Nothing(Takes::Value, "--cores chooses where workers run")),
    (
        &[
            "-cnv",
            "--conversation",
            "-i",
            "--interactive",
            "--jinja",
            "--color",
            "-e",
            "--escape",
            "--no-display-prompt",
        ],
        Means::Nothing(Takes::Nothing, BUILT_IN),
    ),
    (&["--no-warmup", "--simple-io", "--log-disable", "-mli"], Means::Nothing(Takes::Nothing, BUILT_IN)),
    (&["-ctk", "--cache-type-k", "-ctv", "--cache-type-v"], Means::Absent("--kv TYPE sets keys and values alike")),
    #[cfg(feature = "disk-cache")]
    (
        &["--prompt-cache", "--prompt-cache-all", "--slot-save-path"],
        Means::Absent("--cache DIR keeps what is computed of prompts and answers in a folder"),
    ),
    #[cfg(not(feature = "disk-cache"))]
    (
        &["--cache", "--cache-size", "--prompt-cache", "--prompt-cache-all", "--slot-save-path"],
        Means::Absent("this build keeps nothing on disk of what is computed; the whole program does"),
    ),
    #[cfg(not(feature = "connect"))]
    (&["--connect"], Means::Absent("this build asks no server; the whole program does")),
    (&["-no-cnv", "--no-conversation"], Means::Absent("generate completes a text without a chat template")),
    (&["-hf", "-hfr", "--hf-repo", "-mu", "--model-url"], Means::Absent(NETWORK)),
    (&["--lora", "--lora-scaled"], Means::Absent("adapters are not applied; take a file into which it is merged")),
    (&["--mmproj", "--image"], Means::Absent("there is text alone, no images")),
    #[cfg(feature = "constraints")]
    (&["--grammar-file"], Means::Flag("grammar")),
    #[cfg(feature = "constraints")]
    (&["--json-schema-file", "-jf"], Means::Flag("json-schema")),
    #[cfg(feature = "constraints")]
    (&["-j"], Means::Absent("--json-schema FILE reads a schema from a file")),
    #[cfg(not(feature = "constraints"))]
    (
        &["--grammar", "--grammar-file", "--json-schema", "--json-schema-file", "-jf", "-j"],
        Means::Absent("this build holds no answer to a grammar; the whole program does"),
    ),
    (&["--chat-template"], Means::Absent("the model file's own chat template is used")),
    (&["--ignore-eos"], Means::Absent("-n N bounds an answer; none goes on behind its end")),
    (&["--mirostat", "--typical", "--samplers"], Means::Absent(SAMPLING)),
    (&["--rope-scaling", "--rope-scale", "--rope-freq-base", "--rope-freq-scale"], Means::Absent(FROM_FILE)),
];

/// Foreign commands: what to say, and ours where there is one.
const COMMANDS: &[(&[&str], &str)] = &[
    #[cfg(feature = "serve")]
    (&["server", "llama-server"], "serve is the server"),
    #[cfg(not(feature = "serve"))]
    (&["serve", "server", "llama-server"], "there is no server in this build; chat and tui answer on this terminal"),
    (&["pull", "download"], NETWORK),
    (&["list", "ls", "models"], "/models in the terminal chat lists the model files next to its own"),
    (&["show", "info"], "inspect shows what is in a model file"),
    (&["cli", "llama-cli", "main", "ask"], "chat answers a prompt, tui is the terminal chat"),
    (&["complete", "completion"], "generate completes a text"),
    (&["perplexity", "quantize", "convert"], "models are run, not made: take a .gguf file that is quantized already"),
];

/// What a foreign flag means; `word` with its dashes and without a value.
pub(crate) fn flag(word: &str) -> Option<Means> {
    FLAGS.iter().find(|(names, _)| names.contains(&word)).map(|(_, means)| *means)
}

/// Long foreign flags without their dashes, and our flags of the same meaning.
pub(crate) fn flags() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    FLAGS.iter().flat_map(|(names, means)| {
        let long = match means {
            Means::Flag(long) => Some(*long),
            _ => None,
        };
        names.iter().filter_map(move |name| Some((name.strip_prefix("--")?, long?)))
    })
}

/// What to say to a foreign command.
pub(crate) fn command(word: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(names, _)| names.contains(&word)).map(|(_, answer)| *answer)
}

/// Whether a line that begins with this flag is a chat without its command's name.
pub(crate) fn begins_chat(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    matches!(flag(name), Some(Means::Model | Means::Prompt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synonyms_are_flags_and_differ() {
        let mut seen = Vec::new();
        for name in FLAGS.iter().flat_map(|(names, _)| *names) {
            assert!(name.starts_with('-') && !seen.contains(name), "{name}");
            seen.push(*name);
        }
    }
}
