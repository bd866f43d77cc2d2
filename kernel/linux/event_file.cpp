// eventfd(2): a number that is added to and taken from.
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

constexpr int kSemaphore = 1;
constexpr uint64_t kHighest = ~uint64_t{0} - 1;  // what the number never passes

class EventFile final : public OpenFile {
 public:
  EventFile(uint64_t count, bool is_semaphore, int flags)
      : OpenFile(flags | kOpenReadWrite), count_(count), is_semaphore_(is_semaphore) {
    describe_as(mortem::format::FileKind::Event, "anon_inode:[eventfd]");
  }

  Result<size_t> read(std::span<uint8_t> to) override {
    if (to.size() < sizeof count_) return Error::Invalid;
    if (count_ == 0) {
      if (!is_blocking()) return Error::Again;
      if (wait_on(waiters_, [this] { return count_ > 0; }) == WaitResult::Signal) return Error::RestartSystem;
    }
    const uint64_t taken = is_semaphore_ ? 1 : count_;
    count_ -= taken;
    __builtin_memcpy(to.data(), &taken, sizeof taken);
    waiters_.notify_all(kPollOut);
    return sizeof taken;
  }

  Result<size_t> write(std::span<const uint8_t> from) override {
    uint64_t added;
    if (from.size() < sizeof added) return Error::Invalid;
    __builtin_memcpy(&added, from.data(), sizeof added);
    if (added > kHighest) return Error::Invalid;
    if (kHighest - count_ < added) {
      if (!is_blocking()) return Error::Again;
      if (wait_on(waiters_, [this, added] { return kHighest - count_ >= added; }) == WaitResult::Signal)
        return Error::RestartSystem;
    }
    count_ += added;
    waiters_.notify_all(kPollIn);
    return sizeof added;
  }

  uint16_t poll_events() override {
    return static_cast<uint16_t>((count_ > 0 ? kPollIn : 0) | (count_ < kHighest ? kPollOut : 0));
  }
  WaitQueue* wait_queue() override { return &waiters_; }
  OpenFileKind kind() const override { return OpenFileKind::Event; }
  Result<uint64_t> seek(int64_t, int) override { return 0; }
  Result<InodeStatus> status() override { return anonymous_status(); }
  const char* path() const override { return "anon_inode:[eventfd]"; }

 private:
  uint64_t count_;
  bool is_semaphore_;
  WaitQueue waiters_;
};

Result<uint64_t> make_event(uint32_t count, int flags) {
  if ((flags & ~(kSemaphore | kOpenNonBlock | kOpenCloseOnExec)) != 0) return Error::Invalid;
  OpenFile* file = TRY(make<EventFile>(count, (flags & kSemaphore) != 0, flags & kOpenNonBlock));
  return install(file, (flags & kOpenCloseOnExec) != 0);
}

}  // namespace

MORTEM_CALL(eventfd) {
  return make_event(static_cast<uint32_t>(argument[0]), 0);
}
MORTEM_CALL(eventfd2) {
  return make_event(static_cast<uint32_t>(argument[0]), argument.number(1));
}

}  // namespace kernel::linux
