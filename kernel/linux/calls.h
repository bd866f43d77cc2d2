// The system calls: each is a function call_NAME, in a file of its family; the dispatcher (syscall.cpp) finds it by its
// number in syscall_table.h.
#pragma once

#include <cstdint>

#include "kernel/arch/x86_64/trap_frame.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/library/result.h"

namespace kernel::linux {

struct Arguments {
  uint64_t values[6];
  TrapFrame& frame;
  uint64_t operator[](int index) const { return values[index]; }
  int number(int index) const { return static_cast<int>(values[index]); }  // an `int` argument
};

#define MORTEM_CALL(name) Result<uint64_t> call_##name([[maybe_unused]] const Arguments& argument)

#define MORTEM_HERE(number, name) MORTEM_CALL(name);
#define MORTEM_MISSING(number, name)
#include "kernel/linux/syscall_table.h"
#undef MORTEM_HERE
#undef MORTEM_MISSING

const char* syscall_name(uint64_t number);  // null: Linux has no such call

struct TimeSpecification {  // struct timespec
  int64_t seconds, nanoseconds;
};
struct TimeValue {  // struct timeval
  int64_t seconds, microseconds;
};

// Nanoseconds, saturated; Invalid for what is no time.
Result<uint64_t> duration_of(const TimeSpecification& time);
Result<uint64_t> read_user_duration(uint64_t address);
TimeSpecification time_specification(uint64_t nanoseconds);
uint64_t add_saturated(uint64_t left, uint64_t right);

// What an interrupted call returns that goes on to its first deadline when no handler ran, and else fails with EINTR.
// `repeat` is called with the same arguments.
Error repeat_until(uint64_t deadline_ns, Result<uint64_t> (*repeat)(const Arguments&, uint64_t deadline_ns));

// ENOSYS for a call that wants a second process; said once a call, in words, because programs often hide the errno.
Result<uint64_t> refuse_process(const char* name, const char* what, TrapFrame& frame);

}  // namespace kernel::linux
