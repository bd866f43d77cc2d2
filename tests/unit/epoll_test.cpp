#include "kernel/linux/epoll.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "kernel/memory/heap.h"

namespace kernel {

void* heap_allocate(size_t size) {
  return std::calloc(1, size);
}
void heap_free(void* pointer) {
  std::free(pointer);
}

namespace linux {

// open_file.cpp's, without the file systems behind it.
void OpenFile::release() {
  if (--references_ > 0) return;
  forget_interests(*this);
  destroy(this);
}
InodeStatus anonymous_status() {
  return {};
}

namespace {

class FakeFile final : public OpenFile {
 public:
  FakeFile() : OpenFile(kOpenReadWrite) {}
  Result<InodeStatus> status() override { return anonymous_status(); }
  uint16_t poll_events() override {
    ++looks;
    return events;
  }
  WaitQueue* wait_queue() override { return &waiters; }
  const char* path() const override { return "fake"; }
  void become(uint16_t now) {
    events = now;
    waiters.notify_all(now);
  }
  uint16_t events = 0;
  int looks = 0;
  WaitQueue waiters;
};

FakeFile* new_file() {
  return make<FakeFile>().value();
}

std::multiset<uint64_t> ready(Epoll& epoll, size_t most = 1000) {
  std::vector<EpollEvent> events(most);
  events.resize(epoll.collect(events.data(), most));
  std::multiset<uint64_t> out;
  for (const EpollEvent& each : events) out.insert(each.data);
  return out;
}

class EpollTest : public testing::Test {
 protected:
  Epoll* epoll = make<Epoll>().value();
  ~EpollTest() override { epoll->release(); }
};

TEST_F(EpollTest, LooksOnlyAtWhatIsReady) {
  std::vector<FakeFile*> files;
  for (int index = 0; index < 1000; ++index) {
    files.push_back(new_file());
    ASSERT_TRUE(epoll->add(index, *files.back(), {kPollIn, static_cast<uint64_t>(index)}));
    files.back()->looks = 0;
  }
  files[7]->become(kPollIn);
  files[700]->become(kPollIn);
  EXPECT_EQ(ready(*epoll), (std::multiset<uint64_t>{7, 700}));
  int looks = 0;
  for (FakeFile* file : files) looks += file->looks;
  EXPECT_EQ(looks, 2);
  for (FakeFile* file : files) file->release();
  EXPECT_TRUE(ready(*epoll).empty());
}

TEST_F(EpollTest, LevelStaysEdgeDoesNotOneShotEnds) {
  FakeFile* file = new_file();
  ASSERT_TRUE(epoll->add(1, *file, {kPollIn, 1}));
  ASSERT_TRUE(epoll->add(2, *file, {kPollIn | kEpollEdge, 2}));
  ASSERT_TRUE(epoll->add(3, *file, {kPollIn | kEpollOneShot, 3}));
  file->become(kPollIn);
  EXPECT_EQ(ready(*epoll), (std::multiset<uint64_t>{1, 2, 3}));
  EXPECT_EQ(ready(*epoll), (std::multiset<uint64_t>{1}));
  file->become(kPollIn);
  EXPECT_EQ(ready(*epoll), (std::multiset<uint64_t>{1, 2}));
  ASSERT_TRUE(epoll->modify(3, *file, {kPollIn | kEpollOneShot, 3}));
  EXPECT_EQ(ready(*epoll), (std::multiset<uint64_t>{1, 3}));
  file->become(kPollOut);
  EXPECT_TRUE(ready(*epoll).empty());
  file->release();
}

TEST_F(EpollTest, NewsOfAnotherKindIsNoEdge) {
  FakeFile* file = new_file();
  file->events = kPollIn | kPollOut;
  ASSERT_TRUE(epoll->add(1, *file, {kPollIn | kEpollEdge, 1}));
  EXPECT_EQ(ready(*epoll).size(), 1u);
  file->waiters.notify_all(kPollOut);
  EXPECT_TRUE(ready(*epoll).empty());
  file->waiters.notify_all(kPollHangUp);  // never needs to be asked for
  file->events = kPollHangUp;
  EXPECT_EQ(ready(*epoll).size(), 1u);
  file->release();
}

TEST_F(EpollTest, TakesTurnsWhenThereIsMoreThanRoom) {
  FakeFile* files[5];
  for (int index = 0; index < 5; ++index) {
    files[index] = new_file();
    files[index]->events = kPollIn;
    ASSERT_TRUE(epoll->add(index, *files[index], {kPollIn, static_cast<uint64_t>(index)}));
  }
  std::map<uint64_t, int> seen;
  for (int round = 0; round < 10; ++round)
    for (const uint64_t each : ready(*epoll, 3)) ++seen[each];
  for (int index = 0; index < 5; ++index) EXPECT_EQ(seen[static_cast<uint64_t>(index)], 6);
  for (FakeFile* file : files) file->release();
}

struct Counter : Waiter {
  Counter() : Waiter([](Waiter& self, uint16_t) { ++static_cast<Counter&>(self).count; }) {}
  int count = 0;
};

TEST_F(EpollTest, WatchersHearOfNewsNotOfWhatStays) {
  FakeFile* file = new_file();
  ASSERT_TRUE(epoll->add(1, *file, {kPollIn, 1}));
  Counter watcher;
  epoll->wait_queue()->add(watcher);
  file->become(kPollIn);
  EXPECT_EQ(watcher.count, 1);
  EXPECT_EQ(ready(*epoll).size(), 1u);
  EXPECT_EQ(ready(*epoll).size(), 1u);
  EXPECT_EQ(watcher.count, 1);
  EXPECT_EQ(epoll->poll_events(), kPollIn);
  file->become(0);
  EXPECT_EQ(epoll->poll_events(), 0);
  file->release();
}

TEST_F(EpollTest, NestsButNotInACircle) {
  Epoll* inner = make<Epoll>().value();
  FakeFile* file = new_file();
  ASSERT_TRUE(inner->add(1, *file, {kPollIn, 1}));
  ASSERT_TRUE(epoll->add(2, *inner, {kPollIn, 2}));
  EXPECT_EQ(inner->add(3, *epoll, {kPollIn, 3}).error(), Error::Loop);
  file->become(kPollIn);
  EXPECT_EQ(ready(*epoll), (std::multiset<uint64_t>{2}));
  file->release();
  EXPECT_TRUE(ready(*epoll).empty());
  inner->release();
  EXPECT_TRUE(ready(*epoll).empty());
}

// Level-triggered: what a look at every file would find, whatever happened to files and interests before.
TEST_F(EpollTest, RandomOperationsFindWhatAScanFinds) {
  std::mt19937 random(11);
  struct Slot {
    FakeFile* file;
    std::map<int, uint32_t> interests;  // by descriptor
  };
  std::vector<Slot> slots;
  for (int index = 0; index < 30; ++index) slots.push_back({new_file(), {}});
  int next_descriptor = 0;
  for (int round = 0; round < 50'000; ++round) {
    Slot& slot = slots[random() % slots.size()];
    const auto events = static_cast<uint16_t>(random() % 2 * kPollIn | random() % 2 * kPollOut);
    switch (random() % 6) {
      case 0:
        if (slot.interests.size() > 3) break;
        ASSERT_TRUE(epoll->add(next_descriptor, *slot.file, {events, static_cast<uint64_t>(next_descriptor)}));
        slot.interests[next_descriptor++] = events;
        break;
      case 1:
        if (slot.interests.empty()) break;
        ASSERT_TRUE(epoll->remove(slot.interests.begin()->first, *slot.file));
        slot.interests.erase(slot.interests.begin());
        break;
      case 2: {
        if (slot.interests.empty()) break;
        auto& [descriptor, wanted] = *slot.interests.begin();
        ASSERT_TRUE(epoll->modify(descriptor, *slot.file, {events, static_cast<uint64_t>(descriptor)}));
        wanted = events;
        break;
      }
      case 3:
        if (random() % 10 != 0) break;
        slot.file->release();
        slot = {new_file(), {}};
        break;
      default:
        slot.file->become(events);
    }
    if (round % 5 != 0) continue;
    std::multiset<uint64_t> expected;
    for (const Slot& each : slots)
      for (const auto& [descriptor, wanted] : each.interests)
        if ((wanted & each.file->events) != 0) expected.insert(static_cast<uint64_t>(descriptor));
    ASSERT_EQ(ready(*epoll), expected) << "round " << round;
  }
  for (Slot& slot : slots) slot.file->release();
}

}  // namespace
}  // namespace linux
}  // namespace kernel
