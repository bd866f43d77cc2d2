#include "inspector/unwind/call_instruction.h"

namespace mortem::inspector {
namespace {

// Length of an instruction FF with this ModRM byte and what follows (SDM vol. 2, tables 2-2 and 2-3).
size_t indirect_length(uint8_t modrm, uint8_t sib) {
  const unsigned mode = modrm >> 6, base = modrm & 7;
  if (mode == 3) return 2;
  const bool has_sib = base == 4;
  size_t length = 2 + (has_sib ? 1 : 0);
  if (mode == 1) return length + 1;
  if (mode == 2) return length + 4;
  const bool has_displacement = base == 5 || (has_sib && (sib & 7) == 5);
  return length + (has_displacement ? 4 : 0);
}

}  // namespace

bool ends_in_call(std::span<const uint8_t> bytes) {
  const size_t size = bytes.size();
  if (size >= 5 && bytes[size - 5] == 0xE8) return true;
  for (size_t length = 2; length <= 7 && length <= size; ++length) {
    const uint8_t* start = bytes.data() + size - length;
    if (start[0] != 0xFF || (start[1] >> 3 & 7) != 2) continue;
    if (indirect_length(start[1], length > 2 ? start[2] : 0) == length) return true;
  }
  return false;
}

}  // namespace mortem::inspector
