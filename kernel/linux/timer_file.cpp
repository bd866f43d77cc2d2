// timerfd(2): a timer whose expirations are read. One that repeats is set again when it is looked at, not each time it
// goes off (Linux: timerfd_read, timerfd_setup): an interval of a nanosecond costs nothing while nobody reads.
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/clocks.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

struct TimerSetting {  // struct itimerspec
  TimeSpecification interval, value;
};

class TimerFile final : public OpenFile {
 public:
  TimerFile(int clock, int flags) : OpenFile(flags | kOpenReadWrite), timer_(clock, *this) {
    describe_as(mortem::format::FileKind::Timer, "anon_inode:[timerfd]");
  }

  Result<size_t> read(std::span<uint8_t> to) override {
    if (to.size() < sizeof(uint64_t)) return Error::Invalid;
    if (expirations_ == 0) {
      if (!is_blocking()) return Error::Again;
      if (wait_on(waiters_, [this] { return expirations_ > 0; }) == WaitResult::Signal) return Error::RestartSystem;
    }
    InterruptGuard guard;
    catch_up();
    __builtin_memcpy(to.data(), &expirations_, sizeof expirations_);
    expirations_ = 0;
    return sizeof expirations_;
  }

  TimerSetting setting() {
    InterruptGuard guard;
    catch_up();
    return {time_specification(interval_), time_specification(timer_.remaining())};
  }

  // `value` 0: off.
  void set(uint64_t value, uint64_t interval, bool is_absolute) {
    InterruptGuard guard;
    expirations_ = 0;
    went_off_ = false;
    if (value == 0) {
      timer_.disarm();
    } else {
      const uint64_t now = clock_now(timer_.clock()).value();  // never an error: timerfd_create saw to it
      timer_.arm(is_absolute ? value : add_saturated(now, value), interval);
    }
    interval_ = interval;
  }

  uint16_t poll_events() override { return expirations_ > 0 ? kPollIn : 0; }
  WaitQueue* wait_queue() override { return &waiters_; }
  OpenFileKind kind() const override { return OpenFileKind::Timer; }
  Result<uint64_t> seek(int64_t, int) override { return 0; }
  Result<InodeStatus> status() override { return anonymous_status(); }
  const char* path() const override { return "anon_inode:[timerfd]"; }

 private:
  struct FileTimer : ClockTimer {
    FileTimer(int clock, TimerFile& owner) : ClockTimer(clock, went_off), file(owner) {}
    ~FileTimer() { disarm(); }
    TimerFile& file;
  };
  static void went_off(ClockTimer& timer) {
    TimerFile& file = static_cast<FileTimer&>(timer).file;
    ++file.expirations_;
    file.went_off_ = true;
    file.waiters_.notify_all(kPollIn);
  }
  // Counts what has passed since a repeating timer went off, and sets it again.
  void catch_up() {
    if (!went_off_ || timer_.interval() == 0) return;
    went_off_ = false;
    expirations_ += timer_.forward() - 1;
    timer_.start();
  }

  FileTimer timer_;
  uint64_t expirations_ = 0;
  uint64_t interval_ = 0;  // as it was set, also while the timer is off
  bool went_off_ = false;
  WaitQueue waiters_;
};

Result<TimerFile*> timer_file(int descriptor) {
  OpenFile* file = TRY(open_file(descriptor));
  if (file->kind() != OpenFileKind::Timer) return Error::Invalid;
  return static_cast<TimerFile*>(file);
}

}  // namespace

MORTEM_CALL(timerfd_create) {
  const int clock = argument.number(0), flags = argument.number(1);
  const bool is_known = clock == kClockRealtime || clock == kClockMonotonic || clock == kClockBootTime ||
                        clock == kClockRealtimeAlarm || clock == kClockBootTimeAlarm;
  if (!is_known || (flags & ~(kOpenNonBlock | kOpenCloseOnExec)) != 0) return Error::Invalid;
  OpenFile* file = TRY(make<TimerFile>(clock, flags & kOpenNonBlock));
  return install(file, (flags & kOpenCloseOnExec) != 0);
}

MORTEM_CALL(timerfd_settime) {
  // Nobody sets the wall clock here: TFD_TIMER_CANCEL_ON_SET never has anything to cancel.
  constexpr int kAbsolute = 1, kCancelOnSet = 2;
  const auto wanted = TRY(read_user<TimerSetting>(argument[2]));
  if ((argument.number(1) & ~(kAbsolute | kCancelOnSet)) != 0) return Error::Invalid;
  const uint64_t value = TRY(duration_of(wanted.value)), interval = TRY(duration_of(wanted.interval));
  TimerFile* file = TRY(timer_file(argument.number(0)));
  const TimerSetting old = file->setting();
  file->set(value, interval, (argument.number(1) & kAbsolute) != 0);
  if (argument[3] != 0) TRY(write_user(argument[3], old));
  return 0;
}

MORTEM_CALL(timerfd_gettime) {
  TRY(write_user(argument[1], TRY(timer_file(argument.number(0)))->setting()));
  return 0;
}

}  // namespace kernel::linux
