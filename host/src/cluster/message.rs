//! The bytes of messages between ranks: numbers in little-endian order, texts and lists behind their lengths. A reader
//! checks every length against the bytes that are there.

/// A message in the making.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'m>(&'m [u8]);

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
    pub(super) fn words(&mut self) -> Result<Vec<u32>, Malformed> {
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
