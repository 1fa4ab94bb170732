//! Unpacking by vectors: what the staged formats' unpacking needs of an instruction set. Each format has it once, over
//! [`Wide`]; the proofs of NEON and AVX2 implement that. The portable unpacking stays the definition of a format.

use super::staging::Plain;
use bytemuck::Pod;

/// A block that vectors unpack, to the values of its portable unpacking.
pub(crate) trait WideBlock<P: Plain>: Pod {
    /// Writes all that counts of the plain blocks that it becomes; minima do not.
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [P]);
}

/// Vectors of 32 bytes, which are two pieces of 16. A value of the type proves that the instructions exist.
pub(crate) trait Wide: Copy {
    /// The vector.
    type V: Copy;

    /// [`WideBlock::unpack_wide`], compiled for the instructions, out of line.
    fn unpack<P: Plain, B: WideBlock<P>>(self, block: &[u8], plain: &mut [P]);

    /// Reads a vector.
    fn load(self, x: &[u8; 32]) -> Self::V;
    /// Sixteen bytes in both pieces.
    fn repeat(self, x: &[u8; 16]) -> Self::V;
    /// Four bytes eight times over.
    fn repeat4(self, x: u32) -> Self::V;
    /// A byte everywhere.
    fn splat(self, x: u8) -> Self::V;
    /// Four times eight bytes.
    fn eights(self, x: [u64; 4]) -> Self::V;
    /// Eight times four bytes.
    fn fours(self, x: [u32; 8]) -> Self::V;
    /// Writes a vector.
    fn store(self, v: Self::V, x: &mut [u8; 32]);
    /// Writes the first piece.
    fn store16(self, v: Self::V, x: &mut [u8; 16]);

    /// Bitwise and.
    fn and(self, a: Self::V, b: Self::V) -> Self::V;
    /// Bitwise or.
    fn or(self, a: Self::V, b: Self::V) -> Self::V;
    /// Bitwise exclusive or.
    fn xor(self, a: Self::V, b: Self::V) -> Self::V;
    /// Sums of bytes, wrapping.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// Differences of bytes, wrapping.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `(a + b + 1) / 2` of unsigned bytes.
    fn mean(self, a: Self::V, b: Self::V) -> Self::V;
    /// Shifts 16-bit lanes right, filling with zeros.
    fn shr16(self, v: Self::V, n: i32) -> Self::V;
    /// Shifts 32-bit lanes left.
    fn shl32(self, v: Self::V, n: i32) -> Self::V;
    /// `table[index]` within each piece, of indices below 16; 128 gives 0.
    fn shuffle(self, table: Self::V, index: Self::V) -> Self::V;
    /// Ones in the bytes that have the bit of `bit`, which is a single one, and zeros in the others.
    fn test(self, v: Self::V, bit: Self::V) -> Self::V;
    /// The low bytes of the 16-bit lanes of `a` and `b`, whose high bytes are 0, in their order.
    fn narrow(self, a: Self::V, b: Self::V) -> Self::V;
    /// The bytes of `a` and `b` in turns, as two vectors in their order.
    fn zip(self, a: Self::V, b: Self::V) -> [Self::V; 2];
    /// Every other 32-bit lane of `a` and `b`, from the second on.
    fn odd_words(self, a: Self::V, b: Self::V) -> Self::V;
    /// A little-endian f16.
    fn f16(self, x: [u8; 2]) -> f32;

    /// Each of four bytes eight times.
    #[inline(always)]
    fn spread(self, x: u32) -> Self::V {
        self.shuffle(self.repeat4(x), self.load(&EACH_8_TIMES))
    }

    /// Ones in the bytes whose bit of 32 is set, zeros in the others.
    #[inline(always)]
    fn mask(self, bits: u32) -> Self::V {
        self.test(self.spread(bits), self.repeat(&BITS))
    }

    /// Negates the bytes whose bit of 32 is set.
    #[inline(always)]
    fn negate(self, v: Self::V, bits: u32) -> Self::V {
        let mask = self.mask(bits);
        self.sub(self.xor(v, mask), mask)
    }

    /// Sets the top bit of bytes below 128 where that makes the number of bits that are set even.
    #[inline(always)]
    fn make_even(self, v: Self::V) -> Self::V {
        let (odd, low) = (self.repeat(&ODD), self.splat(15));
        let parity = self.shuffle(odd, self.and(v, low));
        let high = self.shuffle(odd, self.and(self.shr16(v, 4), low));
        self.or(v, self.xor(parity, high))
    }
}

static EACH_8_TIMES: [u8; 32] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3];
static BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
/// 128 for the numbers with an odd number of bits.
static ODD: [u8; 16] = [0, 128, 128, 0, 128, 0, 0, 128, 128, 0, 0, 128, 0, 128, 128, 0];
