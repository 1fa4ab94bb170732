//! The head: from hidden states to logits, and the way of logits to the rank that asked for them.

use crate::candidates::Candidates;
use crate::compute::{Arena, Forms, Pass, Prepared, RowsMut, Stage};
use crate::model::{Head, Model};
use crate::peers::{Peers, Share};
use alloc::vec::Vec;
use core::ops::Range;
use nanocamelid_kernels::ActivationType;

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

    /// Computes the logits of the tokens whose hidden states are the rows of `x`, those that this rank computes. They
    /// are written to every [`Head::rows_per_output`]-th row of `out`.
    pub(super) fn run(
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

/// The likeliest logits of a row, on their way to rank 0.
#[derive(Clone, Debug)]
pub(super) struct Likeliest {
    n: usize,
    candidates: Candidates,
    /// A token id and a logit for each, four bytes of each.
    bytes: Vec<u8>,
}

/// Bytes of a candidate.
const CANDIDATE: usize = 8;
/// The id of a candidate that is none: there are fewer numbers among a rank's logits.
const NOBODY: u32 = u32::MAX;

impl Likeliest {
    /// The `n` likeliest of each row, of a vocabulary of `n_vocab`.
    pub(super) fn new(n: usize, n_vocab: usize) -> Self {
        let n = n.min(n_vocab);
        Self { n, candidates: Candidates::with_capacity(n), bytes: alloc::vec![0; n * CANDIDATE] }
    }

    /// Number of bytes that carry a rank's likeliest, of `n_own` logits.
    fn n_bytes(&self, n_own: usize) -> usize {
        self.n.min(n_own) * CANDIDATE
    }

    /// Sends the likeliest of a rank's logits, whose first token is `first`.
    fn send(&mut self, peers: &dyn Peers, first: usize, own: &[f32]) {
        let n_bytes = self.n_bytes(own.len());
        self.candidates.fill_top_k(own, self.n);
        let candidates = self.candidates.as_mut_slice().iter().map(|c| (first as u32 + c.token, c.logit));
        let places = self.bytes[..n_bytes].as_chunks_mut::<CANDIDATE>().0;
        for (place, (token, logit)) in places.iter_mut().zip(candidates.chain(core::iter::repeat((NOBODY, 0.0)))) {
            let [id, value] = [token.to_le_bytes(), logit.to_le_bytes()];
            place[..4].copy_from_slice(&id);
            place[4..].copy_from_slice(&value);
        }
        peers.send(0, &self.bytes[..n_bytes]);
    }

    /// Receives the likeliest logits of another rank. Its other logits become NaN, which no sampler chooses.
    fn receive(&mut self, peers: &dyn Peers, from: usize, own: Range<usize>, logits: &mut [f32]) {
        let n_bytes = self.n_bytes(own.len());
        let bytes = &mut self.bytes[..n_bytes];
        peers.receive(from, bytes);
        logits[own.clone()].fill(f32::NAN);
        for &[a, b, c, d, e, f, g, h] in bytes.as_chunks::<CANDIDATE>().0 {
            let token = u32::from_le_bytes([a, b, c, d]) as usize;
            if own.contains(&token) {
                logits[token] = f32::from_le_bytes([e, f, g, h]);
            }
        }
    }
}

/// Brings a row of logits to rank 0, which has room for all of `logits` and finds its own part in `own`. On the other
/// ranks `logits` is their own part.
pub(super) fn collect(
    peers: &dyn Peers,
    model: &Model<'_>,
    mut likeliest: Option<&mut Likeliest>,
    own: Option<&[f32]>,
    logits: &mut [f32],
) {
    let range = |rank| computed(model, rank);
    if peers.rank() == 0 {
        if let Some(own) = own {
            logits[range(0)].copy_from_slice(own);
        }
        for rank in (1..peers.n_ranks()).filter(|&rank| !range(rank).is_empty()) {
            match &mut likeliest {
                Some(likeliest) => likeliest.receive(peers, rank, range(rank), logits),
                None => peers.receive(rank, bytemuck::cast_slice_mut(&mut logits[range(rank)])),
            }
        }
    } else if !logits.is_empty() {
        match likeliest {
            Some(likeliest) => likeliest.send(peers, range(peers.rank()).start, logits),
            None => peers.send(0, bytemuck::cast_slice(logits)),
        }
    }
}

/// The logits that a rank computes.
fn computed(model: &Model<'_>, rank: usize) -> Range<usize> {
    match (model.share, &model.head) {
        (Share::Rows { .. }, Some(head)) => head.split.range(rank),
        (Share::Layers { shares, .. }, _) if rank + 1 < shares.len() => 0..0,
        _ => 0..model.config.n_vocab,
    }
}
