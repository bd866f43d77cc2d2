#include "kernel/task/file_mappings.h"

#include "kernel/task/address_space.h"
#include "kernel/task/user_pages.h"

namespace kernel {
namespace {

// Calls visit(area, start, end) for the part of each mapping of the file that shows pages [first, last).
template <typename Visitor>
void for_each_view(const Inode& inode, uint64_t first, uint64_t last, Visitor visit) {
  for (size_t index = 0; index < area_count(); ++index) {
    const MemoryArea& area = area_at(index);
    if (area.inode != &inode) continue;
    const uint64_t area_first = area.file_offset / kPageSize, pages = (area.end - area.start) / kPageSize;
    if (last <= area_first || first >= area_first + pages) continue;
    const uint64_t from = first > area_first ? first - area_first : 0;
    const uint64_t to = last - area_first < pages ? last - area_first : pages;
    visit(area, area.start + from * kPageSize, area.start + to * kPageSize);
  }
}

// A page that a private mapping has for itself, because it was written there.
bool is_copy(const MemoryArea& area, PhysicalAddress page) {
  return !area.shared && page_owner(page) == PageOwner::App;
}

}  // namespace

void unmap_file_pages(const Inode& inode, uint64_t first, uint64_t last, PrivateCopies copies) {
  for_each_view(inode, first, last, [copies](const MemoryArea& area, uint64_t start, uint64_t end) {
    for_each_user_page(start, end, [&](uint64_t address, PhysicalAddress page) {
      if (copies == PrivateCopies::Stay && is_copy(area, page)) return;
      unmap_user_page(address);
      free_pages(page, 1);
    });
  });
}

void write_protect_file_pages(const Inode& inode, uint64_t first, uint64_t last) {
  for_each_view(inode, first, last, [](const MemoryArea& area, uint64_t start, uint64_t end) {
    if (!area.shared || (area.protection & kProtectWrite) == 0) return;
    for_each_user_page(start, end, [&](uint64_t address, PhysicalAddress) {
      if (user_page(address).writable) kernel_page_table().protect(address, page_access(area, false));
    });
  });
}

bool unmap_unused_file_page(const Inode& inode, uint64_t index) {
  if (index == 0) return false;  // an ELF file's header and build id: by them readers of a dump know the module
  bool was_used = false;
  for_each_view(inode, index, index + 1, [&was_used](const MemoryArea& area, uint64_t address, uint64_t) {
    if (!is_copy(area, user_page(address).physical)) was_used |= forget_user_page_use(address);
  });
  if (was_used) return false;
  unmap_file_pages(inode, index, index + 1, PrivateCopies::Stay);
  return true;
}

bool has_writable_mapping(const Inode& inode) {
  for (size_t index = 0; index < area_count(); ++index) {
    const MemoryArea& area = area_at(index);
    if (area.inode == &inode && area.shared && area.may_write) return true;
  }
  return false;
}

}  // namespace kernel
