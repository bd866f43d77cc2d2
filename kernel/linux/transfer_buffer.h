// Kernel memory through which the bytes of one call pass. Not zeroed, and the last one given back is kept: a call with
// a buffer of many KiB pays for neither.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernel::linux {

class TransferBuffer {
 public:
  static constexpr size_t kKeptSize = 32768;  // larger ones come from the heap each time
  explicit TransferBuffer(size_t size);
  ~TransferBuffer();
  TransferBuffer(const TransferBuffer&) = delete;
  TransferBuffer& operator=(const TransferBuffer&) = delete;
  bool failed() const { return memory_ == nullptr; }
  uint8_t* bytes() { return memory_; }
  std::span<uint8_t> first(size_t count) { return {memory_, count}; }

  static constexpr size_t kSmall = 1024;  // no more than this stands on the kernel's stack

 private:
  size_t size_;
  uint8_t* memory_;
  uint8_t small_[kSmall];
};

}  // namespace kernel::linux
