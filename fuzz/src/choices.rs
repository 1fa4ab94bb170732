//! Decisions drawn from a fuzzer's bytes.

/// The bytes that are not used yet. When no bytes are left, every decision is zero.
#[derive(Clone, Debug)]
pub struct Choices<'d> {
    data: &'d [u8],
}

impl<'d> Choices<'d> {
    /// Decisions from `data`.
    pub fn new(data: &'d [u8]) -> Self {
        Self { data }
    }

    /// Whether no bytes are left.
    pub fn is_spent(&self) -> bool {
        self.data.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.data.split_first() else { return 0 };
        self.data = rest;
        first
    }

    /// A number below `n`, which is at most 2^16.
    pub fn below(&mut self, n: usize) -> usize {
        let wide = u16::from_le_bytes([self.byte(), if n > 256 { self.byte() } else { 0 }]);
        usize::from(wide) % n.max(1)
    }

    /// Up to `n` bytes.
    pub fn bytes(&mut self, n: usize) -> &'d [u8] {
        let (taken, rest) = self.data.split_at(n.min(self.data.len()));
        self.data = rest;
        taken
    }

    /// An integer at, near or away from the places where sizes overflow.
    pub fn integer(&mut self) -> u64 {
        let near = u64::from(self.byte() % 3).wrapping_sub(1);
        let edge = match self.byte() % 8 {
            0 => u64::from(self.byte()),
            1 => 1 << (self.byte() % 64),
            2 => u64::MAX,
            3 => 1 << 31,
            4 => 1 << 32,
            5 => 1 << 63,
            6 => u64::from(u16::from_le_bytes([self.byte(), self.byte()])),
            _ => return u64::from(self.byte() % 70),
        };
        edge.wrapping_add(near)
    }

    /// A float, ordinary or not.
    pub fn float(&mut self) -> f32 {
        match self.byte() % 8 {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => 0.0,
            3 => -1.0,
            4 => f32::MIN_POSITIVE,
            5 => f32::from_bits(u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])),
            _ => f32::from(self.byte()) / 16.0,
        }
    }

    /// All bytes that are left.
    pub fn rest(self) -> &'d [u8] {
        self.data
    }
}
