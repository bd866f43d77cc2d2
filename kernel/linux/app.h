// The app's threads as the Linux ABI sees them: what Thread (process.h) does not say.
#pragma once

#include <cstdint>

#include "kernel/task/process.h"

namespace kernel::linux {

// How an interrupted call goes on (Linux: restart_block, restart_syscall(2)).
struct Restart {
  enum class Kind : uint8_t { None, Sleep } kind = Kind::None;
  uint64_t deadline_ns = 0;     // of monotonic_ns()
  uint64_t remaining_user = 0;  // address of the timespec for the rest; 0: none
};

struct AlternateStack {  // stack_t
  uint64_t start = 0;
  int32_t flags = 2;  // SS_DISABLE
  int32_t padding = 0;
  uint64_t size = 0;
};

struct AppThread : Thread {
  AlternateStack alternate_stack;
  Restart restart;
  uint64_t saved_mask = 0;  // to be put back after rt_sigsuspend, ppoll, pselect6
  bool mask_is_saved = false;
  uint64_t clear_child_tid = 0;
  uint64_t robust_list = 0;
  uint64_t rseq = 0;
  uint32_t rseq_length = 0;
  uint32_t rseq_signature = 0;
};

inline AppThread& current() {
  return *static_cast<AppThread*>(g_current_thread);
}

// The only thread, before the program's first instruction.
Result<void> create_first_thread(const char* name);

[[noreturn]] void exit_app(int status);  // as a shell sees it; tells the host, powers off
[[noreturn]] void fail_to_start(int status, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace kernel::linux
