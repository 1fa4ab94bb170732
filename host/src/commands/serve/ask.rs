//! A request for an answer, in the words of no dialect: every dialect reads its requests into an [`Ask`].

use super::fields::Fields;
use super::refusal::Refusal;
use serde_json::{Map, Value as Json};

/// Most stop strings of a request.
const MAX_STOPS: usize = 64;

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) prompt: Prompt,
    pub(super) tools: Vec<Json>,
    pub(super) tool_choice: ToolChoice,
    /// Whether the answer may have more than one call.
    pub(super) parallel_calls: bool,
    pub(super) format: Format,
    /// Whether the model is to reason before it answers; as the template likes if nobody says.
    pub(super) thinking: Option<bool>,
    /// Further variables of the template.
    pub(super) variables: Map<String, Json>,
    pub(super) sampling: Sampling,
    /// Most tokens of the answer.
    pub(super) max_tokens: Option<usize>,
    pub(super) stops: Vec<String>,
    /// Log-probabilities of each token, and of so many of the likeliest tokens.
    pub(super) logprobs: Option<usize>,
    /// Whether the prompt stands in front of the answer.
    pub(super) echo: bool,
}

/// What the answer follows.
#[derive(Clone, Debug)]
pub(super) enum Prompt {
    /// Messages in the form of OpenAI's API, a list of objects, for the chat template. The contents are texts.
    Messages(Vec<Json>),
    /// A text as it is, behind the begin-of-text token.
    Text(String),
    /// Token ids as they are.
    Ids(Vec<u32>),
}

impl Default for Prompt {
    fn default() -> Self {
        Self::Messages(Vec::new())
    }
}

/// Whether the answer calls tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum ToolChoice {
    /// As the model likes.
    #[default]
    Auto,
    None,
    /// At least one call.
    Required,
    /// A call of this tool.
    Named(String),
}

/// The form of the answer's text.
#[derive(Clone, Debug, Default)]
pub(super) enum Format {
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that a schema allows. The field is the schema's place in the request.
    Schema { schema: Json, field: &'static str },
}

impl Format {
    /// JSON that the schema in a field allows. `path` is the field's place in the request.
    ///
    /// # Errors
    /// 400 without a schema, and for one that is neither an object nor true or false.
    pub(super) fn schema(fields: &Fields<'_>, name: &str, path: &'static str) -> Result<Self, Refusal> {
        match fields.required(name, fields.get(name))? {
            schema @ (Json::Object(_) | Json::Bool(_)) => Ok(Self::Schema { schema: schema.clone(), field: path }),
            _ => Err(fields.refuse(name, "must be a JSON schema")),
        }
    }
}

impl Ask {
    /// Reads whether the probabilities of tokens are wanted, and of how many.
    ///
    /// # Errors
    /// 400 for a wrong type or number.
    pub(super) fn set_log_probs(&mut self, fields: &Fields<'_>) -> Result<(), Refusal> {
        self.logprobs = match (fields.flag("logprobs")?, fields.count("top_logprobs", 0, 20)?) {
            (Some(true), n) => Some(n.unwrap_or(0)),
            (_, Some(1..)) => return Err(fields.refuse("top_logprobs", "needs logprobs: true")),
            _ => None,
        };
        Ok(())
    }

    /// Reads how much the model is to reason, in the words of OpenAI's APIs.
    ///
    /// # Errors
    /// 400 for another word.
    pub(super) fn set_effort(&mut self, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
        match fields.text(name)? {
            None => {}
            Some("none") => self.thinking = Some(false),
            Some(effort @ ("minimal" | "low" | "medium" | "high" | "xhigh" | "max")) => {
                self.thinking = Some(true);
                self.variables.entry("reasoning_effort").or_insert_with(|| effort.into());
            }
            Some(_) => return Err(fields.refuse(name, "must be none, minimal, low, medium, high, xhigh or max")),
        }
        Ok(())
    }
}

/// Settings of the sampler; what is absent is as the command line says.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampling {
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    pub(super) top_k: Option<usize>,
    pub(super) min_p: Option<f32>,
    pub(super) seed: Option<u64>,
    pub(super) repeat_penalty: Option<f32>,
    /// As far as the context reaches.
    pub(super) repeat_last_n: Option<usize>,
    pub(super) frequency_penalty: Option<f32>,
    pub(super) presence_penalty: Option<f32>,
    /// What is added to the logits of single tokens.
    pub(super) logit_bias: Vec<(u32, f32)>,
}

impl Sampling {
    /// Reads the fields that the dialects share.
    ///
    /// # Errors
    /// 400 for a value out of range.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            temperature: fields.number("temperature", 0.0, 100.0)?,
            top_p: fields.number("top_p", 0.0, 1.0)?,
            // Some clients write "no limit" as -1.
            top_k: fields.whole("top_k", -1, 1 << 24)?.map(|k| usize::try_from(k).unwrap_or(0)),
            min_p: fields.number("min_p", 0.0, 1.0)?,
            // -1 is a random one.
            seed: fields.whole("seed", i64::MIN, i64::MAX)?.filter(|&seed| seed != -1).map(i64::cast_unsigned),
            repeat_penalty: fields.number("repeat_penalty", 0.1, 10.0)?,
            // -1 is the whole context.
            repeat_last_n: fields
                .whole("repeat_last_n", -1, 1 << 20)?
                .map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            frequency_penalty: fields.number("frequency_penalty", -2.0, 2.0)?,
            presence_penalty: fields.number("presence_penalty", -2.0, 2.0)?,
            logit_bias: Vec::new(),
        })
    }
}

/// Stop strings: one, or a list.
///
/// # Errors
/// 400 for another type, an empty text, or too many.
pub(super) fn stops(fields: &Fields<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let stops = fields.texts(name)?.unwrap_or_default();
    if stops.len() > MAX_STOPS {
        return Err(fields.refuse(name, format_args!("more than {MAX_STOPS} stop strings")));
    }
    // Clients send an empty text where their user gave none.
    Ok(stops.into_iter().filter(|stop| !stop.is_empty()).map(str::to_owned).collect())
}
