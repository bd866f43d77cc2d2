// Which system calls stop the app for its debugger (QCatchSyscalls).
#pragma once

#include <cstdint>
#include <span>

namespace kernel::debug {

void set_caught_syscalls(bool enabled, std::span<const uint64_t> numbers);  // no numbers: all
bool catches_syscall(uint64_t number);

}  // namespace kernel::debug
