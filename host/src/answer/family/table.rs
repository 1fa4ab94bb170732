//! The families.
//!
//! Sources: the published chat templates, and the model cards of Qwen, Mistral, Granite, LFM2, Gemma and Hunyuan; for
//! gpt-oss, "OpenAI Harmony Response Format".

use super::{Opener, Place, Reasoning, Row, forms};
use crate::answer::calls::{Entry, Syntax, json, named, params, python};
use crate::answer::value::Dialect;

/// The markers of reasoning that a template without any leaves to its models.
pub(super) static THINK: Reasoning = Reasoning { open: "<think>", close: "</think>", is_token: false };

/// Other markers of reasoning, each in front of those that the same templates use otherwise.
pub(super) static REASONING: [Reasoning; 9] = [
    Reasoning { open: "[THINK]", close: "[/THINK]", is_token: true },
    Reasoning { open: "<|channel>thought", close: "<channel|>", is_token: true },
    Reasoning { open: "<|channel|>analysis<|message|>", close: "<|end|>", is_token: true },
    Reasoning { open: "<|think|>", close: "<|end|>", is_token: true },
    Reasoning { open: "<|inner_prefix|>", close: "<|inner_suffix|>", is_token: true },
    Reasoning { open: "<seed:think>", close: "</seed:think>", is_token: true },
    Reasoning { open: "◁think▷", close: "◁/think▷", is_token: true },
    Reasoning { open: "<thought>", close: "</thought>", is_token: false },
    Reasoning { open: "Here is my thought process:", close: "Here is my response:", is_token: false },
];

const fn opener(text: &'static str, syntax: Syntax, place: Place) -> Opener {
    Opener { text, syntax, entry: Entry::Section, place, is_part: false }
}

const fn call_opener(text: &'static str, syntax: Syntax, place: Place) -> Opener {
    Opener { text, syntax, entry: Entry::Call, place, is_part: false }
}

/// `{...}` objects or a list of them, up to a marker.
const fn objects(close: &'static str) -> json::Shape {
    json::Shape { close: Some(close), is_keyed: false, is_bare: false }
}

const TAGGED: Opener = opener("<tool_call>", Syntax::Json(&json::TAGGED), Place::Content);

/// Models of templates without calls, which a system text tells to write as Hermes does.
pub(super) static PLAIN: Row = Row {
    name: "plain",
    signs: &[],
    also: "",
    openers: &[TAGGED],
    silent: &[],
    form: &forms::TAGGED,
    after_reasoning: "",
    before_text: "",
};

/// What most families have in common.
const ROW: Row = Row { name: "hermes", signs: &["<tool_call>"], openers: &[TAGGED], silent: &[], ..PLAIN };

/// The families, each in front of those whose signs it has as well.
pub(super) static ROWS: [Row; 19] = [
    Row {
        name: "gpt-oss",
        signs: &["<|channel|>commentary"],
        openers: &GPT_OSS_OPENERS,
        silent: &GPT_OSS_SILENT,
        form: &forms::GPT_OSS,
        after_reasoning: "<|start|>assistant",
        before_text: "<|channel|>final<|message|>",
        ..ROW
    },
    Row {
        name: "gemma-4",
        signs: &["<|tool_call>call:"],
        openers: &[call_opener("<|tool_call>", GEMMA, Place::Anywhere)],
        form: &forms::GEMMA,
        ..ROW
    },
    Row {
        name: "functiongemma",
        signs: &["<start_function_call>"],
        openers: &[call_opener("<start_function_call>", FUNCTION_GEMMA, Place::Anywhere)],
        form: &forms::FUNCTION_GEMMA,
        ..ROW
    },
    Row {
        name: "kimi",
        signs: &["<|tool_call_argument_begin|>"],
        openers: &[
            opener("<|tool_calls_section_begin|>", KIMI, Place::Anywhere),
            call_opener("<|tool_call_begin|>", KIMI, Place::Anywhere),
        ],
        form: &forms::KIMI,
        ..ROW
    },
    Row {
        name: "solar",
        signs: &["<|tool_call:begin|>"],
        openers: &[opener("<|tool_calls|>", SOLAR, Place::Anywhere)],
        silent: &["<|begin|>assistant", "<|content|>", "<|end|>"],
        form: &forms::SOLAR,
        after_reasoning: "<|begin|>assistant",
        before_text: "<|content|>",
        ..ROW
    },
    Row { name: "deepseek-r1", also: "```json", form: &forms::DEEPSEEK_R1, ..DEEPSEEK_ROW },
    DEEPSEEK_ROW,
    Row { name: "mistral", signs: &["[ARGS]"], form: &forms::MISTRAL, ..MISTRAL_ROW },
    MISTRAL_ROW,
    Row {
        name: "apertus",
        signs: &["<|tools_prefix|>"],
        openers: &[opener("<|tools_prefix|>", APERTUS, Place::Anywhere)],
        form: &forms::APERTUS,
        ..ROW
    },
    Row {
        name: "lfm2",
        signs: &["<|tool_call_start|>", "<|tool_list_start|>"],
        openers: &[opener("<|tool_call_start|>", LFM2, Place::Anywhere)],
        form: &forms::LFM2,
        ..ROW
    },
    Row {
        name: "minicpm",
        signs: &["<function name="],
        openers: &[call_opener("<function name=\"", MINICPM, Place::Content)],
        form: &forms::MINICPM,
        ..ROW
    },
    Row {
        name: "glm",
        signs: &["<arg_key>"],
        openers: &[call_opener("<tool_call>", GLM, Place::Content)],
        form: &forms::GLM,
        ..ROW
    },
    Row {
        name: "qwen-xml",
        signs: &["<function="],
        openers: &[opener("<tool_call>", QWEN, Place::Content), call_opener("<function=", QWEN, Place::Content)],
        form: &forms::QWEN,
        ..ROW
    },
    // Granite 3, and Phi 4.
    Row {
        name: "granite",
        signs: &["<|tool_call|>", "<|tool|>"],
        openers: &[opener("<|tool_call|>", GRANITE, Place::Anywhere)],
        form: &forms::GRANITE,
        ..ROW
    },
    Row {
        name: "nemotron",
        signs: &["<TOOLCALL>"],
        openers: &[opener("<TOOLCALL>", NEMOTRON, Place::Content)],
        form: &forms::NEMOTRON,
        ..ROW
    },
    Row {
        name: "hunyuan",
        signs: &["<tool_calls>", "<answer>"],
        openers: &[opener("<tool_calls>", HUNYUAN, Place::Content)],
        silent: &["<answer>", "</answer>"],
        form: &forms::HUNYUAN,
        ..ROW
    },
    ROW,
    Row {
        name: "llama-3",
        signs: &["<|python_tag|>", "\"parameters\": "],
        openers: &[
            opener("<|python_tag|>", Syntax::Json(&json::BARE_LIST), Place::Anywhere),
            Opener { is_part: true, ..opener("{", LLAMA, Place::Beginning) },
        ],
        form: &forms::LLAMA,
        ..ROW
    },
];

const DEEPSEEK_ROW: Row = Row {
    name: "deepseek",
    signs: &["<｜tool▁call▁begin｜>"],
    openers: &[
        opener("<｜tool▁calls▁begin｜>", DEEPSEEK, Place::Anywhere),
        call_opener("<｜tool▁call▁begin｜>", DEEPSEEK, Place::Anywhere),
    ],
    form: &forms::DEEPSEEK,
    ..ROW
};

/// Mistral's first models with calls, whose form the newer ones understand, too.
const MISTRAL_ROW: Row = Row {
    name: "mistral-list",
    signs: &["[TOOL_CALLS]"],
    openers: &[call_opener("[TOOL_CALLS]", MISTRAL, Place::Anywhere)],
    form: &forms::MISTRAL_LIST,
    ..ROW
};

const LLAMA: Syntax = Syntax::Json(&json::Shape { close: None, is_keyed: false, is_bare: true });
const NEMOTRON: Syntax = Syntax::Json(&objects("</TOOLCALL>"));
const HUNYUAN: Syntax = Syntax::Json(&objects("</tool_calls>"));
const GRANITE: Syntax = Syntax::Json(&objects("<|/tool_call|>"));
const APERTUS: Syntax = Syntax::Json(&json::Shape { close: Some("<|tools_suffix|>"), is_keyed: true, is_bare: false });
const LFM2: Syntax = Syntax::Python(&python::Shape { section_end: "<|tool_call_end|>" });

const QWEN: Syntax = Syntax::Params(&params::Shape {
    section_end: Some("</tool_call>"),
    name: "<function=",
    name_end: ">",
    key: "<parameter=",
    key_end: ">",
    value: "",
    value_end: "</parameter>",
    has_lines: true,
    call_end: "</function>",
});

const MINICPM: Syntax = Syntax::Params(&params::Shape {
    section_end: None,
    name: "<function name=\"",
    name_end: "\">",
    key: "<param name=\"",
    key_end: "\">",
    value: "",
    value_end: "</param>",
    has_lines: false,
    call_end: "</function>",
});

const GLM: Syntax = Syntax::Params(&params::Shape {
    section_end: None,
    name: "<tool_call>",
    name_end: "",
    key: "<arg_key>",
    key_end: "</arg_key>",
    value: "<arg_value>",
    value_end: "</arg_value>",
    has_lines: false,
    call_end: "</tool_call>",
});

/// `[TOOL_CALLS][{...}, ...]`; later `[TOOL_CALLS]f[ARGS]{...}`, and `[TOOL_CALLS]f[CALL_ID]id[ARGS]{...}`.
const MISTRAL: Syntax = Syntax::Named(&named::Shape {
    calls: &["[TOOL_CALLS]"],
    call_ends: &[],
    section_ends: &[],
    name: |header| {
        let name = header.trim().strip_suffix("[ARGS]")?;
        Some(name.split_once("[CALL_ID]").map_or(name, |(name, _)| name).trim())
    },
    dialect: Dialect::Json,
    may_be_list: true,
});

/// `<｜tool▁call▁begin｜>f<｜tool▁sep｜>{...}<｜tool▁call▁end｜>`; R1 writes a type in front of the name and a code block.
const DEEPSEEK: Syntax = Syntax::Named(&named::Shape {
    calls: &["<｜tool▁call▁begin｜>"],
    call_ends: &["<｜tool▁call▁end｜>"],
    section_ends: &["<｜tool▁calls▁end｜>"],
    name: |header| {
        let (before, behind) = header.split_once("<｜tool▁sep｜>")?;
        let name = behind.trim_end().trim_end_matches("json").trim_end_matches('`').trim();
        Some(if name.is_empty() { before.trim() } else { name })
    },
    dialect: Dialect::Json,
    may_be_list: false,
});

/// `<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{...}<|tool_call_end|>`.
const KIMI: Syntax = Syntax::Named(&named::Shape {
    calls: &["<|tool_call_begin|>"],
    call_ends: &["<|tool_call_end|>"],
    section_ends: &["<|tool_calls_section_end|>"],
    name: |header| {
        let id = header.trim().strip_suffix("<|tool_call_argument_begin|>")?.trim();
        let id = id.strip_prefix("functions.").unwrap_or(id);
        let is_number = |number: &str| number.bytes().all(|b| b.is_ascii_digit());
        Some(id.rsplit_once(':').filter(|(_, number)| is_number(number)).map_or(id, |(name, _)| name))
    },
    dialect: Dialect::Json,
    may_be_list: false,
});

/// `<|tool_call:begin|>id<|tool_call:name|>f<|tool_call:args|>{...}<|tool_call:end|>`.
const SOLAR: Syntax = Syntax::Named(&named::Shape {
    calls: &["<|tool_call:begin|>"],
    call_ends: &["<|tool_call:end|>"],
    section_ends: &["<|calls|>"],
    name: |header| {
        let (_, name) = header.trim().strip_suffix("<|tool_call:args|>")?.split_once("<|tool_call:name|>")?;
        Some(name.trim())
    },
    dialect: Dialect::Json,
    may_be_list: false,
});

const GEMMA: Syntax = Syntax::Named(&named::Shape {
    calls: &["<|tool_call>"],
    call_ends: &["<tool_call|>"],
    section_ends: &[],
    name: |header| header.trim().strip_prefix("call:"),
    dialect: Dialect::Marked("<|\"|>"),
    may_be_list: false,
});

const FUNCTION_GEMMA: Syntax = Syntax::Named(&named::Shape {
    calls: &["<start_function_call>"],
    call_ends: &["<end_function_call>"],
    section_ends: &[],
    name: |header| header.trim().strip_prefix("call:"),
    dialect: Dialect::Marked("<escape>"),
    may_be_list: false,
});

/// A message to a recipient: `<|channel|>commentary to=functions.f <|constrain|>json<|message|>{...}<|call|>`, or with
/// the recipient in front of the channel.
const GPT_OSS: Syntax = Syntax::Named(&named::Shape {
    calls: &[],
    call_ends: &[],
    section_ends: &["<|call|>"],
    name: |header| {
        let recipient =
            header.trim().strip_suffix("<|message|>")?.split(|c: char| c.is_whitespace() || c == '<').next()?;
        Some(recipient.strip_prefix("functions.").unwrap_or(recipient))
    },
    dialect: Dialect::Json,
    may_be_list: false,
});

/// The recipient in front of the channel stands behind the role, where a message begins.
const GPT_OSS_OPENERS: [Opener; 3] = [
    call_opener("<|channel|>commentary to=", GPT_OSS, Place::Content),
    call_opener("<|channel|>analysis to=", GPT_OSS, Place::Content),
    call_opener("to=", GPT_OSS, Place::Beginning),
];

const GPT_OSS_SILENT: [&str; 6] = [
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|channel|>commentary<|message|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
];
