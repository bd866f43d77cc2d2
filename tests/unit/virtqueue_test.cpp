#include "kernel/drivers/virtqueue.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

#include "tests/unit/kernel_device_fakes.h"

namespace {

using kernel::Virtqueue;
using kernel::VirtqueueSegment;

// The other side of the queue, as virtio 1.1, section 2.6 describes it.
class Device {
 public:
  Device() : page_(static_cast<uint8_t*>(aligned_alloc(4096, 4096))) {}
  ~Device() { free(page_); }
  void* page() { return page_; }
  uint64_t physical() const { return reinterpret_cast<uint64_t>(page_); }

  struct Chain {
    uint16_t head;
    std::vector<VirtqueueSegment> segments;
  };
  bool take(const Virtqueue& queue, Chain& chain) {
    const auto* available = reinterpret_cast<const uint16_t*>(queue.driver_area());
    if (available[1] == seen_) return false;
    chain = {available[2 + seen_++ % queue.size()], {}};
    struct Descriptor {
      uint64_t address;
      uint32_t length;
      uint16_t flags, next;
    };
    const auto* descriptors = reinterpret_cast<const Descriptor*>(queue.descriptor_area());
    for (uint16_t at = chain.head;; at = descriptors[at].next) {
      EXPECT_LT(at, queue.size());
      chain.segments.push_back({descriptors[at].address, descriptors[at].length, (descriptors[at].flags & 2) != 0});
      if (!(descriptors[at].flags & 1)) return true;
    }
  }
  void give(const Virtqueue& queue, uint32_t head, uint32_t written) {
    auto* used = reinterpret_cast<uint16_t*>(queue.device_area());
    auto* ring = reinterpret_cast<uint32_t*>(used + 2);
    ring[used[1] % queue.size() * 2] = head;
    ring[used[1] % queue.size() * 2 + 1] = written;
    ++used[1];
  }

 private:
  uint8_t* page_;
  uint16_t seen_ = 0;
};

TEST(Virtqueue, SizeIsAPowerOfTwoThatTheDeviceAllows) {
  Device device;
  Virtqueue queue;
  for (auto [limit, size] : {std::pair{1, 1}, {2, 2}, {3, 2}, {100, 64}, {128, 128}, {1024, 128}}) {
    ASSERT_TRUE(queue.initialize(device.page(), device.physical(), limit));
    EXPECT_EQ(queue.size(), size);
    EXPECT_TRUE(queue.idle());
  }
  EXPECT_TRUE(queue.initialize(device.page(), device.physical(), 0).is_error());
}

TEST(Virtqueue, ChainsThatTheDeviceHoldsCanBeReadBack) {
  Device device;
  Virtqueue queue;
  ASSERT_TRUE(queue.initialize(device.page(), device.physical(), 8));
  const VirtqueueSegment one[] = {{0x1000, 16, false}, {0x2000, 512, true}, {0x3000, 1, true}},
                         other[] = {{0x9000, 8, true}};
  const uint16_t first = queue.submit(one).value(), second = queue.submit(other).value();
  VirtqueueSegment back[8];
  ASSERT_EQ(queue.chain(first, back), 3u);
  for (size_t index = 0; index < 3; ++index) {
    EXPECT_EQ(back[index].physical, one[index].physical);
    EXPECT_EQ(back[index].length, one[index].length);
    EXPECT_EQ(back[index].device_writes, one[index].device_writes);
  }
  EXPECT_EQ(queue.chain(first, std::span(back).first(2)), 2u);
  EXPECT_EQ(queue.chain(second, back), 1u);
  device.give(queue, first, 0);
  uint16_t head;
  uint32_t written;
  ASSERT_TRUE(queue.complete(head, written));
  EXPECT_EQ(queue.chain(first, back), 0u);
  EXPECT_EQ(queue.chain(1000, back), 0u);
}

TEST(Virtqueue, ManyChainsInAnyOrder) {
  Device device;
  Virtqueue queue;
  ASSERT_TRUE(queue.initialize(device.page(), device.physical(), 32));
  std::mt19937 random(1);
  std::deque<Device::Chain> held;
  uint32_t next = 0;
  // Far more than 65,536 requests: the 16-bit indices wrap.
  for (int round = 0; round < 200'000; ++round) {
    std::vector<VirtqueueSegment> segments(1 + random() % 6);
    for (auto& segment : segments) segment = {++next * uint64_t{4096}, next, next % 2 == 0};
    const uint16_t free_before = queue.free_descriptors();
    auto head = queue.submit(segments);
    if (segments.size() > free_before) {
      EXPECT_EQ(head.error(), kernel::Error::Again);
    } else {
      ASSERT_TRUE(head);
      Device::Chain chain;
      ASSERT_TRUE(device.take(queue, chain));
      EXPECT_EQ(chain.head, head.value());
      ASSERT_EQ(chain.segments.size(), segments.size());
      for (size_t index = 0; index < segments.size(); ++index) {
        ASSERT_EQ(chain.segments[index].physical, segments[index].physical);
        ASSERT_EQ(chain.segments[index].length, segments[index].length);
        ASSERT_EQ(chain.segments[index].device_writes, segments[index].device_writes);
      }
      held.push_back(chain);
    }
    while (!held.empty() && (random() % 2 != 0 || queue.free_descriptors() < 6)) {
      const size_t which = random() % held.size();
      device.give(queue, held[which].head, 7);
      uint16_t given;
      uint32_t written;
      ASSERT_TRUE(queue.complete(given, written));
      EXPECT_EQ(given, held[which].head);
      EXPECT_EQ(written, 7u);
      EXPECT_FALSE(queue.complete(given, written));
      held.erase(held.begin() + static_cast<long>(which));
    }
  }
}

TEST(Virtqueue, WhatTheDeviceDoesNotHoldIsRefused) {
  Device device;
  Virtqueue queue;
  ASSERT_TRUE(queue.initialize(device.page(), device.physical(), 8));
  EXPECT_EQ(queue.submit({}).error(), kernel::Error::Invalid);
  const VirtqueueSegment segment{4096, 1, false};
  const uint16_t head = queue.submit({&segment, 1}).release_value();
  device.give(queue, 100'000, 0);
  device.give(queue, head + 1u, 0);
  device.give(queue, head, 1);
  device.give(queue, head, 1);
  uint16_t given;
  uint32_t written;
  EXPECT_TRUE(queue.complete(given, written));
  EXPECT_EQ(given, head);
  EXPECT_FALSE(queue.complete(given, written));
  EXPECT_TRUE(queue.idle());
  EXPECT_TRUE(kernel_fakes::logged("which it does not hold"));
}

}  // namespace
