#include "kernel/crash/polled_disk.h"

#include "kernel/memory/physical.h"

namespace kernel {

namespace {
constexpr uint64_t kReadOnly = uint64_t{1} << 5, kFlush = uint64_t{1} << 9;  // section 5.2.3
constexpr uint64_t kSectorSize = 512;
constexpr uint64_t kLongestRequestMs = 10'000;
constexpr uint8_t kStatusOk = 0, kStatusNone = 0xFF;
}  // namespace

bool PolledDisk::open(const VirtioRegisters& registers, void* pages, Deadline deadline) {
  open_ = pending_ = false;
  registers_ = registers;
  deadline_ = deadline;
  if (device_.start(registers_, kReadOnly | kFlush).is_error()) return fail("the disk does not start");
  const uint64_t physical = direct_map_physical(pages);
  if (queue_.initialize(pages, physical, device_.queue_limit(0)).is_error() || queue_.size() < 3 ||
      device_.add_queue(0, queue_, kNoVector).is_error()) {
    device_.fail();
    return fail("the disk takes no queue");
  }
  request_physical_ = physical + kPageSize;
  request_ = direct_map<volatile Request>(request_physical_);
  read_only_ = device_.has(kReadOnly);
  can_flush_ = device_.has(kFlush);
  const uint64_t sectors = device_.read_configuration64(0);
  size_ = sectors > ~uint64_t{0} / kSectorSize ? 0 : sectors * kSectorSize;
  device_.ready();
  open_ = true;
  return true;
}

bool PolledDisk::begin(Operation operation, uint64_t offset, const void* data, size_t size) {
  if (!open_) return false;
  if (offset % kSectorSize != 0 || size % kSectorSize != 0 || offset > size_ || size > size_ - offset)
    return fail("the disk is smaller than it was");
  request_->operation = operation;
  request_->reserved = 0;
  request_->sector = offset / kSectorSize;
  request_->status = kStatusNone;
  VirtqueueSegment segments[3];
  size_t count = 0;
  segments[count++] = {request_physical_, offsetof(Request, status), false};
  if (size > 0)
    segments[count++] = {direct_map_physical(data), static_cast<uint32_t>(size), operation == Operation::Read};
  segments[count++] = {request_physical_ + offsetof(Request, status), 1, true};
  if (queue_.submit({segments, count}).is_error()) return fail("the disk's queue is full");
  device_.notify(queue_);
  pending_ = true;
  return true;
}

bool PolledDisk::wait() {
  if (!pending_) return open_;
  const Deadline limit = deadline_.at_most_ms(kLongestRequestMs);
  uint16_t head;
  uint32_t written;
  while (!queue_.complete(head, written)) {
    if (limit.passed()) {
      // It may still write into our memory: take that away from it.
      open_ = pending_ = false;
      device_.fail();
      return fail("the disk does not answer");
    }
    __builtin_ia32_pause();
  }
  pending_ = false;
  if (request_->status != kStatusOk) return fail("the disk answers with an error");
  return true;
}

bool PolledDisk::read(uint64_t offset, void* to, size_t size) {
  return wait() && begin(Operation::Read, offset, to, size) && wait();
}

bool PolledDisk::write(uint64_t offset, const void* from, size_t size) {
  if (!wait()) return false;
  if (read_only_) return fail("the disk is read-only");
  return begin(Operation::Write, offset, from, size);  // waited for by the next call
}

bool PolledDisk::flush() {
  if (!wait()) return false;
  if (!can_flush_) return true;  // section 5.2.6.2: then the device writes through
  return begin(Operation::Flush, 0, nullptr, 0) && wait();
}

}  // namespace kernel
