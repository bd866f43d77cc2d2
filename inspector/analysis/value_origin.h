// Where the value of a register came from, as the source names it: by the debug information, and where that names
// nothing (a temporary: `a->b->c`) by following the machine code back.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "inspector/analysis/debug_names.h"
#include "inspector/analysis/disassembly.h"
#include "inspector/target/target.h"

namespace mortem::inspector {

// A term of a sum: a variable, a member, what a function gave.
struct NamedValue {
  std::string text;  // "conn", "conn->next", "table[3]"; "result of `find_user`"
  bool is_call = false;
  TypeHandle type = kNoType;
  std::optional<uint64_t> value{};  // what it was, where that is still known
  // Of a member: the pointer to the object it was read from, and that object's address if known.
  std::string owner{};
  std::optional<uint64_t> owner_address{};
};

// base + index * scale + constant. A part that the source has no name for is absent.
struct ValueOrigin {
  std::optional<NamedValue> base, index;
  uint64_t scale = 1;
  int64_t constant = 0;
};

// The code of one frame, from its function's start to the pc; reading it once serves all questions.
class OriginTracer {
 public:
  struct Frame {
    uint64_t pc = 0, cfa = 0;
    FrameRegisters registers;
  };
  // `read_code` gives the bytes of code at an address, the number of them; `function_name` a function's short name.
  using ReadCode = std::function<size_t(uint64_t address, std::span<uint8_t> to)>;
  using FunctionName = std::function<std::string(uint64_t address)>;
  OriginTracer(DebugNames& names, const Target& target, Frame frame, const ReadCode& read_code,
               FunctionName function_name);

  // The instruction at the frame's pc; or, of a caller, the call that returns there. Null: its code is not there.
  const InstructionFacts* at_pc() const;
  const InstructionFacts* call_before_pc() const;

  // Of a register's value before the instruction at `address`. Nothing: the source has no name for it.
  std::optional<ValueOrigin> of_register(int number, uint64_t address);
  // Of the address that an operand of the instruction at `address` makes. The displacement is part of it.
  std::optional<ValueOrigin> of_address(const MemoryOperand& operand, uint64_t address);
  // Of what the operand's memory holds: "conn->next".
  std::optional<NamedValue> of_memory(const MemoryOperand& operand, uint64_t size, uint64_t address);

 private:
  std::optional<ValueOrigin> trace_register(int number, uint64_t address, unsigned depth);
  std::optional<ValueOrigin> trace_address(const MemoryOperand& operand, uint64_t address, unsigned depth);
  std::optional<NamedValue> trace_memory(const MemoryOperand& operand, uint64_t size, uint64_t address, unsigned depth);
  std::optional<ValueOrigin> after(const InstructionFacts& instruction, int number, unsigned depth);
  // The instruction that gave the register its value, on every way to `address`; null: there may be several.
  const InstructionFacts* definition_before(int number, uint64_t address) const;
  size_t index_of(uint64_t address) const;  // code_.size(): none starts there
  // The register's value before the instruction at `address`, if nothing has changed it since.
  std::optional<uint64_t> value_of(int number, uint64_t address) const;
  std::optional<uint64_t> read_value(uint64_t address, uint64_t size) const;

  DebugNames& names_;
  const Target& target_;
  Frame frame_;
  FunctionName function_name_;
  std::vector<InstructionFacts> code_;
  std::vector<uint64_t> targets_;  // of direct jumps inside the function, sorted
  bool indirect_jumps_ = false;    // may lead anywhere in it
};

}  // namespace mortem::inspector
