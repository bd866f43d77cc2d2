// epoll_create, epoll_ctl, epoll_wait and their kin.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/epoll.h"
#include "kernel/linux/files.h"
#include "kernel/linux/signals.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

constexpr size_t kMostAtOnce = 4096;  // events of one call: the program gets the rest with its next

Result<Epoll*> epoll_file(int descriptor) {
  OpenFile* file = TRY(open_file(descriptor));
  if (file->kind() != OpenFileKind::Epoll) return Error::Invalid;
  return static_cast<Epoll*>(file);
}

Result<uint64_t> make_epoll(int flags) {
  if ((flags & ~kOpenCloseOnExec) != 0) return Error::Invalid;
  OpenFile* file = TRY(make<Epoll>());
  return install(file, flags != 0);
}

class EventBuffer {
 public:
  explicit EventBuffer(size_t count)
      : events(count <= kFew ? few_ : static_cast<EpollEvent*>(heap_allocate(count * sizeof(EpollEvent)))) {}
  ~EventBuffer() {
    if (events != few_) heap_free(events);
  }
  EventBuffer(const EventBuffer&) = delete;
  EventBuffer& operator=(const EventBuffer&) = delete;

 private:
  static constexpr size_t kFew = 64;
  EpollEvent few_[kFew];

 public:
  EpollEvent* events;
};

WaitResult wait_for_events(Epoll& epoll, EventBuffer& buffer, size_t most, uint64_t deadline, size_t& count) {
  do_put_off_work();  // also where nothing has to be waited for
  while (true) {
    count = epoll.collect(buffer.events, most);
    if (count > 0) return WaitResult::Done;
    ThreadWaiter waiter;
    epoll.add_thread(waiter);
    const WaitResult result =
        wait_for([&] { return epoll.may_be_ready(); }, deadline, epoll.needs_polling() ? kConsolePollNs : 0);
    if (result != WaitResult::Done) return result;
  }
}

Result<uint64_t> wait_until(const Arguments& argument, uint64_t deadline,
                            Result<uint64_t> (*repeat)(const Arguments&, uint64_t)) {
  const int most = argument.number(2);
  if (most <= 0 || static_cast<size_t>(most) > INT32_MAX / sizeof(EpollEvent)) return Error::Invalid;
  if (argument[1] >= kUserEnd || kUserEnd - argument[1] < static_cast<size_t>(most) * sizeof(EpollEvent))
    return Error::Fault;
  Epoll* epoll = TRY(epoll_file(argument.number(0)));
  const size_t at_once = static_cast<size_t>(most) < kMostAtOnce ? static_cast<size_t>(most) : kMostAtOnce;
  EventBuffer buffer(at_once);
  if (buffer.events == nullptr) return Error::NoMemory;
  epoll->retain();  // another thread may close the descriptor meanwhile
  size_t count = 0;
  const WaitResult result = wait_for_events(*epoll, buffer, at_once, deadline, count);
  epoll->release();
  g_events_in_hand = static_cast<unsigned>(count);
  if (result == WaitResult::Signal) return repeat_until(deadline, repeat);
  TRY(copy_to_user(argument[1], buffer.events, count * sizeof(EpollEvent)));
  return count;
}

uint64_t deadline_of(int milliseconds) {
  return milliseconds < 0 ? kNoDeadline : monotonic_ns() + static_cast<uint64_t>(milliseconds) * 1'000'000;
}

Result<uint64_t> wait_repeat(const Arguments& argument, uint64_t deadline) {
  return wait_until(argument, deadline, wait_repeat);
}
Result<uint64_t> wait_masked_repeat(const Arguments& argument, uint64_t deadline) {
  if (argument[4] != 0) {
    if (argument[5] != sizeof(uint64_t)) return Error::Invalid;
    set_temporary_mask(TRY(read_user<uint64_t>(argument[4])));
  }
  return wait_until(argument, deadline, wait_masked_repeat);
}

}  // namespace

MORTEM_CALL(epoll_create) {
  if (argument.number(0) <= 0) return Error::Invalid;
  return make_epoll(0);
}
MORTEM_CALL(epoll_create1) {
  return make_epoll(argument.number(0));
}

MORTEM_CALL(epoll_ctl) {
  constexpr int kAdd = 1, kDelete = 2, kModify = 3;
  constexpr uint32_t kWithExclusive =
      kPollIn | kPollOut | kPollError | kPollHangUp | kEpollWakeUp | kEpollEdge | kEpollExclusive;
  const int operation = argument.number(1), descriptor = argument.number(2);
  EpollEvent event{};
  if (operation != kDelete) event = TRY(read_user<EpollEvent>(argument[3]));
  OpenFile* outer = TRY(open_file(argument.number(0)));
  OpenFile* file = TRY(open_file(descriptor));
  if (((outer->flags() | file->flags()) & kOpenPath) != 0) return Error::BadDescriptor;
  if (!file->can_be_polled()) return Error::NotPermitted;
  if (outer == file) return Error::Invalid;
  Epoll* epoll = TRY(epoll_file(argument.number(0)));
  if (operation != kDelete && (event.events & kEpollExclusive) != 0) {
    if (operation == kModify) return Error::Invalid;
    if (operation == kAdd && (file->kind() == OpenFileKind::Epoll || (event.events & ~kWithExclusive) != 0))
      return Error::Invalid;
  }
  switch (operation) {
    case kAdd:
      TRY(epoll->add(descriptor, *file, event));
      return 0;
    case kModify:
      TRY(epoll->modify(descriptor, *file, event));
      return 0;
    case kDelete:
      TRY(epoll->remove(descriptor, *file));
      return 0;
    default:
      return Error::Invalid;
  }
}

MORTEM_CALL(epoll_wait) {
  return wait_repeat(argument, deadline_of(argument.number(3)));
}
MORTEM_CALL(epoll_pwait) {
  return wait_masked_repeat(argument, deadline_of(argument.number(3)));
}
MORTEM_CALL(epoll_pwait2) {
  uint64_t deadline = kNoDeadline;
  if (argument[3] != 0) deadline = add_saturated(monotonic_ns(), TRY(read_user_duration(argument[3])));
  return wait_masked_repeat(argument, deadline);
}

}  // namespace kernel::linux
