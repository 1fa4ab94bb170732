//! Questions to the firmware of a Raspberry Pi, which runs beside Linux.
//!
//! The kernel's device `/dev/vcio` carries messages of 32-bit words to the firmware and back (Raspberry Pi firmware
//! wiki, "Mailbox property interface"). The tag of general commands takes the commands of the tool `vcgencmd` as text.
//! The tag for the throttling flags alone would clear the flags that the kernel watches; the command leaves them.

/// Bytes of a command or an answer, as `vcgencmd` has them.
const TEXT_BYTES: usize = 1024;

/// A message with one general command.
#[repr(C)]
struct Message {
    /// Bytes of the message.
    n_bytes: u32,
    /// 0 in a request; the firmware sets bit 31 in its answer.
    code: u32,
    tag: u32,
    /// Bytes of the tag's value, and how many of them the answer has filled.
    n_value_bytes: u32,
    n_answer_bytes: u32,
    /// The command's error, then its text.
    error: u32,
    text: [u8; TEXT_BYTES],
    /// The tag that ends the list.
    end: u32,
}

impl Message {
    fn new(command: &str) -> Option<Self> {
        let mut text = [0; TEXT_BYTES];
        // A zero byte ends the text.
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

    /// What the firmware says, if the answer is one.
    fn answer(&self) -> Option<&str> {
        let text = self.text.split(|&byte| byte == 0).next()?;
        (self.code >> 31 == 1 && self.error == 0).then(|| std::str::from_utf8(text).ok()).flatten()
    }
}

/// The firmware's answer to one of `vcgencmd`'s commands; `None` without such a firmware, or without the right to ask.
#[cfg(target_os = "linux")]
pub(super) fn command(command: &str) -> Option<String> {
    use std::os::fd::AsRawFd;

    /// Read and write (3), the size of a pointer, the device's number 100, request 0 (Linux, `_IOWR`).
    const PROPERTY: u32 = 3 << 30 | (size_of::<*mut u8>() as u32) << 16 | 100 << 8;

    let mut message = Message::new(command)?;
    let device = std::fs::File::open("/dev/vcio").ok()?;
    // SAFETY: the driver copies as many bytes from and to the message as its first word says, which are those of the
    // message; `device` is open.
    let status = unsafe { libc::ioctl(device.as_raw_fd(), PROPERTY as _, &raw mut message) };
    (status >= 0).then(|| message.answer().map(str::to_owned)).flatten()
}

/// The device is Linux's.
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
