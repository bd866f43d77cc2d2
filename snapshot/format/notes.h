// The notes of a Mortem dump: Linux's own (owner CORE / LINUX) and ours (owner MORTEM).
// A dump is an ELF64 ET_CORE for x86-64. Each MORTEM note's descriptor starts with a NoteHeader; readers skip types,
// and trailing bytes, that they do not know.
#pragma once

#include <cstdint>

#include "snapshot/format/registers.h"
#include "snapshot/format/slot.h"

namespace mortem::format {

inline constexpr char kNoteOwner[] = "MORTEM";

// BFD (gdb, readelf) looks at some notes' types whoever their owner is: a type 6 of ours would be a second auxiliary
// vector to it. So ours stand apart ("MT").
inline constexpr uint32_t kNoteTypes = 0x4D540000;

enum class NoteType : uint32_t {
  MachineRegisters = kNoteTypes + 1,  // MachineRegistersNote
  PageMap = kNoteTypes + 2,           // NoteHeader, then PageMapEntry[]
  KernelLog = kNoteTypes + 3,         // NoteHeader, then UTF-8 text, oldest line first
  Modules = kNoteTypes + 4,           // NoteHeader, then ModuleEntry[]
  EventRing = kNoteTypes + 5,         // later: the flight recorder
  Reason = kNoteTypes + 6,            // ReasonNote
  Identity = kNoteTypes + 7,          // IdentityNote
  ThreadNames = kNoteTypes + 8,       // NoteHeader, then ThreadName[]
  Occurrence = kNoteTypes + 9,        // OccurrenceNote
  StandardError = kNoteTypes + 10,    // NoteHeader, then the last bytes that the program wrote there, as they are
  StandardOutput = kNoteTypes + 11,   // the same
  DescriptorTable = kNoteTypes + 12,  // NoteHeader, then DescriptorEntry[] (open_files.h)
  SocketTable = kNoteTypes + 13,      // NoteHeader, size of an entry, then SocketEntry[] (open_files.h)
  KernelContexts = kNoteTypes + 16,   // NoteHeader, then KernelContext[]: of threads that do not run
};

struct NoteHeader {
  uint32_t version;  // 1
  uint32_t length;   // bytes of the descriptor, this header included
};

struct MachineRegistersNote {
  NoteHeader header;
  uint32_t thread;   // the thread whose context `registers.general` is
  uint32_t in_kernel;// 1: `general` are kernel registers
  MachineRegisters registers;
};

enum class ReasonKind : uint32_t {
  None = 0,
  Signal = 1,        // an unhandled fatal signal of the app
  Exit = 2,          // exit_group with a status other than 0
  KernelPanic = 3,   // panic() or an unexpected trap in the kernel
  DoubleFault = 4,
  NonMaskableInterrupt = 5,
  OnDemand = 6,
};

// Trap vectors are Intel SDM vol. 3 table 6-1. Values that are not known have their bit in `known` clear.
struct ReasonNote {
  NoteHeader header;
  ReasonKind kind;
  DumpLevel level;
  uint32_t thread;         // id of the thread that crashed, 0: none
  int32_t signal;          // 0: none
  int32_t signal_code;     // si_code
  int32_t exit_status;
  uint32_t known;          // kReason… bits
  uint32_t trap_vector;
  uint64_t trap_error_code;
  uint64_t fault_address;  // si_addr / CR2
  char message[256];       // UTF-8, NUL-terminated: one line
};
inline constexpr uint32_t kReasonHasTrap = 1;          // trap_vector, trap_error_code
inline constexpr uint32_t kReasonHasFaultAddress = 2;  // fault_address
inline constexpr uint32_t kReasonHandledByApp = 4;     // a signal that the app has a handler for; it went on
inline constexpr uint32_t kReasonCanBeResumed = 8;     // of a full dump: the kernel was in the middle of nothing

struct IdentityNote {
  NoteHeader header;
  uint8_t boot_id[16];
  uint8_t disk_id[16];
  uint64_t disk_generation;  // sequence number of the dump on its disk
  int64_t wall_clock_ns;     // 0: unknown
  uint64_t uptime_ns;
  uint64_t memory_bytes;     // RAM of the guest
  uint64_t resident_bytes;   // RAM in use (app and kernel) when the dump was written
  char kernel_version[64];
};

// Which crash it is (CrashKind of slot.h), and how often that one came.
struct OccurrenceNote {
  NoteHeader header;
  uint64_t signature;   // 0: not known
  uint64_t occurrence;  // this is the how-manieth on its disk, from 1 on; 0: not known
};
static_assert(sizeof(OccurrenceNote) == 24);

enum class ModuleKind : uint32_t { Program = 1, Interpreter = 2, Library = 3, Vdso = 4, Kernel = 5 };
enum class ModuleIdKind : uint32_t { None = 0, GnuBuildId = 1, GoBuildId = 2, Sha256 = 3 };

// Followed by id_length bytes of id, then path_length bytes of path (no NUL), padded to 8 bytes; the next entry is
// at + entry_length.
struct ModuleEntry {
  uint32_t entry_length;
  ModuleKind kind;
  uint64_t load_bias;  // runtime address = address in the ELF file + load_bias
  uint64_t start;      // first mapped address
  uint64_t end;        // one past the last mapped address
  ModuleIdKind id_kind;
  uint16_t id_length;
  uint16_t path_length;
};
static_assert(sizeof(ModuleEntry) == 40);

enum class PageMapKind : uint32_t {
  Stored = 1,    // in a PT_LOAD of the dump
  Alias = 2,     // the same physical pages are stored under another address: find them by physical address
  Reserved = 3,  // PROT_NONE: no content by the program's own wish
  Untouched = 4, // mapped, never touched: reads as zero; too large to be stored
  Dropped = 5,   // had content that this dump does not hold (fallback level, slot full)
  Device = 6,    // device memory
};
enum PageMapFlags : uint32_t { kPageRead = 4, kPageWrite = 2, kPageExecute = 1, kPageUser = 8 };

struct PageMapEntry {
  uint64_t virtual_start;
  uint64_t length;          // bytes
  uint64_t physical_start;  // ~0: none or not contiguous
  PageMapKind kind;
  uint32_t flags;           // PageMapFlags
};
static_assert(sizeof(PageMapEntry) == 32);

struct ThreadName {
  uint32_t thread;
  char name[20];  // NUL-padded
};

// Where a thread of the app that waits goes on in the kernel: its SwitchFrame, on its kernel stack.
struct KernelContext {
  uint32_t thread;
  uint32_t reserved;
  uint64_t switch_frame;  // address
};
static_assert(sizeof(KernelContext) == 16);

// What the kernel's context switch leaves on a stack; what it calls preserved is all that is in it.
struct SwitchFrame {
  uint64_t r15, r14, r13, r12, rbp, rbx, rip;
};

// elf_prstatus of x86-64 Linux (sys/procfs.h), by our own name because the kernel has no such header.
struct PrStatus {
  int32_t si_signo, si_code, si_errno;
  int16_t cursig;
  int16_t padding;
  uint64_t sigpend, sighold;
  int32_t pid, ppid, pgrp, sid;
  int64_t utime[2], stime[2], cutime[2], cstime[2];
  GeneralRegisters registers;
  int32_t fpvalid;
  int32_t padding_end;
};
static_assert(sizeof(PrStatus) == 336);

// elf_prpsinfo of x86-64 Linux.
struct PrPsInfo {
  char state, sname, zombie, nice;
  uint32_t padding;
  uint64_t flag;
  uint32_t uid, gid;
  int32_t pid, ppid, pgrp, sid;
  char filename[16];
  char arguments[80];
};
static_assert(sizeof(PrPsInfo) == 136);

// Seekable zstd (facebook/zstd contrib/seekable_format): a trailing skippable frame.
inline constexpr uint32_t kSeekTableMagic = 0x8F92EAB1;          // last four bytes of the file
inline constexpr uint32_t kSkippableFrameMagic = 0x184D2A5E;     // first four bytes of the seek-table frame

}  // namespace mortem::format
