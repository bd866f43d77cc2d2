#include "kernel/crash/report.h"

#include "kernel/crash/frame_pointer_walk.h"
#include "kernel/crash/modules.h"
#include "kernel/crash/trap_message.h"
#include "snapshot/format/registers.h"

namespace kernel {

namespace {

using namespace mortem::format;

constexpr size_t kFramesShown = 16;
constexpr size_t kFramesCounted = 200'000;

const char* kind_sentence(ReasonKind kind) {
  switch (kind) {
    case ReasonKind::None:
      break;
    case ReasonKind::Signal:
      return "the program was ended by a signal";
    case ReasonKind::Exit:
      return "the program ended with an error status";
    case ReasonKind::KernelPanic:
      return "kernel panic";
    case ReasonKind::DoubleFault:
      return "double fault in the kernel";
    case ReasonKind::NonMaskableInterrupt:
      return "stopped from outside (NMI)";
    case ReasonKind::OnDemand:
      return "dump on demand";
  }
  return "the reason is not known";
}

void reason(const CrashState& state, TextWriter& text) {
  text.text("crash: ");
  if (state.message[0] != 0)
    text.name(state.message, sizeof state.message);
  else
    text.text(kind_sentence(state.reason.kind));
  text.end_line();

  if (state.thread_known) {
    text.text("thread ")
        .decimal(state.thread_id)
        .text(" \"")
        .name(state.thread_name, sizeof state.thread_name)
        .text("\"");
  } else {
    text.text(state.thread_address == nullptr ? "no thread" : "thread <unavailable>");
  }
  if (state.in_kernel) text.text(", in the kernel");
  if (state.frame.vector != kNoTrapVector && !state.frame.is_syscall())
    text.text(", trap ")
        .decimal(state.frame.vector)
        .text(" (")
        .text(trap_name(state.frame.vector))
        .text("), error code 0x")
        .hex(state.frame.error_code);
  if (state.frame.is_syscall()) text.text(", in system call ").decimal(state.frame.error_code);
  if (state.reason.has_fault_address) text.text(", address 0x").hex(state.reason.fault_address);
  text.end_line();
}

void registers(const GeneralRegisters& values, TextWriter& text) {
  constexpr size_t kPerLine = 4, kColumn = 28, kNameWidth = 9;
  size_t shown = 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(&values);
  for (const RegisterDescription& one : kGeneralRegisters) {
    uint64_t value;
    __builtin_memcpy(&value, bytes + one.offset, sizeof value);
    const size_t start = shown % kPerLine * kColumn;
    text.pad_to(start).text(one.name).pad_to(start + kNameWidth).hex(value, one.size * 2u);
    if (++shown % kPerLine == 0) text.end_line();
  }
  if (shown % kPerLine != 0) text.end_line();
}

void stack(const char* title, uint64_t pc, uint64_t frame_pointer, TextWriter& text, const Deadline& deadline) {
  text.text(title).text(" (frame pointers):").end_line();
  FramePointerWalk walk(pc, frame_pointer);
  size_t count = 0;
  do {
    if (count < kFramesShown) {
      text.text("  #").decimal(count).pad_to(6);
      write_address(text, walk.pc());
      text.end_line();
    }
    ++count;
  } while (count < kFramesCounted && (count % 256 != 0 || !deadline.passed()) && walk.next());
  if (count > kFramesShown) {
    text.text("  and ").text(count == kFramesCounted ? "at least " : "").decimal(count - kFramesShown).text(" more");
    text.end_line();
  }
}

void modules(TextWriter& text) {
  text.text("modules:").end_line();
  ModuleReader module;
  while (module.next()) {
    const ModuleEntry& entry = module.entry();
    text.text("  0x").hex(entry.start, 16).text("-0x").hex(entry.end, 16).text(" ");
    text.name(module.path(), ~size_t{0});
    if (entry.id_kind == ModuleIdKind::GnuBuildId) {
      text.text(" ");
      for (const uint8_t byte : module.id()) text.hex(byte, 2);
    } else {
      text.text(" (no build id)");
    }
    text.end_line();
  }
}

}  // namespace

const char* level_name(DumpLevel level) {
  switch (level) {
    case DumpLevel::None:
      break;
    case DumpLevel::TextOnly:
      return "text record only";
    case DumpLevel::Registers:
      return "registers, stacks and log";
    case DumpLevel::AppOnly:
      return "app only";
    case DumpLevel::Full:
      return "full";
  }
  return "none";
}

void write_address(TextWriter& text, uint64_t address) {
  text.text("0x").hex(address, 16);
  ModuleReader module;
  if (!find_module(address, module)) return;
  text.text(" ").name(module.path(), ~size_t{0}).text("+0x").hex(address - module.entry().load_bias);
}

void write_report(const CrashState& state, TextWriter& text, const Deadline& deadline) {
  reason(state, text);
  text.text(state.in_kernel ? "kernel registers:" : "registers:").end_line();
  registers(state.machine.general, text);
  stack(state.in_kernel ? "kernel stack" : "stack", state.frame.rip, state.frame.rbp, text, deadline);
  if (state.in_kernel && state.thread_known) {
    // Where the app stood when the kernel died: the frame at the top of the thread's kernel stack.
    GeneralRegisters app;
    if (app_registers(state, app)) {
      text.text("app registers:").end_line();
      registers(app, text);
      stack("app stack", app.rip, app.rbp, text, deadline);
    } else {
      text.text("app registers: <unavailable>").end_line();
    }
  }
  modules(text);
}

}  // namespace kernel
