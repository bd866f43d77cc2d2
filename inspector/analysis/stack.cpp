#include "inspector/analysis/stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "inspector/analysis/recursion.h"
#include "inspector/unwind/module_files.h"
#include "inspector/unwind/unwinder.h"

namespace mortem::inspector {
namespace {

// Equal frames have equal numbers: the same place in the program, and the same function inlined there.
uint64_t identity(uint64_t pc, size_t inline_depth) {
  return pc * 0x9E3779B97F4A7C15 + inline_depth;
}

void add_frames(Stack& stack, std::vector<uint64_t>& identities, const PhysicalFrame& physical,
                const CoreModule* module, Symbolizer& symbolizer, const StackOptions& options) {
  Frame frame;
  frame.pc = physical.pc;
  frame.cfa = physical.cfa;
  frame.trust = physical.trust;
  frame.signal_frame = physical.signal_frame;
  frame.physical = stack.frames.empty() ? 0 : stack.frames.back().physical + 1;
  if (!module) {
    identities.push_back(identity(physical.pc, 0));
    stack.frames.push_back(std::move(frame));
    return;
  }
  frame.module = module->path;
  frame.kernel = module->kind == format::ModuleKind::Kernel;
  frame.module_offset = physical.pc - module->load_bias;
  const auto& chain = symbolizer.locate(*module, physical.lookup() - module->load_bias);
  for (size_t index = options.inlined ? 0 : chain.size() - 1; index < chain.size(); ++index) {
    const SourceLocation& place = chain[index];
    frame.function = place.function;
    frame.file = place.file;
    frame.line = place.line;
    frame.column = place.column;
    frame.inlined = place.inlined;
    frame.inline_depth = static_cast<uint32_t>(index);
    identities.push_back(identity(physical.pc, index));
    stack.frames.push_back(frame);
  }
}

// Between a frame and its caller: what was called from there and has jumped on.
std::vector<PhysicalFrame> tail_call_frames(const PhysicalFrame& frame, const PhysicalFrame& caller,
                                            const Target& target, Symbolizer& symbolizer) {
  std::vector<PhysicalFrame> frames;
  if (frame.signal_frame || caller.trust != Trust::Cfi) return frames;
  for (const uint64_t address : symbolizer.tail_calls(target.modules(), caller.pc, frame.lookup())) {
    frames.emplace_back();
    frames.back().pc = address;
    frames.back().trust = Trust::TailCall;
  }
  return frames;
}

}  // namespace

const char* trust_name(Trust trust) {
  switch (trust) {
    case Trust::Registers:
      return "registers";
    case Trust::Cfi:
      return "cfi";
    case Trust::FramePointer:
      return "frame pointer";
    case Trust::Scan:
      return "scan";
    case Trust::TailCall:
      return "tail call";
  }
  return "unknown";
}

StackReader::StackReader(const Target& target, Symbolizer& symbolizer)
    : target_(target),
      symbolizer_(symbolizer),
      files_(std::make_unique<ModuleFiles>(target, symbolizer)),
      memory_(std::make_unique<MemoryCache>(target)),
      modules_(std::make_unique<ModuleImages>(target, symbolizer, *memory_)) {}
StackReader::~StackReader() = default;

Result<Stack> StackReader::read(uint32_t thread, const StackOptions& options) {
  Stack stack = read_from(TRY(target_.registers(thread)), options);
  name(stack, thread);
  return stack;
}

void StackReader::name(Stack& stack, uint32_t thread) const {
  stack.thread = thread;
  for (const TargetThread& one : target_.threads()) {
    if (one.id != thread) continue;
    stack.thread_name = one.name;
    stack.crashed = one.crashed;
  }
}

std::optional<Stack> StackReader::read_in_kernel(uint32_t thread, const StackOptions& options) {
  const auto& threads = target_.core().threads();
  const auto one = std::find_if(threads.begin(), threads.end(), [&](const auto& it) { return it.id == thread; });
  if (one == threads.end() || one->switch_frame == 0) return std::nullopt;
  format::SwitchFrame saved;
  const auto got = target_.read_memory(one->switch_frame, {reinterpret_cast<uint8_t*>(&saved), sizeof saved});
  const CoreModule* module = got && *got == sizeof saved ? modules_->find(saved.rip - 1) : nullptr;
  if (!module || module->kind != format::ModuleKind::Kernel) return std::nullopt;
  // DWARF numbers (AMD64 psABI 1.0, figure 3.36). What a call may change is not kept, and not known.
  FrameRegisters registers;
  registers.set(3, saved.rbx);
  registers.set(FrameRegisters::kRbp, saved.rbp);
  registers.set(12, saved.r12);
  registers.set(13, saved.r13);
  registers.set(14, saved.r14);
  registers.set(15, saved.r15);
  registers.set(FrameRegisters::kRip, saved.rip);
  registers.set(FrameRegisters::kRsp, one->switch_frame + sizeof saved);
  Stack stack = read_from(registers, options, FirstFrame::Calls);
  name(stack, thread);
  return stack;
}

Stack StackReader::read_from(const format::GeneralRegisters& registers, const StackOptions& options) {
  return read_from(FrameRegisters(registers), options, FirstFrame::Interrupted);
}

Stack StackReader::read_from(const FrameRegisters& registers, const StackOptions& options, FirstFrame first) {
  Stack stack;
  const UnwoundStack unwound = unwind(registers, *modules_, *memory_, options.frame_limit,
                                      options.registers ? KeepRegisters::Yes : KeepRegisters::No, first);
  stack.end = unwound.end;
  std::vector<uint64_t> identities;
  stack.frames.reserve(unwound.frames.size());
  identities.reserve(unwound.frames.size());
  const CoreModule* module = nullptr;
  for (size_t index = 0; index < unwound.frames.size(); ++index) {
    const PhysicalFrame& physical = unwound.frames[index];
    const CoreModule* called_from = modules_->find(physical.lookup());
    if (options.tail_calls && index > 0 && called_from && module)
      for (const PhysicalFrame& one : tail_call_frames(unwound.frames[index - 1], physical, target_, symbolizer_)) {
        add_frames(stack, identities, one, modules_->find(one.lookup()), symbolizer_, options);
        if (options.registers) stack.registers.emplace_back();
      }
    module = called_from;
    add_frames(stack, identities, physical, module, symbolizer_, options);
    if (options.registers) stack.registers.push_back(unwound.registers[index]);
  }
  stack.recursions = find_recursions(identities);
  return stack;
}

size_t StackReader::read_code(uint64_t address, std::span<uint8_t> to) {
  return modules_->read_code(address, to);
}

const UnwindRow* StackReader::unwind_row(uint64_t address) {
  return modules_->unwind_row(address);
}

const CoreModule* StackReader::module_at(uint64_t address) const {
  return modules_->find(address);
}

Result<Stack> unwind_stack(const Target& target, Symbolizer& symbolizer, uint32_t thread, const StackOptions& options) {
  return StackReader(target, symbolizer).read(thread, options);
}

}  // namespace mortem::inspector
