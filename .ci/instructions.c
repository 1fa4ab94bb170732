/* A plugin for QEMU's user emulation that counts executed instructions by address: on exit, a line "ADDRESS N TIMES" for every
 * translated block, to the file named by INSTRUCTIONS. And by time: a line for every write to standard output, with the number
 * of instructions before it, to the file named by INSTRUCTIONS_BEFORE_WRITES. Needs no header of QEMU's: the declarations are those of its plugin
 * interface, version 1 (https://www.qemu.org/docs/master/devel/tcg-plugins.html), as in QEMU 5 to 8.
 *   gcc -O2 -fPIC -shared -o instructions.so instructions.c
 *   INSTRUCTIONS=counts qemu-aarch64 -cpu cortex-a76 -d plugin -plugin ./instructions.so PROGRAM... */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_info;
typedef uint64_t qemu_plugin_id_t;
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int flags, void *);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
extern void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned, int64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

EXPORT int qemu_plugin_version = 1;

/* Blocks in a list. One thread runs the program, so nothing is locked. */
struct block {
  uint64_t address, n, times;
  struct block *next;
};
static struct block *blocks;
static uint64_t executed;
static FILE *writes;

static void on_run(unsigned cpu, void *data) {
  (void)cpu;
  struct block *block = data;
  block->times++;
  executed += block->n;
}

/* The number of `write` on AArch64. A system call ends its block, so the block is counted. */
enum { SYS_WRITE = 64 };

static void on_syscall(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
    uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (writes && number == SYS_WRITE && a1 == 1) fprintf(writes, "%llu\n", (unsigned long long)executed);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  struct block *block = malloc(sizeof *block);
  if (!block) abort();
  *block = (struct block){qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb), 0, blocks};
  blocks = block;
  qemu_plugin_register_vcpu_tb_exec_cb(tb, on_run, 0, block);
}

static void on_exit_(qemu_plugin_id_t id, void *data) {
  (void)id, (void)data;
  if (writes) fclose(writes);
  const char *path = getenv("INSTRUCTIONS");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  for (struct block *b = blocks; b; b = b->next)
    fprintf(file, "%llx %llu %llu\n", (unsigned long long)b->address, (unsigned long long)b->n, (unsigned long long)b->times);
  fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv) {
  (void)info, (void)argc, (void)argv;
  const char *path = getenv("INSTRUCTIONS_BEFORE_WRITES");
  if (path) writes = fopen(path, "w");
  qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
  return 0;
}
