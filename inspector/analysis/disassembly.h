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

// An address that an instruction makes: base + index * scale + displacement. Registers by their DWARF numbers, as their
// 64-bit whole.
struct MemoryOperand {
  static constexpr int kNone = -1;
  int base = kNone, index = kNone;  // base of an instruction-relative address: none, displacement is the address
  unsigned scale = 1;
  int64_t displacement = 0;
  bool thread_local_base = false;  // fs: or gs: is added
};

// What an instruction does, as far as following values through it needs.
struct InstructionFacts {
  enum class Kind : uint8_t {
    Other,
    Load,          // `destination` = memory
    LoadSigned,    // the same, sign-extended
    Move,          // `destination` = `source`
    LoadAddress,   // `destination` = the operand's address
    AddConstant,   // `destination` += `constant`
    Add,           // `destination` += `source`
    ShiftLeft,     // `destination` <<= `constant`
    ExtendSigned,  // `destination` = `source`, sign-extended from 32 bits
    Zero,          // `destination` = 0
    Divide,        // by `source` or by memory, of `access_size` bytes
    Call,
    Jump,  // conditional or not, its target known
    IndirectJump,
    Return,
  };
  Kind kind = Kind::Other;
  uint64_t address = 0;
  uint8_t length = 0;
  int destination = -1, source = -1;
  int64_t constant = 0;
  std::optional<MemoryOperand> memory;  // of an access or an address
  std::vector<MemoryOperand> accesses;  // what it reads or writes, the stack by push, pop, call and return too
  unsigned access_size = 0;             // bytes that an access or a division is wide; 0: unknown
  bool reads = false, writes = false;   // memory
  uint32_t changed = 0;                 // registers that it writes, a bit a DWARF number
  std::optional<uint64_t> target;       // of a direct call or jump
  std::string text;
};

const char* register_name(int dwarf_number);  // "rax"; "?" for none
// Nothing: the bytes are no instruction.
std::optional<InstructionFacts> instruction_facts(uint64_t address, std::span<const uint8_t> code);

// From `address`, the first byte of `code`, on; ends early where the bytes are no instruction.
std::vector<Instruction> disassemble(uint64_t address, std::span<const uint8_t> code, size_t count);

}  // namespace mortem::inspector
