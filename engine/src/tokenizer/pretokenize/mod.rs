//! Pre-tokenizers: how a text is split into words before pieces merge, by the names of `tokenizer.ggml.pre`.
//!
//! A pre-tokenizer is a list of stages. Each stage splits the parts that the stage before produced. A stage is a list
//! of rules, tried in order at each position like the alternatives of a regular expression; text that no rule matches
//! stays together. A stage sees only its own part, so a lookahead at the end of the part finds the end.
//!
//! Names and expressions: llama.cpp, `src/llama-vocab.cpp`, which also lists each expression as the model published it.

mod ranges;
mod rules;
mod scan;
#[cfg(test)]
mod tests;

use rules::{
    Rule, afmoe_scripts, any_spaced_letters, any_spaced_punctuation, ascii_word_after_punctuation, cascading_spaces,
    cased_marked_word_contraction, cased_word, cased_word_contraction, cjk, contraction, contraction_any_case,
    deepseek_cjk, deepseek_letters, deepseek_punctuation, han, image, indentation, line, marked_word,
    marked_word_after_plain, marked_word_contraction, newline, not_sentence_punctuation, number, numbers,
    one_punctuation, others, others_newline_or_slash, others_newlines, others_newlines_slashes, phrase,
    punctuation_ascii_symbols, punctuation_ascii_symbols_backtick, punctuation_symbols, punctuation_symbols_newlines,
    sentinel, spaced_letters, spaced_numbers, spaces, spaces_newlines, three_digits, unmarked_others_newlines,
    up_to_3_numbers, word, word_without_han, youtu_scripts,
};
use scan::run;

use super::spm::SPACE;
use super::unicode::is_number;

/// A pre-tokenizer and what llama.cpp derives from its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct PreTokenizer {
    stages: &'static [Stage],
    /// A word that is a piece becomes that piece, whatever the merges say.
    pub(super) ignore_merges: bool,
    /// Whether prompts start with BOS where `tokenizer.ggml.add_bos_token` is absent.
    pub(super) add_bos: bool,
    /// The units that words consist of.
    pub(super) alphabet: Alphabet,
    /// A run of newlines that is a piece becomes that piece, and prompts start with BOS whatever the file says (Gemma
    /// 4).
    pub(super) whole_newlines: bool,
    /// Every line starts with a space.
    pub(super) line_prefix: bool,
}

/// The units of a word before its pieces merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Bytes, each written as a visible character.
    Bytes,
    /// Characters; a space is written U+2581.
    Characters,
}

/// Calls the closure with every part of the text, in order.
type Splitter = fn(&str, &mut dyn FnMut(&str));

#[derive(Debug)]
enum Stage {
    /// A list of alternatives.
    Match(&'static [Rule]),
    /// A function, for expressions that no alternatives match in linear time.
    Split(Splitter),
}

impl PreTokenizer {
    /// The pre-tokenizer with this name, if it is known.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "default" => Self::of(DEFAULT),
            "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0" | "lfm2"
            | "jina-v5-nano" => Self { add_bos: true, ..Self::whole_words(LLAMA3) },
            "dbrx" | "smaug-bpe" | "chatglm-bpe" => Self::of(LLAMA3),
            "glm4" | "glm5" => Self::whole_words(LLAMA3),
            "jais-2" => Self::of(JAIS2),
            "deepseek-llm" => Self::of(DEEPSEEK_LLM),
            "deepseek-coder" => Self::of(DEEPSEEK_CODER),
            "deepseek-v3" | "hunyuan-dense" | "joyai-llm" | "hy_v4" => Self::of(DEEPSEEK_V3),
            "spark2_5" => Self::of(SPARK),
            "youtu" => Self::whole_words(YOUTU),
            "falcon" => Self::of(FALCON),
            "starcoder" | "refact" | "command-r" | "smollm" | "codeshell" | "exaone" | "minerva-7b" | "mellum2" => {
                Self::of(STARCODER)
            }
            "gpt-2" | "phi-2" | "jina-es" | "jina-de" | "jina-v1-en" | "jina-v2-es" | "jina-v2-de" | "jina-v2-code"
            | "gigachat" | "a.x-4.0" | "mellum" | "modern-bert" | "roberta-bpe" | "mpt" | "olmo" | "jais"
            | "trillion" | "granite-docling" | "exaone4" => Self::of(GPT2),
            "qwen2" | "deepseek-r1-qwen" | "kormo" | "f2llmv2" | "megrez" | "stablelm2" | "hunyuan" | "solar-open"
            | "grok-2" => Self::of(QWEN2),
            "qwen35" => Self::of(QWEN35),
            "poro-chat" | "bloom" | "gpt3-finnish" => Self::of(BLOOM),
            "viking" => Self::of(VIKING),
            "tekken" => Self { add_bos: true, ..Self::whole_words(TEKKEN) },
            "chameleon" => Self { add_bos: true, ..Self::of(CHAMELEON) },
            "gpt-4o" | "llama4" | "kanana2" | "talkie" | "minimax-m2" => Self::of(GPT4O),
            "granite-embed-multi-97m" => Self::whole_words(GRANITE_EMBED),
            "tiny_aya" | "cohere2moe" => Self::of(TINY_AYA),
            "kimi-k2" => Self::of(KIMI_K2),
            "superbpe" => Self::of(SUPERBPE),
            "bailingmoe" | "bailingmoe2" | "llada-moe" => Self::of(QWEN2),
            "seed-coder" => Self::of(SEED_CODER),
            "ufakzeka" => Self::of(UFAKZEKA),
            "afmoe" => Self::of(AFMOE),
            "laguna" => Self::of(LAGUNA),
            "exaone-moe" => Self::of(EXAONE_MOE),
            "minicpm5" => Self::whole_words(MINICPM5),
            "gemma4" | "granite-embed-multi-311m" => {
                Self { add_bos: true, whole_newlines: true, ..Self::of_characters(LINES) }
            }
            "sarvam-moe" => Self::of_characters(LINES),
            "mmbert" => Self { whole_newlines: true, line_prefix: true, ..Self::of_characters(MMBERT) },
            _ => return None,
        })
    }

    fn of(stages: &'static [Stage]) -> Self {
        Self {
            stages,
            ignore_merges: false,
            add_bos: false,
            alphabet: Alphabet::Bytes,
            whole_newlines: false,
            line_prefix: false,
        }
    }

    fn whole_words(stages: &'static [Stage]) -> Self {
        Self { ignore_merges: true, ..Self::of(stages) }
    }

    fn of_characters(stages: &'static [Stage]) -> Self {
        Self { alphabet: Alphabet::Characters, ..Self::of(stages) }
    }

    /// Calls `emit` with every word of `text`, in order; the words together are the text.
    pub(super) fn split(&self, text: &str, emit: &mut dyn FnMut(&str)) {
        split(self.stages, text, emit);
    }
}

fn split(stages: &[Stage], text: &str, emit: &mut dyn FnMut(&str)) {
    match stages.split_first() {
        None => emit(text),
        Some((Stage::Match(rules), rest)) => split_by_rules(rules, text, &mut |word| split(rest, word, emit)),
        Some((Stage::Split(by), rest)) => by(text, &mut |word| split(rest, word, emit)),
    }
}

fn split_by_rules(rules: &[Rule], text: &str, emit: &mut dyn FnMut(&str)) {
    let (mut unmatched, mut at) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        match rules.iter().find_map(|rule| rule(text, at)) {
            Some(end) => {
                if unmatched < at {
                    emit(&text[unmatched..at]);
                }
                emit(&text[at..end]);
                (unmatched, at) = (end, end);
            }
            None => at += c.len_utf8(),
        }
    }
    if unmatched < at {
        emit(&text[unmatched..]);
    }
}

const GPT2_RULES: Stage = Stage::Match(&[contraction, spaced_letters, spaced_numbers, others, spaces]);
const GPT2: &[Stage] = &[GPT2_RULES];

const DEFAULT: &[Stage] =
    &[Stage::Match(&[punctuation_ascii_symbols]), GPT2_RULES, Stage::Match(&[numbers]), Stage::Match(&[three_digits])];

const STARCODER: &[Stage] = &[Stage::Match(&[number]), GPT2_RULES];

const FALCON: &[Stage] =
    &[Stage::Match(&[punctuation_ascii_symbols_backtick]), GPT2_RULES, Stage::Match(&[three_digits])];

const CHAMELEON: &[Stage] = &[
    Stage::Match(&[sentinel]),
    Stage::Match(&[image]),
    Stage::Match(&[indentation]),
    Stage::Match(&[number]),
    Stage::Match(&[one_punctuation]),
    GPT2_RULES,
];

const LLAMA3: &[Stage] =
    &[Stage::Match(&[contraction_any_case, word, up_to_3_numbers, others_newlines, spaces_newlines, spaces])];

const JAIS2: &[Stage] =
    &[Stage::Match(&[contraction_any_case, word, up_to_3_numbers, others_newlines, spaces_newlines, cascading_spaces])];

const QWEN2_RULES: Stage =
    Stage::Match(&[contraction_any_case, word, number, others_newlines, spaces_newlines, spaces]);
const QWEN2: &[Stage] = &[QWEN2_RULES];

const LINES: &[Stage] = &[Stage::Match(&[line])];

const LAGUNA: &[Stage] = &[Stage::Match(&[line]), QWEN2_RULES];

const MMBERT: &[Stage] = &[Stage::Match(&[line]), Stage::Split(before_escaped_spaces)];

const UFAKZEKA: &[Stage] = &[Stage::Match(&[word, number, others_newlines, spaces_newlines, spaces])];

const SEED_CODER: &[Stage] = &[Stage::Match(&[contraction_any_case, word, number, others, spaces_newlines, spaces])];

const QWEN35: &[Stage] =
    &[Stage::Match(&[contraction_any_case, marked_word, number, unmarked_others_newlines, spaces_newlines, spaces])];

const EXAONE_MOE: &[Stage] =
    &[Stage::Match(&[contraction_any_case, phrase, number, others_newline_or_slash, spaces_newlines, spaces])];

const MINICPM5: &[Stage] = &[
    Stage::Match(&[up_to_3_numbers]),
    Stage::Match(&[contraction_any_case, word, numbers, others_newlines, spaces_newlines, spaces]),
];

const TEKKEN: &[Stage] = &[Stage::Match(&[cased_word, number, others_newlines_slashes, spaces_newlines, spaces])];

const GPT4O: &[Stage] =
    &[Stage::Match(&[cased_word_contraction, up_to_3_numbers, others_newlines_slashes, spaces_newlines, spaces])];

const GRANITE_EMBED: &[Stage] = &[Stage::Match(&[
    cased_marked_word_contraction,
    up_to_3_numbers,
    others_newlines_slashes,
    spaces_newlines,
    spaces,
])];

const TINY_AYA: &[Stage] = &[
    Stage::Split(group_numbers),
    Stage::Match(&[marked_word_contraction, up_to_3_numbers, others_newlines_slashes, spaces_newlines, spaces]),
];

const YOUTU: &[Stage] = &[
    Stage::Match(&[youtu_scripts]),
    Stage::Match(&[marked_word_contraction, number, others_newlines_slashes, spaces_newlines, spaces]),
];

const KIMI_K2: &[Stage] =
    &[Stage::Match(&[han, word_without_han, up_to_3_numbers, others_newlines, spaces_newlines, spaces])];

const DEEPSEEK_LLM: &[Stage] = &[
    Stage::Match(&[newline]),
    Stage::Match(&[deepseek_letters]),
    Stage::Match(&[deepseek_punctuation]),
    Stage::Split(trailing_spaces),
    Stage::Match(&[deepseek_cjk]),
    Stage::Match(&[numbers]),
];

const DEEPSEEK_CODER: &[Stage] = &[
    Stage::Match(&[newline]),
    Stage::Match(&[any_spaced_letters]),
    Stage::Match(&[any_spaced_punctuation]),
    Stage::Match(&[deepseek_cjk]),
    Stage::Match(&[number]),
];

const DEEPSEEK_V3_RULES: Stage = Stage::Match(&[
    ascii_word_after_punctuation,
    marked_word_after_plain,
    punctuation_symbols_newlines,
    spaces_newlines,
    spaces,
]);
const DEEPSEEK_V3: &[Stage] = &[Stage::Match(&[up_to_3_numbers]), Stage::Match(&[cjk]), DEEPSEEK_V3_RULES];

const AFMOE: &[Stage] = &[Stage::Split(group_numbers), Stage::Match(&[afmoe_scripts]), DEEPSEEK_V3_RULES];

const SPARK: &[Stage] = &[
    Stage::Match(&[up_to_3_numbers]),
    Stage::Match(&[cjk]),
    Stage::Match(&[ascii_word_after_punctuation, marked_word_after_plain, punctuation_symbols, newline, spaces]),
    Stage::Match(&[number]),
];

const BLOOM: &[Stage] = &[Stage::Match(&[not_sentence_punctuation])];

const VIKING: &[Stage] = &[Stage::Match(&[not_sentence_punctuation]), Stage::Match(&[number])];

const SUPERBPE: &[Stage] = &[Stage::Match(&[numbers]), Stage::Split(group_digits)];

/// `▁?[^▁]*`: a cut before every U+2581.
fn before_escaped_spaces(text: &str, emit: &mut dyn FnMut(&str)) {
    let mut start = 0;
    for (at, _) in text.match_indices(SPACE).filter(|&(at, _)| at > 0) {
        emit(&text[start..at]);
        start = at;
    }
    emit(&text[start..]);
}

/// `\s+$`
fn trailing_spaces(text: &str, emit: &mut dyn FnMut(&str)) {
    let (body, spaces) = text.split_at(text.trim_end().len());
    for part in [body, spaces] {
        if !part.is_empty() {
            emit(part);
        }
    }
}

/// Splits numbers into groups of three digits, counted from the right. Like llama.cpp's scanner for this expression,
/// the function leaves the text before a number attached to the first group; later stages split that text off.
fn group_numbers(text: &str, emit: &mut dyn FnMut(&str)) {
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        at = run(text, at, |c| !is_number(c));
        let end = run(text, at, is_number);
        let mut n_left = text[at..end].chars().count();
        for c in text[at..end].chars() {
            at += c.len_utf8();
            n_left -= 1;
            if n_left.is_multiple_of(3) {
                emit(&text[start..at]);
                start = at;
            }
        }
    }
    if start < text.len() {
        emit(&text[start..]);
    }
}

/// `(?=(\d{3})+(?!\d))`: a cut before every digit from which a multiple of three digits remains in the number.
fn group_digits(text: &str, emit: &mut dyn FnMut(&str)) {
    let mut start = 0;
    let mut n_left = 0;
    for (at, c) in text.char_indices() {
        if !c.is_ascii_digit() {
            continue;
        }
        if n_left == 0 {
            n_left = run(text, at, |c| c.is_ascii_digit()) - at;
        }
        if n_left.is_multiple_of(3) && start < at {
            emit(&text[start..at]);
            start = at;
        }
        n_left -= 1;
    }
    if start < text.len() {
        emit(&text[start..]);
    }
}
