// The one program: its thread(s), address space and modules, as the crash path and the debugger see them.
// The Linux ABI (kernel/linux) fills it; readers of a crashed guest trust none of it and check every pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/arch/x86_64/trap_frame.h"
#include "kernel/memory/page_table.h"
#include "snapshot/format/notes.h"

namespace kernel {

class Inode;

inline constexpr uint32_t kProcessId = 2;  // 1 would make programs think that they are init

struct Thread {
  Thread* next;
  uint32_t id;
  char name[16];
  TrapFrame* frame;           // saved user registers, at the top of its kernel stack
  uint64_t fs_base, gs_base;  // of the app; true when the thread is not running (the running one: read the MSRs)
  void* extended_state;       // XSAVE area; true when the thread is not running
  KernelStack kernel_stack;
  uint64_t blocked_signals;  // bit n-1: signal n
  uint64_t pending_signals;
};
extern Thread* g_threads;         // the list, oldest first
extern Thread* g_current_thread;  // null before the first one

enum MemoryProtection : uint8_t { kProtectRead = 1, kProtectWrite = 2, kProtectExecute = 4 };  // PROT_*

enum class AreaKind : uint8_t { Anonymous, File, Stack, Heap, Vdso, Vvar };

// One mapping of the app, [start, end), page-aligned. Sorted by start, never overlapping.
struct MemoryArea {
  uint64_t start, end;
  uint8_t protection;  // MemoryProtection; 0: PROT_NONE
  AreaKind kind;
  bool shared;
  Inode* inode;          // of a file mapping, else null
  uint64_t file_offset;  // bytes, of `start`
  const char* path;      // of a file mapping (kept for ever), else null
};
// Walks without allocation or locks; index 0 … area_count()-1 in address order.
size_t area_count();
const MemoryArea& area_at(size_t index);

// Bytes of ModuleEntry, kept up to date by the loader (and by mmap of ELF files later).
std::span<const uint8_t> module_table();
Result<void> add_module(mortem::format::ModuleKind kind, const char* path, uint64_t load_bias, uint64_t start,
                        uint64_t end, std::span<const uint8_t> build_id);

// The auxiliary vector as it was put on the stack: pairs of (type, value), AT_NULL included.
std::span<const uint64_t> auxiliary_vector();
// argv[0..] joined with spaces, cut at 79 bytes, NUL-terminated.
const char* command_line();

// siginfo_t (128 bytes) of the signal that is killing the app; all zero when there is none.
extern uint8_t g_fatal_siginfo[128];

}  // namespace kernel
