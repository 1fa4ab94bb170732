/* Carries out `vpdpbusd ymm, ymm, ymm` of AVX-VNNI on CPUs without it, when the CPU traps on it, so that the avxvnni table can
 * be tested on any machine with AVX2. The table was not given to a program by its own detection then; tests take it when
 * NANOCAMELID_TRAPPED=avxvnni says that this library is loaded.
 *   gcc -O2 -shared -fPIC -o avx-vnni.so avx-vnni.c;  LD_PRELOAD=./avx-vnni.so NANOCAMELID_TRAPPED=avxvnni cargo test ...
 * Encoding: Intel SDM volume 2, VPDPBUSD (VEX.256.66.0F38.W0 50 /r). Frame: Linux arch/x86/include/uapi/asm/sigcontext.h. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { XMM = 160, XSTATE_BV = 512, YMM_HIGH = 576, AVX = 1 << 2 };

static void load(const uint8_t *frame, int n, uint8_t v[32]) {
  memcpy(v, frame + XMM + 16 * n, 16);
  memcpy(v + 16, frame + YMM_HIGH + 16 * n, 16);
}

/* C4, then R X B m-mmmm (inverted bits, map 2), W vvvv L pp (W 0, L 1, pp 1), opcode, a register operand. */
static int is_vpdpbusd(const uint8_t *code) {
  return code[0] == 0xc4 && (code[1] & 0x1f) == 2 && (code[2] & 0x87) == 0x05 && code[3] == 0x50 && code[4] >= 0xc0;
}

static void vpdpbusd(const uint8_t *code, uint8_t *frame) {
  int acc = (code[4] >> 3 & 7) | (code[1] & 0x80 ? 0 : 8);
  int unsigned_bytes = ~code[2] >> 3 & 15;
  int signed_bytes = (code[4] & 7) | (code[1] & 0x20 ? 0 : 8);
  uint8_t u[32], s[32], sum[32];
  load(frame, unsigned_bytes, u);
  load(frame, signed_bytes, s);
  load(frame, acc, sum);
  for (int lane = 0; lane < 8; lane++) {
    int32_t total;
    memcpy(&total, sum + 4 * lane, 4);
    for (int i = 4 * lane; i < 4 * lane + 4; i++) total += (int32_t)u[i] * (int8_t)s[i];
    memcpy(sum + 4 * lane, &total, 4);
  }
  memcpy(frame + XMM + 16 * acc, sum, 16);
  memcpy(frame + YMM_HIGH + 16 * acc, sum + 16, 16);
}

static void on_trap(int signal, siginfo_t *info, void *context) {
  (void)info;
  ucontext_t *c = context;
  uint8_t *frame = (uint8_t *)c->uc_mcontext.fpregs;
  const uint8_t *code = (const uint8_t *)c->uc_mcontext.gregs[REG_RIP];
  if (!is_vpdpbusd(code)) {
    static const char message[] = "avx-vnni.so: another instruction trapped\n";
    (void)!write(2, message, sizeof message - 1);
    struct sigaction again = {.sa_handler = SIG_DFL};
    sigaction(signal, &again, NULL);
    return;
  }
  /* Often several stand in a row; a trap each is what costs time. */
  for (; is_vpdpbusd(code); code += 5) vpdpbusd(code, frame);
  uint64_t live;
  memcpy(&live, frame + XSTATE_BV, 8);
  live |= AVX;
  memcpy(frame + XSTATE_BV, &live, 8);
  c->uc_mcontext.gregs[REG_RIP] = (greg_t)code;
}

__attribute__((constructor)) static void install(void) {
  struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  sigaction(SIGILL, &action, NULL);
}
