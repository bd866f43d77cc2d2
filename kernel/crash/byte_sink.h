// Where the parts of a dump flow to: the core writer → compressor → slot.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kernel {

class ByteSink {
 public:
  // False: stop; what went wrong is known by the sink that failed.
  virtual bool write(const void* bytes, size_t size) = 0;
  virtual bool write_zeros(uint64_t count) = 0;

 protected:
  ~ByteSink() = default;
};

// Knows how long something is before it is written.
class CountingSink final : public ByteSink {
 public:
  bool write(const void*, size_t size) override { return count_ += size, true; }
  bool write_zeros(uint64_t count) override { return count_ += count, true; }
  uint64_t count() const { return count_; }

 private:
  uint64_t count_ = 0;
};

}  // namespace kernel
