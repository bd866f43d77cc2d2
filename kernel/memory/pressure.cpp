#include "kernel/memory/pressure.h"

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/memory/physical.h"
#include "kernel/memory/reclaim.h"

namespace kernel {

bool g_memory_is_short = false;

namespace {

constexpr size_t kBatch = 64;             // pages that are taken at once
constexpr uint64_t kPause = 100'000'000;  // after a try that did not help
constinit MemoryRelief g_relief = {nullptr, nullptr};
bool g_is_relieving = false;
uint64_t g_next_try = 0;

}  // namespace

void set_memory_relief(const MemoryRelief& relief) {
  g_relief = relief;
}

// More than the reserve that the program cannot have (physical.cpp), so that its next page is there; less than what
// file systems leave free for others.
size_t low_page_count() {
  constexpr size_t kMost = 512, kLeast = 32;
  const size_t part = ram_page_count() / 64;
  return kLeast + (part < kMost ? part : kMost);
}

void relieve_memory() {
  const size_t low = low_page_count();
  const auto is_short = [low] { return free_page_count() < low; };
  g_memory_is_short = is_short();
  if (!g_memory_is_short || g_is_relieving || monotonic_ns() < g_next_try) return;
  g_is_relieving = true;
  const size_t wanted = low + kBatch - free_page_count();
  const size_t freed = reclaim_pages(wanted);
  if (freed < wanted && g_relief.take_mapped != nullptr) g_relief.take_mapped(wanted - freed, MemoryRelief::Take::Idle);
  g_is_relieving = false;
  g_memory_is_short = is_short();
  if (g_memory_is_short) g_next_try = monotonic_ns() + kPause;
}

namespace {

bool take_any() {
  if (g_is_relieving) return false;
  g_is_relieving = true;
  const bool freed = reclaim_pages(kBatch) > 0 || g_relief.take_mapped(kBatch, MemoryRelief::Take::Any) > 0;
  g_is_relieving = false;
  return freed;
}

}  // namespace

bool find_memory(MayWait may_wait) {
  if (g_relief.take_mapped == nullptr) return false;
  return take_any() || (may_wait == MayWait::Yes && g_relief.write_changed() && take_any());
}

}  // namespace kernel
