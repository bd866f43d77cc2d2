#include "kernel/crash/checked_memory.h"

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/crash/page_walk.h"

namespace kernel {

bool read_kernel(void* to, const void* from, size_t size) {
  return !copy_from_kernel_checked(to, reinterpret_cast<uint64_t>(from), size).is_error();
}

bool read_kernel_string(char* to, size_t capacity, const char* from) {
  size_t length = 0;
  to[0] = 0;
  if (from == nullptr) return false;
  while (length + 1 < capacity) {
    // Never past the page in which the string may end.
    const uint64_t at = reinterpret_cast<uint64_t>(from) + length;
    size_t part = kPageSize - (at & (kPageSize - 1));
    if (part > capacity - 1 - length) part = capacity - 1 - length;
    if (part > 64) part = 64;
    if (!read_kernel(to + length, reinterpret_cast<const void*>(at), part)) {
      to[0] = 0;
      return false;
    }
    for (size_t i = 0; i < part; ++i)
      if (to[length + i] == 0) return true;
    length += part;
  }
  to[length] = 0;
  return true;
}

bool is_ram(PhysicalAddress address) {
  return page_owner(page_down(address)) != PageOwner::Absent;
}

bool read_physical(void* to, PhysicalAddress from, size_t size) {
  if (!is_ram(from) || (from & (kPageSize - 1)) + size > kPageSize) return false;
  return read_kernel(to, direct_map(from), size);
}

size_t read_virtual(void* to, uint64_t address, size_t size) {
  size_t done = 0;
  while (done < size) {
    const uint64_t at = address + done;
    if (at < address) break;
    const uint64_t page = page_down(at);
    const PageRun run = g_crash_page_walker.run_at(page, page + kPageSize);
    if (run.kind != PageRunKind::Present) break;
    size_t part = kPageSize - (at - page);
    if (part > size - done) part = size - done;
    if (!read_physical(static_cast<uint8_t*>(to) + done, run.physical + (at - page), part)) break;
    done += part;
  }
  return done;
}

}  // namespace kernel
