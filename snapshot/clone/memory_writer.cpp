#include "snapshot/clone/memory_writer.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace mortem::snapshot {

namespace {
constexpr size_t kMostPieces = 256;  // of IOV_MAX's 1024
constexpr uint8_t kZeros[4096] = {};
}  // namespace

Result<void> MemoryWriter::page(uint64_t offset, std::span<const uint8_t> bytes) {
  if (run_.size() == kMostPieces || offset != run_start_ + run_size_) TRY_VOID(flush());
  if (run_.empty()) run_start_ = offset;
  run_.push_back({const_cast<uint8_t*>(bytes.data()), bytes.size()});
  run_size_ += bytes.size();
  written_[offset / 4096] = true;
  ++count_;
  return {};
}

Result<void> MemoryWriter::zero(uint64_t offset) {
  return written_[offset / 4096] ? page(offset, kZeros) : Result<void>();
}

Result<void> MemoryWriter::flush() {
  size_t first = 0;
  while (first < run_.size()) {
    const ssize_t put =
        pwritev(file_, run_.data() + first, static_cast<int>(run_.size() - first), static_cast<off_t>(run_start_));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0)
      return failure(ErrorKind::System,
                     fmt::format("writing the clone's memory: {}", std::strerror(put < 0 ? errno : ENOSPC)));
    run_start_ += static_cast<uint64_t>(put);
    for (size_t left = static_cast<size_t>(put); left > 0;) {
      const size_t part = std::min(left, run_[first].iov_len);
      run_[first].iov_base = static_cast<uint8_t*>(run_[first].iov_base) + part;
      run_[first].iov_len -= part;
      left -= part;
      if (run_[first].iov_len == 0) ++first;
    }
  }
  run_.clear();
  run_start_ = run_size_ = 0;
  return {};
}

}  // namespace mortem::snapshot
