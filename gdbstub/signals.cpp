#include "gdbstub/signals.h"

#include <cstddef>
#include <cstdint>

namespace mortem::gdbstub {

namespace {

constexpr int kUnknown = 143;

// Index: Linux number (asm/signal.h); value: the protocol's.
constexpr uint8_t kFromLinux[32] = {
    0,         // none
    1,         // HUP
    2,         // INT
    3,         // QUIT
    4,         // ILL
    5,         // TRAP
    6,         // ABRT
    10,        // BUS
    8,         // FPE
    9,         // KILL
    30,        // USR1
    11,        // SEGV
    31,        // USR2
    13,        // PIPE
    14,        // ALRM
    15,        // TERM
    kUnknown,  // STKFLT
    20,        // CHLD
    19,        // CONT
    17,        // STOP
    18,        // TSTP
    21,        // TTIN
    22,        // TTOU
    16,        // URG
    24,        // XCPU
    25,        // XFSZ
    26,        // VTALRM
    27,        // PROF
    28,        // WINCH
    23,        // IO
    32,        // PWR
    12,        // SYS
};

}  // namespace

int protocol_signal(int linux_signal) {
  if (linux_signal < 0 || linux_signal > kLastLinuxSignal) return kUnknown;
  if (linux_signal < 32) return kFromLinux[linux_signal];
  if (linux_signal == 32) return 77;
  if (linux_signal == 64) return 78;
  return linux_signal + 12;  // 33 to 63 are 45 to 75
}

int linux_signal(int protocol) {
  if (protocol <= 0 || protocol == kUnknown) return 0;
  for (int signal = 1; signal <= kLastLinuxSignal; ++signal)
    if (protocol_signal(signal) == protocol) return signal;
  return 0;
}

}  // namespace mortem::gdbstub
