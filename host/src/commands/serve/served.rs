//! The model that is served: from an [`Ask`] to the tokens of its prompt and the generator of its answer.

use super::ask::{Ask, Prompt};
use super::constraints::{Constraints, Form, Origin};
use super::openai::embeddings::Input;
use super::refusal::Refusal;
use super::reply::Reading;
use crate::answer::grammar::Thinking;
use crate::answer::{self, Capabilities, Family, Reader, Tool, history};
use crate::error::Error;
use crate::loading::{Parsed, today, unix_seconds};
use crate::messages;
use crate::model_digest::{ModelDigest, in_hexadecimal};
use crate::model_file::ModelFile;
use crate::resolve::Place;
use crate::sampling::{self, Sampling};
use crate::template_value::value;
use nanocamelid_engine::chat::{ChatFormat, RenderRequest, StopMatcher, encode_text};
use nanocamelid_engine::config::Pooling;
use nanocamelid_engine::template::{Context, RESERVED, Text};
use nanocamelid_engine::{Generator, Sampler, SamplerParams};
use serde_json::Value as Json;
use std::sync::{Arc, OnceLock};

/// The name of a model that a server gives the rest of `name:latest`.
const LATEST: &str = ":latest";

/// A model that lives as long as the process.
pub(super) struct Served {
    /// The model's name in the APIs.
    pub(super) alias: String,
    pub(super) file: &'static ModelFile,
    pub(super) parsed: &'static Parsed<'static>,
    /// Tokens of a conversation.
    pub(super) n_ctx: usize,
    /// When the server started, in seconds since 1970.
    pub(super) created: u64,
    sampling: Sampling,
    has_seed: bool,
    /// How the model writes reasoning and calls.
    family: Family,
    /// What the template can show.
    pub(super) capabilities: Capabilities,
    constraints: Arc<Constraints>,
    /// How embeddings are made, if the model makes any.
    pub(super) pooling: Option<Pooling>,
    /// Made when somebody asks for it.
    digest: OnceLock<String>,
}

/// An answer that is ready to be computed.
pub(super) struct Prepared {
    pub(super) tokens: Vec<u32>,
    pub(super) generator: Generator<'static>,
    /// Of the generator's constraint, if there is one.
    pub(super) origin: Option<Origin>,
    /// Probabilities of the prompt's tokens, and of so many of the likeliest in their places, where they are wanted.
    pub(super) prompt_probs: Option<usize>,
    pub(super) reading: Reading,
}

impl Served {
    /// The model of this file.
    pub(super) fn new(
        file: &'static ModelFile,
        parsed: &'static Parsed<'static>,
        (alias, pooling): (Option<String>, Option<Pooling>),
        n_ctx: usize,
        (sampling, has_seed): (Sampling, bool),
    ) -> Self {
        let pooling = pooling.or(parsed.model.config.pooling);
        let alias = alias.unwrap_or_else(|| default_alias(file));
        let source = parsed.gguf.value("tokenizer.chat_template").and_then(|value| value.as_str());
        let template = parsed.format.as_ref().ok().and_then(ChatFormat::template);
        let (family, capabilities) = match source.zip(template) {
            Some((source, template)) => (Family::of(source), Capabilities::of(source, template)),
            None => (Family::of(""), Capabilities::NONE),
        };
        Self {
            alias,
            file,
            parsed,
            n_ctx,
            created: unix_seconds(),
            sampling,
            has_seed,
            family,
            capabilities,
            constraints: Arc::default(),
            pooling,
            digest: OnceLock::new(),
        }
    }

    /// What tells the model's file from others, as 64 hexadecimal digits.
    pub(super) fn digest(&self) -> &str {
        self.digest.get_or_init(|| in_hexadecimal(ModelDigest::new(self.file, &self.parsed.gguf).bytes()))
    }

    /// Refuses another model.
    ///
    /// # Errors
    /// 404.
    pub(super) fn check_name(&self, name: &str) -> Result<(), Refusal> {
        fn bare(name: &str) -> &str {
            name.strip_suffix(LATEST).unwrap_or(name)
        }
        match bare(name) == bare(&self.alias) {
            true => Ok(()),
            false => Err(Refusal::model(name, &self.alias)),
        }
    }

    /// How the model writes calls of tools, as a word.
    pub(super) fn call_form(&self) -> &'static str {
        self.family.name()
    }

    /// Whether the chat template knows reasoning.
    pub(super) fn can_think(&self) -> bool {
        self.capabilities.reasons
    }

    /// The tokens of the prompt, and what makes the answer of logits.
    ///
    /// # Errors
    /// 400 for messages that the template refuses, a prompt that is too long, and settings out of range.
    pub(super) fn prepare(&self, ask: &Ask) -> Result<Prepared, Refusal> {
        self.file.check_writes_text(&self.parsed.model).map_err(|error| Refusal::field("model", error))?;
        let tools = self.tools(ask)?;
        let prompt = self.prompt(ask, &tools)?;
        let n_tokens = prompt.tokens.len();
        if n_tokens >= self.n_ctx {
            return Err(Refusal::context(n_tokens, self.n_ctx));
        }
        let of_format = self.parsed.stop_string().filter(|_| prompt.is_chat);
        let own = self.sampling.stops().iter();
        let stops: Vec<String> = own.chain(&ask.stops).cloned().chain(of_format.map(str::to_owned)).collect();
        let mut generator = self.generator(ask, &prompt, &stops)?;
        let mut origin = None;
        if let Some((constraint, of)) = self.constraints.of(ask, &tools, &self.form(ask, &prompt))? {
            generator = generator.with_constraint(constraint);
            origin = Some(of);
        }
        let reader = prompt.is_chat.then(|| Reader::new(self.family, tools, prompt.opens_reasoning));
        // The end of the model's own turn is no stop string of the client's.
        let n_stops = stops.len() - usize::from(of_format.is_some());
        let stops = stops.into_iter().take(n_stops).collect();
        let echo = ask.echo.then(|| self.text_of(ask, &prompt.tokens));
        let prompt_probs = ask.logprobs.filter(|_| ask.echo);
        let (parallel_calls, tokenizer) = (ask.parallel_calls, &self.parsed.tokenizer);
        let reading = Reading { reader, parallel_calls, stops, echo, tokenizer };
        Ok(Prepared { tokens: prompt.tokens, generator, origin, prompt_probs, reading })
    }

    /// The prompt as a text.
    fn text_of(&self, ask: &Ask, tokens: &[u32]) -> String {
        if let Prompt::Text(text) = &ask.prompt {
            return text.clone();
        }
        let mut bytes = Vec::new();
        tokens.iter().for_each(|&token| self.parsed.tokenizer.decode_into(token, true, &mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How the answer is written.
    fn form(&self, ask: &Ask, prompt: &Read) -> Form<'_> {
        let thinking = match prompt.opens_reasoning {
            true => Thinking::Opened,
            false if self.capabilities.reasons && prompt.is_chat && ask.thinking != Some(false) => Thinking::Allowed,
            false => Thinking::Never,
        };
        Form { family: &self.family, tokenizer: &self.parsed.tokenizer, thinking }
    }

    /// The tools that the answer may call.
    fn tools(&self, ask: &Ask) -> Result<Vec<Tool>, Refusal> {
        let tools =
            ask.tools.iter().enumerate().map(|(i, tool)| {
                Tool::parse(tool).map_err(|problem| Refusal::field(format_args!("tools[{i}]"), problem))
            });
        tools.collect()
    }

    /// The tokens of texts to embed.
    ///
    /// # Errors
    /// 400 for a text without tokens, unknown token ids, and a model that makes no embeddings.
    pub(super) fn embedding_texts(&self, inputs: &[Input]) -> Result<Vec<Vec<u32>>, Refusal> {
        if self.pooling.is_none() {
            let problem = "this model makes no embeddings, unless the server is started with --pooling";
            return Err(Refusal::field("model", problem));
        }
        let tokens = inputs.iter().enumerate().map(|(i, input)| {
            let place = format!("input[{i}]");
            match input {
                Input::Ids(ids) => self.check_ids(ids, &place).map(|()| ids.clone()),
                Input::Text(text) => {
                    let mut tokens = Vec::new();
                    match self.parsed.tokenizer.encode_whole(text, &mut tokens) {
                        0 => Err(Refusal::field(place, "no tokens come of this text")),
                        _ => Ok(tokens),
                    }
                }
            }
        });
        tokens.collect()
    }

    /// Refuses token ids that the model does not have.
    fn check_ids(&self, ids: &[u32], place: &str) -> Result<(), Refusal> {
        let n_vocab = self.parsed.model.config.n_vocab;
        match ids.iter().find(|&&id| id as usize >= n_vocab) {
            Some(id) => Err(Refusal::field(place, format_args!("token {id} is not below {n_vocab}"))),
            None => Ok(()),
        }
    }

    /// Number of tokens of the prompt.
    ///
    /// # Errors
    /// 400 for messages that the template refuses.
    pub(super) fn count(&self, ask: &Ask) -> Result<usize, Refusal> {
        Ok(self.prompt(ask, &self.tools(ask)?)?.tokens.len())
    }

    /// The tokens of the prompt.
    ///
    /// # Errors
    /// 400 for messages that the template refuses, for unknown token ids, and for a prompt without tokens.
    fn prompt(&self, ask: &Ask, tools: &[Tool]) -> Result<Read, Refusal> {
        let tokenizer = &self.parsed.tokenizer;
        let (mut tokens, mut is_chat, mut opens_reasoning) = (Vec::new(), false, false);
        match &ask.prompt {
            Prompt::Messages(list) => {
                let text = self.render(list, ask, tools)?;
                encode_text(tokenizer, &text, &mut tokens);
                (is_chat, opens_reasoning) = (true, self.family.opens_reasoning(text.as_str()));
            }
            Prompt::Text(text) => tokens = crate::commands::generate::raw_tokens(self.parsed, text),
            Prompt::Ids(ids) => tokens.clone_from(ids),
        }
        self.check_ids(&tokens, "prompt")?;
        if tokens.is_empty() {
            return Err(Refusal::bad("the prompt is empty"));
        }
        Ok(Read { tokens, is_chat, opens_reasoning })
    }

    fn format(&self) -> Result<&'static ChatFormat, Refusal> {
        self.parsed.chat_format(self.file).map_err(|error| Refusal::field("messages", error))
    }

    fn render(&self, list: &[Json], ask: &Ask, tools: &[Tool]) -> Result<Text, Refusal> {
        let format = self.format()?;
        let refused = |problem: String| Refusal::field("messages", problem);
        let list = Json::Array(history::messages(list, tools, &self.capabilities, format.system_support()));
        let Some(template) = format.template() else {
            let plain = messages::plain(&list).map_err(refused)?;
            let request = RenderRequest { add_generation_prompt: true, date: Some(today()) };
            return format.render(&plain, request).map_err(|error| refused(error.to_string()));
        };
        let mut variables = Vec::new();
        if self.capabilities.calls.is_some() && !ask.tools.is_empty() {
            let tools = value(&tools.iter().map(Tool::json).collect());
            variables.push(("tools", tools.map_err(|problem| Refusal::field("tools", problem))?));
        }
        for (name, json) in &ask.variables {
            let refused = |problem: &str| Refusal::field(format_args!("chat_template_kwargs.{name}"), problem);
            if RESERVED.contains(&name.as_str()) || name == "tools" {
                return Err(refused("the template gets this from the request already"));
            }
            variables.push((name, value(json).map_err(|problem| refused(&problem))?));
        }
        if let Some(thinks) = ask.thinking {
            let switches = answer::reasoning_variables(thinks).into_iter();
            variables.extend(switches.filter(|(name, _)| !ask.variables.contains_key(*name)));
        }
        let messages = messages::values(&list).map_err(refused)?;
        let context = Context { messages, add_generation_prompt: true, date: Some(today()), variables: &variables };
        template.render(&context).map_err(|error| refused(format!("the chat template refuses them: {error}")))
    }

    fn generator(&self, ask: &Ask, prompt: &Read, stops: &[String]) -> Result<Generator<'static>, Refusal> {
        let stop = StopMatcher::new(stops.iter().map(String::as_str)).map_err(|error| Refusal::field("stop", error))?;
        let stop = stop.with_control_tokens(&self.parsed.tokenizer);
        let sampler = Sampler::new(self.params(ask), self.parsed.model.config.n_vocab).map_err(Refusal::bad)?;
        let sampler = sampler.with_logit_bias(ask.sampling.logit_bias.clone());
        let sampler = sampler.map_err(|error| Refusal::field("logit_bias", error))?;
        let limit = ask.max_tokens.or(self.sampling.n_predict).unwrap_or(usize::MAX);
        let mut generator = Generator::new(&self.parsed.tokenizer, sampler, stop, limit);
        generator.accept_prompt(&prompt.tokens);
        if prompt.is_chat {
            generator = generator.with_control_tokens();
        }
        if let Some(n_top) = ask.logprobs {
            generator = generator.with_log_probs(n_top);
        }
        Ok(generator)
    }

    /// The request's settings over those of the command line.
    fn params(&self, ask: &Ask) -> SamplerParams {
        let asked = &ask.sampling;
        let default = self.sampling.chat(self.file.is_demo());
        let random = || if self.has_seed { default.seed } else { sampling::random_seed().unwrap_or(default.seed) };
        SamplerParams {
            temperature: asked.temperature.unwrap_or(default.temperature),
            top_k: asked.top_k.unwrap_or(default.top_k),
            top_p: asked.top_p.unwrap_or(default.top_p),
            min_p: asked.min_p.unwrap_or(default.min_p),
            repeat_penalty: asked.repeat_penalty.unwrap_or(default.repeat_penalty),
            frequency_penalty: asked.frequency_penalty.unwrap_or(default.frequency_penalty),
            presence_penalty: asked.presence_penalty.unwrap_or(default.presence_penalty),
            repeat_last_n: asked.repeat_last_n.map_or(default.repeat_last_n, |n| n.min(self.n_ctx)),
            seed: asked.seed.unwrap_or_else(random),
        }
    }
}

/// A prompt as tokens.
struct Read {
    tokens: Vec<u32>,
    is_chat: bool,
    /// Whether the template leaves the model inside its reasoning.
    opens_reasoning: bool,
}

/// The name of the file without its ending.
fn default_alias(file: &ModelFile) -> String {
    match &file.resolved.place {
        Place::Demo => "nanocamelid-demo".into(),
        Place::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

/// Opens and parses a model for the rest of the process.
///
/// # Errors
/// Whatever keeps the model from running.
pub(super) fn open(
    resolved: crate::resolve::Resolved,
    settings: &crate::settings::Settings,
) -> Result<(&'static ModelFile, &'static Parsed<'static>), Error> {
    // Requests on other threads borrow the model for as long as they like.
    let file: &'static ModelFile = Box::leak(Box::new(ModelFile::open(resolved)?));
    let parsed: &'static Parsed<'static> = Box::leak(Box::new(Parsed::of_any(file, settings)?));
    Ok((file, parsed))
}
