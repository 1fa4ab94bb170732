//! Grammars of answers: what a request's tools and format allow. A grammar is compiled once and kept, because clients
//! send the same schema with every request.

use super::ask::{Ask, Format, ToolChoice};
use super::refusal::Refusal;
use crate::answer::grammar::{self, Thinking};
use crate::answer::{Family, Tool};
use nanocamelid_engine::{Constraint, Grammar, GrammarBuilder, GrammarError, TokenTrie, Tokenizer};
use serde_json::Value as Json;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Most grammars that are kept.
const MAX_KEPT: usize = 16;

/// The grammars of a model's answers.
#[derive(Default)]
pub(super) struct Constraints {
    /// Made for the first answer that needs it.
    trie: OnceLock<Arc<TokenTrie>>,
    /// What a grammar was made from, and an answer that has not begun; the one used last is the last.
    kept: Mutex<Vec<(String, Constraint)>>,
}

/// How an answer is written.
pub(super) struct Form<'f> {
    pub(super) family: &'f Family,
    pub(super) tokenizer: &'f Tokenizer<'f>,
    pub(super) thinking: Thinking,
}

impl Constraints {
    /// The constraint of an answer, if the request asks for one.
    ///
    /// # Errors
    /// 400 with the schema's place, and what is not supported in it.
    pub(super) fn of(&self, ask: &Ask, tools: &[Tool], form: &Form<'_>) -> Result<Option<Constraint>, Refusal> {
        let called: Vec<&Tool> = match &ask.tool_choice {
            ToolChoice::Required => tools.iter().collect(),
            ToolChoice::Named(name) => tools.iter().filter(|tool| tool.name == *name).collect(),
            ToolChoice::Auto | ToolChoice::None => Vec::new(),
        };
        if !called.is_empty() {
            let is_many = ask.parallel_calls && ask.tool_choice == ToolChoice::Required;
            let key = format!("calls {is_many} {:?} {called:?}", form.thinking);
            let make = || {
                grammar::calls(form.family, form.tokenizer, &called, is_many, form.thinking)
                    .map_err(|problem| Refusal::field("tools", problem))
            };
            return self.kept(key, form, make).map(Some);
        }
        match &ask.format {
            Format::Text => Ok(None),
            Format::JsonObject => self.document(form, "{}", &|builder| Ok(builder.json_object())).map(Some),
            Format::Schema { schema, field } => self.schema(form, schema, field).map(Some),
        }
    }

    fn schema(&self, form: &Form<'_>, schema: &Json, field: &str) -> Result<Constraint, Refusal> {
        let schema = schema.to_string();
        let make = |builder: &mut GrammarBuilder| builder.json_schema(&schema);
        self.document(form, &schema, &make).map_err(|refusal| Refusal::field(field, refusal.message))
    }

    fn document(
        &self,
        form: &Form<'_>,
        key: &str,
        document: &dyn Fn(&mut GrammarBuilder) -> Result<nanocamelid_engine::constraint::Part, GrammarError>,
    ) -> Result<Constraint, Refusal> {
        self.kept(format!("document {:?} {key}", form.thinking), form, || {
            grammar::document(form.family, form.tokenizer, form.thinking, document).map_err(Refusal::bad)
        })
    }

    /// An answer that has not begun, from the grammars that are kept or from a new one.
    fn kept(
        &self,
        key: String,
        form: &Form<'_>,
        make: impl FnOnce() -> Result<Grammar, Refusal>,
    ) -> Result<Constraint, Refusal> {
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = kept.iter().position(|(known, _)| *known == key) {
                let entry = kept.remove(at);
                let constraint = entry.1.clone();
                kept.push(entry);
                return Ok(constraint);
            }
        }
        let grammar = Arc::new(make()?);
        let trie = Arc::clone(self.trie.get_or_init(|| Arc::new(TokenTrie::new(form.tokenizer))));
        let constraint = Constraint::new(grammar, trie);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == MAX_KEPT {
            kept.remove(0);
        }
        kept.push((key, constraint.clone()));
        Ok(constraint)
    }
}
