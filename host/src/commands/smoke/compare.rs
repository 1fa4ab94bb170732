//! Runs the scalar table and the selected table step by step, and compares their logits.

use super::Bench;
use crate::error::Error;
use crate::runtime::Runtime;
use crate::settings::Settings;
use nanocamelid_engine::session::Stage;
use nanocamelid_kernels::{Features, Kernels};
use std::fmt;
use std::time::{Duration, Instant};

/// Rows of logits that are kept until they are compared, where they cannot be as they come.
const KEPT_ROWS: usize = 64;

/// The result of a comparison.
pub(crate) struct Comparison {
    /// Largest difference of two logits at any step; infinite where one is a number and the other is not.
    pub(crate) max_delta: f32,
    pub(crate) first_difference: Option<Place>,
    /// Greedy tokens after the prompt.
    pub(crate) generated: Vec<u32>,
    /// Time of the selected kernels for the prompt in batches.
    pub(crate) prefill: Duration,
    /// Time of the selected kernels for the generated tokens.
    pub(crate) generation: Duration,
}

/// The first difference of two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Position of the token in the context.
    position: usize,
    /// Whether the token was computed in a batch of several.
    batched: bool,
    stage: Stage,
    layer: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.batched { "in a batch" } else { "alone" };
        write!(f, "at position {} (computed {how})", self.position)?;
        if let Some(layer) = self.layer {
            write!(f, ", layer {layer}")?;
        }
        write!(f, ", {}", self.stage.name())
    }
}

/// Runs the prompt through three sessions: with the scalar table one token at a time, with the selected table one token
/// at a time, and with the selected table in batches. Then all three decode the greedy tokens of the scalar session.
pub(super) fn compare(bench: &Bench<'_>, ids: &[u32], n: usize) -> Result<Comparison, Error> {
    let scalar = Settings { kernels: Kernels::select(Features::NONE), ..bench.settings.clone() };
    let mut lockstep = Lockstep {
        reference: Bench { settings: &scalar, ..*bench }.session()?,
        single: bench.session()?,
        batched: bench.session()?,
        max_delta: 0.0,
        differs: None,
        generation: Duration::ZERO,
    };
    let prefill = lockstep.prompt(ids)?;
    let generated = lockstep.greedy(n)?;
    let Lockstep { mut reference, mut single, mut batched, max_delta, differs, generation } = lockstep;
    let all: Vec<u32> = ids.iter().chain(&generated).copied().collect();
    let first_difference = match differs {
        None => None,
        Some((position, false)) => Some(locate(&mut reference, &mut single, &all, position, false)?),
        Some((position, true)) => Some(locate(&mut reference, &mut batched, &all, position, true)?),
    };
    Ok(Comparison { max_delta, first_difference, generated, prefill, generation })
}

struct Lockstep<'a> {
    reference: Runtime<'a>,
    single: Runtime<'a>,
    batched: Runtime<'a>,
    max_delta: f32,
    /// First position that differs, and whether the batched session differs there.
    differs: Option<(usize, bool)>,
    generation: Duration,
}

impl Lockstep<'_> {
    /// Compares every position of the prompt. Returns the time of the batched session.
    fn prompt(&mut self, ids: &[u32]) -> Result<Duration, Error> {
        let Self { reference, single, batched, max_delta, differs, .. } = self;
        let mut others = Duration::ZERO;
        let mut failed = None;
        let mut compare = |i: usize, logits: &[f32]| {
            let begun = Instant::now();
            let mut step = || -> Result<(), Error> {
                let expected = reference.forward(&ids[i..=i])?;
                let alone = single.forward(&ids[i..=i])?;
                note_difference(expected, alone, (i, false), max_delta, differs);
                note_difference(expected, logits, (i, true), max_delta, differs);
                Ok(())
            };
            failed = failed.take().or(step().err());
            others += begun.elapsed();
        };
        let started = Instant::now();
        if batched.is_shared() {
            let mut first = 0;
            let mut rows = Vec::new();
            for piece in ids.chunks(KEPT_ROWS) {
                batched.forward_each(piece, &mut |_, logits| rows.push(logits.to_vec()))?;
                rows.drain(..).enumerate().for_each(|(i, logits)| compare(first + i, &logits));
                first += piece.len();
            }
        } else {
            batched.forward_each(ids, &mut compare)?;
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(started.elapsed().saturating_sub(others)),
        }
    }

    fn greedy(&mut self, n: usize) -> Result<Vec<u32>, Error> {
        let mut generated = Vec::new();
        for _ in 0..n {
            let best = self.reference.logits().iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (id, &logit)| {
                if logit > best.1 { (id as u32, logit) } else { best }
            });
            generated.push(best.0);
            let position = self.reference.position();
            let started = Instant::now();
            self.single.forward(&[best.0])?;
            self.generation += started.elapsed();
            self.batched.forward(&[best.0])?;
            let expected = self.reference.forward(&[best.0])?;
            for (other, is_batched) in [(&self.single, false), (&self.batched, true)] {
                let place = (position, is_batched);
                note_difference(expected, other.logits(), place, &mut self.max_delta, &mut self.differs);
            }
        }
        Ok(generated)
    }
}

fn note_difference(
    expected: &[f32],
    found: &[f32],
    place: (usize, bool),
    max_delta: &mut f32,
    differs: &mut Option<(usize, bool)>,
) {
    for (a, b) in expected.iter().zip(found) {
        if !same(*a, *b) {
            let delta = (a - b).abs();
            *max_delta = max_delta.max(if delta.is_nan() { f32::INFINITY } else { delta });
            differs.get_or_insert(place);
        }
    }
}

/// Whether two values have the same bits; any two NaNs are the same.
fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Runs both sessions again from the start, in the same batches, and compares every intermediate result.
fn locate(
    reference: &mut Runtime<'_>,
    other: &mut Runtime<'_>,
    tokens: &[u32],
    position: usize,
    batched: bool,
) -> Result<Place, Error> {
    reference.reset();
    other.reset();
    let n_batch = if batched { other.n_batch() } else { 1 };
    let mut first = 0;
    for batch in tokens.chunks(n_batch) {
        let mut expected: Vec<(Stage, Option<usize>, Vec<f32>)> = Vec::new();
        reference.forward_observed(batch, &mut |probe| {
            expected.push((probe.stage, probe.layer, probe.values.to_vec()));
        })?;
        let mut index = 0;
        let mut found = None;
        other.forward_observed(batch, &mut |probe| {
            let (stage, layer, values) = &expected[index];
            index += 1;
            let width = (values.len() / batch.len()).max(1);
            if let (None, Some(at)) = (&found, values.iter().zip(probe.values).position(|(a, b)| !same(*a, *b))) {
                let position = if *stage == Stage::Logits { first + batch.len() - 1 } else { first + at / width };
                found = Some(Place { position, batched, stage: *stage, layer: *layer });
            }
        })?;
        if let Some(place) = found {
            return Ok(place);
        }
        first += batch.len();
    }
    // The difference did not appear again, so only the step is known.
    Ok(Place { position, batched, stage: Stage::Logits, layer: None })
}
