// The app's memory page by page, through the direct map: code that is not writable, data behind PROT_NONE.
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/debug/breakpoints.h"
#include "kernel/debug/software_breakpoints.h"
#include "kernel/task/address_space.h"
#include "kernel/task/user_pages.h"

namespace kernel::debug {
namespace {

enum class Use : uint8_t { Read, Write };

// May its pages be changed for the debugger? A view of a file on disk that the program itself must not write leads
// straight to the file.
bool may_change(const MemoryArea& area) {
  const bool is_file_itself = area.shared && area.inode != nullptr && area.memory == nullptr;
  return !is_file_itself || (area.protection & kProtectWrite) != 0;
}

// The byte at `address` in the direct map; null: nothing is mapped there, its page cannot be brought in, or must not be
// changed. For writing, a page that shows a file's content in a private mapping becomes the mapping's own first.
uint8_t* byte_at(uint64_t address, Use use) {
  if (address >= kUserEnd) return nullptr;
  const MemoryArea* area = address_space().areas.find(address);
  if (area == nullptr) return nullptr;
  if (use == Use::Write) {
    if (!may_change(*area) || address_space().prepare_forced_write(address) != FaultResult::Resolved) return nullptr;
  } else if (user_page(address).physical == 0) {
    // A page that nobody has touched: of a file, or zeros. One behind PROT_NONE has no content.
    if (address_space().fault(address, Access::Read) != FaultResult::Resolved) return nullptr;
  }
  const PhysicalAddress page = user_page(address).physical;
  return page != 0 ? direct_map<uint8_t>(page + address % kPageSize) : nullptr;
}

template <typename Copy>
size_t each_page(uint64_t address, size_t size, Use use, Copy copy) {
  size_t done = 0;
  while (done < size) {
    uint8_t* bytes = byte_at(address + done, use);
    if (bytes == nullptr) break;
    const size_t in_page = kPageSize - (address + done) % kPageSize;
    const size_t part = size - done < in_page ? size - done : in_page;
    copy(bytes, done, part);
    done += part;
  }
  return done;
}

}  // namespace

const uint8_t* app_byte(uint64_t address) {
  return byte_at(address, Use::Read);
}
uint8_t* app_byte_to_change(uint64_t address) {
  return byte_at(address, Use::Write);
}

size_t read_app_memory(uint64_t address, std::span<uint8_t> to) {
  const size_t done = each_page(address, to.size(), Use::Read, [&](const uint8_t* bytes, size_t at, size_t size) {
    __builtin_memcpy(to.data() + at, bytes, size);
  });
  hide_breakpoints(address, to.first(done));
  return done;
}

size_t write_app_memory(uint64_t address, std::span<const uint8_t> from) {
  const size_t done = each_page(address, from.size(), Use::Write, [&](uint8_t* bytes, size_t at, size_t size) {
    __builtin_memcpy(bytes, from.data() + at, size);
  });
  put_breakpoints_back(address, done);
  return done;
}

}  // namespace kernel::debug
