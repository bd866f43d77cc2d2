#include "inspector/analysis/thread_list.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "inspector/analysis/system_calls.h"

namespace mortem::inspector {

// Linux keeps the number of the call that a thread is in, and -1 otherwise, in orig_rax (ptrace(2)).
std::optional<uint64_t> system_call_of(const TargetThread& thread, const Target& target) {
  const auto registers = target.registers(thread.id);
  constexpr uint64_t kMostCalls = 4096;
  if (!registers || thread.in_kernel || registers->orig_rax > kMostCalls) return std::nullopt;
  // After the instruction: a trap elsewhere may have left an older number.
  uint8_t code[2] = {};
  const auto read = target.read_memory(registers->rip - 2, code);
  const bool known = read && *read == 2;
  if (known && (code[0] != 0x0F || code[1] != 0x05)) return std::nullopt;
  return registers->orig_rax;
}

std::string thread_state_text(const TargetThread& thread, std::optional<uint64_t> system_call) {
  if (thread.crashed) return "crashed";
  if (thread.in_kernel) return "in the kernel";
  return system_call ? "in " + system_call_name(*system_call) : "running";
}

const Frame* telling_frame(const Stack& stack) {
  const Frame* named = nullptr;
  for (const Frame& frame : stack.frames) {
    if (!frame.function.empty() && frame.line != 0) return &frame;
    if (!frame.function.empty() && !named) named = &frame;
  }
  return named ? named : stack.frames.empty() ? nullptr : &stack.frames.front();
}

std::string frame_place_text(const Frame* frame) {
  if (!frame) return "unknown";
  if (frame->function.empty()) return fmt::format("{:#x}", frame->pc);
  if (frame->line == 0) return frame->function;
  return fmt::format("{} at {}:{}", frame->function, std::filesystem::path(frame->file).filename().string(),
                     frame->line);
}

std::vector<size_t> group_equal_stacks(const std::vector<const Stack*>& stacks) {
  std::map<std::vector<uint64_t>, size_t> groups;
  std::vector<size_t> result;
  for (const Stack* stack : stacks) {
    std::vector<uint64_t> places;
    for (const Frame& frame : stack->frames) places.push_back(frame.pc);
    result.push_back(groups.try_emplace(std::move(places), groups.size()).first->second);
  }
  return result;
}

}  // namespace mortem::inspector
