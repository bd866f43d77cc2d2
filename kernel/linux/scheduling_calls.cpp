// What programs ask of a scheduler: classes, priorities, processors, and memory barriers across threads.
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

// linux/sched.h. The three that differ only in how long a thread waits for its turn are taken and remembered; real-time
// classes are not there: EPERM, as Linux answers a program without CAP_SYS_NICE.
constexpr int kOther = 0, kFifo = 1, kRoundRobin = 2, kBatch = 3, kIdle = 5, kDeadlineClass = 6,
              kResetOnFork = 0x40000000;

bool is_real_time(int policy) {
  return policy == kFifo || policy == kRoundRobin;
}

Result<AppThread*> thread_or_self(int id) {
  if (id < 0) return Error::Invalid;
  AppThread* thread = id == 0 ? &current() : find_thread(static_cast<uint32_t>(id));
  if (thread == nullptr) return Error::NoProcess;
  return thread;
}

}  // namespace

MORTEM_CALL(sched_yield) {
  yield_current_thread();
  return 0;
}

MORTEM_CALL(sched_getaffinity) {
  if (argument[1] % sizeof(uint64_t) != 0 || argument[1] < sizeof(uint64_t)) return Error::Invalid;
  TRY(thread_or_self(argument.number(0)));
  TRY(write_user(argument[2], uint64_t{1}));
  return sizeof(uint64_t);
}
MORTEM_CALL(sched_setaffinity) {
  const uint8_t processors = argument[1] == 0 ? 0 : TRY(read_user<uint8_t>(argument[2]));
  TRY(thread_or_self(argument.number(0)));
  return (processors & 1) != 0 ? Result<uint64_t>(0) : Error::Invalid;
}

MORTEM_CALL(sched_getscheduler) {
  return TRY(thread_or_self(argument.number(0)))->scheduling_policy;
}
MORTEM_CALL(sched_setscheduler) {
  const int policy = argument.number(1) & ~kResetOnFork;
  if (argument[2] == 0 || argument.number(1) < 0) return Error::Invalid;
  const auto priority = TRY(read_user<int32_t>(argument[2]));
  AppThread* thread = TRY(thread_or_self(argument.number(0)));
  if (is_real_time(policy)) return priority < 1 || priority > 99 ? Error::Invalid : Error::NotPermitted;
  if ((policy != kOther && policy != kBatch && policy != kIdle) || priority != 0) return Error::Invalid;
  thread->scheduling_policy = static_cast<uint8_t>(policy);
  return 0;
}
MORTEM_CALL(sched_getparam) {
  if (argument[1] == 0) return Error::Invalid;
  TRY(thread_or_self(argument.number(0)));
  TRY(write_user(argument[1], int32_t{0}));
  return 0;
}
MORTEM_CALL(sched_setparam) {
  if (argument[1] == 0) return Error::Invalid;
  const auto priority = TRY(read_user<int32_t>(argument[1]));
  TRY(thread_or_self(argument.number(0)));
  return priority == 0 ? Result<uint64_t>(0) : Error::Invalid;
}

MORTEM_CALL(sched_get_priority_max) {
  const int policy = argument.number(0);
  if (is_real_time(policy)) return 99;
  if (policy != kOther && policy != kBatch && policy != kIdle && policy != kDeadlineClass) return Error::Invalid;
  return 0;
}
MORTEM_CALL(sched_get_priority_min) {
  if (is_real_time(argument.number(0))) return 1;
  return call_sched_get_priority_max(argument);
}
MORTEM_CALL(sched_rr_get_interval) {
  constexpr uint64_t kSlice = 4'000'000;
  TRY(thread_or_self(argument.number(0)));
  TRY(write_user(argument[1], time_specification(kSlice)));
  return 0;
}

namespace {

constexpr int kWhichProcess = 0, kWhichUser = 2;  // PRIO_*

// Whom a priority call is about: one thread, or all of them (null).
Result<AppThread*> subject_of(const Arguments& argument) {
  const int which = argument.number(0), id = argument.number(1);
  if (which < kWhichProcess || which > kWhichUser) return Error::Invalid;
  if (which == kWhichProcess) return id < 0 ? Result<AppThread*>(Error::NoProcess) : thread_or_self(id);
  const bool is_ours = id == 0 || (which != kWhichUser && id == static_cast<int>(kProcessId));
  if (!is_ours) return Error::NoProcess;
  return static_cast<AppThread*>(nullptr);
}

}  // namespace

MORTEM_CALL(getpriority) {
  const AppThread* subject = TRY(subject_of(argument));
  int lowest = subject != nullptr ? subject->nice : 19;
  for (const AppThread* each = first_thread(); subject == nullptr && each != nullptr; each = next_thread(*each))
    if (each->nice < lowest) lowest = each->nice;
  return static_cast<uint64_t>(20 - lowest);  // as the call encodes it
}
MORTEM_CALL(setpriority) {
  AppThread* subject = TRY(subject_of(argument));
  const int wanted = argument.number(2);
  const auto nice = static_cast<int8_t>(wanted < -20 ? -20 : wanted > 19 ? 19 : wanted);
  if (subject != nullptr) subject->nice = nice;
  for (AppThread* each = first_thread(); subject == nullptr && each != nullptr; each = next_thread(*each))
    each->nice = nice;
  return 0;
}

// membarrier(2). On one CPU every other thread passed through the kernel, which is a barrier, and out of any
// restartable sequence, when it stopped running: there is nothing left to do.
MORTEM_CALL(membarrier) {
  constexpr int kQuery = 0, kGlobal = 1, kGlobalExpedited = 2, kRegisterGlobalExpedited = 4, kPrivateExpedited = 8,
                kRegisterPrivateExpedited = 16, kPrivateSyncCore = 32, kRegisterPrivateSyncCore = 64,
                kPrivateSequence = 128, kRegisterPrivateSequence = 256, kAll = 511;
  constexpr int kOnCpu = 1;
  static int registered = 0;  // the commands that may be given
  const int command = argument.number(0), flags = argument.number(1);
  if (flags != 0 && !(command == kPrivateSequence && flags == kOnCpu)) return Error::Invalid;
  switch (command) {
    case kQuery:
      return kAll;
    case kGlobal:
    case kGlobalExpedited:
      return 0;
    case kRegisterGlobalExpedited:
      return 0;
    case kRegisterPrivateExpedited:
    case kRegisterPrivateSyncCore:
    case kRegisterPrivateSequence:
      registered |= command >> 1;
      return 0;
    case kPrivateExpedited:
    case kPrivateSyncCore:
    case kPrivateSequence:
      return (registered & command) != 0 ? Result<uint64_t>(0) : Error::NotPermitted;
    default:
      return Error::Invalid;
  }
}

}  // namespace kernel::linux
