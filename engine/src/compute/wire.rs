//! Rows of which every rank computes some columns: their exchange among the ranks.

use super::prepared::{Forms, Prepared};
use super::split::Split;
use super::{Arena, RowsMut, Workers};
use crate::peers::MAX_RANKS;
use core::ops::Range;
use nanocamelid_kernels::{ActivationType, QuantizedRows, QuantizedRowsMut};

/// Bytes of rows on their way: for each rank its columns of all rows, row after row. A row consists of f32 values, or of
/// the quantized values and the scales of every form.
pub(crate) struct Wire<'s, 'w> {
    bytes: &'s mut [u8],
    ends: [usize; MAX_RANKS],
    n: usize,
    split: Split<'w>,
}

impl<'s, 'w> Wire<'s, 'w> {
    /// Takes room for `n` rows in these forms, which the split has whole blocks of.
    pub(crate) fn carve(arena: &mut Arena<'s>, n: usize, split: Split<'w>, forms: Forms) -> Self {
        let ends = split.ends(n, |width| bytes_of(forms, width));
        Self { bytes: arena.take(ends[split.n_ranks() - 1]), ends, n, split }
    }

    /// The place of row `t` of a rank.
    fn place(&self, rank: usize, t: usize) -> Range<usize> {
        let start = if rank == 0 { 0 } else { self.ends[rank - 1] };
        let n_bytes = (self.ends[rank] - start) / self.n;
        start + t * n_bytes..start + (t + 1) * n_bytes
    }

    /// Row `t` of this rank.
    fn own(&mut self, t: usize) -> &mut [u8] {
        let place = self.place(self.split.rank(), t);
        &mut self.bytes[place]
    }

    /// Puts this rank's columns of row `t`: f32 values.
    pub(crate) fn put(&mut self, t: usize, own: &[f32]) {
        self.own(t).copy_from_slice(bytemuck::cast_slice(own));
    }

    /// Puts this rank's columns of row `t`: one form after the other.
    fn put_quantized<'q>(&mut self, t: usize, own: impl Iterator<Item = QuantizedRows<'q>>) {
        let mut to = self.own(t);
        for form in own {
            for from in [bytemuck::cast_slice(form.qs), bytemuck::cast_slice::<f32, u8>(form.scales)] {
                let (part, rest) = to.split_at_mut(from.len());
                part.copy_from_slice(from);
                to = rest;
            }
        }
    }

    /// Exchanges the parts of all ranks.
    pub(crate) fn exchange(&mut self, workers: &Workers<'_>) {
        workers.exchange(self.bytes, &self.ends[..self.split.n_ranks()]);
    }

    /// Takes all columns of row `t`: f32 values.
    pub(crate) fn take(&self, t: usize, all: &mut [f32]) {
        let split = self.split;
        for rank in 0..split.n_ranks() {
            deal(split, rank, &self.bytes[self.place(rank, t)], all, 1);
        }
    }

    /// Takes all columns of row `t`, one form after the other.
    fn take_quantized(&self, t: usize, all: &mut dyn Iterator<Item = QuantizedRowsMut<'_>>) {
        let split = self.split;
        let mut starts = [0; MAX_RANKS];
        for form in all {
            let block = form.kind.block_len();
            for (rank, start) in starts.iter_mut().enumerate().take(split.n_ranks()) {
                let width = split.n_runs() * split.range(rank).len();
                let row = &self.bytes[self.place(rank, t)][*start..];
                let (qs, rest) = row.split_at(width);
                let scales = &rest[..width / block * size_of::<f32>()];
                deal(split, rank, qs, form.qs, 1);
                deal(split, rank, scales, form.scales, block);
                *start += width + scales.len();
            }
            for (sum, qs) in form.sums.iter_mut().zip(form.qs.chunks(form.kind.sum_len())) {
                *sum = qs.iter().map(|&q| i16::from(q)).sum();
            }
        }
    }
}

/// Bytes of `width` columns in these forms.
fn bytes_of(forms: Forms, width: usize) -> usize {
    if forms.contains(ActivationType::F32) {
        return width * size_of::<f32>();
    }
    forms.quantized().map(|kind| width + width / kind.block_len() * size_of::<f32>()).sum()
}

/// Copies a rank's columns, run after run, to their places in the whole row. A value stands for `per` columns.
fn deal<T: bytemuck::Pod>(split: Split<'_>, rank: usize, from: &[u8], to: &mut [T], per: usize) {
    let range = split.range(rank);
    if range.is_empty() {
        return;
    }
    let from = from.chunks_exact(range.len() / per * size_of::<T>());
    for (run, from) in to.chunks_exact_mut(split.run() / per).zip(from) {
        bytemuck::cast_slice_mut(&mut run[range.start / per..range.end / per]).copy_from_slice(from);
    }
}

/// Outputs of which every rank computes some columns.
pub(crate) struct SharedRows<'s, 'w> {
    /// `[n][own columns]`.
    own: RowsMut<'s>,
    /// `[n][all columns]`; `None` where the own columns are all.
    all: Option<(RowsMut<'s>, Wire<'s, 'w>)>,
}

impl<'s, 'w> SharedRows<'s, 'w> {
    pub(crate) fn carve(arena: &mut Arena<'s>, n: usize, split: Split<'w>) -> Self {
        let own = RowsMut::carve(arena, n, split.own_width());
        let all = (!split.is_whole()).then(|| {
            let all = RowsMut::carve(arena, n, split.width());
            (all, Wire::carve(arena, n, split, Forms::F32))
        });
        Self { own, all }
    }

    /// This rank's columns, to be written.
    pub(crate) fn own(&mut self) -> &mut RowsMut<'s> {
        &mut self.own
    }

    /// All columns, once the own ones are written.
    pub(crate) fn gather(&mut self, workers: &Workers<'_>) -> &mut RowsMut<'s> {
        let Some((all, wire)) = &mut self.all else { return &mut self.own };
        let rows = self.own.rows();
        (0..rows.n()).for_each(|t| wire.put(t, rows.row(t)));
        wire.exchange(workers);
        all.iter_mut().enumerate().for_each(|(t, row)| wire.take(t, row));
        all
    }
}

/// Norms a whole row.
type Norm<'n> = &'n (dyn Fn(&mut [f32]) + Sync);

/// An input of which every rank makes some columns.
pub(crate) struct SharedInput<'s, 'w> {
    /// `[n][own columns]`, in the forms that travel.
    own: Prepared<'s>,
    /// `[n][all columns]`, in all forms; `None` where the own columns are all.
    all: Option<(Prepared<'s>, Wire<'s, 'w>)>,
    travels_as_f32: bool,
}

impl<'s, 'w> SharedInput<'s, 'w> {
    /// Takes room for an input of matrices that read these forms. Quantized forms travel as they are where all parts
    /// are whole blocks. Otherwise, or where a row `is_normed` as a whole, f32 values do.
    pub(crate) fn carve(arena: &mut Arena<'s>, forms: Forms, n: usize, split: Split<'w>, is_normed: bool) -> Self {
        Self::with(arena, forms, n, split, is_normed, Prepared::carve)
    }

    /// Like [`SharedInput::carve`], for an input that [`Workers::gated`] makes.
    pub(crate) fn carve_joined(
        arena: &mut Arena<'s>,
        forms: Forms,
        n: usize,
        split: Split<'w>,
        is_normed: bool,
    ) -> Self {
        let carve = if is_normed { Prepared::carve } else { Prepared::carve_joined };
        Self::with(arena, forms, n, split, is_normed, carve)
    }

    fn with(
        arena: &mut Arena<'s>,
        forms: Forms,
        n: usize,
        split: Split<'w>,
        is_normed: bool,
        carve: fn(&mut Arena<'s>, Forms, usize, usize) -> Prepared<'s>,
    ) -> Self {
        let has_whole_blocks = forms.quantized().all(|kind| split.has_whole_blocks(kind.block_len()));
        let travels_as_f32 = is_normed || forms.contains(ActivationType::F32) || !has_whole_blocks;
        if split.is_whole() {
            return Self { own: carve(arena, forms, n, split.width()), all: None, travels_as_f32 };
        }
        let travelling = if travels_as_f32 { Forms::F32 } else { forms };
        let own = carve(arena, travelling, n, split.own_width());
        let all = match travels_as_f32 {
            true => Prepared::carve(arena, forms, n, split.width()),
            false => Prepared::carve_quantized(arena, forms, n, split.width()),
        };
        Self { own, all: Some((all, Wire::carve(arena, n, split, travelling))), travels_as_f32 }
    }

    /// This rank's columns, to be written.
    pub(crate) fn own(&mut self) -> &mut Prepared<'s> {
        &mut self.own
    }

    /// Whether the own columns are all.
    pub(crate) fn is_whole(&self) -> bool {
        self.all.is_none()
    }

    /// All columns, once the f32 values of the own ones are written. `norm` changes whole rows before they are
    /// quantized; it is there only where the input was carved so.
    pub(crate) fn finish(&mut self, workers: &Workers<'_>, norm: Option<Norm<'_>>) -> &Prepared<'s> {
        if self.all.is_none() || !self.travels_as_f32 {
            match norm {
                Some(norm) => self.own.fill(workers, &|_, row| norm(row)),
                None => self.own.quantize(workers),
            }
            return self.gather(workers);
        }
        self.gather_f32(workers, norm)
    }

    /// All columns, once the own ones are made in the forms that travel.
    pub(crate) fn gather(&mut self, workers: &Workers<'_>) -> &Prepared<'s> {
        if self.travels_as_f32 {
            return self.gather_f32(workers, None);
        }
        let Self { own, all, .. } = self;
        let Some((all, wire)) = all else { return own };
        (0..wire.n).for_each(|t| wire.put_quantized(t, own.quantized_row(t)));
        wire.exchange(workers);
        all.fill_quantized(workers, &|t, forms| wire.take_quantized(t, forms));
        all
    }

    fn gather_f32(&mut self, workers: &Workers<'_>, norm: Option<Norm<'_>>) -> &Prepared<'s> {
        let Self { own, all, .. } = self;
        let Some((all, wire)) = all else { return own };
        own.rows().iter().enumerate().for_each(|(t, row)| wire.put(t, row));
        wire.exchange(workers);
        all.fill(workers, &|t, row| {
            wire.take(t, row);
            norm.into_iter().for_each(|norm| norm(row));
        });
        all
    }
}
