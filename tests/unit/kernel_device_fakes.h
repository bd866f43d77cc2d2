// What the kernel's drivers and file systems need below them, on the host.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "kernel/drivers/block_device.h"

namespace kernel_fakes {

extern std::vector<std::string> g_log;  // lines that were logged
bool logged(const std::string& part);   // some line has this in it
std::string last_log();                 // empty: none
// Frees all that heap_allocate and allocate_pages have given: what a guest keeps for ever, a test must not.
void free_all_memory();
extern uint64_t g_free_pages;  // what allocate_pages still gives
extern uint64_t g_monotonic_ns;
extern int64_t g_wall_clock_ns;
extern std::set<uint64_t> g_protected;  // pages of files that were protected from writing through mappings
extern std::string g_console;           // what was written to the console
extern kernel::BlockDevice* g_disk;     // what disk() gives

// A disk in memory.
class MemoryDisk : public kernel::BlockDevice {
 public:
  explicit MemoryDisk(std::vector<uint8_t> content) : bytes(std::move(content)) {}
  uint64_t size() const override { return bytes.size() / 512 * 512; }
  kernel::Result<void> read(uint64_t offset, std::span<uint8_t> to) override;
  kernel::Result<void> write(uint64_t offset, std::span<const uint8_t> from, kernel::DiskWait wait) override;
  kernel::Result<void> flush(kernel::DiskWait wait) override;
  bool is_read_only() const override { return read_only; }

  std::vector<uint8_t> bytes;
  uint64_t reads = 0, largest_read = 0;
  uint64_t bad_sector = ~uint64_t{0};  // reads of it fail
  bool read_only = false;
  bool failing = false;               // every write fails
  uint64_t writes_until_failure = 0;  // then it is failing; 0: never
  uint64_t writes = 0, flushes = 0;

  // What was written in which order.
  static constexpr uint64_t kFlush = ~uint64_t{0};
  struct Write {
    uint64_t offset;  // kFlush: a flush
    std::vector<uint8_t> content;
  };
  bool recording = false;
  std::vector<Write> record;
};

}  // namespace kernel_fakes
