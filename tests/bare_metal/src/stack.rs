//! One stack per core, painted so that the deepest use of each can be told afterwards.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr;

/// Bytes of each stack.
pub const STACK_BYTES: usize = 64 << 10;
/// Stays unpainted below the caller, for this module's own calls.
const MARGIN_BYTES: u64 = 1 << 10;
const PAINT: u64 = 0x5a5a_a5a5_5a5a_a5a5;

#[repr(C, align(64))]
pub struct Stack(UnsafeCell<MaybeUninit<[u8; STACK_BYTES]>>);

// SAFETY: each stack is used by its own core; others only read its words, while it sleeps (see `used`).
unsafe impl Sync for Stack {}

/// Stack `i` belongs to core `i`.
#[unsafe(link_section = ".noinit.stacks")]
pub static STACKS: [Stack; crate::cores::MAX_CORES] =
    [const { Stack(UnsafeCell::new(MaybeUninit::uninit())) }; crate::cores::MAX_CORES];

/// The top of the stack of core `core`, which is its highest address.
pub fn top(core: usize) -> u64 {
    STACKS[core].0.get() as u64 + STACK_BYTES as u64
}

fn words(core: usize) -> *mut u64 {
    STACKS[core].0.get().cast()
}

/// Paints what is free of a stack: this core's own, or all of one whose core has not started.
pub fn paint(core: usize) {
    let stack_pointer: u64;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, sp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags)) };
    let base = words(core) as u64;
    let is_own = (base..top(core)).contains(&stack_pointer);
    let end = if is_own { stack_pointer - MARGIN_BYTES } else { top(core) };
    for i in 0..(end - base) as usize / 8 {
        // SAFETY: inside the stack, and a margin below everything that is in use: this module's own calls fit it.
        unsafe { ptr::write_volatile(words(core).add(i), PAINT) };
    }
}

/// The most bytes that were in use at once since [`paint`].
///
/// For another core, call this only while that core waits for a job.
pub fn used(core: usize) -> usize {
    // SAFETY: `i` is below the number of words. A waiting core writes nothing, and any bits are a u64.
    let is_painted = |&i: &usize| unsafe { ptr::read_volatile(words(core).add(i)) } == PAINT;
    let n_painted = (0..STACK_BYTES / 8).take_while(is_painted).count();
    assert!(n_painted > 0, "the stack of core {core} is too small");
    STACK_BYTES - 8 * n_painted
}
