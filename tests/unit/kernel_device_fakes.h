// What the kernel's drivers and file systems need below them, on the host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/drivers/block_device.h"

namespace kernel_fakes {

extern std::vector<std::string> g_log;  // lines that were logged
bool logged(const std::string& part);   // some line has this in it
std::string last_log();                 // empty: none
// Frees all that heap_allocate and allocate_pages have given: what a guest keeps for ever, a test must not.
void free_all_memory();
extern uint64_t g_free_pages;        // what allocate_pages still gives
extern std::string g_console;        // what was written to the console
extern kernel::BlockDevice* g_disk;  // what disk() gives

// A disk in memory.
class MemoryDisk : public kernel::BlockDevice {
 public:
  explicit MemoryDisk(std::vector<uint8_t> content) : bytes(std::move(content)) {}
  uint64_t size() const override { return bytes.size() / 512 * 512; }
  kernel::Result<void> read(uint64_t offset, std::span<uint8_t> to) override;
  kernel::Result<void> write(uint64_t offset, std::span<const uint8_t> from) override;
  kernel::Result<void> flush() override { return {}; }

  std::vector<uint8_t> bytes;
  uint64_t reads = 0, largest_read = 0;
  uint64_t bad_sector = ~uint64_t{0};  // reads of it fail
};

}  // namespace kernel_fakes
