#include "inspector/analysis/reason.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "inspector/analysis/abort_message.h"
#include "inspector/analysis/cxx_exception.h"
#include "inspector/analysis/fault.h"
#include "inspector/analysis/file_backed_target.h"
#include "inspector/analysis/function_names.h"
#include "inspector/analysis/last_words.h"
#include "inspector/analysis/noise.h"
#include "inspector/analysis/rust_panic.h"
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

class Explanation {
 public:
  explicit Explanation(const CrashScene& scene)
      : scene_(scene),
        core_(scene.core),
        memory_(scene.target, scene.reader),
        stack_(scene.stack),
        note_(scene.core.reason()) {}

  CrashReason run() {
    read_facts();
    std::string what = kind_text();
    // What the program said of its end itself tells more than where exit was called.
    if (const std::string place = place_text(); !place.empty() && (result_.last_words.empty() || scene_.goroutine))
      what += place;
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
        result_.exit_status = note_->exit_status;
        result_.last_words = last_words(core_.standard_error());
        result_.panic = panic_message(core_.standard_error());
        // Nothing was printed, or to where we do not see it.
        if (result_.panic.empty() && scene_.goroutine && !scene_.goroutine->panic.empty())
          result_.panic = result_.last_words = "panic: " + scene_.goroutine->panic;
        return fmt::format("exited with status {}{}{}", note_->exit_status,
                           result_.last_words.empty() ? "" : "; it said last: ", result_.last_words);
      case ReasonKind::KernelPanic:
        return headed("kernel panic", message);
      case ReasonKind::DoubleFault:
        return headed("double fault", message);
      case ReasonKind::NonMaskableInterrupt:
        return "stopped from outside by a non-maskable interrupt";
      case ReasonKind::OnDemand:
        result_.crashed = false;
        return message.starts_with("a running guest") ? message : "a dump on demand: nothing crashed";
      case ReasonKind::None:
      case ReasonKind::Signal:
        break;
    }
    if (!result_.signal) {
      result_.crashed = false;
      return "no reason is recorded in this core";
    }
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
    const int signal = *result_.signal;
    switch (signal) {
      case SIGABRT:
        return abort_text();
      case SIGFPE:
      case SIGILL:
      case SIGTRAP:
      case SIGSEGV:
      case SIGBUS:
        if (result_.signal_code == SI_USER || result_.signal_code == SI_TKILL) return "sent to the program";
        return fault_text();
      case SIGSYS:
        // The kernel's message names the call: `SIGSYS: execve of "/bin/sh" refused …`.
        if (const std::string message = note_ ? message_of(*note_) : ""; message.starts_with("SIGSYS: "))
          return message.substr(8);
        return "a system call that is not allowed";
      default:
        return result_.signal_code == SI_USER ? "sent by kill()" : "a signal without a handler";
    }
  }

  std::string abort_text() {
    result_.abort_message = find_abort_message(core_, scene_.symbolizer);
    if (!result_.abort_message.empty()) return result_.abort_message;
    if (stack_has("__cxa_pure_virtual")) return "a pure virtual function was called";
    if (std::string text = exception_text(); !text.empty()) return text;
    result_.panic = panic_message(core_.standard_error());
    // What memory says is of this panic; what was printed may be of another, and tells the thread's name besides.
    if (const auto panic = stack_ ? find_rust_panic(memory_, scene_.symbolizer, scene_.reader, *stack_) : std::nullopt;
        panic && result_.panic.find(panic->substr(0, panic->find('\n'))) == std::string::npos)
      result_.panic = "panicked: " + *panic;
    if (result_.panic.empty() && scene_.goroutine && !scene_.goroutine->panic.empty())
      result_.panic = "panic: " + scene_.goroutine->panic;
    if (!result_.panic.empty()) return result_.panic;
    if (!stack_has("abort")) return "sent to the program";
    result_.last_words = last_words(core_.standard_error());
    return "abort() was called" + (result_.last_words.empty() ? "" : "; the program said last: " + result_.last_words);
  }

  std::string exception_text() {
    const auto exception = stack_ ? find_uncaught_exception(memory_, *stack_) : std::nullopt;
    if (!exception)
      return stack_has("__cxa_throw")      ? "a C++ exception that nobody catches"
             : stack_has("std::terminate") ? "std::terminate() was called"
                                           : "";
    result_.exception_type = exception->type;
    result_.exception_text = exception->what;
    // What a class of the program's own answers to what() only its code knows: the runtime has printed it.
    if (!result_.exception_text) result_.exception_text = printed_what(core_.standard_error(), exception->type);
    std::string text = exception->left_noexcept ? "a C++ exception left a noexcept function: "
                                                : "a C++ exception that nobody catches: ";
    text += exception->type;
    return result_.exception_text ? fmt::format("{} ({})", text, *result_.exception_text) : text;
  }

  std::string fault_text() {
    FaultFacts facts;
    facts.signal = *result_.signal;
    facts.code = result_.signal_code.value_or(0);
    facts.address = result_.fault_address;
    if (note_ && (note_->known & format::kReasonHasTrap) != 0) {
      facts.trap = note_->trap_vector;
      facts.error_code = note_->trap_error_code;
    }
    Fault fault = explain_fault(scene_, facts);
    result_.stack_overflow = fault.stack_overflow;
    result_.access = std::move(fault.access);
    return fault.text;
  }

  bool stack_has(std::string_view function) const {
    return stack_ && std::any_of(stack_->frames.begin(), stack_->frames.end(),
                                 [&](const Frame& frame) { return stable_function_name(frame.function) == function; });
  }

  // Where it happened: the innermost function, and the one that tells, if that is another, with its line.
  std::string place_text() const {
    const Stack* stack = scene_.goroutine ? &scene_.goroutine->stack : stack_;
    if (!stack || stack->frames.empty()) return {};
    const auto& frames = stack->frames;
    size_t telling = first_telling_frame(*stack);
    if (telling == frames.size()) telling = 0;
    // A library without lines was called by something that may have some.
    size_t with_line = telling;
    while (with_line < frames.size() && with_line < telling + 64 && frames[with_line].line == 0) ++with_line;
    const bool raised = result_.signal == SIGABRT || result_.exit_status || frames[0].function.empty();
    std::string text;
    if (raised || telling != 0) {
      if (!raised) text += ", in " + plain_function_name(frames[0].function);
      if (!frames[telling].function.empty()) text += ", called from " + described(frames[telling]);
    } else {
      text += ", in " + described(frames[telling]);
    }
    if (with_line != telling && with_line < frames.size() && frames[with_line].line != 0)
      text += ", called from " + described(frames[with_line]);
    return text;
  }

  static std::string described(const Frame& frame) {
    std::string text = plain_function_name(frame.function);
    if (frame.line != 0)
      text += fmt::format(" ({}:{})", std::filesystem::path(frame.file).filename().string(), frame.line);
    return text;
  }
  const CrashScene& scene_;
  const snapshot::CoreFile& core_;
  const FileBackedTarget memory_;
  const Stack* stack_;
  std::optional<format::ReasonNote> note_;
  CrashReason result_;
};

}  // namespace

CrashReason explain_crash(const CrashScene& scene) {
  return Explanation(scene).run();
}

}  // namespace mortem::inspector
