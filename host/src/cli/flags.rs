//! Every flag, and the groups that commands share.

use super::value::Kind;

/// One flag. Commands that read the same name differently have flags of their own with that name.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its long spelling, with the dashes.
    pub(crate) key: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) kind: Kind,
    /// What the value is called in help; empty for switches.
    pub(crate) value_name: &'static str,
    /// May be given more than once.
    pub(crate) repeats: bool,
    /// A value that other programs take for "choose": as if the flag were not given.
    pub(crate) unset: Option<&'static str>,
    pub(crate) help: &'static str,
}

impl Flag {
    /// Its name without the dashes.
    pub(crate) fn long(&self) -> &'static str {
        self.key.trim_start_matches('-')
    }
}

const fn switch(key: &'static str, help: &'static str) -> Flag {
    Flag { key, short: None, kind: Kind::Switch, value_name: "", repeats: false, unset: None, help }
}

const fn flag(key: &'static str, kind: Kind, value_name: &'static str, help: &'static str) -> Flag {
    Flag { key, short: None, kind, value_name, repeats: false, unset: None, help }
}

const fn short(short: char, flag: Flag) -> Flag {
    Flag { short: Some(short), ..flag }
}

const fn unset(value: &'static str, flag: Flag) -> Flag {
    Flag { unset: Some(value), ..flag }
}

const THREAD_COUNT: Kind = Kind::Count { min: 1, max: 256 };
pub(super) const TOKEN_COUNT: Kind = Kind::Limit { min: 1, max: 1 << 24 };
pub(super) const TEMPERATURE: Kind = Kind::Number { min: 0.0, max: 100.0 };
/// Names of the kernel tables.
pub(crate) const KERNEL_NAMES: &[&str] = &nanocamelid_kernels::Kernels::NAMES;
/// Names of the KV cache types.
pub(crate) const KV_NAMES: &[&str] = &["f32", "f16", "q8_0"];
/// Names of the audited profiles.
pub(crate) const PROFILE_NAMES: &[&str] = &["1b", "3b"];

pub(crate) static HELP: Flag = short('h', switch("--help", "print this help"));
pub(crate) static JSON: Flag = switch("--json", "print exactly one JSON object on stdout, instead of the answer");
pub(crate) static DRY_RUN: Flag =
    switch("--dry-run", "open nothing; print the resolved plan and what success would print");
pub(crate) static VERBOSE: Flag =
    short('v', switch("--verbose", "say more on stderr: the plan, load and memory details"));

pub(crate) static EXPECT: Flag =
    flag("--expect", Kind::Choice(PROFILE_NAMES), "PROFILE", "audit the model against this profile before using it");
pub(crate) static THREADS: Flag =
    short('t', flag("--threads", THREAD_COUNT, "N", "worker threads; to decode only, if --threads-batch is given"));
pub(crate) static THREADS_BATCH: Flag = flag("--threads-batch", THREAD_COUNT, "N", "worker threads for prefill");
pub(crate) static CORES: Flag = flag("--cores", Kind::Cpus, "LIST", "pin workers to these CPUs, like 1-3");
pub(crate) static KERNEL: Flag = flag(
    "--kernel",
    Kind::Choice(KERNEL_NAMES),
    "NAME",
    "force a kernel table: scalar, neon, dotprod, i8mm, avx2, avxvnni, avx512vnni",
);
pub(crate) static CTX: Flag = short(
    'c',
    unset(
        "0",
        flag(
            "--ctx",
            Kind::Count { min: 8, max: 1 << 24 },
            "N",
            "context length in tokens (default: 4096, or what prompt and answer need, as far as model and memory allow)",
        ),
    ),
);
pub(crate) static BATCH: Flag =
    short('b', flag("--batch", Kind::Count { min: 1, max: 8192 }, "N", "prompt tokens computed at once (default 512)"));
pub(crate) static KV: Flag = flag("--kv", Kind::Choice(KV_NAMES), "TYPE", "KV cache type: f32, f16 (default) or q8_0");
pub(crate) static TRACE: Flag = switch("--trace", "print the time of each stage on stderr");

pub(crate) static N_PREDICT: Flag = short(
    'n',
    flag(
        "--n-predict",
        Kind::Limit { min: 0, max: 1 << 24 },
        "N",
        "most tokens to generate; -1: until the end or a full context (default: chat -1, generate 128)",
    ),
);
pub(crate) static TEMP: Flag = flag(
    "--temp",
    TEMPERATURE,
    "T",
    "temperature; 0 is greedy (default: chat 0.7, greedy with the built-in demo; generate 0)",
);
pub(crate) static TOP_K: Flag = flag(
    "--top-k",
    Kind::Limit { min: 0, max: 1 << 24 },
    "K",
    "keep the K likeliest tokens; 0 or -1: all (default 40)",
);
pub(crate) static TOP_P: Flag = flag(
    "--top-p",
    Kind::Number { min: 0.0, max: 1.0 },
    "P",
    "keep the likeliest tokens that sum to P; 1: all (default 0.95)",
);
pub(crate) static MIN_P: Flag = flag(
    "--min-p",
    Kind::Number { min: 0.0, max: 1.0 },
    "P",
    "drop tokens less likely than P times the likeliest; 0: none (default 0.05)",
);
pub(crate) static REPEAT_PENALTY: Flag = flag(
    "--repeat-penalty",
    Kind::Number { min: 0.1, max: 10.0 },
    "R",
    "divide the logits of the last 64 tokens by R; 1: off (default)",
);
pub(crate) static SEED: Flag = unset(
    "-1",
    flag("--seed", Kind::Count { min: 0, max: u64::MAX }, "N", "seed of the sampler (default: a random one)"),
);
pub(crate) static STOP: Flag = Flag {
    repeats: true,
    ..flag(
        "--stop",
        Kind::Text,
        "TEXT",
        "end the answer before this text (\\n, \\t, \\r, \\\\ are escapes); may be repeated",
    )
};
pub(crate) static SYSTEM: Flag = short('s', flag("--system", Kind::Text, "TEXT", "system prompt"));
pub(crate) static FILE: Flag =
    short('f', flag("--file", Kind::Path, "FILE", "read the prompt from a file; - is standard input"));

pub(crate) static BANDWIDTH: Flag = switch("--bandwidth", "measure the memory's read bandwidth (about a second)");
pub(crate) static IDS: Flag = flag("--ids", Kind::Ids, "1,2,3", "token ids");
pub(crate) static OUT: Flag = flag("--out", Kind::Path, "FILE", "where to write the logits");
pub(crate) static DIGEST: Flag = switch("--digest", "print the FNV-1a 64 digest of the logits' bytes on stdout");
pub(crate) static JSONL: Flag =
    switch("--jsonl", "read one JSON string a line from stdin, print one JSON array of ids a line");
pub(crate) static SPECIAL: Flag = switch("--special", "let the text's control tokens become control tokens");
pub(crate) static NO_SPECIAL: Flag = switch("--no-special", "take the text as text (default)");
pub(crate) static BOS: Flag = switch("--bos", "start with the begin-of-text token");
pub(crate) static MESSAGES: Flag =
    flag("--messages", Kind::Path, "FILE", "JSON file with [{\"role\", \"content\"}, ...]");
pub(crate) static BOS_TOKEN: Flag = flag("--bos-token", Kind::Text, "TEXT", "the template's bos_token");
pub(crate) static EOS_TOKEN: Flag = flag("--eos-token", Kind::Text, "TEXT", "the template's eos_token");
pub(crate) static NO_GENERATION_PROMPT: Flag = switch("--no-generation-prompt", "end after the last message");
pub(crate) static DATE: Flag =
    flag("--date", Kind::Date, "YYYY-MM-DD", "what the template's clock says (default: today)");
pub(crate) static GOLDEN: Flag =
    flag("--golden", Kind::Path, "PREFIX", "compare with the logits in PREFIX.logits.f32 for the ids in PREFIX.ids");
pub(crate) static NO_CHAT: Flag = switch("--no-chat", "leave the chat turn out");
pub(crate) static CONTEXTS: Flag = flag(
    "--contexts",
    Kind::Counts { min: 8, max: 1 << 24 },
    "LIST",
    "context caps to smoke at (default 512,1024,2048,4096,8192, as far as the model goes)",
);
pub(crate) static BATCHES: Flag =
    flag("--batches", Kind::Counts { min: 1, max: 8192 }, "LIST", "prefill batches to sweep (default 1,16,32,64)");
pub(crate) static BENCH_PROMPT: Flag = short(
    'p',
    flag("--n-prompt", Kind::Count { min: 0, max: 1 << 24 }, "N", "prompt tokens (default 512; 0: no prefill test)"),
);
pub(crate) static BENCH_GEN: Flag = short(
    'n',
    flag("--n-gen", Kind::Count { min: 0, max: 1 << 24 }, "N", "tokens to decode (default 128; 0: no decode test)"),
);
pub(crate) static BENCH_THREADS: Flag =
    short('t', flag("--threads", Kind::Counts { min: 1, max: 256 }, "LIST", "thread counts to try, like 1,2,4"));
pub(crate) static BENCH_BATCH: Flag =
    short('b', flag("--batch", Kind::Counts { min: 1, max: 8192 }, "LIST", "prefill batches to try (default 512)"));
pub(crate) static BENCH_DEPTH: Flag = short(
    'd',
    flag("--depth", Kind::Counts { min: 0, max: 1 << 24 }, "LIST", "tokens already in the context (default 0)"),
);
pub(crate) static BENCH_REPS: Flag =
    short('r', flag("--reps", Kind::Count { min: 1, max: 1000 }, "N", "repetitions (default 5)"));

/// Flags of every command.
pub(super) static EVERYWHERE: &[&Flag] = &[&HELP, &JSON, &DRY_RUN, &VERBOSE];
pub(super) static WORKERS: &[&Flag] = &[&THREADS, &THREADS_BATCH, &CORES, &KERNEL];
pub(super) static SESSION: &[&Flag] = &[&EXPECT, &CTX, &BATCH, &KV, &TRACE];
pub(super) static SAMPLING: &[&Flag] = &[&N_PREDICT, &TEMP, &TOP_K, &TOP_P, &MIN_P, &REPEAT_PENALTY, &SEED, &STOP];
