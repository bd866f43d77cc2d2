// Between app_memory.cpp and software_breakpoints.cpp.
#pragma once

#include <cstdint>
#include <span>

namespace kernel::debug {

// In the direct map; null: there is none, or it must not be changed.
const uint8_t* app_byte(uint64_t address);
uint8_t* app_byte_to_change(uint64_t address);  // no file sees the change, except through a mapping that may write it

// `bytes` were read at `address`: the program's own bytes in place of our INT3s.
void hide_breakpoints(uint64_t address, std::span<uint8_t> bytes);
// Memory was written: what is there now is the program's, the INT3s stand again.
void put_breakpoints_back(uint64_t address, size_t size);

}  // namespace kernel::debug
