// Breakpoints in the app: INT3 in its code, and the debug registers (Intel SDM vol. 3, chapter 17.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/library/result.h"

namespace kernel::debug {

// Software breakpoints. NoSpace: the table is full; Fault: no memory of the app there.
Result<void> insert_software_breakpoint(uint64_t address);
void remove_software_breakpoint(uint64_t address);  // one that is not there is no error
bool has_software_breakpoint(uint64_t address);
void remove_all_breakpoints();  // and the debug registers
void clear_debug_register(int number);

enum class Watch : uint8_t { Execute = 0, Write = 1, Access = 3 };  // R/W field of DR7; 10b would be I/O

// NoSpace: the four registers do not do for it; Invalid: no such size.
Result<void> insert_debug_register(Watch kind, uint64_t address, uint64_t size);
void remove_debug_register(Watch kind, uint64_t address, uint64_t size);

struct DebugHit {
  Watch kind;
  uint64_t address;  // that was asked for
};
// What bits 0-3 of DR6 mean. False: none of ours.
bool debug_hit(uint64_t debug_status, DebugHit& hit);
uint64_t take_debug_status();  // DR6, and clears it

// The app's memory, whatever its protection says to the app, without our INT3s. Returns how many bytes were done.
size_t read_app_memory(uint64_t address, std::span<uint8_t> to);
size_t write_app_memory(uint64_t address, std::span<const uint8_t> from);

}  // namespace kernel::debug
