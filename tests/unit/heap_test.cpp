// The kernel heap over a small arena that stands for the direct map.
#include "kernel/memory/heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <stdexcept>
#include <vector>

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/crash/crash.h"
#include "kernel/memory/page_frames.h"
#include "kernel/memory/physical.h"

namespace kernel {

// The heap's surroundings. Pages are given out as the kernel's allocator gives them: zeroed.
uint64_t g_direct_map_base = 0;
namespace {
constexpr size_t kPages = 256;
alignas(4096) uint8_t g_arena[kPages * kPageSize];
uint8_t g_owners[kPages];
PageFrames g_frames;
bool g_enabled = true;
}  // namespace

Result<PhysicalAddress> allocate_pages(size_t count, PageOwner owner) {
  PhysicalAddress first = TRY(g_frames.allocate(count, owner)) * kPageSize;
  std::memset(direct_map(first), 0, count * kPageSize);
  return first;
}
void free_pages(PhysicalAddress first, size_t count) {
  g_frames.free(first / kPageSize, count);
}
void interrupts_enable() {
  g_enabled = true;
}
void interrupts_disable() {
  g_enabled = false;
}
bool interrupts_enabled() {
  return g_enabled;
}
void panic(const char* format, ...) {
  throw std::runtime_error(format);
}

namespace {

// The heap keeps its free lists between tests: they share one arena.
class Heap : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    g_direct_map_base = reinterpret_cast<uint64_t>(g_arena);
    std::memset(g_owners, static_cast<int>(PageOwner::Free), sizeof g_owners);
    g_frames.initialize(g_owners, kPages);
  }
};

TEST_F(Heap, GivesAlignedZeroedMemoryThatDoesNotOverlap) {
  std::mt19937 random(1);
  std::map<uint8_t*, size_t> live;
  for (int step = 0; step < 20000; ++step) {
    if (live.size() > 60 || (!live.empty() && random() % 3 == 0)) {
      auto victim = std::next(live.begin(), random() % live.size());
      for (size_t i = 0; i < victim->second; ++i) ASSERT_EQ(victim->first[i], uint8_t(victim->second)) << "overwritten";
      heap_free(victim->first);
      live.erase(victim);
      continue;
    }
    const size_t size = random() % 8 == 0 ? random() % 9000 : random() % 600;
    auto* memory = static_cast<uint8_t*>(heap_allocate(size));
    ASSERT_NE(memory, nullptr) << size;
    ASSERT_EQ(reinterpret_cast<uint64_t>(memory) % 16, 0u);
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(memory[i], 0) << "not zeroed, size " << size;
    std::memset(memory, uint8_t(size), size);
    ASSERT_TRUE(live.emplace(memory, size).second);
  }
  for (auto& [memory, size] : live) heap_free(memory);
  EXPECT_TRUE(g_enabled);
}

TEST_F(Heap, ReturnsLargeObjectsToThePages) {
  const uint64_t before = g_frames.free_count();
  void* memory = heap_allocate(10 * kPageSize);
  ASSERT_NE(memory, nullptr);
  EXPECT_LE(g_frames.free_count(), before - 10);
  heap_free(memory);
  EXPECT_EQ(g_frames.free_count(), before);
}

TEST_F(Heap, ReturnsPagesWhoseObjectsAreAllFree) {
  const uint64_t before = g_frames.free_count();
  std::mt19937 random(2);
  for (int round = 0; round < 20; ++round) {
    std::vector<void*> objects;
    while (g_frames.free_count() > before - 100) objects.push_back(heap_allocate(round % 2 == 0 ? 400 : 100));
    std::shuffle(objects.begin(), objects.end(), random);
    for (void* object : objects) heap_free(object);
    // One with room may stay for each size.
    ASSERT_GE(g_frames.free_count(), before - 2) << "round " << round;
  }
}

TEST_F(Heap, HasNoMemoryWithoutFailing) {
  const uint64_t before = g_frames.free_count();
  EXPECT_EQ(heap_allocate(kPages * kPageSize), nullptr);
  EXPECT_EQ(heap_allocate(~size_t{0}), nullptr);
  EXPECT_EQ(heap_allocate(~size_t{0} - 4096), nullptr);
  EXPECT_EQ(g_frames.free_count(), before);
  EXPECT_TRUE(g_enabled);
}

TEST_F(Heap, RefusesWhatIsNotItsOwn) {
  EXPECT_NO_THROW(heap_free(nullptr));
  alignas(4096) static uint8_t foreign[4096];
  EXPECT_THROW(heap_free(foreign + 64), std::runtime_error);
  auto* object = static_cast<uint8_t*>(heap_allocate(64));
  EXPECT_THROW(heap_free(object + 16), std::runtime_error);
  heap_free(object);
  auto* large = static_cast<uint8_t*>(heap_allocate(3 * kPageSize));
  EXPECT_THROW(heap_free(large + 16), std::runtime_error);
  heap_free(large);
}

struct Counted {
  explicit Counted(int* count) : count(count) { ++*count; }
  ~Counted() { --*count; }
  int* count;
};

TEST_F(Heap, MakesAndDestroysObjects) {
  int count = 0;
  Result<Counted*> made = make<Counted>(&count);
  ASSERT_TRUE(bool(made));
  EXPECT_EQ(count, 1);
  destroy(made.value());
  EXPECT_EQ(count, 0);
  destroy<Counted>(nullptr);
}

}  // namespace
}  // namespace kernel
