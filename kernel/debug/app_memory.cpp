// The app's memory page by page, through the direct map: code that is not writable, data behind PROT_NONE.
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/debug/breakpoints.h"
#include "kernel/debug/software_breakpoints.h"
#include "kernel/task/address_space.h"
#include "kernel/task/user_pages.h"

namespace kernel::debug {
namespace {

// The byte at `address` in the direct map; null: nothing is mapped there, or its page cannot be brought in.
uint8_t* byte_at(uint64_t address) {
  constexpr uint64_t kPresent = 1, kAddressMask = 0x000f'ffff'ffff'f000;
  if (address >= kUserEnd) return nullptr;
  const MemoryArea* area = address_space().areas.find(address);
  if (area == nullptr) return nullptr;
  uint64_t* entry = user_page_entry(address);
  if (entry == nullptr || (*entry & (kPresent | kHiddenPage)) == 0) {
    // A page that nobody has touched: of a file, or zeros. One behind PROT_NONE has no content.
    if (address_space().fault(address, Access::Read) != FaultResult::Resolved) return nullptr;
    entry = user_page_entry(address);
    if (entry == nullptr) return nullptr;
  }
  return direct_map<uint8_t>((*entry & kAddressMask) + address % kPageSize);
}

template <typename Copy>
size_t each_page(uint64_t address, size_t size, Copy copy) {
  size_t done = 0;
  while (done < size) {
    uint8_t* bytes = byte_at(address + done);
    if (bytes == nullptr) break;
    const size_t in_page = kPageSize - (address + done) % kPageSize;
    const size_t part = size - done < in_page ? size - done : in_page;
    copy(bytes, done, part);
    done += part;
  }
  return done;
}

}  // namespace

uint8_t* app_byte(uint64_t address) {
  return byte_at(address);
}

size_t read_app_memory(uint64_t address, std::span<uint8_t> to) {
  const size_t done = each_page(address, to.size(), [&](const uint8_t* bytes, size_t at, size_t size) {
    __builtin_memcpy(to.data() + at, bytes, size);
  });
  hide_breakpoints(address, to.first(done));
  return done;
}

size_t write_app_memory(uint64_t address, std::span<const uint8_t> from) {
  const size_t done = each_page(address, from.size(), [&](uint8_t* bytes, size_t at, size_t size) {
    __builtin_memcpy(bytes, from.data() + at, size);
  });
  put_breakpoints_back(address, done);
  return done;
}

}  // namespace kernel::debug
