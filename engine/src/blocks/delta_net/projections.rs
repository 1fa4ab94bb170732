//! The projections of a gated delta net. Files store them as separate matrices or interleaved in one.

use super::metadata::Numbers;
use crate::compute::{Arena, Linear, Pass, Prepared, Rows, RowsMut, Split};
use crate::tensors::LayerTensors;

/// Projections of the block's input.
#[derive(Clone, Copy, Debug)]
pub(super) enum Projections<'a, const N: usize> {
    /// One matrix for each.
    Apart([Linear<'a>; N]),
    /// One matrix: the rows of the first key head, then those of the second, and so on.
    ByKeyHead(Linear<'a>),
}

/// The outputs of projections, and room for the output of an interleaved matrix before its columns are copied out.
pub(super) struct Projected<'s, const N: usize> {
    pub outs: [RowsMut<'s>; N],
    woven: Option<RowsMut<'s>>,
}

/// `width` columns of a key head in an interleaved output, and the output that they belong to.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub width: usize,
    pub out: usize,
}

impl<'a> Projections<'a, 4> {
    /// Queries, keys, values and gates, of a rank's heads.
    pub(super) fn inputs(numbers: &Numbers, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let (n_embd, channels, gates) = (tensors.n_embd(), numbers.n_channels(), numbers.value_width());
        let [keys, values] = [tensors.split(numbers.key_width(), numbers.head_dim), numbers.values(tensors)];
        if tensors.exists("ssm_in.weight") {
            let n_rows = channels + gates;
            let heads: Split<'a> = tensors.split(n_rows, n_rows / numbers.n_key_heads);
            return tensors.linear("ssm_in.weight", n_embd, n_rows).map(|all| Self::ByKeyHead(all.share(heads)));
        }
        let all = tensors.linear("attn_qkv.weight", n_embd, channels);
        let gate = tensors.linear("attn_gate.weight", n_embd, gates);
        let (all, width) = (all?, numbers.key_width());
        let part = |first, n, split| all.rows(first, n).share(split);
        Some(Self::Apart([
            part(0, width, keys),
            part(width, width, keys),
            part(2 * width, gates, values),
            gate?.share(values),
        ]))
    }
}

impl<'a> Projections<'a, 2> {
    /// Projections that produce decays and betas: one number for each value head, of all heads, on every rank.
    pub(super) fn rates(numbers: &Numbers, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let (n_embd, n) = (tensors.n_embd(), numbers.n_value_heads);
        if tensors.exists("ssm_ba.weight") {
            return tensors.linear("ssm_ba.weight", n_embd, 2 * n).map(Self::ByKeyHead);
        }
        let [alpha, beta] = ["ssm_alpha.weight", "ssm_beta.weight"].map(|name| tensors.linear(name, n_embd, n));
        Some(Self::Apart([alpha?, beta?]))
    }
}

impl<'a, const N: usize> Projections<'a, N> {
    /// The matrices.
    pub(super) fn readers(&self) -> &[Linear<'a>] {
        match self {
            Self::Apart(linears) => linears,
            Self::ByKeyHead(linear) => core::slice::from_ref(linear),
        }
    }

    pub(super) fn carve<'s>(&self, arena: &mut Arena<'s>, n: usize, widths: [usize; N]) -> Projected<'s, N> {
        let woven = match self {
            Self::Apart(_) => None,
            Self::ByKeyHead(linear) => Some(RowsMut::carve(arena, n, linear.n_out())),
        };
        Projected { outs: widths.map(|width| RowsMut::carve(arena, n, width)), woven }
    }

    /// Projects the batch. `parts` are the parts of an interleaved matrix, in order.
    pub(super) fn run(
        &self,
        pass: &mut Pass<'_>,
        x: &Prepared<'_>,
        projected: &mut Projected<'_, N>,
        parts: [Part; N],
    ) {
        let Projected { outs, woven } = projected;
        match (self, woven) {
            (Self::ByKeyHead(linear), Some(woven)) => {
                pass.workers.product(x, linear, woven);
                deal(pass, woven.rows(), outs, parts);
            }
            (Self::Apart(linears), _) => {
                pass.workers.products(x, linears.iter().zip(outs));
            }
            (Self::ByKeyHead(_), None) => {}
        }
    }
}

/// Copies the columns of every key head to their outputs.
fn deal<const N: usize>(pass: &Pass<'_>, woven: Rows<'_>, outs: &mut [RowsMut<'_>; N], parts: [Part; N]) {
    let width = parts.iter().map(|part| part.width).sum();
    let mut first = 0;
    for part in parts {
        pass.workers.rows(outs[part.out].iter_mut().zip(woven.iter()), |(row, woven)| {
            for (to, head) in row.chunks_mut(part.width).zip(woven.chunks(width)) {
                to.copy_from_slice(&head[first..][..part.width]);
            }
        });
        first += part.width;
    }
}
