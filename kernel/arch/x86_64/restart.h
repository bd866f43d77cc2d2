// Boots the kernel again without the firmware, which takes longer than everything else of a reboot. What a boot needs
// and a running kernel changes is kept: its initialised variables and what the boot loader said.
#pragma once

#include <cstddef>
#include <cstdint>

#include "snapshot/format/guest_description.h"

namespace kernel {

// All in the 64 KiB that are kept free at a fixed address: the way back to 32 bits with its page tables, then what
// the boot loader said, then the record of reboots (crash/reboot_record.h).
inline constexpr uint64_t kRestartCode = mortem::format::kResumeTrampolineAddress;
inline constexpr uint64_t kRestartTables = kRestartCode + 0x1000;
inline constexpr uint64_t kRestartParameters = kRestartCode + 0x8000;
inline constexpr uint64_t kRestartCommandLine = kRestartParameters + 0x1000;
inline constexpr size_t kRestartParametersSize = 0x6000;
inline constexpr uint64_t kRebootRecordAddress = kRestartCode + 0xF000;
static_assert(kRebootRecordAddress + 0x1000 <=
              mortem::format::kResumeTrampolineAddress + mortem::format::kResumeTrampolineSize);

// What was kept at boot, and what it must still be.
struct RestartInfo {
  uint64_t data;       // physical: a copy of the image's initialised variables
  uint64_t data_size;  // bytes, a multiple of 8
  uint64_t data_sum, parameters_sum;
};
uint64_t restart_sum(const uint64_t* words, size_t count);

// Returns only if it cannot be done: something of what was kept has changed. Interrupts are off, no device works.
void restart_kernel();

}  // namespace kernel
