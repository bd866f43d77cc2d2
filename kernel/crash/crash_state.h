// The one moment that the report, the text record and the dump all tell about: filled by capture.cpp right after the
// funnel was entered, read by everything else, never changed afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/crash/crash.h"
#include "kernel/task/process.h"
#include "snapshot/format/notes.h"

namespace kernel {

inline constexpr uint64_t kNoTrapVector = ~uint64_t{0};  // TrapFrame.vector of panic() and crash(): no trap happened
inline constexpr size_t kMessageCapacity = sizeof(mortem::format::ReasonNote::message);
// The kernel's own pid in notes when no thread exists yet.
inline constexpr uint32_t kKernelThreadId = 1;

struct CrashState {
  CrashReason reason;  // message points to the copy below
  char message[kMessageCapacity];
  TrapFrame frame;  // of the moment; the kernel's registers when the kernel crashed
  bool in_kernel;
  uint64_t cr2;  // of the trap; see reason.fault_address for the app's

  Thread* thread_address;  // null: none
  uint32_t thread_id;      // kKernelThreadId without a thread
  char thread_name[16];
  bool thread_known;  // false: no thread, or its record is unreadable

  mortem::format::MachineRegisters machine;
  bool machine_known;            // false: only `general`, the segment bases and cr3 are there
  const void* extended_state;    // XSAVE area of the moment, null: not taken
  uint32_t extended_state_size;  // bytes
  bool extended_state_is_xsave;  // false: FXSAVE only, no NT_X86_XSTATE

  uint64_t uptime_ns;
  int64_t wall_clock_ns;
  uint64_t log_written;  // bytes of the kernel log before the crash path said anything

  // Memory of the crash path itself: its content changes while the dump is written, so the dump leaves it out.
  uint64_t reserve_start, reserve_end;  // physical

  // One entry a page frame, for whoever plans a dump: where in the dump's content the page is stored (dump_plan.cpp).
  // Empty: no memory was to be had for it.
  std::span<uint32_t> stored_at;

  uint8_t disk_id[16];
  uint64_t sequence;    // of this dump on its disk, 0: no slot
  uint64_t signature;   // the same for each crash of this kind, on every boot; 0: not computed
  uint64_t occurrence;  // the how-manieth of its kind on this disk, 0: not known
};
extern CrashState g_crash;

// One thread as the notes show it.
struct ThreadState {
  uint32_t id;
  char name[16];
  bool crashed;
  bool registers_known;
  mortem::format::GeneralRegisters registers;
  uint64_t blocked_signals, pending_signals;
  KernelStack kernel_stack;
  const void* extended_state;  // null: not known
  uint64_t switch_frame;       // address of its SwitchFrame; 0: it runs, or none is known
};

class ThreadVisitor {
 public:
  virtual bool visit(const ThreadState& thread) = 0;  // false: stop

 protected:
  ~ThreadVisitor() = default;
};
// The crashed thread first, then the others, oldest first; at most kMaximumThreads of them. Without any thread: the
// kernel itself as one. False: the visitor stopped it.
inline constexpr size_t kMaximumThreads = 4096;
// The app's registers of the thread in which the kernel crashed, from the frame on its kernel stack; false: unknown.
bool app_registers(const CrashState& state, mortem::format::GeneralRegisters& registers);
bool for_each_thread(const CrashState& state, ThreadVisitor& visitor);

}  // namespace kernel
