#include "kernel/memory/physical.h"

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/memory/memory_initialize.h"
#include "kernel/memory/page_frames.h"
#include "kernel/memory/pressure.h"
#include "kernel/memory/reclaim.h"

namespace kernel {

uint64_t g_direct_map_base;

namespace {

PageFrames g_frames;
uint64_t g_low = 0;  // low_page_count()

// The last pages are the kernel's: a program that takes all memory must not take what its calls need to fail well.
bool may_have(size_t count, PageOwner owner) {
  if (owner != PageOwner::App && owner != PageOwner::SharedMemory && owner != PageOwner::PageCache &&
      owner != PageOwner::DiskState)
    return true;
  constexpr uint64_t kLargestReserve = 64;
  const uint64_t part = g_frames.ram_count() / 128;
  return g_frames.free_count() >= count + (part < kLargestReserve ? part : kLargestReserve);
}

Result<uint64_t> allocate_frames(size_t count, PageOwner owner) {
  constexpr int kRounds = 4;
  for (int round = 0;; ++round) {
    auto frame = may_have(count, owner) ? g_frames.allocate(count, owner) : Result<uint64_t>(Error::NoMemory);
    if (!frame.is_error() || frame.error() != Error::NoMemory) return frame;
    // What could never be had costs no cache its content. What caches give back stands side by side only by luck: a
    // long run may need more than its own length.
    if (round == kRounds || count > g_frames.ram_count() / 4 || reclaim_pages(count << round) == 0)
      return Error::NoMemory;
  }
}

}  // namespace

void physical_initialize() {
  g_direct_map_base = g_boot_info.direct_map_base;
  g_frames.initialize(g_boot_info.page_owners, g_boot_info.page_count);
  g_low = low_page_count();
  // Without memory for it no page can be shared.
  const size_t table_pages = page_up(g_boot_info.page_count * sizeof(uint16_t)) / kPageSize;
  if (auto table = allocate_pages(table_pages, PageOwner::KernelHeap))
    g_frames.count_users(direct_map<uint16_t>(table.value()));
}

Result<PhysicalAddress> allocate_pages(size_t count, PageOwner owner) {
  InterruptGuard guard;
  auto allocated = allocate_frames(count, owner);
  if (g_frames.free_count() < g_low) g_memory_is_short = true;
  const PhysicalAddress first = TRY(allocated) * kPageSize;
  __builtin_memset(direct_map(first), 0, count * kPageSize);
  return first;
}
Result<PhysicalAddress> allocate_untouched_pages(size_t count, PageOwner owner) {
  InterruptGuard guard;
  return TRY(g_frames.allocate_last(count, owner)) * kPageSize;
}
void free_pages(PhysicalAddress first, size_t count) {
  InterruptGuard guard;
  g_frames.free(first / kPageSize, count);
}
Result<void> retain_page(PhysicalAddress page) {
  InterruptGuard guard;
  return g_frames.retain(page / kPageSize);
}
void set_page_owner(PhysicalAddress page, PageOwner owner) {
  g_frames.set_owner(page / kPageSize, owner);
}
uint32_t page_users(PhysicalAddress page) {
  return g_frames.users(page / kPageSize);
}
PageOwner page_owner(PhysicalAddress page) {
  return g_frames.owner(page / kPageSize);
}
uint64_t next_used_page(uint64_t frame) {
  return g_frames.next_used(frame);
}
uint64_t memory_page_count() {
  return g_frames.count();
}
uint64_t free_page_count() {
  return g_frames.free_count();
}
uint64_t ram_page_count() {
  return g_frames.ram_count();
}

}  // namespace kernel
