#include "kernel/drivers/virtio_entropy.h"

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/memory/physical.h"

namespace kernel {

namespace {
constexpr uint64_t kPatienceNs = 1'000'000'000;  // of a host whose processors are busy
}

Result<void> VirtioEntropy::initialize(const VirtioRegisters& registers) {
  TRY(device_.start(registers, 0));
  const uint64_t pages = TRY(allocate_pages(2, PageOwner::Dma));
  TRY(queue_.initialize(direct_map(pages), pages, device_.queue_limit(0)));
  buffer_physical_ = pages + kPageSize;
  TRY(device_.add_queue(0, queue_, kNoVector));
  device_.ready();
  return {};
}

size_t VirtioEntropy::read(std::span<uint8_t> to) {
  const size_t wanted = to.size() < kPageSize ? to.size() : kPageSize;
  const VirtqueueSegment segment{buffer_physical_, static_cast<uint32_t>(wanted), true};
  if (queue_.submit({&segment, 1}).is_error()) return 0;
  device_.notify(queue_);
  uint16_t head;
  uint32_t written = 0;
  const uint64_t start = monotonic_ns();
  while (!queue_.complete(head, written)) {
    if (monotonic_ns() - start > kPatienceNs) {
      device_.fail();  // the buffer is the device's no longer
      return 0;
    }
    asm volatile("pause");
  }
  const size_t came = written < wanted ? written : wanted;
  auto* buffer = direct_map<uint8_t>(buffer_physical_);
  __builtin_memcpy(to.data(), buffer, came);
  __builtin_memset(buffer, 0, wanted);
  return came;
}

}  // namespace kernel
