//! The bytes of messages between ranks: numbers in little-endian order, texts and lists behind their lengths. A reader
//! checks every length against the bytes that are there.

/// A message in the making.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'m>(&'m [u8]);

/// Words of a message: a few without memory of their own, because every token is announced.
#[derive(Clone, Debug)]
pub(super) enum Words {
    Few([u32; FEW], usize),
    Many(Vec<u32>),
}

const FEW: usize = 12;

impl std::ops::Deref for Words {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            Self::Few(words, n) => &words[..*n],
            Self::Many(words) => words,
        }
    }
}

impl FromIterator<u32> for Words {
    fn from_iter<I: IntoIterator<Item = u32>>(words: I) -> Self {
        let (mut few, mut n) = ([0; FEW], 0);
        let mut rest = words.into_iter();
        while n < FEW {
            let Some(word) = rest.next() else { return Self::Few(few, n) };
            few[n] = word;
            n += 1;
        }
        match rest.next() {
            None => Self::Few(few, n),
            Some(next) => Self::Many(few.into_iter().chain([next]).chain(rest).collect()),
        }
    }
}

impl From<&[u32]> for Words {
    fn from(words: &[u32]) -> Self {
        words.iter().copied().collect()
    }
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// A message that ends early, or holds a value that it must not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    pub(super) fn number(&mut self, n: u64) -> &mut Self {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }

    pub(super) fn size(&mut self, n: usize) -> &mut Self {
        self.number(n as u64)
    }

    /// A number that there may not be.
    pub(super) fn option(&mut self, n: Option<u64>) -> &mut Self {
        match n {
            Some(n) => self.byte(1).number(n),
            None => self.byte(0),
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.size(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn words(&mut self, words: &[u32]) -> &mut Self {
        self.size(words.len());
        words.iter().for_each(|word| self.0.extend_from_slice(&word.to_le_bytes()));
        self
    }

    /// Begins another message in the memory of the last.
    pub(super) fn clear(&mut self) -> &mut Self {
        self.0.clear();
        self
    }

    pub(super) fn message(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl<'m> Reader<'m> {
    pub(super) fn new(message: &'m [u8]) -> Self {
        Self(message)
    }

    fn take(&mut self, n: usize) -> Result<&'m [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        self.take(8)?.try_into().map(u64::from_le_bytes).map_err(|_| Malformed)
    }

    pub(super) fn size(&mut self) -> Result<usize, Malformed> {
        self.number()?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn option(&mut self) -> Result<Option<u64>, Malformed> {
        self.flag()?.then(|| self.number()).transpose()
    }

    pub(super) fn bytes(&mut self) -> Result<&'m [u8], Malformed> {
        let n = self.size()?;
        self.take(n)
    }

    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        std::str::from_utf8(self.bytes()?).map(str::to_owned).map_err(|_| Malformed)
    }

    /// Whatever their number, no more memory is taken than the message has.
    pub(super) fn words<L: FromIterator<u32>>(&mut self) -> Result<L, Malformed> {
        let n = self.size()?;
        let bytes = self.take(n.checked_mul(4).ok_or(Malformed)?)?;
        let (words, _) = bytes.as_chunks();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// The end of the message.
    pub(super) fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
