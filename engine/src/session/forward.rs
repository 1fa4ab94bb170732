//! The forward pass: one for all architectures.

use super::head;
use super::memory::Memory;
use super::walk::walk;
use super::{Input, Session};
use crate::blocks::Running;
use crate::compute::{Arena, Move, Observer, Pass, Prepared, RowsMut, Segment, Stage, Workers};
use crate::executor::Executor;
use crate::model::{Head, Model};
use alloc::vec::Vec;
use core::ops::Range;

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
        let (plan, peers) = (&self.plan, self.peers());
        let Memory { x, logits, own_logits, angles, worker_scratch, pages, blocks, workspace, .. } = &mut self.memory;
        for segment in segments {
            pages.begin(segment.slot, segment.n, &mut |change| carry_out(blocks, change));
        }
        let n = segments.iter().map(|segment| segment.n).sum();
        let mut workers = Workers::new((executor, peers), n, plan.kernels, worker_scratch, plan.worker_bytes);
        let (model, config) = (plan.model, &plan.model.config);
        let positions = || segments.iter().flat_map(|segment| segment.position..segment.end());

        let mut x = x.part(0, n);
        let tokens = match input {
            Input::Tokens(tokens) => {
                match (model.embedding, peers) {
                    (Some(embedding), _) => embedding.fill(&mut workers, config, positions(), tokens, &mut x),
                    (None, Some(peers)) => peers.receive(peers.rank() - 1, bytemuck::cast_slice_mut(x.values_mut())),
                    (None, None) => {}
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
        // The rank that has the next layers.
        let next = peers.filter(|_| model.range.end < config.n_layers);
        let hidden = hidden.or(next.map(|_| 0..n));
        let first_output = outputs(segments).next().map_or(n, |rows| rows.start);
        let through = hidden.unwrap_or(first_output..n);
        workspace.within(|arena| {
            let embeddings = embeddings(model, arena, &workers, &x);
            let embeddings = embeddings.as_ref();
            let (pages, first, layer) = (&*pages, 0, None);
            let mut pass = Pass { workers, angles, tokens, embeddings, segments, pages, first, n, layer, observer };
            pass.show(Stage::Embedding, x.values());

            walk(blocks, &mut pass, arena, config, &mut x, through);
            if let Some(peers) = next {
                peers.send(peers.rank() + 1, bytemuck::cast_slice(x.values()));
            }
            if is_hidden {
                return;
            }
            pass.layer = None;
            let stride = model.head.as_ref().map_or(1, Head::rows_per_output);
            for outputs in outputs(segments) {
                for first in outputs.clone().step_by(plan.options.n_outputs) {
                    let n = plan.options.n_outputs.min(outputs.end - first);
                    let mut rows = logits.part(0, n * stride);
                    let mut own = own_logits.as_mut().map(|own| own.part(0, n * stride));
                    if let Some(head) = &model.head {
                        let own = own.as_mut().unwrap_or(&mut rows);
                        arena.within(|arena| head.run(&mut pass, arena, model, &x.part(first, n), own));
                    }
                    for i in 0..n {
                        let row = rows.row_mut(i * stride);
                        if let Some(peers) = peers {
                            let own = own.as_ref().map(|own| own.rows().row(i * stride));
                            head::collect(peers, model, self.likeliest.as_mut(), own, row);
                        }
                        each(first + i, row);
                    }
                    self.last_output = (n - 1) * stride;
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
