#include "kernel/task/area_list.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "kernel/fs/inode.h"
#include "kernel/memory/heap.h"

namespace kernel {

static bool g_no_memory = false;
void* heap_allocate(size_t size) {
  return g_no_memory ? nullptr : std::calloc(1, size);
}
void heap_free(void* pointer) {
  std::free(pointer);
}

namespace {

constexpr uint64_t kBase = 0x10000000, kPage = 4096;

MemoryArea area(uint64_t first, uint64_t count, uint8_t protection = 3) {
  MemoryArea out{};
  out.start = kBase + first * kPage;
  out.end = out.start + count * kPage;
  out.protection = protection;
  return out;
}
uint64_t page(uint64_t number) {
  return kBase + number * kPage;
}

// Counts who holds it.
class File final : public Inode {
 public:
  int holders = 0;
  Result<InodeStatus> status() override { return Error::Io; }
  Result<size_t> read(uint64_t, std::span<uint8_t>) override { return Error::Io; }
  void opened() override { ++holders; }
  void closed() override { --holders; }
};

bool remove(AreaList& list, uint64_t start, uint64_t end) {
  while (start < end) {
    RemovedAreas removed;
    if (list.remove(start, end, removed).is_error()) return false;
    for (size_t index = 0; index < removed.count; ++index) removed.inodes[index]->closed();
    start = removed.end;
  }
  return true;
}

TEST(AreaList, NeighboursThatAreAlikeBecomeOne) {
  AreaList list;
  ASSERT_TRUE(list.insert(area(0, 2)));
  ASSERT_TRUE(list.insert(area(4, 2)));
  EXPECT_EQ(list.size(), 2u);
  ASSERT_TRUE(list.insert(area(2, 2)));
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list.at(0).start, page(0));
  EXPECT_EQ(list.at(0).end, page(6));
}

TEST(AreaList, OthersStayApart) {
  AreaList list;
  ASSERT_TRUE(list.insert(area(0, 2, 1)));
  ASSERT_TRUE(list.insert(area(2, 2, 3)));
  MemoryArea shared = area(4, 1, 3);
  shared.shared = true;
  ASSERT_TRUE(list.insert(shared));
  EXPECT_EQ(list.size(), 3u);
}

TEST(AreaList, FilePartsMergeOnlyWhenTheirOffsetsFollow) {
  AreaList list;
  File file;
  Inode* inode = &file;
  MemoryArea first = area(0, 1), second = area(1, 1), third = area(2, 1);
  first.inode = second.inode = third.inode = inode;
  second.file_offset = kPage;
  third.file_offset = 5 * kPage;
  ASSERT_TRUE(list.insert(first));
  ASSERT_TRUE(list.insert(second));
  ASSERT_TRUE(list.insert(third));
  ASSERT_EQ(list.size(), 2u);
  ASSERT_TRUE(remove(list, page(0), page(1)));
  EXPECT_EQ(list.at(0).file_offset, kPage);
}

TEST(AreaList, EachAreaHoldsItsFile) {
  AreaList list;
  File file;
  MemoryArea whole = area(0, 10);
  whole.inode = &file;
  ASSERT_TRUE(list.insert(whole));
  EXPECT_EQ(file.holders, 1);
  ASSERT_TRUE(list.protect(page(3), page(5), 1));
  EXPECT_EQ(file.holders, 3);
  ASSERT_TRUE(list.protect(page(3), page(5), 3));
  EXPECT_EQ(file.holders, 1);
  ASSERT_TRUE(remove(list, page(4), page(6)));
  EXPECT_EQ(file.holders, 2);
  ASSERT_TRUE(remove(list, page(0), page(9)));
  EXPECT_EQ(file.holders, 1);
  ASSERT_TRUE(remove(list, page(0), page(10)));
  EXPECT_EQ(file.holders, 0);
}

TEST(AreaList, ManyAreasOfFilesGoInRounds) {
  AreaList list;
  File file;
  constexpr int kCount = 3 * RemovedAreas::kMaximum + 5;
  for (int index = 0; index < kCount; ++index) {
    MemoryArea one = area(2 * index, 1);
    one.inode = &file;
    ASSERT_TRUE(list.insert(one));
  }
  EXPECT_EQ(file.holders, kCount);
  RemovedAreas removed;
  ASSERT_TRUE(list.remove(page(0), page(2 * kCount), removed));
  EXPECT_EQ(removed.count, RemovedAreas::kMaximum);
  EXPECT_EQ(removed.end, page(2 * RemovedAreas::kMaximum));
  for (size_t index = 0; index < removed.count; ++index) removed.inodes[index]->closed();
  ASSERT_TRUE(remove(list, page(0), page(2 * kCount)));
  EXPECT_EQ(list.size(), 0u);
  EXPECT_EQ(file.holders, 0);
}

TEST(AreaList, RemovingTheMiddleSplits) {
  AreaList list;
  ASSERT_TRUE(list.insert(area(0, 10)));
  ASSERT_TRUE(remove(list, page(4), page(6)));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list.at(0).end, page(4));
  EXPECT_EQ(list.at(1).start, page(6));
  EXPECT_EQ(list.find(page(5)), nullptr);
  EXPECT_NE(list.find(page(6)), nullptr);
  EXPECT_FALSE(list.covers(page(0), page(10)));
  EXPECT_TRUE(list.covers(page(6), page(10)));
}

TEST(AreaList, ProtectingAndBackIsOneAgain) {
  AreaList list;
  ASSERT_TRUE(list.insert(area(0, 10)));
  ASSERT_TRUE(list.protect(page(3), page(5), 1));
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list.find(page(3))->protection, 1);
  EXPECT_EQ(list.find(page(5))->protection, 3);
  ASSERT_TRUE(list.protect(page(3), page(5), 3));
  EXPECT_EQ(list.size(), 1u);
}

TEST(AreaList, GapsAreFoundFromTheTop) {
  AreaList list;
  ASSERT_TRUE(list.insert(area(10, 10)));
  ASSERT_TRUE(list.insert(area(22, 8)));
  EXPECT_EQ(list.find_gap(kPage, page(0), page(40), 0), page(39));
  EXPECT_EQ(list.find_gap(kPage, page(0), page(25), 0), page(21));
  EXPECT_EQ(list.find_gap(3 * kPage, page(0), page(25), 0), page(7));
  EXPECT_EQ(list.find_gap(11 * kPage, page(0), page(30), 0), 0u);
  EXPECT_EQ(list.find_gap(10 * kPage, page(0), page(30), 0), page(0));
}

TEST(AreaList, AGapStaysFreeBelowAStack) {
  AreaList list;
  MemoryArea stack = area(100, 10);
  stack.kind = AreaKind::Stack;
  ASSERT_TRUE(list.insert(stack));
  EXPECT_EQ(list.find_gap(kPage, page(0), page(105), 16 * kPage), page(83));
}

TEST(AreaList, NoMemoryLeavesTheListAsItWas) {
  AreaList list;
  g_no_memory = true;
  const auto inserted = list.insert(area(0, 1));
  g_no_memory = false;
  ASSERT_TRUE(inserted.is_error());
  EXPECT_EQ(inserted.error(), Error::NoMemory);
  EXPECT_EQ(list.size(), 0u);
}

TEST(AreaList, MoreThanLinuxAllowsIsNoMemory) {
  AreaList list;
  for (size_t index = 0; index < AreaList::kMaximumAreas; ++index) ASSERT_TRUE(list.insert(area(2 * index, 1)));
  const auto more = list.insert(area(2 * AreaList::kMaximumAreas, 1));
  ASSERT_TRUE(more.is_error());
  EXPECT_EQ(more.error(), Error::NoMemory);
  EXPECT_EQ(list.size(), AreaList::kMaximumAreas);
}

// Random operations against a plain map of pages.
TEST(AreaList, AgreesWithAMapOfPages) {
  AreaList list;
  std::map<uint64_t, uint8_t> pages;
  std::mt19937 random(7);
  for (int step = 0; step < 20000; ++step) {
    const uint64_t first = random() % 200, count = 1 + random() % 20;
    const auto protection = static_cast<uint8_t>(random() % 4);
    if (random() % 3 == 0 && !list.overlaps(page(first), page(first + count))) {
      ASSERT_TRUE(list.insert(area(first, count, protection)));
      for (uint64_t at = first; at < first + count; ++at) pages[at] = protection;
    } else if (random() % 2 == 0) {
      ASSERT_TRUE(remove(list, page(first), page(first + count)));
      for (uint64_t at = first; at < first + count; ++at) pages.erase(at);
    } else if (list.covers(page(first), page(first + count))) {
      ASSERT_TRUE(list.protect(page(first), page(first + count), protection));
      for (uint64_t at = first; at < first + count; ++at) pages[at] = protection;
    }
    size_t runs = 0;
    for (const auto& [at, value] : pages) {
      const auto before = pages.find(at - 1);
      runs += before == pages.end() || before->second != value;
      const MemoryArea* found = list.find(page(at));
      ASSERT_NE(found, nullptr);
      ASSERT_EQ(found->protection, value);
    }
    ASSERT_EQ(list.size(), runs);
  }
}

}  // namespace
}  // namespace kernel
