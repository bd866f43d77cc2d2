#include <fmt/format.h>

#include "inspector/unwind/call_frame_information.h"

namespace mortem::inspector {
namespace {

using Kind = UnwindRule::Kind;

const char* register_name(unsigned number) {
  for (const format::RegisterDescription& one : format::kGeneralRegisters)
    if (one.dwarf_number == static_cast<int>(number)) return one.name;
  return "a register beyond the general ones";
}

std::optional<uint64_t> find_cfa(const UnwindRow& row, const FrameRegisters& registers, MemoryCache& memory,
                                 std::string* missing) {
  if (row.cfa.kind == Kind::IsExpression) {
    auto value = evaluate_expression(row.cfa.expression, registers, memory, std::nullopt);
    if (!value) *missing = "the expression for the frame's address needs what is not known";
    return value;
  }
  if (const auto base = registers.get(row.cfa.number)) return *base + static_cast<uint64_t>(row.cfa.offset);
  *missing = fmt::format("{}, on which the frame rests, is not known", register_name(row.cfa.number));
  return std::nullopt;
}

// The address at which a register was saved; nothing if it was not saved in memory.
std::optional<uint64_t> saved_at(const UnwindRule& rule, const FrameRegisters& registers, MemoryCache& memory,
                                 uint64_t cfa) {
  if (rule.kind == Kind::AtOffset) return cfa + static_cast<uint64_t>(rule.offset);
  if (rule.kind == Kind::AtExpression) return evaluate_expression(rule.expression, registers, memory, cfa);
  return std::nullopt;
}

std::optional<uint64_t> caller_value(unsigned number, const UnwindRule& rule, const FrameRegisters& registers,
                                     MemoryCache& memory, uint64_t cfa) {
  switch (rule.kind) {
    case Kind::SameValue:
      return registers.get(number);
    case Kind::Undefined:
      return std::nullopt;
    case Kind::IsOffset:
      return cfa + static_cast<uint64_t>(rule.offset);
    case Kind::InRegister:
      return registers.get(rule.number);
    case Kind::IsExpression:
      return evaluate_expression(rule.expression, registers, memory, cfa);
    case Kind::AtOffset:
    case Kind::AtExpression:
      break;
  }
  const auto address = saved_at(rule, registers, memory, cfa);
  return address ? memory.read_word(*address) : std::nullopt;
}

}  // namespace

std::optional<UnwoundFrame> apply_row(const UnwindRow& row, const FrameRegisters& registers, MemoryCache& memory,
                                      std::string* missing) {
  const auto cfa = find_cfa(row, registers, memory, missing);
  if (!cfa) return std::nullopt;
  UnwoundFrame result;
  result.cfa = *cfa;
  const UnwindRule& return_rule = row.registers[row.return_address];
  result.outermost = return_rule.kind == Kind::Undefined;

  result.caller = registers;
  if (!row.signal_frame) result.caller.forget_call_clobbered();
  for (unsigned number = 0; number < FrameRegisters::kCount; ++number) {
    const UnwindRule& rule = row.registers[number];
    if (rule.kind == Kind::SameValue) continue;
    const auto value = caller_value(number, rule, registers, memory, *cfa);
    value ? result.caller.set(number, *value) : result.caller.forget(number);
  }
  // The stack pointer of the caller is the CFA unless a rule says otherwise (psABI 3.7.1, signal frames do).
  if (row.registers[FrameRegisters::kRsp].kind == Kind::SameValue) result.caller.set(FrameRegisters::kRsp, *cfa);
  if (result.outermost) return result;

  // Without a rule for the return address the caller would be the frame itself.
  const auto return_address = return_rule.kind == Kind::SameValue && row.return_address == FrameRegisters::kRip
                                  ? std::nullopt
                                  : result.caller.get(row.return_address);
  if (!return_address) {
    const auto address = saved_at(return_rule, registers, memory, *cfa);
    *missing = address ? fmt::format("memory {:#x}, which holds the return address, is not in the dump", *address)
                       : "the return address is not known";
    return std::nullopt;
  }
  result.caller.set(FrameRegisters::kRip, *return_address);
  if (!result.caller.known(FrameRegisters::kRsp)) {
    *missing = "the caller's stack pointer is not known";
    return std::nullopt;
  }
  return result;
}

}  // namespace mortem::inspector
