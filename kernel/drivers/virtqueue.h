// A split virtqueue in one page (virtio 1.1, section 2.6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/library/result.h"

namespace kernel {

struct VirtqueueSegment {
  uint64_t physical;
  uint32_t length;
  bool device_writes;
};

class Virtqueue {
 public:
  // 128 entries: descriptors 2048, driver area 262, device area 1030 bytes.
  static constexpr uint16_t kMaximumSize = 128;

  // `page`: 4096 bytes, page-aligned; `limit`: the device's largest size. Sets up an empty queue.
  Result<void> initialize(void* page, uint64_t physical, uint16_t limit);

  // Makes one chain of the segments available; readable ones come first (section 2.6.4.2). Returns the chain's head,
  // by which it is known until complete() gives it back. Again: not enough free descriptors.
  Result<uint16_t> submit(std::span<const VirtqueueSegment> segments);
  // Takes back a chain that the device is done with: its head and how many bytes the device wrote. False: none.
  bool complete(uint16_t& head, uint32_t& written);
  bool has_completed() const { return used_[1] != used_index_; }  // complete() has something to give
  // Whether the device is to make interrupts for this queue; a hint (section 2.6.7): look at the queue after the
  // change.
  void want_interrupts(bool wanted);

  // A chain that the device holds, or has given back and complete() has not: its segments, as far as they fit; 0:
  // `head` is none.
  size_t chain(uint16_t head, std::span<VirtqueueSegment> to) const;

  // Physical addresses of the three parts, for the device.
  uint64_t descriptor_area() const { return physical_; }
  uint64_t driver_area() const { return physical_ + kDriverOffset; }
  uint64_t device_area() const { return physical_ + kDeviceOffset; }
  uint16_t size() const { return size_; }
  uint16_t free_descriptors() const { return free_count_; }
  bool idle() const { return free_count_ == size_; }  // the device holds nothing

 private:
  friend class VirtioDevice;
  struct Descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
  };
  struct UsedEntry {
    uint32_t head, written;
  };
  static constexpr size_t kDriverOffset = kMaximumSize * 16;
  static constexpr size_t kDeviceOffset = kDriverOffset + (6 + 2 * kMaximumSize + 3) / 4 * 4;
  static_assert(kDeviceOffset + 6 + 8 * kMaximumSize <= 4096);
  static constexpr uint16_t kNext = 1, kDeviceWrites = 2;
  static constexpr uint16_t kEndOfList = 0xFFFF;

  Descriptor* descriptors_ = nullptr;
  volatile uint16_t* available_ = nullptr;  // flags, index, ring[size]
  volatile uint16_t* used_ = nullptr;       // flags, index, then UsedEntry ring[size]
  uint64_t physical_ = 0;
  uint16_t size_ = 0;
  uint16_t free_first_ = kEndOfList, free_count_ = 0;
  uint16_t available_index_ = 0, used_index_ = 0;
  uint16_t index_ = 0;                        // of the queue in its device
  uint32_t notify_offset_ = 0;                // of its doorbell
  uint16_t chain_length_[kMaximumSize] = {};  // by head; 0: not the head of a chain that the device holds
};

}  // namespace kernel
