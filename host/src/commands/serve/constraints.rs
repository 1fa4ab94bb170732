//! Grammars of answers: what a request's tools and format allow. A grammar is compiled once and kept, because clients
//! send the same schema with every request; and what an answer has found out about it serves the answers behind it.

use super::ask::{Ask, Format, ToolChoice};
use super::refusal::Refusal;
use crate::answer::grammar::{self, Calls, Document, Problem, Thinking};
use crate::answer::{Family, Tool};
use nanocamelid_engine::{Constraint, Grammar, GrammarBuilder, TokenTrie, Tokenizer};
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
        let choice = &ask.tool_choice;
        let tools: Vec<&Tool> = match choice {
            ToolChoice::Required | ToolChoice::Auto => tools.iter().collect(),
            ToolChoice::Named(name) => tools.iter().filter(|tool| tool.name == *name).collect(),
            ToolChoice::None => Vec::new(),
        };
        // A call that must be made leaves no choice of a document.
        let must_call = !tools.is_empty() && *choice != ToolChoice::Auto;
        let format = if must_call { &Format::Text } else { &ask.format };
        let schema = match format {
            Format::Text if !must_call => return Ok(None),
            Format::Text | Format::JsonObject => String::new(),
            Format::Schema { schema, .. } => schema.to_string(),
        };
        let may_be_many = ask.parallel_calls && !matches!(choice, ToolChoice::Named(_));
        let kind = std::mem::discriminant(format);
        let key = format!("{:?} {kind:?} {may_be_many} {tools:?} {schema}", form.thinking);
        let calls = Calls { tools: &tools, may_be_many };
        let document = |builder: &mut GrammarBuilder| match format {
            Format::Schema { .. } => builder.json_schema(&schema),
            Format::Text | Format::JsonObject => Ok(builder.json_object()),
        };
        let document: Option<&Document<'_>> = if must_call { None } else { Some(&document) };
        let make = || {
            grammar::answer(form.family, form.tokenizer, form.thinking, document, &calls).map_err(|problem| {
                match (problem, format) {
                    (Problem::Tools(problem), _) => Refusal::field("tools", problem),
                    (Problem::Answer(error), Format::Text) => Refusal::field("tools", error),
                    (Problem::Answer(error), Format::JsonObject) => Refusal::bad(error),
                    (Problem::Answer(error), Format::Schema { field, .. }) => Refusal::field(field, error),
                }
            })
        };
        self.kept(key, form, make).map(Some)
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
    use serde_json::{Value as Json, json};

    fn tokenizer() -> Tokenizer<'static> {
        Tokenizer::new(&Gguf::parse(crate::demo::bytes().unwrap()).unwrap()).unwrap()
    }

    /// A request may be as long as `--max-body`, and 16 of those would fill a small board's memory.
    #[test]
    fn long_schemas_are_not_kept() {
        let tokenizer = tokenizer();
        let form = Form { family: &Family::of(""), tokenizer: &tokenizer, thinking: Thinking::Never };
        let constraints = Arc::new(Constraints::default());
        for (n_bytes, n_kept) in [(MAX_BYTES, 0), (MAX_BYTES / 2, 1)] {
            let schema = json!({"type": "null", "title": "x".repeat(n_bytes)});
            let ask = Ask { format: Format::Schema { schema, field: "schema" }, ..Ask::default() };
            assert!(constraints.of(&ask, &[], &form).unwrap().is_some());
            assert_eq!(constraints.lock().len(), n_kept, "{n_bytes}");
        }
    }

    /// A client may want a document in the end, and tools to be called before.
    #[test]
    fn tools_may_be_called_where_the_answer_is_a_document() {
        let tokenizer = tokenizer();
        let form = Form { family: &Family::of("<tool_call>"), tokenizer: &tokenizer, thinking: Thinking::Never };
        let constraints = Arc::new(Constraints::default());
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
        let tools = [Tool::new(&json!("f"), &Json::Null, &schema).unwrap()];
        let formats = [Format::Schema { schema: schema.clone(), field: "schema" }, Format::JsonObject];
        let holds = |format: &Format, tool_choice, text: &str| {
            let ask = Ask { format: format.clone(), tool_choice, parallel_calls: true, ..Ask::default() };
            let (mut constraint, _) = constraints.of(&ask, &tools, &form).unwrap().unwrap();
            let mut tokens = Vec::new();
            tokenizer.encode(text, false, &mut tokens);
            tokens.into_iter().all(|token| constraint.accept(token)) && constraint.can_end()
        };
        let call = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";
        for format in &formats {
            for (text, by_choice) in [
                ("{\"a\": 1}", [true, true, false, false]),
                (call, [true, false, true, true]),
                (&format!("{call}\n{call}"), [true, false, true, false]),
                (&call.replace('1', "\"1\""), [false; 4]),
                ("{\"a\": 1", [false; 4]),
                ("a", [false; 4]),
            ] {
                let named = ToolChoice::Named("f".into());
                let choices = [ToolChoice::Auto, ToolChoice::None, ToolChoice::Required, named];
                assert_eq!(choices.map(|choice| holds(format, choice, text)), by_choice, "{text}");
            }
        }
    }

    #[test]
    fn what_an_answer_finds_out_serves_the_next() {
        let tokenizer = tokenizer();
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
