// Going on from a dump (snapshot/format/resume.h): the memory is that of the crash, in the middle of the crash path;
// the processor and all devices are new.
#pragma once

#include <cstdint>

#include "kernel/arch/x86_64/trap_frame.h"
#include "kernel/crash/crash.h"

namespace kernel {

// Ends in a dump, as crash() does, of a moment that the kernel itself is well at, and in the middle of nothing that a
// restart of its devices would disturb: it returns only in a guest that was resumed from that dump, on the running
// thread's stack as it was, or right here if the reason `goes_on`.
enum class AfterDump : uint8_t { Resumed = 1, WentOn = 2 };
AfterDump crash_until_resumed(const CrashReason& reason, const TrapFrame& frame);

// The crash path's end of a reason that `goes_on`.
[[noreturn]] void go_on_after_dump();

// Counts the times that this memory was resumed: 0 for a guest that was booted.
extern uint32_t g_resumed_count;

// For the guest description block.
struct ResumeCode {
  const void* code;
  uint64_t size;
  const void* entry;
};
ResumeCode resume_code_place();

}  // namespace kernel
