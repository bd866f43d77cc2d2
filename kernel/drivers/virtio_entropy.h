// The virtio entropy device (virtio 1.1, section 5.4): the host's randomness, asked for once, at boot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/drivers/virtio.h"
#include "kernel/library/result.h"

namespace kernel {

class VirtioEntropy {
 public:
  Result<void> initialize(const VirtioRegisters& registers);
  // Polled, within 50 ms; returns how many bytes came.
  size_t read(std::span<uint8_t> to);

 private:
  VirtioDevice device_;
  Virtqueue queue_;
  uint64_t buffer_physical_ = 0;
};

}  // namespace kernel
