// The guest description block: by which a reader of bare RAM (a clone, a replay) finds everything in a guest.
// It stands at a fixed physical address, is filled by the kernel at boot and kept true while it runs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mortem::format {

// Physical memory below 1 MiB belongs to firmware and is never used. The 64 KiB above it are kept free for the
// resume trampoline; the block stands behind them.
inline constexpr uint64_t kResumeTrampolineAddress = 0x100000;
inline constexpr uint64_t kResumeTrampolineSize = 0x10000;
inline constexpr uint64_t kGuestDescriptionAddress = 0x110000;  // one page

inline constexpr char kGuestDescriptionMagic[16] = "MORTEM-GUEST-01";
inline constexpr uint32_t kGuestDescriptionVersion = 1;

// Who owns a physical page; one byte a page in the table at page_owner_table.
enum class PageOwner : uint8_t {
  Absent = 0,  // not RAM
  Free = 1,
  Firmware = 2,  // reserved by firmware, or below 1 MiB
  Reserved = 3,  // resume trampoline, guest description block
  KernelImage = 4,
  PageTable = 5,
  KernelHeap = 6,
  KernelStack = 7,
  App = 8,            // anonymous and private memory of the app
  PageCache = 9,      // file content that can be read again from disk
  Dma = 10,           // virtqueues and buffers
  SharedMemory = 11,  // content of tmpfs files, memfds and shared memory, mapped by the app or not
  DiskState = 12,     // of the disk's caches what the disk does not tell: its structures, and content not written yet
  Lost = 13,          // in a guest that was resumed: a PageCache page that the dump does not hold (resume.h)
};

// All addresses are virtual kernel addresses unless they say physical. 0: not there (yet).
struct GuestDescription {
  char magic[16];
  uint32_t version;
  uint32_t size;                  // sizeof(GuestDescription)
  uint64_t page_table_root;       // physical: CR3 of the app (kernel half included)
  uint64_t direct_map_base;       // virtual = direct_map_base + physical
  uint64_t kernel_virtual_base;   // where the kernel image's address 0 is now (its load bias)
  uint64_t kernel_physical_base;  // physical address of the image's first byte
  uint64_t kernel_image_size;     // bytes
  uint8_t kernel_build_id[20];
  uint32_t kernel_build_id_length;
  uint8_t boot_id[16];
  uint64_t memory_pages;           // entries of page_owner_table
  uint64_t page_owner_table;       // PageOwner[memory_pages], by page frame number
  uint64_t kernel_log;             // char[kernel_log_size], a ring
  uint64_t kernel_log_size;        // bytes
  uint64_t kernel_log_written;     // address of the uint64_t that counts the bytes ever written
  uint64_t thread_list;            // address of the pointer to the first thread
  uint32_t thread_next_offset;     // in a thread: pointer to the next one
  uint32_t thread_id_offset;       // uint32_t
  uint32_t thread_name_offset;     // char[16]
  uint32_t thread_frame_offset;    // pointer to its saved TrapFrame
  uint32_t thread_fs_base_offset;  // uint64_t
  uint32_t thread_xsave_offset;    // pointer to its saved XSAVE area
  uint64_t module_table;           // address of the pointer to ModuleEntry bytes as in the Modules note
  uint64_t module_table_length;    // address of the uint64_t that holds its length in bytes
  uint64_t event_ring;
  uint64_t open_file_tables;  // OpenFileTables (open_files.h): descriptors and sockets
  // What follows came later: `size` says whether it is there.
  uint64_t current_thread;           // address of the pointer to the thread that runs or ran last, 0: none yet
  uint32_t thread_gs_base_offset;    // uint64_t
  uint32_t thread_is_app_offset;     // uint8_t: 0 is a thread of the app
  uint64_t xsave_size;               // address of the uint32_t: bytes of an XSAVE area, 512: FXSAVE's only
  uint64_t clock;                    // address of GuestClock
  uint64_t error_ring, output_ring;  // addresses of GuestRing: what the app wrote last to stderr and stdout
  uint64_t auxiliary_vector;         // uint64_t pairs, AT_NULL's last
  uint64_t auxiliary_vector_length;  // most bytes of it
  uint64_t command_line;             // text, NUL-terminated, at most 80 bytes
  // Mappings of the app, sorted by address.
  uint64_t area_table;                          // address of the pointer to the first
  uint64_t area_count;                          // address of the uint64_t
  uint32_t area_size;                           // bytes of one
  uint32_t area_start_offset, area_end_offset;  // uint64_t
  uint32_t area_protection_offset;              // uint8_t: 1 read, 2 write, 4 execute
  uint32_t area_kind_offset;                    // uint8_t: GuestAreaKind
  uint32_t area_file_offset_offset;             // uint64_t
  uint32_t area_path_offset;                    // pointer to text, NUL-terminated; 0: none
  uint32_t area_memory_offset;                  // pointer, not 0 where the file lives in memory
  uint32_t clone_state;                         // GuestCloneState
  // What a dump is resumed by (resume.h).
  uint32_t host_bridge;                    // PCI vendor (low half) and device of 0:0.0: what machine it is
  uint64_t resume_code, resume_code_size;  // the trampoline, and bytes of it
  uint64_t resume_entry;                   // where the trampoline goes
  uint32_t thread_switch_frame_offset;     // uint64_t: address of the SwitchFrame of one that does not run
};

// Of a copy of this memory that was taken from outside. Who takes it sets Untold in it; an NMI makes such a guest stop
// its app then, before another instruction of it, instead of writing a dump.
enum GuestCloneState : uint32_t { kCloneOriginal = 0, kCloneUntold = 1 };

enum class GuestAreaKind : uint8_t { Anonymous, File, Stack, Heap, Vdso, Vvar };

struct GuestRing {
  uint64_t bytes, size, written;  // address, capacity, bytes ever written
};

struct GuestClock {  // nanoseconds since boot: (tsc - base_tsc) * multiplier >> 32
  uint64_t base_tsc, multiplier;
  int64_t wall_offset_ns;  // of the boot since 1970, 0: not known
};
static_assert(sizeof(GuestDescription) <= 4096);

inline constexpr uint32_t kGuestDescriptionFirstSize = offsetof(GuestDescription, current_thread);

}  // namespace mortem::format
