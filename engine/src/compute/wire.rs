//! Rows of which every rank computes some columns: their exchange among the ranks.

use super::prepared::{Forms, Prepared};
use super::split::{Split, several};
use super::{Ahead, Arena, Linear, RowsMut, Workers};
use crate::peers::{MAX_RANKS, part};
use core::ops::Range;
use nanocamelid_kernels::{ActivationType, QuantizedRows, QuantizedRowsMut};

/// Norms a whole row.
type Norm<'n> = &'n (dyn Fn(&mut [f32]) + Sync);

/// Bytes of rows on their way: for each rank its columns of all rows, row after row. A row consists of f32 values, or
/// of the quantized values and the scales of every form.
pub(crate) struct Wire<'s, 'w> {
    bytes: &'s mut [u8],
    ends: [usize; MAX_RANKS],
    n: usize,
    split: Split<'w>,
    form: ActivationType,
}

impl<'s, 'w> Wire<'s, 'w> {
    /// Takes room for `n` rows whose readers read these forms. A quantized form travels as it is where it is the only
    /// one and all ranks have whole blocks of it. Otherwise, or where rows are normed as a whole first, f32 values do.
    pub(crate) fn carve(arena: &mut Arena<'s>, forms: Forms, n: usize, split: Split<'w>, is_normed: bool) -> Self {
        let only = forms.only_one().filter(|form| !is_normed && split.has_whole_blocks(form.block_len()));
        let form = only.unwrap_or(ActivationType::F32);
        let ends = split.ends(n, |width| match form {
            ActivationType::F32 => width * size_of::<f32>(),
            form => width + width / form.block_len() * size_of::<f32>(),
        });
        Self { bytes: arena.take(ends[split.n_ranks() - 1]), ends, n, split, form }
    }

    /// Whether f32 values travel.
    fn is_f32(&self) -> bool {
        self.form == ActivationType::F32
    }

    /// Takes room for this rank's columns of `n` rows that [`Workers::gated`] makes.
    pub(crate) fn carve_own<'t>(&self, arena: &mut Arena<'t>, n: usize) -> Prepared<'t> {
        Prepared::carve_joined(arena, Forms::only(self.form), n, self.split.own_width())
    }

    /// Takes room for all columns of `n` rows, for readers of these forms.
    pub(crate) fn carve_all<'t>(&self, arena: &mut Arena<'t>, forms: Forms, n: usize) -> Prepared<'t> {
        match self.is_f32() {
            true => Prepared::carve(arena, forms, n, self.split.width()),
            false => Prepared::carve_quantized(arena, forms, n, self.split.width()),
        }
    }

    /// Puts this rank's columns of rows `first..`, made in the forms that travel.
    pub(crate) fn put_rows(&mut self, first: usize, own: &Prepared<'_>) {
        match self.is_f32() {
            true => own.rows().iter().enumerate().for_each(|(t, row)| self.put(first + t, row)),
            false => own.quantized_rows().enumerate().for_each(|(t, row)| self.put_quantized(first + t, row)),
        }
    }

    /// Takes all columns of rows `first..`, in the forms of `all`. `norm` changes whole rows before they are quantized;
    /// it is there only where the wire was carved for it.
    pub(crate) fn take_rows(
        &self,
        workers: &Workers<'_>,
        first: usize,
        all: &mut Prepared<'_>,
        norm: Option<Norm<'_>>,
    ) {
        match self.is_f32() {
            true => all.fill(workers, &|t, row| {
                self.take(first + t, row);
                norm.into_iter().for_each(|norm| norm(row));
            }),
            false => all.fill_quantized(workers, &|t, row| self.take_quantized(first + t, row)),
        }
    }

    /// The place of row `t` of a rank.
    fn place(&self, rank: usize, t: usize) -> Range<usize> {
        let part = part(&self.ends, rank);
        let n_bytes = part.len() / self.n;
        part.start + t * n_bytes..part.start + (t + 1) * n_bytes
    }

    /// Row `t` of this rank.
    fn own(&mut self, t: usize) -> &mut [u8] {
        let place = self.place(self.split.rank(), t);
        &mut self.bytes[place]
    }

    /// Puts this rank's columns of row `t`: f32 values.
    fn put(&mut self, t: usize, own: &[f32]) {
        self.own(t).copy_from_slice(bytemuck::cast_slice(own));
    }

    /// Puts this rank's columns of row `t`: quantized values, then scales.
    fn put_quantized(&mut self, t: usize, own: QuantizedRows<'_>) {
        let (qs, scales) = self.own(t).split_at_mut(own.qs.len());
        qs.copy_from_slice(bytemuck::cast_slice(own.qs));
        scales.copy_from_slice(bytemuck::cast_slice(own.scales));
    }

    /// Exchanges the parts of all ranks. `ahead` is read meanwhile.
    pub(crate) fn exchange(&mut self, workers: &Workers<'_>, ahead: &Ahead<'_>) {
        workers.exchange(self.bytes, &self.ends[..self.split.n_ranks()], ahead);
    }

    /// Takes all columns of row `t`: f32 values.
    fn take(&self, t: usize, all: &mut [f32]) {
        let split = self.split;
        for rank in 0..split.n_ranks() {
            deal(split, rank, &self.bytes[self.place(rank, t)], all, 1);
        }
    }

    /// Takes all columns of row `t`: quantized values and scales; the sums are made again.
    fn take_quantized(&self, t: usize, all: QuantizedRowsMut<'_>) {
        let split = self.split;
        for rank in 0..split.n_ranks() {
            let width = split.n_runs() * split.range(rank).len();
            let (qs, scales) = self.bytes[self.place(rank, t)].split_at(width);
            deal(split, rank, qs, all.qs, 1);
            deal(split, rank, scales, all.scales, all.kind.block_len());
        }
        for (sum, qs) in all.sums.iter_mut().zip(all.qs.chunks(all.kind.sum_len())) {
            *sum = qs.iter().map(|&q| i16::from(q)).sum();
        }
    }
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
            (all, Wire::carve(arena, Forms::F32, n, split, false))
        });
        Self { own, all }
    }

    /// This rank's columns, to be written.
    pub(crate) fn own(&mut self) -> &mut RowsMut<'s> {
        &mut self.own
    }

    /// All columns, once the own ones are written. `ahead` is read while they come.
    pub(crate) fn gather(&mut self, workers: &Workers<'_>, ahead: &Ahead<'_>) -> &mut RowsMut<'s> {
        let Some((all, wire)) = several(self.all.as_mut()) else { return &mut self.own };
        let rows = self.own.rows();
        (0..rows.n()).for_each(|t| wire.put(t, rows.row(t)));
        wire.exchange(workers, ahead);
        all.iter_mut().enumerate().for_each(|(t, row)| wire.take(t, row));
        all
    }
}

/// An input of which every rank makes some columns.
pub(crate) struct SharedInput<'s, 'w> {
    /// `[n][own columns]`, in the forms that travel.
    own: Prepared<'s>,
    /// `[n][all columns]`, in all forms; `None` where the own columns are all.
    all: Option<(Prepared<'s>, Wire<'s, 'w>)>,
}

impl<'s, 'w> SharedInput<'s, 'w> {
    /// Takes room for an input of matrices that read these forms. `is_normed` says whether [`SharedInput::finish`]
    /// norms it.
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
        if split.is_whole() {
            return Self { own: carve(arena, forms, n, split.width()), all: None };
        }
        let wire = Wire::carve(arena, forms, n, split, is_normed);
        let own = carve(arena, Forms::only(wire.form), n, split.own_width());
        Self { own, all: Some((wire.carve_all(arena, forms, n), wire)) }
    }

    /// This rank's columns, to be written.
    pub(crate) fn own(&mut self) -> &mut Prepared<'s> {
        &mut self.own
    }

    /// Whether the own columns are all.
    pub(crate) fn is_whole(&self) -> bool {
        several(self.all.as_ref()).is_none()
    }

    /// All columns, for a product with `next`, once the f32 values of the own ones are written. `norm` changes whole
    /// rows before they are quantized; it is there only where the input was carved for it.
    pub(crate) fn finish(&mut self, workers: &Workers<'_>, norm: Option<Norm<'_>>, next: &Linear<'_>) -> &Prepared<'s> {
        let is_later = several(self.all.as_ref()).is_some_and(|(_, wire)| wire.is_f32());
        match norm {
            _ if is_later => {}
            Some(norm) => self.own.fill(workers, &|_, row| norm(row)),
            None => self.own.quantize(workers),
        }
        self.gather_with(workers, norm, next)
    }

    /// All columns, for a product with `next`, once the own ones are made in the forms that travel.
    pub(crate) fn gather(&mut self, workers: &Workers<'_>, next: &Linear<'_>) -> &Prepared<'s> {
        self.gather_with(workers, None, next)
    }

    fn gather_with(&mut self, workers: &Workers<'_>, norm: Option<Norm<'_>>, next: &Linear<'_>) -> &Prepared<'s> {
        let Self { own, all } = self;
        let Some((all, wire)) = several(all.as_mut()) else { return own };
        wire.put_rows(0, own);
        wire.exchange(workers, &Ahead::of(next));
        wire.take_rows(workers, 0, all, norm);
        all
    }
}
