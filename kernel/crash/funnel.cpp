// The funnel: every fatal end comes through here, and from here there is only forward. Each stage that fails, or that
// traps, is followed by a smaller one; a trap inside of the crash path enters here again.
#include <new>

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/restart.h"
#include "kernel/crash/capture.h"
#include "kernel/crash/checked_memory.h"
#include "kernel/crash/crash.h"
#include "kernel/crash/crash_again.h"
#include "kernel/crash/crash_state.h"
#include "kernel/crash/dump_run.h"
#include "kernel/crash/report.h"
#include "kernel/crash/reserve.h"
#include "kernel/crash/signature.h"
#include "kernel/crash/stages.h"
#include "kernel/crash/text.h"
#include "kernel/crash/trap_message.h"
#include "kernel/drivers/console.h"
#include "kernel/drivers/virtio_reset.h"
#include "kernel/library/log.h"
#include "kernel/resume/resume.h"

extern "C" {
void crash_capture(kernel::TrapFrame* to);
[[noreturn]] void crash_switch_stack(void* top, void (*go_on)());
[[noreturn]] void crash_panic(kernel::TrapFrame* frame, const char* format, va_list arguments);
}

namespace kernel {

AfterCrash crash_after();
constinit CrashState g_crash{};

namespace {

using namespace mortem::format;

constexpr size_t kCrashStackSize = 64 << 10;
// Enough for each stage to trap once; more is a machine that cannot be trusted with anything.
constexpr unsigned kMaximumEntries = 11;

alignas(16) uint8_t g_crash_stack[kCrashStackSize];
unsigned g_entries = 0;
CrashStage g_stage = CrashStage::Capture;
Deadline g_deadline;
const CrashReserve* g_reserve = nullptr;
char g_record[kBlockSize];
// In static memory, so that what was written before a trap is kept.
alignas(TextWriter) uint8_t g_report_storage[sizeof(TextWriter)];
TextWriter* g_report = nullptr;
uint32_t g_provoked_stages = 0;  // bit n: stage n

void to_console(const char* line, size_t length) {
  console_write(std::span<const char>(line, length));
}

// At most what fits; the message is one line.
void keep_message(const char* message) {
  read_kernel_string(g_crash.message, sizeof g_crash.message, message);
  for (char& c : g_crash.message)
    if (c == '\n' || c == '\r') c = ' ';
}

// For tests of the crash path itself: an invalid instruction in the middle of it.
void trap_here_if_asked(CrashStage stage) {
  const uint32_t bit = 1u << static_cast<unsigned>(stage);
  if ((g_provoked_stages & bit) == 0) return;
  g_provoked_stages &= ~bit;
  asm volatile("ud2");
}

void report_line(const char* line, size_t length) {
  to_console(line, length);
  if (g_report->lines() == 6) trap_here_if_asked(CrashStage::Report);
}

void report() {
  g_report = new (g_report_storage) TextWriter({g_record, sizeof g_record}, report_line);
  write_report(g_crash, *g_report, g_deadline.at_most_ms(2000));
}

std::span<const char> text_record() {
  return {g_record, g_report != nullptr ? g_report->record_length() : 0};
}

void run_stage(CrashStage stage) {
  switch (stage) {
    case CrashStage::Capture:
      capture_moment(g_crash, g_reserve != nullptr ? g_reserve->extended_state : nullptr);
      break;
    case CrashStage::ResetDevices:
      virtio_reset_all();
      break;
    case CrashStage::Report:
      report();
      break;
    case CrashStage::Signature:
      g_crash.signature = crash_signature(g_crash);
      break;
    case CrashStage::OpenDisk:
      dump_open(g_crash, text_record(), g_deadline);
      break;
    case CrashStage::DumpFull:
      dump_write(DumpLevel::Full);
      break;
    case CrashStage::DumpApp:
      dump_write(DumpLevel::AppOnly);
      break;
    case CrashStage::DumpRegisters:
      dump_write(DumpLevel::Registers);
      break;
    case CrashStage::TextOnly:
      dump_write(DumpLevel::TextOnly);
      break;
    case CrashStage::SayWhere:
      dump_say_where(to_console);
      break;
    case CrashStage::TellHost:
      dump_tell_host(g_crash);
      break;
    case CrashStage::Leave:
      if (g_crash.reason.goes_on && g_entries == 1) go_on_after_dump();
      if (crash_after() == AfterCrash::PowerOff) power_off();
      // A kernel that did nothing wrong boots again by itself, which is many times faster than by the firmware.
      if (!g_crash.in_kernel && g_entries == 1 && !is_in_interrupt()) {
        virtio_reset_all();
        restart_kernel();
      }
      reboot();
  }
}

[[noreturn]] void run_stages() {
  for (;;) {
    const CrashStage stage = g_stage;
    if (stage != CrashStage::Report) trap_here_if_asked(stage);
    run_stage(stage);
    g_stage = stage_after(stage, dump_done());
  }
}

// On the crash stack, after a trap inside of the crash path.
[[noreturn]] void run_after_trap() {
  g_stage = stage_after_trap(g_stage, dump_done());
  run_stages();
}

[[noreturn]] void enter(const CrashReason& reason, const TrapFrame& frame, uint64_t cr2) {
  const unsigned entry = g_entries++;
  if (entry > kMaximumEntries) reboot();
  void* const top = g_crash_stack + sizeof g_crash_stack;
  if (entry > 0) {
    // The moment is that of the first entry; of this one only a line is said.
    TextWriter text({}, to_console);
    text.text("crash path: trapped in stage ").text(stage_name(g_stage)).text(": trap ").decimal(frame.vector);
    text.text(" at ");
    text.text("0x").hex(frame.rip, 16).text(", address 0x").hex(cr2);
    text.end_line();
    crash_switch_stack(top, run_after_trap);
  }
  g_crash.frame = frame;
  g_crash.in_kernel = !frame.from_user();
  g_crash.cr2 = cr2;
  g_crash.reason = reason;
  keep_message(reason.message);
  g_crash.reason.message = g_crash.message;
  capture_registers(g_crash);
  // Time for the whole path: seconds for the devices, and a slow disk's time for the memory (a second for 8 MiB).
  g_deadline = Deadline::in_ms(15'000 + ram_page_count() / 2);
  g_reserve = crash_reserve();
  if (g_reserve != nullptr) {
    g_crash.reserve_start = g_reserve->physical;
    g_crash.reserve_end = g_reserve->physical + g_reserve->size;
    g_crash.stored_at = g_reserve->stored_at;
  }
  crash_switch_stack(top, run_stages);
}

}  // namespace

void crash_provoke(uint32_t stages) {
  g_provoked_stages = stages;
}

void crash_forget() {
  g_entries = 0;
  g_stage = CrashStage::Capture;
  g_reserve = nullptr;
  g_report = nullptr;
  g_crash = {};
  dump_forget();
}

void crash(const CrashReason& reason, const TrapFrame* frame) {
  interrupts_disable();
  TrapFrame here;
  crash_capture(&here);
  TrapFrame given;
  if (frame != nullptr && read_kernel(given, frame)) enter(reason, given, 0);
  enter(reason, here, 0);
}

void crash_on_kernel_trap(const TrapFrame& frame, uint64_t cr2) {
  interrupts_disable();
  char message[kMessageCapacity];
  describe_kernel_trap(frame, cr2, {message, sizeof message});
  enter(reason_of_kernel_trap(frame, cr2, message), frame, cr2);
}

}  // namespace kernel

void crash_panic(kernel::TrapFrame* frame, const char* format, va_list arguments) {
  using namespace kernel;
  // The frame's rip is where panic() would return to, which may be behind the end of its caller: make it the call.
  // E8 rel32 is the direct call; of any other form the last byte is still inside of the instruction.
  uint8_t opcode = 0;
  const bool direct = read_kernel(&opcode, reinterpret_cast<const void*>(frame->rip - 5), 1) && opcode == 0xE8;
  frame->rip -= direct ? 5 : 1;
  char message[kMessageCapacity];
  const char prefix[] = "kernel panic: ";
  __builtin_memcpy(message, prefix, sizeof prefix);
  format_text_list(message + sizeof prefix - 1, sizeof message - (sizeof prefix - 1), format, arguments);
  CrashReason reason{};
  reason.kind = mortem::format::ReasonKind::KernelPanic;
  reason.message = message;
  enter(reason, *frame, 0);
}
