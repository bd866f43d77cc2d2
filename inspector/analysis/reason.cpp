#include "inspector/analysis/reason.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "inspector/analysis/abort_message.h"
#include "inspector/analysis/last_words.h"
#include "snapshot/dump_info.h"

namespace mortem::inspector {
namespace {

using format::ReasonKind;

const char* code_name(int signal, int code) {
  if (code == SI_KERNEL) return "SI_KERNEL";
  if (code == SI_USER) return "SI_USER";
  if (code == SI_TKILL) return "SI_TKILL";
  struct Name {
    int signal, code;
    const char* name;
  };
  static constexpr Name kNames[] = {{SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR"}, {SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR"},
                                    {SIGBUS, BUS_ADRALN, "BUS_ADRALN"},    {SIGBUS, BUS_ADRERR, "BUS_ADRERR"},
                                    {SIGFPE, FPE_INTDIV, "FPE_INTDIV"},    {SIGFPE, FPE_INTOVF, "FPE_INTOVF"},
                                    {SIGFPE, FPE_FLTDIV, "FPE_FLTDIV"},    {SIGFPE, FPE_FLTOVF, "FPE_FLTOVF"},
                                    {SIGFPE, FPE_FLTUND, "FPE_FLTUND"},    {SIGFPE, FPE_FLTRES, "FPE_FLTRES"},
                                    {SIGFPE, FPE_FLTINV, "FPE_FLTINV"},    {SIGILL, ILL_ILLOPN, "ILL_ILLOPN"},
                                    {SIGILL, ILL_ILLOPC, "ILL_ILLOPC"},    {SIGTRAP, TRAP_BRKPT, "TRAP_BRKPT"},
                                    {SIGTRAP, TRAP_TRACE, "TRAP_TRACE"}};
  for (const Name& one : kNames)
    if (one.signal == signal && one.code == code) return one.name;
  return "";
}

// A demangled name without its parameters, which only fill a sentence.
std::string short_name(const std::string& function) {
  const size_t last = function.rfind(')');
  if (last == std::string::npos) return function;
  size_t depth = 0;
  for (size_t at = last + 1; at-- > 0;) {
    depth += (function[at] == ')') - (function[at] == '(');
    if (depth == 0) return at > 0 ? function.substr(0, at) : function;
  }
  return function;
}

class Explanation {
 public:
  Explanation(const snapshot::CoreFile& core, Symbolizer& symbolizer, const Stack* stack)
      : core_(core), symbolizer_(symbolizer), stack_(stack), note_(core.reason()) {}

  CrashReason run() {
    read_facts();
    std::string what = kind_text();
    // What the program said of its end itself tells more than where exit was called.
    if (const std::string place = place_text(); !place.empty() && result_.last_words.empty()) what += place;
    result_.sentence = what;
    return result_;
  }

 private:
  // The signal, from our reason note or else from Linux's siginfo and status notes.
  void read_facts() {
    const auto info = snapshot::gather_dump_info(core_);
    if (info.reason) {
      if (info.reason->signal.value_or(0) != 0) {
        result_.signal = info.reason->signal;
        result_.signal_code = info.reason->signal_code;
      }
      result_.fault_address = info.reason->fault_address;
    }
    if (!result_.signal && !core_.threads().empty() && core_.threads().front().signal != 0 && !note_)
      result_.signal = core_.threads().front().signal;
    if (!result_.signal) return;
    result_.signal_name = snapshot::signal_name(*result_.signal);
    if (result_.signal_code) result_.signal_code_name = code_name(*result_.signal, *result_.signal_code);
  }

  std::string kind_text() {
    const std::string message = note_ ? message_of(*note_) : "";
    const ReasonKind kind = note_ ? note_->kind : ReasonKind::Signal;
    switch (kind) {
      case ReasonKind::Exit:
        result_.last_words = last_words(core_.standard_error());
        return fmt::format("exited with status {}{}{}", note_->exit_status,
                           result_.last_words.empty() ? "" : "; it said last: ", result_.last_words);
      case ReasonKind::KernelPanic:
        return headed("kernel panic", message);
      case ReasonKind::DoubleFault:
        return headed("double fault", message);
      case ReasonKind::NonMaskableInterrupt:
        return "stopped from outside by a non-maskable interrupt";
      case ReasonKind::OnDemand:
        return message.starts_with("a running guest") ? message : "a dump on demand: nothing crashed";
      case ReasonKind::None:
      case ReasonKind::Signal:
        break;
    }
    if (!result_.signal) return "no reason is recorded in this core";
    return result_.signal_name + ": " + signal_text();
  }

  // The kernel's messages mostly say themselves what they are of.
  static std::string headed(const std::string& kind, const std::string& message) {
    if (message.empty()) return kind + " in the kernel";
    return message.starts_with(kind) ? message : kind + ": " + message;
  }

  static std::string message_of(const format::ReasonNote& note) {
    return std::string(note.message, strnlen(note.message, sizeof note.message));
  }

  std::string signal_text() {
    const int signal = *result_.signal, code = result_.signal_code.value_or(0);
    switch (signal) {
      case SIGABRT:
        result_.abort_message = find_abort_message(core_, symbolizer_);
        if (!result_.abort_message.empty()) return result_.abort_message;
        if (stack_has("__cxa_throw") && stack_has("std::terminate")) return "a C++ exception that nobody catches";
        return stack_has("abort") ? "abort() was called" : "sent to the program";
      case SIGFPE:
        if (code == FPE_INTDIV) return "integer division by zero or overflow of its quotient";
        return result_.signal_code_name.empty() ? "arithmetic error" : "arithmetic error " + result_.signal_code_name;
      case SIGILL:
        return "illegal instruction";
      case SIGTRAP:
        return "breakpoint or trace trap";
      case SIGSEGV:
      case SIGBUS:
        break;
      case SIGSYS:
        // The kernel's message names the call: `SIGSYS: execve of "/bin/sh" refused …`.
        if (const std::string message = note_ ? message_of(*note_) : ""; message.starts_with("SIGSYS: "))
          return message.substr(8);
        return "a system call that is not allowed";
      default:
        return result_.signal_code == SI_USER ? "sent by kill()" : "a signal without a handler";
    }
    if (result_.signal_code == SI_USER || result_.signal_code == SI_TKILL) return "sent to the program";
    constexpr uint32_t kStackFault = 12, kAlignment = 17;
    if (signal == SIGBUS && (trap() == kAlignment || code == BUS_ADRALN)) return "misaligned access";
    if (trap() == kStackFault) return "stack access at an address that is not canonical";
    if (signal == SIGSEGV && (code == SI_KERNEL || trap() == kGeneralProtection))
      return "general protection fault: an address that is not canonical, a misaligned SSE operand, or a privileged "
             "instruction";
    if (!result_.fault_address) return "bad access, its address is not recorded";
    return access_text(*result_.fault_address);
  }

  static constexpr uint32_t kGeneralProtection = 13, kPageFault = 14;
  std::optional<uint32_t> trap() const {
    if (!note_ || (note_->known & format::kReasonHasTrap) == 0) return std::nullopt;
    return note_->trap_vector;
  }

  std::string access_text(uint64_t address) {
    // Intel SDM vol. 3, figure 4-12: bits of a page fault's error code.
    constexpr uint64_t kWrite = 2, kInstruction = 16;
    const auto* thread = crashed_thread();
    std::string verb = "access to";
    if (trap() == kPageFault) {
      verb = (note_->trap_error_code & kInstruction) != 0 ? "execution of"
             : (note_->trap_error_code & kWrite) != 0     ? "write to"
                                                          : "read of";
    }
    if (thread && thread->registers.rip == address) verb = "jump to";
    result_.stack_overflow = verb != "jump to" && thread && is_stack_overflow(address, thread->registers.rsp);
    if (result_.stack_overflow) return overflow_text(address);
    return fmt::format("{} address {:#x} ({})", verb, address, mapping_text(address));
  }

  const snapshot::CoreThread* crashed_thread() const {
    for (const snapshot::CoreThread& thread : core_.threads())
      if (!stack_ || thread.id == stack_->thread) return &thread;
    return nullptr;
  }

  std::string mapping_text(uint64_t address) const {
    for (const format::PageMapEntry& entry : core_.page_map())
      if (address >= entry.virtual_start && address - entry.virtual_start < entry.length)
        return (entry.flags & format::kPageUser) == 0 && entry.kind != format::PageMapKind::Reserved
                   ? "the kernel's memory"
                   : protection_text(entry.kind == format::PageMapKind::Reserved ? 0 : entry.flags);
    for (const snapshot::CoreSegment& segment : core_.segments())
      if (address >= segment.address && address - segment.address < segment.memory_size)
        return protection_text(segment.flags);
    return "not mapped";
  }

  // PF_* and PageMapFlags have the same bits for read, write and execute.
  static std::string protection_text(uint32_t flags) {
    if ((flags & 7) == 0) return "mapped without access";
    return fmt::format("mapped {}{}{}", (flags & 4) != 0 ? "r" : "-", (flags & 2) != 0 ? "w" : "-",
                       (flags & 1) != 0 ? "x" : "-");
  }

  // The address is not accessible, near the stack pointer, and below the memory that holds the callers' frames.
  bool is_stack_overflow(uint64_t address, uint64_t stack_pointer) const {
    constexpr uint64_t kNear = 256 << 10, kGuard = 1 << 20;
    const uint64_t distance = address > stack_pointer ? address - stack_pointer : stack_pointer - address;
    if (distance > kNear || !stack_ || stack_->frames.size() < 2) return false;
    for (const snapshot::CoreSegment& segment : core_.segments()) {
      if (segment.address <= address || segment.address - address > kGuard || (segment.flags & 2) == 0) continue;
      return std::any_of(stack_->frames.begin(), stack_->frames.end(), [&](const Frame& frame) {
        return frame.cfa > segment.address && frame.cfa - segment.address <= segment.memory_size;
      });
    }
    return false;
  }

  std::string overflow_text(uint64_t address) const {
    std::string text = fmt::format("stack overflow at address {:#x}, {} frames deep", address, stack_->frames.size());
    if (stack_->end.starts_with("frame limit")) text += " or more";
    const auto longest = std::max_element(
        stack_->recursions.begin(), stack_->recursions.end(),
        [](const Recursion& a, const Recursion& b) { return a.period * a.count < b.period * b.count; });
    if (longest == stack_->recursions.end()) return text;
    return text + fmt::format(", {} {} repeated {} times", longest->period, longest->period == 1 ? "frame" : "frames",
                              longest->count);
  }

  bool stack_has(std::string_view function) const {
    return stack_ && std::any_of(stack_->frames.begin(), stack_->frames.end(), [&](const Frame& frame) {
             return frame.function == function || frame.function.starts_with(std::string(function) + "(");
           });
  }

  // The innermost frame with a source line, for what the program did itself; else the innermost function.
  std::string place_text() const {
    if (!stack_ || stack_->frames.empty()) return {};
    const bool raised = result_.signal == SIGABRT || (note_ && note_->kind == ReasonKind::Exit);
    const Frame* best = nullptr;
    size_t index = 0;
    for (const Frame& frame : stack_->frames) {
      if (++index > 64) break;
      if (!best && !frame.function.empty()) best = &frame;
      if (frame.line == 0 || frame.file.empty()) {
        if (!raised && best) break;
        continue;
      }
      best = &frame;
      break;
    }
    if (!best) return {};
    const bool called = best->pc != stack_->frames.front().pc;
    std::string text = fmt::format("{} {}", called ? ", called from" : " in", short_name(best->function));
    if (best->line != 0)
      text += fmt::format(" ({}:{})", std::filesystem::path(best->file).filename().string(), best->line);
    return text;
  }

  const snapshot::CoreFile& core_;
  Symbolizer& symbolizer_;
  const Stack* stack_;
  std::optional<format::ReasonNote> note_;
  CrashReason result_;
};

}  // namespace

CrashReason explain_crash(const snapshot::CoreFile& core, Symbolizer& symbolizer, const Stack* stack) {
  return Explanation(core, symbolizer, stack).run();
}

}  // namespace mortem::inspector
