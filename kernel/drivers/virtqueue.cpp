#include "kernel/drivers/virtqueue.h"

#include "kernel/library/log.h"

namespace kernel {
namespace {

// The device is another processor (QEMU's I/O thread): full fences, whatever the architecture would let us leave out.
void fence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

}  // namespace

Result<void> Virtqueue::initialize(void* page, uint64_t physical, uint16_t limit) {
  size_ = 1;
  if (limit == 0) return Error::NoDevice;
  while (size_ * 2 <= limit && size_ * 2 <= kMaximumSize) size_ *= 2;  // section 2.6: a power of two
  __builtin_memset(page, 0, 4096);
  auto* bytes = static_cast<uint8_t*>(page);
  descriptors_ = reinterpret_cast<Descriptor*>(bytes);
  available_ = reinterpret_cast<volatile uint16_t*>(bytes + kDriverOffset);
  used_ = reinterpret_cast<volatile uint16_t*>(bytes + kDeviceOffset);
  physical_ = physical;
  for (uint16_t entry = 0; entry < size_; ++entry) {
    descriptors_[entry].next = entry + 1 < size_ ? entry + 1 : kEndOfList;
    chain_length_[entry] = 0;
  }
  free_first_ = 0;
  free_count_ = size_;
  available_index_ = used_index_ = 0;
  return {};
}

Result<uint16_t> Virtqueue::submit(std::span<const VirtqueueSegment> segments) {
  if (segments.empty()) return Error::Invalid;
  if (segments.size() > free_count_) return Error::Again;
  const uint16_t head = free_first_;
  uint16_t entry = head;
  for (size_t index = 0; index < segments.size(); ++index) {
    Descriptor& descriptor = descriptors_[entry];
    const bool last = index + 1 == segments.size();
    descriptor.address = segments[index].physical;
    descriptor.length = segments[index].length;
    descriptor.flags = (segments[index].device_writes ? kDeviceWrites : 0) | (last ? 0 : kNext);
    if (last) free_first_ = descriptor.next;
    entry = descriptor.next;
  }
  free_count_ -= segments.size();
  chain_length_[head] = segments.size();
  available_[2 + available_index_ % size_] = head;
  fence();  // the device sees the chain before the index that covers it
  available_[1] = ++available_index_;
  fence();  // and the index before the doorbell
  return head;
}

size_t Virtqueue::chain(uint16_t head, std::span<VirtqueueSegment> to) const {
  if (head >= size_) return 0;
  size_t count = 0;
  uint16_t entry = head;
  for (; count < chain_length_[head] && count < to.size() && entry < size_; ++count) {
    const Descriptor& descriptor = descriptors_[entry];
    to[count] = {descriptor.address, descriptor.length, (descriptor.flags & kDeviceWrites) != 0};
    entry = descriptor.next;
  }
  return count;
}

void Virtqueue::want_interrupts(bool wanted) {
  constexpr uint16_t kNoInterrupt = 1;  // VIRTQ_AVAIL_F_NO_INTERRUPT
  available_[0] = wanted ? 0 : kNoInterrupt;
  fence();  // before the caller looks at what is there already
}

bool Virtqueue::complete(uint16_t& head, uint32_t& written) {
  while (used_[1] != used_index_) {
    fence();  // the index is read before the entry that it covers
    const auto* ring = reinterpret_cast<const volatile UsedEntry*>(used_ + 2);
    const uint32_t given = ring[used_index_ % size_].head;
    written = ring[used_index_ % size_].written;
    ++used_index_;
    if (given >= size_ || chain_length_[given] == 0) {
      log(LogLevel::Warning, "virtio: device gave back descriptor %u, which it does not hold", given);
      continue;
    }
    head = static_cast<uint16_t>(given);
    uint16_t last = head;
    for (uint16_t left = chain_length_[head]; left > 1; --left) last = descriptors_[last].next;
    descriptors_[last].next = free_first_;
    free_first_ = head;
    free_count_ += chain_length_[head];
    chain_length_[head] = 0;
    return true;
  }
  return false;
}

}  // namespace kernel
