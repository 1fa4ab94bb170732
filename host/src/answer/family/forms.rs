//! The form of each family's calls, for grammars. Readers take more than these forms.

use super::{Arguments, Form};

const OBJECT: &str = "{\"name\": \"$NAME\", \"arguments\": $ARGUMENTS}";

/// A form without anything around its calls.
const BARE: Form = Form { open: "", call: OBJECT, between: Some("\n"), close: "", arguments: Arguments::Json };

pub(super) static TAGGED: Form =
    Form { call: "<tool_call>\n{\"name\": \"$NAME\", \"arguments\": $ARGUMENTS}\n</tool_call>", ..BARE };

/// Objects in a list between two texts.
const fn list(open: &'static str, close: &'static str) -> Form {
    Form { open, close, between: Some(", "), ..BARE }
}

pub(super) static GRANITE: Form = list("<|tool_call|>[", "]");
pub(super) static NEMOTRON: Form = list("<TOOLCALL>[", "]</TOOLCALL>");
pub(super) static HUNYUAN: Form = list("<tool_calls>\n[", "]\n</tool_calls>");
pub(super) static MISTRAL_LIST: Form = list("[TOOL_CALLS][", "]");
pub(super) static APERTUS: Form =
    Form { call: "{\"$NAME\": $ARGUMENTS}", ..list("<|tools_prefix|>[", "]<|tools_suffix|>") };

pub(super) static MISTRAL: Form = Form { call: "[TOOL_CALLS]$NAME[ARGS]$ARGUMENTS", between: Some(""), ..BARE };
pub(super) static LLAMA: Form =
    Form { call: "{\"name\": \"$NAME\", \"parameters\": $ARGUMENTS}", between: Some("; "), ..BARE };

/// The token behind a call ends the answer, so there is one call at most.
pub(super) static GPT_OSS: Form = Form {
    call: "<|channel|>commentary to=functions.$NAME <|constrain|>json<|message|>$ARGUMENTS",
    between: None,
    ..BARE
};

pub(super) static KIMI: Form = Form {
    open: "<|tool_calls_section_begin|>",
    call: "<|tool_call_begin|>functions.$NAME:$NUMBER<|tool_call_argument_begin|>$ARGUMENTS<|tool_call_end|>",
    between: Some(""),
    close: "<|tool_calls_section_end|>",
    arguments: Arguments::Json,
};

pub(super) static SOLAR: Form = Form {
    open: "<|tool_calls|>",
    call: "<|tool_call:begin|>$NUMBER<|tool_call:name|>$NAME<|tool_call:args|>$ARGUMENTS<|tool_call:end|>",
    between: Some(""),
    close: "<|calls|>",
    arguments: Arguments::Json,
};

pub(super) static DEEPSEEK: Form = Form {
    open: "<｜tool▁calls▁begin｜>",
    call: "<｜tool▁call▁begin｜>$NAME<｜tool▁sep｜>$ARGUMENTS<｜tool▁call▁end｜>",
    between: Some(""),
    close: "<｜tool▁calls▁end｜>",
    arguments: Arguments::Json,
};

pub(super) static DEEPSEEK_R1: Form = Form {
    call: "<｜tool▁call▁begin｜>function<｜tool▁sep｜>$NAME\n```json\n$ARGUMENTS\n```<｜tool▁call▁end｜>",
    between: Some("\n"),
    ..DEEPSEEK
};

pub(super) static LFM2: Form = Form {
    open: "<|tool_call_start|>[",
    call: "$NAME($ARGUMENTS)",
    between: Some(", "),
    close: "]<|tool_call_end|>",
    arguments: Arguments::Elements { element: "$KEY=$VALUE", between: ", ", text: None },
};

pub(super) static GEMMA: Form = Form {
    call: "<|tool_call>call:$NAME{$ARGUMENTS}<tool_call|>",
    between: Some(""),
    arguments: Arguments::Elements { element: "$KEY:$VALUE", between: ",", text: Some("<|\"|>") },
    ..BARE
};

pub(super) static FUNCTION_GEMMA: Form = Form {
    call: "<start_function_call>call:$NAME{$ARGUMENTS}<end_function_call>",
    between: Some(""),
    arguments: Arguments::Elements { element: "$KEY:$VALUE", between: ",", text: Some("<escape>") },
    ..BARE
};

pub(super) static QWEN: Form = Form {
    call: "<tool_call>\n<function=$NAME>\n$ARGUMENTS</function>\n</tool_call>",
    arguments: Arguments::Elements { element: "<parameter=$KEY>\n$VALUE\n</parameter>\n", between: "", text: Some("") },
    ..BARE
};

pub(super) static MINICPM: Form = Form {
    call: "<function name=\"$NAME\">$ARGUMENTS</function>",
    arguments: Arguments::Elements { element: "<param name=\"$KEY\">$VALUE</param>", between: "", text: Some("") },
    ..BARE
};

pub(super) static GLM: Form = Form {
    call: "<tool_call>$NAME\n$ARGUMENTS</tool_call>",
    arguments: Arguments::Elements {
        element: "<arg_key>$KEY</arg_key>\n<arg_value>$VALUE</arg_value>\n",
        between: "",
        text: Some(""),
    },
    ..BARE
};
