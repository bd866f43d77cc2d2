// Going on from a dump: what the host puts into the 64 KiB that a guest keeps free (kResumeTrampolineAddress) before it
// starts QEMU on the restored memory. All addresses here are physical unless they say otherwise.
//
// The first page is the kernel's own trampoline (GuestDescription::resume_code), which QEMU's PVH loader enters in
// 32-bit mode; it switches to the page tables behind it (the first GiB where it is, the upper half as the kernel has
// it) and jumps to GuestDescription::resume_entry with the ResumeRequest's address in rdi.
#pragma once

#include <cstdint>

#include "snapshot/format/guest_description.h"

namespace mortem::format {

inline constexpr uint64_t kResumeTables =
    kResumeTrampolineAddress + 0x1000;  // PML4, page-directory pointers, directory
inline constexpr uint64_t kResumeTableCount = 3;
inline constexpr uint64_t kResumeRequestAddress = kResumeTrampolineAddress + 0x4000;
inline constexpr uint64_t kResumeBytes = 0x5000;  // what of the 64 KiB is used

inline constexpr char kResumeMagic[16] = "MORTEM-RESUME-1";

// The first three fields are read by kernel/resume/entry.S.
struct ResumeRequest {
  uint64_t entry;            // virtual
  uint64_t page_table_root;  // CR3
  uint64_t efer;             // as the dump has it, without LMA
  char magic[16];
  uint32_t size;  // sizeof(ResumeRequest)
  uint32_t flags;
  uint8_t entropy[64];
};
static_assert(sizeof(ResumeRequest) == 112);

}  // namespace mortem::format
