//! Server-sent events (HTML standard, section 9.2.6): the data of each event, from bytes that are cut anywhere.

use super::error::ClientError;

/// Most bytes of an event, its lines included.
const MAX_EVENT: usize = 256 << 10;
/// Most bytes of a stream: a context of a million tokens has fewer.
const MAX_STREAM: usize = 1 << 30;
/// The data of the last event in OpenAI's API.
const DONE: &[u8] = b"[DONE]";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Receives the data of an event.
pub(super) type TakeData<'t> = dyn FnMut(&[u8]) -> Result<(), ClientError> + 't;

/// Reads a stream.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The data of the event that has not ended yet, and whether there is any.
    data: Vec<u8>,
    has_data: bool,
    /// Whether the last byte was the CR of a line's end, to which an LF may belong.
    is_behind_cr: bool,
    /// Whether a line has ended.
    has_line: bool,
    n_bytes: usize,
    is_done: bool,
}

impl EventReader {
    /// Reads the next bytes; `take` receives the data of every event that they end.
    ///
    /// # Errors
    /// [`ClientError::TooLong`]; those of `take`.
    pub(super) fn push(&mut self, bytes: &[u8], take: &mut TakeData<'_>) -> Result<(), ClientError> {
        self.n_bytes += bytes.len();
        if self.n_bytes > MAX_STREAM {
            return Err(ClientError::TooLong { what: "the stream", limit: MAX_STREAM });
        }
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_done {
            if std::mem::take(&mut self.is_behind_cr) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &rest[..end.unwrap_or(rest.len())];
            if self.line.len() + self.data.len() + part.len() > MAX_EVENT {
                return Err(ClientError::TooLong { what: "an event", limit: MAX_EVENT });
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { return Ok(()) };
            self.is_behind_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            self.end_line(take)?;
        }
        Ok(())
    }

    /// Whether the event that ends an answer has come.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    fn end_line(&mut self, take: &mut TakeData<'_>) -> Result<(), ClientError> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.has_line, true) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return match std::mem::take(&mut self.has_data) {
                true if data.trim_ascii() == DONE => {
                    self.is_done = true;
                    Ok(())
                }
                true => take(&data),
                false => Ok(()),
            };
        }
        // Comments begin with a colon; other fields say nothing here.
        let value = match line.strip_prefix(b"data") {
            Some([]) => &[],
            Some([b':', value @ ..]) => value.strip_prefix(b" ").unwrap_or(value),
            _ => return Ok(()),
        };
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::chat::Chunk;
    use super::*;

    /// The events of a stream that comes in pieces of `n` bytes.
    fn events(stream: &[u8], n: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut reader = EventReader::default();
        for piece in stream.chunks(n) {
            let mut take = |data: &[u8]| {
                found.push(String::from_utf8(data.to_vec()).unwrap());
                Ok(())
            };
            reader.push(piece, &mut take).unwrap();
        }
        found
    }

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let stream = "\u{feff}data: one\n\n: a comment\ndata:two\r\ndata:  more\r\n\r\nevent: x\rid: 1\rdata: é🐪\r\r\n\
                      data\n\n:\nretry: 5\n\ndata: never ended\n";
        let expected = ["one", "two\n more", "é🐪", ""];
        for n in 1..=stream.len() {
            assert_eq!(events(stream.as_bytes(), n), expected, "{n}");
        }
        assert_eq!(events(b"", 1), [""; 0]);
    }

    /// Whatever the bytes are, cuts between them change nothing, and no chunk of them is the end of the program.
    #[test]
    fn damaged_streams_are_read_alike_however_they_are_cut() {
        let stream = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n:x\ndata: {\"usage\":{}}\n\ndata: [DONE]\n\n";
        let mut state = 1_u32;
        let mut random = |n: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % n
        };
        for _ in 0..500 {
            let mut damaged = stream.to_vec();
            for _ in 0..random(4) {
                let at = random(damaged.len());
                let bytes = b"\r\n:d\"{}[]\0\xff\xef";
                damaged[at] = bytes[random(bytes.len())];
            }
            let read = |n: usize| {
                let mut found: Vec<(Vec<u8>, String)> = Vec::new();
                let mut reader = EventReader::default();
                let mut take = |data: &[u8]| {
                    found.push((data.to_vec(), format!("{:?}", Chunk::of_event(data))));
                    Ok(())
                };
                damaged.chunks(n).for_each(|piece| reader.push(piece, &mut take).unwrap());
                (found, reader.is_done())
            };
            assert_eq!(read(1 + random(9)), read(damaged.len()));
        }
    }

    #[test]
    fn nothing_is_read_behind_the_last_event() {
        for n in 1..30 {
            let mut reader = EventReader::default();
            let mut found = 0;
            for piece in b"data: a\n\ndata: [DONE] \n\ndata: b\n\n".chunks(n) {
                reader
                    .push(piece, &mut |_| {
                        found += 1;
                        Ok(())
                    })
                    .unwrap();
            }
            assert_eq!((found, reader.is_done()), (1, true));
        }
    }

    /// Lines without an end, events of endless lines, comments that never end.
    #[test]
    fn memory_is_bounded() {
        for (first, piece) in [("data: ", "x"), ("", "data: x\n"), (":", "x"), ("", "data\n")] {
            let mut reader = EventReader::default();
            let mut push = |text: &str| reader.push(text.as_bytes(), &mut |_| Ok(()));
            push(first).unwrap();
            let piece = piece.repeat(1000);
            let error = (0..MAX_EVENT).find_map(|_| push(&piece).err()).expect("a limit");
            assert!(error.to_string().contains("an event is longer than"), "{error}");
            assert!(reader.line.capacity() + reader.data.capacity() <= 4 * MAX_EVENT);
        }
    }

    #[test]
    fn a_stream_has_an_end() {
        let mut reader = EventReader { n_bytes: MAX_STREAM - 3, ..EventReader::default() };
        reader.push(b":\n\n", &mut |_| Ok(())).unwrap();
        assert!(reader.push(b"\n", &mut |_| Ok(())).unwrap_err().to_string().contains("the stream"));
    }
}
