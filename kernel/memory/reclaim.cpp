#include "kernel/memory/reclaim.h"

#include "kernel/crash/crash.h"

namespace kernel {
namespace {

Reclaimer g_reclaimers[kMaximumReclaimers];
size_t g_count = 0;
bool g_reclaiming = false;

}  // namespace

void register_reclaimer(Reclaimer reclaimer) {
  KERNEL_ASSERT(g_count < kMaximumReclaimers);
  g_reclaimers[g_count++] = reclaimer;
}

size_t reclaim_pages(size_t wanted) {
  if (g_reclaiming) return 0;
  g_reclaiming = true;
  size_t freed = 0;
  for (size_t index = 0; index < g_count && freed < wanted; ++index) freed += g_reclaimers[index](wanted - freed);
  g_reclaiming = false;
  return freed;
}

}  // namespace kernel
