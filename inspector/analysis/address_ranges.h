// The whole address space as a list of ranges: what each is, and what the target holds of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inspector/target/target.h"

namespace mortem::inspector {

enum class RangeKind : uint8_t { Code, ReadOnlyData, Data, Heap, Stack, File, Anonymous, Kernel, Device, Reserved };
const char* range_kind_name(RangeKind kind);  // "code", "read-only data", …

enum class RangeContent : uint8_t {
  Held,
  OtherView,  // of pages that are held at another address
  Zero,       // never touched: reads as zeros
  NotHeld,    // had content that the target does not hold
  None,       // without access: there is no content
};
const char* range_content_name(RangeContent content);

struct AddressRange {
  uint64_t start = 0, end = 0;
  uint32_t flags = 0;  // PF_*
  RangeKind kind = RangeKind::Anonymous;
  RangeContent content = RangeContent::Held;
  std::string path{};  // of the mapped file or module; empty: none
  uint64_t file_offset = 0;
  uint32_t thread = 0;  // of a stack: whose stack pointer is in it; 0: no thread's
};

// By address, without overlap; what is not mapped is not in it.
std::vector<AddressRange> address_ranges(const Target& target);
const AddressRange* range_at(const std::vector<AddressRange>& ranges, uint64_t address);  // null: nothing is mapped

}  // namespace mortem::inspector
