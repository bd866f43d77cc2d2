// One ELF note: header, name, descriptor, each padded to 4 bytes (ELF gABI, "Note Section"; as Linux writes cores).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/crash/byte_sink.h"

namespace kernel {

class NoteWriter {
 public:
  explicit NoteWriter(ByteSink& to) : to_(to) {}

  // A note whose descriptor of `size` bytes follows by append(), then end().
  bool begin(const char* owner, uint32_t type, uint64_t size) {
    size_t name_size = 1;
    while (owner[name_size - 1] != 0) ++name_size;
    const uint32_t header[3] = {static_cast<uint32_t>(name_size), static_cast<uint32_t>(size), type};
    size_ = size;
    return size <= ~uint32_t{0} && to_.write(header, sizeof header) && to_.write(owner, name_size) && pad(name_size);
  }
  bool append(const void* bytes, size_t size) { return to_.write(bytes, size); }
  bool append_zeros(uint64_t count) { return to_.write_zeros(count); }
  bool end() { return pad(size_); }

  bool note(const char* owner, uint32_t type, const void* descriptor, size_t size) {
    return begin(owner, type, size) && append(descriptor, size) && end();
  }

 private:
  bool pad(uint64_t size) {
    const uint64_t padding = -size & 3;
    return padding == 0 || to_.write_zeros(padding);
  }

  ByteSink& to_;
  uint64_t size_ = 0;
};

}  // namespace kernel
