//! Turns the bytes of a terminal into keys: UTF-8, control characters, and the escape sequences of xterm and similar
//! terminals.

use super::search::Direction;
use std::collections::VecDeque;

pub(super) const CTRL_C: u8 = 0x03;
pub(super) const CTRL_Z: u8 = 0x1a;
const ESC: u8 = 0x1b;
const END_OF_PASTE: &[u8] = b"\x1b[201~";
/// Most bytes of an escape sequence; a longer one is not a sequence.
const MAX_SEQUENCE: usize = 32;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A character of the text; a line's end is one that was pasted, or typed with Alt.
    Char(char),
    Enter,
    Interrupt,
    Suspend,
    /// Ctrl-D: the end of input on an empty line, else as Delete.
    EndOrDelete,
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    KillToStart,
    KillToEnd,
    KillWordLeft,
    KillWordRight,
    Yank,
    ClearScreen,
    Search(Direction),
    /// Ctrl-G, or Escape by itself.
    Cancel,
}

/// Keys that were pressed and are not yet used, in order.
#[derive(Debug, Default)]
pub(super) struct Keys {
    bytes: VecDeque<u8>,
    pasting: bool,
}

/// What the first bytes are.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(Key, usize),
    PasteStart(usize),
    PasteEnd(usize),
    /// Nothing that has a meaning here.
    Skip(usize),
    /// An incomplete sequence.
    More,
}

impl Keys {
    /// Adds bytes of the terminal.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Whether all that waits is an escape that may be a key by itself.
    pub(super) fn is_lone_escape(&self) -> bool {
        !self.pasting && self.bytes.len() == 1 && self.bytes[0] == ESC
    }

    /// Whether the rest of a pasted text is still to come.
    pub(super) fn is_pasting(&self) -> bool {
        self.pasting
    }

    /// The next key, if all its bytes are there.
    pub(super) fn next(&mut self) -> Option<Key> {
        loop {
            let bytes = self.bytes.make_contiguous();
            let step = if self.pasting { pasted(bytes) } else { typed(bytes) };
            let n_bytes = match step {
                Step::More => return None,
                Step::Key(_, n) | Step::PasteStart(n) | Step::PasteEnd(n) | Step::Skip(n) => n,
            };
            self.bytes.drain(..n_bytes);
            match step {
                Step::Key(key, _) => {
                    self.pasting &= key != Key::Interrupt;
                    return Some(key);
                }
                Step::PasteStart(_) => self.pasting = true,
                Step::PasteEnd(_) => self.pasting = false,
                Step::Skip(_) | Step::More => {}
            }
        }
    }

    /// Nothing more came: the escape was a key by itself.
    pub(super) fn give_up(&mut self) {
        self.bytes.pop_front();
    }

    /// Takes a control character out of the waiting keys, which stay in their order. False if there is none.
    pub(super) fn take(&mut self, control: u8) -> bool {
        let first = self.bytes.iter().position(|byte| *byte == control);
        first.is_some_and(|i| self.bytes.remove(i).is_some())
    }
}

fn typed(bytes: &[u8]) -> Step {
    let Some(&first) = bytes.first() else { return Step::More };
    let key = match first {
        ESC => return escape(bytes),
        b'\r' | b'\n' => Key::Enter,
        CTRL_C => Key::Interrupt,
        CTRL_Z => Key::Suspend,
        0x01 => Key::Home,
        0x02 => Key::Left,
        0x04 => Key::EndOrDelete,
        0x05 => Key::End,
        0x06 => Key::Right,
        0x07 => Key::Cancel,
        0x08 | 0x7f => Key::Backspace,
        0x0b => Key::KillToEnd,
        0x0c => Key::ClearScreen,
        0x0e => Key::Down,
        0x10 => Key::Up,
        0x12 => Key::Search(Direction::Back),
        0x13 => Key::Search(Direction::Forward),
        0x15 => Key::KillToStart,
        0x17 => Key::KillWordLeft,
        0x19 => Key::Yank,
        control if control < b' ' => return Step::Skip(1),
        _ => return character(bytes),
    };
    Step::Key(key, 1)
}

fn pasted(bytes: &[u8]) -> Step {
    match bytes {
        [] => Step::More,
        _ if bytes.starts_with(END_OF_PASTE) => Step::PasteEnd(END_OF_PASTE.len()),
        _ if END_OF_PASTE.starts_with(bytes) => Step::More,
        // The two bytes of one line's end may come apart.
        [b'\r'] => Step::More,
        [b'\r', b'\n', ..] => Step::Key(Key::Char('\n'), 2),
        [b'\r' | b'\n', ..] => Step::Key(Key::Char('\n'), 1),
        [b'\t', ..] => Step::Key(Key::Char('\t'), 1),
        [CTRL_C, ..] => Step::Key(Key::Interrupt, 1),
        [control, ..] if *control < b' ' || *control == 0x7f => Step::Skip(1),
        _ => character(bytes),
    }
}

fn character(bytes: &[u8]) -> Step {
    let n_bytes = match bytes[0] {
        0x00..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => return Step::Skip(1),
    };
    let there = &bytes[..n_bytes.min(bytes.len())];
    match std::str::from_utf8(there) {
        Ok(text) => text.chars().next().map_or(Step::More, |c| Step::Key(Key::Char(c), n_bytes)),
        Err(error) if error.error_len().is_none() => Step::More,
        Err(_) => Step::Skip(1),
    }
}

fn escape(bytes: &[u8]) -> Step {
    let key = match bytes.get(1) {
        None => return Step::More,
        Some(b'[') => return control_sequence(bytes),
        Some(b'O') => {
            return match bytes.get(2) {
                None => Step::More,
                Some(b'M') => Step::Key(Key::Enter, 3),
                Some(&end) => arrow(end, false).map_or(Step::Skip(3), |key| Step::Key(key, 3)),
            };
        }
        Some(b'\r' | b'\n') => Key::Char('\n'),
        Some(b'b') => Key::WordLeft,
        Some(b'f') => Key::WordRight,
        Some(b'd') => Key::KillWordRight,
        Some(0x08 | 0x7f) => Key::KillWordLeft,
        // Alt with another key is the key.
        Some(_) => return Step::Skip(1),
    };
    Step::Key(key, 2)
}

/// ECMA-48 5.4: `ESC [`, parameters, a final byte.
fn control_sequence(bytes: &[u8]) -> Step {
    // The Linux console's function keys: one more bracket and a letter.
    if bytes.get(2) == Some(&b'[') {
        return if bytes.len() < 4 { Step::More } else { Step::Skip(4) };
    }
    let parameters = &bytes[2..];
    let Some(n) = parameters.iter().position(|byte| (0x40..0x7f).contains(byte)) else {
        return if bytes.len() < MAX_SEQUENCE { Step::More } else { Step::Skip(1) };
    };
    let (parameters, end, n_bytes) = (&parameters[..n], parameters[n], n + 3);
    let key = match (parameters, end) {
        (b"200", b'~') => return Step::PasteStart(n_bytes),
        (b"1" | b"7", b'~') => Some(Key::Home),
        (b"4" | b"8", b'~') => Some(Key::End),
        (b"3", b'~') => Some(Key::Delete),
        // With Alt or Ctrl.
        (b"1;3" | b"1;5", end) => arrow(end, true),
        (b"", end) => arrow(end, false),
        _ => None,
    };
    key.map_or(Step::Skip(n_bytes), |key| Step::Key(key, n_bytes))
}

fn arrow(end: u8, by_word: bool) -> Option<Key> {
    Some(match (end, by_word) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', false) => Key::Right,
        (b'C', true) => Key::WordRight,
        (b'D', false) => Key::Left,
        (b'D', true) => Key::WordLeft,
        (b'H', _) => Key::Home,
        (b'F', _) => Key::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(keys: &mut Keys) -> Vec<Key> {
        std::iter::from_fn(|| keys.next()).collect()
    }

    #[test]
    fn keys_are_the_same_however_their_bytes_arrive() {
        let text =
            "aé日🦙\r\x1b[A\x1b[1;5D\x1b[3~\x1bOH\x1bb\x17\x1b[[A\x1b[24~\x1b[200~x\r\ny\rz\t\x1b\x01\x1b[201~\x04";
        let expected = [
            Key::Char('a'),
            Key::Char('é'),
            Key::Char('日'),
            Key::Char('🦙'),
            Key::Enter,
            Key::Up,
            Key::WordLeft,
            Key::Delete,
            Key::Home,
            Key::WordLeft,
            Key::KillWordLeft,
            Key::Char('x'),
            Key::Char('\n'),
            Key::Char('y'),
            Key::Char('\n'),
            Key::Char('z'),
            Key::Char('\t'),
            Key::EndOrDelete,
        ];
        for n in 1..=text.len() {
            let mut keys = Keys::default();
            let mut found = Vec::new();
            for part in text.as_bytes().chunks(n) {
                keys.push(part);
                found.extend(all(&mut keys));
            }
            assert_eq!(found, expected, "in parts of {n}");
            assert!(keys.bytes.is_empty());
        }
    }

    #[test]
    fn what_is_no_key_is_left_out() {
        let mut keys = Keys::default();
        keys.push(b"a\xff\x80\xc3(\xe2\x82b\x1b\x1b[Dc");
        assert_eq!(all(&mut keys), [Key::Char('a'), Key::Char('('), Key::Char('b'), Key::Left, Key::Char('c')]);
        keys.push(b"\x1b");
        assert_eq!(keys.next(), None);
        assert!(keys.is_lone_escape());
        keys.give_up();
        assert!(keys.bytes.is_empty() && !keys.is_lone_escape());
        // A sequence that never ends.
        keys.push(b"\x1b[");
        keys.push(&[b'1'; MAX_SEQUENCE]);
        assert_eq!(keys.next(), Some(Key::Char('[')));
    }

    #[test]
    fn ctrl_c_is_found_behind_other_keys_and_ends_a_paste() {
        let mut keys = Keys::default();
        keys.push(b"next\x03 line\x03\r");
        assert!(keys.take(CTRL_C) && keys.take(CTRL_C));
        assert!(!keys.take(CTRL_C));
        assert_eq!(all(&mut keys).len(), "next line\r".len());
        keys.push(b"\x1b[200~pasted\x03\r");
        assert_eq!(all(&mut keys)[6..], [Key::Interrupt, Key::Enter]);
    }
}
