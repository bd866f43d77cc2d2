#include "kernel/memory/page_tree.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

#include "kernel/memory/page_frames.h"

namespace kernel {

uint64_t g_direct_map_base = 0;
namespace {
constexpr size_t kPages = 4096;
alignas(4096) uint8_t g_arena[kPages * kPageSize];
uint8_t g_owners[kPages];
PageFrames g_frames;
size_t g_allocations_left = ~size_t{0};
}  // namespace

Result<PhysicalAddress> allocate_pages(size_t count, PageOwner owner) {
  if (g_allocations_left == 0) return Error::NoMemory;
  --g_allocations_left;
  PhysicalAddress first = TRY(g_frames.allocate(count, owner)) * kPageSize;
  std::memset(direct_map(first), 0, count * kPageSize);
  return first;
}
void free_pages(PhysicalAddress first, size_t count) {
  g_frames.free(first / kPageSize, count);
}

namespace {

class PageTrees : public ::testing::Test {
 protected:
  PageTrees() {
    g_direct_map_base = reinterpret_cast<uint64_t>(g_arena);
    std::memset(g_owners, static_cast<int>(PageOwner::Free), sizeof g_owners);
    g_owners[0] = static_cast<uint8_t>(PageOwner::Firmware);  // 0 is no page
    g_frames.initialize(g_owners, kPages);
    g_allocations_left = ~size_t{0};
  }
  // A page that stands only as a number: the tree never looks into it.
  static PhysicalAddress fake(uint64_t number) { return (number + 1) << 20; }
};

TEST_F(PageTrees, OnePageNeedsNoNode) {
  PageTree tree;
  const uint64_t before = g_frames.free_count();
  ASSERT_TRUE(tree.set(0, fake(1)));
  EXPECT_EQ(g_frames.free_count(), before);
  EXPECT_EQ(tree.find(0), fake(1));
  EXPECT_EQ(tree.find(1), 0u);
  EXPECT_EQ(tree.find(~uint64_t{0}), 0u);
}

TEST_F(PageTrees, AHoleOfAnySizeCostsAFewNodes) {
  PageTree tree;
  const uint64_t far = uint64_t{1} << 50, before = g_frames.free_count();
  ASSERT_TRUE(tree.set(0, fake(1)));
  ASSERT_TRUE(tree.set(far, fake(2)));
  EXPECT_LE(before - g_frames.free_count(), 2u * PageTree::kMaximumHeight);
  EXPECT_EQ(tree.find(0), fake(1));
  EXPECT_EQ(tree.find(far), fake(2));
  EXPECT_EQ(tree.next_page(1), far);
  EXPECT_EQ(tree.next_page(far + 1), PageTree::kNone);
  const auto beyond = tree.set(uint64_t{1} << 54, fake(3));
  ASSERT_TRUE(beyond.is_error());
  EXPECT_EQ(beyond.error(), Error::FileTooLarge);
  tree.take_out(0, PageTree::kNone, [](PhysicalAddress) {});
  EXPECT_EQ(g_frames.free_count(), before) << "nodes are left";
}

TEST_F(PageTrees, NoMemoryLeavesNoNodeBehind) {
  for (size_t allowed = 0; allowed < 5; ++allowed) {
    PageTree tree;
    const uint64_t before = g_frames.free_count();
    g_allocations_left = allowed;
    EXPECT_EQ(tree.set(uint64_t{1} << 40, fake(1)).error(), Error::NoMemory);
    g_allocations_left = ~size_t{0};
    EXPECT_EQ(g_frames.free_count(), before);
    ASSERT_TRUE(tree.set(3, fake(2)));
    EXPECT_EQ(tree.find(3), fake(2));
    tree.take_out(0, PageTree::kNone, [](PhysicalAddress) {});
    EXPECT_EQ(g_frames.free_count(), before);
  }
}

TEST_F(PageTrees, AgreesWithAMap) {
  PageTree tree;
  std::map<uint64_t, PhysicalAddress> model;
  std::mt19937_64 random(11);
  const uint64_t before = g_frames.free_count();
  for (int step = 0; step < 20000; ++step) {
    const uint64_t index = random() % 4 == 0 ? random() % (uint64_t{1} << 30) : random() % 2000;
    if (random() % 3 != 0) {
      if (model.count(index) == 0 && model.size() < 700) {
        ASSERT_TRUE(tree.set(index, fake(step)));
        model[index] = fake(step);
      }
    } else {
      const uint64_t last = index + random() % 50;
      auto at = model.lower_bound(index);
      tree.take_out(index, last, [&](PhysicalAddress page) {
        ASSERT_NE(at, model.end());
        ASSERT_EQ(at->second, page);
        at = model.erase(at);
      });
      ASSERT_TRUE(at == model.end() || at->first >= last);
    }
    ASSERT_EQ(tree.find(index), model.count(index) != 0 ? model[index] : 0);
    const auto next = model.lower_bound(index);
    ASSERT_EQ(tree.next_page(index), next == model.end() ? PageTree::kNone : next->first);
  }
  tree.take_out(0, PageTree::kNone, [](PhysicalAddress) {});
  EXPECT_EQ(g_frames.free_count(), before);
}

}  // namespace
}  // namespace kernel
