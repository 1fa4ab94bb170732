//! The board's PL011 serial port.

use core::fmt::{self, Write};
use core::ptr;

const BASE: usize = 0x0900_0000;
const DATA: *mut u32 = BASE as *mut u32;
const FLAGS: *const u32 = (BASE + 0x18) as *const u32;
const CONTROL: *mut u32 = (BASE + 0x30) as *mut u32;
const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;

/// Turns transmitter and receiver on; QEMU needs no line settings.
pub fn start() {
    // SAFETY: the PL011's control register on this board, mapped as device memory.
    unsafe { ptr::write_volatile(CONTROL, 0x301) };
}

/// Sends one byte.
fn send(byte: u8) {
    // SAFETY: the PL011's flag and data registers, mapped as device memory; any core may use them.
    unsafe {
        while ptr::read_volatile(FLAGS) & TRANSMIT_FULL != 0 {}
        ptr::write_volatile(DATA, byte.into());
    }
}

/// Waits for a byte.
fn receive() -> u8 {
    // SAFETY: the PL011's flag and data registers, mapped as device memory; any core may use them.
    unsafe {
        while ptr::read_volatile(FLAGS) & RECEIVE_EMPTY != 0 {}
        ptr::read_volatile(DATA) as u8
    }
}

/// Reads a line into `buffer` and returns it; what does not fit is dropped, and so is what is not UTF-8.
pub fn read_line(buffer: &mut [u8]) -> &str {
    let mut len = 0;
    loop {
        match receive() {
            b'\r' | b'\n' => break,
            byte => {
                if let Some(slot) = buffer.get_mut(len) {
                    *slot = byte;
                    len += 1;
                }
            }
        }
    }
    let line = &buffer[..len];
    match core::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// The serial port as a sink of text.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print(text);
        Ok(())
    }
}

/// Prints text as it is: UTF-8 needs nothing else on a serial line.
pub fn print(text: &str) {
    text.bytes().for_each(send);
}

/// Prints formatted text.
pub fn text(text: fmt::Arguments<'_>) {
    // `Console` never fails.
    let _ = Console.write_fmt(text);
}

/// Prints a line.
pub fn line(line: fmt::Arguments<'_>) {
    text(line);
    print("\n");
}
