#include "kernel/memory/page_table.h"

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/memory/memory_initialize.h"

namespace kernel {

namespace {

constexpr uint64_t kPresent = 1, kWrite = 2, kUser = 4, kWriteThrough = 8, kCacheDisable = 0x10, kLarge = 0x80,
                   kNoExecute = 1ull << 63, kAddress = 0x000FFFFFFFFFF000;

uint64_t entry_flags(PageAccess access) {
  uint64_t flags = kPresent;
  if (access.write) flags |= kWrite;
  if (access.user) flags |= kUser;
  if (access.uncached) flags |= kCacheDisable | kWriteThrough;
  if (!access.execute && g_cpu.nx) flags |= kNoExecute;
  return flags;
}

size_t index_at(uint64_t address, int level) {
  return address >> (12 + 9 * level) & 511;
}

constinit PageTable g_kernel_page_table(0);
uint64_t g_stack_region, g_stack_next, g_device_next;

// The entry of a 4 KiB page, null when a table on the way is missing or a large page stands there.
uint64_t* find_entry(PhysicalAddress root, uint64_t address) {
  uint64_t* table = direct_map<uint64_t>(root);
  for (int level = 3; level > 0; --level) {
    uint64_t entry = table[index_at(address, level)];
    if ((entry & kPresent) == 0 || (entry & kLarge) != 0) return nullptr;
    table = direct_map<uint64_t>(entry & kAddress);
  }
  return &table[index_at(address, 0)];
}

enum class Check : bool { No, Yes };

std::optional<PageMapping> walk(PhysicalAddress root, uint64_t address, Check check) {
  PhysicalAddress table = root & kAddress;
  PageAccess access{true, true, true, false};
  for (int level = 3; level >= 0; --level) {
    if (check == Check::Yes && page_owner(table) == PageOwner::Absent) return std::nullopt;
    uint64_t entry = direct_map<uint64_t>(table)[index_at(address, level)];
    if ((entry & kPresent) == 0) return std::nullopt;
    access.write &= (entry & kWrite) != 0;
    access.user &= (entry & kUser) != 0;
    access.execute &= (entry & kNoExecute) == 0;
    bool leaf = level == 0 || ((level == 1 || level == 2) && (entry & kLarge) != 0);
    if (leaf) {
      access.uncached = (entry & kCacheDisable) != 0;
      uint64_t size = uint64_t{kPageSize} << (9 * level);
      return PageMapping{(entry & kAddress & ~(size - 1)) + (address & (size - 1)), access, size};
    }
    table = entry & kAddress;
  }
  return std::nullopt;
}

}  // namespace

void PageTable::flush(uint64_t address) {
  asm volatile("invlpg (%0)" ::"r"(address) : "memory");
}

Result<void> PageTable::map(uint64_t address, PhysicalAddress physical, PageAccess access) {
  uint64_t* table = direct_map<uint64_t>(root_);
  for (int level = 3; level > 0; --level) {
    uint64_t& entry = table[index_at(address, level)];
    if ((entry & kPresent) == 0) {
      // Rights are decided by the last level.
      entry = TRY(allocate_page(PageOwner::PageTable)) | kPresent | kWrite | (access.user ? kUser : 0);
    } else if ((entry & kLarge) != 0) {
      return Error::Exists;  // a large page of the direct map
    } else if (access.user) {
      entry |= kUser;
    }
    table = direct_map<uint64_t>(entry & kAddress);
  }
  uint64_t& entry = table[index_at(address, 0)];
  bool replaces = (entry & kPresent) != 0;
  entry = physical | entry_flags(access);
  if (replaces) flush(address);
  return {};
}

void PageTable::unmap(uint64_t address) {
  uint64_t* entry = find_entry(root_, address);
  if (entry == nullptr || (*entry & kPresent) == 0) return;
  *entry = 0;
  flush(address);
}

void PageTable::protect(uint64_t address, PageAccess access) {
  uint64_t* entry = find_entry(root_, address);
  if (entry == nullptr || (*entry & kPresent) == 0) return;
  *entry = (*entry & kAddress) | entry_flags(access);
  flush(address);
}

std::optional<PageMapping> PageTable::lookup(uint64_t address) const {
  return walk(root_, address, Check::No);
}
std::optional<PageMapping> PageTable::lookup_checked(uint64_t address) const {
  return walk(root_, address, Check::Yes);
}

PageTable& kernel_page_table() {
  return g_kernel_page_table;
}

void page_tables_initialize() {
  g_kernel_page_table = PageTable(g_boot_info.root);
  direct_map<uint64_t>(g_boot_info.root)[0] = 0;
  asm volatile("mov %0, %%cr3" ::"r"(g_boot_info.root) : "memory");
  constexpr uint64_t kStacks = 0xFFFFC00000000000, kDevices = 0xFFFFD00000000000, kSpread = 1ull << 30;
  g_stack_region = kStacks + g_boot_info.random[0] % 4096 * kSpread + g_boot_info.random[1] % 65536 * kPageSize;
  g_stack_next = g_stack_region;
  g_device_next = kDevices + g_boot_info.random[2] % 4096 * kSpread;
}

Result<uint64_t> map_device_memory(PhysicalAddress physical, size_t size) {
  if (size == 0 || page_up(physical + size) <= physical) return Error::Invalid;
  InterruptGuard guard;
  PhysicalAddress first = page_down(physical), last = page_up(physical + size);
  uint64_t address = g_device_next;
  g_device_next += last - first + kPageSize;
  for (uint64_t at = 0; at < last - first; at += kPageSize)
    TRY(g_kernel_page_table.map(address + at, first + at, {.write = true, .uncached = true}));
  return address + (physical - first);
}

Result<KernelStack> allocate_kernel_stack(size_t size) {
  InterruptGuard guard;
  KernelStack stack{g_stack_next + kPageSize, g_stack_next + kPageSize + page_up(size)};
  g_stack_next = stack.top;
  for (uint64_t at = stack.bottom; at < stack.top; at += kPageSize) {
    auto page = allocate_page(PageOwner::KernelStack);
    auto mapped = page ? g_kernel_page_table.map(at, page.value(), {.write = true}) : Result<void>(page.error());
    if (mapped) continue;
    if (page) free_pages(page.value(), 1);
    free_kernel_stack({stack.bottom, at});
    return mapped.error();
  }
  return stack;
}

void free_kernel_stack(const KernelStack& stack) {
  InterruptGuard guard;
  for (uint64_t at = stack.bottom; at < stack.top; at += kPageSize) {
    const auto mapping = g_kernel_page_table.lookup(at);
    g_kernel_page_table.unmap(at);
    if (mapping) free_pages(mapping->physical, 1);
  }
}

size_t kernel_ranges(KernelRange* ranges, size_t capacity) {
  KernelRange all[] = {{reinterpret_cast<uint64_t>(text_start), reinterpret_cast<uint64_t>(image_end), "image"},
                       {g_stack_region, g_stack_next, "stacks"}};
  size_t count = 0;
  for (const KernelRange& range : all)
    if (count < capacity && range.start < range.end) ranges[count++] = range;
  return count;
}

}  // namespace kernel
