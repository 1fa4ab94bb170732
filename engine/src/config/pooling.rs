//! How hidden states of a text's tokens become one embedding of the text.

use super::reader::{Reader, Refused};
use crate::refusal::Reason;

/// What is made of the tokens' hidden states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token, which in BERT is `[CLS]`.
    Cls,
    /// That of the last token.
    Last,
}

impl Pooling {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Cls, Self::Last];

    /// The field's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Last => "last",
        }
    }

    /// The pooling of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pooling| pooling.name() == name)
    }

    /// `pooling_type`, as llama.cpp numbers it; `None` if it is absent or 0, for no pooling.
    pub(super) fn read(r: &mut Reader<'_, '_>) -> Result<Option<Self>, Refused> {
        const KEY: &str = "pooling_type";
        match r.value(KEY).map(|value| value.as_u64()) {
            None | Some(Some(0)) => Ok(None),
            Some(Some(1)) => Ok(Some(Self::Mean)),
            Some(Some(2)) => Ok(Some(Self::Cls)),
            Some(Some(3)) => Ok(Some(Self::Last)),
            Some(Some(4)) => Err(r.refuse(Reason::Ranker)),
            Some(_) => Err(r.bad(KEY)),
        }
    }
}
