//! Finds markers in text that comes character by character.

/// The part of a text that may still become a marker.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(String);

impl Held {
    /// Takes the next character. Returns the index of a marker that is complete now. What cannot be the start of a
    /// marker is appended to `text`. No marker may begin with another one.
    pub(super) fn push(&mut self, c: char, markers: &[&str], text: &mut String) -> Option<usize> {
        self.0.push(c);
        while let Some(first) = self.0.chars().next() {
            if let Some(found) = markers.iter().position(|&marker| marker == self.0) {
                self.0.clear();
                return Some(found);
            }
            if markers.iter().any(|marker| marker.starts_with(self.0.as_str())) {
                return None;
            }
            text.push(first);
            self.0.drain(..first.len_utf8());
        }
        None
    }

    /// Takes the next character of a text that must be a marker. `Err` if the text is none; it then keeps the text.
    pub(super) fn expect(&mut self, c: char, markers: &[&str]) -> Result<Option<usize>, ()> {
        self.0.push(c);
        match markers.iter().position(|&marker| marker == self.0) {
            Some(found) => {
                self.0.clear();
                Ok(Some(found))
            }
            None if markers.iter().any(|marker| marker.starts_with(self.0.as_str())) => Ok(None),
            None => Err(()),
        }
    }

    /// Whether no marker has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the undecided text away.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

/// A quotation mark of several characters, at both ends of a string.
#[derive(Clone, Debug, Default)]
pub(super) struct Marker {
    held: Held,
    is_opening: bool,
}

impl Marker {
    /// The opening mark begins with this character.
    pub(super) fn begin(&mut self, c: char) {
        self.held = Held(c.into());
        self.is_opening = true;
    }

    /// Whether the opening mark is not yet complete.
    pub(super) fn is_opening(&self) -> bool {
        self.is_opening
    }

    /// Takes the next character of the opening mark. Returns whether it fits.
    pub(super) fn opens(&mut self, c: char, mark: &str) -> bool {
        let found = self.held.expect(c, &[mark]);
        self.is_opening = found == Ok(None);
        found.is_ok()
    }

    /// Takes the next character of the string. Returns whether the closing mark is complete.
    pub(super) fn push(&mut self, c: char, mark: &str, text: &mut String) -> bool {
        self.held.push(c, &[mark], text).is_some()
    }
}
