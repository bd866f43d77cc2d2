// poll, ppoll, select, pselect6.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/signals.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

struct PollEntry {  // struct pollfd
  int32_t descriptor;
  int16_t wanted, found;
};

constexpr uint64_t kMaximumEntries = 65536;

// What one call looks at. The files are held: another thread may close a descriptor meanwhile, and the call goes on with
// the file it had, as on Linux.
class Entries {
 public:
  explicit Entries(uint64_t count)
      : list(static_cast<PollEntry*>(heap_allocate((count + 1) * sizeof(PollEntry)))),
        count(count),
        files_(static_cast<OpenFile**>(heap_allocate((count + 1) * sizeof(OpenFile*)))),
        waiters_(nullptr) {}
  ~Entries() {
    stop_watching();
    for (uint64_t index = 0; files_ != nullptr && index < count; ++index)
      if (files_[index] != nullptr) files_[index]->release();
    heap_free(files_);
    heap_free(list);
  }
  Entries(const Entries&) = delete;
  Entries& operator=(const Entries&) = delete;
  bool failed() const { return list == nullptr || files_ == nullptr; }

  // After `list` is filled.
  void hold_files() {
    for (uint64_t index = 0; index < count; ++index) {
      Descriptor* found = list[index].descriptor < 0 ? nullptr : descriptor_at(list[index].descriptor);
      if (found == nullptr) continue;
      files_[index] = found->file;
      files_[index]->retain();
      needs_polling_ |= found->file->needs_polling();
    }
  }
  uint64_t look() {
    uint64_t ready = 0;
    for (uint64_t index = 0; index < count; ++index) {
      PollEntry& entry = list[index];
      entry.found = 0;
      if (entry.descriptor < 0) continue;
      const uint16_t events = files_[index] == nullptr ? kPollInvalid : files_[index]->poll_events();
      // POLLRDNORM and POLLWRNORM say the same as POLLIN and POLLOUT.
      const uint16_t all =
          static_cast<uint16_t>(events | ((events & kPollIn) != 0 ? 0x40 : 0) | ((events & kPollOut) != 0 ? 0x100 : 0));
      const uint16_t asked = static_cast<uint16_t>(entry.wanted) | kPollError | kPollHangUp | kPollInvalid;
      entry.found = static_cast<int16_t>(all & asked);
      if (entry.found != 0) ++ready;
    }
    return ready;
  }
  // Enters every file's wait queue. False: no memory.
  bool watch() {
    waiters_ = static_cast<ThreadWaiter*>(heap_allocate((count + 1) * sizeof(ThreadWaiter)));
    if (waiters_ == nullptr) return false;
    for (uint64_t index = 0; index < count; ++index) {
      new (&waiters_[index]) ThreadWaiter();
      WaitQueue* queue = files_[index] != nullptr ? files_[index]->wait_queue() : nullptr;
      if (queue != nullptr) queue->add(waiters_[index]);
    }
    return true;
  }
  bool needs_polling() const { return needs_polling_; }

  PollEntry* list;
  uint64_t count;

 private:
  void stop_watching() {
    for (uint64_t index = 0; waiters_ != nullptr && index < count; ++index) waiters_[index].~ThreadWaiter();
    heap_free(waiters_);
  }

  OpenFile** files_;
  ThreadWaiter* waiters_;
  bool needs_polling_ = false;
};

struct Polled {
  uint64_t ready;
  WaitResult result;
};
Result<Polled> poll_files(Entries& entries, uint64_t deadline) {
  entries.hold_files();
  Polled polled{entries.look(), WaitResult::Done};
  if (polled.ready > 0) return polled;
  if (!entries.watch()) return Error::NoMemory;
  polled.result = wait_for([&] { return (polled.ready = entries.look()) > 0; }, deadline,
                           entries.needs_polling() ? kConsolePollNs : 0);
  return polled;
}

using Repeat = Result<uint64_t> (*)(const Arguments& argument, uint64_t deadline);

Result<uint64_t> poll_list(uint64_t user_list, uint64_t count, uint64_t deadline, Repeat repeat) {
  if (count > kMaximumEntries) return Error::Invalid;
  Entries entries(count);
  if (entries.failed()) return Error::NoMemory;
  if (count > 0) TRY(copy_from_user(entries.list, user_list, count * sizeof(PollEntry)));
  const Polled polled = TRY(poll_files(entries, deadline));
  if (polled.result == WaitResult::Signal) return repeat_until(deadline, repeat);
  if (count > 0) TRY(copy_to_user(user_list, entries.list, count * sizeof(PollEntry)));
  return polled.ready;
}

Result<void> take_mask(uint64_t mask_address, uint64_t size) {
  if (mask_address == 0) return {};
  if (size != sizeof(uint64_t)) return Error::Invalid;
  set_temporary_mask(TRY(read_user<uint64_t>(mask_address)));
  return {};
}

Result<uint64_t> deadline_of(uint64_t user_time) {
  if (user_time == 0) return kNoDeadline;
  return add_saturated(monotonic_ns(), TRY(read_user_duration(user_time)));
}

// The rest of the time, as Linux writes it back.
void write_rest(uint64_t user_time, uint64_t deadline, uint64_t units_per_second) {
  if (user_time == 0 || deadline == kNoDeadline) return;
  const uint64_t now = monotonic_ns(), rest = deadline > now ? deadline - now : 0;
  constexpr uint64_t kSecond = 1'000'000'000;
  const TimeSpecification time{static_cast<int64_t>(rest / kSecond),
                               static_cast<int64_t>(rest % kSecond / (kSecond / units_per_second))};
  (void)write_user(user_time, time).is_error();  // a read-only timeout is no error on Linux
}

Result<uint64_t> select_sets(uint64_t count, const uint64_t (&user_sets)[3], uint64_t deadline, Repeat repeat) {
  if (static_cast<int64_t>(static_cast<int32_t>(count)) < 0) return Error::Invalid;
  if (count > static_cast<uint64_t>(descriptor_table_size())) count = static_cast<uint64_t>(descriptor_table_size());
  const uint64_t words = (count + 63) / 64;
  constexpr uint16_t kWanted[3] = {kPollIn, kPollOut, 2 /* POLLPRI */};
  constexpr uint16_t kMeaning[3] = {kPollIn | kPollHangUp | kPollError, kPollOut | kPollError, 2};
  Entries entries(count);
  if (entries.failed()) return Error::NoMemory;
  for (uint64_t index = 0; index < count; ++index) entries.list[index] = {-1, 0, 0};
  for (int set = 0; set < 3; ++set) {
    if (user_sets[set] == 0) continue;
    for (uint64_t word = 0; word < words; ++word) {
      const auto bits = TRY(read_user<uint64_t>(user_sets[set] + word * 8));
      for (uint64_t bit = 0; bit < 64 && word * 64 + bit < count; ++bit) {
        if ((bits >> bit & 1) == 0) continue;
        const auto descriptor = static_cast<int32_t>(word * 64 + bit);
        if (descriptor_at(descriptor) == nullptr) return Error::BadDescriptor;
        PollEntry& entry = entries.list[descriptor];
        entry.descriptor = descriptor;
        entry.wanted = static_cast<int16_t>(entry.wanted | kWanted[set]);
      }
    }
  }
  const Polled polled = TRY(poll_files(entries, deadline));
  if (polled.result == WaitResult::Signal) return repeat_until(deadline, repeat);
  uint64_t total = 0;
  for (int set = 0; set < 3; ++set) {
    if (user_sets[set] == 0) continue;
    for (uint64_t word = 0; word < words; ++word) {
      uint64_t bits = 0;
      for (uint64_t bit = 0; bit < 64 && word * 64 + bit < count; ++bit) {
        const PollEntry& entry = entries.list[word * 64 + bit];
        const bool wanted = entry.descriptor >= 0 && (entry.wanted & kWanted[set]) != 0;
        if (!wanted || (entry.found & kMeaning[set]) == 0) continue;
        bits |= uint64_t{1} << bit;
        ++total;
      }
      TRY(write_user(user_sets[set] + word * 8, bits));
    }
  }
  return total;
}

// What each call does after its deadline is known: at first, and again after a signal that no handler took.
Result<uint64_t> poll_until(const Arguments& argument, uint64_t deadline) {
  return poll_list(argument[0], static_cast<uint32_t>(argument[1]), deadline, poll_until);
}

Result<uint64_t> poll_masked_until(const Arguments& argument, uint64_t deadline) {
  TRY(take_mask(argument[3], argument[4]));
  auto result = poll_list(argument[0], static_cast<uint32_t>(argument[1]), deadline, poll_masked_until);
  write_rest(argument[2], deadline, 1'000'000'000);
  return result;
}

Result<uint64_t> select_until(const Arguments& argument, uint64_t deadline) {
  const uint64_t sets[3] = {argument[1], argument[2], argument[3]};
  auto result = select_sets(argument[0], sets, deadline, select_until);
  write_rest(argument[4], deadline, 1'000'000);
  return result;
}

Result<uint64_t> select_masked_until(const Arguments& argument, uint64_t deadline) {
  if (argument[5] != 0) {
    struct Mask {
      uint64_t address, size;
    };
    const auto mask = TRY(read_user<Mask>(argument[5]));
    TRY(take_mask(mask.address, mask.size));
  }
  const uint64_t sets[3] = {argument[1], argument[2], argument[3]};
  auto result = select_sets(argument[0], sets, deadline, select_masked_until);
  write_rest(argument[4], deadline, 1'000'000'000);
  return result;
}

}  // namespace

MORTEM_CALL(poll) {
  const int milliseconds = argument.number(2);
  return poll_until(argument,
                    milliseconds < 0 ? kNoDeadline : monotonic_ns() + static_cast<uint64_t>(milliseconds) * 1'000'000);
}

MORTEM_CALL(ppoll) {
  return poll_masked_until(argument, TRY(deadline_of(argument[2])));
}

MORTEM_CALL(select) {
  uint64_t deadline = kNoDeadline;
  if (argument[4] != 0) {
    const auto time = TRY(read_user<TimeValue>(argument[4]));
    if (time.seconds < 0 || time.microseconds < 0) return Error::Invalid;
    const uint64_t seconds = static_cast<uint64_t>(time.seconds) + static_cast<uint64_t>(time.microseconds) / 1'000'000;
    if (seconds < kNoDeadline / 1'000'000'000)
      deadline = add_saturated(monotonic_ns(),
                               seconds * 1'000'000'000 + static_cast<uint64_t>(time.microseconds) % 1'000'000 * 1000);
  }
  return select_until(argument, deadline);
}

MORTEM_CALL(pselect6) {
  return select_masked_until(argument, TRY(deadline_of(argument[4])));
}

}  // namespace kernel::linux
