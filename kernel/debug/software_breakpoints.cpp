#include "kernel/debug/software_breakpoints.h"

#include "kernel/debug/breakpoints.h"

namespace kernel::debug {
namespace {

constexpr uint8_t kInt3 = 0xCC;

struct SoftwareBreakpoint {
  uint64_t address;
  uint8_t original;
};
constexpr size_t kMaximum = 1024;
SoftwareBreakpoint g_breakpoints[kMaximum];
size_t g_count = 0;

SoftwareBreakpoint* find(uint64_t address) {
  for (size_t index = 0; index < g_count; ++index)
    if (g_breakpoints[index].address == address) return &g_breakpoints[index];
  return nullptr;
}

}  // namespace

Result<void> insert_software_breakpoint(uint64_t address) {
  if (find(address) != nullptr) return {};
  uint8_t* byte = app_byte_to_change(address);
  if (byte == nullptr) return Error::Fault;
  if (g_count == kMaximum) return Error::NoSpace;
  g_breakpoints[g_count++] = {address, *byte};
  *byte = kInt3;
  return {};
}

void remove_software_breakpoint(uint64_t address) {
  SoftwareBreakpoint* breakpoint = find(address);
  if (breakpoint == nullptr) return;
  // Memory that was unmapped or overwritten since is not ours any more.
  const uint8_t* byte = app_byte(address);
  if (byte != nullptr && *byte == kInt3)
    if (uint8_t* ours = app_byte_to_change(address)) *ours = breakpoint->original;
  *breakpoint = g_breakpoints[--g_count];
}

bool has_software_breakpoint(uint64_t address) {
  return find(address) != nullptr;
}

void hide_breakpoints(uint64_t address, std::span<uint8_t> bytes) {
  for (size_t index = 0; index < g_count; ++index) {
    const uint64_t at = g_breakpoints[index].address - address;
    if (at < bytes.size() && bytes[at] == kInt3) bytes[at] = g_breakpoints[index].original;
  }
}

void put_breakpoints_back(uint64_t address, size_t size) {
  for (size_t index = 0; index < g_count; ++index) {
    if (g_breakpoints[index].address - address >= size) continue;
    uint8_t* byte = app_byte_to_change(g_breakpoints[index].address);
    if (byte == nullptr) continue;
    g_breakpoints[index].original = *byte;
    *byte = kInt3;
  }
}

void remove_all_breakpoints() {
  while (g_count > 0) remove_software_breakpoint(g_breakpoints[g_count - 1].address);
  for (int number = 0; number < 4; ++number) clear_debug_register(number);
}

}  // namespace kernel::debug
