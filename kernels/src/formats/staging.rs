//! Staging: blocks unpacked by their format's own code to plain ones, which are then multiplied or dequantized by loops
//! that know no format.
//!
//! The reference stages all formats, with their portable unpacking; SIMD tables stage those without an unpacking in
//! registers, with the one by vectors ([`super::wide`]). A format costs an instruction set some hundred bytes that way,
//! because the loops over plain blocks exist once.

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
use super::wide::{Wide, WideBlock};
use super::{Block256, Blocks32, Unpacked32, Unpacked256};
use bytemuck::Pod;
use core::marker::PhantomData;

/// A plain block.
pub(crate) trait Plain: Pod {
    /// Room for as many as a block of any format becomes.
    type Stage: Pod + AsRef<[Self]> + AsMut<[Self]>;
}

impl Plain for Unpacked32 {
    type Stage = [Self; 4];
}

impl Plain for Unpacked256 {
    type Stage = [Self; 1];
}

/// A format whose blocks are staged.
pub(crate) trait Staged {
    /// What its blocks become.
    type Plain: Plain;
    /// How, on any machine: the format's definition.
    const STAGING: Staging<Self::Plain>;
}

/// A [`Staged`] format that vectors unpack, with the instructions of `W`.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
pub(crate) trait StagedWide<W: 'static>: Staged {
    /// How.
    const WIDE: &'static Staging<Self::Plain, W>;
}

/// No instructions in particular.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// How blocks of one format become plain ones, without the format's type, with the instructions that `W` proves.
#[derive(Clone, Copy)]
pub(crate) struct Staging<P, W = Portable> {
    /// Bytes of a block in the file.
    pub(crate) block_bytes: usize,
    /// Plain blocks that it becomes.
    pub(crate) n: usize,
    /// Whether their minima count; SIMD tables stage formats without minima only.
    pub(crate) has_min: bool,
    /// Plain blocks that multiply the same activations, one after the other ([`Blocks32::PARTS`]).
    pub(crate) parts: usize,
    unpack: fn(W, &[u8], &mut [P]),
}

impl<P> Staging<P> {
    /// The same with another unpacking.
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    const fn with<W>(self, unpack: fn(W, &[u8], &mut [P])) -> Staging<P, W> {
        let Self { block_bytes, n, has_min, parts, .. } = self;
        Staging { block_bytes, n, has_min, parts, unpack }
    }
}

impl<P, W: Copy> Staging<P, W> {
    /// Blocks of a row.
    pub(crate) fn n_blocks(&self, row: &[u8]) -> usize {
        row.len() / self.block_bytes
    }

    /// The plain blocks of block `b`, as many at a time as multiply activations one to one: where they lie in the
    /// stage, and the first block of activations.
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    pub(crate) fn runs(&self, b: usize) -> impl Iterator<Item = (core::ops::Range<usize>, usize)> {
        let (n, parts) = (self.n, self.parts);
        let run = if parts == 1 { n } else { 1 };
        (0..n).step_by(run).map(move |first| (first..first + run, (b * n + first) / parts))
    }

    /// Unpacks block `b` of a row to the first `n` plain ones.
    pub(crate) fn unpack_at(&self, w: W, row: &[u8], b: usize, plain: &mut [P]) {
        (self.unpack)(w, &row[b * self.block_bytes..][..self.block_bytes], &mut plain[..self.n]);
    }
}

/// Blocks of `N` times 32 weights as a [`Staged`] format.
pub(crate) struct Of32<B, const N: usize>(PhantomData<B>);

impl<B: Blocks32<N>, const N: usize> Staged for Of32<B, N> {
    type Plain = Unpacked32;
    const STAGING: Staging<Unpacked32> = Staging {
        block_bytes: size_of::<B>(),
        n: N,
        has_min: B::HAS_MIN,
        parts: B::PARTS,
        unpack: |_, block, plain| plain.copy_from_slice(&bytemuck::from_bytes::<B>(block).unpack_blocks()),
    };
}

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
impl<W: Wide + 'static, B: Blocks32<N> + WideBlock<Unpacked32>, const N: usize> StagedWide<W> for Of32<B, N> {
    const WIDE: &'static Staging<Unpacked32, W> = &Self::STAGING.with(W::unpack::<_, B>);
}

/// Unpacks a super-block as its format defines it. Out of line, because vectors that find no codebook need it, too.
#[inline(never)]
pub(super) fn unpack256<B: Block256>(block: &B, plain: &mut Unpacked256) {
    *plain = block.unpack();
}

/// Super-blocks as a [`Staged`] format.
pub(crate) struct Of256<B>(PhantomData<B>);

impl<B: Block256> Staged for Of256<B> {
    type Plain = Unpacked256;
    const STAGING: Staging<Unpacked256> = Staging {
        block_bytes: size_of::<B>(),
        n: 1,
        has_min: B::HAS_MIN,
        parts: 1,
        unpack: |_, block, plain| unpack256(bytemuck::from_bytes::<B>(block), &mut plain[0]),
    };
}

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
impl<W: Wide + 'static, B: Block256 + WideBlock<Unpacked256>> StagedWide<W> for Of256<B> {
    const WIDE: &'static Staging<Unpacked256, W> = &Self::STAGING.with(W::unpack::<_, B>);
}
