// The app ends by a signal: with a dump where Linux dumps a core, else as an exit.
#include "kernel/arch/x86_64/entry.h"
#include "kernel/crash/crash.h"
#include "kernel/debug/debugger.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/signals.h"
#include "kernel/resume/resume.h"

namespace kernel::linux {
namespace {

// signal(7): default action "Core".
constexpr uint64_t kDumps = signal_bit(kSigQuit) | signal_bit(kSigIll) | signal_bit(kSigAbrt) | signal_bit(kSigFpe) |
                            signal_bit(kSigSegv) | signal_bit(kSigBus) | signal_bit(kSigSys) | signal_bit(kSigTrap) |
                            signal_bit(kSigXcpu) | signal_bit(kSigXfsz);

char g_message[256];

constexpr size_t kPlaces = 16;
uint64_t g_places[kPlaces];  // of faults that were dumped at the first chance
size_t g_place_count = 0;

bool sent_by_program(int code) {
  return code <= 0;
}

CrashReason reason_of(const SignalInformation& information, const char* message, const char* more,
                      const TrapFrame& frame);

}  // namespace

bool ends_with_dump(int signal) {
  return (signal_bit(signal) & kDumps) != 0;
}

void end_by_signal(const SignalInformation& information, const char* message, TrapFrame& frame) {
  const int signal = information.signal;
  debug::app_is_killed(signal);
  if (!ends_with_dump(signal)) {
    log(LogLevel::Info, "the program ends by %s", signal_name(signal));
    exit_app(128 + signal);
  }
  crash_until_resumed(reason_of(information, message, "", frame), frame);
  // The signal comes once more, and waits for what the debugger makes of it.
  SignalInformation again = information;
  if (debug::signal_arrives_again(current(), frame, again) == debug::SignalFate::Deliver)
    end_by_signal(again, nullptr, frame);
  enter_user(&frame);
}

bool dump_at_fault(const SignalInformation& information, const char* message, TrapFrame& frame) {
  if (!setting_is("on-fault", "first-chance") || debug::g_is_attached || !ends_with_dump(information.signal))
    return false;
  for (size_t place = 0; place < g_place_count; ++place)
    if (g_places[place] == frame.rip) return false;
  if (g_place_count == kPlaces) return false;
  g_places[g_place_count++] = frame.rip;
  CrashReason reason = reason_of(information, message, ", which the program handles itself", frame);
  reason.goes_on = true;
  return crash_until_resumed(reason, frame) == AfterDump::Resumed;
}

namespace {

CrashReason reason_of(const SignalInformation& information, const char* message, const char* more,
                      const TrapFrame& frame) {
  const int signal = information.signal;
  __builtin_memcpy(g_fatal_siginfo, &information, sizeof g_fatal_siginfo);
  const bool has_address =
      !sent_by_program(information.code) && information.code != kCodeKernel &&
      (signal == kSigSegv || signal == kSigBus || signal == kSigIll || signal == kSigFpe || signal == kSigTrap);
  if (message == nullptr)
    message = sent_by_program(information.code) ? "sent by the program itself" : "sent by the kernel";
  format_text(g_message, sizeof g_message, "%s: %s at rip %#lx%s", signal_name(signal), message, frame.rip, more);
  return {.kind = mortem::format::ReasonKind::Signal,
          .signal = signal,
          .signal_code = information.code,
          .has_fault_address = has_address,
          .fault_address = has_address ? information.address : 0,
          .message = g_message};
}

}  // namespace

}  // namespace kernel::linux
