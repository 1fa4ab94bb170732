//! Every flag, and the groups that commands share.

use super::typed::{self, Of, choice, count, counts, limit, number, wide_count};
use super::value::{Date, Kind};
#[cfg(feature = "cluster")]
use crate::cluster::{MAX_EXCHANGE_BYTES, Split};
use crate::profile::PROFILES;
use nanocamelid_engine::config::Pooling;
use nanocamelid_kernels::{Kernels, KvType};
use std::marker::PhantomData;
use std::path::Path;

/// One flag's row of the table. Commands that read the same name differently have flags of their own with that name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FlagRow {
    /// Its long spelling, with the dashes.
    pub(crate) key: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) kind: Kind,
    /// The value's name in help; empty for switches.
    pub(crate) value_name: &'static str,
    /// Whether the flag may be given more than once.
    pub(crate) repeats: bool,
    /// A value that means "choose" in other programs; it has the effect of leaving the flag out.
    pub(crate) unset: Option<&'static str>,
    pub(crate) help: &'static str,
}

impl FlagRow {
    /// Its name without the dashes.
    pub(crate) fn long(&self) -> &'static str {
        self.key.trim_start_matches('-')
    }
}

/// A flag whose value is a `T`. A switch has the value `()`: only its presence counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag<T: ?Sized> {
    pub(crate) row: FlagRow,
    value: PhantomData<T>,
}

pub(super) const fn flag<T: ?Sized>(
    key: &'static str,
    of: Of<T>,
    value_name: &'static str,
    help: &'static str,
) -> Flag<T> {
    let row = FlagRow { key, short: None, kind: of.kind(), value_name, repeats: false, unset: None, help };
    Flag { row, value: PhantomData }
}

pub(super) const fn switch(key: &'static str, help: &'static str) -> Flag<()> {
    flag(key, Of::SWITCH, "", help)
}

const fn short<T: ?Sized>(short: char, flag: Flag<T>) -> Flag<T> {
    Flag { row: FlagRow { short: Some(short), ..flag.row }, ..flag }
}

const fn unset<T: ?Sized>(value: &'static str, flag: Flag<T>) -> Flag<T> {
    Flag { row: FlagRow { unset: Some(value), ..flag.row }, ..flag }
}

pub(super) const fn repeats<T: ?Sized>(flag: Flag<T>) -> Flag<T> {
    Flag { row: FlagRow { repeats: true, ..flag.row }, ..flag }
}

const THREAD_COUNT: Of<usize> = count(1, 256);
pub(super) const TOKEN_COUNT: Of<usize> = limit(1, 1 << 24);
pub(super) const TEMPERATURE: Of<f32> = number(0.0, 100.0);
const KERNEL_NAMES: &[&str] = &Kernels::NAMES;
const KV_NAMES: &[&str] = &[KvType::ALL[0].name(), KvType::ALL[1].name(), KvType::ALL[2].name()];
const POOLING_NAMES: &[&str] = &[Pooling::ALL[0].name(), Pooling::ALL[1].name(), Pooling::ALL[2].name()];
static PROFILE_NAMES: [&str; PROFILES.len()] = [PROFILES[0].name, PROFILES[1].name];

pub(crate) static HELP: Flag<()> = short('h', switch("--help", "print this help"));
pub(crate) static JSON: Flag<()> = switch("--json", "print exactly one JSON object on stdout, instead of the answer");
pub(crate) static DRY_RUN: Flag<()> =
    switch("--dry-run", "open nothing; print the resolved plan and what success would print");
pub(crate) static VERBOSE: Flag<()> =
    short('v', switch("--verbose", "say more on stderr: the plan, load and memory details"));

pub(crate) static EXPECT: Flag<str> =
    flag("--expect", choice(&PROFILE_NAMES), "PROFILE", "audit the model against this profile before using it");
pub(crate) static THREADS: Flag<usize> =
    short('t', flag("--threads", THREAD_COUNT, "N", "worker threads; to decode only, if --threads-batch is given"));
pub(crate) static THREADS_BATCH: Flag<usize> = flag("--threads-batch", THREAD_COUNT, "N", "worker threads for prefill");
pub(crate) static CORES: Flag<[usize]> = flag("--cores", typed::CPUS, "LIST", "pin workers to these CPUs, like 1-3");
pub(crate) static KERNEL: Flag<str> = flag(
    "--kernel",
    choice(KERNEL_NAMES),
    "NAME",
    "force a kernel table: scalar, neon, dotprod, i8mm, avx2, avxvnni, avx512vnni",
);
pub(crate) static CTX: Flag<usize> = short(
    'c',
    unset(
        "0",
        flag(
            "--ctx",
            count(8, 1 << 24),
            "N",
            "context length in tokens (default: 4096, or what prompt and answer need, as far as model and memory allow)",
        ),
    ),
);
pub(crate) static BATCH: Flag<usize> =
    short('b', flag("--batch", count(1, 8192), "N", "prompt tokens computed at once (default 512)"));
pub(crate) static KV: Flag<str> = flag("--kv", choice(KV_NAMES), "TYPE", "KV cache type: f32, f16 (default) or q8_0");
pub(crate) static DRAFT: Flag<Path> = flag(
    "--draft",
    typed::PATH,
    "HOW",
    "guess tokens ahead and verify them together, which never changes the text: ngram (what followed these tokens \
     earlier), auto (ngram while it pays), the GGUF file of a smaller model, or off (default)",
);
pub(crate) static SESSION_FILE: Flag<Path> = flag(
    "--session",
    typed::PATH,
    "FILE",
    "continue the conversation in this file, and keep it there behind every turn",
);
#[cfg(feature = "disk-cache")]
pub(crate) static CACHE: Flag<Path> = flag(
    "--cache",
    typed::PATH,
    "DIR",
    "keep what is computed of prompts and answers in this folder, and find it again after a restart",
);
#[cfg(feature = "disk-cache")]
pub(crate) static CACHE_SIZE: Flag<u64> = flag(
    "--cache-size",
    typed::bytes(1 << 20),
    "BYTES",
    "most bytes of the cache's folder, like 500M (default 4G); what was unused for longest goes first",
);
pub(crate) static TRACE: Flag<()> = switch("--trace", "print the time of each stage on stderr");

#[cfg(feature = "cluster")]
pub(crate) static SPLIT: Flag<str> = flag(
    "--split",
    choice(&Split::NAMES),
    "HOW",
    "what each board of several holds: rows of every matrix (default), or a range of layers",
);
#[cfg(feature = "cluster")]
pub(crate) static SHARES: Flag<[usize]> = unset(
    "auto",
    flag(
        "--shares",
        counts(0, 1 << 16),
        "LIST",
        "relative sizes of the boards' shares, like 3,3,2; 0 or auto (default): by measured speed and free memory",
    ),
);
#[cfg(feature = "cluster")]
pub(crate) static CLUSTER_TIMEOUT: Flag<usize> = flag(
    "--cluster-timeout",
    count(1, 86_400),
    "SECONDS",
    "end the run when a board waits so long for another while a token is computed (default 10)",
);
#[cfg(feature = "cluster")]
pub(crate) static RANKS: Flag<usize> =
    flag("--ranks", count(1, 64), "N", "check the split with so many threads of this process as ranks, without mpirun");
#[cfg(feature = "cluster")]
pub(crate) static EXCHANGE_BYTES: Flag<[usize]> = flag(
    "--bytes",
    counts(1, MAX_EXCHANGE_BYTES as u64),
    "LIST",
    "bytes of an exchange (default 64,2304,8192,16384,1048576)",
);

pub(crate) static N_PREDICT: Flag<usize> = short(
    'n',
    flag(
        "--n-predict",
        limit(0, 1 << 24),
        "N",
        "most tokens to generate; -1: until the end or a full context (default: chat -1, generate 128)",
    ),
);
pub(crate) static TEMP: Flag<f32> = flag(
    "--temp",
    TEMPERATURE,
    "T",
    "temperature; 0 is greedy (default: chat 0.7, greedy with the built-in demo; generate 0)",
);
pub(crate) static TOP_K: Flag<usize> =
    flag("--top-k", limit(0, 1 << 24), "K", "keep the K likeliest tokens; 0 or -1: all (default 40)");
pub(crate) static TOP_P: Flag<f32> =
    flag("--top-p", number(0.0, 1.0), "P", "keep the likeliest tokens that sum to P; 1: all (default 0.95)");
pub(crate) static MIN_P: Flag<f32> = flag(
    "--min-p",
    number(0.0, 1.0),
    "P",
    "drop tokens less likely than P times the likeliest; 0: none (default 0.05)",
);
pub(crate) static REPEAT_PENALTY: Flag<f32> =
    flag("--repeat-penalty", number(0.1, 10.0), "R", "divide the logits of the last 64 tokens by R; 1: off (default)");
pub(crate) static SEED: Flag<u64> =
    unset("-1", flag("--seed", wide_count(0, u64::MAX), "N", "seed of the sampler (default: a random one)"));
pub(crate) static STOP: Flag<str> = repeats(flag(
    "--stop",
    typed::TEXT,
    "TEXT",
    "end the answer before this text (\\n, \\t, \\r, \\\\ are escapes); may be repeated",
));
pub(crate) static FREQUENCY_PENALTY: Flag<f32> = flag(
    "--frequency-penalty",
    number(-10.0, 10.0),
    "F",
    "lower the logits of the last 64 tokens by F for each time they occur; 0: off (default)",
);
pub(crate) static PRESENCE_PENALTY: Flag<f32> = flag(
    "--presence-penalty",
    number(-10.0, 10.0),
    "F",
    "lower the logits of the last 64 tokens by F; 0: off (default)",
);
pub(crate) static REPEAT_LAST_N: Flag<usize> =
    flag("--repeat-last-n", count(0, 1 << 20), "N", "tokens that the three penalties apply to (default 64)");
#[cfg(feature = "constraints")]
pub(crate) static JSON_SCHEMA: Flag<Path> =
    flag("--json-schema", typed::PATH, "FILE", "answer with JSON that is valid for the schema in this file");
#[cfg(feature = "constraints")]
pub(crate) static GRAMMAR: Flag<Path> =
    flag("--grammar", typed::PATH, "FILE", "answer with a text of the GBNF grammar in this file");
pub(crate) static SYSTEM: Flag<str> = short('s', flag("--system", typed::TEXT, "TEXT", "system prompt"));
pub(crate) static FILE: Flag<Path> =
    short('f', flag("--file", typed::PATH, "FILE", "read the prompt from a file; - is standard input"));

pub(crate) static BANDWIDTH: Flag<()> = switch("--bandwidth", "measure the memory's read bandwidth (about a second)");
pub(crate) static IDS: Flag<[u32]> = flag("--ids", typed::IDS, "1,2,3", "token ids");
pub(crate) static OUT: Flag<Path> = flag("--out", typed::PATH, "FILE", "where to write the logits");
pub(crate) static DIGEST: Flag<()> = switch("--digest", "print the FNV-1a 64 digest of the logits' bytes on stdout");
pub(crate) static JSONL: Flag<()> =
    switch("--jsonl", "read one JSON string a line from --file or stdin, print one JSON array of ids a line");
pub(crate) static EMBED_JSONL: Flag<()> =
    switch("--jsonl", "read one JSON string a line from --file or stdin, print one JSON object a line");
pub(crate) static EMBED_FILE: Flag<Path> =
    short('f', flag("--file", typed::PATH, "FILE", "read the text from a file; - is standard input"));
pub(crate) static POOLING: Flag<str> = flag(
    "--pooling",
    choice(POOLING_NAMES),
    "TYPE",
    "what is made of the tokens' vectors: mean, cls (the first) or last (default: as the file says)",
);
pub(crate) static SPECIAL: Flag<()> = switch("--special", "let the text's control tokens become control tokens");
pub(crate) static NO_SPECIAL: Flag<()> = switch("--no-special", "take the text as text (default)");
pub(crate) static BOS: Flag<()> = switch("--bos", "start with the begin-of-text token");
pub(crate) static MESSAGES: Flag<Path> =
    flag("--messages", typed::PATH, "FILE", "JSON file with [{\"role\", \"content\", ...}, ...]");
pub(crate) static TOOLS: Flag<Path> = flag("--tools", typed::PATH, "FILE", "JSON file with a list of tools");
pub(crate) static SET: Flag<str> = repeats(flag(
    "--set",
    typed::TEXT,
    "NAME=JSON",
    "a variable of the template, like enable_thinking=false; may be repeated",
));
pub(crate) static BOS_TOKEN: Flag<str> = flag("--bos-token", typed::TEXT, "TEXT", "the template's bos_token");
pub(crate) static EOS_TOKEN: Flag<str> = flag("--eos-token", typed::TEXT, "TEXT", "the template's eos_token");
pub(crate) static NO_GENERATION_PROMPT: Flag<()> = switch("--no-generation-prompt", "end after the last message");
pub(crate) static DATE: Flag<Date> =
    flag("--date", typed::DATE, "YYYY-MM-DD", "what the template's clock says (default: today)");
pub(crate) static GOLDEN: Flag<Path> =
    flag("--golden", typed::PATH, "PREFIX", "compare with the logits in PREFIX.logits.f32 for the ids in PREFIX.ids");
pub(crate) static NO_CHAT: Flag<()> = switch("--no-chat", "leave the chat turn out");
pub(crate) static CONTEXTS: Flag<[usize]> = flag(
    "--contexts",
    counts(8, 1 << 24),
    "LIST",
    "context caps to smoke at (default 512,1024,2048,4096,8192, as far as the model goes)",
);
pub(crate) static BATCHES: Flag<[usize]> =
    flag("--batches", counts(1, 8192), "LIST", "prefill batches to sweep (default 1,16,32,64)");
pub(crate) static BENCH_PROMPT: Flag<usize> =
    short('p', flag("--n-prompt", count(0, 1 << 24), "N", "prompt tokens (default 512; 0: no prefill test)"));
pub(crate) static BENCH_GEN: Flag<usize> =
    short('n', flag("--n-gen", count(0, 1 << 24), "N", "tokens to decode (default 128; 0: no decode test)"));
pub(crate) static BENCH_THREADS: Flag<[usize]> =
    short('t', flag("--threads", counts(1, 256), "LIST", "thread counts to try, like 1,2,4"));
pub(crate) static BENCH_BATCH: Flag<[usize]> =
    short('b', flag("--batch", counts(1, 8192), "LIST", "prefill batches to try (default 512)"));
pub(crate) static BENCH_DEPTH: Flag<[usize]> =
    short('d', flag("--depth", counts(0, 1 << 24), "LIST", "tokens already in the context (default 0)"));
pub(crate) static BENCH_SLOTS: Flag<[usize]> = flag(
    "--slots",
    counts(1, 256),
    "LIST",
    "conversations at the same time, like 1,2,4,8: each with a prompt and an answer of its own",
);
pub(crate) static BENCH_DRAFT: Flag<()> =
    switch("--draft", "decode with drafts: a text that repeats its prompt, and one that does not");
pub(crate) static BENCH_CACHED: Flag<()> =
    switch("--cached", "time to the first token of a prompt that was seen before, beside its first time");
#[cfg(feature = "disk-cache")]
pub(crate) static BENCH_RESTART: Flag<Path> = flag(
    "--restart",
    typed::PATH,
    "DIR",
    "as --cached, and also from pages on disk, which go into a folder in DIR and are removed at the end",
);
#[cfg(feature = "bench-kernels")]
pub(crate) static BENCH_PRODUCTS: Flag<usize> = flag(
    "--products",
    count(1, 1 << 20),
    "N",
    "kernels: make every product N times from a cache and take no time, for counting instructions",
);
pub(crate) static BENCH_REPS: Flag<usize> = short('r', flag("--reps", count(1, 1000), "N", "repetitions (default 5)"));

/// Flags of every command.
pub(crate) static EVERYWHERE: &[&FlagRow] = &[&HELP.row, &JSON.row, &DRY_RUN.row, &VERBOSE.row];
pub(crate) static WORKERS: &[&FlagRow] = &[&THREADS.row, &THREADS_BATCH.row, &CORES.row, &KERNEL.row];
pub(crate) static SESSION: &[&FlagRow] = &[&EXPECT.row, &CTX.row, &BATCH.row, &KV.row, &TRACE.row];
#[cfg(feature = "cluster")]
pub(crate) static CLUSTER: &[&FlagRow] = &[&SPLIT.row, &SHARES.row, &CLUSTER_TIMEOUT.row];
#[cfg(not(feature = "cluster"))]
pub(crate) static CLUSTER: &[&FlagRow] = &[];
#[cfg(feature = "disk-cache")]
pub(crate) static CACHED: &[&FlagRow] = &[&CACHE.row, &CACHE_SIZE.row];
#[cfg(not(feature = "disk-cache"))]
pub(crate) static CACHED: &[&FlagRow] = &[];
#[cfg(feature = "disk-cache")]
pub(crate) static RESTARTS: &[&FlagRow] = &[&BENCH_RESTART.row];
#[cfg(not(feature = "disk-cache"))]
pub(crate) static RESTARTS: &[&FlagRow] = &[];
pub(crate) static DRAFTS: &[&FlagRow] = &[&DRAFT.row];
pub(crate) static SAMPLING: &[&FlagRow] = &[
    &N_PREDICT.row,
    &TEMP.row,
    &TOP_K.row,
    &TOP_P.row,
    &MIN_P.row,
    &REPEAT_PENALTY.row,
    &FREQUENCY_PENALTY.row,
    &PRESENCE_PENALTY.row,
    &REPEAT_LAST_N.row,
    &SEED.row,
    &STOP.row,
];
#[cfg(feature = "constraints")]
pub(crate) static CONSTRAINTS: &[&FlagRow] = &[&JSON_SCHEMA.row, &GRAMMAR.row];
#[cfg(not(feature = "constraints"))]
pub(crate) static CONSTRAINTS: &[&FlagRow] = &[];
#[cfg(not(feature = "connect"))]
pub(crate) static CLIENT: &[&FlagRow] = &[];
