// The times of files as programs set them: utimensat and its elders.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/inotify.h"

namespace kernel::linux {
namespace {

constexpr int64_t kSecondInNs = 1'000'000'000;

// One of utimensat's two times; nothing: it stays.
Result<std::optional<int64_t>> new_time(const TimeSpecification& time) {
  constexpr int64_t kNow = (1 << 30) - 1, kOmit = (1 << 30) - 2;  // UTIME_NOW, UTIME_OMIT
  if (time.nanoseconds == kOmit) return std::optional<int64_t>();
  if (time.nanoseconds == kNow) return std::optional<int64_t>(wall_clock_ns());
  if (time.nanoseconds < 0 || time.nanoseconds >= kSecondInNs) return Error::Invalid;
  // What the disk cannot say is cut to what it can, as Linux does; ext3 ends in 2446.
  constexpr int64_t kLeast = -0x8000'0000ll, kMost = 0x3'7FFF'FFFFll;
  int64_t seconds = time.seconds < kLeast ? kLeast : time.seconds;
  if (seconds > kMost) seconds = kMost;
  return std::optional<int64_t>(seconds * kSecondInNs + time.nanoseconds);
}

Result<uint64_t> set_times(Inode* inode, const NewTimes& times) {
  if (inode == nullptr) return 0;  // a pipe or a socket
  const InodeHold hold(inode);
  if (!times.access_ns && !times.modify_ns) return 0;
  TRY(inode->set_times(times));
  return 0;
}

// As Linux tells watchers of it (fsnotify_change): one time alone is what reading or writing would have set.
uint32_t event_of(const NewTimes& times) {
  if (times.access_ns && times.modify_ns) return file_event::kAttributes;
  return times.access_ns ? file_event::kAccess : file_event::kModify;
}

Result<uint64_t> set_times_of(OpenFile& file, const NewTimes& times) {
  TRY(set_times(file.inode(), times));
  if (file.inode() != nullptr) tell_of_file(*file.inode(), file.path(), event_of(times));
  return 0;
}

Result<uint64_t> set_times_at(int directory, uint64_t user_path, const NewTimes& times, int flags) {
  if ((flags & ~(kAtNoFollow | kAtEmptyPath)) != 0) return Error::Invalid;
  if (user_path == 0 && directory != kAtWorkingDirectory) {
    if ((flags & ~kAtEmptyPath) != 0) return Error::Invalid;
    return set_times_of(*TRY(open_file(directory)), times);
  }
  UserPath path;
  TRY(path.read(user_path));
  if (path.empty() && (flags & kAtEmptyPath) != 0 && directory != kAtWorkingDirectory)
    return set_times_of(*TRY(open_file(directory)), times);
  const FollowLast follow = (flags & kAtNoFollow) != 0 ? FollowLast::No : FollowLast::Yes;
  Inode* inode = TRY(find_user_inode(directory, path, follow));
  TRY(set_times(inode, times));
  tell_of_user_path(directory, user_path, follow, *inode, event_of(times));
  return 0;
}

// Two struct timeval, or now.
Result<NewTimes> read_times(uint64_t address) {
  if (address == 0) return NewTimes{wall_clock_ns(), wall_clock_ns()};
  NewTimes times;
  for (int index = 0; index < 2; ++index) {
    const auto time = TRY(read_user<TimeValue>(address + static_cast<uint64_t>(index) * sizeof(TimeValue)));
    if (time.microseconds < 0 || time.microseconds >= 1'000'000) return Error::Invalid;
    (index == 0 ? times.access_ns : times.modify_ns) = TRY(new_time({time.seconds, time.microseconds * 1000}));
  }
  return times;
}

}  // namespace

MORTEM_CALL(utimensat) {
  NewTimes times{wall_clock_ns(), wall_clock_ns()};
  if (argument[2] != 0) {
    times.access_ns = TRY(new_time(TRY(read_user<TimeSpecification>(argument[2]))));
    times.modify_ns = TRY(new_time(TRY(read_user<TimeSpecification>(argument[2] + sizeof(TimeSpecification)))));
    if (!times.access_ns && !times.modify_ns) return 0;  // then not even the file is looked for
  }
  return set_times_at(argument.number(0), argument[1], times, argument.number(3));
}

MORTEM_CALL(utimes) {
  return set_times_at(kAtWorkingDirectory, argument[0], TRY(read_times(argument[1])), 0);
}

MORTEM_CALL(futimesat) {
  return set_times_at(argument.number(0), argument[1], TRY(read_times(argument[2])), 0);
}

MORTEM_CALL(utime) {
  NewTimes times{wall_clock_ns(), wall_clock_ns()};
  if (argument[1] != 0) {
    times.access_ns = TRY(new_time({TRY(read_user<int64_t>(argument[1])), 0}));
    times.modify_ns = TRY(new_time({TRY(read_user<int64_t>(argument[1] + sizeof(int64_t))), 0}));
  }
  return set_times_at(kAtWorkingDirectory, argument[0], times, 0);
}

}  // namespace kernel::linux
