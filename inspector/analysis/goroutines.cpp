#include "inspector/analysis/goroutines.h"

#include <fmt/format.h>

#include <algorithm>

#include "inspector/analysis/file_backed_target.h"
#include "inspector/analysis/go_panic.h"
#include "inspector/analysis/memory_values.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kMostGoroutines = 4 << 20;
constexpr uint64_t kLongestText = 4096;

// runtime/runtime2.go; the numbers have been the same since Go 1.4.
const char* state_name(uint64_t status) {
  constexpr uint64_t kScan = 0x1000;
  switch (status & ~kScan) {
    case 0:
      return "idle";
    case 1:
      return "runnable";
    case 2:
      return "running";
    case 3:
      return "syscall";
    case 4:
      return "waiting";
    case 6:
      return "dead";
    case 8:
      return "copying stack";
    case 9:
      return "preempted";
    default:
      return "unknown";
  }
}

class GoroutineReader {
 public:
  GoroutineReader(const GoRuntime& runtime, const Target& target, Symbolizer& symbolizer, StackReader& stacks,
                  const StackOptions& options)
      : runtime_(runtime), target_(target, stacks), symbolizer_(symbolizer), stacks_(stacks), options_(options) {}

  Result<Goroutines> run() {
    const uint64_t list = runtime_.variable("allgs").value_or(0);
    const auto start = load_value<uint64_t>(target_, list), count = load_value<uint64_t>(target_, list + 8);
    if (!start || !count) return failure(ErrorKind::Unavailable, "runtime.allgs is not in the dump");
    if (*count > kMostGoroutines)
      return failure(ErrorKind::BadInput, fmt::format("runtime.allgs claims {} goroutines", *count));
    if (const auto version = runtime_.variable("buildVersion")) result_.version = text_at(*version);
    for (uint64_t index = 0; index < *count; ++index) {
      const auto address = load_value<uint64_t>(target_, *start + 8 * index);
      if (!address) {
        result_.problems.push_back(
            fmt::format("the list of goroutines ends in the dump after {} of {}", index, *count));
        break;
      }
      read(*address);
    }
    std::sort(result_.all.begin(), result_.all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return std::move(result_);
  }

 private:
  std::optional<uint64_t> field(uint64_t address, const char* path) const {
    return runtime_.field(target_, address, path);
  }

  // A Go string: pointer and length.
  std::string text_at(uint64_t address) const {
    const auto data = load_value<uint64_t>(target_, address), size = load_value<uint64_t>(target_, address + 8);
    if (!data || !size || *size > kLongestText) return {};
    std::string text = load_bytes(target_, *data, *size);
    return text.size() == *size ? text : std::string();
  }

  void read(uint64_t address) {
    const auto status = field(address, "g.atomicstatus"), id = field(address, "g.goid");
    if (!status || !id) {
      result_.problems.push_back(fmt::format("the goroutine at {:#x} is not in the dump", address));
      return;
    }
    constexpr uint64_t kDead = 6;
    if ((*status & 0xFFF) == kDead) return;
    Goroutine one;
    one.id = *id;
    one.address = address;
    one.state = state_name(*status);
    constexpr uint64_t kWaiting = 4;
    if ((*status & 0xFFF) == kWaiting) one.wait_reason = wait_reason(address);
    if (const auto machine = field(address, "g.m"); machine && *machine != 0)
      if (const auto thread = field(*machine, "m.procid"); thread && *thread != 0)
        one.thread = static_cast<uint32_t>(*thread);
    if (const auto creator = field(address, "g.parentGoid"); creator && *creator != 0) one.creator = *creator;
    constexpr uint64_t kMain = 1;  // made by the program's entry
    if (const auto pc = field(address, "g.gopc"); pc && *pc != 0 && one.id != kMain) one.created_by = place(*pc - 1);
    if (const auto pc = field(address, "g.startpc"); pc && *pc != 0) {
      // As the runtime decides for its own traceback (isSystemGoroutine).
      const std::string start = place(*pc).function;
      one.system = start.starts_with("runtime.") && start != "runtime.main" && start != "runtime.handleAsyncEvent";
    }
    one.panic = go_panic_text(runtime_, target_, address);
    read_stack(address, one);
    result_.all.push_back(std::move(one));
  }

  std::string wait_reason(uint64_t address) const {
    const auto reason = field(address, "g.waitreason");
    const auto texts = runtime_.variable("waitReasonStrings");
    constexpr uint64_t kMostReasons = 256;
    return reason && texts && *reason < kMostReasons ? text_at(*texts + 16 * *reason) : std::string();
  }

  SourceLocation place(uint64_t pc) const {
    const CoreModule* module = stacks_.module_at(pc);
    return module ? symbolizer_.locate(*module, pc - module->load_bias).front() : SourceLocation{};
  }

  // On its thread's registers if they are on the goroutine's own stack; else from where the runtime has put them down.
  void read_stack(uint64_t address, Goroutine& one) {
    const auto low = field(address, "g.stack.lo"), high = field(address, "g.stack.hi");
    std::optional<format::GeneralRegisters> registers;
    bool resumes = false;
    if (one.thread && low && high)
      if (const auto own = target_.registers(*one.thread); own && own->rsp >= *low && own->rsp < *high)
        registers = *own;
    if (one.thread && !registers && low && high && interrupted_stack(*one.thread, *low, *high, one.stack)) return;
    if (!registers) {
      // In a system call the runtime has left these, for the collector; else what gogo would load.
      const bool in_call = one.state == "syscall" && field(address, "g.syscallsp").value_or(0) != 0;
      const auto pc = field(address, in_call ? "g.syscallpc" : "g.sched.pc");
      const auto sp = field(address, in_call ? "g.syscallsp" : "g.sched.sp");
      if (!pc || !sp || *sp == 0 || (low && high && (*sp < *low || *sp > *high))) {
        one.stack.end = "its registers are not in the dump";
        return;
      }
      registers.emplace();
      // It goes on behind a call, whose line is the one that counts, unless it has not begun yet.
      resumes = *pc != 0 && place(*pc).function == place(*pc - 1).function;
      registers->rip = *pc - (resumes ? 1 : 0);
      registers->rsp = *sp;
      registers->rbp = field(address, "g.sched.bp").value_or(0);
    }
    one.stack = stacks_.read_from(*registers, options_);
    for (Frame& frame : one.stack.frames) {
      if (!resumes || frame.pc != registers->rip) break;
      ++frame.pc;
      ++frame.module_offset;
    }
  }

  // The thread runs a signal's handler on a stack of its own: below its frames stand those of the goroutine.
  bool interrupted_stack(uint32_t thread, uint64_t low, uint64_t high, Stack& to) {
    auto whole = stacks_.read(thread, options_);
    if (!whole) return false;
    const auto first = std::find_if(whole->frames.begin(), whole->frames.end(),
                                    [&](const Frame& frame) { return frame.cfa > low && frame.cfa <= high; });
    if (first == whole->frames.end()) return false;
    to.frames.assign(first, whole->frames.end());
    to.end = whole->end;
    return true;
  }

  const GoRuntime& runtime_;
  const FileBackedTarget target_;
  Symbolizer& symbolizer_;
  StackReader& stacks_;
  const StackOptions& options_;
  Goroutines result_;
};

}  // namespace

Result<Goroutines> read_goroutines(const Target& target, Symbolizer& symbolizer, StackReader& reader,
                                   const StackOptions& options) {
  const GoRuntime runtime = TRY(GoRuntime::find(target, symbolizer));
  return GoroutineReader(runtime, target, symbolizer, reader, options).run();
}

const Goroutine* crashed_goroutine(const Goroutines& goroutines, const Target& target) {
  for (const TargetThread& thread : target.threads()) {
    if (!thread.crashed) continue;
    for (const Goroutine& one : goroutines.all)
      if (one.thread == thread.id && one.state != "waiting") return &one;
  }
  return nullptr;
}

}  // namespace mortem::inspector
