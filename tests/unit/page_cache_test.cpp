// Pages that are found, written, given back.
#include <gtest/gtest.h>

#include "kernel/fs/page_cache.h"
#include "tests/unit/kernel_device_fakes.h"

namespace {

using namespace kernel;

TEST(PageCache, FindsWhatWasAdded) {
  PageCache cache(1000);
  CachedFile one, two;
  for (uint64_t index = 0; index < 300; ++index) {
    cache.add(one, index).value()->bytes()[0] = 1;
    if (index % 3 == 0) cache.add(two, index).value()->bytes()[0] = 2;
  }
  EXPECT_EQ(cache.page_count(), 400u);
  EXPECT_EQ(cache.find(one, 299)->bytes()[0], 1);
  EXPECT_EQ(cache.find(two, 297)->bytes()[0], 2);
  EXPECT_EQ(cache.find(two, 298), nullptr);
  cache.drop_from(one, 10);
  EXPECT_EQ(cache.find(one, 10), nullptr);
  EXPECT_NE(cache.find(one, 9), nullptr);
  EXPECT_EQ(cache.page_count(), 110u);
}

TEST(PageCache, GivesBackTheOldestThatNobodyNeeds) {
  PageCache cache(1000);
  CachedFile file;
  for (uint64_t index = 0; index < 10; ++index) ASSERT_TRUE(cache.add(file, index));
  cache.mark_dirty(*cache.find(file, 0));
  cache.mark_dirty(*cache.find(file, 1));
  ASSERT_FALSE(retain_page(cache.find(file, 2)->physical).is_error());
  cache.find(file, 3);  // the newest now
  const PhysicalAddress mapped = cache.find(file, 2)->physical;
  EXPECT_EQ(cache.reclaim(2), 2u);
  EXPECT_EQ(cache.find(file, 4), nullptr);
  EXPECT_EQ(cache.find(file, 5), nullptr);
  EXPECT_EQ(cache.reclaim(100), 5u);
  EXPECT_NE(cache.find(file, 0), nullptr);
  EXPECT_NE(cache.find(file, 1), nullptr);
  EXPECT_NE(cache.find(file, 2), nullptr);
  EXPECT_EQ(cache.page_count(), 3u);
  free_pages(mapped, 1);
  EXPECT_EQ(cache.reclaim(100), 1u);
}

TEST(PageCache, KeepsToItsLimit) {
  PageCache cache(64);
  CachedFile file;
  for (uint64_t index = 0; index < 1000; ++index) ASSERT_TRUE(cache.add(file, index));
  EXPECT_LE(cache.page_count(), 64u);
  EXPECT_NE(cache.find(file, 999), nullptr);
}

TEST(PageCache, TakesWhatIsDirtyInOrder) {
  PageCache cache(1000);
  CachedFile file;
  for (uint64_t index = 0; index < 100; ++index) ASSERT_TRUE(cache.add(file, index));
  for (const uint64_t index : {70, 3, 50, 51, 2}) cache.mark_dirty(*cache.find(file, index));
  EXPECT_EQ(cache.dirty_count(), 5u);
  CachedPage* taken[4];
  ASSERT_EQ(cache.take_for_writing(file, taken), 4u);
  EXPECT_LT(taken[0]->index, taken[3]->index);
  EXPECT_EQ(cache.dirty_count(), 1u);
  // One that is changed while it is written is dirty again, one that is dropped goes when it is written.
  cache.mark_dirty(*taken[0]);
  CachedPage* dropped = taken[1];
  const uint64_t index = dropped->index;
  cache.drop(*dropped);
  EXPECT_EQ(cache.find(file, index), nullptr);
  for (CachedPage* page : taken) cache.written(*page);
  EXPECT_EQ(cache.dirty_count(), 2u);
  EXPECT_EQ(cache.take_for_writing(file, taken), 2u);
}

}  // namespace
