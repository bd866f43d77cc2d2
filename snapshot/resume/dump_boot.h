// A dump made into what QEMU boots: a file of the guest's memory, and a small ELF file that leads into it
// (snapshot/format/resume.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "snapshot/core_file.h"
#include "snapshot/result.h"

namespace mortem::snapshot {

// An error says why this core can be looked into, but not go on.
Result<void> check_resumable(const CoreFile& core);

struct DumpBoot {
  std::string machine_type;  // q35 or pc
  uint64_t memory_bytes = 0;
  std::string kernel_id;            // hexadecimal
  std::vector<uint8_t> trampoline;  // the ELF file
  uint64_t stored_bytes = 0;        // of the memory file, holes apart
  uint64_t lost_pages = 0;          // of files, which a disk has to give again
};
// What the machine's firmware does to memory before it enters the trampoline. SeaBIOS works below 1 MiB, which the
// kernel never uses, and at the end of what stands below 4 GiB; qboot below 1 MiB only.
enum class FirmwareMemory { Low, LowAndHigh };
// `memory`: the new file.
Result<DumpBoot> make_dump_boot(const CoreFile& core, const std::filesystem::path& memory, FirmwareMemory firmware);

}  // namespace mortem::snapshot
