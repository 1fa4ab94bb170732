//! The projections of a gated delta net. Files store them as separate matrices or interleaved in one.

use super::metadata::Numbers;
use crate::compute::{Arena, Linear, Pass, Prepared, Rows, RowsMut};
use crate::tensors::LayerTensors;

/// Two projections of the block's input.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pair<'a> {
    /// One matrix for each.
    Apart([Linear<'a>; 2]),
    /// One matrix: the rows of the first key head, then those of the second, and so on.
    ByKeyHead(Linear<'a>),
}

/// The outputs of a pair, and room for the output of an interleaved matrix before its columns are copied out.
pub(super) struct Projected<'s> {
    pub outs: [RowsMut<'s>; 2],
    woven: Option<RowsMut<'s>>,
}

/// `width` columns of a key head in an interleaved output, and their destination for all key heads: output `out`, from
/// column `first` on.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub width: usize,
    pub out: usize,
    pub first: usize,
}

impl<'a> Pair<'a> {
    /// Channels of the convolution, and gates.
    pub(super) fn inputs(numbers: &Numbers, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let widths = [numbers.n_channels(), numbers.value_width()];
        Self::read(tensors, "ssm_in.weight", ["attn_qkv.weight", "attn_gate.weight"], widths)
    }

    /// Projections that produce decays and betas, one number for each value head.
    pub(super) fn rates(numbers: &Numbers, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let widths = [numbers.n_value_heads; 2];
        Self::read(tensors, "ssm_ba.weight", ["ssm_alpha.weight", "ssm_beta.weight"], widths)
    }

    fn read(
        tensors: &mut LayerTensors<'_, '_, 'a>,
        woven: &'static str,
        apart: [&'static str; 2],
        widths: [usize; 2],
    ) -> Option<Self> {
        let n_embd = tensors.n_embd();
        if tensors.exists(woven) {
            return tensors.linear(woven, n_embd, widths.iter().sum()).map(Self::ByKeyHead);
        }
        let [first, second] = core::array::from_fn(|i| tensors.linear(apart[i], n_embd, widths[i]));
        Some(Self::Apart([first?, second?]))
    }

    /// The matrices of the pair.
    pub(super) fn readers(&self) -> &[Linear<'a>] {
        match self {
            Self::Apart(linears) => linears,
            Self::ByKeyHead(linear) => core::slice::from_ref(linear),
        }
    }

    pub(super) fn carve<'s>(&self, arena: &mut Arena<'s>, n: usize, widths: [usize; 2]) -> Projected<'s> {
        let woven = match self {
            Self::Apart(_) => None,
            Self::ByKeyHead(linear) => Some(RowsMut::carve(arena, n, linear.n_out())),
        };
        Projected { outs: widths.map(|width| RowsMut::carve(arena, n, width)), woven }
    }

    /// Projects the batch. `parts` are the parts of an interleaved matrix, in order.
    pub(super) fn run(&self, pass: &mut Pass<'_>, x: &Prepared<'_>, projected: &mut Projected<'_>, parts: &[Part]) {
        let Projected { outs: [first, second], woven } = projected;
        match (self, woven) {
            (Self::ByKeyHead(linear), Some(woven)) => {
                pass.workers.product(x, linear, woven);
                deal(pass, woven.rows(), [first, second], parts);
            }
            (Self::Apart([a, b]), _) => pass.workers.products(x, [(a, first), (b, second)]),
            (Self::ByKeyHead(_), None) => {}
        }
    }
}

/// Copies the columns of every key head to their outputs.
fn deal(pass: &Pass<'_>, woven: Rows<'_>, [first, second]: [&mut RowsMut<'_>; 2], parts: &[Part]) {
    let width = parts.iter().map(|part| part.width).sum();
    pass.workers.rows(first.iter_mut().zip(second.iter_mut()).enumerate(), |(t, (first, second))| {
        let outs = [first, second];
        for (head, mut columns) in woven.row(t).chunks(width).enumerate() {
            for part in parts {
                let (taken, rest) = columns.split_at(part.width);
                outs[part.out][part.first + head * part.width..][..part.width].copy_from_slice(taken);
                columns = rest;
            }
        }
    });
}
