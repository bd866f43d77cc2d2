// The program's mappings as proc(5) shows them, and what of each stands in memory. As on Linux a page is private when
// one mapping has it, whether its file keeps it too or not; it is dirty when memory alone has its content.
#include "kernel/linux/memory_maps.h"

#include "kernel/library/log.h"
#include "kernel/linux/process_folder.h"
#include "kernel/memory/physical.h"
#include "kernel/task/address_space.h"
#include "kernel/task/user_pages.h"

namespace kernel::linux {
namespace {

constexpr size_t kNameColumn = 73;

void append_line(TreeText& text, const char* begin, size_t length, const char* name) {
  char line[128];
  __builtin_memcpy(line, begin, length);
  while (name[0] != 0 && length < kNameColumn) line[length++] = ' ';
  text.append({line, length});
  text.append({name, __builtin_strlen(name)});
  text.append({"\n", 1});
}

Result<void> append_area(TreeText& text, const MemoryArea& area) {
  uint64_t inode = 0, device = 0;
  if (area.inode != nullptr) {
    const InodeStatus status = TRY(area.inode->status());
    inode = status.inode;
    device = status.device;
  }
  char line[128];
  const size_t length =
      format_text(line, sizeof line, "%08lx-%08lx %c%c%c%c %08lx %02lx:%02lx %lu ", area.start, area.end,
                  (area.protection & kProtectRead) != 0 ? 'r' : '-', (area.protection & kProtectWrite) != 0 ? 'w' : '-',
                  (area.protection & kProtectExecute) != 0 ? 'x' : '-', area.shared ? 's' : 'p',
                  area.inode != nullptr ? area.file_offset : 0, device >> 8, device & 255, inode);
  append_line(text, line, length, area_name(area));
  return {};
}

Result<void> maps(TreeText& text, void*) {
  for (size_t index = 0; index < area_count() && !text.is_full(); ++index) TRY(append_area(text, area_at(index)));
  return {};
}

// In bytes.
struct Resident {
  uint64_t all, proportional, proportional_dirty, shared_clean, shared_dirty, private_clean, private_dirty, referenced,
      anonymous;
  uint64_t proportional_anonymous, proportional_file, proportional_memory;  // of a tmpfs, memfd or shared segment
};

bool is_file_content(PageOwner owner) {
  return owner == PageOwner::PageCache || owner == PageOwner::DiskState || owner == PageOwner::SharedMemory;
}

void add_area(Resident& sum, const MemoryArea& area) {
  for_each_user_page(area.start, area.end, [&](uint64_t address, PhysicalAddress physical) {
    constexpr uint64_t kAccessed = 0x20;
    const PageOwner owner = page_owner(physical);
    const uint32_t users = page_users(physical);
    const uint32_t mappings = is_file_content(owner) && users > 1 ? users - 1 : users > 0 ? users : 1;
    const bool is_dirty = owner == PageOwner::App || owner == PageOwner::DiskState ||
                          owner == PageOwner::SharedMemory || (area.shared && user_page(address).writable);
    const uint64_t* entry = user_page_entry(address);
    const uint64_t part = kPageSize / mappings;
    sum.all += kPageSize;
    sum.proportional += part;
    if (is_dirty) sum.proportional_dirty += part;
    if (mappings > 1)
      (is_dirty ? sum.shared_dirty : sum.shared_clean) += kPageSize;
    else
      (is_dirty ? sum.private_dirty : sum.private_clean) += kPageSize;
    if (entry != nullptr && (*entry & kAccessed) != 0) sum.referenced += kPageSize;
    if (owner == PageOwner::App) {
      sum.anonymous += kPageSize;
      sum.proportional_anonymous += part;
    } else {
      (owner == PageOwner::SharedMemory ? sum.proportional_memory : sum.proportional_file) += part;
    }
  });
}

void append_size(TreeText& text, const char* name, uint64_t bytes) {
  char label[17];
  size_t length = format_text(label, sizeof label, "%s:", name);
  while (length < 16) label[length++] = ' ';
  label[16] = 0;
  text.append("%s%8lu kB\n", label, bytes >> 10);
}

void append_resident(TreeText& text, const Resident& sum, bool is_rollup) {
  append_size(text, "Rss", sum.all);
  append_size(text, "Pss", sum.proportional);
  append_size(text, "Pss_Dirty", sum.proportional_dirty);
  if (is_rollup) {
    append_size(text, "Pss_Anon", sum.proportional_anonymous);
    append_size(text, "Pss_File", sum.proportional_file);
    append_size(text, "Pss_Shmem", sum.proportional_memory);
  }
  append_size(text, "Shared_Clean", sum.shared_clean);
  append_size(text, "Shared_Dirty", sum.shared_dirty);
  append_size(text, "Private_Clean", sum.private_clean);
  append_size(text, "Private_Dirty", sum.private_dirty);
  append_size(text, "Referenced", sum.referenced);
  append_size(text, "Anonymous", sum.anonymous);
  // There are no huge pages here, no swap, no pages that are given back lazily, none that are locked.
  for (const char* name : {"LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb",
                           "Private_Hugetlb", "Swap", "SwapPss", "Locked"})
    append_size(text, name, 0);
}

// proc(5): those that are known here.
void append_flags(TreeText& text, const MemoryArea& area) {
  text.append("VmFlags: %s%s%s%smr %sme %s%s\n", (area.protection & kProtectRead) != 0 ? "rd " : "",
              (area.protection & kProtectWrite) != 0 ? "wr " : "",
              (area.protection & kProtectExecute) != 0 ? "ex " : "", area.shared ? "sh " : "",
              area.may_write ? "mw " : "", area.shared ? "ms " : "", area.kind == AreaKind::Stack ? "gd " : "");
}

Result<void> sizes(TreeText& text, void*) {
  for (size_t index = 0; index < area_count() && !text.is_full(); ++index) {
    const MemoryArea area = area_at(index);
    Resident sum{};
    add_area(sum, area);
    TRY(append_area(text, area));
    append_size(text, "Size", area.end - area.start);
    append_size(text, "KernelPageSize", kPageSize);
    append_size(text, "MMUPageSize", kPageSize);
    append_resident(text, sum, false);
    text.append("THPeligible:           0\n");
    append_flags(text, area);
  }
  return {};
}

Result<void> all_sizes(TreeText& text, void*) {
  if (area_count() == 0) return {};
  Resident sum{};
  for (size_t index = 0; index < area_count(); ++index) add_area(sum, area_at(index));
  char line[128];
  const size_t length = format_text(line, sizeof line, "%08lx-%08lx ---p 00000000 00:00 0 ", area_at(0).start,
                                    area_at(area_count() - 1).end);
  append_line(text, line, length, "[rollup]");
  append_resident(text, sum, true);
  return {};
}

}  // namespace

Result<void> add_memory_maps(TreeDirectory& self) {
  TRY(self.add_file("maps", 0444, {.generate = maps}));
  TRY(self.add_file("smaps", 0444, {.generate = sizes}));
  TRY(self.add_file("smaps_rollup", 0444, {.generate = all_sizes}));
  return {};
}

}  // namespace kernel::linux
