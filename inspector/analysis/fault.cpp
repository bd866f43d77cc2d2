#include "inspector/analysis/fault.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>

#include "inspector/analysis/file_backed_target.h"
#include "inspector/analysis/freed_memory.h"
#include "inspector/analysis/function_names.h"
#include "inspector/analysis/memory_places.h"

namespace mortem::inspector {
namespace {

constexpr uint32_t kStackFault = 12, kGeneralProtection = 13, kPageFault = 14, kAlignmentCheck = 17;
// Intel SDM vol. 3, figure 4-12: bits of a page fault's error code.
constexpr uint64_t kWrite = 2, kInstruction = 16;

class FaultExplanation {
 public:
  FaultExplanation(const CrashScene& scene, const FaultFacts& facts)
      : scene_(scene),
        facts_(facts),
        memory_(scene.target, scene.reader),
        names_(DebugNames::create(scene.symbolizer, scene.target.modules())) {
    if (!scene.stack) return;
    if (const auto registers = scene.target.registers(scene.stack->thread)) registers_.emplace(*registers);
    if (registers_ && !scene.stack->frames.empty())
      tracer_.emplace(*names_, memory_, OriginTracer::Frame{registers_->pc(), frame_cfa(0), *registers_}, code_reader(),
                      function_namer());
  }

  Fault run() {
    switch (facts_.signal) {
      case SIGFPE:
        fault_.text = arithmetic_text();
        break;
      case SIGILL:
        fault_.text = "illegal instruction" + illegal_text();
        break;
      case SIGTRAP:
        fault_.text = "breakpoint or trace trap";
        break;
      default:
        fault_.text = memory_text();
    }
    return std::move(fault_);
  }

 private:
  OriginTracer::ReadCode code_reader() {
    return [this](uint64_t address, std::span<uint8_t> to) { return scene_.reader.read_code(address, to); };
  }
  OriginTracer::FunctionName function_namer() {
    return [this](uint64_t address) -> std::string {
      const CoreModule* module = scene_.reader.module_at(address);
      if (!module) return {};
      return plain_function_name(scene_.symbolizer.locate(*module, address - module->load_bias).back().function);
    };
  }
  uint64_t frame_cfa(size_t index) const {
    return index < scene_.stack->frames.size() ? scene_.stack->frames[index].cfa : 0;
  }

  std::string arithmetic_text() {
    const InstructionFacts* instruction = tracer_ ? tracer_->at_pc() : nullptr;
    if (facts_.code != FPE_INTDIV || !instruction || instruction->kind != InstructionFacts::Kind::Divide)
      return facts_.code == FPE_INTDIV ? "integer division by zero or overflow of its quotient" : "arithmetic error";
    const uint64_t size = instruction->access_size;
    std::string name;
    std::optional<uint64_t> divisor;
    if (instruction->memory) {
      if (const auto named = tracer_->of_memory(*instruction->memory, size, instruction->address)) {
        name = "`" + named->text + "`";
        divisor = named->value;
      }
    } else if (instruction->source >= 0) {
      divisor = registers_->get(static_cast<unsigned>(instruction->source));
      name = register_name(instruction->source);
      const auto origin = tracer_->of_register(instruction->source, instruction->address);
      if (origin && origin->base && !origin->index && origin->constant == 0)
        name = origin->base->is_call ? origin->base->text : "`" + origin->base->text + "`";
    }
    if (!divisor) return "integer division by zero or overflow of its quotient";
    const uint64_t mask = size >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * size)) - 1;
    if ((*divisor & mask) == 0) return fmt::format("integer division by zero: {} is 0", name);
    return fmt::format("the quotient of an integer division does not fit: {} is {}", name,
                       (*divisor & mask) == mask ? int64_t{-1} : static_cast<int64_t>(*divisor & mask));
  }

  std::string illegal_text() {
    const InstructionFacts* instruction = tracer_ ? tracer_->at_pc() : nullptr;
    if (!instruction || !instruction->text.starts_with("ud")) return "";
    return fmt::format(" `{}`: where compilers mark what must not be reached (__builtin_trap, a missing return)",
                       instruction->text);
  }

  std::string memory_text() {
    if (facts_.address && registers_ && registers_->pc() == *facts_.address) return jump_text(*facts_.address);
    if (facts_.address && is_stack_overflow(*facts_.address)) {
      fault_.stack_overflow = true;
      return overflow_text(*facts_.address);
    }
    FaultQuestion question;
    question.address = facts_.address;
    question.alignment = facts_.signal == SIGBUS && (facts_.trap == kAlignmentCheck || facts_.code == BUS_ADRALN);
    if (facts_.trap == kPageFault) question.write = (facts_.error_code & kWrite) != 0;
    const bool general =
        facts_.trap == kGeneralProtection || facts_.trap == kStackFault || (!facts_.trap && facts_.code == SI_KERNEL);
    if (!facts_.address && !general && !question.alignment) return "bad access, its address is not recorded";
    if (tracer_) fault_.access = explain_access(*tracer_, *names_, memory_, *registers_, question);
    if (!fault_.access) {
      if (question.alignment) return "misaligned access";
      return facts_.address ? bare_access_text(*facts_.address) : general_text();
    }
    std::string text = access_text(*fault_.access);
    // What was read from a freed object is anything.
    const FaultAccess& access = *fault_.access;
    if (access.owner_address && is_freed(scene_.core, scene_.target, *access.owner_address))
      text += fmt::format("; `{}` points to freed memory", access.owner);
    else if (access.pointer_kind == PointerKind::Valid && access.pointer_value &&
             is_freed(scene_.core, scene_.target, *access.pointer_value))
      text +=
          fmt::format("; `{}` points to freed memory", access.pointer.empty() ? access.base_register : access.pointer);
    return text;
  }

  std::string access_text(const FaultAccess& access) const {
    std::string text = access.verb;
    if (access.size != 0) text += fmt::format(" of {} byte{}", access.size, access.size == 1 ? "" : "s");
    text += fmt::format(" {} {:#x}", access.verb == "write" ? "to" : "at", access.address);
    std::string why;
    if (access.misaligned)
      why = "not aligned";
    else if (!is_canonical(access.address))
      why = "not canonical";
    else if (access.pointer_kind != PointerKind::Null || access.text.empty())
      why = memory_place_text(scene_.core, access.address, access.pointer_value);
    // What the pointer is called wild for need not be said twice.
    if (!access.text.empty() && !access.misaligned &&
        (access.pointer_kind == PointerKind::NotCanonical ||
         (access.pointer_kind == PointerKind::NotMapped && why == "not mapped")))
      why.clear();
    if (!why.empty()) text += fmt::format(" ({})", why);
    if (!access.text.empty()) text += ": " + access.text;
    return text;
  }

  // Without knowing how the instruction came to the address.
  std::string bare_access_text(uint64_t address) const {
    const std::string verb = facts_.trap != kPageFault                 ? "access to"
                             : (facts_.error_code & kInstruction) != 0 ? "execution of"
                             : (facts_.error_code & kWrite) != 0       ? "write to"
                                                                       : "read of";
    return fmt::format("{} address {:#x} ({})", verb, address, memory_place_text(scene_.core, address, {}));
  }

  std::string general_text() const {
    static constexpr const char* kPrivileged[] = {"hlt",  "cli", "sti",  "in",    "out",   "ins",    "outs", "lgdt",
                                                  "lidt", "ltr", "lldt", "wrmsr", "rdmsr", "invlpg", "clts", "lmsw"};
    if (const InstructionFacts* instruction = tracer_ ? tracer_->at_pc() : nullptr) {
      const std::string word = instruction->text.substr(0, instruction->text.find(' '));
      const bool control = word == "mov" && (instruction->text.find(" cr") != std::string::npos ||
                                             instruction->text.find(" dr") != std::string::npos);
      if (control || std::find(std::begin(kPrivileged), std::end(kPrivileged), word) != std::end(kPrivileged))
        return fmt::format("privileged instruction `{}`", instruction->text);
    }
    return "general protection fault: an address that is not canonical, a misaligned SSE operand, or a privileged "
           "instruction";
  }

  std::string jump_text(uint64_t address) {
    const std::string place = address == 0 ? "" : fmt::format(" ({})", memory_place_text(scene_.core, address, {}));
    std::string text = fmt::format("jump to {:#x}{}", address, place);
    // The call left its return address on top of the stack; nothing else has run since.
    if (!registers_ || scene_.stack->frames.size() < 2) return text;
    const Frame& caller = scene_.stack->frames[1];
    FrameRegisters registers = *registers_;
    registers.set(FrameRegisters::kRip, caller.pc);
    registers.set(FrameRegisters::kRsp, registers_->sp() + 8);
    OriginTracer tracer(*names_, memory_, {caller.pc, frame_cfa(1), registers}, code_reader(), function_namer());
    const InstructionFacts* call = tracer.call_before_pc();
    if (!call || call->target) return text;
    fault_.access = explain_bad_call(tracer, *names_, memory_, *call, address);
    return fmt::format("call of {:#x}{}{}", address, place,
                       fault_.access->text.empty() ? "" : ": " + fault_.access->text);
  }

  // The address is not accessible, near the stack pointer, and below the memory that holds the callers' frames.
  bool is_stack_overflow(uint64_t address) const {
    constexpr uint64_t kNear = 256 << 10, kGuard = 1 << 20;
    if (!registers_ || scene_.stack->frames.size() < 2) return false;
    const uint64_t stack_pointer = registers_->sp();
    const uint64_t distance = address > stack_pointer ? address - stack_pointer : stack_pointer - address;
    if (distance > kNear) return false;
    for (const snapshot::CoreSegment& segment : scene_.core.segments()) {
      if (segment.address <= address || segment.address - address > kGuard || (segment.flags & 2) == 0) continue;
      return std::any_of(scene_.stack->frames.begin(), scene_.stack->frames.end(), [&](const Frame& frame) {
        return frame.cfa > segment.address && frame.cfa - segment.address <= segment.memory_size;
      });
    }
    return false;
  }

  std::string overflow_text(uint64_t address) const {
    const Stack& stack = *scene_.stack;
    std::string text = fmt::format("stack overflow at address {:#x}, {} frames deep", address, stack.frames.size());
    if (stack.end.starts_with("frame limit")) text += " or more";
    const auto longest = std::max_element(
        stack.recursions.begin(), stack.recursions.end(),
        [](const Recursion& a, const Recursion& b) { return a.period * a.count < b.period * b.count; });
    if (longest == stack.recursions.end()) return text;
    text += fmt::format(", {} {} repeated {} times", longest->period, longest->period == 1 ? "frame" : "frames",
                        longest->count);
    constexpr size_t kNamed = 4;
    std::string cycle;
    for (size_t index = 0; index < longest->period && index < kNamed; ++index) {
      const std::string& function = stack.frames[longest->first + index].function;
      if (function.empty()) return text;
      // Innermost first on the stack; who calls whom reads the other way.
      cycle = plain_function_name(function) + (cycle.empty() ? "" : " -> " + cycle);
    }
    return text + fmt::format(" ({}{})", longest->period > kNamed ? "... -> " : "", cycle);
  }

  const CrashScene& scene_;
  const FaultFacts& facts_;
  const FileBackedTarget memory_;
  std::unique_ptr<DebugNames> names_;
  std::optional<FrameRegisters> registers_;
  std::optional<OriginTracer> tracer_;  // of the innermost frame
  Fault fault_;
};

}  // namespace

Fault explain_fault(const CrashScene& scene, const FaultFacts& facts) {
  return FaultExplanation(scene, facts).run();
}

}  // namespace mortem::inspector
