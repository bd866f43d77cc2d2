// x86-64 instructions as text (Intel syntax), by LLVM.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mortem::inspector {

struct Instruction {
  uint64_t address = 0;
  std::span<const uint8_t> bytes;
  std::string text;
};

// From `address`, the first byte of `code`, on; ends early where the bytes are no instruction.
std::vector<Instruction> disassemble(uint64_t address, std::span<const uint8_t> code, size_t count);

}  // namespace mortem::inspector
