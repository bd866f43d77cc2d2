// Instructions of x86-64, one at a time, by LLVM: in a library of its own, libmortem-disassembly.so, which is loaded
// when the first is asked for. LLVM's tables of all x86 processors hold a hundred thousand addresses, which the loader
// would write at every start: a third of the time in which a stack is shown.
#pragma once

#include "inspector/analysis/disassembly.h"

namespace mortem::inspector {

class X86Disassembler {
 public:
  virtual ~X86Disassembler() = default;
  // Nothing: the bytes are no instruction.
  virtual std::optional<Instruction> read(uint64_t address, std::span<const uint8_t> code) const = 0;
  virtual std::optional<InstructionFacts> facts(uint64_t address, std::span<const uint8_t> code) const = 0;
};

}  // namespace mortem::inspector

extern "C" const mortem::inspector::X86Disassembler* mortem_x86_disassembler();
