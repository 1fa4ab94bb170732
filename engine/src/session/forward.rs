//! The forward pass: one for all architectures.

use super::memory::Memory;
use super::walk::walk;
use super::{Input, Session};
use crate::compute::{Angles, Arena, Forms, Observer, Pass, Prepared, RowsMut, Stage, Workers};
use crate::executor::Executor;
use crate::model::{Head, Model};
use alloc::vec::Vec;
use core::ops::Range;
use nanocamelid_kernels::ActivationType;

/// For each RoPE setting: the angle per position of every rotated pair, and the factor on cosines and sines.
pub(super) type Frequencies = Vec<(Vec<f64>, f64)>;

/// The output that the caller wants from a batch.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// Hidden states after the last layer, of these tokens.
    Hidden(Range<usize>),
    /// Logits of these tokens.
    Logits(Range<usize>),
}

impl Session<'_> {
    /// Runs one checked batch of `n` tokens at the session's next position through the layers. The tokens whose logits
    /// are wanted also go through the head, and `each` receives their logits.
    pub(super) fn forward(
        &mut self,
        executor: &dyn Executor,
        (input, n): (Input<'_>, usize),
        wanted: Wanted,
        each: &mut dyn FnMut(usize, &[f32]),
        observer: Observer<'_>,
    ) {
        if self.position != self.next_position() {
            self.reset();
        }
        let plan = &self.plan;
        let Memory { x, logits, angles, worker_scratch, blocks, workspace } = &mut self.memory;
        let mut workers = Workers::new(executor, n, plan.kernels, worker_scratch, plan.worker_bytes);
        let (model, config, position) = (plan.model, &plan.model.config, self.position);
        self.position += n;

        let mut x = x.part(0, n);
        let tokens = match input {
            Input::Tokens(tokens) => {
                if let Some(embedding) = model.embedding {
                    embedding.fill(&mut workers, config, position, tokens, &mut x);
                }
                tokens
            }
            Input::Hidden(hidden) => {
                x.values_mut().copy_from_slice(hidden);
                &[]
            }
        };
        rotations(&workers, (position, n), &self.frequencies, angles);
        workspace.within(|arena| {
            let embeddings = embeddings(model, arena, &workers, &x);
            let embeddings = embeddings.as_ref();
            let mut pass = Pass { workers, angles, tokens, embeddings, first: 0, position, n, layer: None, observer };
            pass.show(Stage::Embedding, x.values());

            let (through, outputs) = match wanted {
                Wanted::Hidden(through) => (through, 0..0),
                Wanted::Logits(outputs) => (outputs.clone(), outputs),
            };
            walk(blocks, &mut pass, arena, config, &mut x, through);
            let Some(head) = &model.head else { return };
            pass.layer = None;
            for first in outputs.clone().step_by(plan.options.n_outputs) {
                let n = plan.options.n_outputs.min(outputs.end - first);
                let mut rows = logits.part(0, n * head.rows_per_output());
                arena.within(|arena| head.run(&mut pass, arena, model, &x.part(first, n), &mut rows));
                for i in 0..n {
                    each(first + i, rows.rows().row(i * head.rows_per_output()));
                }
                self.last_output = (n - 1) * head.rows_per_output();
            }
        });
    }
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

/// Computes the cosines and sines of every position of the batch, once for all layers.
fn rotations(workers: &Workers<'_>, positions: (usize, usize), frequencies: &Frequencies, angles: &mut [Angles<'_>]) {
    for (angles, (frequencies, magnitude)) in angles.iter_mut().zip(frequencies) {
        angles.fill(workers, positions, frequencies, *magnitude);
    }
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
