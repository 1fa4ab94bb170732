//! The one table of commands and flags: the parser, `--help`, the man page and the shell completions are made from it.

use super::Invocation;
pub(crate) use super::flags::*;
use super::value::Kind;
use crate::commands;
use crate::error::Error;

/// One argument, in order.
#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) required: bool,
    pub(crate) help: &'static str,
}

impl Argument {
    /// Whether it is the text that a command works on.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.takes, Takes::Value(Kind::Text))
    }
}

/// Which words an argument takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Takes {
    /// A path that ends in `.gguf`, or an alias; another word is left for the next argument.
    Model,
    /// Any word, as a model file.
    ModelFile,
    /// One of these words; another word is left for the next argument.
    Word(&'static [&'static str]),
    /// A value.
    Value(Kind),
}

/// One command.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// More than one line can say.
    pub(crate) details: &'static str,
    pub(crate) arguments: &'static [Argument],
    pub(crate) flags: &'static [&'static [&'static Flag]],
    /// Keys of the JSON object, in order, after `command` and `status`; empty for commands without one.
    pub(crate) keys: &'static [&'static str],
    pub(crate) run: fn(&Invocation) -> Result<(), Error>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Command {
    /// All flags, those of every command included.
    pub(crate) fn all_flags(&self) -> impl Iterator<Item = &'static Flag> + use<> {
        self.flags.iter().chain([&EVERYWHERE]).flat_map(|group| group.iter().copied())
    }
}

/// The command of that name.
pub(crate) fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

const MODEL: Argument = Argument {
    name: "MODEL",
    takes: Takes::Model,
    required: false,
    help: "a path ending in .gguf, or an alias: 1b, 3b (default: NANOCAMELID_MODEL_GGUF, else the built-in demo)",
};
const MODEL_FILE: Argument = Argument { takes: Takes::ModelFile, ..MODEL };
const PROMPT: Argument = Argument {
    name: "PROMPT",
    takes: Takes::Value(Kind::Text),
    required: false,
    help: "the text (default: --file, or standard input if it is no terminal)",
};
const TEMP_ARGUMENT: Argument =
    Argument { name: "TEMP", takes: Takes::Value(TEMPERATURE), required: false, help: "as --temp" };
const MAX_TOKENS_ARGUMENT: Argument =
    Argument { name: "MAX_TOKENS", takes: Takes::Value(TOKEN_COUNT), required: false, help: "as --n-predict" };

/// Micro-benchmarks of `bench`.
pub(crate) const MICRO: &[&str] = &["q8-dot", "q4-layout", "q4-prefill"];
/// Shells of `completions`.
pub(crate) const SHELLS: &[&str] = &["bash", "zsh", "fish"];
/// Modes of `smoke`.
pub(crate) const SMOKE_MODES: &[&str] = &["chat", "model"];

/// What every report on a model says first.
macro_rules! keys {
    (model $(, $key:literal)* $(,)?) => {
        &["model", "selected_source", "architecture", "quantization", "shape", "shape_ready" $(, $key)*]
    };
    (turn $(, $key:literal)* $(,)?) => {
        keys!(model, "renderer", "template_format", "kernel", "threads", "threads_batch", "context_limit", "kv_type",
            "prefill_batch", "prompt_tokens", "generated_tokens", "prefill_sec", "generation_sec", "tokens_per_sec",
            "prefill_tokens_per_sec", "ttft_ms", "load_sec", "peak_rss_bytes" $(, $key)*)
    };
}

/// Every command, in the order of help.
pub(crate) static COMMANDS: &[Command] = &[
    Command {
        name: "chat",
        about: "one turn through the model's chat template, streamed",
        details: "Without PROMPT and --file, standard input is the prompt; if that is a terminal, chat is the same as tui.\n\
                  The answer goes to stdout, everything else to stderr.",
        arguments: &[MODEL, PROMPT, TEMP_ARGUMENT, MAX_TOKENS_ARGUMENT],
        flags: &[&[&SYSTEM, &FILE], SAMPLING, SESSION, WORKERS],
        keys: keys!(turn, "finish_reason", "text"),
        run: commands::chat::run,
    },
    Command {
        name: "generate",
        about: "raw completion of a prompt, streamed",
        details: "The prompt is tokenized as text behind the model's begin-of-text token; no chat template.",
        arguments: &[MODEL, PROMPT, TEMP_ARGUMENT, MAX_TOKENS_ARGUMENT],
        flags: &[&[&FILE], SAMPLING, SESSION, WORKERS],
        keys: keys!(turn, "finish_reason", "text"),
        run: commands::generate::run,
    },
    Command {
        name: "tui",
        about: "terminal chat; the model stays loaded",
        details: "Slash commands: /model [PATH], /models, /temp [V], /tokens [N], /system [TEXT|clear], /status, /history,\n\
                  /trim N, /save PATH, /clear, /help, /exit, /quit. Ctrl-C stops the answer, Ctrl-D leaves.",
        arguments: &[MODEL_FILE],
        flags: &[&[&SYSTEM], SAMPLING, SESSION, WORKERS],
        keys: keys!(turn, "turns"),
        run: commands::tui::run,
    },
    Command {
        name: "inspect",
        about: "what is in a model file, and whether it can run here",
        details: "Ends with readiness: ready, or readiness: unsupported and every reason (exit code 2).",
        arguments: &[MODEL_FILE],
        flags: &[SESSION, WORKERS],
        keys: keys!(
            model,
            "gguf_version",
            "file_bytes",
            "n_parts",
            "n_tensors",
            "n_metadata",
            "tensor_types",
            "config",
            "tokenizer",
            "renderer",
            "template_format",
            "template_error",
            "context_length",
            "context_limit",
            "rope_scaling",
            "kv_type",
            "kv_bytes_per_token",
            "state_bytes",
            "arena_bytes",
            "bytes_per_token",
            "readiness",
            "reasons"
        ),
        run: commands::inspect::run,
    },
    Command {
        name: "tokenize",
        about: "token ids and pieces of a text",
        details: "",
        arguments: &[MODEL, Argument { name: "TEXT", help: "the text (default: standard input)", ..PROMPT }],
        flags: &[&[&JSONL, &SPECIAL, &NO_SPECIAL, &BOS, &FILE]],
        keys: &["model", "selected_source", "tokenizer", "n_tokens", "ids", "pieces"],
        run: commands::tokenize::run,
    },
    Command {
        name: "template",
        about: "renders messages through a chat template",
        details: "The template is the model's own, or a file of Jinja source.",
        arguments: &[Argument {
            name: "MODEL|FILE.jinja",
            help: "a model, or a file of Jinja source (default: as MODEL elsewhere)",
            ..MODEL_FILE
        }],
        flags: &[&[&MESSAGES, &BOS_TOKEN, &EOS_TOKEN, &NO_GENERATION_PROMPT, &DATE]],
        keys: &["model", "selected_source", "renderer", "template_format", "text"],
        run: commands::template::run,
    },
    Command {
        name: "logits",
        about: "logits at every position of a sequence of token ids",
        details: "FILE gets n_tokens x n_vocab little-endian f32. The digest is FNV-1a 64 over the same bytes: equal on every\n\
                  machine, for every kernel, thread count and batch.",
        arguments: &[MODEL_FILE],
        flags: &[&[&IDS, &OUT, &DIGEST], SESSION, WORKERS],
        keys: keys!(
            model,
            "kernel",
            "threads",
            "threads_batch",
            "context_limit",
            "kv_type",
            "prefill_batch",
            "n_tokens",
            "n_vocab",
            "out",
            "digest",
            "prefill_sec",
            "load_sec",
            "peak_rss_bytes"
        ),
        run: commands::logits::run,
    },
    Command {
        name: "probe",
        about: "what this machine is and how it will be used",
        details: "",
        arguments: &[],
        flags: &[&[&BANDWIDTH], WORKERS],
        keys: &[
            "version",
            "arch",
            "os",
            "board",
            "cpu",
            "cores_physical",
            "cores_logical",
            "features",
            "kernel",
            "kernels",
            "max_mhz",
            "governor",
            "governor_advice",
            "isolated_cpus",
            "threads",
            "threads_batch",
            "worker_cores",
            "worker_cores_why",
            "ram_total_bytes",
            "ram_available_bytes",
            "temperature_c",
            "throttled",
            "throttled_now",
            "throttled_since_boot",
            "bandwidth_gb_per_sec",
        ],
        run: commands::probe::run,
    },
    Command {
        name: "bench",
        about: "tokens per second of a model, or the speed of the kernels",
        details: "q8-dot, q4-layout and q4-prefill measure every kernel table of this CPU; otherwise a model is measured.\n\
                  rate: prefill's multiply-adds in the layers; decoding's weights, and their share of what reading alone reaches.",
        arguments: &[
            Argument {
                name: "q8-dot|q4-layout|q4-prefill",
                takes: Takes::Word(MICRO),
                required: false,
                help: "a kernel benchmark",
            },
            MODEL_FILE,
        ],
        flags: &[
            &[&BENCH_PROMPT, &BENCH_GEN, &BENCH_THREADS, &BENCH_REPS, &BENCH_DEPTH, &BENCH_BATCH],
            &[&EXPECT, &KV, &CORES, &KERNEL],
        ],
        keys: &[
            "results",
            "load_sec",
            "ttft_ms",
            "bytes_per_token",
            "gb_per_sec",
            "read_gb_per_sec",
            "peak_rss_bytes",
            "kernel",
            "model",
        ],
        run: commands::bench::run,
    },
    Command {
        name: "smoke",
        about: "the scalar reference against the selected kernels, at every step",
        details: "max_logit_delta must be exactly 0. --golden compares with another engine's recorded logits instead of sampling.",
        arguments: &[
            MODEL,
            Argument {
                name: "chat|model",
                takes: Takes::Word(SMOKE_MODES),
                required: false,
                help: "through the chat template, or raw (default: chat where the model has a template)",
            },
            Argument { help: "the prompt (default: a fixed sentence)", ..PROMPT },
            Argument { name: "N", help: "tokens to generate (default 8)", ..MAX_TOKENS_ARGUMENT },
        ],
        flags: &[&[&N_PREDICT, &GOLDEN, &FILE], SESSION, WORKERS],
        keys: keys!(turn, "mode", "max_logit_delta", "prompt_ids", "generated_ids", "text", "golden"),
        run: commands::smoke::run,
    },
    Command {
        name: "ready",
        about: "probe, audit, inspect, smoke, then one chat turn",
        details: "",
        arguments: &[MODEL_FILE],
        flags: &[&[&NO_CHAT], SESSION, WORKERS],
        keys: keys!(model, "probe", "inspect", "smoke", "chat"),
        run: commands::ready::run,
    },
    Command {
        name: "evidence",
        about: "audit, ready, smoke at several contexts, prefill batch sweep: one JSON bundle",
        details: "",
        arguments: &[MODEL_FILE],
        flags: &[&[&CONTEXTS, &BATCHES], SESSION, WORKERS],
        keys: keys!(model, "probe", "ready", "contexts", "batches", "peak_rss_bytes"),
        run: commands::evidence::run,
    },
    Command {
        name: "completions",
        about: "prints a completion script for a shell",
        details: "bash: nanocamelid completions bash > ~/.local/share/bash-completion/completions/nanocamelid",
        arguments: &[Argument {
            name: "bash|zsh|fish",
            takes: Takes::Value(Kind::Choice(SHELLS)),
            required: true,
            help: "the shell",
        }],
        flags: &[],
        keys: &["text"],
        run: commands::about::completions,
    },
    Command {
        name: "man",
        about: "prints the man page",
        details: "nanocamelid man | man -l -",
        arguments: &[],
        flags: &[],
        keys: &["text"],
        run: commands::about::man,
    },
    Command {
        name: "help",
        about: "prints help on a command",
        details: "",
        arguments: &[Argument {
            name: "COMMAND",
            takes: Takes::Value(Kind::Text),
            required: false,
            help: "the command (default: all of them)",
        }],
        flags: &[],
        keys: &["text"],
        run: commands::about::help,
    },
    Command {
        name: "version",
        about: "prints the version",
        details: "",
        arguments: &[],
        flags: &[],
        keys: &["version"],
        run: commands::about::version,
    },
];
