//! Commands to the firmware of a Raspberry Pi, which runs on a processor of its own.
//!
//! Linux's device `/dev/vcio` carries messages of 32-bit words to the firmware and back (Raspberry Pi firmware wiki,
//! "Mailbox property interface"). The tag for general commands takes the commands of the tool `vcgencmd` as text. The
//! tag for the throttling flags alone would clear the flags that Linux watches; the command `get_throttled` keeps them.

/// Bytes for the text of a command or an answer; `vcgencmd` uses as many.
const TEXT_BYTES: usize = 1024;

/// A message with one general command.
#[repr(C)]
struct Message {
    /// Bytes of the message.
    n_bytes: u32,
    /// 0 in a request; the firmware sets bit 31 in its answer.
    code: u32,
    tag: u32,
    /// Bytes of the tag's value.
    n_value_bytes: u32,
    /// Bytes of the value that the answer has filled.
    n_answer_bytes: u32,
    /// The error of the command, 0 for none.
    error: u32,
    /// The command, then its answer; a zero byte ends the text.
    text: [u8; TEXT_BYTES],
    /// The tag that ends the list.
    end: u32,
}

impl Message {
    fn new(command: &str) -> Option<Self> {
        let mut text = [0; TEXT_BYTES];
        // The last byte stays zero, so that the text ends.
        text[..TEXT_BYTES - 1].get_mut(..command.len())?.copy_from_slice(command.as_bytes());
        Some(Self {
            n_bytes: size_of::<Self>() as u32,
            code: 0,
            tag: 0x0003_0080,
            n_value_bytes: TEXT_BYTES as u32,
            n_answer_bytes: 0,
            error: 0,
            text,
            end: 0,
        })
    }

    /// The text of the answer; `None` before there is an answer, and where the command failed.
    fn answer(&self) -> Option<&str> {
        let text = self.text.split(|&byte| byte == 0).next()?;
        (self.code >> 31 == 1 && self.error == 0).then(|| std::str::from_utf8(text).ok()).flatten()
    }
}

/// The firmware's answer to a command of `vcgencmd`; `None` on other machines, and without the right to ask.
#[cfg(target_os = "linux")]
pub(super) fn command(command: &str) -> Option<String> {
    use std::os::fd::AsRawFd;

    /// Read and write (3), the size of a pointer, the device's number 100, request 0 (Linux, `_IOWR`).
    const PROPERTY: u32 = 3 << 30 | (size_of::<*mut u8>() as u32) << 16 | 100 << 8;

    let mut message = Message::new(command)?;
    let device = std::fs::File::open("/dev/vcio").ok()?;
    // SAFETY: the driver copies as many bytes from and to the message as the message's first word says, and that word
    // is the size of `Message`; `message` is exclusively ours during the call, and `device` is open.
    let status = unsafe { libc::ioctl(device.as_raw_fd(), PROPERTY as _, &raw mut message) };
    (status >= 0).then(|| message.answer().map(str::to_owned)).flatten()
}

/// Only Linux has this device.
#[cfg(not(target_os = "linux"))]
pub(super) fn command(_: &str) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_laid_out_as_the_firmware_reads_it() {
        let message = Message::new("get_throttled").unwrap();
        let words = [message.n_bytes, message.code, message.tag, message.n_value_bytes, message.n_answer_bytes];
        assert_eq!(words, [4 * (7 + 256), 0, 0x0003_0080, 1024, 0]);
        assert_eq!(std::mem::offset_of!(Message, text), 4 * 6);
        assert!(message.text.starts_with(b"get_throttled\0"));
        assert!(Message::new(&"x".repeat(TEXT_BYTES)).is_none(), "no room for the zero byte");
    }

    #[test]
    fn only_an_answer_is_one() {
        let mut message = Message::new("throttled=0x50005").unwrap();
        assert_eq!(message.answer(), None, "a request");
        message.code = 1 << 31;
        assert_eq!(message.answer(), Some("throttled=0x50005"));
        message.error = 1;
        assert_eq!(message.answer(), None, "the command failed");
        message.error = 0;
        message.text = [0xff; TEXT_BYTES];
        assert_eq!(message.answer(), None, "no text");
    }
}
