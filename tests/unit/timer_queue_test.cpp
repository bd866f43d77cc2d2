#include "kernel/task/timer_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace kernel {
namespace {

struct TestTimer : Timer {
  std::vector<TestTimer*>* fired = nullptr;
  TestTimer() {
    fire = [](Timer& timer) {
      auto& self = static_cast<TestTimer&>(timer);
      self.fired->push_back(&self);
    };
  }
};

// The same operations on a heap and on a multimap: the same timers go off, in the order of their deadlines.
TEST(TimerQueue, DoesWhatAMultimapDoes) {
  std::mt19937 random(7);
  TimerQueue queue;
  std::vector<TestTimer> timers(200);
  std::vector<TestTimer*> fired;
  for (auto& timer : timers) timer.fired = &fired;
  std::multimap<uint64_t, TestTimer*> model;
  const auto forget = [&](TestTimer* timer) {
    for (auto at = model.begin(); at != model.end(); ++at)
      if (at->second == timer) {
        model.erase(at);
        return;
      }
  };
  uint64_t now = 0;
  for (int round = 0; round < 100'000; ++round) {
    TestTimer& timer = timers[random() % timers.size()];
    switch (random() % 8) {
      case 0:
        queue.cancel(timer);
        forget(&timer);
        break;
      case 1: {
        now += random() % 50;
        fired.clear();
        queue.run(now);
        std::multimap<uint64_t, TestTimer*> expected;
        while (!model.empty() && model.begin()->first <= now) expected.insert(model.extract(model.begin()));
        ASSERT_EQ(fired.size(), expected.size());
        uint64_t last = 0;
        for (TestTimer* each : fired) {
          ASSERT_GE(each->deadline_ns, last);
          ASSERT_LE(each->deadline_ns, now);
          ASSERT_FALSE(each->queued);
          last = each->deadline_ns;
          auto at = expected.begin();
          while (at != expected.end() && at->second != each) ++at;
          ASSERT_NE(at, expected.end());
          expected.erase(at);
        }
        break;
      }
      case 2:
        queue.set(timer, kNoDeadline);
        forget(&timer);
        break;
      default: {
        const uint64_t deadline = now + random() % 500;
        queue.set(timer, deadline);
        forget(&timer);
        model.emplace(deadline, &timer);
      }
    }
    ASSERT_EQ(queue.next_deadline(), model.empty() ? kNoDeadline : model.begin()->first) << "round " << round;
  }
}

struct Repeating : Timer {
  TimerQueue* queue = nullptr;
  int count = 0;
};

TEST(TimerQueue, OneThatGoesOffMaySetItself) {
  TimerQueue queue;
  Repeating timer;
  timer.queue = &queue;
  timer.fire = [](Timer& due) {
    auto& self = static_cast<Repeating&>(due);
    ++self.count;
    self.queue->set(self, self.deadline_ns + 10);
  };
  queue.set(timer, 5);
  queue.run(34);
  EXPECT_EQ(timer.count, 3);
  EXPECT_EQ(queue.next_deadline(), 35u);
}

TEST(TimerQueue, OneThatGoesOffMayCancelOthers) {
  TimerQueue queue;
  static TimerQueue* the_queue;
  static Timer* victim;
  static int went_off;
  Timer first, second;
  the_queue = &queue;
  victim = &second;
  went_off = 0;
  first.fire = [](Timer&) { the_queue->cancel(*victim); };
  second.fire = [](Timer&) { ++went_off; };
  queue.set(first, 1);
  queue.set(second, 2);
  queue.run(10);
  EXPECT_EQ(went_off, 0);
  EXPECT_EQ(queue.next_deadline(), kNoDeadline);
}

}  // namespace
}  // namespace kernel
