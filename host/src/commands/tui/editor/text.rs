//! The line that is being edited, and where in it the cursor is.

use unicode_segmentation::UnicodeSegmentation;

/// A text with a cursor between two of its characters (grapheme clusters, as a person counts them).
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    text: String,
    cursor: usize,
}

impl Text {
    /// A text with the cursor behind it.
    pub(super) fn new(text: String) -> Self {
        let cursor = text.len();
        Self { text, cursor }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Puts the cursor in front of the character that starts there.
    pub(super) fn set_cursor(&mut self, at: usize) {
        self.cursor = self.text.floor_char_boundary(at);
    }

    fn after_cursor(&self) -> &str {
        &self.text[self.cursor..]
    }

    pub(super) fn insert(&mut self, text: &str) {
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
    }

    pub(super) fn left(&mut self) {
        self.cursor -= self.before_cursor().graphemes(true).next_back().map_or(0, str::len);
    }

    pub(super) fn right(&mut self) {
        self.cursor += self.after_cursor().graphemes(true).next().map_or(0, str::len);
    }

    /// Moves to the start of the word in front of the cursor.
    pub(super) fn word_left(&mut self) {
        let before =
            self.before_cursor().graphemes(true).rev().skip_while(|c| !is_of_word(c)).skip_while(|c| is_of_word(c));
        self.cursor = before.map(str::len).sum();
    }

    /// Moves to the end of the word behind the cursor.
    pub(super) fn word_right(&mut self) {
        let after = self.after_cursor().graphemes(true).skip_while(|c| !is_of_word(c)).skip_while(|c| is_of_word(c));
        self.cursor = self.text.len() - after.map(str::len).sum::<usize>();
    }

    /// Moves to the start of the cursor's line.
    pub(super) fn home(&mut self) {
        self.cursor = self.before_cursor().rfind('\n').map_or(0, |i| i + 1);
    }

    /// Moves to the end of the cursor's line.
    pub(super) fn end(&mut self) {
        self.cursor += self.after_cursor().find('\n').unwrap_or(self.after_cursor().len());
    }

    /// Moves to the line above. False if there is none; the cursor then stays in its line.
    pub(super) fn up(&mut self) -> bool {
        let column = self.column();
        self.home();
        if self.cursor == 0 {
            self.advance(column);
            return false;
        }
        self.cursor -= 1;
        self.home();
        self.advance(column);
        true
    }

    /// Moves to the line below. False if there is none; the cursor then stays in its line.
    pub(super) fn down(&mut self) -> bool {
        let column = self.column();
        self.end();
        if self.cursor == self.text.len() {
            self.home();
            self.advance(column);
            return false;
        }
        self.cursor += 1;
        self.advance(column);
        true
    }

    /// Characters between the line's start and the cursor.
    fn column(&self) -> usize {
        self.before_cursor().rsplit('\n').next().map_or(0, |line| line.graphemes(true).count())
    }

    /// Moves that many characters on, at most to the end of the line.
    fn advance(&mut self, column: usize) {
        let line = self.after_cursor().split('\n').next().unwrap_or_default();
        self.cursor += line.graphemes(true).take(column).map(str::len).sum::<usize>();
    }

    /// Moves the cursor and takes out the text that the cursor passes.
    pub(super) fn kill(&mut self, passing: fn(&mut Self)) -> String {
        let from = self.cursor;
        passing(self);
        let (start, end) = (self.cursor.min(from), self.cursor.max(from));
        self.cursor = start;
        self.text.drain(start..end).collect()
    }

    /// Moves to the start of the word in front of the cursor, where words are what stands between spaces.
    pub(super) fn blank_left(&mut self) {
        let before = self.before_cursor().trim_end();
        self.cursor = before.trim_end_matches(|c: char| !c.is_whitespace()).len();
    }
}

/// Whether a character (grapheme cluster) is part of a word: its first letter decides, marks may follow it.
fn is_of_word(character: &str) -> bool {
    character.starts_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &Text) -> String {
        format!("{}|{}", text.before_cursor(), text.after_cursor())
    }

    fn after(start: &str, steps: &[fn(&mut Text)]) -> String {
        let mut text = Text::new(start.into());
        steps.iter().for_each(|step| step(&mut text));
        shown(&text)
    }

    #[test]
    fn moving() {
        assert_eq!(after("ab cd", &[Text::left, Text::left, Text::left]), "ab| cd");
        assert_eq!(after("ab, cd", &[Text::word_left, Text::word_left]), "|ab, cd");
        assert_eq!(after("ab, cd", &[Text::home, Text::word_right]), "ab|, cd");
        // One flag, one letter with its accent.
        assert_eq!(after("e\u{301}🇦🇹", &[Text::left]), "e\u{301}|🇦🇹");
        assert_eq!(after("e\u{301}🇦🇹", &[Text::left, Text::left, Text::left]), "|e\u{301}🇦🇹");
        assert_eq!(after("e\u{301}x", &[Text::home, Text::right]), "e\u{301}|x");
        assert_eq!(after("abc\nd", &[Text::home]), "abc\n|d");
        // A mark is no letter, and belongs to the letter in front of it.
        assert_eq!(after("u\u{308}ber alles", &[Text::home, Text::word_right]), "u\u{308}ber| alles");
        assert_eq!(after("an u\u{308}ber", &[Text::word_left]), "an |u\u{308}ber");
        assert_eq!(after("हिन्दी में", &[Text::word_left, Text::word_left, Text::word_right]), "हिन्दी| में");
    }

    #[test]
    fn lines_up_and_down() {
        let mut text = Text::new("one\nthree\nx".into());
        assert!(text.up());
        assert_eq!(shown(&text), "one\nt|hree\nx");
        text.end();
        assert!(text.up());
        assert_eq!(shown(&text), "one|\nthree\nx");
        assert!(!text.up());
        assert_eq!(shown(&text), "one|\nthree\nx");
        assert!(text.down());
        assert_eq!(shown(&text), "one\nthr|ee\nx");
        assert!(text.down() && !text.down());
        assert_eq!(shown(&text), "one\nthree\nx|");
    }

    #[test]
    fn taking_out_and_putting_back() {
        let mut text = Text::new("tell me a-b".into());
        assert_eq!(text.kill(Text::word_left), "b");
        assert_eq!(text.kill(Text::blank_left), "a-");
        text.insert("y\u{fc}");
        assert_eq!(text.kill(Text::left), "\u{fc}");
        text.home();
        assert_eq!(text.kill(Text::end), "tell me y");
        assert_eq!(text.kill(Text::right) + &text.kill(Text::left), "");
    }
}
