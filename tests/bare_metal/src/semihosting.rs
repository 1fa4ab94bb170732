//! The emulator's own calls (Arm semihosting): only the one that ends a run with a status.

use core::arch::asm;

const SYS_EXIT: u64 = 0x18;
const APPLICATION_EXIT: u64 = 0x20026;

/// Ends the run with that status.
pub fn exit(status: u64) -> ! {
    let block = [APPLICATION_EXIT, status];
    loop {
        // SAFETY: the call reads the two words of `block` and does not come back; without a debugger or emulator the
        // instruction is an exception, which ends here again.
        unsafe { asm!("hlt #0xf000", in("x0") SYS_EXIT, in("x1") block.as_ptr(), options(nostack)) };
    }
}
