// Pages that are found, written, given back.
#include <gtest/gtest.h>

#include <map>
#include <set>

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

// Of a guest that was resumed from a dump: what the dump had is kept, the rest is to be read again. What the disk does
// not have is always in a dump.
TEST(PageCache, ForgetsWhatADumpDoesNotHold) {
  PageCache cache(1000);
  CachedFile file;
  for (uint64_t index = 0; index < 4; ++index) ASSERT_TRUE(cache.add(file, index));
  CachedPage& written = *cache.find(file, 0);
  cache.mark_dirty(written);
  EXPECT_EQ(page_owner(written.physical), PageOwner::DiskState);
  EXPECT_EQ(page_owner(cache.find(file, 1)->physical), PageOwner::PageCache);
  set_page_owner(cache.find(file, 1)->physical, PageOwner::Lost);
  set_page_owner(cache.find(file, 3)->physical, PageOwner::Lost);
  EXPECT_EQ(cache.forget_lost(), 2u);
  EXPECT_EQ(cache.find(file, 1), nullptr);
  EXPECT_NE(cache.find(file, 2), nullptr);
  EXPECT_EQ(cache.find(file, 3), nullptr);
  CachedPage* taken[1];
  ASSERT_EQ(cache.take_for_writing(file, taken), 1u);
  EXPECT_EQ(page_owner(written.physical), PageOwner::DiskState);  // on its way
  cache.written(written);
  EXPECT_EQ(page_owner(written.physical), PageOwner::PageCache);
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

// What a mapping shows, and through which the program looked at some of it.
std::set<uint64_t> g_used;
std::map<uint64_t, PhysicalAddress> g_mapped;
bool unmap(const CachedFile&, uint64_t index) {
  if (g_used.erase(index) > 0) return false;
  if (g_mapped.contains(index)) free_pages(g_mapped[index], 1);
  g_mapped.erase(index);
  return true;
}

TEST(PageCache, TakesMappedPagesThatTheProgramDoesNotUse) {
  PageCache cache(1000);
  CachedFile file;
  for (uint64_t index = 0; index < 10; ++index) {
    const PhysicalAddress page = cache.add(file, index).value()->physical;
    ASSERT_FALSE(retain_page(page).is_error());
    g_mapped[index] = page;
  }
  cache.mark_dirty(*cache.find(file, 0));
  g_used = {1, 2, 3};
  EXPECT_EQ(cache.reclaim(100), 0u);
  EXPECT_EQ(cache.reclaim_mapped(2, MemoryRelief::Take::Idle, unmap), 2u);
  EXPECT_NE(cache.find(file, 3), nullptr) << "it was used";
  EXPECT_EQ(cache.find(file, 4), nullptr);
  EXPECT_EQ(cache.find(file, 5), nullptr);
  EXPECT_TRUE(g_used.empty()) << "the next use counts";
  // A call has this one: out of the mapping, but not gone.
  ASSERT_FALSE(retain_page(g_mapped[6]).is_error());
  const PhysicalAddress held = g_mapped[6];
  {
    const PageHold hold(*cache.find(file, 9));
    EXPECT_EQ(cache.reclaim_mapped(100, MemoryRelief::Take::Any, unmap), 5u);
  }
  EXPECT_FALSE(g_mapped.contains(6));
  free_pages(held, 1);
  EXPECT_TRUE(g_mapped.contains(0)) << "it is dirty";
  EXPECT_TRUE(g_mapped.contains(9)) << "somebody works with it";
  EXPECT_EQ(cache.page_count(), 3u);
}

TEST(PageCache, TakesWhatIsUsedOnlyForWhoCannotGoOn) {
  PageCache cache(1000);
  CachedFile file;
  for (uint64_t index = 0; index < 4; ++index) {
    const PhysicalAddress page = cache.add(file, index).value()->physical;
    ASSERT_FALSE(retain_page(page).is_error());
    g_mapped[index] = page;
  }
  g_used = {0, 1, 2, 3};
  EXPECT_EQ(cache.reclaim_mapped(1, MemoryRelief::Take::Idle, unmap), 0u);
  g_used = {0, 1, 2, 3};
  EXPECT_EQ(cache.reclaim_mapped(1, MemoryRelief::Take::Any, unmap), 1u);
  EXPECT_EQ(cache.find(file, 0), nullptr) << "the oldest";
}

TEST(PageCache, APageThatIsHeldStays) {
  PageCache cache(1000);
  CachedFile file;
  CachedPage* page = cache.add(file, 0).value();
  {
    const PageHold hold(*page);
    EXPECT_EQ(cache.reclaim(10), 0u);
  }
  EXPECT_EQ(cache.reclaim(10), 1u);
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
