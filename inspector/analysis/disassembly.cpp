#include "inspector/analysis/disassembly.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdio>

#include "inspector/analysis/x86_disassembler.h"

namespace mortem::inspector {
namespace {

// Null: it is not where this program's RUNPATH says, which is told once.
const X86Disassembler* loaded() {
  static const X86Disassembler* const disassembler = []() -> const X86Disassembler* {
    void* const library = dlopen("libmortem-disassembly.so", RTLD_NOW | RTLD_LOCAL);
    using Make = decltype(&mortem_x86_disassembler);
    const auto make = library ? reinterpret_cast<Make>(dlsym(library, "mortem_x86_disassembler")) : nullptr;
    if (make) return make();
    fmt::print(stderr, "mortem: no instructions are shown: {}: it belongs beside this program\n", dlerror());
    return nullptr;
  }();
  return disassembler;
}

}  // namespace

const char* register_name(int dwarf_number) {
  static constexpr const char* kNames[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  return dwarf_number >= 0 && dwarf_number < 16 ? kNames[dwarf_number] : "?";
}

std::optional<InstructionFacts> instruction_facts(uint64_t address, std::span<const uint8_t> code) {
  const X86Disassembler* disassembler = loaded();
  return disassembler ? disassembler->facts(address, code) : std::nullopt;
}

std::vector<Instruction> disassemble(uint64_t address, std::span<const uint8_t> code, size_t count) {
  std::vector<Instruction> result;
  const X86Disassembler* disassembler = loaded();
  if (!disassembler) return result;
  for (size_t at = 0; result.size() < count && at < code.size();) {
    auto instruction = disassembler->read(address + at, code.subspan(at));
    if (!instruction) break;
    at += instruction->bytes.size();
    result.push_back(std::move(*instruction));
  }
  return result;
}

}  // namespace mortem::inspector
