//! From reset to Rust: floating point on, translation and caches on, a stack, zeroed statics.
//!
//! QEMU starts the first core at `_start` in EL1 with everything off. The other cores sleep in firmware until
//! [`crate::cores`] calls them to `_start_secondary` (PSCI `CPU_ON`), with their stack's top as the argument.

use core::arch::global_asm;

/// Level 1 of the translation tables, 1 GiB per entry, identity: the devices below 1 GiB, then 3 GiB of RAM.
///
/// A constant in read-only data: no code builds it, so no order of boot steps can get it wrong.
#[unsafe(no_mangle)]
static TRANSLATION_TABLE: Table = Table::IDENTITY;

#[repr(C, align(4096))]
struct Table([u64; 512]);

impl Table {
    const IDENTITY: Self = {
        const BLOCK: u64 = 0b01;
        const ACCESSED: u64 = 1 << 10;
        const INNER_SHAREABLE: u64 = 0b11 << 8;
        const NORMAL: u64 = 1 << 2; // index 1 of MAIR_EL1
        const NEVER_EXECUTE: u64 = 0b11 << 53;
        let mut entries = [0; 512];
        entries[0] = BLOCK | ACCESSED | NEVER_EXECUTE;
        let mut gib = 1;
        while gib < 4 {
            entries[gib] = ((gib as u64) << 30) | BLOCK | ACCESSED | INNER_SHAREABLE | NORMAL;
            gib += 1;
        }
        Self(entries)
    };
}

// Memory attributes: 0 = device (nGnRE), 1 = normal, write-back.
// TCR_EL1: 39-bit addresses (T0SZ 25) in 4 KiB granules, tables write-back and inner shareable, no upper half (EPD1).
global_asm!(
    r#"
.section .text.boot, "ax"
.global _start
_start:
    adrp    x0, {first_stack}
    add     x0, x0, :lo12:{first_stack}
    add     x0, x0, #{stack_bytes}
    mov     sp, x0
    bl      enable
    adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, __bss_end
    add     x1, x1, :lo12:__bss_end
1:  cmp     x0, x1
    b.hs    2f
    stp     xzr, xzr, [x0], #16
    b       1b
2:  bl      {main}
3:  wfe
    b       3b

.global _start_secondary
_start_secondary:
    mov     sp, x0
    bl      enable
    bl      {secondary_main}
4:  wfe
    b       4b

enable:
    mov     x0, #(3 << 20)
    msr     cpacr_el1, x0
    adrp    x0, vectors
    add     x0, x0, :lo12:vectors
    msr     vbar_el1, x0
    mov     x0, #0xff04
    msr     mair_el1, x0
    ldr     x0, =0x100803519
    msr     tcr_el1, x0
    adrp    x0, TRANSLATION_TABLE
    msr     ttbr0_el1, x0
    ic      iallu
    tlbi    vmalle1
    dsb     nsh
    isb
    mrs     x0, sctlr_el1
    mov     x1, #0x1005
    orr     x0, x0, x1
    msr     sctlr_el1, x0
    isb
    ret

// Sixteen entries of 128 bytes. No exception is expected, and every entry calls the same handler.
.balign 2048
vectors:
.rept 16
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    b       {exception}
    .balign 128
.endr
"#,
    first_stack = sym crate::stack::STACKS,
    stack_bytes = const crate::stack::STACK_BYTES,
    main = sym crate::main,
    secondary_main = sym crate::cores::secondary_main,
    exception = sym exception,
);

/// Handles an unexpected exception: prints its kind and place, and ends the run.
extern "C" fn exception(syndrome: u64, address: u64, fault_address: u64) -> ! {
    crate::console::line(format_args!(
        "exception: syndrome {syndrome:#x} at {address:#x}, fault address {fault_address:#x}"
    ));
    crate::semihosting::exit(3)
}
