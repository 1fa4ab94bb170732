//! Sampling flags.

use crate::cli::{Invocation, table};
use crate::error::Error;
use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::{SamplerParams, Tokenizer};

/// Temperature of a chat with a model that varies its answers well.
const CHAT_TEMPERATURE: f32 = 0.7;

/// The user's settings.
#[derive(Clone, Debug)]
pub(crate) struct Sampling {
    temperature: Option<f32>,
    /// Limit of the answer's tokens.
    pub(crate) n_predict: Option<usize>,
    params: SamplerParams,
    stops: Vec<String>,
}

impl Sampling {
    /// Reads the flags and, where the command has them, the arguments TEMP and MAX_TOKENS.
    ///
    /// # Errors
    /// [`Error::Stop`] for an unusable stop string; [`Error::Io`] if the system has no random numbers.
    pub(crate) fn new(invocation: &Invocation) -> Result<Self, Error> {
        let stops = invocation.all(&table::STOP).into_iter().map(unescaped).collect::<Vec<_>>();
        StopMatcher::new(stops.iter().map(String::as_str))?;
        let seed = match invocation.get(&table::SEED) {
            Some(seed) => seed,
            None => random_seed()?,
        };
        let default = SamplerParams::default();
        let params = SamplerParams {
            // No limit is the same as 0.
            top_k: invocation.get(&table::TOP_K).map_or(default.top_k, |k| if k == usize::MAX { 0 } else { k }),
            top_p: invocation.get(&table::TOP_P).unwrap_or(default.top_p),
            min_p: invocation.get(&table::MIN_P).unwrap_or(default.min_p),
            repeat_penalty: invocation.get(&table::REPEAT_PENALTY).unwrap_or(default.repeat_penalty),
            frequency_penalty: invocation.get(&table::FREQUENCY_PENALTY).unwrap_or(default.frequency_penalty),
            presence_penalty: invocation.get(&table::PRESENCE_PENALTY).unwrap_or(default.presence_penalty),
            repeat_last_n: invocation.get(&table::REPEAT_LAST_N).unwrap_or(default.repeat_last_n),
            seed,
            ..default
        };
        Ok(Self {
            temperature: invocation.argument(&table::TEMP_ARGUMENT).or(invocation.get(&table::TEMP)),
            n_predict: invocation.argument(&table::MAX_TOKENS_ARGUMENT).or(invocation.get(&table::N_PREDICT)),
            params,
            stops,
        })
    }

    /// The stop strings of the user, and the chat format's stop string if there is one.
    ///
    /// # Errors
    /// [`Error::Stop`].
    pub(crate) fn stop(&self, tokenizer: &Tokenizer<'_>, of_format: Option<&str>) -> Result<StopMatcher, Error> {
        let stops = self.stops.iter().map(String::as_str).chain(of_format);
        Ok(StopMatcher::new(stops)?.with_control_tokens(tokenizer))
    }

    /// The stop strings of the user.
    #[cfg(any(feature = "connect", feature = "serve"))]
    pub(crate) fn stops(&self) -> &[String] {
        &self.stops
    }

    /// Settings for a chat. The built-in demo is too small to vary its answers and is greedy unless asked otherwise.
    pub(crate) fn chat(&self, is_demo: bool) -> SamplerParams {
        self.params(if is_demo { 0.0 } else { CHAT_TEMPERATURE })
    }

    /// Settings for a raw completion: greedy unless asked otherwise.
    pub(crate) fn completion(&self) -> SamplerParams {
        self.params(0.0)
    }

    /// The temperature that was asked for.
    pub(crate) fn asked_temperature(&self) -> Option<f32> {
        self.temperature
    }

    /// Changes the temperature.
    pub(crate) fn set_temperature(&mut self, temperature: f32) {
        self.temperature = Some(temperature);
    }

    fn params(&self, default: f32) -> SamplerParams {
        SamplerParams { temperature: self.temperature.unwrap_or(default), ..self.params }
    }
}

/// A stop text as typed: `\n`, `\t`, `\r` and `\\` are escapes, as in llama.cpp; other backslashes are themselves.
fn unescaped(typed: &str) -> String {
    let mut text = String::with_capacity(typed.len());
    let mut chars = typed.chars();
    while let Some(char) = chars.next() {
        let escaped = match (char, chars.clone().next()) {
            ('\\', Some('n')) => Some('\n'),
            ('\\', Some('t')) => Some('\t'),
            ('\\', Some('r')) => Some('\r'),
            ('\\', Some('\\')) => Some('\\'),
            _ => None,
        };
        if escaped.is_some() {
            chars.next();
        }
        text.push(escaped.unwrap_or(char));
    }
    text
}

/// A seed from the system.
///
/// # Errors
/// [`Error::Io`] if the system has no random numbers.
pub(crate) fn random_seed() -> Result<u64, Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|source| Error::Io { what: "random seed".into(), source: source.into() })?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn escapes_of_stop_texts() {
        for (typed, text) in [
            (r"\n", "\n"),
            (r"a\tb\r\n", "a\tb\r\n"),
            (r"\\n", r"\n"),
            (r"\begin", r"\begin"),
            ("\\", "\\"),
            ("é", "é"),
        ] {
            assert_eq!(unescaped(typed), text, "{typed}");
        }
    }
}
