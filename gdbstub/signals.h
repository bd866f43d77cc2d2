// Signal numbers: the protocol has its own (gdb/include/gdb/signals.def), whatever the target's system uses.
#pragma once

namespace mortem::gdbstub {

// Linux x86-64 → protocol. 143, "unknown signal", for what has no number there (SIGSTKFLT).
int protocol_signal(int linux_signal);

// Protocol → Linux; 0 for what Linux does not have.
int linux_signal(int protocol_signal);

inline constexpr int kLinuxSignalInterrupt = 2;
inline constexpr int kLinuxSignalTrap = 5;
inline constexpr int kLastLinuxSignal = 64;

}  // namespace mortem::gdbstub
