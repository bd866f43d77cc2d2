#include "kernel/memory/page_frames.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

using kernel::Error;
using kernel::PageFrames;
using mortem::format::PageOwner;

namespace {

std::vector<uint8_t> memory(size_t pages, PageOwner owner = PageOwner::Free) {
  return std::vector<uint8_t>(pages, static_cast<uint8_t>(owner));
}

TEST(PageFrames, GivesEveryFreePageOnceAndNothingElse) {
  auto owners = memory(100);
  owners[3] = owners[50] = static_cast<uint8_t>(PageOwner::Reserved);
  owners[60] = static_cast<uint8_t>(PageOwner::Absent);
  PageFrames frames;
  frames.initialize(owners.data(), owners.size());
  EXPECT_EQ(frames.free_count(), 97u);
  EXPECT_EQ(frames.ram_count(), 99u);
  std::vector<bool> seen(100);
  for (int i = 0; i < 97; ++i) {
    auto page = frames.allocate(1, PageOwner::App);
    ASSERT_TRUE(bool(page));
    EXPECT_FALSE(seen[page.value()]);
    seen[page.value()] = true;
  }
  EXPECT_FALSE(seen[3] || seen[50] || seen[60]);
  EXPECT_EQ(frames.allocate(1, PageOwner::App).error(), Error::NoMemory);
  EXPECT_EQ(frames.owner(3), PageOwner::Reserved);
  EXPECT_EQ(frames.owner(4), PageOwner::App);
  EXPECT_EQ(frames.owner(1000), PageOwner::Absent);
}

TEST(PageFrames, ContiguousRunsStepOverHoles) {
  auto owners = memory(64);
  for (size_t page = 7; page < 64; page += 8) owners[page] = static_cast<uint8_t>(PageOwner::KernelImage);
  owners[15] = static_cast<uint8_t>(PageOwner::Free);
  PageFrames frames;
  frames.initialize(owners.data(), owners.size());
  auto run = frames.allocate(10, PageOwner::Dma);
  ASSERT_TRUE(bool(run));
  EXPECT_EQ(run.value(), 8u);
  EXPECT_EQ(frames.allocate(16, PageOwner::Dma).error(), Error::NoMemory);
  EXPECT_EQ(frames.allocate(0, PageOwner::Dma).error(), Error::Invalid);
}

TEST(PageFrames, TheHighestOnesOnDemand) {
  auto owners = memory(64);
  owners[63] = static_cast<uint8_t>(PageOwner::Absent);
  owners[58] = static_cast<uint8_t>(PageOwner::Reserved);
  PageFrames frames;
  frames.initialize(owners.data(), owners.size());
  EXPECT_EQ(frames.allocate_last(4, PageOwner::KernelHeap).value(), 59u);
  EXPECT_EQ(frames.allocate_last(8, PageOwner::KernelHeap).value(), 50u);
  EXPECT_EQ(frames.allocate_last(0, PageOwner::KernelHeap).error(), Error::Invalid);
  EXPECT_EQ(frames.allocate_last(51, PageOwner::KernelHeap).error(), Error::NoMemory);
  EXPECT_EQ(frames.allocate_last(50, PageOwner::KernelHeap).value(), 0u);
  EXPECT_EQ(frames.free_count(), 0u);
  EXPECT_EQ(frames.owner(50), PageOwner::KernelHeap);
  frames.free(59, 4);
  EXPECT_EQ(frames.allocate(4, PageOwner::App).value(), 59u);
}

TEST(PageFrames, RandomAllocationsNeverOverlapAndAllComeBack) {
  auto owners = memory(1001);
  PageFrames frames;
  frames.initialize(owners.data(), owners.size());
  std::mt19937 random(7);
  std::map<uint64_t, uint64_t> live;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 2 == 0) {
      uint64_t count = 1 + random() % 9;
      auto run = frames.allocate(count, PageOwner::KernelHeap);
      if (!run) continue;
      auto after = live.lower_bound(run.value());
      if (after != live.end()) {
        ASSERT_LE(run.value() + count, after->first);
      }
      if (after != live.begin()) {
        ASSERT_LE(std::prev(after)->first + std::prev(after)->second, run.value());
      }
      live[run.value()] = count;
    } else if (!live.empty()) {
      auto victim = std::next(live.begin(), random() % live.size());
      frames.free(victim->first, victim->second);
      live.erase(victim);
    }
  }
  for (auto [first, count] : live) frames.free(first, count);
  EXPECT_EQ(frames.free_count(), 1001u);
}

TEST(PageFrames, FreeingTwiceOrOutsideCountsNothing) {
  auto owners = memory(16);
  PageFrames frames;
  frames.initialize(owners.data(), owners.size());
  auto page = frames.allocate(1, PageOwner::App);
  frames.free(page.value(), 1);
  frames.free(page.value(), 1);
  frames.free(15, 100);
  EXPECT_EQ(frames.free_count(), 16u);
}

TEST(PageFrames, ASharedPageIsFreeWithoutItsLastUser) {
  auto owners = memory(16);
  std::vector<uint16_t> extra(16);
  PageFrames frames;
  frames.initialize(owners.data(), owners.size());
  const uint64_t page = frames.allocate(2, PageOwner::App).value();
  EXPECT_EQ(frames.retain(page).error(), Error::NoMemory);  // users are not counted yet
  frames.count_users(extra.data());
  EXPECT_EQ(frames.retain(9).error(), Error::Invalid);
  EXPECT_EQ(frames.users(9), 0u);
  EXPECT_FALSE(frames.retain(page).is_error());
  EXPECT_FALSE(frames.retain(page).is_error());
  EXPECT_EQ(frames.users(page), 3u);
  EXPECT_EQ(frames.users(page + 1), 1u);
  frames.free(page, 2);
  EXPECT_EQ(frames.free_count(), 15u);
  frames.free(page, 1);
  EXPECT_EQ(frames.owner(page), PageOwner::App);
  frames.free(page, 1);
  EXPECT_EQ(frames.owner(page), PageOwner::Free);
  EXPECT_EQ(frames.free_count(), 16u);
  extra[page] = 0xFFFF;
  EXPECT_EQ(frames.allocate(1, PageOwner::App).value(), page);
  EXPECT_EQ(frames.retain(page).error(), Error::NoMemory);
}

TEST(PageFrames, FindsWhatIsInUse) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<uint8_t> owners(random() % 70 + 1);
    for (uint8_t& owner : owners) owner = random() % 16 == 0 ? random() % 12 : random() % 3;
    PageFrames frames;
    frames.initialize(owners.data(), owners.size());
    for (uint64_t from = 0; from <= owners.size(); ++from) {
      uint64_t expected = from;
      while (expected < owners.size() && owners[expected] <= static_cast<uint8_t>(PageOwner::Firmware)) ++expected;
      ASSERT_EQ(frames.next_used(from), expected) << "from " << from;
    }
  }
}

TEST(PageFrames, TakesBackNothingThatWasNeverGivenOut) {
  auto owners = memory(16);
  owners[2] = static_cast<uint8_t>(PageOwner::Firmware);
  owners[3] = static_cast<uint8_t>(PageOwner::Reserved);
  owners[4] = static_cast<uint8_t>(PageOwner::Absent);
  PageFrames frames;
  frames.initialize(owners.data(), owners.size());
  frames.free(0, 16);
  EXPECT_EQ(frames.free_count(), 13u);
  EXPECT_EQ(frames.owner(2), PageOwner::Firmware);
  EXPECT_EQ(frames.owner(3), PageOwner::Reserved);
  EXPECT_EQ(frames.owner(4), PageOwner::Absent);
}

}  // namespace
