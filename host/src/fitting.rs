//! The length of a context, from the user's wish, the need of prompt and answer, the model's training, and memory.

use crate::cluster::Leader;
#[cfg(feature = "serve")]
use crate::draft::MAX_DRAFT;
use crate::error::{ContextLimit, Error};
use crate::machine::memory;
use crate::model_file::ModelFile;
use crate::output::{self, mib};
use crate::settings::Settings;
use nanocamelid_engine::{Model, SessionOptions, SessionPlan, Share};
use nanocamelid_kernels::KvType;

/// The default length of a context. A prompt may need more, and a model may allow less.
pub(crate) const DEFAULT_CTX: usize = 4096;
/// The default length of a conversation with the server, whose clients send longer prompts than a person types.
#[cfg(feature = "serve")]
const SERVED_CTX: usize = 8192;
/// The length of a context is a multiple of so many positions, because the cache consists of chunks of that size.
const STEP: usize = 128;
/// Memory for copies of recurrent states. Sessions keep at least two copies, whatever their size.
const SNAPSHOT_BYTES: usize = 64 << 20;
/// Room for an answer without a limit; the context grows when the answer needs more.
const ANSWER_ROOM: usize = 1024;

/// The tokens that a context must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    prompt: usize,
    answer: usize,
}

impl Need {
    /// A prompt and an answer of at most `limit` tokens.
    pub(crate) fn new(prompt: usize, limit: usize) -> Self {
        Self { prompt, answer: if limit > DEFAULT_CTX { ANSWER_ROOM } else { limit } }
    }
}

/// What a session takes of one board's memory, and what the board has for it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) required: u64,
    pub(crate) available: u64,
}

impl Room {
    /// Whether there is enough.
    pub(crate) fn suffices(self) -> bool {
        self.required <= self.available
    }
}

/// A board that lacks room for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shortage {
    /// Its name, where there are several.
    board: Option<String>,
    room: Room,
}

/// Sizes the sessions of one model. Where several boards share it, each must have room for its part of a session.
#[derive(Clone, Debug)]
pub(crate) struct Fitting<'a> {
    model: &'a Model<'a>,
    settings: Settings,
    /// Bytes of the model's file without the tables of which a token reads one row at most; where several boards share
    /// the model, those that this board multiplies by.
    weights: u64,
    /// Copies of states that sessions keep.
    n_snapshots: usize,
    /// Conversations at once.
    n_slots: usize,
    /// Whether sessions go back to a checkpoint although nobody drafts for them.
    has_checkpoints: bool,
}

impl<'a> Fitting<'a> {
    /// For sessions of this model with these settings.
    pub(crate) fn new(file: &ModelFile, model: &'a Model<'a>, settings: &Settings) -> Self {
        let weights = match model.share {
            Share::Whole => weights(file.n_bytes(), model),
            Share::Rows { .. } | Share::Layers { .. } => model.weight_bytes(),
        };
        Self { model, settings: settings.clone(), weights, n_snapshots: 0, n_slots: 1, has_checkpoints: false }
    }

    /// As [`Fitting::keeping_snapshots`] where pages are kept on disk, which are of use only with such copies.
    pub(crate) fn for_one_turn(self) -> Self {
        if self.settings.cache.is_some() { self.keeping_snapshots() } else { self }
    }

    /// Sessions keep copies of recurrent states, so that a conversation goes on after its end has changed.
    pub(crate) fn keeping_snapshots(self) -> Self {
        let n_snapshots = match self.model.state_bytes() {
            0 => 0,
            n_bytes => (SNAPSHOT_BYTES / n_bytes).clamp(2, 16),
        };
        Self { n_snapshots, ..self }
    }

    /// Sessions draft for another: behind each draft they go back to the context in front of it.
    pub(crate) fn for_drafts(self) -> Self {
        Self { has_checkpoints: true, ..self.keeping_snapshots() }
    }

    /// A session of several conversations: `n_slots` of them, or if nobody said so as many as fit, at most `default`.
    ///
    /// # Errors
    /// As [`Fitting::plan`].
    #[cfg(feature = "serve")]
    pub(crate) fn serving(self, n_slots: Option<usize>, default: usize) -> Result<SessionPlan<'a>, Error> {
        let with_slots = |n_slots: usize| {
            // A batch holds a token of every answer, and one more of a prompt or a draft.
            let n_batch = self.settings.n_batch.max(n_slots + 1 + MAX_DRAFT);
            // The output matrix is read once for so many answers.
            let n_outputs = self.settings.n_outputs.max(n_slots.min(16));
            let settings = Settings { n_batch, n_outputs, ..self.settings.clone() };
            Self { n_slots, settings, ..self.clone() }
        };
        let need = Need { prompt: 0, answer: SERVED_CTX };
        let Some(n_slots) = n_slots else {
            let budget = self.budget(memory::memory().available);
            let n_ctx = self.settings.n_ctx.unwrap_or(SERVED_CTX.min(self.model.config.n_ctx_train));
            let fits = |n: &usize| {
                let fitting = with_slots(*n);
                fitting.sized(n_ctx, self.settings.kv_type).is_ok_and(|plan| fitting.fits(&plan, budget))
            };
            let n_slots = (1..=default).rev().find(fits).unwrap_or(1);
            if n_slots < default {
                output::note(format_args!("note: memory allows {n_slots} conversations at once, not {default}"));
            }
            return with_slots(n_slots).plan(need);
        };
        with_slots(n_slots).plan(need)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn model(&self) -> &'a Model<'a> {
        self.model
    }

    /// A session with the context that the user asked for. Without a wish the context has the length that is needed, at
    /// least the default, as far as model and memory allow.
    ///
    /// # Errors
    /// [`Error::Memory`] or [`Error::PromptTooLong`] if the need does not fit; the error names what would fit.
    pub(crate) fn plan(&self, need: Need) -> Result<SessionPlan<'a>, Error> {
        let available = memory::memory().available;
        if let Some(available) = available.filter(|&available| available <= self.weights) {
            output::note(format_args!(
                "note: the weights are {} and {} of memory are free: they will be read from disk again and again",
                mib(self.weights),
                mib(available)
            ));
        }
        self.plan_within(self.budget(available), need)
    }

    /// A session with a context of exactly this length.
    ///
    /// # Errors
    /// [`Error::Memory`], which names what would fit.
    pub(crate) fn exactly(&self, n_ctx: usize) -> Result<SessionPlan<'a>, Error> {
        let settings = Settings { n_ctx: Some(n_ctx), ..self.settings.clone() };
        Self { settings, ..self.clone() }.plan(Need::default())
    }

    /// What a session takes of this board, and what is there beside the weights.
    #[cfg(feature = "cluster")]
    pub(crate) fn room(&self, plan: &SessionPlan<'_>) -> Room {
        Room { required: plan.required_bytes() as u64, available: self.budget(memory::memory().available) }
    }

    /// Refuses a session that does not fit into this board's memory.
    ///
    /// # Errors
    /// [`Error::Memory`].
    #[cfg(feature = "cluster")]
    pub(crate) fn check(&self, plan: &SessionPlan<'_>) -> Result<(), Error> {
        let room = self.room(plan);
        let Room { required, available } = room;
        match room.suffices() {
            true => Ok(()),
            false => Err(Error::Memory { board: None, required, available, fits: "a smaller --ctx may fit".into() }),
        }
    }

    /// Who leads other boards that have parts of this model.
    fn leader(&self) -> Option<&'static Leader> {
        self.settings.leader.filter(|_| !matches!(self.model.share, Share::Whole))
    }

    /// The first board that lacks room for a session; `budget` is what this one has.
    fn shortage(&self, plan: &SessionPlan<'_>, budget: u64) -> Option<Shortage> {
        let room = Room { required: plan.required_bytes() as u64, available: budget };
        let leader = self.leader();
        if !room.suffices() {
            return Some(Shortage { board: leader.map(|leader| leader.name(0)), room });
        }
        let (board, room) = leader?.shortage(plan.options(), self.settings.kernels.name() == "scalar")?;
        Some(Shortage { board: Some(board), room })
    }

    fn fits(&self, plan: &SessionPlan<'_>, budget: u64) -> bool {
        self.shortage(plan, budget).is_none()
    }

    /// A context of at least `n_tokens` in place of one of `n_ctx`, twice as long where possible; `None` if none fits.
    pub(crate) fn larger(&self, n_ctx: usize, n_tokens: usize) -> Option<SessionPlan<'a>> {
        self.larger_within(self.budget(memory::memory().available), n_ctx, n_tokens)
    }

    /// The error for a prompt that does not fit `n_ctx` tokens, the largest context that may be made.
    pub(crate) fn too_long(&self, n_tokens: usize, n_ctx: usize) -> Error {
        self.too_long_within(self.budget(memory::memory().available), n_tokens, n_ctx)
    }

    /// Bytes that a session may take. Weights are pages of a file, and such pages count as available memory.
    fn budget(&self, available: Option<u64>) -> u64 {
        match available {
            None => u64::MAX,
            Some(available) if available > self.weights => available - self.weights,
            Some(available) => available / 2,
        }
    }

    fn plan_within(&self, budget: u64, need: Need) -> Result<SessionPlan<'a>, Error> {
        let kv_type = self.settings.kv_type;
        let made_for = self.model.config.n_ctx_train;
        let default = made_for.min(DEFAULT_CTX);
        let needed = (need.prompt + need.answer).next_multiple_of(STEP).clamp(default, made_for);
        let n_ctx = self.settings.n_ctx.unwrap_or(needed);
        if n_ctx > made_for {
            output::note(format_args!("note: a context of {n_ctx} tokens; this model was made for {made_for}"));
        }
        if self.settings.n_ctx.is_none() && need.prompt >= made_for {
            return Err(self.too_long_within(budget, need.prompt, made_for));
        }
        let plan = self.sized(n_ctx, kv_type)?;
        let Some(Shortage { board, room: Room { required, available } }) = self.shortage(&plan, budget) else {
            if self.settings.n_ctx.is_none() && n_ctx > default {
                output::note(format_args!("note: prompt and answer need a context of {n_ctx} tokens, not {default}"));
            }
            return Ok(plan);
        };
        let smaller = self.largest(budget, kv_type, n_ctx);
        if self.settings.n_ctx.is_none() && smaller > need.prompt {
            let of_board = self.limiting(budget, smaller).map_or(String::new(), |board| format!(" of {board}"));
            output::note(format_args!("note: memory{of_board} allows a context of {smaller} tokens, not {n_ctx}"));
            return Ok(self.sized(smaller, kv_type)?);
        }
        if self.settings.n_ctx.is_none() && smaller > 0 {
            return Err(self.too_long_within(budget, need.prompt, smaller));
        }
        let choices = self.choices(budget, n_ctx, 0);
        Err(Error::Memory {
            board,
            required,
            available,
            fits: if choices.is_empty() { "no context fits".into() } else { format!("what fits: {choices}") },
        })
    }

    fn larger_within(&self, budget: u64, n_ctx: usize, n_tokens: usize) -> Option<SessionPlan<'a>> {
        let wanted = (2 * n_ctx).max(n_tokens).next_multiple_of(STEP).min(self.model.config.n_ctx_train);
        let n_tokens = n_tokens.max(n_ctx + 1);
        if self.settings.n_ctx.is_some() || wanted < n_tokens {
            return None;
        }
        let kv_type = self.settings.kv_type;
        let plan = self.sized(wanted, kv_type).ok()?;
        if self.fits(&plan, budget) {
            return Some(plan);
        }
        let largest = self.largest(budget, kv_type, wanted);
        if largest < n_tokens { None } else { self.sized(largest, kv_type).ok() }
    }

    fn too_long_within(&self, budget: u64, n_tokens: usize, n_ctx: usize) -> Error {
        let made_for = self.model.config.n_ctx_train;
        let limit = match self.settings.n_ctx {
            Some(_) => ContextLimit::Asked,
            None if n_tokens >= made_for => ContextLimit::Model,
            None => ContextLimit::Memory { fits: self.choices(budget, made_for, n_tokens) },
        };
        Error::PromptTooLong { n_tokens, n_ctx, limit }
    }

    /// The flags for every type of cache with which a context of `n_ctx` at most fits and holds more than `n_tokens`.
    fn choices(&self, budget: u64, n_ctx: usize, n_tokens: usize) -> String {
        let fitting = KvType::ALL.into_iter().map(|kv_type| (kv_type, self.largest(budget, kv_type, n_ctx)));
        let choices = fitting.filter(|&(_, n_ctx)| n_ctx > n_tokens);
        let choices: Vec<String> =
            choices.map(|(kv_type, n_ctx)| format!("--ctx {n_ctx} --kv {}", kv_type.name())).collect();
        choices.join(", or ")
    }

    fn sized(&self, n_ctx: usize, kv_type: KvType) -> Result<SessionPlan<'a>, nanocamelid_engine::SessionError> {
        let Self { n_snapshots, n_slots, .. } = *self;
        let mut options = SessionOptions { kv_type, n_snapshots, n_slots, ..self.settings.session_options(n_ctx) };
        options.has_checkpoints |= self.has_checkpoints;
        SessionPlan::new(self.model, self.settings.kernels, options)
    }

    /// The board, of several, that has no room for a context longer than `n_ctx`.
    fn limiting(&self, budget: u64, n_ctx: usize) -> Option<String> {
        let longer = self.sized(n_ctx + STEP, self.settings.kv_type).ok()?;
        self.shortage(&longer, budget)?.board
    }

    /// The largest context in whole steps, of at most `n_ctx` tokens, that fits; found by bisection.
    fn largest(&self, budget: u64, kv_type: KvType, n_ctx: usize) -> usize {
        let (mut low, mut high) = (0, n_ctx.div_ceil(STEP));
        while low < high {
            let middle = (low + high).div_ceil(2);
            match self.sized(middle * STEP, kv_type) {
                Ok(plan) if self.fits(&plan, budget) => low = middle,
                _ => high = middle - 1,
            }
        }
        // The last step may reach beyond `n_ctx`.
        (low * STEP).min(n_ctx)
    }
}

/// Bytes of a file that tokens read.
fn weights(n_bytes: u64, model: &Model<'_>) -> u64 {
    n_bytes.saturating_sub(model.looked_up_bytes())
}

/// The session of a command whose prompt is not known yet.
///
/// # Errors
/// As [`Fitting::plan`].
pub(crate) fn plan<'m>(file: &ModelFile, model: &'m Model<'m>, settings: &Settings) -> Result<SessionPlan<'m>, Error> {
    Fitting::new(file, model, settings).plan(Need::default())
}

#[cfg(test)]
mod tests;
