// DWARF expressions as call frame information uses them (DWARF 5, sections 2.5 and 6.4.2).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "inspector/unwind/frame_registers.h"
#include "inspector/unwind/memory_cache.h"

namespace mortem::inspector {

// The value on top of the stack at the end; nothing if a register or memory is not known, an operator is not one of
// these, or the expression is broken. `initial` is pushed first (the CFA, for register rules).
std::optional<uint64_t> evaluate_expression(std::span<const uint8_t> expression, const FrameRegisters& registers,
                                            MemoryCache& memory, std::optional<uint64_t> initial);

}  // namespace mortem::inspector
