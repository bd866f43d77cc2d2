// When memory is short: who is asked, in which order, and how often.
#include "kernel/memory/pressure.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "kernel/memory/physical.h"
#include "kernel/memory/reclaim.h"

namespace kernel {

namespace {
uint64_t g_now = 1, g_free = 0;
size_t g_unmapped = 0, g_idle = 0, g_mapped = 0;  // pages that can be had: of caches, of mappings
bool g_dirty = false;
size_t g_looks = 0, g_writes = 0;
}  // namespace

uint64_t monotonic_ns() {
  return g_now;
}
uint64_t free_page_count() {
  return g_free;
}
uint64_t ram_page_count() {
  return 64 * 100;
}
void panic(const char*, ...) {
  std::abort();
}

namespace {

size_t give(size_t& from, size_t wanted) {
  const size_t given = wanted < from ? wanted : from;
  from -= given;
  g_free += given;
  return given;
}

size_t take_mapped(size_t wanted, MemoryRelief::Take take) {
  ++g_looks;
  relieve_memory();  // one that allocates must not be asked again
  return give(take == MemoryRelief::Take::Idle ? g_idle : g_mapped, wanted);
}

bool write_changed() {
  ++g_writes;
  if (!g_dirty) return false;
  g_dirty = false;
  g_mapped += 5;
  return true;
}

class Pressure : public testing::Test {
 protected:
  void SetUp() override {
    static bool done = false;
    if (!done) register_reclaimer([](size_t wanted) { return give(g_unmapped, wanted); });
    done = true;
    set_memory_relief({take_mapped, write_changed});
    g_now += 1'000'000'000'000;
    g_free = 10;
    g_unmapped = g_idle = g_mapped = g_looks = g_writes = 0;
    g_dirty = false;
    g_memory_is_short = true;
  }
};

TEST_F(Pressure, TakesUnmappedPagesFirst) {
  g_unmapped = 1000, g_idle = 1000;
  relieve_memory_if_short();
  EXPECT_FALSE(g_memory_is_short);
  EXPECT_GE(g_free, low_page_count());
  EXPECT_EQ(g_idle, 1000u);
  EXPECT_EQ(g_looks, 0u);
}

TEST_F(Pressure, ThenIdleOnes) {
  g_unmapped = 20, g_idle = 1000;
  relieve_memory_if_short();
  EXPECT_FALSE(g_memory_is_short);
  EXPECT_GE(g_free, low_page_count());
  EXPECT_LT(g_idle, 1000u);
}

TEST_F(Pressure, DoesNotTryAllTheTimeInVain) {
  for (int call = 0; call < 1000; ++call) relieve_memory_if_short();
  EXPECT_EQ(g_looks, 1u);
  EXPECT_TRUE(g_memory_is_short);
  g_now += 1'000'000'000;
  relieve_memory_if_short();
  EXPECT_EQ(g_looks, 2u);
  g_free = 1000;
  relieve_memory_if_short();
  EXPECT_FALSE(g_memory_is_short);
}

TEST_F(Pressure, WhoCannotGoOnGetsWhatIsUsed) {
  g_mapped = 3;
  relieve_memory_if_short();
  EXPECT_EQ(g_free, 10u);
  EXPECT_TRUE(find_memory(MayWait::No));
  EXPECT_EQ(g_free, 13u);
  EXPECT_FALSE(find_memory(MayWait::No));
}

TEST_F(Pressure, WhoMayWaitHasWrittenWhatWasChanged) {
  g_dirty = true;
  EXPECT_FALSE(find_memory(MayWait::No));
  EXPECT_EQ(g_writes, 0u);
  EXPECT_TRUE(find_memory(MayWait::Yes));
  EXPECT_EQ(g_free, 15u);
  EXPECT_FALSE(find_memory(MayWait::Yes));
}

}  // namespace
}  // namespace kernel
