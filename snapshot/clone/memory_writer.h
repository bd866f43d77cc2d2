// Pages on their way into the flat file of a guest's memory: neighbours go out in one system call.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <vector>

#include "snapshot/result.h"

namespace mortem::snapshot {

class MemoryWriter {
 public:
  MemoryWriter(int file, uint64_t size) : file_(file), written_(size / 4096) {}

  // Both by the page. `bytes` must stay until flush().
  Result<void> page(uint64_t offset, std::span<const uint8_t> bytes);
  Result<void> zero(uint64_t offset);  // a hole stays one
  Result<void> flush();
  uint64_t written_pages() const { return count_; }

 private:
  const int file_;
  std::vector<bool> written_;  // pages that are no hole
  std::vector<iovec> run_;
  uint64_t run_start_ = 0, run_size_ = 0, count_ = 0;
};

}  // namespace mortem::snapshot
