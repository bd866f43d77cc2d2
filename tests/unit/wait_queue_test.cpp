#include "kernel/task/wait_queue.h"

#include <gtest/gtest.h>

#include <list>
#include <memory>
#include <random>
#include <vector>

namespace kernel {
namespace {

struct TestWaiter : Waiter {
  TestWaiter() : Waiter(told) {}
  static void told(Waiter& waiter, uint16_t news) {
    auto& self = static_cast<TestWaiter&>(waiter);
    ++self.count;
    self.last_news = news;
    if (self.order != nullptr) self.order->push_back(&self);
    if (self.leaves) self.leave();
  }
  int count = 0;
  uint16_t last_news = 0;
  bool leaves = false;
  std::vector<TestWaiter*>* order = nullptr;
};

TEST(WaitQueue, TellsInTheOrderTheyCame) {
  WaitQueue queue;
  std::vector<TestWaiter*> order;
  TestWaiter waiters[4];
  for (auto& waiter : waiters) {
    waiter.order = &order;
    queue.add(waiter);
  }
  waiters[1].leave();
  queue.notify_all(5);
  EXPECT_EQ(order, (std::vector<TestWaiter*>{&waiters[0], &waiters[2], &waiters[3]}));
  EXPECT_EQ(waiters[3].last_news, 5);
  queue.notify_all();
  EXPECT_EQ(waiters[3].last_news, kAnyNews);
  EXPECT_EQ(waiters[1].count, 0);
}

TEST(WaitQueue, OneMayLeaveWhileItIsTold) {
  WaitQueue queue;
  TestWaiter waiters[3];
  for (auto& waiter : waiters) {
    waiter.leaves = true;
    queue.add(waiter);
  }
  queue.notify_all();
  EXPECT_TRUE(queue.is_empty());
  for (const auto& waiter : waiters) EXPECT_EQ(waiter.count, 1);
}

TEST(WaitQueue, OneThatEndsIsOut) {
  WaitQueue queue;
  {
    TestWaiter waiter;
    queue.add(waiter);
    EXPECT_TRUE(waiter.is_in_queue());
  }
  EXPECT_TRUE(queue.is_empty());
  queue.notify_all();
}

TEST(WaitQueue, OneThatEndsTellsAndLetsGo) {
  TestWaiter waiters[2];
  {
    WaitQueue queue;
    for (auto& waiter : waiters) queue.add(waiter);
  }
  for (const auto& waiter : waiters) {
    EXPECT_EQ(waiter.count, 1);
    EXPECT_FALSE(waiter.is_in_queue());
  }
}

TEST(WaitQueue, RandomOperationsAgainstAList) {
  std::mt19937 random(3);
  WaitQueue queue;
  std::vector<TestWaiter*> order;
  std::vector<std::unique_ptr<TestWaiter>> waiters;
  for (int index = 0; index < 50; ++index) {
    waiters.push_back(std::make_unique<TestWaiter>());
    waiters.back()->order = &order;
  }
  std::list<TestWaiter*> model;
  for (int round = 0; round < 20'000; ++round) {
    TestWaiter* waiter = waiters[random() % waiters.size()].get();
    if (waiter->is_in_queue()) {
      waiter->leave();
      model.remove(waiter);
    } else {
      queue.add(*waiter);
      model.push_back(waiter);
    }
    if (round % 16 != 0) continue;
    order.clear();
    queue.notify_all();
    ASSERT_TRUE(std::equal(order.begin(), order.end(), model.begin(), model.end()));
  }
}

}  // namespace
}  // namespace kernel
