//! The input of matrix products, made once in every form that the matrices read.

use super::quantized::Quantized;
use super::{Arena, Linear, Rows, RowsMut, Workers};
use nanocamelid_kernels::reference::math;
use nanocamelid_kernels::{ActivationType, Activations, F32Rows, QuantizedRows, QuantizedRowsMut};

/// The quantized forms that an input can have.
const QUANTIZED: [ActivationType; 2] = [ActivationType::Q8, ActivationType::Q8K];

/// A set of forms of activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forms(u8);

impl Forms {
    /// The forms that these matrices read.
    pub(crate) fn of<'l, 'a: 'l>(readers: impl IntoIterator<Item = &'l Linear<'a>>) -> Self {
        readers.into_iter().fold(Self::default(), |forms, linear| forms.union(Self::only(linear.reads())))
    }

    /// f32 values alone.
    pub(crate) const F32: Self = Self::only(ActivationType::F32);

    /// One form alone.
    pub(crate) const fn only(kind: ActivationType) -> Self {
        Self(1 << kind as u8)
    }

    /// The form, if there is only one.
    pub(crate) fn only_one(self) -> Option<ActivationType> {
        let all = QUANTIZED.into_iter().chain([ActivationType::F32]);
        all.into_iter().find(|&kind| self == Self::only(kind))
    }

    /// The values of the longest block of the set.
    pub(crate) fn block_len(self) -> usize {
        let all = QUANTIZED.into_iter().filter(|&kind| self.contains(kind));
        all.map(ActivationType::block_len).fold(1, usize::max)
    }

    /// The forms of both sets.
    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the set contains this form.
    pub(crate) fn contains(self, kind: ActivationType) -> bool {
        self.0 & Self::only(kind).0 != 0
    }
}

/// An input, `n` rows of `width` values, in all its forms.
pub(crate) struct Prepared<'a> {
    forms: Forms,
    /// The f32 rows; empty in an input that exists only in quantized form ([`Prepared::carve_joined`]).
    f32s: RowsMut<'a>,
    quantized: [Option<Quantized<'a>>; QUANTIZED.len()],
}

impl<'a> Prepared<'a> {
    /// Takes room for an input of matrices that read these forms.
    pub(crate) fn carve(arena: &mut Arena<'a>, forms: Forms, n: usize, width: usize) -> Self {
        let f32s = RowsMut::carve(arena, n, width);
        Self::with_f32s(arena, f32s, forms, n, width)
    }

    /// Like [`Prepared::carve`], for an input that [`Workers::gated`] makes. There are no f32 rows if all matrices read
    /// blocks of 32 values.
    pub(crate) fn carve_joined(arena: &mut Arena<'a>, forms: Forms, n: usize, width: usize) -> Self {
        let n_f32s = if forms == Forms::only(ActivationType::Q8) { 0 } else { n };
        let f32s = RowsMut::carve(arena, n_f32s, width);
        Self::with_f32s(arena, f32s, forms, n, width)
    }

    /// Takes room for quantized forms alone.
    pub(super) fn carve_quantized(arena: &mut Arena<'a>, forms: Forms, n: usize, width: usize) -> Self {
        let f32s = RowsMut::carve(arena, 0, width);
        Self::with_f32s(arena, f32s, forms, n, width)
    }

    fn with_f32s(arena: &mut Arena<'a>, f32s: RowsMut<'a>, forms: Forms, n: usize, width: usize) -> Self {
        let mut form = |kind| forms.contains(kind).then(|| Quantized::carve(arena, kind, n, width));
        Self { forms, f32s, quantized: QUANTIZED.map(&mut form) }
    }

    /// All f32 values, `[n][width]`.
    pub(crate) fn values(&self) -> &[f32] {
        self.f32s.values()
    }

    /// The f32 rows.
    pub(crate) fn rows(&self) -> Rows<'_> {
        self.f32s.rows()
    }

    /// The f32 rows, to be written and then [quantized](Prepared::quantize).
    pub(crate) fn f32s_mut(&mut self) -> &mut RowsMut<'a> {
        &mut self.f32s
    }

    /// The form that `linear` multiplies, of rows `first .. first + n`.
    pub(crate) fn read_by(&self, linear: &Linear<'_>, first: usize, n: usize) -> Activations<'_> {
        match self.quantized.iter().flatten().find(|form| form.kind() == linear.reads()) {
            Some(form) => Activations::Quantized(form.rows().rows(first, n)),
            None => {
                let width = self.f32s.width();
                Activations::F32(F32Rows::new(&self.f32s.values()[first * width..][..n * width], n, width))
            }
        }
    }

    /// Makes every row with `make`, then its quantized forms, on the worker that draws the row.
    pub(crate) fn fill(&mut self, workers: &Workers<'_>, make: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        let kernels = workers.kernels;
        workers.rows(self.rows_mut().enumerate(), |(i, (row, forms))| {
            make(i, row);
            for mut form in forms.into_iter().flatten() {
                kernels.quantize(row, &mut form);
            }
        });
    }

    /// Makes the quantized forms of the f32 rows.
    pub(crate) fn quantize(&mut self, workers: &Workers<'_>) {
        if self.quantized.iter().any(Option::is_some) {
            self.fill(workers, &|_, _| {});
        }
    }

    /// Makes every even row with `make`, and the odd row behind it from the remainder of quantizing the even row. A
    /// matrix that reads both rows loses nothing to quantization of its input, up to the quantization of the remainder.
    pub(crate) fn fill_with_remainders(&mut self, workers: &Workers<'_>, make: impl Fn(usize, &mut [f32]) + Sync) {
        let kernels = workers.kernels;
        let mut rows = self.rows_mut();
        let pairs = core::iter::from_fn(|| Some([rows.next()?, rows.next()?]));
        workers.rows(pairs.enumerate(), |(i, [(row, forms), (rest, rest_forms)])| {
            make(i, row);
            for (mut form, mut rest_form) in forms.into_iter().flatten().zip(rest_forms.into_iter().flatten()) {
                kernels.quantize(row, &mut form);
                remainder(&form, row, rest);
                kernels.quantize(rest, &mut rest_form);
            }
        });
    }

    /// Copies rows `tokens` of `from`, one after the other, in the forms of this input.
    pub(crate) fn gather(&mut self, from: &Prepared<'_>, tokens: &[u32]) {
        if self.forms.contains(ActivationType::F32) {
            for (to, &token) in self.f32s.iter_mut().zip(tokens) {
                to.copy_from_slice(from.f32s.rows().row(token as usize));
            }
        }
        for (to, from) in self.quantized.iter_mut().zip(&from.quantized) {
            if let (Some(to), Some(from)) = (to, from) {
                to.gather(from.rows(), tokens);
            }
        }
    }

    /// The rows of the quantized form, in an input that has one.
    pub(super) fn quantized_rows(&self) -> impl Iterator<Item = QuantizedRows<'_>> {
        self.quantized.iter().flatten().take(1).flat_map(|form| {
            let rows = form.rows();
            (0..rows.n_rows).map(move |t| rows.row(t))
        })
    }

    /// Makes every row of the quantized form with `make`, on the worker that draws the row.
    pub(super) fn fill_quantized(
        &mut self,
        workers: &Workers<'_>,
        make: &(dyn Fn(usize, QuantizedRowsMut<'_>) + Sync),
    ) {
        if let Some(form) = self.quantized.iter_mut().flatten().next() {
            workers.rows(form.rows_mut().enumerate(), |(t, row)| make(t, row));
        }
    }

    /// The only form, if it is the one with blocks of 32; that form can be quantized band by band.
    pub(super) fn joined(&mut self) -> Option<&mut Quantized<'a>> {
        if self.forms != Forms::only(ActivationType::Q8) || self.f32s.n() > 0 {
            return None;
        }
        self.quantized.iter_mut().flatten().next()
    }

    /// Every row with the places of its quantized forms.
    fn rows_mut(&mut self) -> impl Iterator<Item = RowForms<'_>> + Send {
        let [first, second] = &mut self.quantized;
        let [mut first, mut second] = [first, second].map(|form| form.as_mut().map(Quantized::rows_mut));
        // Written without `map`: over an array, `map` costs more than the rest of this function, which runs for every
        // row.
        self.f32s.iter_mut().map(move |row| {
            let first = first.as_mut().and_then(Iterator::next);
            (row, [first, second.as_mut().and_then(Iterator::next)])
        })
    }
}

/// A row and the places of its quantized forms.
type RowForms<'r> = (&'r mut [f32], [Option<QuantizedRowsMut<'r>>; QUANTIZED.len()]);

/// The remainder of quantization: `rest[i] = x[i] - scale * q[i]`.
fn remainder(quantized: &QuantizedRowsMut<'_>, x: &[f32], rest: &mut [f32]) {
    let n = quantized.kind.block_len();
    let blocks = rest.chunks_mut(n).zip(x.chunks(n)).zip(quantized.qs.chunks(n)).zip(&*quantized.scales);
    for (((rest, x), qs), scale) in blocks {
        for ((rest, x), &q) in rest.iter_mut().zip(x).zip(qs) {
            *rest = math::fma(-f32::from(q), *scale, *x);
        }
    }
}
