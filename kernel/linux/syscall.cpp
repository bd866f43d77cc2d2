// The SYSCALL instruction: number to function, Result to rax. A call that is not there is ENOSYS, logged once by name.
#include "kernel/debug/debugger.h"
#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/linux.h"
#include "kernel/memory/pressure.h"

namespace kernel::linux {
namespace {

struct CallEntry {
  const char* name;
  Result<uint64_t> (*call)(const Arguments& argument);
};

constexpr size_t kHighest = 450;

struct Table {
  CallEntry entries[kHighest + 1] = {};
  constexpr Table() {
#define MORTEM_HERE(number, name) entries[number] = {#name, call_##name};
#define MORTEM_MISSING(number, name) entries[number] = {#name, nullptr};
#include "kernel/linux/syscall_table.h"
#undef MORTEM_HERE
#undef MORTEM_MISSING
  }
};
constinit Table g_table;
uint8_t g_logged[kHighest / 8 + 1];
bool g_logged_unknown = false;

void log_missing(uint64_t number) {
  const char* name = syscall_name(number);
  if (name == nullptr) {
    if (!g_logged_unknown)
      log(LogLevel::Warning, "system call %lu is none that Linux 6.1 has on x86-64: ENOSYS", number);
    g_logged_unknown = true;
    return;
  }
  if ((g_logged[number / 8] >> (number % 8) & 1) != 0) return;
  g_logged[number / 8] |= static_cast<uint8_t>(1 << (number % 8));
  log(LogLevel::Warning, "system call %s (%lu) is not supported: ENOSYS", name, number);
}

}  // namespace

const char* syscall_name(uint64_t number) {
  return number <= kHighest ? g_table.entries[number].name : nullptr;
}

void handle_syscall(TrapFrame& frame) {
  current().frame = &frame;
  // What a debugger sees in a thread that waits here, as on Linux.
  frame.rax = static_cast<uint64_t>(-static_cast<int64_t>(Error::NoSyscall));
  if (debug::g_is_attached && !debug::enters_call(current(), frame)) return;
  const uint64_t number = frame.error_code;
  if (number > kHighest || g_table.entries[number].call == nullptr) {
    log_missing(number);
    frame.rax = static_cast<uint64_t>(-static_cast<int64_t>(Error::NoSyscall));
    return;
  }
  relieve_memory_if_short();
  const Arguments arguments{{frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9}, frame};
  auto result = g_table.entries[number].call(arguments);
  frame.rax = result ? result.value() : static_cast<uint64_t>(-static_cast<int64_t>(result.error()));
}

}  // namespace kernel::linux
