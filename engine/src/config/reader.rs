//! Reads `{architecture}.{key}` metadata and collects every fault.

use crate::gguf::{Gguf, Value};
use crate::refusal::Reason;
use alloc::format;
use alloc::vec::Vec;

/// Something was refused; the reader has recorded the reason.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused;

/// A reader of one model's keys.
pub(crate) struct Reader<'g, 'a> {
    gguf: &'g Gguf<'a>,
    architecture: &'a str,
    /// Number of entries behind those of the layers, in arrays with one entry per layer.
    n_further: usize,
    reasons: Vec<Reason<'a>>,
}

impl<'g, 'a> Reader<'g, 'a> {
    pub(crate) fn new(gguf: &'g Gguf<'a>, architecture: &'a str) -> Self {
        Self { gguf, architecture, n_further: 0, reasons: Vec::new() }
    }

    /// Makes every array with one entry per layer have `n` further entries from now on.
    pub(crate) fn set_further_blocks(&mut self, n: usize) {
        self.n_further = n;
    }

    pub(crate) fn into_reasons(self) -> Vec<Reason<'a>> {
        self.reasons
    }

    pub(crate) fn refuse(&mut self, reason: Reason<'a>) -> Refused {
        self.reasons.push(reason);
        Refused
    }

    pub(crate) fn missing(&mut self, key: &'static str) -> Refused {
        self.refuse(Reason::MissingKey { architecture: self.architecture, key })
    }

    pub(crate) fn bad(&mut self, key: &'static str) -> Refused {
        self.refuse(Reason::BadKey { architecture: self.architecture, key })
    }

    pub(crate) fn value(&self, key: &str) -> Option<Value<'a>> {
        self.gguf.value(&format!("{}.{key}", self.architecture))
    }

    /// An integer within `min..=max`, if the key is present and valid; an invalid value is recorded.
    pub(crate) fn optional(&mut self, key: &'static str, min: u64, max: u64) -> Option<usize> {
        let value = self.value(key)?;
        match value.as_u64() {
            Some(n) if (min..=max).contains(&n) => usize::try_from(n).ok(),
            _ => {
                self.bad(key);
                None
            }
        }
    }

    /// An integer within `min..=max`.
    pub(crate) fn required(&mut self, key: &'static str, min: u64, max: u64) -> Result<usize, Refused> {
        match self.value(key) {
            Some(_) => self.optional(key, min, max).ok_or(Refused),
            None => Err(self.missing(key)),
        }
    }

    /// A finite float within `min..=max`, if the key is present and valid; an invalid value is recorded.
    pub(crate) fn optional_float(&mut self, key: &'static str, min: f32, max: f32) -> Option<f32> {
        let value = self.value(key)?;
        match value.as_f32() {
            Some(x) if x.is_finite() && (min..=max).contains(&x) => Some(x),
            _ => {
                self.bad(key);
                None
            }
        }
    }

    /// A finite float within `min..=max`.
    pub(crate) fn required_float(&mut self, key: &'static str, min: f32, max: f32) -> Result<f32, Refused> {
        match self.value(key) {
            Some(_) => self.optional_float(key, min, max).ok_or(Refused),
            None => Err(self.missing(key)),
        }
    }

    /// One integer for all layers, or an array with one integer per layer.
    pub(crate) fn per_layer(
        &mut self,
        key: &'static str,
        n_layers: usize,
        min: u64,
        max: u64,
    ) -> Result<Vec<usize>, Refused> {
        let Some(value) = self.value(key) else {
            return Err(self.missing(key));
        };
        let Some(array) = value.as_array() else {
            return self.optional(key, min, max).map(|n| alloc::vec![n; n_layers]).ok_or(Refused);
        };
        let number =
            |v: Value<'a>| v.as_u64().filter(|n| (min..=max).contains(n)).and_then(|n| usize::try_from(n).ok());
        let numbers: Option<Vec<usize>> = match array.len() == n_layers + self.n_further {
            true => array.iter().take(n_layers).map(number).collect(),
            false => None,
        };
        numbers.ok_or_else(|| self.bad(key))
    }

    /// An array with one boolean (or 0/1) per layer; `None` if the value is not an array.
    pub(crate) fn flags(&mut self, key: &'static str, n_layers: usize) -> Result<Option<Vec<bool>>, Refused> {
        let Some(array) = self.value(key).and_then(|v| v.as_array()) else {
            return Ok(None);
        };
        let flags: Option<Vec<bool>> =
            array.iter().map(|v| v.as_bool().or(v.as_u64().map(|n| n != 0))).take(n_layers).collect();
        match flags {
            Some(flags) if flags.len() == n_layers => Ok(Some(flags)),
            _ => Err(self.bad(key)),
        }
    }

    /// A factor other than 0, if the key is present.
    pub(crate) fn scale(&mut self, key: &'static str) -> Option<f32> {
        self.optional_float(key, f32::MIN, f32::MAX).filter(|&scale| scale != 0.0)
    }

    /// A soft-cap; 0 means none.
    pub(crate) fn softcap(&mut self, key: &'static str, default: Option<f32>) -> Option<f32> {
        self.optional_float(key, 0.0, f32::MAX).or(default).filter(|&cap| cap > 0.0)
    }

    /// A string, if the key is present.
    pub(crate) fn string(&mut self, key: &'static str) -> Option<&'a str> {
        let value = self.value(key)?;
        let text = value.as_str();
        if text.is_none() {
            self.bad(key);
        }
        text
    }

    /// A boolean, if the key is present.
    pub(crate) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        if value.as_bool().is_none() {
            self.bad(key);
        }
        value.as_bool()
    }

    /// `vocab_size`, or else the length of the token list.
    pub(crate) fn vocab_size(&mut self, max: u64) -> Result<usize, Refused> {
        let tokens = self.gguf.value("tokenizer.ggml.tokens").and_then(|v| v.as_array()).map(|a| a.len());
        match self.optional("vocab_size", 1, max).or(tokens) {
            Some(n) if n > 0 && n as u64 <= max => Ok(n),
            _ => Err(self.missing("vocab_size")),
        }
    }
}
