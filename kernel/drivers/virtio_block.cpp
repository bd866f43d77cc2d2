#include "kernel/drivers/virtio_block.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/log.h"
#include "kernel/memory/page_table.h"

namespace kernel {
namespace {

constexpr uint64_t kSizeMaximum = 1 << 1, kSegmentMaximum = 1 << 2, kReadOnlyDisk = 1 << 5, kFlush = 1 << 9;
constexpr uint32_t kCapacityOffset = 0, kSizeMaximumOffset = 8, kSegmentMaximumOffset = 12;
constexpr uint64_t kSectorSize = 512;
constexpr size_t kRequestBytes = 1 << 20;  // what one request moves at most: enough, and short to wait for

constexpr uint64_t kGiveUp = 30'000'000'000;  // a disk that has not answered for so long is gone
constexpr uint64_t kLostInterrupt = 5'000'000;
// How often the queue is looked at before the CPU halts: a disk in the host's page cache answers in that time.
constexpr int kSpins = 2'000;

}  // namespace

Result<void> VirtioBlock::initialize(const VirtioRegisters& registers) {
  TRY(device_.start(registers, kSizeMaximum | kSegmentMaximum | kReadOnlyDisk | kFlush));
  const uint64_t pages = TRY(allocate_pages(2, PageOwner::Dma));
  TRY(queue_.initialize(direct_map(pages), pages, device_.queue_limit(0)));
  if (queue_.size() < 4) return Error::NotSupported;
  headers_physical_ = pages + kPageSize;
  headers_ = direct_map<Header>(headers_physical_);

  uint16_t vector = kNoVector;
  if (auto opened = interrupts_.open(registers.where); opened) {
    if (auto added = interrupts_.add(interrupt, this); added) {
      vector = added.value();
      has_interrupt_ = true;
    }
  }
  TRY(device_.add_queue(0, queue_, vector));

  read_only_ = device_.has(kReadOnlyDisk);
  can_flush_ = device_.has(kFlush);
  segment_limit_ = queue_.size() - 2u;
  if (device_.has(kSegmentMaximum)) {
    const uint32_t limit = device_.read_configuration32(kSegmentMaximumOffset);
    if (limit != 0 && limit < segment_limit_) segment_limit_ = limit;
  }
  if (device_.has(kSizeMaximum)) {
    const uint32_t limit = device_.read_configuration32(kSizeMaximumOffset) & ~uint32_t{kSectorSize - 1};
    if (limit != 0) segment_size_limit_ = limit;
  }
  const uint64_t sectors = device_.read_configuration64(kCapacityOffset);
  if (sectors > ~uint64_t{0} / kSectorSize) return Error::Io;
  size_ = sectors * kSectorSize;
  device_.ready();
  return {};
}

Result<void> VirtioBlock::read(uint64_t offset, std::span<uint8_t> to) {
  return transfer(Operation::Read, offset, to.data(), to.size());
}

Result<void> VirtioBlock::write(uint64_t offset, std::span<const uint8_t> from) {
  if (read_only_) return Error::ReadOnly;
  return transfer(Operation::Write, offset, const_cast<uint8_t*>(from.data()), from.size());
}

Result<void> VirtioBlock::flush() {
  if (!can_flush_) return {};  // section 5.2.6.2: then the device writes through
  TRY(request(Operation::Flush, 0, nullptr, 0));
  return {};
}

Result<void> VirtioBlock::transfer(Operation operation, uint64_t offset, uint8_t* data, size_t size) {
  if (offset % kSectorSize != 0 || size % kSectorSize != 0) return Error::Invalid;
  if (offset > size_ || size > size_ - offset) return Error::Io;
  while (size > 0) {
    const size_t moved = TRY(request(operation, offset, data, size));
    offset += moved;
    data += moved;
    size -= moved;
  }
  return {};
}

// Physical segments of the data, cut where the pages below do not follow each other; whole sectors in all.
size_t VirtioBlock::gather(uint8_t* data, size_t size, bool device_writes, VirtqueueSegment* segments,
                           size_t& count) const {
  size_t gathered = 0;
  count = 0;
  while (gathered < size) {
    const auto mapping = kernel_page_table().lookup(reinterpret_cast<uint64_t>(data + gathered));
    if (!mapping) break;
    const uint64_t in_page = mapping->page_size - (mapping->physical & (mapping->page_size - 1));
    uint64_t length = size - gathered < in_page ? size - gathered : in_page;
    VirtqueueSegment* last = count > 0 ? &segments[count - 1] : nullptr;
    if (last != nullptr && last->physical + last->length == mapping->physical && last->length < segment_size_limit_) {
      const uint64_t room = segment_size_limit_ - last->length;
      if (length > room) length = room;
      last->length += length;
    } else {
      if (count == segment_limit_) break;
      if (length > segment_size_limit_) length = segment_size_limit_;
      segments[count++] = {mapping->physical, static_cast<uint32_t>(length), device_writes};
    }
    gathered += length;
  }
  // The cut may have left part of a sector: take it back.
  size_t surplus = gathered % kSectorSize;
  gathered -= surplus;
  while (surplus > 0) {
    VirtqueueSegment& last = segments[count - 1];
    const size_t taken = surplus < last.length ? surplus : last.length;
    last.length -= taken;
    surplus -= taken;
    if (last.length == 0) --count;
  }
  return gathered;
}

Result<size_t> VirtioBlock::request(Operation operation, uint64_t offset, uint8_t* data, size_t size) {
  const InterruptGuard guard;
  if (failed_) return Error::Io;
  size_t slot = 0;
  while (slot < kRequests && requests_[slot].in_flight) ++slot;
  if (slot == kRequests) return Error::Busy;
  Request& request = requests_[slot];
  Header& header = headers_[slot];
  const uint64_t header_physical = headers_physical_ + slot * sizeof(Header);

  size_t count = 0, moved = 0;
  if (size > 0) {
    moved =
        gather(data, size < kRequestBytes ? size : kRequestBytes, operation == Operation::Read, segments_ + 1, count);
    if (moved == 0) return Error::Fault;  // not one sector of it is mapped memory
  }
  header.operation = operation;
  header.reserved = 0;
  header.sector = offset / kSectorSize;
  header.status = 0xFF;
  segments_[0] = {header_physical, offsetof(Header, status), false};
  segments_[count + 1] = {header_physical + offsetof(Header, status), 1, true};
  request = {true, false, 0, operation, header.sector, moved};
  auto head = queue_.submit({segments_, count + 2});
  if (head.is_error()) {
    request.in_flight = false;
    return Error::Busy;
  }
  request.head = head.value();
  device_.notify(queue_);
  auto waited = wait(request);
  request.in_flight = false;
  if (waited.is_error()) return waited.error();

  const uint8_t status = *const_cast<volatile uint8_t*>(&header.status);
  if (status != 0) {  // VIRTIO_BLK_S_OK
    log(LogLevel::Warning, "disk: %s of %zu bytes at sector %lu failed (status %u)",
        operation == Operation::Read ? "read" : (operation == Operation::Write ? "write" : "flush"), moved,
        static_cast<unsigned long>(header.sector), status);
    return Error::Io;
  }
  return moved;
}

Result<void> VirtioBlock::wait(Request& request) {
  const uint64_t give_up = monotonic_ns() + kGiveUp;
  for (int spin = 0;; ++spin) {
    collect();
    if (request.done) return {};
    if (spin < kSpins) {
      __builtin_ia32_pause();
      continue;
    }
    const uint64_t now = monotonic_ns();
    if (now > give_up) break;
    if (!has_interrupt_) continue;
    arm_timer(now + kLostInterrupt);  // an interrupt that never comes costs this, not the guest
    wait_for_interrupt();
  }
  // The device may still write into the caller's memory: take it away from it for good.
  log(LogLevel::Warning, "disk: no answer in 30 s; the disk is given up");
  failed_ = true;
  device_.fail();
  return Error::Io;
}

void VirtioBlock::collect() {
  uint16_t head;
  uint32_t written;
  while (queue_.complete(head, written))
    for (Request& request : requests_)
      if (request.in_flight && !request.done && request.head == head) request.done = true;
}

}  // namespace kernel
