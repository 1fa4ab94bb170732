//! The one table of commands and flags: the parser, `--help`, the man page and the shell completions are made from it.

use super::Invocation;
use super::value::Kind;
use crate::commands;
use crate::error::Error;

/// One flag. Commands that read the same name differently have flags of their own with that name.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Without the dashes.
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) kind: Kind,
    /// What the value is called in help; empty for switches.
    pub(crate) value_name: &'static str,
    /// May be given more than once.
    pub(crate) repeats: bool,
    pub(crate) help: &'static str,
}

/// One argument, in order.
#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) required: bool,
    pub(crate) help: &'static str,
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

const fn switch(long: &'static str, help: &'static str) -> Flag {
    Flag { long, short: None, kind: Kind::Switch, value_name: "", repeats: false, help }
}

const fn flag(long: &'static str, kind: Kind, value_name: &'static str, help: &'static str) -> Flag {
    Flag { long, short: None, kind, value_name, repeats: false, help }
}

const fn short(short: char, flag: Flag) -> Flag {
    Flag { short: Some(short), ..flag }
}

const THREAD_COUNT: Kind = Kind::Count { min: 1, max: 256 };
const TOKEN_COUNT: Kind = Kind::Count { min: 1, max: 1 << 24 };
const TEMPERATURE: Kind = Kind::Number { min: 0.0, max: 100.0 };
/// Names of the kernel tables.
pub(crate) const KERNEL_NAMES: &[&str] = &nanocamelid_kernels::Kernels::NAMES;
/// Names of the KV cache types.
pub(crate) const KV_NAMES: &[&str] = &["f32", "f16", "q8_0"];
/// Names of the audited profiles.
pub(crate) const PROFILE_NAMES: &[&str] = &["1b", "3b"];

pub(crate) static HELP: Flag = short('h', switch("help", "print this help"));
pub(crate) static JSON: Flag = switch("json", "print exactly one JSON object on stdout, instead of the answer");
pub(crate) static DRY_RUN: Flag =
    switch("dry-run", "open nothing; print the resolved plan and what success would print");
pub(crate) static VERBOSE: Flag =
    short('v', switch("verbose", "say more on stderr: the plan, load and memory details"));

pub(crate) static EXPECT: Flag =
    flag("expect", Kind::Choice(PROFILE_NAMES), "PROFILE", "audit the model against this profile before using it");
pub(crate) static THREADS: Flag =
    short('t', flag("threads", THREAD_COUNT, "N", "worker threads; to decode only, if --threads-batch is given"));
pub(crate) static THREADS_BATCH: Flag = flag("threads-batch", THREAD_COUNT, "N", "worker threads for prefill");
pub(crate) static CORES: Flag = flag("cores", Kind::Cpus, "LIST", "pin workers to these CPUs, like 1-3");
pub(crate) static KERNEL: Flag = flag(
    "kernel",
    Kind::Choice(KERNEL_NAMES),
    "NAME",
    "force a kernel table: scalar, neon, dotprod, i8mm, avx2, avx512vnni",
);
pub(crate) static CTX: Flag = short(
    'c',
    flag(
        "ctx",
        Kind::Count { min: 8, max: 1 << 24 },
        "N",
        "context length in tokens (default: the model's, 4096 at most, less if memory is short)",
    ),
);
pub(crate) static BATCH: Flag =
    short('b', flag("batch", Kind::Count { min: 1, max: 8192 }, "N", "prompt tokens computed at once (default 512)"));
pub(crate) static KV: Flag = flag("kv", Kind::Choice(KV_NAMES), "TYPE", "KV cache type: f32, f16 (default) or q8_0");
pub(crate) static TRACE: Flag = switch("trace", "print the time of each stage on stderr");

pub(crate) static N_PREDICT: Flag = short(
    'n',
    flag(
        "n-predict",
        Kind::Count { min: 0, max: 1 << 24 },
        "N",
        "most tokens to generate (default: chat until the end or a full context, generate 128)",
    ),
);
pub(crate) static TEMP: Flag = flag(
    "temp",
    TEMPERATURE,
    "T",
    "temperature; 0 is greedy (default: chat 0.7, greedy with the built-in demo; generate 0)",
);
pub(crate) static TOP_K: Flag =
    flag("top-k", Kind::Count { min: 0, max: 1 << 24 }, "K", "keep the K likeliest tokens; 0: all (default 40)");
pub(crate) static TOP_P: Flag = flag(
    "top-p",
    Kind::Number { min: 0.0, max: 1.0 },
    "P",
    "keep the likeliest tokens that sum to P; 1: all (default 0.95)",
);
pub(crate) static MIN_P: Flag = flag(
    "min-p",
    Kind::Number { min: 0.0, max: 1.0 },
    "P",
    "drop tokens less likely than P times the likeliest; 0: none (default 0.05)",
);
pub(crate) static REPEAT_PENALTY: Flag = flag(
    "repeat-penalty",
    Kind::Number { min: 0.1, max: 10.0 },
    "R",
    "divide the logits of the last 64 tokens by R; 1: off (default)",
);
pub(crate) static SEED: Flag =
    flag("seed", Kind::Count { min: 0, max: u64::MAX }, "N", "seed of the sampler (default: a random one)");
pub(crate) static STOP: Flag =
    Flag { repeats: true, ..flag("stop", Kind::Text, "TEXT", "end the answer before this text; may be repeated") };
pub(crate) static SYSTEM: Flag = short('s', flag("system", Kind::Text, "TEXT", "system prompt"));
pub(crate) static FILE: Flag = short('f', flag("file", Kind::Path, "FILE", "read the prompt from a file"));

pub(crate) static BANDWIDTH: Flag = switch("bandwidth", "measure the memory's read bandwidth (about a second)");
pub(crate) static IDS: Flag = flag("ids", Kind::Ids, "1,2,3", "token ids");
pub(crate) static OUT: Flag = flag("out", Kind::Path, "FILE", "where to write the logits");
pub(crate) static DIGEST: Flag = switch("digest", "print the FNV-1a 64 digest of the logits' bytes on stdout");
pub(crate) static JSONL: Flag =
    switch("jsonl", "read one JSON string a line from stdin, print one JSON array of ids a line");
pub(crate) static SPECIAL: Flag = switch("special", "let the text's control tokens become control tokens");
pub(crate) static NO_SPECIAL: Flag = switch("no-special", "take the text as text (default)");
pub(crate) static BOS: Flag = switch("bos", "start with the begin-of-text token");
pub(crate) static MESSAGES: Flag =
    flag("messages", Kind::Path, "FILE", "JSON file with [{\"role\", \"content\"}, ...]");
pub(crate) static BOS_TOKEN: Flag = flag("bos-token", Kind::Text, "TEXT", "the template's bos_token");
pub(crate) static EOS_TOKEN: Flag = flag("eos-token", Kind::Text, "TEXT", "the template's eos_token");
pub(crate) static NO_GENERATION_PROMPT: Flag = switch("no-generation-prompt", "end after the last message");
pub(crate) static DATE: Flag =
    flag("date", Kind::Date, "YYYY-MM-DD", "what the template's clock says (default: today)");
pub(crate) static GOLDEN: Flag =
    flag("golden", Kind::Path, "PREFIX", "compare with the logits in PREFIX.logits.f32 for the ids in PREFIX.ids");
pub(crate) static NO_CHAT: Flag = switch("no-chat", "leave the chat turn out");
pub(crate) static CONTEXTS: Flag = flag(
    "contexts",
    Kind::Counts { min: 8, max: 1 << 24 },
    "LIST",
    "context caps to smoke at (default 512,1024,2048,4096,8192, as far as the model goes)",
);
pub(crate) static BATCHES: Flag =
    flag("batches", Kind::Counts { min: 1, max: 8192 }, "LIST", "prefill batches to sweep (default 1,16,32,64)");
pub(crate) static BENCH_PROMPT: Flag = short(
    'p',
    flag("n-prompt", Kind::Count { min: 0, max: 1 << 24 }, "N", "prompt tokens (default 512; 0: no prefill test)"),
);
pub(crate) static BENCH_GEN: Flag = short(
    'n',
    flag("n-gen", Kind::Count { min: 0, max: 1 << 24 }, "N", "tokens to decode (default 128; 0: no decode test)"),
);
pub(crate) static BENCH_THREADS: Flag =
    short('t', flag("threads", Kind::Counts { min: 1, max: 256 }, "LIST", "thread counts to try, like 1,2,4"));
pub(crate) static BENCH_BATCH: Flag =
    short('b', flag("batch", Kind::Counts { min: 1, max: 8192 }, "LIST", "prefill batches to try (default 512)"));
pub(crate) static BENCH_DEPTH: Flag = short(
    'd',
    flag("depth", Kind::Counts { min: 0, max: 1 << 24 }, "LIST", "tokens already in the context (default 0)"),
);
pub(crate) static BENCH_REPS: Flag =
    short('r', flag("reps", Kind::Count { min: 1, max: 1000 }, "N", "repetitions (default 5)"));

/// Flags of every command.
static EVERYWHERE: &[&Flag] = &[&HELP, &JSON, &DRY_RUN, &VERBOSE];
static WORKERS: &[&Flag] = &[&THREADS, &THREADS_BATCH, &CORES, &KERNEL];
static SESSION: &[&Flag] = &[&EXPECT, &CTX, &BATCH, &KV, &TRACE];
static SAMPLING: &[&Flag] = &[&N_PREDICT, &TEMP, &TOP_K, &TOP_P, &MIN_P, &REPEAT_PENALTY, &SEED, &STOP];

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
            "n_tensors",
            "n_metadata",
            "tensor_types",
            "config",
            "tokenizer",
            "renderer",
            "template_format",
            "context_length",
            "context_limit",
            "rope_scaling",
            "kv_type",
            "kv_bytes_per_token",
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
        details: "q8-dot, q4-layout and q4-prefill measure every kernel table of this CPU; otherwise a model is measured.",
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
        keys: &["results", "load_sec", "ttft_ms", "bytes_per_token", "gb_per_sec", "peak_rss_bytes", "kernel", "model"],
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
