#include "kernel/drivers/virtio_block.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/log.h"
#include "kernel/memory/page_table.h"
#include "kernel/task/wait.h"

namespace kernel {
namespace {

constexpr uint64_t kSizeMaximum = 1 << 1, kSegmentMaximum = 1 << 2, kReadOnlyDisk = 1 << 5, kFlush = 1 << 9;
constexpr uint64_t kWanted = kSizeMaximum | kSegmentMaximum | kReadOnlyDisk | kFlush;
constexpr uint32_t kCapacityOffset = 0, kSizeMaximumOffset = 8, kSegmentMaximumOffset = 12;
constexpr uint64_t kSectorSize = 512;
constexpr size_t kRequestBytes = 1 << 20;  // what one request moves at most: enough, and short to wait for

constexpr uint64_t kGiveUp = 30'000'000'000;  // a disk that has not answered for so long is gone
constexpr uint64_t kLostInterrupt = 5'000'000;
// How often the queue is looked at before the CPU halts: a disk in the host's page cache answers in that time.
constexpr int kSpins = 2'000;

}  // namespace

Result<void> VirtioBlock::initialize(const VirtioRegisters& registers) {
  TRY(device_.start(registers, kWanted));
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
  return set_up_device();
}

Result<void> VirtioBlock::set_up_device() {
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

void VirtioBlock::resume(const VirtioRegisters* registers) {
  if (failed_) return;
  if (registers == nullptr) {
    log(LogLevel::Warning, "disk: there is none here; what is not in memory cannot be read");
  } else if (auto restarted = restart(*registers); restarted.is_error()) {
    log(LogLevel::Warning, "disk: does not start again (error %d)", static_cast<int>(restarted.error()));
  } else {
    return;
  }
  give_up();
}

Result<void> VirtioBlock::restart(const VirtioRegisters& registers) {
  collect();  // what the old device had done and nobody had looked at
  VirtqueueSegment kept[Virtqueue::kMaximumSize];
  size_t used = 0, counts[kRequests] = {};
  for (size_t slot = 0; slot < kRequests; ++slot) {
    if (!requests_[slot].in_flight || requests_[slot].done) continue;
    counts[slot] = queue_.chain(requests_[slot].head, std::span(kept).subspan(used));
    used += counts[slot];
  }
  const uint64_t page = queue_.descriptor_area(), old_size = size_;
  TRY(device_.start(registers, kWanted));
  TRY(queue_.initialize(direct_map(page), page, device_.queue_limit(0)));
  if (queue_.size() < 4) return Error::NotSupported;
  uint16_t vector = kNoVector;
  if (has_interrupt_) {
    TRY(interrupts_.open(registers.where));
    vector = 0;  // it is the only one
  }
  TRY(device_.add_queue(0, queue_, vector));
  TRY(set_up_device());
  if (size_ < old_size) {
    log(LogLevel::Warning, "disk: smaller than it was (%lu bytes, not %lu)", static_cast<unsigned long>(size_),
        static_cast<unsigned long>(old_size));
    return Error::Io;
  }
  used = 0;
  for (size_t slot = 0; slot < kRequests; ++slot) {
    if (counts[slot] == 0) continue;
    headers_[slot].status = 0xFF;
    requests_[slot].head = TRY(queue_.submit(std::span(kept).subspan(used, counts[slot])));
    used += counts[slot];
    log(LogLevel::Info, "disk: a request of %lu bytes at sector %lu is made again",
        static_cast<unsigned long>(requests_[slot].length), static_cast<unsigned long>(requests_[slot].sector));
  }
  device_.notify(queue_);
  return {};
}

// Who waits for a request hears of it.
void VirtioBlock::give_up() {
  failed_ = true;
  for (Request& request : requests_)
    if (request.in_flight && request.sleeper != nullptr) wake(*request.sleeper);
}

Result<void> VirtioBlock::read(uint64_t offset, std::span<uint8_t> to) {
  return transfer(Operation::Read, offset, to.data(), to.size(), DiskWait::Poll);
}

Result<void> VirtioBlock::write(uint64_t offset, std::span<const uint8_t> from, DiskWait wait) {
  if (read_only_) return Error::ReadOnly;
  return transfer(Operation::Write, offset, const_cast<uint8_t*>(from.data()), from.size(), wait);
}

Result<void> VirtioBlock::write_pages(uint64_t offset, std::span<uint8_t* const> pages, DiskWait wait) {
  if (read_only_) return Error::ReadOnly;
  return transfer_pages(Operation::Write, offset, pages, wait);
}

Result<void> VirtioBlock::read_pages(uint64_t offset, std::span<uint8_t* const> pages) {
  return transfer_pages(Operation::Read, offset, pages, DiskWait::Poll);
}

Result<void> VirtioBlock::transfer_pages(Operation operation, uint64_t offset, std::span<uint8_t* const> pages,
                                         DiskWait wait) {
  TRY(check(offset, pages.size() * kPageSize));
  while (!pages.empty()) {
    const InterruptGuard guard;
    size_t count = 0, gathered = 0;
    const size_t limit = segment_limit(wait);
    while (gathered < pages.size() && gathered * kPageSize < kRequestBytes) {
      const size_t before = count;
      const size_t part = gather(pages[gathered], kPageSize, operation == Operation::Read, limit, count);
      if (part < kPageSize) {
        drop_surplus(part, count);
        count = before < count ? before : count;
        break;
      }
      ++gathered;
    }
    if (gathered == 0) {
      // Segments smaller than a page: the slow way.
      TRY(transfer(operation, offset, pages[0], kPageSize, wait));
      gathered = 1;
    } else {
      TRY(request(operation, offset, count, gathered * kPageSize, wait));
    }
    offset += gathered * kPageSize;
    pages = pages.subspan(gathered);
  }
  return {};
}

Result<void> VirtioBlock::flush(DiskWait wait) {
  if (!can_flush_) return {};  // section 5.2.6.2: then the device writes through
  const InterruptGuard guard;
  return request(Operation::Flush, 0, 0, 0, wait);
}

Result<void> VirtioBlock::check(uint64_t offset, size_t size) const {
  if (offset % kSectorSize != 0 || size % kSectorSize != 0) return Error::Invalid;
  if (offset > size_ || size > size_ - offset) return Error::Io;
  return {};
}

Result<void> VirtioBlock::transfer(Operation operation, uint64_t offset, uint8_t* data, size_t size, DiskWait wait) {
  TRY(check(offset, size));
  while (size > 0) {
    const InterruptGuard guard;
    size_t count = 0;
    size_t moved = gather(data, size < kRequestBytes ? size : kRequestBytes, operation == Operation::Read,
                          segment_limit(wait), count);
    // The cut may have left part of a sector.
    drop_surplus(moved % kSectorSize, count);
    moved -= moved % kSectorSize;
    if (moved == 0) return Error::Fault;  // not one sector of it is mapped memory
    TRY(request(operation, offset, count, moved, wait));
    offset += moved;
    data += moved;
    size -= moved;
  }
  return {};
}

size_t VirtioBlock::segment_limit(DiskWait wait) const {
  const size_t share =
      wait == DiskWait::Sleep && queue_.size() >= kLeastQueueToSleep ? queue_.size() / 2u : queue_.free_descriptors();
  const size_t limit = share > 2 ? share - 2 : 0;
  return limit < segment_limit_ ? limit : segment_limit_;
}

// Physical segments of the data, cut where the pages below do not follow each other.
size_t VirtioBlock::gather(uint8_t* data, size_t size, bool device_writes, size_t limit, size_t& count) {
  VirtqueueSegment* const segments = segments_ + 1;
  size_t gathered = 0;
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
      if (count == limit) break;
      if (length > segment_size_limit_) length = segment_size_limit_;
      segments[count++] = {mapping->physical, static_cast<uint32_t>(length), device_writes};
    }
    gathered += length;
  }
  return gathered;
}

void VirtioBlock::drop_surplus(size_t surplus, size_t& count) {
  while (surplus > 0) {
    VirtqueueSegment& last = segments_[count];
    const size_t taken = surplus < last.length ? surplus : last.length;
    last.length -= taken;
    surplus -= taken;
    if (last.length == 0) --count;
  }
}

Result<void> VirtioBlock::request(Operation operation, uint64_t offset, size_t count, size_t moved, DiskWait wait) {
  if (failed_) return Error::Io;
  size_t slot = 0;
  while (slot < kRequests && requests_[slot].in_flight) ++slot;
  if (slot == kRequests) return Error::Busy;
  Request& request = requests_[slot];
  Header& header = headers_[slot];
  const uint64_t header_physical = headers_physical_ + slot * sizeof(Header);

  header.operation = operation;
  header.reserved = 0;
  header.sector = offset / kSectorSize;
  header.status = 0xFF;
  segments_[0] = {header_physical, offsetof(Header, status), false};
  segments_[count + 1] = {header_physical + offsetof(Header, status), 1, true};
  request = {true, false, 0, operation, header.sector, moved, nullptr};
  auto head = queue_.submit({segments_, count + 2});
  if (head.is_error()) {
    request.in_flight = false;
    return Error::Busy;
  }
  request.head = head.value();
  device_.notify(queue_);
  auto waited = await(request, wait);
  request.in_flight = false;
  if (waited.is_error()) return waited.error();

  const uint8_t status = *const_cast<volatile uint8_t*>(&header.status);
  if (status != 0) {  // VIRTIO_BLK_S_OK
    log(LogLevel::Warning, "disk: %s of %zu bytes at sector %lu failed (status %u)",
        operation == Operation::Read ? "read" : (operation == Operation::Write ? "write" : "flush"), moved,
        static_cast<unsigned long>(offset / kSectorSize), status);
    return Error::Io;
  }
  if (operation == Operation::Read) g_disk_counts.bytes_read += moved;
  if (operation == Operation::Write) g_disk_counts.bytes_written += moved;
  return {};
}

Result<void> VirtioBlock::await(Request& request, DiskWait wait) {
  const uint64_t give_up = monotonic_ns() + kGiveUp;
  if (wait == DiskWait::Sleep && has_interrupt_ && queue_.size() >= kLeastQueueToSleep) {
    request.sleeper = g_current_thread;
    const auto is_done = [&] {
      collect();
      return request.done || failed_;
    };
    const WaitResult result = wait_for(is_done, give_up, kLostInterrupt);
    request.sleeper = nullptr;
    if (request.done) return {};
    if (result == WaitResult::Done) return Error::Io;  // another request found out
  } else {
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
    for (Request& request : requests_) {
      if (!request.in_flight || request.done || request.head != head) continue;
      request.done = true;
      if (request.sleeper != nullptr) wake(*request.sleeper);
    }
}

}  // namespace kernel
