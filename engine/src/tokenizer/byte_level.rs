//! The byte-level alphabet: every byte as a visible character, so that pieces are printable text.
//!
//! Printable bytes of Latin-1 stand for themselves, the other 68 for U+0100 onwards, in order. Source: GPT-2's
//! `bytes_to_unicode`.

/// The character of each byte.
pub(super) const CHARS: [char; 256] = {
    let mut chars = ['\0'; 256];
    let mut n_moved = 0;
    let mut byte = 0;
    while byte < 256 {
        let itself = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code_point = if itself { byte as u32 } else { 256 + n_moved };
        if !itself {
            n_moved += 1;
        }
        chars[byte] = match char::from_u32(code_point) {
            Some(c) => c,
            None => unreachable!(),
        };
        byte += 1;
    }
    chars
};

/// One past the largest character of the alphabet.
const END: usize = 256 + 68;

const BYTES: [Option<u8>; END] = {
    let mut bytes = [None; END];
    let mut byte = 0;
    while byte < 256 {
        bytes[CHARS[byte] as usize] = Some(byte as u8);
        byte += 1;
    }
    bytes
};

/// The byte that a character stands for.
pub(super) fn byte(c: char) -> Option<u8> {
    BYTES.get(c as usize).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_is_a_bijection() {
        for value in 0..=255_u8 {
            assert_eq!(byte(CHARS[usize::from(value)]), Some(value));
        }
        assert_eq!(CHARS[usize::from(b' ')], 'Ġ');
        assert_eq!(CHARS[usize::from(b'\n')], 'Ċ');
        assert_eq!(byte(' '), None);
        assert_eq!(byte('中'), None);
    }
}
