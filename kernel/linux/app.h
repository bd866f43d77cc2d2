// The app's threads as the Linux ABI sees them: what Thread (process.h) does not say.
#pragma once

#include <cstdint>

#include "kernel/debug/thread_debug.h"
#include "kernel/task/process.h"

namespace kernel::linux {

// How an interrupted call goes on (Linux: restart_block, restart_syscall(2)).
struct Arguments;
struct Restart {
  enum class Kind : uint8_t { None, Sleep, Futex, Repeat } kind = Kind::None;
  uint64_t deadline_ns = 0;     // of monotonic_ns()
  uint64_t remaining_user = 0;  // Sleep: address of the timespec for the rest; 0: none
  uint64_t futex = 0;           // Futex: address, what the word must be, which wakers count, whether it is private
  uint32_t futex_value = 0, futex_bits = 0;
  bool futex_private = false;
  Result<uint64_t> (*repeat)(const Arguments& argument, uint64_t deadline_ns) = nullptr;  // Repeat: calls.h
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
  uint64_t awaited_signals = 0;  // of rt_sigtimedwait while it waits
  uint64_t clear_child_tid = 0;
  uint64_t robust_list = 0;
  uint64_t rseq = 0;
  uint32_t rseq_length = 0;
  uint32_t rseq_signature = 0;
  int8_t nice = 0;  // as the program set it; nobody is preferred for it
  uint8_t scheduling_policy = 0;
  void* extended_state_memory = nullptr;  // what the heap gave; extended_state is its aligned part
  debug::ThreadDebug debug;
};

inline AppThread& current() {
  return *static_cast<AppThread*>(g_current_thread);
}

inline AppThread* first_thread() {
  return static_cast<AppThread*>(g_threads);
}
inline AppThread* next_thread(const AppThread& thread) {
  return static_cast<AppThread*>(thread.next);
}
AppThread* find_thread(uint32_t id);  // null: there is none
uint32_t thread_count();

// threads.cpp. The program's first thread, before its first instruction; it is the running thread then.
Result<void> create_first_thread(const char* name);
// One that begins with `frame` and the state of the running thread; not ready yet.
Result<AppThread*> create_thread(const TrapFrame& frame);
// The running thread ends; the last one ends the program with the first one's status, as Linux does.
[[noreturn]] void exit_thread(int status, TrapFrame& frame);

// process_calls.cpp. All threads end, in a dump if the status asks for one.
[[noreturn]] void exit_program(int status, TrapFrame& frame);

[[noreturn]] void exit_app(int status);  // as a shell sees it; tells the host, powers off
[[noreturn]] void fail_to_start(int status, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace kernel::linux
