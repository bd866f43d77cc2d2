// signalfd(2): signals that are read instead of handled. The program blocks them; who reads takes those that were sent
// to it or to the process.
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/signals.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

struct SignalRecord {  // struct signalfd_siginfo
  uint32_t signal;
  int32_t error, code;
  uint32_t process, user;
  int32_t descriptor;
  uint32_t timer, band, overrun, trap;
  int32_t status, value;
  uint64_t pointer, user_time, system_time, address;
  uint8_t padding[48];
};
static_assert(sizeof(SignalRecord) == 128);

SignalRecord record_of(const SignalInformation& information) {
  SignalRecord record{};
  record.signal = static_cast<uint32_t>(information.signal);
  record.error = information.error;
  record.code = information.code;
  const auto first = static_cast<uint32_t>(information.sender.process), second = information.sender.user;
  if (information.code == kCodeTimer) {
    record.timer = first;
    record.overrun = second;
  } else if (information.code <= kCodeUser) {
    record.process = first;
    record.user = second;
  } else {
    record.address = information.address;
    return record;
  }
  if (information.code < kCodeUser) {
    record.value = static_cast<int32_t>(information.sender.value);
    record.pointer = information.sender.value;
  }
  return record;
}

class SignalFile final : public OpenFile {
 public:
  SignalFile(uint64_t set, int flags) : OpenFile(flags | kOpenReadWrite), set_(set) {
    describe_as(mortem::format::FileKind::Signal, "anon_inode:[signalfd]");
  }

  Result<size_t> read(std::span<uint8_t> to) override {
    const size_t room = to.size() / sizeof(SignalRecord);
    if (room == 0) return Error::Invalid;
    SignalInformation information;
    if (!take_signal(set_, information)) {
      if (!is_blocking()) return Error::Again;
      current().awaited_signals = set_;
      const WaitResult waited = wait_on(signal_watchers(), [&] { return take_signal(set_, information); });
      current().awaited_signals = 0;
      if (waited == WaitResult::Signal) return Error::RestartSystem;
    }
    size_t count = 0;
    do {
      const SignalRecord record = record_of(information);
      __builtin_memcpy(to.data() + count++ * sizeof record, &record, sizeof record);
    } while (count < room && take_signal(set_, information));
    return count * sizeof(SignalRecord);
  }

  void set_signals(uint64_t set) {
    set_ = set;
    signal_watchers().notify_all(kPollIn);
  }

  uint16_t poll_events() override { return (pending_signals() & set_) != 0 ? kPollIn : 0; }
  WaitQueue* wait_queue() override { return &signal_watchers(); }
  OpenFileKind kind() const override { return OpenFileKind::Signal; }
  Result<uint64_t> seek(int64_t, int) override { return 0; }
  Result<InodeStatus> status() override { return anonymous_status(); }
  const char* path() const override { return "anon_inode:[signalfd]"; }

 private:
  uint64_t set_;
};

Result<uint64_t> signal_file(const Arguments& argument, int flags) {
  if (argument[2] != sizeof(uint64_t)) return Error::Invalid;
  const uint64_t set = TRY(read_user<uint64_t>(argument[1])) & ~(signal_bit(kSigKill) | signal_bit(kSigStop));
  if ((flags & ~(kOpenNonBlock | kOpenCloseOnExec)) != 0) return Error::Invalid;
  if (argument.number(0) == -1) {
    OpenFile* file = TRY(make<SignalFile>(set, flags & kOpenNonBlock));
    return install(file, (flags & kOpenCloseOnExec) != 0);
  }
  OpenFile* file = TRY(open_file(argument.number(0)));
  if (file->kind() != OpenFileKind::Signal) return Error::Invalid;
  static_cast<SignalFile*>(file)->set_signals(set);
  return static_cast<uint64_t>(argument.number(0));
}

}  // namespace

MORTEM_CALL(signalfd) {
  return signal_file(argument, 0);
}
MORTEM_CALL(signalfd4) {
  return signal_file(argument, argument.number(3));
}

}  // namespace kernel::linux
