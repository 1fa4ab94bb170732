//! The tokens that start and end a text, and the tokens that are control tokens whatever the file says.
//!
//! Files differ in what they declare, so some tokens are also known by their pieces. The names and the exceptions are
//! those of llama.cpp (`src/llama-vocab.cpp`).

use alloc::vec::Vec;

use super::error::TokenizerError;
use super::metadata::Metadata;
use super::vocabulary::{TokenKind, Vocabulary};

/// Ids of the tokens with a role.
#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) unknown: Option<u32>,
    /// Between two texts, and in BERT behind the last.
    pub(super) separator: Option<u32>,
    /// Tokens that end generation, ascending.
    pub(super) ends: Vec<u32>,
    /// A user-defined `</s>` in a vocabulary whose `<s>` is a control token. This `</s>` does not end generation here,
    /// but, as in llama.cpp, no text becomes it.
    pub(super) counterpart: Option<u32>,
}

/// Pieces that end a turn or a text.
const ENDS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Pieces of these lists that are also words: Gemma 3 has HTML's `</s>`. If the file declares another end, these pieces
/// are text unless the file makes them control tokens. llama.cpp makes them control tokens in either case.
const WORDS: &[&str] = &["</s>", "<eos>", "[EOS]", "[EOT]", "<PAD>", "[PAD]", "<REPO>", "<reponame>"];

/// A token of the fill-in-the-middle format.
struct FillIn {
    keys: &'static [&'static str],
    pieces: &'static [&'static str],
    ends_generation: bool,
}

const FILL_IN: &[FillIn] = &[
    FillIn {
        keys: &["tokenizer.ggml.prefix_token_id", "tokenizer.ggml.fim_pre_token_id"],
        pieces: &[
            "<|fim_prefix|>",
            "<fim-prefix>",
            "<fim_prefix>",
            "<｜fim▁begin｜>",
            "<PRE>",
            "▁<PRE>",
            "<|code_prefix|>",
            "<|prefix|>",
        ],
        ends_generation: false,
    },
    FillIn {
        keys: &["tokenizer.ggml.suffix_token_id", "tokenizer.ggml.fim_suf_token_id"],
        pieces: &[
            "<|fim_suffix|>",
            "<fim-suffix>",
            "<fim_suffix>",
            "<｜fim▁hole｜>",
            "<SUF>",
            "▁<SUF>",
            "<|code_suffix|>",
            "<|suffix|>",
        ],
        ends_generation: false,
    },
    FillIn {
        keys: &["tokenizer.ggml.middle_token_id", "tokenizer.ggml.fim_mid_token_id"],
        pieces: &[
            "<|fim_middle|>",
            "<fim-middle>",
            "<fim_middle>",
            "<｜fim▁end｜>",
            "<MID>",
            "▁<MID>",
            "<|code_middle|>",
            "<|middle|>",
        ],
        ends_generation: false,
    },
    FillIn {
        keys: &["tokenizer.ggml.fim_pad_token_id"],
        pieces: &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"],
        ends_generation: true,
    },
    FillIn {
        keys: &["tokenizer.ggml.fim_rep_token_id"],
        pieces: &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
        ends_generation: true,
    },
    FillIn { keys: &["tokenizer.ggml.fim_sep_token_id"], pieces: &["<|file_sep|>"], ends_generation: true },
];

/// Keys whose ids are checked and not used.
const UNUSED_KEYS: &[&str] = &["tokenizer.ggml.padding_token_id", "tokenizer.ggml.mask_token_id"];

impl Roles {
    /// Reads the ids and corrects the kinds in `vocabulary`. `defaults` are BOS, EOS and the unknown token where the
    /// file has no key.
    pub(super) fn new(
        metadata: Metadata<'_, '_>,
        vocabulary: &mut Vocabulary<'_>,
        defaults: [Option<u32>; 3],
    ) -> Result<Self, TokenizerError> {
        let n_tokens = vocabulary.len();
        let [bos, eos, unknown] = defaults.map(|id| id.filter(|&id| (id as usize) < n_tokens));
        let bos = metadata.id("tokenizer.ggml.bos_token_id", n_tokens)?.or(bos);
        let declared_eos = metadata.id("tokenizer.ggml.eos_token_id", n_tokens)?;
        let unknown = metadata.id("tokenizer.ggml.unknown_token_id", n_tokens)?.or(unknown);
        let eot = metadata.id("tokenizer.ggml.eot_token_id", n_tokens)?;
        let eom = metadata.id("tokenizer.ggml.eom_token_id", n_tokens)?;
        // As the format spells it.
        let separator = metadata.id("tokenizer.ggml.seperator_token_id", n_tokens)?;
        for key in UNUSED_KEYS {
            metadata.id(key, n_tokens)?;
        }

        let is_declared = [declared_eos, eot, eom].iter().any(Option::is_some);
        let eos = declared_eos.or(eos);
        let mut ends: Vec<u32> = [eos, eot, eom].into_iter().flatten().collect();
        let words = if is_declared { words(vocabulary, &ends) } else { Vec::new() };
        for fill_in in FILL_IN {
            let mut id = None;
            for key in fill_in.keys {
                id = id.or(metadata.id(key, n_tokens)?);
            }
            if id.is_none() {
                let known = fill_in.pieces.iter().filter_map(|piece| vocabulary.id(piece.as_bytes()));
                id = known.filter(|id| !words.contains(id)).min();
                if let Some(id) = id {
                    vocabulary.set_kind(id, TokenKind::Control);
                }
            }
            ends.extend(id.filter(|_| fill_in.ends_generation));
        }
        for piece in ENDS {
            if let Some(id) = vocabulary.id(piece.as_bytes()).filter(|id| !words.contains(id)) {
                vocabulary.set_kind(id, TokenKind::Control);
                ends.push(id);
            }
        }
        // gpt-oss writes these as text.
        for piece in ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"] {
            if let Some(id) = vocabulary.id(piece.as_bytes()) {
                vocabulary.set_kind(id, TokenKind::UserDefined);
            }
        }
        let is_control = |id: &u32| vocabulary.kind(*id) == TokenKind::Control || bos == Some(*id);
        let has_bos_tag = vocabulary.id(b"<s>").as_ref().is_some_and(is_control);
        let counterpart = vocabulary.id(b"</s>").filter(|id| has_bos_tag && words.contains(id));
        let mut roles = Self { bos, eos, unknown, separator, ends, counterpart };
        roles.keep_text(vocabulary);
        roles.ends.sort_unstable();
        roles.ends.dedup();
        Ok(roles)
    }

    /// Removes from the ends the tokens that are ordinary pieces in vocabularies with certain other tokens.
    fn keep_text(&mut self, vocabulary: &mut Vocabulary<'_>) {
        let ends = |roles: &Self, piece: &str| vocabulary.id(piece.as_bytes()).filter(|id| roles.ends.contains(id));
        let has = |piece| ends(self, piece).is_some();
        // In o200k_harmony and solar-open this token ends a message, not the answer.
        let has_call = has("<|call|>") || has("<|calls|>");
        let message_end = ends(self, "<|end|>").filter(|_| has_call && (has("<|return|>") || has("<|flush|>")));
        // gemma4 and plamo have an HTML tag with this name.
        let tag = ends(self, "</s>").filter(|_| has("<|tool_response>") || has("<|plamo:eos|>"));
        for (id, kind) in [(message_end, TokenKind::UserDefined), (tag, TokenKind::Normal)] {
            if let Some(id) = id {
                vocabulary.set_kind(id, kind);
                self.ends.retain(|&end| end != id);
            }
        }
    }
}

/// Turns the [`WORDS`] that are not in `ends` into text. Each is one token wherever it is written, not only where
/// merges lead to it.
fn words(vocabulary: &mut Vocabulary<'_>, ends: &[u32]) -> Vec<u32> {
    let mut words: Vec<u32> = WORDS.iter().filter_map(|piece| vocabulary.id(piece.as_bytes())).collect();
    words.retain(|&id| {
        let is_text = matches!(vocabulary.kind(id), TokenKind::Normal | TokenKind::UserDefined);
        is_text && !ends.contains(&id)
    });
    words.iter().for_each(|&id| vocabulary.set_kind(id, TokenKind::UserDefined));
    words
}
