// The one program: its thread(s), address space and modules, as the crash path and the debugger see them.
// The Linux ABI (kernel/linux) fills it; readers of a crashed guest trust none of it and check every pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/arch/x86_64/trap_frame.h"
#include "kernel/memory/page_table.h"
#include "kernel/task/timer_queue.h"
#include "snapshot/format/notes.h"

namespace kernel {

class Inode;
class PageTree;

inline constexpr uint32_t kProcessId = 2;  // 1 would make programs think that they are init

enum class RunState : uint8_t { Running, Ready, Blocked, Ended };
enum class ThreadKind : uint8_t { App, Kernel };

struct Thread {
  Thread* next = nullptr;
  uint32_t id = 0;
  char name[16] = {};
  TrapFrame* frame = nullptr;  // saved user registers, at the top of its kernel stack; null: a kernel thread
  uint64_t fs_base = 0,
           gs_base = 0;            // of the app; true when the thread is not running (the running one: read the MSRs)
  void* extended_state = nullptr;  // XSAVE area; true when the thread is not running
  KernelStack kernel_stack{};
  uint64_t blocked_signals = 0;  // bit n-1: signal n
  uint64_t pending_signals = 0;  // sent to this thread; those to the process: linux/signals.h

  // The scheduler's (scheduler.cpp).
  RunState run_state = RunState::Running;
  ThreadKind kind = ThreadKind::App;
  bool extended_state_changed = false;  // written while the thread was not running
  Thread* next_ready = nullptr;
  uint64_t kernel_rsp = 0;  // of a thread that is not running: its SwitchFrame
  uint64_t cpu_ns = 0;      // up to when it last stopped running
  Timer wait_timer;         // the deadline of what it waits for
};
extern Thread* g_threads;         // the app's, oldest first
extern Thread* g_current_thread;  // null before the first one

enum MemoryProtection : uint8_t { kProtectRead = 1, kProtectWrite = 2, kProtectExecute = 4 };  // PROT_*

enum class AreaKind : uint8_t { Anonymous, File, Stack, Heap, Vdso, Vvar };

// One mapping of the app, [start, end), page-aligned. Sorted by start, never overlapping.
struct MemoryArea {
  uint64_t start, end;
  uint8_t protection;  // MemoryProtection; 0: PROT_NONE
  AreaKind kind;
  bool shared;
  Inode* inode;           // of a file mapping, else null
  uint64_t file_offset;   // bytes, of `start`
  const char* path;       // of a file mapping (kept for ever), else null
  bool may_write = true;  // false: mprotect must not make it writable (a shared view of what is only for reading)
  const PageTree* memory = nullptr;  // where the pages stand of a file that lives in memory, else null
};
// Walks without allocation or locks; index 0 … area_count()-1 in address order.
size_t area_count();
const MemoryArea& area_at(size_t index);

// Bytes of ModuleEntry, kept up to date by the loader (and by mmap of ELF files later).
std::span<const uint8_t> module_table();
// For the guest description block: where its address and its length in bytes stand.
uint8_t* const* module_table_place();
const size_t* module_table_length_place();
Result<void> add_module(mortem::format::ModuleKind kind, const char* path, uint64_t load_bias, uint64_t start,
                        uint64_t end, std::span<const uint8_t> build_id);
// [start, end) is unmapped: libraries that stood wholly there are gone (dlclose).
void remove_modules(uint64_t start, uint64_t end);

// The auxiliary vector as it was put on the stack: pairs of (type, value), AT_NULL included.
std::span<const uint64_t> auxiliary_vector();
std::span<const uint64_t> auxiliary_vector_place();  // all that it may take; zeros behind its end
// argv[0..] joined with spaces, cut at 79 bytes, NUL-terminated.
const char* command_line();

// siginfo_t (128 bytes) of the signal that is killing the app; all zero when there is none.
extern uint8_t g_fatal_siginfo[128];

}  // namespace kernel
