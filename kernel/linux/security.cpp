#include "kernel/linux/security.h"

#include <cstdint>

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/crash/crash.h"
#include "kernel/crash/modules.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/signals.h"
#include "kernel/resume/resume.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kTold = 8;
constexpr size_t kFrames = 16;
uint64_t g_events = 0;

void log_place(size_t number, uint64_t address) {
  ModuleReader module;
  if (find_module(address, module))
    log(LogLevel::Info, "security:   #%zu  %#lx %s+%#lx", number, address, module.path(),
        address - module.entry().load_bias);
  else
    log(LogLevel::Info, "security:   #%zu  %#lx", number, address);
}

// By frame pointers, like the crash report's. A chain that is none ends where it leaves code or does not go up.
void log_stack(const TrapFrame& frame) {
  log_place(0, frame.rip);
  uint64_t pointer = frame.rbp;
  for (size_t number = 1; number < kFrames && pointer != 0 && pointer % 8 == 0; ++number) {
    uint64_t saved[2];
    ModuleReader module;
    if (copy_from_user(saved, pointer, sizeof saved).is_error() || !find_module(saved[1], module)) return;
    log_place(number, saved[1]);
    if (saved[0] <= pointer) return;
    pointer = saved[0];
  }
}

}  // namespace

void security_event(const char* setting, const char* what, TrapFrame& frame) {
  const bool crashes = setting_is(setting, "crash");
  ++g_events;
  if (g_events <= kTold || (g_events & (g_events - 1)) == 0 || crashes) {
    log(LogLevel::Warning, "security: %s by thread %u \"%s\"%s", what, current().id, current().name,
        crashes ? ": the program ends" : "");
    if (g_events > kTold) log(LogLevel::Warning, "security: that was event %lu", g_events);
    log_stack(frame);
  }
  if (!crashes) return;
  static char message[200];
  format_text(message, sizeof message, "SIGSYS: %s; %s=crash", what, setting);
  __builtin_memset(g_fatal_siginfo, 0, sizeof g_fatal_siginfo);
  SignalInformation information;
  information.signal = kSigSys;
  information.code = kCodeKernel;
  __builtin_memcpy(g_fatal_siginfo, &information, sizeof information);
  // In a guest that was resumed from the dump, the program hears of the refusal.
  crash_until_resumed(
      {.kind = mortem::format::ReasonKind::Signal, .signal = kSigSys, .signal_code = kCodeKernel, .message = message},
      frame);
}

}  // namespace kernel::linux
