// The operators of a DWARF expression that push a number which stands behind them (DWARF 5, section 2.5.1.1); addresses
// are left to those who know where they are.
#pragma once

#include <libdwarf/dwarf.h>

#include <optional>

#include "inspector/elf/byte_cursor.h"

namespace mortem::inspector {

// Nothing: `operation` is none of them. The cursor is bad when the number is cut off.
inline std::optional<uint64_t> read_constant(uint8_t operation, ByteCursor& operands) {
  if (operation >= DW_OP_lit0 && operation <= DW_OP_lit31) return operation - DW_OP_lit0;
  switch (operation) {
    case DW_OP_const1u:
      return operands.u8();
    case DW_OP_const1s:
      return static_cast<uint64_t>(int64_t{static_cast<int8_t>(operands.u8())});
    case DW_OP_const2u:
      return operands.u16();
    case DW_OP_const2s:
      return static_cast<uint64_t>(int64_t{static_cast<int16_t>(operands.u16())});
    case DW_OP_const4u:
      return operands.u32();
    case DW_OP_const4s:
      return static_cast<uint64_t>(int64_t{static_cast<int32_t>(operands.u32())});
    case DW_OP_const8u:
    case DW_OP_const8s:
      return operands.u64();
    case DW_OP_constu:
      return operands.uleb();
    case DW_OP_consts:
      return static_cast<uint64_t>(operands.sleb());
    default:
      return std::nullopt;
  }
}

}  // namespace mortem::inspector
