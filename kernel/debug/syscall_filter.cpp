#include "kernel/debug/syscall_filter.h"

namespace kernel::debug {
namespace {

constexpr uint64_t kNumbers = 512;
bool g_enabled = false, g_all = false;
uint64_t g_caught[kNumbers / 64];

}  // namespace

void set_caught_syscalls(bool enabled, std::span<const uint64_t> numbers) {
  g_enabled = enabled;
  g_all = numbers.empty();
  for (uint64_t& word : g_caught) word = 0;
  for (const uint64_t number : numbers)
    if (number < kNumbers) g_caught[number / 64] |= uint64_t{1} << (number % 64);
}

bool catches_syscall(uint64_t number) {
  if (!g_enabled) return false;
  return g_all || (number < kNumbers && (g_caught[number / 64] >> (number % 64) & 1) != 0);
}

}  // namespace kernel::debug
