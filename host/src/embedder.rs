//! Embeddings of texts, one after another.

use crate::error::{Error, TextProblem};
use crate::fitting::Fitting;
use crate::owned_session::OwnedSession;
use crate::pool::Pool;
use nanocamelid_engine::Tokenizer;
use nanocamelid_engine::config::Pooling;
use nanocamelid_engine::session::normalize;
use std::time::{Duration, Instant};

/// The length of a context is a multiple of so many tokens, so that texts of similar length share a session.
const STEP: usize = 256;

/// Makes embeddings in a session that has room for the longest text so far.
pub(crate) struct Embedder<'e> {
    tokenizer: &'e Tokenizer<'e>,
    fitting: Fitting<'e>,
    pool: &'e Pool,
    pooling: Pooling,
    session: Option<OwnedSession<'e>>,
}

/// The embedding of one text.
pub(crate) struct Embedding {
    pub(crate) n_tokens: usize,
    /// The vector, of length 1.
    pub(crate) values: Vec<f32>,
    pub(crate) time: Duration,
}

impl<'e> Embedder<'e> {
    /// For texts of this tokenizer.
    pub(crate) fn new(tokenizer: &'e Tokenizer<'e>, fitting: Fitting<'e>, pool: &'e Pool, pooling: Pooling) -> Self {
        Self { tokenizer, fitting, pool, pooling, session: None }
    }

    /// The length of the session, once there is one.
    pub(crate) fn n_ctx(&self) -> Option<usize> {
        self.session.as_ref().map(|session| session.n_ctx())
    }

    /// The embedding of a text, which an error calls by its label.
    ///
    /// # Errors
    /// [`Error::Text`]; those of the session.
    pub(crate) fn embed_text(&mut self, label: &str, text: &str) -> Result<Embedding, Error> {
        let mut tokens = Vec::new();
        if self.tokenizer.encode_whole(text, &mut tokens) == 0 {
            return Err(Error::Text { label: label.to_owned(), problem: TextProblem::Empty });
        }
        self.embed(label, &tokens, &mut || true)
    }

    /// The embedding of a text's tokens, at least one. `beside` runs between two batches, and says whether to go on.
    ///
    /// # Errors
    /// [`Error::Text`]; those of the session; [`Error::Failed`] if the embedding is given up.
    pub(crate) fn embed(
        &mut self,
        label: &str,
        tokens: &[u32],
        beside: &mut dyn FnMut() -> bool,
    ) -> Result<Embedding, Error> {
        let refused = |problem| Error::Text { label: label.to_owned(), problem };
        let config = &self.fitting.model().config;
        let n_tokens = tokens.len();
        let asked = self.fitting.settings().n_ctx;
        let limit = asked.unwrap_or(config.n_ctx_train);
        if n_tokens > limit {
            return Err(refused(TextProblem::TooLong { n_tokens, limit, is_asked: asked.is_some() }));
        }
        let session = match &mut self.session {
            Some(session) if session.n_ctx() >= n_tokens => session,
            session => {
                // The old session goes first, so that memory never holds both.
                *session = None;
                let plan = self.fitting.exactly(n_tokens.next_multiple_of(STEP).min(limit))?;
                session.insert(OwnedSession::new(plan, None)?)
            }
        };
        let started = Instant::now();
        let mut values = vec![0.0; config.n_embd];
        if !session.embed(self.pool, tokens, self.pooling, &mut values, beside)? {
            return Err(Error::Failed(format!("{label}: given up")));
        }
        let time = started.elapsed();
        normalize(&mut values);
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(Embedding { n_tokens, values, time }),
            false => Err(refused(TextProblem::NotNumbers)),
        }
    }
}
