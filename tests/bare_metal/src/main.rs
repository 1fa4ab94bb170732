//! A language model on a machine without an operating system.
#![no_std]
#![no_main]

extern crate alloc;

mod boot;
mod console;
mod cores;
mod heap;
mod semihosting;

use nanocamelid_engine::{Executor, Phase};

/// Where boot.rs hands over, on the first core.
extern "C" fn main() -> ! {
    console::start();
    let cores = cores::Cores::start();
    let n = core::sync::atomic::AtomicUsize::new(0);
    for _ in 0..1000 {
        cores.run(Phase::Decode, &|| { n.fetch_add(1, core::sync::atomic::Ordering::Relaxed); });
    }
    console::line(format_args!("{n:?} jobs {}", heap::used()));
    let mut b = [0; 10];
    let l = console::read_line(&mut b);
    console::line(format_args!("line {l:?}"));
    heap::seal();
    let v = alloc::vec![1u8; l.len()];
    console::line(format_args!("{v:?}"));
    semihosting::exit(0)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    console::line(format_args!("{info}"));
    semihosting::exit(2)
}
