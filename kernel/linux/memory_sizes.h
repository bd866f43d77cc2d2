// How much memory the app has, by kind; for /proc.
#pragma once

#include <cstdint>

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/task/process.h"
#include "kernel/task/user_pages.h"

namespace kernel::linux {

struct MemorySizes {
  uint64_t virtual_bytes = 0, resident_pages = 0, stack_bytes = 0, data_bytes = 0, text_bytes = 0;
};

inline MemorySizes memory_sizes() {
  MemorySizes sizes;
  for (size_t index = 0; index < area_count(); ++index) {
    const MemoryArea& area = area_at(index);
    const uint64_t size = area.end - area.start;
    sizes.virtual_bytes += size;
    if (area.kind == AreaKind::Stack) sizes.stack_bytes += size;
    if ((area.protection & kProtectWrite) != 0 && !area.shared) sizes.data_bytes += size;
    if ((area.protection & kProtectExecute) != 0) sizes.text_bytes += size;
  }
  for_each_user_page(0, kUserEnd, [&](uint64_t, PhysicalAddress) { ++sizes.resident_pages; });
  return sizes;
}

}  // namespace kernel::linux
