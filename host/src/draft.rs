//! Drafts of an answer (`--draft`): tokens guessed ahead, which the model verifies in one pass over its weights.

use crate::error::Error;
use crate::fitting::{Fitting, Need};
use crate::loading::Parsed;
use crate::model_file::ModelFile;
use crate::output;
use crate::pool::Pool;
use crate::resolve;
use crate::runtime::Runtime;
use crate::settings::Settings;
use nanocamelid_engine::draft::look_up;
use nanocamelid_engine::{Model, Tokenizer};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most tokens of a draft: with the token before them, as many rows as the kernels multiply straight from the file.
pub(crate) const MAX_DRAFT: usize = 7;
/// Tokens of the first draft.
const FIRST_DRAFT: usize = 3;
/// Drafts after which `auto` judges for the first time.
const TRIALS: u32 = 3;
/// Steps without a draft when drafts do not pay: at first, and at most.
const PAUSES: (u32, u32) = (16, 512);

/// Where drafts come from, as the flag says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Draft {
    #[default]
    Off,
    /// What followed when the last tokens occurred before.
    LookUp,
    /// The same, while it pays.
    Auto,
    /// A smaller model with the same vocabulary.
    Model(PathBuf),
}

impl Draft {
    /// What the flag's value means.
    pub(crate) fn new(value: Option<&Path>) -> Self {
        match value.map(|path| (path, path.to_str())) {
            None | Some((_, Some("off"))) => Self::Off,
            Some((_, Some("ngram"))) => Self::LookUp,
            Some((_, Some("auto"))) => Self::Auto,
            Some((path, _)) => Self::Model(path.to_owned()),
        }
    }

    /// Opens the model that drafts, if one does.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub(crate) fn open(&self) -> Result<Option<ModelFile>, Error> {
        let Self::Model(path) = self else { return Ok(None) };
        ModelFile::open(resolve::resolve(Some(path.as_os_str()))?).map(Some)
    }
}

/// Parses the model that drafts.
///
/// # Errors
/// Whatever keeps it from running.
pub(crate) fn parse<'f>(file: Option<&'f ModelFile>, settings: &Settings) -> Result<Option<Parsed<'f>>, Error> {
    let settings = Settings { expect: None, leader: None, ..settings.clone() };
    file.map(|file| Parsed::new(file, &settings)).transpose()
}

/// Drafts the tokens of one conversation's answers.
pub(crate) struct Drafter<'a> {
    source: Source<'a>,
    /// Number of tokens that both vocabularies have.
    n_vocab: usize,
    /// Tokens of the next draft.
    n: usize,
    /// Whether drafts pay; `None` where nobody asked.
    judge: Option<Judge>,
    /// Tokens drafted, and those of them that were right.
    pub(crate) n_drafted: usize,
    pub(crate) n_accepted: usize,
}

enum Source<'a> {
    LookUp,
    Model(Box<Runtime<'a>>),
}

impl<'a> Drafter<'a> {
    /// The drafter that the settings ask for, if any. `model` is the parsed file of [`Draft::open`].
    ///
    /// # Errors
    /// [`Error::Draft`] for a model of another vocabulary; those of [`Runtime::new`].
    pub(crate) fn new(
        settings: &Settings,
        tokenizer: &Tokenizer<'_>,
        model: Option<(&ModelFile, &'a Parsed<'_>)>,
        pool: &'a Pool,
    ) -> Result<Option<Self>, Error> {
        let mut n_vocab = tokenizer.n_vocab();
        let (source, n, judge) = match (&settings.draft, model) {
            (Draft::LookUp, _) => (Source::LookUp, MAX_DRAFT, None),
            (Draft::Auto, _) => (Source::LookUp, FIRST_DRAFT, Some(Judge::default())),
            (Draft::Model(_), Some((file, parsed))) => {
                same_vocabulary(tokenizer, &parsed.tokenizer)?;
                n_vocab = n_vocab.min(parsed.model.config.n_vocab);
                let runtime = runtime(settings, file, parsed, pool)?;
                (Source::Model(Box::new(runtime)), FIRST_DRAFT, None)
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { source, n_vocab, n, judge, n_drafted: 0, n_accepted: 0 }))
    }

    /// At most `room` tokens that may follow the context.
    ///
    /// # Errors
    /// Those of the drafting model's forward pass.
    pub(crate) fn draft(&mut self, context: &[u32], room: usize) -> Result<Vec<u32>, Error> {
        let n = self.n.min(room);
        if n == 0 || self.judge.as_mut().is_some_and(Judge::pauses) {
            return Ok(Vec::new());
        }
        match &mut self.source {
            Source::LookUp => Ok(look_up(context, n).to_vec()),
            // A larger vocabulary has entries that the other model does not know.
            Source::Model(_) if context.iter().any(|&token| token as usize >= self.n_vocab) => Ok(Vec::new()),
            Source::Model(runtime) => {
                let mut drafted = draft_with(runtime, context, n)?;
                let known = drafted.iter().take_while(|&&token| (token as usize) < self.n_vocab).count();
                drafted.truncate(known);
                Ok(drafted)
            }
        }
    }

    /// Learns what became of a draft: `n_accepted` of `n_drafted` tokens were right. The step took `time`, in which
    /// the token before the draft was computed too.
    pub(crate) fn learn(&mut self, n_drafted: usize, n_accepted: usize, time: Duration) {
        if let Some(judge) = &mut self.judge {
            judge.learn(n_drafted, n_accepted, time);
        }
        if n_drafted == 0 {
            return;
        }
        self.n_drafted += n_drafted;
        self.n_accepted += n_accepted;
        let is_look_up = matches!(self.source, Source::LookUp) && self.judge.is_none();
        self.n = match n_accepted {
            _ if is_look_up => MAX_DRAFT,
            n if n == n_drafted => (2 * self.n).min(MAX_DRAFT),
            n => (n + 1).min(MAX_DRAFT),
        };
    }
}

/// What computes a drafting model.
fn runtime<'a>(
    settings: &Settings,
    file: &ModelFile,
    parsed: &'a Parsed<'_>,
    pool: &'a Pool,
) -> Result<Runtime<'a>, Error> {
    let settings = Settings { draft: Draft::Off, leader: None, trace: false, ..settings.clone() };
    Runtime::new(Fitting::new(file, &parsed.model, &settings).for_drafts(), Need::default(), pool)
}

/// Decodes a draft greedily.
fn draft_with(runtime: &mut Runtime<'_>, context: &[u32], n: usize) -> Result<Vec<u32>, Error> {
    let mut drafted = Vec::with_capacity(n);
    match runtime.prefill(context, None, &mut |_, _| true) {
        // The drafting model was made for less: the rest of the answer goes without drafts.
        Err(Error::PromptTooLong { .. }) => return Ok(drafted),
        prefilled => prefilled?,
    };
    // The next context has this one and as much of the draft as was right.
    runtime.keep_checkpoint();
    while let Some(token) = likeliest(runtime.logits()) {
        drafted.push(token);
        if drafted.len() == n || runtime.position() == runtime.n_ctx() {
            break;
        }
        runtime.forward(&[token])?;
    }
    Ok(drafted)
}

fn likeliest(logits: &[f32]) -> Option<u32> {
    let numbers = (0u32..).zip(logits).filter(|(_, logit)| !logit.is_nan());
    numbers.max_by(|a, b| a.1.total_cmp(b.1)).map(|(token, _)| token)
}

/// Refuses a drafting model whose tokens differ from the model's. Unused entries at the end of a vocabulary may.
///
/// # Errors
/// [`Error::Draft`], which names the first token that differs.
pub(crate) fn same_vocabulary(tokenizer: &Tokenizer<'_>, draft: &Tokenizer<'_>) -> Result<(), Error> {
    let n = tokenizer.n_vocab().min(draft.n_vocab());
    let differs = |&id: &u32| tokenizer.piece(id) != draft.piece(id);
    let text = |tokenizer: &Tokenizer<'_>, id| String::from_utf8_lossy(tokenizer.piece(id)).into_owned();
    match (0..n as u32).find(differs) {
        Some(id) => Err(Error::Draft { id, model: text(tokenizer, id), draft: text(draft, id) }),
        None => Ok(()),
    }
}

/// Says once if drafts rarely gain with this model.
pub(crate) fn note_mixture(model: &Model<'_>, draft: &Draft) {
    if *draft != Draft::Off && model.has_experts() {
        output::note("note: each drafted token reads experts of its own, so drafts rarely gain with a mixture");
    }
}

/// Whether drafts pay: compares the time of steps with a draft with that of steps without one.
#[derive(Clone, Debug, Default)]
struct Judge {
    /// Seconds of a step without a draft, averaged.
    plain: Option<f64>,
    /// Seconds that drafts have saved; old ones count less and less.
    saved: f64,
    n_judged: u32,
    /// Steps that go without a draft.
    pause: u32,
    last_pause: u32,
}

impl Judge {
    /// Whether the next step goes without a draft. The first step does, to be compared with.
    fn pauses(&mut self) -> bool {
        let pauses = self.pause > 0 || self.plain.is_none();
        self.pause = self.pause.saturating_sub(1);
        pauses
    }

    fn learn(&mut self, n_drafted: usize, n_accepted: usize, time: Duration) {
        let time = time.as_secs_f64();
        let Some(plain) = self.plain else {
            self.plain = (n_drafted == 0).then_some(time);
            return;
        };
        if n_drafted == 0 {
            self.plain = Some(plain + (time - plain) / 8.0);
            return;
        }
        self.saved += plain * (n_accepted + 1) as f64 - time;
        self.n_judged += 1;
        if self.saved > 0.0 {
            self.saved *= 0.75;
            self.last_pause = 0;
        } else if self.n_judged >= TRIALS {
            self.last_pause = (2 * self.last_pause).clamp(PAUSES.0, PAUSES.1);
            (self.pause, self.saved) = (self.last_pause, 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Behind a rejected draft, only what the draft added is computed again, whatever keeps the context.
    #[test]
    fn a_rejected_draft_costs_little() {
        for name in ["llama", "qwen35", "falcon-h1", "lfm2"] {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/archs/");
            let settings = Settings::for_tests();
            let file = ModelFile::open(resolve::Resolved::file(format!("{path}{name}.gguf"), "a test")).unwrap();
            let parsed = parse(Some(&file), &settings).unwrap().unwrap();
            let pool = settings.start_workers().unwrap();
            let mut runtime = runtime(&settings, &file, &parsed, &pool).unwrap();
            let mut context: Vec<u32> = (0..200).map(|i| 3 + i * 7 % 40).collect();
            for n_right in [0, 2, 1] {
                let drafted = draft_with(&mut runtime, &context, 5).unwrap();
                assert_eq!(drafted.len(), 5, "{name}");
                let n_known = context.len();
                context.extend_from_slice(&drafted[..n_right]);
                context.push(if drafted[n_right] == 3 { 4 } else { 3 });
                let n_reused = runtime.prefill(&context, None, &mut |_, _| true).unwrap().n_reused;
                assert!(n_reused >= n_known && n_reused < context.len(), "{name}: {n_reused} of {n_known}");
            }
        }
    }

    const PLAIN: Duration = Duration::from_millis(100);

    /// Steps that go without a draft from now on.
    fn paused(judge: &mut Judge) -> u32 {
        let mut n = 0;
        while judge.pauses() {
            n += 1;
            judge.learn(0, 0, PLAIN);
        }
        n
    }

    #[test]
    fn drafts_that_save_time_go_on() {
        let mut judge = Judge::default();
        assert_eq!(paused(&mut judge), 1);
        for n_accepted in [7, 3, 0, 7, 2, 0, 5] {
            judge.learn(7, n_accepted, PLAIN * 3 / 2);
            assert_eq!(paused(&mut judge), 0);
        }
    }

    #[test]
    fn drafts_that_cost_time_pause_for_longer_and_longer() {
        let mut judge = Judge::default();
        paused(&mut judge);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            judge.learn(3, 0, PLAIN * 3 / 2);
            pauses.push(paused(&mut judge));
        }
        assert_eq!(pauses, [0, 0, 16, 32, 64, 128, 256, 512, 512, 512, 512, 512]);
        // Time lost beside the time that plain steps would have taken: below 3 % once it is known that drafts fail.
        let (lost, all) = (pauses.len() as f64 / 2.0, pauses.iter().sum::<u32>());
        assert!(lost / f64::from(all) < 0.03);
        // A draft that is right ends it.
        judge.learn(3, 3, PLAIN * 3 / 2);
        assert_eq!(paused(&mut judge), 0);
    }
}
