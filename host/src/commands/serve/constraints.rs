//! Grammars of answers: what a request's tools and format allow. A grammar is compiled once and kept, because clients
//! send the same schema with every request; and what an answer has found out about it serves the answers behind it.

use super::ask::{Ask, Format, ToolChoice};
use super::refusal::Refusal;
use crate::answer::grammar::{self, Thinking};
use crate::answer::{Family, Tool};
use nanocamelid_engine::{Constraint, Grammar, GrammarBuilder, GrammarError, TokenTrie, Tokenizer};
use serde_json::Value as Json;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Most grammars that are kept.
const MAX_KEPT: usize = 16;
/// Most memory of what a grammar that is kept was made from, and of what answers have found out about it.
const MAX_BYTES: usize = 1 << 20;

/// The grammars of a model's answers.
#[derive(Default)]
pub(super) struct Constraints {
    /// Made for the first answer that needs it.
    trie: OnceLock<Arc<TokenTrie>>,
    /// What a grammar was made from, and an answer that has not begun; the one used last is the last.
    kept: Mutex<Vec<(String, Constraint)>>,
}

/// Where an answer's constraint came from and goes back to.
pub(super) struct Origin {
    constraints: Arc<Constraints>,
    key: String,
}

impl Origin {
    /// Takes the constraint of an answer that has ended, so that the next answer need not find out the same.
    pub(super) fn give_back(&self, mut constraint: Constraint) {
        if constraint.has_given_up() || constraint.n_bytes() > MAX_BYTES {
            return;
        }
        let mut kept = self.constraints.lock();
        // The grammar may have gone, and answers beside this one may have found out more.
        let entry = kept.iter_mut().find(|(key, known)| *key == self.key && known.n_masks() < constraint.n_masks());
        if let Some((_, known)) = entry {
            constraint.reset();
            *known = constraint;
        }
    }
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
    pub(super) fn of(
        self: &Arc<Self>,
        ask: &Ask,
        tools: &[Tool],
        form: &Form<'_>,
    ) -> Result<Option<(Constraint, Origin)>, Refusal> {
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

    fn schema(self: &Arc<Self>, form: &Form<'_>, schema: &Json, field: &str) -> Result<(Constraint, Origin), Refusal> {
        let schema = schema.to_string();
        let make = |builder: &mut GrammarBuilder| builder.json_schema(&schema);
        self.document(form, &schema, &make).map_err(|refusal| Refusal::field(field, refusal.message))
    }

    fn document(
        self: &Arc<Self>,
        form: &Form<'_>,
        key: &str,
        document: &dyn Fn(&mut GrammarBuilder) -> Result<nanocamelid_engine::constraint::Part, GrammarError>,
    ) -> Result<(Constraint, Origin), Refusal> {
        self.kept(format!("document {:?} {key}", form.thinking), form, || {
            grammar::document(form.family, form.tokenizer, form.thinking, document).map_err(Refusal::bad)
        })
    }

    /// An answer that has not begun, from the grammars that are kept or from a new one.
    fn kept(
        self: &Arc<Self>,
        key: String,
        form: &Form<'_>,
        make: impl FnOnce() -> Result<Grammar, Refusal>,
    ) -> Result<(Constraint, Origin), Refusal> {
        let origin = Origin { constraints: Arc::clone(self), key: key.clone() };
        {
            let mut kept = self.lock();
            if let Some(at) = kept.iter().position(|(known, _)| *known == key) {
                let entry = kept.remove(at);
                let constraint = entry.1.clone();
                kept.push(entry);
                return Ok((constraint, origin));
            }
        }
        let grammar = Arc::new(make()?);
        let trie = Arc::clone(self.trie.get_or_init(|| Arc::new(TokenTrie::new(form.tokenizer))));
        let constraint = Constraint::new(grammar, trie);
        if key.len() > MAX_BYTES {
            return Ok((constraint, origin));
        }
        let mut kept = self.lock();
        if kept.len() == MAX_KEPT {
            kept.remove(0);
        }
        kept.push((key, constraint.clone()));
        Ok((constraint, origin))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Constraint)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "demo"))]
mod tests {
    use super::*;
    use nanocamelid_engine::Gguf;

    /// A request may be as long as `--max-body`, and 16 of those would fill a small board's memory.
    #[test]
    fn long_schemas_are_not_kept() {
        let gguf = Gguf::parse(crate::demo::bytes().unwrap()).unwrap();
        let tokenizer = Tokenizer::new(&gguf).unwrap();
        let form = Form { family: &Family::of(""), tokenizer: &tokenizer, thinking: Thinking::Never };
        let constraints = Arc::new(Constraints::default());
        for (n_bytes, n_kept) in [(MAX_BYTES, 0), (MAX_BYTES / 2, 1)] {
            let schema = serde_json::json!({"type": "null", "title": "x".repeat(n_bytes)});
            let ask = Ask { format: Format::Schema { schema, field: "schema" }, ..Ask::default() };
            assert!(constraints.of(&ask, &[], &form).unwrap().is_some());
            assert_eq!(constraints.lock().len(), n_kept, "{n_bytes}");
        }
    }

    #[test]
    fn what_an_answer_finds_out_serves_the_next() {
        let gguf = Gguf::parse(crate::demo::bytes().unwrap()).unwrap();
        let tokenizer = Tokenizer::new(&gguf).unwrap();
        let form = Form { family: &Family::of(""), tokenizer: &tokenizer, thinking: Thinking::Never };
        let ask = Ask { format: Format::JsonObject, ..Ask::default() };
        let constraints = Arc::new(Constraints::default());
        let next = || constraints.of(&ask, &[], &form).unwrap().unwrap();
        let (mut first, origin) = next();
        let beginning = first.mask().clone();
        let token = (0..tokenizer.n_vocab() as u32).find(|&token| beginning.contains(token)).unwrap();
        assert!(first.accept(token));
        first.mask();
        let n_masks = first.n_masks();
        assert!(n_masks == 2 && first.n_bytes() > 0);
        // One that knows less takes nothing away.
        let (_, early) = next();
        let less = next().0;
        origin.give_back(first);
        early.give_back(less);
        let mut second = next().0;
        assert_eq!((second.n_masks(), second.mask()), (n_masks, &beginning));
    }
}
