//! The forward pass: one for all architectures.

use super::memory::Memory;
use super::walk::walk;
use super::{Input, Session};
use crate::blocks::Running;
use crate::compute::{Arena, Forms, Move, Observer, Pass, Prepared, RowsMut, Segment, Stage, Workers};
use crate::executor::Executor;
use crate::model::{Head, Model};
use alloc::vec::Vec;
use core::ops::Range;
use nanocamelid_kernels::ActivationType;

/// For each RoPE setting: the angle per position of every rotated pair, and the factor on cosines and sines.
pub(super) type Frequencies = Vec<(Vec<f64>, f64)>;

/// The output that the caller wants from a batch of one slot.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// Hidden states after the last layer, of these rows.
    Hidden(Range<usize>),
    /// Logits of so many rows, the last ones.
    Logits(usize),
}

impl Session<'_> {
    /// [`Session::forward`] for a batch of `n` rows of the first slot. An encoder forgets the text before.
    pub(super) fn forward_one(
        &mut self,
        executor: &dyn Executor,
        (input, n): (Input<'_>, usize),
        wanted: Wanted,
        each: &mut dyn FnMut(usize, &[f32]),
        observer: Observer<'_>,
    ) {
        if self.position() != self.next_position(0) {
            self.reset();
        }
        let (hidden, n_outputs) = match wanted {
            Wanted::Hidden(rows) => (Some(rows), 0),
            Wanted::Logits(n) => (None, n),
        };
        let segment = Segment { slot: 0, first: 0, n, position: self.position(), n_outputs };
        self.forward(executor, (input, &[segment]), hidden, each, observer);
    }

    /// Runs one checked batch of rows through the layers. The rows whose logits are wanted also go through the head,
    /// and `each` receives their logits. If `hidden` states are wanted instead, nothing goes through the head. Every
    /// slot has at most one segment, which begins at the slot's next position.
    pub(super) fn forward(
        &mut self,
        executor: &dyn Executor,
        (input, segments): (Input<'_>, &[Segment]),
        hidden: Option<Range<usize>>,
        each: &mut dyn FnMut(usize, &[f32]),
        observer: Observer<'_>,
    ) {
        let plan = &self.plan;
        let Memory { x, logits, angles, worker_scratch, pages, blocks, workspace, .. } = &mut self.memory;
        for segment in segments {
            pages.begin(segment.slot, segment.n, &mut |change| carry_out(blocks, change));
        }
        let n = segments.iter().map(|segment| segment.n).sum();
        let mut workers = Workers::new(executor, n, plan.kernels, worker_scratch, plan.worker_bytes);
        let (model, config) = (plan.model, &plan.model.config);
        let positions = || segments.iter().flat_map(|segment| segment.position..segment.end());

        let mut x = x.part(0, n);
        let tokens = match input {
            Input::Tokens(tokens) => {
                if let Some(embedding) = model.embedding {
                    embedding.fill(&mut workers, config, positions(), tokens, &mut x);
                }
                tokens
            }
            Input::Hidden(hidden) => {
                x.values_mut().copy_from_slice(hidden);
                &[]
            }
        };
        for (angles, (frequencies, magnitude)) in angles.iter_mut().zip(&self.frequencies) {
            angles.fill(&workers, positions(), frequencies, *magnitude);
        }
        let is_hidden = hidden.is_some();
        let first_output = outputs(segments).next().map_or(n, |rows| rows.start);
        let through = hidden.unwrap_or(first_output..n);
        workspace.within(|arena| {
            let embeddings = embeddings(model, arena, &workers, &x);
            let embeddings = embeddings.as_ref();
            let (pages, first, layer) = (&*pages, 0, None);
            let mut pass = Pass { workers, angles, tokens, embeddings, segments, pages, first, n, layer, observer };
            pass.show(Stage::Embedding, x.values());

            walk(blocks, &mut pass, arena, config, &mut x, through);
            let Some(head) = model.head.as_ref().filter(|_| !is_hidden) else { return };
            pass.layer = None;
            for outputs in outputs(segments) {
                for first in outputs.clone().step_by(plan.options.n_outputs) {
                    let n = plan.options.n_outputs.min(outputs.end - first);
                    let mut rows = logits.part(0, n * head.rows_per_output());
                    arena.within(|arena| head.run(&mut pass, arena, model, &x.part(first, n), &mut rows));
                    for i in 0..n {
                        each(first + i, rows.rows().row(i * head.rows_per_output()));
                    }
                    self.last_output = (n - 1) * head.rows_per_output();
                }
            }
        });
        // An encoder's keys and values depend on the whole text, so its pages serve no other text.
        let known = if config.is_encoder() { &[] } else { tokens };
        for segment in segments {
            let tokens = known.get(segment.first..segment.first + segment.n).unwrap_or_default();
            pages.end(segment.slot, segment.n, tokens, &mut |change| carry_out(blocks, change));
        }
    }
}

/// Carries out a change of pages or states in all blocks.
pub(super) fn carry_out(blocks: &mut [Running<'_>], change: Move) {
    blocks.iter_mut().for_each(|block| block.carry_out(change));
}

/// The rows that go through the head, in as few ranges as possible.
fn outputs(segments: &[Segment]) -> impl Iterator<Item = Range<usize>> {
    let mut rest = segments.iter().map(Segment::outputs).filter(|rows| !rows.is_empty()).peekable();
    core::iter::from_fn(move || {
        let mut rows = rest.next()?;
        while let Some(next) = rest.next_if(|next| next.start == rows.end) {
            rows.end = next.end;
        }
        Some(rows)
    })
}

/// A second copy of the embeddings, prepared for the blocks that read embeddings, if the model has such blocks.
fn embeddings<'s>(
    model: &Model<'_>,
    arena: &mut Arena<'s>,
    workers: &Workers<'_>,
    x: &RowsMut<'_>,
) -> Option<Prepared<'s>> {
    let mut embeddings = Prepared::carve(arena, model.embedding_inputs()?, x.n(), x.width());
    let rows = x.rows();
    embeddings.fill(workers, &|t, row| row.copy_from_slice(rows.row(t)));
    Some(embeddings)
}

impl Head<'_> {
    /// Number of input rows, and of output rows, per token. A quantized matrix reads two rows: the quantized input and
    /// the quantized remainder, so that the matrix which decides between tokens loses nothing to quantization.
    pub(super) fn rows_per_output(&self) -> usize {
        if self.output.reads() == ActivationType::F32 { 1 } else { 2 }
    }

    /// The normed input of `n` tokens, `[n][n_embd]`; with remainders `[n][2][n_embd]`.
    pub(super) fn input<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Prepared<'s> {
        let forms = Forms::of([&self.output]);
        Prepared::carve(arena, forms, n.saturating_mul(self.rows_per_output()), self.output.n_in())
    }

    /// Computes the logits of the tokens whose hidden states are the rows of `x`. They are written to every
    /// [`Head::rows_per_output`]-th row of `out`.
    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        model: &Model<'_>,
        x: &RowsMut<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let (kernels, config, x) = (pass.workers.kernels, &model.config, x.rows());
        let mut input = self.input(arena, x.n());
        let norm = |i: usize, row: &mut [f32]| kernels.rms_norm(x.row(i), Some(self.norm), config.norm_eps, row);
        if self.rows_per_output() == 1 {
            input.fill(&pass.workers, &norm);
            pass.workers.product(&input, &self.output, out);
        } else {
            input.fill_with_remainders(&pass.workers, norm);
            pass.workers.product_with_remainders(&input, &self.output, out);
        }
        for logits in out.iter_mut().step_by(self.rows_per_output()) {
            if config.logit_scale != 1.0 {
                kernels.scale(logits, config.logit_scale);
            }
            if let Some(cap) = config.logit_softcap {
                kernels.softcap(logits, cap);
            }
            pass.show(Stage::Logits, logits);
        }
    }
}
