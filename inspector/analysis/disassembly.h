// x86-64 instructions as text (Intel syntax), by LLVM.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mortem::inspector {

struct Instruction {
  uint64_t address = 0;
  std::span<const uint8_t> bytes;
  std::string text;                // targets of jumps and calls as absolute addresses
  std::optional<uint64_t> target;  // where a direct jump or call leads
};

// From `address`, the first byte of `code`, on; ends early where the bytes are no instruction.
std::vector<Instruction> disassemble(uint64_t address, std::span<const uint8_t> code, size_t count);

}  // namespace mortem::inspector
